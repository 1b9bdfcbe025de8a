"""Grade one submission: stage it, run the checks on it in sandboxes, and put the verdicts into a Report.

Notable:
- A network is not blamed for its layers: where a function that a check uses has failed its own check, the
  check runs again in another sandbox, with the reference in that function's place.
- A module that cannot be imported is mended: what is broken in it costs its own points (see mending.py). One
  that cannot be mended costs its functions' points; for all other checks the release's version of it, with
  nothing solved, stands in its place.
- What one submission may cost is bounded: each call, all calls together, and less for each after two time-
  outs.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from . import staging, temporary
from .checks import Check, Expect, checks_of
from .checks.expect import sentence
from .checks.probing import ignored_arguments
from .checks.running import number_from, run_check
from .course import REPOSITORY, Assignment, GradeCell
from .mending import mend_modules
from .misconceptions.explain import recognise
from .release import release_hash, released_folder
from .report import Question, Report, Status, Times
from .salvage import FOR_A_PERSON
from .sandbox import Limits, Session, StudentError

UNCHECKED = "There is no hidden check for this cell: a person grades it."
WITHOUT = "The machine that graded this has no package {}: a person grades it."
PATIENCE = 2  # so many time-outs and crashes, then calls get SHORT seconds
SHORT = 5.0  # a busy machine can keep an honest call waiting for more than 2
LARGE = 8 << 30  # bytes of address space where packages such as PyTorch are needed

_STATUS: dict[str, Status] = {
    "not_attempted": "not_attempted",
    "timeout": "timeout",
    "crash": "crash",
    "memory": "crash",
    "exception": "error",
    "missing": "error",
    "invalid": "error",
}
_ADVICE = {
    "timeout": (
        "Does every loop end? Work on whole arrays where you can: NumPy's loops are a hundred times faster."
    ),
    "memory": "Does an array grow in a loop, or does a broadcast make one with far too many entries?",
}


def grade_submission(
    submission: Path,
    assignment: Assignment,
    student: str,
    seed: str,
    isolation: str = "bubblewrap",
    limits: Limits | None = None,
) -> Report:
    """Grade one submission.

    Args:
        submission: the folder or zip that was handed in; it is only read.
        assignment: the assignment, which must be released.
        student: whose it is.
        seed: the secret from which the hidden inputs come; the same for a whole class.
        isolation: "bubblewrap", or "none" for code you trust.
        limits: what the submission may use.
    Raises:
        CourseError: the assignment is not released.
        SandboxUnavailable: this machine cannot isolate student code.
    """
    started = time.monotonic()
    checks = checks_of(assignment)
    with temporary.Folder(passable=True) as scratch:
        staged = staging.stage(submission, assignment, scratch.path / "submission")
        grader = _Grader(scratch.path, staged.tree, assignment, student, seed, isolation, limits or Limits())
        verdicts = grader.grade(list(checks.values()))
    questions = [
        _question(cell, checks.get(cell), *verdicts.get(cell.grade_id, ())) for cell in assignment.grade_cells
    ]
    for question, cell in zip(questions, assignment.grade_cells, strict=True):
        if cell in checks:
            _explain(question, checks[cell], verdicts[cell.grade_id][0], seed)
        if question.grade_id in staged.person and question.kind == "auto" and question.status != "passed":
            question.points, question.status = None, "manual"
            question.explanation, question.advice, question.misconception = FOR_A_PERSON, "", None
    hashes = (staged.submission_hash, release_hash(assignment), checks_hash())
    return Report(
        assignment=assignment.name,
        student=student,
        key=report_key(*hashes, seed, isolation),
        seed=seed,
        submission_hash=hashes[0],
        release_hash=hashes[1],
        checks_hash=hashes[2],
        isolation=isolation,
        questions=questions,
        notes=[*staged.notes, *grader.notes],
        times=Times(
            graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - started, 2),
        ),
    )


def key_of(submission: Path, assignment: Assignment, seed: str, isolation: str) -> str:
    """The key that the report on this submission will have, without running anything."""
    submitted = staging.submission_hash(submission, assignment)
    return report_key(submitted, release_hash(assignment), checks_hash(), seed, isolation)


def report_key(submission_hash: str, release_hash: str, checks_hash: str, seed: str, isolation: str) -> str:
    """SHA-256 of everything that decides a verdict."""
    return hashlib.sha256(
        "\n".join([submission_hash, release_hash, checks_hash, seed, isolation]).encode()
    ).hexdigest()


@functools.cache
def checks_hash() -> str:
    """SHA-256 of the code that decides: checks, misconceptions, sandbox, this file and the reference."""
    here = Path(__file__).parent
    folders = [here / "checks", here / "misconceptions", here / "sandbox", REPOSITORY / "handgrad"]
    files = [
        here / "grading.py",
        here / "mending.py",
        *(path for folder in folders for path in folder.rglob("*.py")),
    ]
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(f"{path.relative_to(REPOSITORY)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


class _Grader:
    """Runs the checks on one staged submission."""

    def __init__(
        self,
        scratch: Path,
        tree: Path,
        assignment: Assignment,
        student: str,
        seed: str,
        isolation: str,
        limits: Limits,
    ):
        self.scratch, self.tree, self.assignment, self.student = scratch, tree, assignment, student
        self.seed, self.isolation, self.limits = seed, isolation, limits
        self.deadline = time.monotonic() + limits.total
        self.breakdowns = 0
        self.notes: list[str] = []  # on modules that were mended

    def grade(self, checks: list[Check]) -> dict[str, tuple[Expect, list[str]]]:
        """What each check found, by grade_id, and the functions that the reference stood in for."""
        verdicts: dict[str, tuple[Expect, list[str]]] = {}
        stuck: set[str] = set()  # functions that hang, or break channel or module: others do without
        for check in checks:
            if lacking := [package for package in check.needs if find_spec(package) is None]:
                verdicts[check.grade_id] = (Expect(check.parts, by_hand=WITHOUT.format(lacking[0])), [])
        checks = [check for check in checks if check.grade_id not in verdicts]
        with contextlib.ExitStack() as opened:
            sessions = {
                needs: opened.enter_context(self._session(needs)) for needs in {c.needs for c in checks}
            }
            broken = self._repair(sessions)
            for check in checks:
                if error := broken.get(_module(check.function)):
                    found = _failed(check, error)
                    stuck.update(check.functions)
                elif stuck.intersection(check.uses):
                    continue
                else:
                    found = self._run(check, sessions[check.needs])
                verdicts[check.grade_id] = (found, [])
                if any(error.kind in ("timeout", "crash", "memory", "invalid") for error in found.errors):
                    stuck.update(check.functions)

        failed = [c for c in checks if c.grade_id in verdicts and verdicts[c.grade_id][0].fraction < 1]
        wrong = {function for c in failed for function in c.functions if _module(function)}
        absent = {
            function
            for c in failed
            for function in c.functions
            if any(error.kind == "not_attempted" for error in verdicts[c.grade_id][0].errors)
        }
        groups = defaultdict(list)
        for check in checks:
            first = verdicts.get(check.grade_id)
            used = frozenset(wrong.intersection(check.uses) - {*check.functions})
            again = first is None or (first[0].fraction < 1 and _module(check.function) not in broken)
            if check.saved and not absent.isdisjoint(used):
                continue  # who has not written the network has not trained it
            if used and again:
                groups[tuple(sorted(used)), check.needs].append(check)
        for (used, needs), again in sorted(groups.items()):
            with self._session(needs, _substitutes(used)) as session:
                for check in again:
                    first, second = verdicts.get(check.grade_id), self._run(check, session)
                    # Exceptions are told in full only where no reference code is around.
                    if first is None or (second.fraction, not second.errors) > (first[0].fraction, False):
                        names = sorted(_short(name) for name in used)
                        verdicts[check.grade_id] = (second, names)
        return verdicts

    def _session(
        self, needs: tuple[str, ...] = (), substitutes: Mapping[str, set[str]] | None = None
    ) -> Session:
        memory = LARGE if needs else self.limits.memory
        limits = replace(self.limits, memory=max(memory, self.limits.memory))
        return Session(self.tree, self.isolation, limits, substitutes, self.modules, needs, self.deadline)

    def _run(self, check: Check, session: Session) -> Expect:
        scales = self.assignment.manifest.accuracy.get(check.grade_id, {})
        if self.breakdowns >= PATIENCE:
            session.limits = replace(session.limits, call=min(SHORT, session.limits.call))
        try:
            with session.student(seed=number_from(self.seed, check.grade_id)) as student:
                found = run_check(check, student, self.seed, scales, self.student)
                name = check.function.rpartition(".")[2]
                found.changed, found.warning = sorted(session.changed.get(name, ())), session.warning
                if found.failed_parts and not found.errors:
                    found.ignored = ignored_arguments(check.function, student)
        except StudentError as error:
            found = _failed(check, error)
        self.breakdowns += any(error.kind in ("timeout", "crash") for error in found.errors)
        return found

    @property
    def modules(self) -> dict[str, str]:
        """The modules that students edit, by dotted name, and their files."""
        return {_dotted(path): path for path in self.assignment.manifest.editable if path.endswith(".py")}

    def _repair(self, sessions: dict[tuple[str, ...], Session]) -> dict[str, StudentError]:
        """Mend the modules that cannot be imported, in a copy; the errors of those that stay broken."""
        if not sessions:
            return {}
        plain = sessions[min(sessions)]
        try:
            plain.open()
        except StudentError:  # no time is left: each check will say so
            return {}
        if not plain.import_errors:
            return {}
        released = released_folder(self.assignment)
        open_session = functools.partial(
            Session, isolation=self.isolation, limits=self.limits, deadline=self.deadline
        )
        found = mend_modules(self.tree, self.scratch / "repaired", released, self.modules, open_session)
        self.tree, self.notes = found.tree, found.notes
        for session in sessions.values():
            session.close()
            session.tree, session.modules, session.import_errors = self.tree, list(self.modules), {}
        return found.broken


def _dotted(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _module(function: str) -> str:
    """The module of a dotted name such as handgrad.classifiers.fc_net.TwoLayerNet.loss; "" in a notebook."""
    parts = function.split(".")
    while parts and not (REPOSITORY.joinpath(*parts)).with_suffix(".py").is_file():
        parts.pop()
    return ".".join(parts)


def _short(function: str) -> str:
    """A function's name without its module, such as Linear.forward."""
    return function.removeprefix(_module(function) + ".")


