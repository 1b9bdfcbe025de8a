"""The report: everything that grading one submission found out, as data.

Feedback pages, the gradebook and the class report are made from reports alone. Grading the same
submission again gives the same report, byte for byte, except for `times`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from autograder import durable

from .plain import plain

SCHEMA = 1
LOG = "log.jsonl"  # beside the reports: the hash of each one that was written

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
        """Put this report where a former one may be: a reader or a killed writer never leaves half a report.

        The log in the folder gets the new file's hash first, so that whoever changes a report later does not
        go unnoticed. Where the former file matters to anybody, `history.replace` keeps it.

        Raises:
            OSError: the disk cannot take it; the former report is still there.
        """
        content = (self.model_dump_json(indent=1) + "\n").encode()
        entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "student": self.student}
        durable.append(path.parent / LOG, entry | {"key": self.key, "sha256": sha256(content).hexdigest()})
        durable.write(path, content)

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a report that `write` wrote. Raises pydantic.ValidationError on anything else."""
        return cls.model_validate_json(path.read_bytes())


def is_newer(path: Path) -> bool:
    """Whether a file that is no report to us was written by a later version of this program."""
    try:
        return json.loads(path.read_bytes())["schema_version"] > SCHEMA
    except (ValueError, LookupError, TypeError):
        return False


def recorded_hashes(folder: Path) -> dict[str, set[str]]:
    """The SHA-256 of all reports that were ever written to a folder, by student."""
    found: dict[str, set[str]] = {}
    for entry in durable.entries(folder / LOG):
        if isinstance(student := entry.get("student"), str):
            found.setdefault(student, set()).add(str(entry.get("sha256")))
    return found
