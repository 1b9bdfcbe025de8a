"""The source notebooks: one canonical form, sound grade cells, and solutions that run from top to bottom."""

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbgrader.nbgraderformat import MetadataValidator

from handgrad import shapes10

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "assignments" / "source").glob("*/*.ipynb"))
A1_3 = REPOSITORY / "assignments" / "source" / "a1" / "3_two_layer_net.ipynb"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def mark_of(cell):
    return cell.metadata.get("nbgrader", {})


def test_there_are_notebooks():
    assert A1_3 in NOTEBOOKS


def test_file_is_canonical_json(path):
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_notebook_holds_source_and_nothing_else(notebook):
    nbformat.validate(notebook)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"nbgrader"}, cell.id
        assert cell.source.strip(), cell.id
        assert cell.source == "\n".join(line.rstrip() for line in cell.source.split("\n")), cell.id
        if cell.cell_type == "code":
            assert cell.outputs == [], cell.id
            assert cell.execution_count is None, cell.id


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
            assert re.search(r"^\w+ = ", before, re.MULTILINE), cell.id
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


def test_prose_promises_no_place(notebook):
    for cell in notebook.cells:
        assert not re.search(r"(?<!/content/drive)/(home|root|tmp|work|Users)/", cell.source), cell.id


# Running them


class Kernel:
    """A notebook's kernel in a student's folder, in which cells are run one by one."""

    def __init__(self, folder, **environment):
        self.folder = folder
        notebook = nbformat.v4.new_notebook()
        self.client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HANDGRAD_")}
        self.environment = {
            **clean,
            "HANDGRAD_FAST_NOTEBOOKS": "1",
            "HANDGRAD_DATA": str(folder / "no-datasets"),
            "IPYTHONDIR": str(folder / ".ipython"),
            "PYTHONPATH": str(folder),
            "OPENBLAS_NUM_THREADS": "1",  # tests share the machine, and waiting threads cost much
            **environment,
        }

    def run(self, cells):
        """Run the cells; returns them with their outputs."""
        self.client.nb.cells = [nbformat.from_dict(cell) for cell in cells]
        with self.client.setup_kernel(env=self.environment):
            for index, cell in enumerate(self.client.nb.cells):
                self.client.execute_cell(cell, index)
        return self.client.nb.cells


def text_of(cell, name="stdout"):
    return "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream" and o.name == name)


@pytest.fixture
def student_folder(tmp_path):
    """An empty folder with `handgrad` in it, as students have it."""
    folder = tmp_path / "a1"
    ignore = shutil.ignore_patterns("__pycache__", "*.c", "build")
    shutil.copytree(REPOSITORY / "handgrad", folder / "handgrad", ignore=ignore)
    return folder


def test_solution_runs_from_top_to_bottom(student_folder):
    """No error, nothing on stderr, and a saved network that earns full points with room to spare."""
    cells = Kernel(student_folder).run(nbformat.read(A1_3, as_version=4).cells)
    for cell in cells:
        assert text_of(cell, "stderr") == "", cell.id
        mark = mark_of(cell)
        if (
            cell.cell_type == "code"
            and mark.get("grade")
            and mark["grade_id"]
            not in (
                "two_layer_net_training",
                "best_model",
            )
        ):
            assert "passed" in text_of(cell), cell.id
    setup = next(cell for cell in cells if cell.id == "setup")
    assert str(student_folder / "handgrad") in text_of(setup)
    assert sum("image/png" in o.get("data", {}) for cell in cells for o in cell.get("outputs", [])) == 6

    with np.load(student_folder / "best_two_layer_net.npz") as file:
        saved = dict(file)
    assert set(saved) == {"W1", "b1", "W2", "b2", "mean_image", "dataset"}
    assert str(saved["dataset"]) == "shapes10"
    assert saved["mean_image"].shape == (3, 32, 32)
    images, labels = shapes10.generate(4000, seed=20_000)
    X = (images.transpose(0, 3, 1, 2) - saved["mean_image"]).reshape(len(images), -1)
    scores = np.maximum(X @ saved["W1"] + saved["b1"], 0) @ saved["W2"] + saved["b2"]
    accuracy = np.mean(scores.argmax(axis=1) == labels)
    scale = tomllib.loads((A1_3.parent / "manifest.toml").read_text())["accuracy"]["best_model"]["shapes10"]
    sampling_noise = np.sqrt(accuracy * (1 - accuracy) / 1000)  # of a hidden test set of 1000 images
    assert accuracy > scale["full"] + 3 * sampling_noise
    assert scale["zero"] > 0.1 + 3 * np.sqrt(0.1 * 0.9 / 1000)


def test_goal_in_the_notebook_is_the_scale_of_the_manifest():
    scale = tomllib.loads((A1_3.parent / "manifest.toml").read_text())["accuracy"]["best_model"]
    source = {cell.id: cell.source for cell in nbformat.read(A1_3, as_version=4).cells}
    goals = dict(re.findall(r'"(\w+)": (0\.\d+)', source["best-model"]))
    assert {name: float(goal) for name, goal in goals.items()} == {n: s["full"] for n, s in scale.items()}
    for goal in goals.values():
        assert f"{round(float(goal) * 100)} %" in source["search-about"]


def setup_cell():
    return next(cell for cell in nbformat.read(A1_3, as_version=4).cells if cell.id == "setup")


@pytest.fixture
def colab(tmp_path):
    """A stand-in for google.colab whose Drive is a folder of ours; returns the set-up cell that uses it."""
    package = tmp_path / "site" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "drive.py").write_text("def mount(path):\n    print('mounted', path)\n")
    cell = setup_cell()
    cell.source = cell.source.replace("/content", str(tmp_path / "content"))
    return cell


def test_setup_on_colab_moves_into_the_drive_folder(colab, student_folder, tmp_path):
    drive = tmp_path / "content" / "drive" / "MyDrive"
    drive.mkdir(parents=True)
    student_folder = student_folder.rename(drive / "a1")
    where = nbformat.v4.new_code_cell("print(os.getcwd())")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    first, second = Kernel(elsewhere, PYTHONPATH=str(tmp_path / "site")).run([colab, where])
    assert f"mounted {tmp_path / 'content' / 'drive'}" in text_of(first)
    assert "on Colab" in text_of(first)
    assert f"your modules: {student_folder / 'handgrad'}" in text_of(first)
    assert text_of(second).strip() == str(student_folder)


def test_setup_on_colab_says_that_folder_is_wrong(colab, tmp_path):
    with pytest.raises(CellExecutionError, match="MyDrive/a1 has no folder handgrad: set FOLDER at the top"):
        Kernel(tmp_path, PYTHONPATH=str(tmp_path / "site")).run([colab])


def test_saved_module_is_reloaded(student_folder):
    """An edited .py file works in the next cell, also for functions that were imported before."""
    module = student_folder / "handgrad" / "layers" / "activations.py"
    call = "print('got', relu_forward(np.array([-1.0, 2.0]))[0])"
    edit = f"""
from pathlib import Path
path = Path({str(module)!r})
path.write_text(path.read_text().replace("np.maximum(x, 0)", "np.maximum(x, 7)"))
os.utime(path, (2_000_000_000, 2_000_000_000))
"""
    sources = ["from handgrad.layers import relu_forward\n" + call, edit, call]
    cells = [setup_cell(), *(nbformat.v4.new_code_cell(source) for source in sources)]
    _, before, _, after = Kernel(student_folder).run(cells)
    assert text_of(before).strip() == "got [0. 2.]"
    assert text_of(after).strip() == "got [7. 7.]"
