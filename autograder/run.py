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
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from . import durable, grading, history, staging, temporary
from .course import Assignment, Course, CourseError
from .progress import progress
from .recording import Recorder
from .release import release_hash
from .report import Question, Report, is_newer
from .sandbox import check_available
from .worker import grade_parcel, pack_assignment, pack_submission

DEADLY = "the grader's process died while this was graded, and again when nothing else was"


@dataclass
class ClassResult:
    """What a run did."""

    reports: list[Report] = field(default_factory=list)  # everybody's, graded now or before
    graded: list[str] = field(default_factory=list)  # students graded in this run
    failures: dict[str, str] = field(default_factory=dict)  # by student: what the grader could not do
    outdated: list[str] = field(default_factory=list)  # whose reports other checks or another release made

    def fail(self, student: str, why: str) -> None:
        """Add to what the grader could not do for a student."""
        former = self.failures.get(student)
        self.failures[student] = f"{former} {why}" if former else why


@dataclass(frozen=True)
class Work:
    """A submission to grade, and the key that its report will have."""

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
        CourseError: there is nothing to grade, another run is grading this course, or the disk takes nothing.
        SandboxUnavailable: this machine cannot isolate student code.
    """
    console = console or Console(quiet=True)
    if isolation == "bubblewrap" and scheduler is None and (lacking := check_available()):
        console.print(lacking, style="yellow", markup=False)
    assignment = course.assignment(name)
    result = ClassResult()
    with _stopping_where_nothing_can_be_kept(course), only_run(course):
        _tidy_up(assignment)
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
            gradebook = Recorder(course, _teller(console), result.fail)
            for report in finished:
                gradebook.record(report)
                result.reports.append(report)
                advance(report.student, "graded before")
            if todo:
                with client_of(jobs, scheduler, len(todo)) as client:
                    for work, outcome in outcomes(client, assignment, seed, isolation, todo):
                        report = accept(course, assignment, work, outcome, result, seed, isolation)
                        if report.key == work.key:
                            gradebook.record(report)
                        result.reports.append(report)
                        on_report(report)
                        failure = result.failures.get(work.student)
                        advance(work.student, failure or points_of(report), failed=failure is not None)
            gradebook.finish()
    return result


def _teller(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _stopping_where_nothing_can_be_kept(course: Course) -> Iterator[None]:
    """End the run with a sentence when the disk takes no more: further grades could not be kept."""
    try:
        yield
    except OSError as error:
        if trouble := durable.lasting_trouble(error):
            raise CourseError(
                f"{trouble}. Everything graded so far is kept in {course.root}: run the same command again."
            ) from None
        raise


def _tidy_up(assignment: Assignment) -> None:
    """Complete what a killed run had begun to receive, and remove what it left."""
    temporary.sweep()
    staging.resume(assignment)
    reports = assignment.course.report(assignment.name, "_").parent
    reports.mkdir(parents=True, exist_ok=True)
    durable.sweep_temporaries(reports)


def by_sentence(failures: dict[str, str]) -> dict[str, str]:
    """Who failed for one reason, by that reason: with a full disk it is the same for a whole class."""
    students: dict[str, list[str]] = {}
    for student, why in sorted(failures.items()):
        students.setdefault(why, []).append(student)
    return {
        why: ", ".join(names[:5]) + (f" and {len(names) - 5} others" if len(names) > 5 else "")
        for why, names in students.items()
    }


def points_of(report: Report) -> str:
    """A report's points, for the progress of a run."""
    return f"{report.auto_points:g} of {report.max_auto_points:g} points"


@contextmanager
def only_run(course: Course) -> Iterator[None]:
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
        except OSError as error:
            if durable.lasting_trouble(error):
                raise
            refused[arrival.student] = f"not received: {sentence(error)}. The next run tries again."
        except CourseError as error:
            refused[arrival.student] = f"not received: {error}"
    return refused


def _split(
    assignment: Assignment, seed: str, isolation: str, result: ClassResult
) -> tuple[list[Work], list[Report]]:
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
            result.fail(student, f"not graded: {error}. Rename its folder in {folder.parents[1]}.")
            continue
        try:
            work = Work(student, grading.key_of(folder, assignment, seed, isolation))
            report = _report_of(assignment, student)
        except (CourseError, OSError) as error:
            result.fail(student, f"not graded: {sentence(error)}.")
            continue
        if report is not None and report.key == work.key:
            finished.append(report)
        elif report is not None and history.about_this(report, folder, assignment, isolation):
            finished.append(report)
            result.outdated.append(student)
        else:
            todo.append(work)
    return todo, finished


def _report_of(assignment: Assignment, student: str) -> Report | None:
    """The report that is there. Raises CourseError when a later version wrote it: it is not replaced."""
    path = assignment.course.report(assignment.name, student)
    try:
        return Report.read(path)
    except FileNotFoundError:
        return None
    except ValidationError:
        if is_newer(path):
            raise CourseError(
                f"{path} was written by a later version of handgrad: install that, or move the file away"
            ) from None
        return None


