"""Grading a class: once each, in the gradebook, whatever dies on the way."""

import fcntl
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cloudpickle
import nbformat
import pytest
from rich.console import Console

from autograder import run
from autograder.course import REPOSITORY, Course, CourseError
from autograder.demo.show import course_of_one_notebook
from autograder.release import release
from autograder.report import Report
from autograder.run import grade_class
from autograder.scores import read_scores
from autograder.student_folder import solve_modules
from autograder.verify import verify
from autograder.worker import grade_parcel, pack, unpack

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this module

# nbgrader and Jupyter warn about their own future.
WARNINGS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
pytestmark = [WARNINGS, pytest.mark.usefixtures("needs_sandbox")]


def _kept(mark: dict) -> bool:
    return not mark.get("grade") or mark["grade_id"] in (
        "affine_forward",
        "relu_forward",
        "inline_question_1",
    )


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A course with a small a1 released and two submissions: ada's right, bob's untouched and zipped."""
    course = course_of_one_notebook(tmp_path_factory.mktemp("course"))
    root = course.root
    path = root / "source" / "a1" / "3_two_layer_net.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if _kept(cell.metadata.get("nbgrader", {}))]
    nbformat.write(notebook, path)
    release(course, "a1", prove=False)
    inbox = root / "inbox"
    shutil.copytree(course.release("a1"), inbox / "ada")
    solve_modules(course.assignment("a1"), inbox / "ada")
    shutil.copytree(course.release("a1"), inbox / "bob")
    (inbox / "bob" / "3_two_layer_net.ipynb").write_text("not a notebook")
    with zipfile.ZipFile(inbox / "bob.zip", "w") as archive:
        for path in (inbox / "bob").rglob("*"):
            archive.write(path, path.relative_to(inbox))
    shutil.rmtree(inbox / "bob")
    return root


@pytest.fixture
def course(released, tmp_path):
    """A copy of the released course, nobody graded."""
    shutil.copytree(released, tmp_path / "course")
    return Course.find(tmp_path / "course")


def _without_times(path: Path) -> str:
    return Report.read(path).model_copy(update={"times": None}).model_dump_json(exclude={"times"})


def test_a_class_is_graded_once_and_fills_the_gradebook(course):
    console = Console(file=io.StringIO(), width=100)
    result = grade_class(course, "a1", course.root / "inbox", jobs=2, console=console)
    assert (sorted(result.graded), result.failures) == (["ada", "bob"], {})
    reports = {r.student: r for r in result.reports}
    assert reports["bob"].auto_points == 0
    assert reports["ada"].auto_points == reports["ada"].max_auto_points == 4
    assert any("not JSON" in note for note in reports["bob"].notes)
    assert "[2/2]" in console.file.getvalue()
    sheets = read_scores(course, "a1")
    assert {name: sheet.points for name, sheet in sheets.items()} == {
        n: r.auto_points for n, r in reports.items()
    }

    before = {name: course.report("a1", name).read_bytes() for name in reports}
    again = grade_class(course, "a1", course.root / "inbox", jobs=2)
    assert again.graded == []
    assert {r.student for r in again.reports} == {"ada", "bob"}
    assert {name: course.report("a1", name).read_bytes() for name in reports} == before


def test_a_killed_run_goes_on_where_it_stopped(course):
    command = [
        sys.executable,
        "-m",
        "autograder.cli",
        "grade",
        "a1",
        "--jobs",
        "1",
        "--course",
        str(course.root),
    ]
    first = subprocess.Popen(
        [*command, "--submitted", str(course.root / "inbox")],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list((course.root / "reports").rglob("*.json")):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    [finished] = (course.root / "reports" / "a1").glob("*.json")
    kept = finished.read_bytes()

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "1 graded now, 1 before" in done.stdout
    assert finished.read_bytes() == kept
    for name, sheet in read_scores(course, "a1").items():
        assert sheet.points == Report.read(course.report("a1", name)).auto_points


def _deadly(course, name, submission, student, seed, isolation):
    """A worker that bob's submission kills each time and dan's once, and that stumbles over eve's."""
    log = Path(os.environ["LOG_OF_WORKERS"])
    with log.open("a") as file:
        file.write(f"{student}\n")
    if student == "bob" or (student == "dan" and log.read_text().split().count("dan") == 1):
        time.sleep(1)  # until the next one waits on this worker
        os.kill(os.getpid(), signal.SIGKILL)
    if student == "eve":
        raise OSError("no space left on device")
    return grade_parcel(course, name, submission, student, seed, isolation)


