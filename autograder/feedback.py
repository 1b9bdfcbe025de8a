"""Feedback: one HTML page per student, made from the report and the gradebook.

The report holds no hidden input and no expected array, so neither does the page.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory

from . import receipts
from .class_report import read_reports
from .course import Assignment, Course, CourseError
from .nbgrader.writer import course_config
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
    total, possible = max(0.0, earned - penalty), sum(q.max_points for q in report.questions)
    pending = sum(item.question.max_points for item in items if item.pending)
    receipt = receipts.receipt_for(assignment, report, total, possible, pending)
    return write_page(
        "feedback.html.j2",
        assignment.course.feedback(assignment.name, report.student) / "feedback.html",
        assignment=assignment.name,
        title=assignment.manifest.title,
        report=report,
        notebooks=[(name, list(group)) for name, group in groupby(items, key=lambda i: i.question.notebook)],
        total=total,
        penalty=penalty,
        max_points=possible,
        pending_points=pending,
        came=receipt,
        receipt=receipts.receipt_line(assignment.course, receipt) if report.key else "",
        notebook_pages=notebook_pages or [],
    )


def write_feedback(
    assignment: Assignment,
    students: list[str] | None = None,
    *,
    jobs: int | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write the pages of `students`, or of everybody with a report, and nbgrader's pages beside them.

    Args:
        jobs: processes to make the pages; None means one per processor.
        warn: told when nbgrader cannot make somebody's pages; the page is written all the same.
    Raises:
        CourseError: there are no reports, or a student has none.
    """
    course = assignment.course
    reports = {report.student: report for report in read_reports(assignment)}
    if absent := [name for name in students or [] if name not in reports]:
        raise CourseError(
            f"There is no report of {assignment.name} on {', '.join(absent)}: grade them first."
        )
    receipts.public_key(course)  # beside the pages, for whoever checks their receipts
    sheets = read_scores(course, assignment.name)
    names = students or sorted(reports)
    written = []
    jobs = min(jobs or os.cpu_count() or 1, len(names))
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        made = [pool.submit(_notebook_pages, course.root, assignment.name, name) for name in names]
        for name, future in zip(names, made, strict=True):
            pages, problem = future.result()
            if problem:
                warn(f"nbgrader made no notebook pages of {name}: {problem}")
            written.append(feedback_page(reports[name], assignment, sheets.get(name), pages))
    return written


def _notebook_pages(root: Path, name: str, student: str) -> tuple[list[str], str]:
    """Let nbgrader make its pages of the graded notebooks: their names, or what went wrong."""
    course = Course(root)
    config = course_config(course)
    log = logging.Logger("nbgrader", logging.CRITICAL)
    folder = CourseDirectory(config=config, log=log)
    if not Path(folder.format_path(folder.autograded_directory, student, name)).is_dir():
        return [], ""
    folder.assignment_id, folder.student_id, folder.notebook_id = name, student, "*"
    converter = GenerateFeedback(coursedir=folder, config=config, log=log)
    converter.force = True
    try:
        converter.start()
    except Exception as error:  # one student's notebook is not the class's trouble
        return [], f"{type(error).__name__}: {error}"
    return sorted(path.name for path in course.feedback(name, student).glob("*.html")), ""
