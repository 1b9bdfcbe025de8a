"""Receipts: one line of text that says what was graded, signed so that anybody can check who wrote it.

    handgrad-receipt:1 course=handgrad assignment=a2 student=ada submission=6d2b... points=88 ... signed=...

Ed25519 rather than HMAC: the course's secret signs, the public key verifies. A student, a colleague or an
examination office can so check a receipt without a secret that would let them write one. The secret is made
once, in the course's private folder; the public key lies in the course folder for everybody.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from handgrad.pack import DIGITS

from . import arrivals, staging
from .course import Assignment, Course, CourseError
from .report import Report
from .untrusted import shown

MARK = "handgrad-receipt:1"
WHOLE, CHANGED = "as it came", "repaired or completed"
MAX_TEXT = 20_000_000  # characters of a page
MAX_RECEIPTS = 1_000  # in one text
_SIGNATURE = 86  # digits of 64 bytes in base64
_FIELD = re.compile(r"([a-z]+)=(.*)", re.DOTALL)
_PUBLIC = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Receipt:
    """What a receipt says, in this order."""

    course: str
    assignment: str
    student: str
    submission: str  # hash of what was handed in, as `handgrad pack` prints it; "" for nothing that counts
    taken: str  # WHOLE or CHANGED
    arrived: str  # in ISO 8601, or "" where nobody noted it
    graded: str
    report: str  # the report's key
    points: str
    possible: str
    pending: str  # points that a person has still to give

    @property
    def text(self) -> str:
        """The signed part of the line; no value has white space in it."""
        values = " ".join(f"{name}={_plain(value)}" for name, value in vars(self).items())
        return f"{MARK} {values}"

    @classmethod
    def read(cls, text: str) -> Self:
        """What `text` wrote. Raises ValueError."""
        fields = [field.partition("=") for field in text.split(" ")[1:]]
        receipt = (
            cls(*(unquote(value) for _, _, value in fields))
            if len(fields) == len(cls.__match_args__)
            else None
        )
        if receipt is None or receipt.text != text:
            raise ValueError("these are not the fields of a receipt")
        return receipt


@dataclass(frozen=True)
class Verdict:
    """A receipt that was found in a text, and what is wrong with it, if anything is."""

    receipt: Receipt | None
    problem: str

    @property
    def genuine(self) -> bool:
        return not self.problem


def receipt_line(course: Course, receipt: Receipt) -> str:
    """The receipt with the course's signature: the line that a student keeps."""
    signature = base64.urlsafe_b64encode(_secret(course).sign(receipt.text.encode())).decode().rstrip("=")
    return f"{receipt.text} signed={signature}"


def receipt_for(
    assignment: Assignment, report: Report, points: float, possible: float, pending: float
) -> Receipt:
    """The receipt on a report, with the points as a page shows them.

    Args:
        assignment: what was graded.
        report: the report.
        points: earned so far, those of people included.
        possible: the most there are.
        pending: still to be given by a person.
    """
    came = origin(assignment, report)
    return Receipt(
        course=_course_id(assignment.course),
        assignment=report.assignment,
        student=report.student,
        submission=came.submission,
        taken=WHOLE if came.whole else CHANGED,
        arrived=came.arrived,
        graded=report.times.graded_at,
        report=report.key,
        points=f"{round(points, 2):g}",
        possible=f"{round(possible, 2):g}",
        pending=f"{round(pending, 2):g}",
    )


@dataclass(frozen=True)
class Origin:
    """Where what was graded came from.

    Args:
        arrived: when, by this machine's clock, in ISO 8601; "" where nobody noted it.
        submission: the hash of the files that count as they were handed in; "" when none of them was.
        whole: they were graded as they came; otherwise repaired, or ours in place of what was missing.
    """

    arrived: str
    submission: str
    whole: bool


def origin(assignment: Assignment, report: Report) -> Origin:
    """What the student of a report had handed in: by the log of arrivals, or else by what lies there.

    Args:
        assignment: what was graded.
        report: the report.
    """
    course, graded = assignment.course, report.submission_hash
    log = arrivals.read(course.received(assignment.name, report.student))
    counts, arrived = arrivals.counted(log, graded)
    submission = counts.handed_in if counts else None
    folder = course.submitted(assignment.name, report.student)
    if counts is None and folder.is_dir():
        with suppress(CourseError):  # it is no longer released
            submission = staging.handed_in_hash(folder, assignment, graded)
    submission = graded if submission is None else submission
    return Origin(arrived.at if arrived else "", submission, whole=submission == graded)


