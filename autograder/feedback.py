"""Feedback: one HTML page per student, made from the report and the gradebook.

The report holds no hidden input and no expected array, so neither does the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from .course import Assignment
from .pages import write_page
from .report import Question, Report
from .scores import Score, Sheet, read_scores


@dataclass(frozen=True)
class Item:
    """A question as the page shows it: the verdict, and what the gradebook made of it."""

    question: Question
    score: Score | None

    @property
    def pending(self) -> bool:
        """Nobody has decided on the points yet."""
        return self.points is None

    @property
    def points(self) -> float | None:
        if self.score is None:
            return self.question.points
        return None if self.score.pending else self.score.points

    @property
    def changed(self) -> bool:
        """A person gave other points than the checks did."""
        return self.question.kind == "auto" and self.points != self.question.points and not self.pending


def feedback_page(
    report: Report,
    assignment: Assignment,
    sheet: Sheet | None = None,
    notebook_pages: list[str] | None = None,
) -> Path:
    """Write one student's page and return its path.

    Args:
        sheet: the student's sheet in the gradebook; without it, manual questions are shown as pending.
        notebook_pages: file names beside the page that it links to.
    """
    cells = sheet.cells if sheet else {}
    items = [Item(q, cells.get((q.notebook, q.grade_id))) for q in report.questions]
    earned = sum(item.points for item in items if item.points is not None)
    penalty = sheet.penalty if sheet else 0.0
    return write_page(
        "feedback.html.j2",
        assignment.course.feedback(assignment.name, report.student) / "feedback.html",
        assignment=assignment.name,
        title=assignment.manifest.title,
        report=report,
        notebooks=[(name, list(group)) for name, group in groupby(items, key=lambda i: i.question.notebook)],
        total=max(0.0, earned - penalty),
        penalty=penalty,
        max_points=sum(q.max_points for q in report.questions),
        pending_points=sum(item.question.max_points for item in items if item.pending),
        notebook_pages=notebook_pages or [],
    )


def write_feedback(assignment: Assignment, students: list[str] | None = None) -> list[Path]:
    """Write the pages of `students`, or of everybody with a report, linked to nbgrader's beside them."""
    course = assignment.course
    folder = course.report(assignment.name, "_").parent
    names = sorted(p.stem for p in folder.glob("*.json")) if students is None else students
    sheets = read_scores(course, assignment.name)
    written = []
    for name in names:
        beside = course.feedback(assignment.name, name)
        pages = sorted(p.name for p in beside.glob("*.html") if p.name != "feedback.html")
        report = Report.read(course.report(assignment.name, name))
        written.append(feedback_page(report, assignment, sheets.get(name), pages))
    return written
