"""Grade again what other checks graded, and say what that changes before it counts.

`preview` grades every submission whose report has another key than a report of today would have, and puts the
new reports into .handgrad/regrade/<assignment>/. `regrade` does the same, finds what a preview has made, and
then puts the new reports in place of the old ones, which go to the history. Both may be killed at any moment:
the same command goes on from there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError
from rich.console import Console

from . import grading, history, run
from .class_table import short
from .course import Assignment, Course, CourseError
from .nbgrader import writer
from .pages import STATUS_WORDS, number
from .plain import harmless
from .progress import progress
from .report import Question, Report
from .sandbox import check_available
from .scores import Score, read_scores
from .staging import STUDENT_ID

_CAUSES = {  # what decides a verdict, by the report's field
    "checks_hash": "the checks",
    "release_hash": "the release",
    "submission_hash": "the submission",
    "seed": "the seed",
    "isolation": "the isolation",
}
_HEADINGS = {
    "lower": "Lower",
    "higher": "Higher",
    "moved": "The same sum, other points in single questions",
    "explained": "Only the explanation",
}
_KINDS = {
    "lower": "lose",
    "higher": "gain",
    "moved": "the same sum with other points in single questions",
    "explained": "only the explanation",
}


@dataclass(frozen=True)
class Difference:
    """A question whose verdict is another one now."""

    notebook: str
    grade_id: str
    old: Question | None  # None: the former release did not ask it
    new: Question | None  # None: today's release does not ask it
    by_hand: float | None = None  # what a person gave in place of the checks, which stands

    @property
    def gain(self) -> float:
        """By how much the grade changes."""
        return 0.0 if self.by_hand is not None else _points(self.new) - _points(self.old)

    @property
    def scored(self) -> bool:
        """Whether the checks' points or the maximum change, and not the words alone."""
        return any(getattr(self.old, name, None) != getattr(self.new, name, None) for name in _SCORED)


_SCORED = ("points", "max_points", "kind")


@dataclass(frozen=True)
class Change:
    """A student whose report is another one now."""

    old: Report
    new: Report
    differences: list[Difference]

    @property
    def student(self) -> str:
        return self.new.student

    @property
    def gain(self) -> float:
        """By how much the grade changes; a person's points count in place of the checks'."""
        return round(sum(d.gain for d in self.differences), 2)

    @property
    def kind(self) -> str:
        """One of "lower", "higher", "moved" (other points, the same sum) and "explained"."""
        if self.gain:
            return "lower" if self.gain < 0 else "higher"
        return "moved" if any(d.scored for d in self.differences) else "explained"

    @property
    def causes(self) -> list[str]:
        """What of all that decides a verdict is another one than before."""
        return [what for name, what in _CAUSES.items() if getattr(self.old, name) != getattr(self.new, name)]


@dataclass
class Result:
    """What a preview or a regrading found."""

    changes: list[Change] = field(default_factory=list)  # who loses first, the largest loss on top
    unchanged: list[str] = field(default_factory=list)  # whose report is of today
    same: list[str] = field(default_factory=list)  # whose new report says what the old one said
    failures: dict[str, str] = field(default_factory=dict)  # by student: what the grader could not do
    ungraded: list[str] = field(default_factory=list)  # who has no report that could change
    graded: list[str] = field(default_factory=list)  # whose new report was made in this run

    @property
    def summary(self) -> str:
        """The sums in one line."""
        counts = {kind: sum(change.kind == kind for change in self.changes) for kind in _KINDS}
        order = ("higher", "lower", "moved", "explained")
        parts = ", ".join(f"{counts[kind]} {_KINDS[kind]}" for kind in order if counts[kind])
        stay = len(self.unchanged) + len(self.same)
        return f"{len(self.changes)} change{f': {parts}' if parts else ''}; {stay} stay"


@dataclass(frozen=True)
class _Pair:
    """A student's report and the one that is to take its place, or took it before the run was stopped."""

    old: Report
    new: Report
    placed: bool = False


