"""One student's verdicts into the gradebook and the graded notebooks, through nbgrader's own converter."""

from __future__ import annotations

import copy
import logging
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbgrader import api
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder import durable
from autograder.course import Course, CourseError
from autograder.nbgrader.log import ErrorLog
from autograder.nbgrader.verdicts import earned
from autograder.report import Report

ATTEMPTS = 6  # a locked gradebook is tried for about a minute in all


class WriterError(CourseError):
    """One student's verdicts did not reach the gradebook; the message says why. The others' can."""


class GradebookTrouble(WriterError):
    """The gradebook, or the disk, takes nothing at the moment: nor will it take the others' verdicts."""


def write(
    course: Course,
    assignment: str,
    student: str,
    *,
    force: bool = False,
    attempts: int | None = None,
    on_wait: Callable[[str], None] = lambda text: None,
) -> bool:
    """Bring the gradebook and the graded notebooks of one student up to the report.

    It can be called any number of times and killed at any time: only what is complete is marked as written.

    Args:
        force: write although everything is there already.
        attempts: how often a locked gradebook is tried; None means for about a minute.
        on_wait: is told, in a sentence, that the gradebook is locked and waited for.
    Returns:
        False when everything was there already, unless `force` is set.
    Raises:
        WriterError: nbgrader could not convert this submission.
        GradebookTrouble: the gradebook stayed locked, or it or the disk cannot be written.
    """
    config = course_config(course)
    coursedir = CourseDirectory(config=config, log=logging.Logger("nbgrader"))
    if not force and _is_written(course, assignment, student, coursedir):
        return False
    marker, attempts = _marker(course, assignment, student), attempts or ATTEMPTS
    try:
        marker.unlink(missing_ok=True)
        for attempt in range(attempts):
            failure = _autograde(config, coursedir, assignment, student)
            if failure is None:
                break
            if _LOCKED not in failure or attempt == attempts - 1:
                raise _error(failure, assignment, student, coursedir)
            if attempt == 0:
                on_wait("Another program, such as an open formgrader, locks the gradebook: waiting for it.")
            time.sleep(random.uniform(0.5, 1.5) * 2**attempt)
        durable.sync_tree(_graded(coursedir, assignment, student))
        durable.write(marker, Report.read(course.report(assignment, student)).key.encode())
    except OSError as error:
        if trouble := durable.lasting_trouble(error):
            raise GradebookTrouble(f"the graded notebooks cannot be written. {trouble}.") from None
        raise WriterError(f"{assignment} of {student} could not be written: {error}.") from None
    return True


_LOCKED = "database is locked"
_TROUBLE = {  # what SQLite and the system say, and what mends it
    _LOCKED: "Close other programs that use the gradebook",
    "readonly database": "The gradebook can only be read: give yourself the right to write it",
    "database or disk is full": "The disk is full: free some space",
    "No space left on device": "The disk is full: free some space",
    "Disk quota exceeded": "Your disk quota is used up: free some space",
    "Read-only file system": "The disk can only be read: mount it for writing",
    "unable to open database file": "Give yourself the right to read and write the gradebook and its folder",
    "database disk image is malformed": "The gradebook is damaged: put a backup of it in its place",
    "file is not a database": "The gradebook is damaged: put a backup of it in its place",
    "sqlalchemy.exc.OperationalError": "See to it that the gradebook can be reached",
}


def _error(failure: str, assignment: str, student: str, coursedir: CourseDirectory) -> WriterError:
    """What nbgrader could not do, and what the instructor can."""
    for sign, mend in _TROUBLE.items():
        if sign in failure:
            place = make_url(coursedir.db_url).render_as_string(hide_password=True)
            return GradebookTrouble(
                f"the gradebook {place} takes nothing ({failure.rstrip('.')}). {mend}, then run the same "
                "command again: the reports are kept."
            )
    return WriterError(f"nbgrader could not convert {assignment} of {student}: {failure}")