def test_a_worker_that_dies_costs_the_submission_that_kills_it_again_when_alone_and_no_other(
    course, monkeypatch, tmp_path
):
    inbox, log = course.root / "inbox", tmp_path / "log"
    for student in ("cyd", "dan", "eve"):
        shutil.copytree(inbox / "ada", inbox / student)
    with monkeypatch.context() as patched:
        patched.setattr(run, "grade_parcel", _deadly)
        patched.setenv("LOG_OF_WORKERS", str(log))
        result = grade_class(course, "a1", inbox, jobs=1)
    assert sorted(result.graded) == ["ada", "cyd", "dan"]
    assert [Report.read(course.report("a1", name)).auto_points for name in result.graded] == [4, 4, 4]
    assert set(result.failures) == {"bob", "eve"}
    assert "no space left on device" in result.failures["eve"]
    assert "A person grades it" in result.failures["bob"]
    assert log.read_text().split().count("bob") == 2  # with others, and alone

    report = Report.read(course.report("a1", "bob"))
    assert {q.status for q in report.questions} == {"manual"}
    assert {q.points for q in report.questions} == {None}
    assert "and again when nothing else was" in report.notes[0]
    sheets = read_scores(course, "a1")
    assert sheets["bob"].pending == 2  # a grader's death is nobody's zero, but an empty answer is
    assert "eve" not in sheets
    assert not [d for d in verify(course.assignment("a1")).differences if "bob" in d]

    result = grade_class(course, "a1", jobs=1)
    assert (result.graded, result.failures) == (["eve"], {})  # nothing that is known to kill workers


def test_workers_of_another_scheduler_give_the_same_reports(course, tmp_path):
    from distributed import LocalCluster

    other = Course(tmp_path / "other")
    shutil.copytree(course.root, other.root)
    assert other.seed("a1") == course.seed("a1") or shutil.copyfile(
        course.private / "seed-a1", other.private / "seed-a1"
    )
    shutil.rmtree(other.root / "inbox" / "ada")
    shutil.rmtree(course.root / "inbox" / "ada")
    grade_class(course, "a1", course.root / "inbox", jobs=1)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        result = grade_class(other, "a1", other.root / "inbox", scheduler=cluster.scheduler_address)
    assert (result.graded, result.failures) == (["bob"], {})
    assert _without_times(course.report("a1", "bob")) == _without_times(other.report("a1", "bob"))


def test_only_one_run_at_a_time(course):
    with (course.private / "grading.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CourseError, match="Another run"):
            grade_class(course, "a1", jobs=1)


def test_no_scheduler_is_a_sentence(course):
    with pytest.raises(CourseError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        grade_class(course, "a1", course.root / "inbox", scheduler="tcp://127.0.0.1:9")


def test_nothing_to_grade_is_a_sentence(course):
    with pytest.raises(CourseError, match="--submitted"):
        grade_class(course, "a1")


def test_parcels_carry_plain_files_only(tmp_path):
    (tmp_path / "a" / "in").mkdir(parents=True)
    (tmp_path / "a" / "in" / "x.py").write_text("x = 1")
    (tmp_path / "a" / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "a" / "fifo")
    unpack(pack(tmp_path / "a"), tmp_path / "b")
    assert [p.relative_to(tmp_path / "b").as_posix() for p in (tmp_path / "b").rglob("*") if p.is_file()] == [
        "in/x.py"
    ]


def test_a_parcel_that_is_too_big_is_refused(tmp_path):
    with (tmp_path / "big").open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(CourseError, match="too much"):
        pack(tmp_path)
