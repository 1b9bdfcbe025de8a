"""The report: everything that grading one submission found out, as data.

Feedback pages, the gradebook and the class report are made from reports alone. Grading the same
submission again gives the same report, byte for byte, except for `times`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .plain import plain

Status = Literal[
    "passed",  # every part earned its points
    "partial",  # some parts did
    "failed",  # compared, and wrong
    "error",  # the student's code raised an exception, or is missing
    "timeout",  # a call took longer than its limit
    "crash",  # the process died: memory, a signal, os._exit
    "not_attempted",  # the release's NotImplementedError is still there
    "manual",  # graded by a person
]


class _Strict(BaseModel):
    """Fields of known types; their texts, which may quote a student's, are fit for pages and terminals."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        if isinstance(value, list):
            return [plain(item) if isinstance(item, str) else item for item in value]
        return plain(value) if isinstance(value, str) else value


class Comparison(_Strict):
    """One value of the student's beside the value that is right. It never holds the values themselves."""

    part: str
    what: str
    passed: bool
    message: str = ""
    expected_shape: list[int] | None = None
    got_shape: list[int] | None = None
    expected_dtype: str | None = None
    got_dtype: str | None = None
    max_error: float | None = None
    tolerance: float | None = None
    at: list[int] | None = Field(None, description="index of the largest error")


class Question(_Strict):
    """The verdict on one grade cell."""

    notebook: str
    grade_id: str
    title: str = ""
    kind: Literal["auto", "manual"] = "auto"
    points: float | None = None
    max_points: float
    status: Status
    comparisons: list[Comparison] = []
    explanation: str = ""
    advice: str = ""
    misconception: str | None = None
    substituted: list[str] = Field([], description="reference functions that stood in for wrong ones")


class Times(_Strict):
    """What may differ between two gradings of the same submission."""

    graded_at: str = ""
    seconds: float = 0.0


class Report(_Strict):
    """All verdicts on one submission, and the hashes and the seed that reproduce them."""

    schema_version: Literal[1] = 1
    assignment: str
    student: str
    key: str
    seed: str
    submission_hash: str
    release_hash: str
    checks_hash: str
    isolation: Literal["bubblewrap", "none"]
    questions: list[Question]
    notes: list[str] = Field([], description="what staging ignored or repaired")
    times: Times = Times()

    @property
    def auto_points(self) -> float:
        """Points that the checks gave."""
        return round(sum(q.points or 0.0 for q in self.questions if q.kind == "auto"), 2)

    @property
    def max_auto_points(self) -> float:
        """Points that the checks could give."""
        return round(sum(q.max_points for q in self.questions if q.kind == "auto"), 2)

    def write(self, path: Path) -> None:
        """Write as JSON, atomically: a reader or a killed writer never leaves half a report."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a report that `write` wrote. Raises pydantic.ValidationError on anything else."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))
