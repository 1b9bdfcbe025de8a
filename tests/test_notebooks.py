"""The source notebooks: one canonical form, sound grade cells, points, figures, links and spelling.

tests/notebooks/ runs them.
"""

import json
import re
import runpy
import subprocess
import sys

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from autograder.course import REPOSITORY, Course

COURSE = Course(REPOSITORY / "assignments")
ASSIGNMENTS = ("a1", "a2", "a3")
NOTEBOOKS = sorted(COURSE.source.glob("*/*.ipynb"))
CHECKED = "nbval-check-output"  # the tag of a cell whose output is stored here and compared when it runs


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def mark_of(cell):
    return cell.metadata.get("nbgrader", {})


def test_the_course_has_its_twelve_notebooks():
    assert [f"{path.parent.name}/{path.stem}" for path in NOTEBOOKS] == [
        "a1/1_written_gradients",
        "a1/2_neural_net",
        "a1/3_two_layer_net",
        "a1/4_features",
        "a2/1_convolution_arithmetic",
        "a2/2_fully_connected_nets",
        "a2/3_batch_normalization",
        "a2/4_dropout",
        "a2/5_convolutional_networks",
        "a2/6_pytorch",
        "a3/1_modules",
        "a3/2_classification",
    ]


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_an_assignment_is_worth_100_points(name):
    assert sum(cell.points for cell in COURSE.assignment(name).grade_cells) == 100


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_grade_ids_are_unique_in_an_assignment(name):
    cells = [cell for path in NOTEBOOKS if path.parent.name == name for cell in nbformat.read(path, 4).cells]
    ids = [mark_of(cell)["grade_id"] for cell in cells if mark_of(cell)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_manifest_names_what_the_notebooks_save(name):
    assignment = COURSE.assignment(name)
    assert set(assignment.manifest.saved) <= set(assignment.notebooks)
    for notebook, path in assignment.notebooks.items():
        source = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
        written = set(re.findall(r"\bbest_\w+\.(?:npz|safetensors)\b", source))
        assert written == set(assignment.manifest.saved.get(notebook, []))


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_goals_in_the_notebooks_are_the_scales_of_the_manifest(name):
    """The cell of each accuracy check has the goals of the manifest, and so has the prose."""
    assignment = COURSE.assignment(name)
    cells = {cell.id: cell for path in assignment.notebooks.values() for cell in nbformat.read(path, 4).cells}
    prose = "\n".join(cell.source for cell in cells.values() if cell.cell_type == "markdown")
    assert assignment.manifest.accuracy
    for grade_id, scales in assignment.manifest.accuracy.items():
        goals = dict(re.findall(r'"(cifar10|shapes10)": (0\.\d+)', cells[grade_id.replace("_", "-")].source))
        assert {data: float(goal) for data, goal in goals.items()} == {d: s.full for d, s in scales.items()}
        for scale in scales.values():
            assert scale.zero < scale.full
            assert f"{round(100 * scale.full)} %" in prose, grade_id


def test_set_up_is_the_same_everywhere(notebook, path):
    """One cell to mend when Colab changes; only the folder's name differs."""
    cells = {cell.id: cell for cell in notebook.cells}
    model = {cell.id: cell for cell in nbformat.read(COURSE.source / "a1" / "3_two_layer_net.ipynb", 4).cells}
    assert [cell.id for cell in notebook.cells[:3]] == ["title", "setup-about", "setup"]
    expected = model["setup"].source.replace('FOLDER = "a1"', f'FOLDER = "{path.parent.name}"')
    assert cells["setup"].source == expected


def test_file_is_canonical_json(path):
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_tool_brings_an_edited_notebook_back(path):
    canonical = runpy.run_path(str(REPOSITORY / "tools" / "canonical_notebooks.py"))["canonical"]
    original = json.loads(path.read_text(encoding="utf-8"))
    edited = json.loads(path.read_text(encoding="utf-8"))
    edited["metadata"]["widgets"] = {}
    for cell in edited["cells"]:
        cell["metadata"] |= {"collapsed": True, "tags": [*cell["metadata"].get("tags", []), "mine"]}
        cell["source"] = "".join(cell["source"]) + "  \n"
        if cell["cell_type"] == "code":
            cell["execution_count"] = 7
            half = len(text := "".join(o for output in cell["outputs"] for o in output["text"])) // 2
            parts = [text[:half], text[half:]]
            cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": part} for part in parts]
    assert canonical(edited) == original


def test_notebook_holds_source_and_nothing_else(notebook):
    nbformat.validate(notebook)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"nbgrader", "tags"}, cell.id
        assert cell.metadata.get("tags", [CHECKED]) == [CHECKED], cell.id
        assert cell.source.strip(), cell.id
        assert cell.source == "\n".join(line.rstrip() for line in cell.source.split("\n")), cell.id
        if cell.cell_type == "code":
            kinds = [output.output_type for output in cell.outputs]
            assert kinds == (["stream"] if "tags" in cell.metadata else []), cell.id
            assert cell.execution_count == (1 if "tags" in cell.metadata else None), cell.id


def test_some_outputs_are_stored_and_compared(notebook):
    assert sum("tags" in cell.metadata for cell in notebook.cells) >= 1