def compare(course: Course, receipt: Receipt) -> str:
    """A sentence on whether a genuine receipt is about the grading that counts now."""
    path = course.report(receipt.assignment, receipt.student)
    try:
        report = Report.read(path)
        submission = origin(Assignment(course, receipt.assignment), report).submission
    except FileNotFoundError:
        return f"This course has no report of {receipt.assignment} on {receipt.student}."
    except (OSError, ValueError):
        return f"{path} cannot be read, so the receipt was not compared with it."
    if submission != receipt.submission:
        return f"Another submission counts now: {submission[:DIGITS] or 'nothing of what counts came'}."
    if report.key != receipt.report:
        return (
            "The same submission was graded again since, with another release, other checks or another seed."
        )
    return "It is about the submission and the grading that count now."


def verify(text: str, public_key: str) -> list[Verdict]:
    """Check every receipt in a text, which may be a page, a mail with broken lines, or the line alone.

    Args:
        text: from anybody.
        public_key: 64 hex digits, as `public_key` gives them.
    Raises:
        CourseError: that is no public key.
    """
    key = _public(public_key)
    return [_verdict(signed, signature, key) for signed, signature in _lines(text[:MAX_TEXT])]


def public_key(course: Course) -> str:
    """The course's public key as 64 hex digits, which receipt-key.pub in the course folder has too."""
    raw = (
        _secret(course).public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    )
    path = course.root / "receipt-key.pub"
    if not path.is_file() or path.read_text(encoding="ascii", errors="replace").strip() != raw.hex():
        path.write_text(f"{raw.hex()}\n", encoding="ascii")
    return raw.hex()


def lines(verdict: Verdict, course: Course | None) -> list[str]:
    """What a person reads about a receipt.

    Args:
        verdict: as `verify` gave it.
        course: to compare a genuine receipt with what counts there now; None compares nothing.
    """
    found = [f"  {verdict.problem}"] if verdict.problem else []
    if verdict.receipt is None:
        return found
    said = "" if verdict.genuine else "claimed "
    found += [f"  {said}{name:<10} {shown(value) or '-'}" for name, value in vars(verdict.receipt).items()]
    if verdict.genuine and course is not None:
        found.append(f"  {compare(course, verdict.receipt)}")
    return found


def texts(arguments: list[str]) -> str:
    """What the arguments hold: files are read, anything else is a part of the text itself.

    Raises:
        CourseError: a file cannot be read.
    """
    parts = []
    for argument in arguments:
        path = Path(argument)
        try:
            is_text = MARK in argument or not path.is_file()
        except (OSError, ValueError):  # no path at all: too long, or with a null byte
            is_text = True
        if not is_text:
            try:
                with path.open(encoding="utf-8", errors="replace") as file:
                    argument = file.read(MAX_TEXT)
            except OSError as error:
                raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
        parts.append(argument)
    return " ".join(parts)


def _verdict(signed: str, signature: str, key: Ed25519PublicKey) -> Verdict:
    try:
        receipt = Receipt.read(signed)
    except ValueError as error:
        return Verdict(None, f"It is not whole, or not of this version: {error}.")
    try:
        key.verify(base64.b64decode(f"{signature}==", altchars=b"-_", validate=True), signed.encode())
    except (InvalidSignature, ValueError):
        return Verdict(
            receipt, "The signature is not this course's: it was altered, or is of another course."
        )
    return Verdict(receipt, "")


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """The signed text and the signature of each receipt; whatever broke the line is mended."""
    for part in text.split(MARK)[1 : 1 + MAX_RECEIPTS]:
        fields: list[str] = []
        for word in part[:8_000].split():
            word = word.lstrip(">")  # with which mails quote
            if _FIELD.fullmatch(word):
                fields.append(word)
            elif fields:
                fields[-1] += word
            if fields and fields[-1].startswith("signed=") and len(fields[-1]) >= 7 + _SIGNATURE:
                break
        signature = ""
        if fields and fields[-1].startswith("signed="):
            signature = re.match(r"[\w-]*", fields.pop()[7:], re.ASCII)[0]
        yield " ".join([MARK, *fields]), signature


def _secret(course: Course) -> Ed25519PrivateKey:
    """The key that signs, made once for a course; only whoever may read the private folder has it."""
    path = course.private / "receipt-key"
    if not path.is_file():
        with (course.private / "receipt-key.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():  # who comes second takes the first's
                _write_secret(path, Ed25519PrivateKey.generate().private_bytes_raw().hex())
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{path} holds no key ({error}). Put it back from a backup: with another one the receipts that "
            f"students have would no longer be genuine."
        ) from None


def _write_secret(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # with mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _public(text: str) -> Ed25519PublicKey:
    if not _PUBLIC.fullmatch(text.strip()):
        raise CourseError("A public key is 64 hex digits, as `autograder receipt --public-key` prints them.")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text.strip()))


def _course_id(course: Course) -> str:
    from .nbgrader.writer import course_config

    return str(course_config(course).CourseDirectory.get("course_id", "") or course.root.name)


def _plain(value: str) -> str:
    """A value without white space, and without anything that a page or a mail would change."""
    return quote(value, safe="@+:,")