def _substitutes(functions: Iterable[str]) -> dict[str, set[str]]:
    """What the reference replaces, by module: of a method the class.

    All forward and backward passes of a layer go together: a cache has one author.
    """
    found = defaultdict(set)
    for function in functions:
        module = _module(function)
        name, *method = function.removeprefix(module + ".").split(".")
        pass_of = re.match(r"(\w+?)_(forward|backward)", name)
        if pass_of and not method:
            passes = re.compile(rf"{pass_of[1]}_(forward|backward)(_(naive|alt))?")
            found[module] |= {
                other for other in dir(importlib.import_module(module)) if passes.fullmatch(other)
            }
        else:
            found[module].add(name)
    return dict(found)


def _failed(check: Check, error: StudentError) -> Expect:
    found = Expect(check.parts)
    found.fail(error, *check.parts)
    return found


def _question(
    cell: GradeCell, check: Check | None, found: Expect | None = None, substituted: Iterable[str] = ()
) -> Question:
    """The verdict on one cell, without explanation."""
    base = {
        "notebook": cell.notebook,
        "grade_id": cell.grade_id,
        "title": cell.title,
        "max_points": cell.points,
    }
    if check is None or found is None:
        why = UNCHECKED if cell.kind == "auto" else ""
        return Question(**base, kind="manual", status="manual", explanation=why)
    if found.by_hand:
        return Question(**base, points=0.0, status="manual", explanation=found.by_hand)
    status: Status = "failed"
    if found.fraction == 1:
        status = "passed"
    elif found.fraction > 0:
        status = "partial"
    elif found.errors:
        status = _STATUS[found.errors[0].kind]
    return Question(
        **base,
        points=round(found.fraction * cell.points, 2),
        status=status,
        comparisons=found.finished(),
        substituted=list(substituted),
    )


