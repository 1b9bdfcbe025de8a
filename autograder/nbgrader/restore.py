"""Put the cells that carry points back into the state in which they were released."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, Notebook
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, NbGraderPreprocessor
from nbgrader.utils import compute_checksum, is_locked

from autograder.course import Course
from autograder.salvage import choose

from .reading import note
from .source import source_notebook


class RestoreCells(NbGraderPreprocessor):
    """Each cell that the gradebook knows is there exactly once, with the gradebook's metadata.

    Locked cells get the released source, with the marking notes that graders want to see; answers keep
    the student's. This stands in for nbgrader's DeduplicateIds, OverwriteKernelspec and OverwriteCells,
    which leave alone what students do to tags, roles and schema versions, and stop at some missing cells.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        names = resources["nbgrader"]
        coursedir = self.parent.parent.coursedir
        source = source_notebook(Course(Path(coursedir.root)), names["assignment"], names["notebook"])
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            recorded = gradebook.find_notebook(names["notebook"], names["assignment"])
            released, marking = self._released(recorded, source)
        chosen = choose(nb.cells, released, source.cells)
        notes = []

        for cell in nb.cells:
            cell.metadata.pop("nbgrader", None)
        previous = None
        for name, original in released.items():
            cell = chosen.get(name)
            if cell is None:
                notes.append(f"The cell {name} was missing. It was put back as it was released.")
                cell = nbformat.from_dict(original)
                nb.cells.insert(_index(nb.cells, previous) + 1, cell)
            elif _restore(cell, original):
                notes.append(f"The cell {name} must not be changed. It was put back as it was released.")
            if original.metadata.nbgrader.locked:
                cell.source = marking[name]
            previous = cell

        nb.metadata = nbformat.from_dict(source.metadata)
        if notes:
            nb.cells.insert(0, note(notes))
        ours = {cell.source for cell in [*released.values(), *source.cells]}
        resources["handgrad_released"] = ours.union(marking.values())
        return nb, resources

    def _released(
        self, notebook: Notebook, source: NotebookNode
    ) -> tuple[dict[str, NotebookNode], dict[str, str]]:
        """The cells that the gradebook knows, by grade_id, in the notebook's order, as they were released.

        Beside them, their sources with the marking notes, which students do not get.
        """
        points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
        solutions = {cell.name for cell in notebook.solution_cells}
        tasks = {cell.name for cell in notebook.task_cells}
        ids = {
            c.metadata.nbgrader.grade_id: c.id
            for c in source.cells
            if "grade_id" in c.metadata.get("nbgrader", {})
        }
        order = {name: position for position, name in enumerate(ids)}
        hidden, notes = ClearHiddenTests(parent=self), ClearMarkScheme(parent=self)
        released, marking = {}, {}
        for stored in sorted(notebook.source_cells, key=lambda cell: order.get(cell.name, len(order))):
            name = stored.name
            mark = {
                "grade": name in points and name not in tasks,
                "grade_id": name,
                "locked": stored.locked,
                "schema_version": 3,
                "solution": name in solutions,
                "task": name in tasks,
                "cell_type": stored.cell_type,
            }
            if name in points:
                mark["points"] = points[name]
            cell = {
                "cell_type": stored.cell_type,
                "id": ids.get(name, name[:64]),
                "metadata": {"deletable": False, "nbgrader": mark},
                "source": stored.source,
            }
            if stored.locked:
                cell["metadata"]["editable"] = False
            if stored.cell_type == "code":
                cell |= {"execution_count": None, "outputs": []}
            cell = nbformat.from_dict(cell)
            if mark["grade"] and stored.locked:
                cell, _ = hidden.preprocess_cell(cell, {}, 0)
            marking[name] = cell.source
            cell, _ = notes.preprocess_cell(cell, {}, 0)
            cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
            released[name] = cell
        return released, marking


class HideMarkScheme(ClearMarkScheme):
    """Take the marking notes out of feedback: they are for graders, and the questions come again."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        return super().preprocess_cell(cell, resources, index) if is_locked(cell) else (cell, resources)


def _restore(cell: NotebookNode, original: NotebookNode) -> bool:
    """Give a student's cell the released role, and the released source if it is locked; was that changed?"""
    changed = False
    if original.metadata.nbgrader.locked:
        changed = cell.source.strip() != original.source.strip() or cell.cell_type != original.cell_type
        cell.source = original.source
    if original.cell_type == "code":
        cell.setdefault("outputs", [])
        cell.setdefault("execution_count", None)
        cell.pop("attachments", None)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    cell.cell_type = original.cell_type
    cell.metadata = nbformat.from_dict(original.metadata)
    return changed


def _index(cells: list[NotebookNode], wanted: NotebookNode | None) -> int:
    """Where a very cell is, and -1 for none; equal cells elsewhere do not count."""
    return next((i for i, cell in enumerate(cells) if cell is wanted), -1)
