"""`autograder verify`: is everything there, as it came and as it was graded? It only reads.

Hashes are computed anew over what was received, what is graded, the release and the reports, and the
gradebook's points are held against the reports'. Students come one after the other, files piece by piece.
"""

from __future__ import annotations

import hashlib
import zipfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import groupby, pairwise
from pathlib import Path

from nbgrader import api
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from . import arrivals, grading, staging
from .arrivals import Entry
from .course import Assignment
from .nbgrader.verdicts import earned
from .release import release_hash
from .report import Report, is_newer, recorded_hashes
from .scores import reading
from .student_folder import released_files

PIECE = 1 << 20  # bytes that are read at once

_Cells = tuple[tuple[str, str], ...]  # notebook and grade_id of each automatic cell


@dataclass
class Verified:
    """What there is, and in a sentence each what does not match."""

    submissions: int = 0
    arrived: int = 0
    reports: int = 0
    scores: int = 0
    differences: list[str] = field(default_factory=list)


def verify(assignment: Assignment) -> Verified:
    """Hold everything there is of an assignment against everything that was recorded of it.

    Raises:
        CourseError: the assignment is not released.
    """
    check = _Verifier(assignment)
    check.release()
    for student in check.students():
        check.student(student)
    check.gradebook()
    return check.found


