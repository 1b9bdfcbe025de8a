"""One student's verdicts into the gradebook and the graded notebooks, through nbgrader's own converter."""

from __future__ import annotations

import copy
import logging
import os
import random
import time
import warnings
from functools import lru_cache
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError, SAWarning
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.course import Course, CourseError
from autograder.nbgrader.log import ErrorLog
from autograder.report import Report

ATTEMPTS = 6  # a locked gradebook is tried for about a minute in all


class WriterError(CourseError):
    """One student's verdicts did not reach the gradebook; the message says why. The others' can."""


def write(course: Course, assignment: str, student: str, *, force: bool = False) -> bool:
    """Bring the gradebook and the graded notebooks of one student up to the report.

    It can be called any number of times and killed at any time: only what is complete is marked as written.

    Returns:
        False when everything was there already, unless `force` is set.
    Raises:
        WriterError: nbgrader could not convert this submission, or the gradebook stayed locked.
    """
    config = course_config(course)
    coursedir = CourseDirectory(config=config, log=logging.Logger("nbgrader"))
    if not force and _is_written(course, assignment, student, coursedir):
        return False
    marker = _marker(course, assignment, student)
    marker.unlink(missing_ok=True)
    for attempt in range(ATTEMPTS):
        failure = _autograde(config, coursedir, assignment, student)
        if failure is None:
            break
        if "database is locked" not in failure or attempt == ATTEMPTS - 1:
            hint = " Close other programs that use the gradebook." if "database is locked" in failure else ""
            raise WriterError(f"nbgrader could not convert {assignment} of {student}: {failure}{hint}")
        time.sleep(random.uniform(0.5, 1.5) * 2**attempt)
    report = Report.read(course.report(assignment, student))
    temporary = marker.with_name(f".{marker.name}.{os.getpid()}")
    temporary.write_text(report.key)
    temporary.replace(marker)
    return True


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


def _is_written(course: Course, assignment: str, student: str, coursedir: CourseDirectory) -> bool:
    """Whether the report on disk is the one that was written, and what was written is still there."""
    path, marker = course.report(assignment, student), _marker(course, assignment, student)
    if not (path.is_file() and marker.is_file()):
        return False
    report = Report.read(path)
    graded = Path(coursedir.format_path(coursedir.autograded_directory, student, assignment))
    notebooks = {q.notebook for q in report.questions}
    if marker.read_text() != report.key or not all(
        (graded / f"{name}.ipynb").is_file() for name in notebooks
    ):
        return False
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            submission = gradebook.find_submission(assignment, student)
            stored = {
                (n.name, grade.name): grade.auto_score for n in submission.notebooks for grade in n.grades
            }
    except (MissingEntry, OperationalError):  # not there, or locked: writing will find out
        return False
    automatic = [q for q in report.questions if q.kind == "auto"]
    return all(stored.get((q.notebook, q.grade_id)) == (q.points or 0.0) for q in automatic)


def _autograde(config: Config, coursedir: CourseDirectory, assignment: str, student: str) -> str | None:
    """Run nbgrader's converter over one submission; what went wrong, or None."""
    log = _Log()
    coursedir.assignment_id, coursedir.student_id, coursedir.notebook_id = assignment, student, "*"
    converter = Autograde(coursedir=coursedir, config=config, log=log.logger)
    converter.force = True
    try:
        with warnings.catch_warnings():  # nbgrader makes rows in an order that SQLAlchemy remarks on
            warnings.filterwarnings("ignore", "Object of type .* not in session", SAWarning)
            converter.start()
    except Exception as error:  # nbgrader has logged the cause and raises something general
        return log.reason() or f"{type(error).__name__}: {error}"
    return None


class _Log(ErrorLog):
    """Keeps nbgrader's error messages to itself."""

    def reason(self) -> str:
        """The exception of the last traceback in the log, or else the first message."""
        for message in reversed(self.messages):
            _, _, after = message.rpartition('\n  File "')
            if exception := next((line for line in after.splitlines()[1:] if not line.startswith(" ")), None):
                return exception
        return self.messages[0] if self.messages else ""
