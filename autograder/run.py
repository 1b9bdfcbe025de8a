"""Grade a class: submissions go out to Dask workers, reports come back, one writer fills the gradebook.

The run may be killed at any moment. A report is written whole or not at all, under a key that covers all that
went into it; the same command finds the reports that are there and goes on with the rest.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from . import grading, history, staging
from .course import Assignment, Course, CourseError
from .nbgrader import writer
from .progress import progress
from .report import Question, Report
from .sandbox import check_available
from .worker import grade_parcel, pack_assignment, pack_submission


@dataclass
class ClassResult:
    """What a run did."""

    reports: list[Report] = field(default_factory=list)  # everybody's, graded now or before
    graded: list[str] = field(default_factory=list)  # students graded in this run
    failures: dict[str, str] = field(default_factory=dict)  # by student: what the grader could not do
    outdated: list[str] = field(default_factory=list)  # whose reports other checks or another release made


@dataclass(frozen=True)
class _Work:
    student: str
    key: str


def grade_class(
    course: Course,
    name: str,
    submitted: Path | None = None,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    isolation: str = "bubblewrap",
    console: Console | None = None,
    on_report: Callable[[Report], None] = lambda report: None,
) -> ClassResult:
    """Receive what is in `submitted`, grade whatever has no report yet, fill the gradebook.

    Args:
        submitted: a folder of submissions to receive first; None grades what was received before.
        jobs: worker processes on this machine; None means one per processor.
        scheduler: address of a Dask scheduler to use in their place.
        isolation: "bubblewrap", or "none" for code you trust.
    Raises:
        CourseError: there is nothing to grade, or another run is grading this course.
        SandboxUnavailable: this machine cannot isolate student code.
    """
    console = console or Console(quiet=True)
    if isolation == "bubblewrap" and scheduler is None and (lacking := check_available()):
        console.print(lacking, style="yellow", markup=False)
    assignment = course.assignment(name)
    result = ClassResult()
    with _only_run(course):
        if submitted is not None:
            result.failures.update(_receive(submitted, assignment))
        seed = course.seed(name)
        todo, finished = _split(assignment, seed, isolation, result)
        if not todo and not finished and not result.failures:
            raise CourseError(
                f"There are no submissions of {name} in {course.root / 'submitted'}: "
                f"name a folder of them with --submitted."
            )
        with progress(console, len(todo) + len(finished)) as advance:
            for report in finished:
                _record(course, report, result)
                result.reports.append(report)
                advance(report.student, "graded before")
            if todo:
                with _client(jobs, scheduler, len(todo)) as client:
                    for work, outcome in _outcomes(client, assignment, seed, isolation, todo):
                        report = _accept(course, assignment, work, outcome, result, seed, isolation)
                        result.reports.append(report)
                        on_report(report)
                        failure = result.failures.get(work.student)
                        advance(work.student, failure or _points(report), failed=failure is not None)
    return result


def _points(report: Report) -> str:
    return f"{report.auto_points:g} of {report.max_auto_points:g} points"


@contextmanager
def _only_run(course: Course) -> Iterator[None]:
    """Hold the course's lock, which the system drops when this process ends in whatever way."""
    with (course.private / "grading.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CourseError(
                f"Another run is grading {course.root}: wait for it, or stop it first."
            ) from None
        yield


def _receive(folder: Path, assignment: Assignment) -> dict[str, str]:
    """Take in what arrived; returns, by student, why something could not be taken."""
    if not folder.is_dir():
        raise CourseError(f"--submitted names {folder}, which is no folder.")
    refused = {}
    for arrival in staging.receive(folder, assignment):
        try:
            staging.collect(arrival, assignment.course, assignment)
        except CourseError as error:
            refused[arrival.student] = f"not received: {error}"
    return refused


def _split(
    assignment: Assignment, seed: str, isolation: str, result: ClassResult
) -> tuple[list[_Work], list[Report]]:
    """Which submissions to grade, and the reports of those that are graded.

    A report by other checks stands: who adds a late submission must not change anybody else's grade. It is
    `autograder regrade` that does, and shows it first.
    """
    todo, finished = [], []
    for folder in sorted((assignment.course.root / "submitted").glob(f"*/{assignment.name}")):
        student = folder.parent.name
        try:
            staging.check_student_id(student)
        except CourseError as error:
            result.failures[student] = f"not graded: {error}. Rename its folder in {folder.parents[1]}."
            continue
        work = _Work(student, grading.key_of(folder, assignment, seed, isolation))
        try:
            report = Report.read(assignment.course.report(assignment.name, student))
        except (FileNotFoundError, ValidationError):
            report = None
        if report is not None and report.key == work.key:
            finished.append(report)
        elif report is not None and history.about_this(report, folder, assignment, isolation):
            finished.append(report)
            result.outdated.append(student)
        else:
            todo.append(work)
    return todo, finished