class _Verifier:
    def __init__(self, assignment: Assignment):
        self.assignment, self.course, self.name = assignment, assignment.course, assignment.name
        self.found = Verified()
        self.release_hash = release_hash(assignment)
        self.points: dict[str, tuple[_Cells, array[float]]] = {}  # by student: what the reports give
        self.cells: dict[_Cells, _Cells] = {}  # kept once for all who have the same
        self.hashes = recorded_hashes(self.course.report(self.name, "_").parent)

    @cached_property
    def seed(self) -> str:
        path = self.course.root / ".handgrad" / f"seed-{self.name}"
        return path.read_text().strip() if path.is_file() else ""

    def say(self, sentence: str) -> None:
        self.found.differences.append(sentence)

    def students(self) -> list[str]:
        """Everybody of whom there is anything."""
        root, name = self.course.root, self.name
        found = {path.parent.name for path in (root / "submitted").glob(f"*/{name}")}
        found |= {path.name for path in (root / "received" / name).glob("*/")}
        found |= {path.stem for path in (root / "reports" / name).glob("*.json")}
        return sorted(found)

    def release(self) -> None:
        """The folder and the zip that students got hold the same."""
        folder = self.course.release(self.name)
        archive = folder.with_name(f"{self.name}.zip")
        if not archive.is_file():
            return None  # nbgrader's own command makes none
        inside = {}
        try:
            with zipfile.ZipFile(archive) as file:
                for member in file.namelist():
                    with file.open(member) as content:
                        inside[member.removeprefix(f"{self.name}/")] = hashlib.file_digest(content, "sha256")
        except Exception as error:  # zipfile lets through many kinds
            return self.say(f"release/{self.name}.zip cannot be read: {error}.")
        given = {path.relative_to(folder).as_posix(): path for path in released_files(folder)}
        for path in sorted(inside.keys() | given.keys()):
            if path not in given:
                self.say(f"release/{self.name}/{path} is missing: the zip that students got has it.")
            elif path not in inside:
                self.say(f"release/{self.name}/{path} is extra: the zip that students got does not have it.")
            elif inside[path].digest() != _digest(given[path]):
                self.say(f"release/{self.name}/{path} was changed: the zip that students got has another.")
        return None

    def student(self, student: str) -> None:
        log = arrivals.read(self.course.received(self.name, student))
        self._received(student, log)
        submitted = self._submitted(student, log)
        self._report(student, submitted)

    def _received(self, student: str, log: list[Entry]) -> None:
        """The copies of what came are those that the log tells of."""
        folder = self.course.received(self.name, student)
        place = f"received/{self.name}/{student}"
        told: dict[str, Entry] = {e.kept: e for e in log if e.kept and e.what != "counts"}
        there = {path.name for path in folder.glob("*/")}
        for kept in sorted(told.keys() | there):
            if kept not in told:
                self.say(
                    f"{place}/{kept} is extra: the log of arrivals does not tell of it, so a run was killed "
                    "while it came or somebody put it there."
                )
            elif kept not in there:
                self.say(f"{place}/{kept} is missing: it came on {told[kept].at}.")
            else:
                self.found.arrived += 1
                if _tree_hash(folder / kept) != told[kept].sha256:
                    self.say(f"{place}/{kept} was changed after it came on {told[kept].at}.")
        for before, after in pairwise(log):
            if after.at < before.at:
                self.say(
                    f"{place}: this machine's clock was set back between two arrivals, {before.at} and then "
                    f"{after.at}; the later line counts."
                )
        if waiting := arrivals.pending(log):
            self.say(
                f"{place}/{waiting.kept} came on {waiting.at} and is not submitted yet, as a run was "
                f"stopped: run `autograder grade {self.name}`."
            )

    def _submitted(self, student: str, log: list[Entry]) -> str | None:
        """What is to be graded is what counts; returns its hash, or None when there is nothing."""
        folder, counts = self.course.submitted(self.name, student), arrivals.counting(log)
        place = f"submitted/{student}/{self.name}"
        if not folder.is_dir():
            if counts or arrivals.pending(log):
                self.say(f"{place} is missing: hand in received/{self.name}/{student} again.")
            return None
        self.found.submissions += 1
        if counts is None:
            if not arrivals.pending(log):
                inbox = self.course.root / "submitted"
                self.say(
                    f"{place} is extra: no arrival of it was noted, so there is no copy of what came. "
                    f"`autograder grade {self.name} --submitted {inbox}` takes it in."
                )
            return staging.submission_hash(folder, self.assignment)
        found = _tree_hash(folder, leave_out="timestamp.txt")
        if found != counts.submission_hash:
            self.say(f"{place} was changed after it came to count on {counts.at}.")
            return staging.submission_hash(folder, self.assignment)
        return found

    def _report(self, student: str, submitted: str | None) -> None:
        """The report is as the grader wrote it, on this submission, by what is installed."""
        path, place = self.course.report(self.name, student), f"reports/{self.name}/{student}.json"
        try:
            content = path.read_bytes()
            report = Report.model_validate_json(content)
        except FileNotFoundError:
            if student in self.hashes:
                self.say(f"{place} is missing: run `autograder grade {self.name}`.")
            elif submitted is not None:
                self.say(f"{student} is not graded yet: run `autograder grade {self.name}`.")
            return
        except OSError as error:
            return self.say(f"{place} cannot be read: {error.strerror}.")
        except ValidationError:
            whose = "was written by a later version" if is_newer(path) else "is damaged"
            return self.say(f"{place} {whose}, so it cannot be read.")
        self.found.reports += 1
        if sha256(content).hexdigest() not in self.hashes.get(student, ()):
            self.say(f"{place} was changed after it was written.")
        if (report.assignment, report.student) != (self.name, student):
            return self.say(f"{place} is about {report.assignment} of {report.student}.")
        if submitted is None:
            self.say(f"{place} is extra: there is no such submission.")
        if not report.key:
            return self.say(
                f"{student} is not graded yet, as the grader failed: run `autograder grade {self.name}`."
            )
        given = {(q.notebook, q.grade_id): q for q in report.questions if q.kind == "auto"}
        cells = tuple(sorted(given))
        points = array("d", (earned(given[cell], given[cell].max_points) or 0.0 for cell in cells))
        self.points[student] = self.cells.setdefault(cells, cells), points
        if why := self._outdated(report, submitted):
            self.say(f"{student} was graded {why}.")
        return None

    def _outdated(self, report: Report, submitted: str | None) -> str:
        """What the report's key does not agree with."""
        hashes = (report.submission_hash, report.release_hash, report.checks_hash)
        if grading.report_key(*hashes, report.seed, report.isolation) != report.key:
            return "by nobody knows whom: the report's key does not belong to its hashes"
        reasons = {
            "on another version than the one that counts": submitted not in (None, report.submission_hash),
            "on another release than the one that is there": report.release_hash != self.release_hash,
            "by other checks than the installed ones": report.checks_hash != grading.checks_hash(),
            "with another seed than the course's": report.seed != self.seed,
        }
        return " and ".join(reason for reason, holds in reasons.items() if holds)

    def gradebook(self) -> None:
        """The gradebook has each report's points, and nobody else's."""
        absent = set(self.points)
        try:
            for student, rows in groupby(_scores(self.assignment), key=lambda row: row[0]):
                absent.discard(student)
                self._scores(student, {(notebook, cell): score for _, notebook, cell, score in rows})
        except SQLAlchemyError as error:
            why = str(getattr(error, "orig", error)).rstrip(".")
            return self.say(f"The gradebook cannot be read: {why}.")
        except FileNotFoundError as error:
            if self.points:
                self.say(f"The gradebook {error.filename} is missing.")
            return None
        for student in sorted(absent):
            self.say(f"The gradebook has no grades of {student}: run `autograder grade {self.name}`.")
        return None

    def _scores(self, student: str, scores: dict[tuple[str, str], float | None]) -> None:
        self.found.scores += len(scores)
        expected = self.points.get(student)
        if expected is None:
            if (
                any(score for score in scores.values())
                and not self.course.report(self.name, student).exists()
            ):
                self.say(f"The gradebook has grades of {student}, of whom there is no report.")
            return
        for (notebook, cell), points in zip(*expected, strict=True):
            if (notebook, cell) not in scores:
                self.say(f"The gradebook has no cell {cell} in {notebook} of {student}.")
            elif (score := scores[notebook, cell]) != points:
                shown = "nothing" if score is None else f"{score:g}"
                self.say(
                    f"The gradebook gives {student} {shown} for {cell} in {notebook}, the report {points:g}."
                )


