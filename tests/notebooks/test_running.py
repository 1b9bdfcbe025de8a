"""Every notebook runs: as instructors have it, as students get it, and as students hand it in.

Fast mode throughout, two at a time. Students' notebooks run in an environment with what students install, and
nothing else.
"""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from autograder.course import REPOSITORY, Course, CourseError
from autograder.solved import execute, solved_tree
from autograder.student_folder import build

COURSE = Course(REPOSITORY / "assignments")
SOURCE = COURSE.source
TORCH = importlib.util.find_spec("torch") is not None
# Without PyTorch there is no assignment that needs it.
ASSIGNMENTS = [a for a in ("a1", "a2", "a3") if TORCH or "torch" not in COURSE.assignment(a).manifest.extras]
NOTEBOOKS = [f"{name}/{stem}" for name in ASSIGNMENTS for stem in COURSE.assignment(name).notebooks]
FAST = {"HANDGRAD_FAST_NOTEBOOKS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


def cells_of(path):
    return nbformat.read(path, as_version=4).cells


def text_of(cell, name="stdout"):
    return "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream" and o.name == name)


def copy_package(folder):
    ignore = shutil.ignore_patterns("__pycache__", "*.c", "build")
    shutil.copytree(REPOSITORY / "handgrad", folder / "handgrad", ignore=ignore)


def environment(**more):
    """Without this machine's settings and data."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HANDGRAD_")}
    return {**clean, **FAST, "HANDGRAD_DATA": "no-datasets", **more}


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A course with all assignments, not released."""
    made = Course(tmp_path_factory.mktemp("whole") / "course")
    made_by_trials = shutil.ignore_patterns("*.npz", "*.safetensors", ".ipynb_checkpoints")
    shutil.copytree(SOURCE, made.source, ignore=made_by_trials)
    shutil.copy(REPOSITORY / "assignments" / "nbgrader_config.py", made.root)
    return made


@pytest.fixture(scope="session")
def released(course):
    """The folders that students get, by assignment."""
    folders = {}
    for name in ASSIGNMENTS:
        folders[name] = course.release(name)
        build(course.assignment(name), folders[name])
    return folders


@pytest.fixture(scope="session")
def student_python(released, tmp_path_factory):
    """A virtual environment with the requirements.txt of all assignments in it."""
    folder = tmp_path_factory.mktemp("student") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    files = [part for name in ASSIGNMENTS for part in ("-r", released[name] / "requirements.txt")]
    subprocess.run([*install, *files], check=True)
    absent = "import importlib.util as u; assert not u.find_spec('handgrad') and not u.find_spec('nbgrader')"
    subprocess.run([python, "-c", absent], check=True, cwd=folder)
    return python


# As instructors have it


@pytest.fixture(scope="session")
def checked(tmp_path_factory):
    """The outcome of nbval for each source notebook, by name: a future with a finished process."""
    folder = tmp_path_factory.mktemp("nbval")
    pool = ThreadPoolExecutor(max_workers=2)

    def check(name):
        place = folder / name
        copy_package(place)
        notebook = shutil.copy(SOURCE / f"{name}.ipynb", place)
        options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "-q", *options, "--rootdir", place, "-c", os.devnull]
        env = environment(PYTHONPATH=str(place), IPYTHONDIR=str(place / ".ipython"))
        return subprocess.run([*command, notebook], cwd=place, env=env, capture_output=True, text=True)

    outcomes: dict[str, Future] = {name: pool.submit(check, name) for name in NOTEBOOKS}
    yield outcomes
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_source_runs_and_its_stored_outputs_are_right(name, checked):
    done = checked[name].result()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


# As students get it, and as they hand it in


@pytest.fixture(scope="session")
def solved(course, student_python, tmp_path_factory):
    """The folders that a student hands in who solved everything, by assignment."""
    folders = {}
    for name in ASSIGNMENTS:
        folders[name] = tmp_path_factory.mktemp("solved") / name
        solved_tree(course.assignment(name), folders[name], python=student_python)
    return folders


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_released_notebook_can_be_solved(name, solved, course):
    """With the reference modules and the model answers every cell runs, and nothing is on stderr."""
    assignment, _, stem = name.partition("/")
    for cell in cells_of(solved[assignment] / f"{stem}.ipynb"):
        assert text_of(cell, "stderr") == "", cell.id
        mark = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and mark.get("grade"):
            assert text_of(cell), f"{cell.id} says nothing"
        if cell.cell_type == "code" and "plt.show()" in cell.source:
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.id
    for file in course.assignment(assignment).manifest.saved.get(stem, []):
        assert (solved[assignment] / file).stat().st_size > 1000


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_released_notebook_runs_to_the_first_exercise(name, released, student_python, tmp_path):
    assignment, _, stem = name.partition("/")
    folder = shutil.copytree(released[assignment], tmp_path / assignment)
    with pytest.raises(CourseError, match=r"raised NotImplementedError"):
        asyncio.run(execute(folder / f"{stem}.ipynb", student_python))


# The set-up cell, which is the same in all notebooks


class Kernel:
    """A notebook's kernel in a student's folder, in which cells are run one by one."""

    def __init__(self, folder, **more):
        notebook = nbformat.v4.new_notebook()
        self.client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
        ours = {"IPYTHONDIR": str(folder / ".ipython"), "PYTHONPATH": str(folder)}
        self.environment = environment(**{**ours, **more})

    def run(self, cells):
        """Run the cells; returns them with their outputs."""
        self.client.nb.cells = [nbformat.from_dict(cell) for cell in cells]
        with self.client.setup_kernel(env=self.environment):
            for index, cell in enumerate(self.client.nb.cells):
                self.client.execute_cell(cell, index)
        return self.client.nb.cells


@pytest.fixture
def student_folder(tmp_path):
    """A folder with `handgrad` in it, as students have it."""
    copy_package(tmp_path / "a1")
    return tmp_path / "a1"


def setup_cell():
    return next(cell for cell in cells_of(SOURCE / "a1" / "3_two_layer_net.ipynb") if cell.id == "setup")


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
