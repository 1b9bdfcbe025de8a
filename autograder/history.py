"""Former reports: whatever takes a report's place puts that one here first.

They lie in .handgrad/history/<assignment>/<student>/<time of grading>-<first digits of the key>.json and are
never changed, so a grade that somebody contests can be read as it was. One that cannot be read has the file's
time and "unreadable" in its name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from . import durable, staging
from .course import Assignment, Course
from .report import Report


def replace(course: Course, report: Report) -> None:
    """Write a report to its place, and the one that lies there to the history; atomically, both."""
    keep_former(course, report.assignment, report.student)
    report.write(course.report(report.assignment, report.student))


def keep_former(course: Course, assignment: str, student: str) -> Path | None:
    """Copy the report on disk to the history, once; returns where it is, or None when there is no verdict."""
    path = course.report(assignment, student)
    try:
        content, modified = path.read_bytes(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    try:
        report = Report.model_validate_json(content)
        time, key = report.times.graded_at, report.key
    except ValidationError:  # damaged, or another version's: it is kept as it is
        time, key = "", "unreadable"
    if not key:
        return None  # the grader had failed: this is nobody's grade
    folder = folder_of(course, assignment, student)
    folder.mkdir(parents=True, exist_ok=True)
    name, number = f"{_stamp(time, modified)}-{key[:12]}", 1
    while (kept := folder / f"{name}{f'-{number}' if number > 1 else ''}.json").exists():
        if kept.read_bytes() == content:
            return kept
        number += 1
    durable.sweep_temporaries(folder)
    durable.write(kept, content)
    return kept


def former_reports(course: Course, assignment: str, student: str) -> list[Report]:
    """A student's former reports that this version can read, the oldest first."""
    reports = []
    for path in sorted(folder_of(course, assignment, student).glob("[!.]*.json")):
        try:
            reports.append(Report.read(path))
        except ValidationError:
            continue
    return reports


def folder_of(course: Course, assignment: str, student: str) -> Path:
    """Where a student's former reports lie."""
    return course.private / "history" / assignment / student


def about_this(report: Report, submission: Path, assignment: Assignment, isolation: str) -> bool:
    """Whether a report is a verdict on just this submission, whatever the checks were that made it.

    Such a report stands until somebody asks for another with `autograder regrade`.
    """
    if not report.key or report.isolation != isolation:
        return False
    return report.submission_hash == staging.submission_hash(submission, assignment)


def _stamp(time: str, modified: float) -> str:
    """A time that sorts as text, in UTC: of the grading, or of the file where the report does not say."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        moment = datetime.fromtimestamp(modified, UTC)
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