def _scores(assignment: Assignment) -> Iterator[tuple[str, str, str, float | None]]:
    """Student, notebook, cell and the checks' points of all that is in the gradebook, by student.

    Raises:
        FileNotFoundError: there is no gradebook.
    """
    query = (
        select(api.SubmittedAssignment.student_id, api.Notebook.name, api.BaseCell.name, api.Grade.auto_score)
        .select_from(api.Grade)
        .join(api.BaseCell, api.Grade.cell_id == api.BaseCell.id)
        .join(api.SubmittedNotebook, api.Grade.notebook_id == api.SubmittedNotebook.id)
        .join(api.Notebook, api.SubmittedNotebook.notebook_id == api.Notebook.id)
        .join(api.SubmittedAssignment, api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id)
        .join(api.Assignment, api.SubmittedAssignment.assignment_id == api.Assignment.id)
        .where(api.Assignment.name == assignment.name)
        .order_by(api.SubmittedAssignment.student_id)
    )
    with reading(assignment.course) as connection:
        for row in connection.execution_options(yield_per=1000).execute(query):
            yield tuple(row)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _tree_hash(folder: Path, leave_out: str = "") -> str:
    """`student_folder.tree_hash` of plain files, read piece by piece; "" for a folder with others in it."""
    whole = sha256()
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name in sorted(_files(paths, leave_out)):
        path = paths[name]
        if path.is_symlink() or not path.is_file():
            return ""
        encoded = name.encode("utf-8", "surrogateescape")
        whole.update(len(encoded).to_bytes(8, "big") + encoded)
        try:
            size = path.stat().st_size
            whole.update(size.to_bytes(8, "big"))
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    whole.update(piece)
        except OSError:
            return ""
    return whole.hexdigest()


def _files(paths: dict[str, Path], leave_out: str) -> Iterable[str]:
    return (
        name for name, path in paths.items() if name != leave_out and (path.is_symlink() or not path.is_dir())
    )