@contextmanager
def client_of(jobs: int | None, scheduler: str | None, tasks: int):
    """A client of a cluster on this machine, which no other user of it can enter, or of `scheduler`."""
    import dask
    from distributed import Client, LocalCluster, Security

    settings = {
        "distributed.scheduler.allowed-failures": 0,  # what was on a worker that died is tried again alone
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


def outcomes(client, assignment: Assignment, seed: str, isolation: str, todo: list[Work]):
    """Each piece of work with its report's JSON or its exception, as they come; few are under way at once.

    A worker that dies takes with it what it was grading and what waited there, and nobody knows which of them
    killed it. They are tried again at the end, each alone: who is alone with a worker's death is its cause.
    """
    from distributed import as_completed

    course = pack_assignment(assignment)
    waiting, under_way, suspects = iter(todo), {}, []

    def send(work: Work):
        return client.submit(
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

    def send_next() -> Iterator[tuple[Work, BaseException]]:
        """Send one; before it come those that cannot be sent."""
        for work in waiting:
            try:
                future = send(work)
            except (CourseError, OSError) as error:
                yield work, error
            else:
                under_way[future.key] = work
                arriving.add(future)
                return

    arriving = as_completed(loop=client.loop)
    for _ in range(2 * max(1, len(client.scheduler_info()["workers"]))):
        yield from send_next()
    for future in arriving:
        outcome, work = _outcome(future), under_way.pop(future.key)
        yield from send_next()
        if _killed(outcome):
            suspects.append(work)
        else:
            yield work, outcome
    for work in suspects:
        try:
            outcome = _outcome(send(work))
        except (CourseError, OSError) as error:
            outcome = error
        yield work, outcome


def _outcome(future) -> str | BaseException:
    """What a worker returned or raised; waits for it."""
    try:
        return future.result()
    except Exception as error:  # the worker can die once more while its result is on the way
        return error
    finally:
        future.release()


def _killed(outcome: str | BaseException) -> bool:
    return type(outcome).__name__ == "KilledWorker"


def accept(
    course: Course,
    assignment: Assignment,
    work: Work,
    outcome: str | BaseException,
    result: ClassResult,
    seed: str,
    isolation: str,
) -> Report:
    """Write a report, and its share of the gradebook. A grader's fault costs no points: it is tried again."""
    try:
        report = verdict(work, outcome)
    except Exception as error:
        if _killed(error):
            return _deadly(assignment, work, result, seed, isolation)
        result.fail(work.student, f"not graded: {sentence(error)}. The next run tries again.")
        former = _report_of(assignment, work.student)
        if former is not None and former.key:
            return former  # better than nothing, and what the gradebook has
        report = _not_graded(assignment, work, result.failures[work.student], seed, isolation)
        _put(course, report)
        return report
    _put(course, report)
    result.graded.append(work.student)
    return report


def _deadly(assignment: Assignment, work: Work, result: ClassResult, seed: str, isolation: str) -> Report:
    """The report on what killed a worker when it was alone there: a person grades it, no run tries again."""
    path = assignment.course.report(assignment.name, work.student)
    result.fail(
        work.student,
        f"not graded: {DEADLY}. A person grades it. To have it tried again, delete {path} and run the same "
        "command.",
    )
    report = _not_graded(assignment, work, f"Not graded by the checks: {DEADLY}.", seed, isolation)
    folder = assignment.course.submitted(assignment.name, work.student)
    report.submission_hash = staging.submission_hash(folder, assignment)
    report.release_hash, report.checks_hash = release_hash(assignment), grading.checks_hash()
    report.key, report.times.graded_at = work.key, datetime.now(UTC).isoformat(timespec="seconds")
    for question in report.questions:
        question.status = "manual"
        if question.kind == "auto":
            question.explanation = f"{DEADLY[0].upper()}{DEADLY[1:]}: a person grades it."
    _put(assignment.course, report)
    return report


def verdict(work: Work, outcome: str | BaseException) -> Report:
    """The report in what a worker returned; raises what went wrong."""
    if isinstance(outcome, BaseException):
        raise outcome
    report = Report.model_validate_json(outcome)
    if (report.key, report.student) != (work.key, work.student):
        raise CourseError(
            "the worker's handgrad is not the one installed here, so its verdict does not count"
        )
    return report


def _put(course: Course, report: Report) -> None:
    """The one place where a run replaces a report: the former one goes to the history."""
    history.replace(course, report)


def sentence(error: BaseException) -> str:
    """What an error says, in one sentence without its end."""
    if _killed(error):
        return DEADLY
    text = str(error).strip().split("\n")[0].rstrip(".")
    return text if isinstance(error, CourseError) and text else f"{type(error).__name__}: {text}"


def _not_graded(assignment: Assignment, work: Work, why: str, seed: str, isolation: str) -> Report:
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