def preview(course: Course, name: str, students: Iterable[str] | None = None, **options) -> Result:
    """Find out what grading again would change, and change nothing.

    Args:
        students: only these.
        options: jobs, scheduler, isolation and console, as in `run.grade_class`.
    Raises:
        CourseError: nothing is graded yet, a student is unknown, or another run is grading this course.
        SandboxUnavailable: this machine cannot isolate student code.
    """
    with run.only_run(course):
        result, _ = _prepare(course, name, students, **options)
    return result


def regrade(course: Course, name: str, students: Iterable[str] | None = None, **options) -> Result:
    """Put the new reports in place and into the gradebook; a person's points and comments stay.

    What a preview has graded is not graded again. Arguments and errors are those of `preview`.
    """
    with run.only_run(course):
        result, pairs = _prepare(course, name, students, **options)
        for pair in pairs:
            if not pair.placed:
                history.replace(course, pair.new)
        for student in sorted([pair.new.student for pair in pairs] + result.unchanged):
            try:
                writer.write(course, name, student)
            except CourseError as error:
                result.failures[student] = f"graded again, but not in the gradebook: {error}"
        for pair in pairs:
            if pair.new.student not in result.failures:
                _draft(course, name, pair.new.student).unlink(missing_ok=True)
    return result


def _prepare(
    course: Course,
    name: str,
    students: Iterable[str] | None,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    isolation: str = "bubblewrap",
    console: Console | None = None,
) -> tuple[Result, list[_Pair]]:
    """Grade what no preview has graded yet, and compare."""
    if isolation == "bubblewrap" and scheduler is None:
        check_available()
    assignment, seed = course.assignment(name), course.seed(name)
    result, pairs, todo = Result(), [], {}
    for student in _students(course, name, students):
        key = grading.key_of(course.submitted(name, student), assignment, seed, isolation)
        old, new = _read(course.report(name, student)), _read(_draft(course, name, student))
        if old is None or not old.key:
            result.ungraded.append(student)
        elif new is not None and new.key == key:
            placed = old.key == key
            former = history.former_reports(course, name, student) if placed else []
            pairs.append(_Pair(former[-1] if former else old, new, placed))
        elif old.key == key:
            result.unchanged.append(student)
        else:
            todo[student] = run.Work(student, key), old
    if not (pairs or todo or result.unchanged):
        raise CourseError(f"Nobody's {name} is graded yet: run `autograder grade {name}`.")
    if todo:
        works = [work for work, _ in todo.values()]
        for report in _graded(assignment, seed, isolation, works, result, jobs, scheduler, console):
            pairs.append(_Pair(todo[report.student][1], report))
            result.graded.append(report.student)
    _compare(course, name, pairs, result)
    return result, pairs


def _students(course: Course, name: str, wanted: Iterable[str] | None) -> list[str]:
    there = sorted(folder.parent.name for folder in (course.root / "submitted").glob(f"*/{name}"))
    there = [student for student in there if STUDENT_ID.fullmatch(student)]
    if wanted is None:
        return there
    wanted = sorted(set(wanted))
    if unknown := [student for student in wanted if student not in there]:
        raise CourseError(f"There is no submission of {name} by {', '.join(unknown)}: check the spelling.")
    return wanted


def _graded(
    assignment: Assignment,
    seed: str,
    isolation: str,
    todo: list[run.Work],
    result: Result,
    jobs: int | None,
    scheduler: str | None,
    console: Console | None,
) -> Iterator[Report]:
    """The new reports, each written to the preview's folder before anything else happens to it."""
    course, name = assignment.course, assignment.name
    with (
        progress(console or Console(quiet=True), len(todo)) as advance,
        run.client_of(jobs, scheduler, len(todo)) as client,
    ):
        for work, outcome in run.outcomes(client, assignment, seed, isolation, todo):
            try:
                report = run.verdict(work, outcome)
                report.write(_draft(course, name, work.student))
            except Exception as error:  # the grader's fault changes nobody's grade
                why = f"not graded again: {run.sentence(error)}. The report that is there stays."
                result.failures[work.student] = why
                advance(work.student, why, failed=True)
                continue
            advance(work.student, run.points_of(report))
            yield report


