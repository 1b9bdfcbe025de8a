"""Reports into the gradebook, with patience: a gradebook that takes nothing now may take everything later.

Grading goes on meanwhile. What the gradebook did not take in the end is taken by the next run, from the
reports.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .course import Course
from .nbgrader import writer
from .nbgrader.writer import GradebookTrouble, WriterError
from .report import Report

AGAIN = 60.0  # seconds until a gradebook that took nothing is tried again
ENOUGH = 3  # so many students in a row, and the others are not tried


class Recorder:
    """Writes a class's reports into the gradebook.

    Args:
        course: whose gradebook.
        say: is told, in a sentence, when the gradebook has to be waited for.
        fail: is told which student's report the gradebook did not take, and why.
    """

    def __init__(self, course: Course, say: Callable[[str], None], fail: Callable[[str, str], None]):
        self._course, self._say, self._fail = course, say, fail
        self._waiting: list[Report] = []
        self._trouble = ""
        self._again = 0.0

    def record(self, report: Report) -> None:
        """Write one report, or keep it for `finish`."""
        if self._trouble and time.monotonic() < self._again:
            self._waiting.append(report)
            return
        try:
            self._write(report)
        except GradebookTrouble as error:
            if not self._trouble:
                self._say(f"Grading goes on, but {error}")
            self._trouble, self._again = str(error), time.monotonic() + AGAIN
            self._waiting.append(report)
        except WriterError as error:
            self._fail(report.student, f"graded, but not in the gradebook: {error}")

    def finish(self) -> None:
        """Try once more what had to wait."""
        troubles = 0
        for report in self._waiting:
            why = self._trouble
            if troubles < ENOUGH:
                try:
                    self._write(report, patient=troubles == 0)
                    troubles = 0
                    continue
                except GradebookTrouble as error:
                    why = self._trouble = str(error)
                    troubles += 1
                except WriterError as error:
                    why = str(error)
            self._fail(report.student, f"graded, but not in the gradebook: {why}")
        self._waiting.clear()

    def _write(self, report: Report, patient: bool | None = None) -> None:
        patient = not self._trouble if patient is None else patient
        writer.write(
            self._course,
            report.assignment,
            report.student,
            attempts=None if patient else 1,
            on_wait=self._say,
        )
        self._trouble = ""