def _explain(question: Question, check: Check, found: Expect, seed: str) -> None:
    """Say in words why points are missing, and what should be done otherwise."""
    if found.changed and question.status != "manual":
        question.advice = (
            f"{check.function.rpartition('.')[2]} changes {' and '.join(found.changed)} in place. That costs "
            "nothing here, but an argument belongs to whoever called you: work on a copy."
        )
    if question.status in ("passed", "manual"):
        return
    told = not any(error.kind in ("not_attempted", "timeout", "crash", "memory") for error in found.errors)
    misconception = recognise(check, found, seed) if check.recognise and told else None
    if misconception:
        question.misconception = misconception.id
        question.explanation, question.advice = misconception.explanation, misconception.advice
        return
    if found.errors:
        question.explanation = " ".join(dict.fromkeys(sentence(error) for error in found.errors))
        question.advice = _ADVICE.get(found.errors[0].kind, "")
        return
    wrong = [c for c in question.comparisons if not c.passed]
    sentences = [f"{_capital(c.what)}: {c.message}" for c in wrong[:2]]
    sentences.append(_capital(found.pattern()))
    if found.ignored:
        sentences.append(f"The result does not depend on {' and '.join(found.ignored)}, and it should.")
    if found.warning and any("NaN" in c.message or "infinite" in c.message for c in wrong):
        sentences.append(f"NumPy warned: {found.warning}.")
    question.explanation = " ".join(filter(None, sentences))


def _capital(text: str) -> str:
    return text if text[:2] in ("dx", "dw", "db") else text[:1].upper() + text[1:]