def test_cell_ids_are_unique_names(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z][a-z0-9-]{2,40}", cell.id), cell.id
        if mark_of(cell):
            assert cell.id == mark_of(cell)["grade_id"].replace("_", "-")


def test_nbgrader_accepts_the_metadata(notebook):
    MetadataValidator().validate_nb(notebook)
    for cell in notebook.cells:
        if mark := mark_of(cell):
            assert mark["schema_version"] == 3
            expected = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}
            assert set(mark) == expected | ({"points"} if mark["grade"] else set())


def test_automatic_cells_show_asserts_and_hide_nothing_helpful(notebook):
    for cell in notebook.cells:
        mark = mark_of(cell)
        if mark.get("grade") and not mark["solution"]:
            assert cell.cell_type == "code"
            assert mark["locked"]
            visible, _, hidden = cell.source.partition("### BEGIN HIDDEN TESTS\n")
            assert re.search(r"\bassert(_close|_gradient)?\b", visible), cell.id
            lines = hidden.splitlines()
            assert len(lines) == 2, cell.id
            assert lines[0].startswith("# "), cell.id
            assert lines[1] == "### END HIDDEN TESTS", cell.id


def test_written_answers_have_a_marking_scheme_just_above(notebook):
    for above, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        mark = mark_of(cell)
        if mark.get("grade") and mark["solution"]:
            assert cell.cell_type == "markdown"
            assert not mark["locked"]
            assert mark_of(above)["locked"], above.id
            assert "=== BEGIN MARK SCHEME ===" in above.source
            assert "=== END MARK SCHEME ===" in above.source


def test_solution_cells_keep_a_scaffold_outside_their_region(notebook):
    for cell in notebook.cells:
        mark = mark_of(cell)
        if cell.cell_type == "code" and mark.get("solution"):
            before, _, rest = cell.source.partition("### BEGIN SOLUTION\n")
            assert "### END SOLUTION" in rest, cell.id
            assert re.search(r"^(\w+ = |def |class )", before, re.MULTILINE), cell.id
        elif cell.cell_type == "code":
            assert "SOLUTION" not in cell.source, cell.id


def test_table_of_points_agrees_with_the_grade_cells(notebook):
    """The first cell's table, the headings above the grade cells and the cells themselves say the same."""
    table = re.findall(r"^\|(.*)\|$", notebook.cells[0].source, re.MULTILINE)
    rows = [[column.strip(" *") for column in row.split("|")] for row in table[2:]]
    graded = [cell for cell in notebook.cells if mark_of(cell).get("grade")]
    points = [mark_of(cell)["points"] for cell in graded]
    assert [int(row[-1]) for row in rows[:-1]] == points
    assert int(rows[-1][-1]) == sum(points)

    headings = []
    for cell in notebook.cells:
        headings += re.findall(r"^## .*\((\d+) points?\)$", cell.source, re.MULTILINE)
    assert [int(number) for number in headings] == points


def test_local_links_resolve_in_the_student_folder(notebook, path):
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([^)]+)\)", cell.source) if cell.cell_type == "markdown" else []:
            if not target.startswith(("http://", "https://", "#", "attachment:")):
                places = [path.parent / target, REPOSITORY / target]  # students have handgrad/ beside it
                assert any(place.exists() for place in places), f"{cell.id}: {target}"


def test_code_that_the_prose_names_exists(notebook):
    for cell in notebook.cells:
        for name in re.findall(r"`((?:handgrad|datasets)/[\w/]+\.py)", cell.source):
            assert (REPOSITORY / name).is_file(), f"{cell.id}: {name}"


def test_figures_have_titles_labels_and_a_sentence(notebook):
    whole = {"plot_history"}  # label their own axes
    for cell, below in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell.cell_type == "code" and "plt.show()" in cell.source:
            assert "title" in cell.source, cell.id
            if not any(f"{name}(" in cell.source for name in whole):
                assert "xlabel" in cell.source, cell.id
                assert "ylabel" in cell.source, cell.id
            assert "What to see" in below.source, cell.id


def test_table_of_the_course_names_cells_that_exist():
    """assignments/README.md has rows for every notebook, and each of its automatic grade cells is in one."""
    text = (REPOSITORY / "assignments" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(a\d/\w+)\]\(source/(\S+)\.ipynb\) \|.*\| (`.*`) \|$", text, re.MULTILINE)
    assert all(name == link for name, link, _ in rows)
    for path in NOTEBOOKS:
        name = f"{path.parent.name}/{path.stem}"
        named = {cell for row, _, cells in rows if row == name for cell in re.findall(r"`(.+?)`", cells)}
        cells = nbformat.read(path, 4).cells
        assert named <= {cell.id for cell in cells}, name
        assert named >= {cell.id for cell in cells if mark_of(cell).get("grade")}, name


def test_prose_promises_no_place(notebook):
    for cell in notebook.cells:
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", cell.source), cell.id
        assert not re.search(r"(?<!/content/drive)/(home|root|tmp|work|Users)/", cell.source), cell.id


def test_words_are_spelt_right(notebook, tmp_path):
    text = "\n".join(cell.source for cell in notebook.cells)
    (tmp_path / "cells.txt").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", "-L", "dout,nd", str(tmp_path / "cells.txt")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr
