"""Grades as CSV: for a spreadsheet, for Canvas, for Moodle.

The numbers are the gradebook's, the same as those of `nbgrader export`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from .course import Assignment, CourseError
from .plain import harmless
from .scores import Sheet, read_scores


def export(assignment: Assignment, layout: str, out: Path) -> list[Sheet]:
    """Write everybody's grades to `out` in one of `LAYOUTS`; returns them.

    Raises:
        CourseError: an unknown layout, or nothing in the gradebook yet.
    """
    if layout not in LAYOUTS:
        raise CourseError(f"There is no export format {layout!r}; there are: {', '.join(LAYOUTS)}.")
    sheets = sorted(read_scores(assignment.course, assignment.name).values(), key=lambda s: s.student)
    if not sheets:
        raise CourseError(
            f"The gradebook has no grades of {assignment.name} yet: run `autograder grade {assignment.name}`."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        for row in LAYOUTS[layout](assignment, sheets):
            rows.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])
    return sheets


def _spreadsheet(assignment: Assignment, sheets: list[Sheet]) -> list[list]:
    cells = assignment.grade_cells
    people = ["student_id", "last_name", "first_name", "email", "timestamp"]
    table = [
        people
        + [cell.grade_id for cell in cells]
        + ["raw_score", "late_submission_penalty", "score", "max_score", "ungraded"]
    ]
    for s in sheets:
        scores = [s.cells.get((cell.notebook, cell.grade_id)) for cell in cells]
        points = ["" if score is None or score.pending else score.points for score in scores]
        person = [s.student, s.last_name, s.first_name, s.email, s.timestamp]
        table.append(person + points + [s.points, s.penalty, s.total, s.max_points, s.pending])
    return table


def _canvas(assignment: Assignment, sheets: list[Sheet]) -> list[list]:
    """Canvas's gradebook import; its second row gives the points possible."""
    blank = ["", "", "", ""]
    table = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment.name],
        ["Points Possible", *blank, sheets[0].max_points],
    ]
    for s in sheets:
        name = f"{s.last_name}, {s.first_name}" if s.last_name else s.student
        table.append([name, "", "", s.student, "", s.total])
    return table


def _moodle(assignment: Assignment, sheets: list[Sheet]) -> list[list]:
    """Moodle's gradebook import: map one of the first two columns to the user, the last to the item."""
    return [["Username", "Email address", assignment.name]] + [[s.student, s.email, s.total] for s in sheets]


LAYOUTS: dict[str, Callable[[Assignment, list[Sheet]], list[list]]] = {
    "csv": _spreadsheet,
    "canvas": _canvas,
    "moodle": _moodle,
}
