"""The proof of a release: nothing leaks, nothing is free, everything can be earned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder import regions
from autograder.course import Assignment, CourseError
from autograder.report import Question, Report
from autograder.student_folder import package_files, released_files

SHORTEST_SECRET = 12  # characters; shorter lines ("else:", "return dx") are anybody's

_BEGIN = ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS", "BEGIN MARK SCHEME")
_END = ("END SOLUTION", "END HIDDEN TESTS", "END MARK SCHEME")


@dataclass(frozen=True)
class Proof:
    """How many lines of solutions were looked for, and the points of the untouched and the solved folder."""

    secrets: int
    untouched_points: float
    solved_points: float
    max_points: float


def nothing_leaks(assignment: Assignment, release: Path) -> int:
    """Search every file of a release for lines that the source has only in solutions and hidden tests.

    Returns:
        the number of lines that were looked for.
    Raises:
        CourseError: a file of the release has such a line, a marker, or is a student's to make.
    """
    secrets = _secrets(assignment)
    for path in released_files(release):
        name = path.relative_to(release).as_posix()
        if name in assignment.saved:
            raise CourseError(
                f"The release holds {name}, which students make themselves. Delete it from the source."
            )
        text = "\n".join(_texts(path))
        if marker := next((m for m in (*_BEGIN, *_END) if m in text), None):
            raise CourseError(
                f"The release shows a solution or hidden test: {name} has the marker `{marker}`."
            )
        text = _squeeze(text)
        if leak := next((secret for secret in secrets if secret in text), None):
            raise CourseError(
                f"The release shows a solution or hidden test: {name} has `{leak}`, which the source has "
                f"only between markers ({secrets[leak]})."
            )
    return len(secrets)


def nothing_is_free(report: Report) -> float:
    """The automatic points of the untouched release: 0, or a CourseError names the questions."""
    if gifts := [f"{q.grade_id} ({q.points:g})" for q in _automatic(report) if q.points]:
        raise CourseError(f"The untouched release earns points, and it must not: {', '.join(gifts)}.")
    return report.auto_points


def everything_can_be_earned(report: Report) -> float:
    """The automatic points of the solved release: all, or a CourseError names a question."""
    for question in _automatic(report):
        if question.points != question.max_points:
            raise CourseError(
                f"The reference solution earns {question.points or 0:g} of {question.max_points:g} points on "
                f"{question.grade_id}: {_why(question)}"
            )
    return report.auto_points


def _automatic(report: Report) -> list[Question]:
    """The questions that checks grade; none where every cell is for a person, which a release says."""
    if not report.questions:
        raise CourseError(f"{report.assignment} has no graded cell, so there is nothing to prove.")
    return [question for question in report.questions if question.kind == "auto"]


def _why(question: Question) -> str:
    failed = [comparison.message for comparison in question.comparisons if not comparison.passed]
    return " ".join(failed) or question.explanation or question.status


def _secrets(assignment: Assignment) -> dict[str, str]:
    """Lines that must not be in the release, and the file each comes from."""
    hidden: dict[str, str] = {}
    public: list[str] = []
    for path, content in package_files().items():
        text = content.decode("utf-8", "replace")
        inside: set[int] = set()
        for region in regions.solutions(text, path) if path.endswith(".py") else []:
            if region.assignment >= assignment.name:
                inside.update(range(region.start - 1, region.end))
        for number, line in enumerate(text.split("\n")):
            if number not in inside:
                public.append(line)
            else:
                hidden.setdefault(_squeeze(line), path)
    for name, path in assignment.notebooks.items():
        for cell in nbformat.read(path, as_version=4).cells:
            for line, is_hidden in _cell_lines(cell):
                if not is_hidden:
                    public.append(line)
                else:
                    hidden.setdefault(_squeeze(line), f"{name}.ipynb")
    known = "\n".join(_squeeze(line) for line in public)
    return {
        line: path
        for line, path in hidden.items()
        if len(line) >= SHORTEST_SECRET and line not in known and not any(m in line for m in (*_BEGIN, *_END))
    }


def _cell_lines(cell: nbformat.NotebookNode) -> Iterator[tuple[str, bool]]:
    """Lines of a source cell, each with whether students must not see it.

    As in nbgrader, a solution cell without a solution region is a solution from end to end.
    """
    lines = cell.source.split("\n")
    whole = cell.metadata.get("nbgrader", {}).get("solution", False) and "BEGIN SOLUTION" not in cell.source
    inside = False
    for line in lines:
        begins, ends = any(m in line for m in _BEGIN), any(m in line for m in _END)
        inside = (inside or begins) and not ends
        yield line, whole or inside or begins or ends


def _texts(path: Path) -> Iterator[str]:
    """All text in a file: of a notebook, every string, so that JSON's escapes hide nothing."""
    text = path.read_bytes().decode("utf-8", "replace")
    yield text
    if path.suffix == ".ipynb":
        todo = [json.loads(text)]
        while todo:
            value = todo.pop()
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                if all(isinstance(item, str) for item in value):
                    yield "".join(value)
                else:
                    todo.extend(value)
            elif isinstance(value, dict):
                todo.extend([*value.keys(), *value.values()])


def _squeeze(text: str) -> str:
    """Any run of white space becomes one blank."""
    return " ".join(text.split())
