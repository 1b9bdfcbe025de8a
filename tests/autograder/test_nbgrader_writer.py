"""The writer: once is enough, a kill does no harm, a locked gradebook waits, one bad student stops nobody."""

import os
import shutil
import signal
import sqlite3
import threading
import time

import pytest
import tiny_course as tiny
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.nbgrader import writer
from autograder.nbgrader.writer import GradebookTrouble, WriterError, write


@pytest.fixture
def course(tiny_release, tmp_path):
    """A course in which ann's report waits to be written."""
    course = Course(shutil.copytree(tiny_release.root, tmp_path / "course"))
    tiny.submit(course, "ann")
    tiny.grade(course, "ann")
    return course


def notebook(course):
    return course.root / "autograded" / "ann" / "a1" / f"{tiny.NOTEBOOK}.ipynb"


def test_a_report_is_written_once(course):
    assert write(course, "a1", "ann")
    before = notebook(course).stat().st_mtime_ns
    assert not write(course, "a1", "ann")
    assert notebook(course).stat().st_mtime_ns == before
    assert write(course, "a1", "ann", force=True)


def test_a_new_report_replaces_the_old_one(course):
    write(course, "a1", "ann")
    (course.submitted("a1", "ann") / "handgrad" / "layers" / "affine.py").write_text("# better\n")
    tiny.grade(course, "ann", {"affine_forward": 3.0, "relu_forward": 0.0})
    assert write(course, "a1", "ann")
    assert tiny.scores(course, "ann")["affine_forward"]["score"] == 3.0
    assert (
        "3 of 3 points"
        in tiny.cell(tiny.graded(course, "ann"), "affine_forward").outputs[0].data["text/plain"]
    )


@pytest.mark.parametrize("lost", ["notebook", "submission", "score", "marker"])
def test_what_got_lost_is_written_again(course, lost):
    write(course, "a1", "ann")
    if lost == "notebook":
        notebook(course).unlink()
    elif lost == "marker":
        course.report("a1", "ann").with_suffix(".written").unlink()
    else:
        with Gradebook(course.gradebook_url) as gradebook:
            if lost == "submission":
                gradebook.remove_submission("a1", "ann")
            else:
                gradebook.find_grade("affine_forward", tiny.NOTEBOOK, "a1", "ann").auto_score = 3.0
                gradebook.db.commit()
    assert write(course, "a1", "ann")
    assert tiny.scores(course, "ann")["affine_forward"]["score"] == 1.5
    assert notebook(course).is_file()


def write_until_killed(course, seconds):
    """Begin to write in another process and kill that after a while."""
    if (child := os.fork()) == 0:
        threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        write(course, "a1", "ann")
        time.sleep(60)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.2, 0.3, 0.5])
def test_killed_at_any_moment_the_next_run_completes(course, seconds):
    write_until_killed(course, seconds)
    write(course, "a1", "ann")
    assert not write(course, "a1", "ann")
    assert tiny.scores(course, "ann")["affine_forward"]["auto"] == 1.5
    assert (
        "1.5 of 3 points"
        in tiny.cell(tiny.graded(course, "ann"), "affine_forward").outputs[0].data["text/plain"]
    )
    with Gradebook(course.gradebook_url) as gradebook:
        assert len(gradebook.assignment_submissions("a1")) == 1


def lock(course):
    """Hold the gradebook as another program would."""
    connection = sqlite3.connect(course.root / "gradebook.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_a_locked_gradebook_is_waited_for(course):
    connection = lock(course)
    threading.Timer(7.0, connection.close).start()  # SQLite itself waits for five seconds
    start = time.monotonic()
    assert write(course, "a1", "ann")
    assert time.monotonic() - start > 6.5
    assert tiny.scores(course, "ann")["affine_forward"]["auto"] == 1.5


def test_a_gradebook_that_stays_locked_is_reported(course, monkeypatch):
    monkeypatch.setattr(writer, "ATTEMPTS", 1)
    connection = lock(course)
    try:
        with pytest.raises(
            GradebookTrouble, match=r"database is locked.* Close other programs.* reports are kept"
        ):
            write(course, "a1", "ann")
    finally:
        connection.close()
    assert write(course, "a1", "ann")


def test_a_student_who_cannot_be_converted_is_reported_and_the_next_one_is_not_hurt(course):
    os.mkfifo(course.submitted("a1", "ann") / "pipe")
    with pytest.raises(WriterError, match=r"a1 of ann: .*pipe.* is a named pipe"):
        write(course, "a1", "ann")
    tiny.submit(course, "bob")
    tiny.grade(course, "bob")
    assert write(course, "a1", "bob")


def test_the_courses_own_settings_count(course):
    database = course.root / "elsewhere.db"
    shutil.copy(course.root / "gradebook.db", database)
    config = course.root / "nbgrader_config.py"
    config.write_text(config.read_text() + f'get_config().CourseDirectory.db_url = "sqlite:///{database}"\n')
    assert write(course, "a1", "ann")
    with Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_submission("a1", "ann").score == 3.5