@contextmanager
def _client(jobs: int | None, scheduler: str | None, tasks: int):
    """A client of a cluster on this machine, which no other user of it can enter, or of `scheduler`."""
    import dask
    from distributed import Client, LocalCluster, Security

    settings = {
        "distributed.scheduler.allowed-failures": 1,  # a second worker may try what killed the first
        "distributed.admin.large-graph-warning-threshold": "1GB",  # submissions travel inside their tasks
        "distributed.scheduler.http.routes": [],  # no pages: other users of this machine could read them
        "distributed.worker.http.routes": [],
    }
    with dask.config.set(settings):
        if scheduler is not None:
            try:
                client = Client(scheduler, timeout="5s", set_as_default=False)
            except (OSError, ValueError) as error:
                raise CourseError(f"No Dask scheduler answers at {scheduler}: {error}") from None
            with client:
                yield client
            return
        security = Security.temporary()
        with _ctrl_c_ignored():  # by the workers: it is this process that stops them
            cluster = LocalCluster(
                n_workers=max(1, min(jobs or os.cpu_count() or 1, tasks)),
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls://",
                security=security,
                dashboard_address="127.0.0.1:0",  # None would be port 8787, and a warning when that is taken
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,
            )
        with cluster, Client(cluster, security=security, set_as_default=False) as client:
            yield client


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Processes that start meanwhile ignore Ctrl-C for good."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def _outcomes(client, assignment: Assignment, seed: str, isolation: str, todo: list[_Work]):
    """Each piece of work with its report's JSON or its exception, as they come; few are under way at once."""
    from distributed import as_completed

    course = pack_assignment(assignment)
    waiting, under_way = iter(todo), {}

    def send(work: _Work) -> None:
        future = client.submit(
            grade_parcel,
            course,
            assignment.name,
            pack_submission(assignment, work.student),
            work.student,
            seed,
            isolation,
            pure=False,
            retries=1,
        )
        under_way[future.key] = work
        arriving.add(future)

    arriving = as_completed(loop=client.loop)
    for work in islice(waiting, 2 * max(1, len(client.scheduler_info()["workers"]))):
        send(work)
    for future in arriving:
        outcome = future.exception() if future.status == "error" else future.result()
        future.release()
        if (following := next(waiting, None)) is not None:
            send(following)
        yield under_way.pop(future.key), outcome


def _accept(
    course: Course,
    assignment: Assignment,
    work: _Work,
    outcome: str | BaseException,
    result: ClassResult,
    seed: str,
    isolation: str,
) -> Report:
    """Write a report, and its share of the gradebook. A grader's fault costs no points: it is tried again."""
    try:
        report = _verdict(work, outcome)
    except Exception as error:
        result.failures[work.student] = f"not graded: {_sentence(error)}. The next run tries again."
        report = _not_graded(assignment, work, result.failures[work.student], seed, isolation)
        history.replace(course, report)
        return report
    history.replace(course, report)
    result.graded.append(work.student)
    _record(course, report, result)
    return report


def _verdict(work: _Work, outcome: str | BaseException) -> Report:
    """The report in what a worker returned; raises what went wrong."""
    if isinstance(outcome, BaseException):
        raise outcome
    report = Report.model_validate_json(outcome)
    if (report.key, report.student) != (work.key, work.student):
        raise CourseError(
            "the worker's handgrad is not the one installed here, so its verdict does not count"
        )
    return report


def _record(course: Course, report: Report, result: ClassResult) -> None:
    try:
        writer.write(course, report.assignment, report.student)
    except CourseError as error:
        result.failures[report.student] = f"graded, but not in the gradebook: {_sentence(error)}"


def _sentence(error: BaseException) -> str:
    if type(error).__name__ == "KilledWorker":
        return "the worker process died twice while grading it"
    text = str(error).strip().split("\n")[0].rstrip(".")
    return text if isinstance(error, CourseError) and text else f"{type(error).__name__}: {text}"


def _not_graded(assignment: Assignment, work: _Work, why: str, seed: str, isolation: str) -> Report:
    questions = [
        Question(
            notebook=cell.notebook,
            grade_id=cell.grade_id,
            title=cell.title,
            kind=cell.kind,
            max_points=cell.points,
            status="crash" if cell.kind == "auto" else "manual",
        )
        for cell in assignment.grade_cells
    ]
    return Report(
        assignment=assignment.name,
        student=work.student,
        key="",  # no submission has this key, so it counts as not graded
        seed=seed,
        submission_hash="",
        release_hash="",
        checks_hash="",
        isolation=isolation,
        questions=questions,
        notes=[why],
    )