def _draft(course: Course, name: str, student: str) -> Path:
    """Where the report waits that a preview made."""
    return course.private / "regrade" / name / f"{student}.json"


def _read(path: Path) -> Report | None:
    try:
        return Report.read(path)
    except (FileNotFoundError, ValidationError):
        return None


def _compare(course: Course, name: str, pairs: list[_Pair], result: Result) -> None:
    sheets = read_scores(course, name) if pairs else {}
    for pair in pairs:
        student = pair.new.student
        cells = sheets[student].cells if student in sheets else {}
        if differences := list(_differences(pair, cells)):
            result.changes.append(Change(pair.old, pair.new, differences))
        else:
            result.same.append(student)
    kinds = list(_KINDS)
    result.changes.sort(key=lambda c: (kinds.index(c.kind), -abs(c.gain), c.student))


def _differences(pair: _Pair, cells: dict[tuple[str, str], Score]) -> Iterator[Difference]:
    old, new = ({(q.notebook, q.grade_id): q for q in report.questions} for report in (pair.old, pair.new))
    for place in {**new, **old}:
        before, after = old.get(place), new.get(place)
        if _verdict(before) != _verdict(after):
            score = cells.get(place)
            yield Difference(*place, before, after, score.manual if score else None)


def _verdict(question: Question | None) -> dict | None:
    """What a student is told; sizes of errors, which depend on the seed, and titles are left out."""
    if question is None:
        return None
    told = question.model_dump(exclude={"title", "comparisons"})
    return told | {"parts": [(c.part, c.passed) for c in question.comparisons]}


def _points(question: Question | None) -> float:
    return (question.points or 0.0) if question else 0.0


# ---- the list


def lines(result: Result) -> Iterator[str]:
    """The list for a person: who loses first, with each question and why."""
    for kind, changes in groupby(result.changes, key=lambda change: change.kind):
        yield f"{_HEADINGS[kind]}:"
        for change in changes:
            old, new = change.old, change.new
            gain = f" ({change.gain:+g})" if change.gain else ""
            yield (
                f"  {change.student}: {number(old.auto_points)} → {number(new.auto_points)} of "
                f"{number(new.max_auto_points)} points{gain}; what is new: {', '.join(change.causes)}"
            )
            for d in change.differences:
                yield f"    {d.grade_id}: {_line(d)}"


def write_csv(result: Result, file: TextIO) -> None:
    """The same list as a table, a row for each student and question, with the explanations in full."""
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    for change in result.changes:
        for d in change.differences:
            row = [change.student, change.kind, change.gain, "; ".join(change.causes), d.notebook, d.grade_id]
            for values in zip(_told(d.old), _told(d.new), strict=True):
                row += values
            row.append("" if d.by_hand is None else d.by_hand)
            rows.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])


def write_file(result: Result, path: Path) -> None:
    """Write the table to a file. Raises CourseError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            write_csv(result, file)
    except OSError as error:
        raise CourseError(f"The list cannot be written to {path}: {error.strerror}.") from None


def kept_in(course: Course, name: str) -> Path:
    """Where former reports lie, in a folder for each student."""
    return history.folder_of(course, name, "_").parent


COLUMNS = ["student", "change", "gain", "what_is_new", "notebook", "question"]
COLUMNS += [
    f"{age}_{what}"
    for what in ("points", "max_points", "status", "misconception", "explanation")
    for age in ("old", "new")
]
COLUMNS.append("points_by_hand")


def _told(question: Question | None) -> list:
    if question is None:
        return ["", "", "not asked", "", ""]
    q = question
    points = "" if q.points is None else q.points
    return [points, q.max_points, q.status, q.misconception or "", q.explanation]


def _line(d: Difference) -> str:
    old, new = (
        "not asked" if q is None else f"{number(q.points)} of {number(q.max_points)}, {_short(q)}"
        for q in (d.old, d.new)
    )
    stands = "" if d.by_hand is None else f" (a person gave {number(d.by_hand)}, which stands)"
    return f"{old} → {new}{stands}"


def _short(question: Question) -> str:
    words = STATUS_WORDS[question.status]
    return f"{words}: {short(question.explanation)}" if question.explanation else words
