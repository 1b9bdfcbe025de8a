"""What the gradebook says: scores, comments, and which answers still wait for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from .course import Course
from .nbgrader.writer import course_config


@dataclass(frozen=True)
class Score:
    """One grade cell in the gradebook. A person's score, when there is one, replaces the checks'."""

    points: float
    max_points: float
    by_person: bool
    pending: bool
    comment: str = ""
    manual: float | None = None  # what a person gave in place of the checks' points


@dataclass(frozen=True)
class Sheet:
    """One student's assignment in the gradebook."""

    student: str
    last_name: str = ""
    first_name: str = ""
    email: str = ""
    timestamp: str = ""
    submitted: bool = False
    points: float = 0.0
    penalty: float = 0.0
    max_points: float = 0.0
    cells: dict[tuple[str, str], Score] = field(default_factory=dict)  # by (notebook, grade_id)

    @property
    def total(self) -> float:
        """Points less the late penalty, never below zero: nbgrader's `score`."""
        return max(0.0, self.points - self.penalty)

    @property
    def pending(self) -> int:
        """How many answers wait for a person."""
        return sum(score.pending for score in self.cells.values())


@contextmanager
def reading(course: Course) -> Iterator[Connection]:
    """A connection to the gradebook that reads; SQLite's cannot write, whatever happens.

    Raises:
        FileNotFoundError: there is no gradebook.
        SQLAlchemyError: it cannot be read.
    """
    url = make_url(CourseDirectory(config=course_config(course)).db_url)
    if url.get_backend_name() == "sqlite":
        if not Path(url.database or "").is_file():
            raise FileNotFoundError(2, "no gradebook", url.database)
        read_only = {"mode": "ro", "uri": "true"}
        url = url.set(database=f"file:{quote(url.database)}").update_query_dict(read_only)
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def read_scores(course: Course, assignment: str) -> dict[str, Sheet]:
    """Everybody in the gradebook, by student id; those who handed in nothing have zero points.

    Returns nothing at all when there is no gradebook, or no such assignment in it.
    """
    folder = CourseDirectory(config=course_config(course))
    if (
        folder.db_url.startswith("sqlite:///")
        and not Path(folder.db_url.removeprefix("sqlite:///")).is_file()
    ):
        return {}  # reading must not make an empty one
    gradebook = Gradebook(folder.db_url, folder.course_id)
    try:
        wanted = gradebook.find_assignment(assignment)
    except MissingEntry:
        return {}
    else:
        max_points = float(wanted.max_score or 0.0)
        return {s.id: _sheet(gradebook, assignment, s, max_points) for s in gradebook.students}
    finally:
        gradebook.close()
        gradebook.engine.dispose()


def _sheet(gradebook: Gradebook, assignment: str, student, max_points: float) -> Sheet:
    person = {
        "student": student.id,
        "last_name": student.last_name or "",
        "first_name": student.first_name or "",
        "email": student.email or "",
        "max_points": max_points,
    }
    try:
        submission = gradebook.find_submission(assignment, student.id)
    except MissingEntry:
        return Sheet(**person)
    cells = {}
    for notebook in submission.notebooks:
        comments = {comment.name: comment.comment or "" for comment in notebook.comments}
        for grade in notebook.grades:
            cells[notebook.name, grade.name] = Score(
                points=float(grade.score),
                max_points=float(grade.max_score),
                by_person=grade.manual_score is not None or bool(grade.extra_credit),
                pending=bool(grade.needs_manual_grade),
                comment=comments.get(grade.name, ""),
                manual=None if grade.manual_score is None else float(grade.manual_score),
            )
    return Sheet(
        **person,
        timestamp=str(submission.timestamp or ""),
        submitted=True,
        points=float(submission.score),
        penalty=float(submission.late_submission_penalty or 0.0),
        cells=cells,
    )