def course_config(course: Course) -> Config:
    """The settings in the course's nbgrader_config.py, as nbgrader reads them."""
    path = course.root / "nbgrader_config.py"
    return copy.deepcopy(_load(path, path.stat().st_mtime_ns))  # Config.copy shares its sections


@lru_cache(maxsize=8)
def _load(path: Path, modified: int) -> Config:
    config = PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    config.CourseDirectory.root = str(path.parent)
    return config


def _marker(course: Course, assignment: str, student: str) -> Path:
    """The file beside the report that holds the key of the report last written."""
    return course.report(assignment, student).with_suffix(".written")


def _graded(coursedir: CourseDirectory, assignment: str, student: str) -> Path:
    """The folder that the formgrader shows."""
    return Path(coursedir.format_path(coursedir.autograded_directory, student, assignment))


def _is_written(course: Course, assignment: str, student: str, coursedir: CourseDirectory) -> bool:
    """Whether the report on disk is the one that was written, and what was written is still there."""
    path, marker = course.report(assignment, student), _marker(course, assignment, student)
    if not (path.is_file() and marker.is_file()):
        return False
    report = Report.read(path)
    graded = _graded(coursedir, assignment, student)
    notebooks = {q.notebook for q in report.questions}
    if marker.read_bytes() != report.key.encode() or not all(
        (graded / f"{name}.ipynb").is_file() for name in notebooks
    ):
        return False
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            submission = gradebook.find_submission(assignment, student)
            stored = {
                (n.name, grade.name): grade.auto_score for n in submission.notebooks for grade in n.grades
            }
    except (MissingEntry, SQLAlchemyError):  # not there, locked or damaged: writing will find out
        return False
    return all(
        stored.get((q.notebook, q.grade_id)) == (earned(q, q.max_points) or 0.0)
        for q in report.questions
        if q.kind == "auto"
    )


def _autograde(config: Config, coursedir: CourseDirectory, assignment: str, student: str) -> str | None:
    """Run nbgrader's converter over one submission; what went wrong, or None."""
    log = _Log()
    coursedir.assignment_id, coursedir.student_id, coursedir.notebook_id = assignment, student, "*"
    converter = Autograde(coursedir=coursedir, config=config, log=log.logger)
    converter.force = True
    try:
        with _silent(api.app_log), _queries_kept(), warnings.catch_warnings():
            # nbgrader makes rows in an order that SQLAlchemy remarks on.
            warnings.filterwarnings("ignore", "Object of type .* not in session", SAWarning)
            converter.start()
    except Exception as error:  # nbgrader has logged the cause and raises something general
        return log.reason() or f"{type(error).__name__}: {error}"
    return None


@contextmanager
def _silent(log: logging.Logger) -> Iterator[None]:
    """What goes wrong is told in a sentence of ours, not in tracebacks of nbgrader's."""
    former, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = former


_engine = lru_cache(maxsize=8)(api.create_engine)


@contextmanager
def _queries_kept() -> Iterator[None]:
    """Let SQLAlchemy compile a query once, and not again each time that the gradebook is opened.

    nbgrader opens it eight times a submission, with an engine of its own each time, and an engine keeps the
    queries: that is a third of the time. Connections are not kept, as the file may be replaced meanwhile.
    """
    used: set[Engine] = set()

    def engine_of(url: str, **options: Any) -> Engine:
        used.add(engine := _engine(url, **options))
        return engine

    former, api.create_engine = api.create_engine, engine_of
    try:
        yield
    finally:
        api.create_engine = former
        for engine in used:  # nbgrader does not close a gradebook that it failed to open
            engine.dispose()


class _Log(ErrorLog):
    """Keeps nbgrader's error messages to itself."""

    def reason(self) -> str:
        """The exception of the last traceback in the log, or else the first message."""
        for message in reversed(self.messages):
            _, _, after = message.rpartition('\n  File "')
            if exception := next((line for line in after.splitlines()[1:] if not line.startswith(" ")), None):
                return exception
        return self.messages[0] if self.messages else ""
