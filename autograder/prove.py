"""Prove the checks: the reference and other right solutions pass, every known wrong one fails and is named.

Notable:
- The unit of work is one function and all checks about it: a misconception is caught when one of them fails,
  and every one that fails must name it.
- Checks of saved weights need trained models: `autograder release` proves those, on the solved notebooks.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import starmap

from rich.table import Table

from . import variants
from .checks import Check, Expect, LocalStudent, registered
from .checks.running import number_from, run_check
from .misconceptions.explain import known_outcomes, recognise

STUDENT = "ada"  # some checks draw numbers for each student
NAMED = 0.95  # of the wrong versions that lose points, so many must be called by their name


@dataclass
class Tried:
    """What a number of seeds showed about one check."""

    notebook: str
    grade_id: str
    variants: int = 0  # right solutions tried besides the reference
    wrong: int = 0  # versions of misconceptions tried
    kills: int = 0  # of (version, seed)
    seconds: float = 0.0
    false_alarms: list[str] = field(default_factory=list)


@dataclass
class Proof:
    """What a number of seeds showed about the checks of one function."""

    tried: list[Tried]
    killed: int = 0  # of (version, seed): lost points in a check
    named: int = 0  # of those: every check in which it lost points said what it is
    survivors: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)


def groups(prefix: str = "") -> list[list[Check]]:
    """Checks to prove, those that share a function together.

    Args:
        prefix: of the notebook's name, such as "a2" or "a2/4_dropout".
    """
    found: list[tuple[set[str], list[Check]]] = []
    for (notebook, _), check in sorted(registered().items()):
        if notebook.startswith(prefix) and not check.saved and all(map(find_spec, check.needs)):
            names, together = set(check.functions if check.recognise else [check.grade_id]), [check]
            for group in [group for group in found if group[0] & names]:
                found.remove(group)
                names, together = names | group[0], group[1] + together
            found.append((names, together))
    return [together for _, together in found]


def prove(prefix: str = "", seeds: int = 2, jobs: int | None = None) -> Iterator[Proof]:
    """Prove checks, several at a time in processes of their own.

    Args:
        prefix: of the notebook's name; "" for all.
        seeds: how many seeds of grading runs.
        jobs: processes; one per processor if left out.
    """
    keys = [[(c.notebook, c.grade_id) for c in group] for group in groups(prefix)]
    work = [(key, str(seed)) for key in keys for seed in range(seeds)]
    jobs = jobs or os.cpu_count() or 1
    with ProcessPoolExecutor(jobs) if jobs > 1 else contextlib.nullcontext() as pool:
        found = pool.map(_prove, *zip(*work, strict=True)) if pool and work else starmap(_prove, work)
        for _ in keys:
            yield functools.reduce(_joined, itertools.islice(found, seeds))


def _joined(a: Proof, b: Proof) -> Proof:
    """The proof on the seeds of both."""
    tried = [
        replace(x, kills=x.kills + y.kills, seconds=x.seconds + y.seconds, false_alarms=alarms)
        for x, y in zip(a.tried, b.tried, strict=True)
        for alarms in [x.false_alarms + y.false_alarms]
    ]
    return Proof(
        tried, a.killed + b.killed, a.named + b.named, a.survivors + b.survivors, a.unnamed + b.unnamed
    )


def _prove(keys: list[tuple[str, str]], seed: str) -> Proof:
    checks = [registered()[key] for key in keys]
    proof = Proof([Tried(*key) for key in keys])
    called: dict[tuple[str, int], list[str]] = {}  # what each wrong version is called where it loses points
    for check, tried in zip(checks, proof.tried, strict=True):
        _right_solutions_pass(check, tried, seed)
        started = time.process_time()
        outcomes = known_outcomes(check.notebook, check.grade_id, seed) if check.recognise else []
        tried.wrong, tried.seconds = len(outcomes), tried.seconds + time.process_time() - started
        versions: Counter[str] = Counter()
        for misconception, found in outcomes:
            versions[misconception.id] += 1
            names = called.setdefault((misconception.id, versions[misconception.id]), [])
            if found.failed_parts:
                tried.kills += 1
                recognised = recognise(check, found, seed)
                names.append(recognised.id if recognised else "nothing")
    for (id, number), names in called.items():
        label = f"{id} {number}, seed {seed}"
        proof.killed += bool(names)
        proof.named += set(names) == {id}
        if not names:
            proof.survivors.append(label)
        elif set(names) != {id}:
            proof.unnamed.append(f"{label}: called {', '.join(sorted(set(names)))}")
    known_outcomes.cache_clear()
    return proof


def _right_solutions_pass(check: Check, tried: Tried, seed: str) -> None:
    known = variants.of_functions((*check.functions, *check.uses))
    tried.variants = len(known)
    for name, replaced in {"reference": {}, **known}.items():
        found = _outcome(check, tried, replaced, seed)
        if found.fraction < 1:
            said = next((c for c in found.finished() if not c.passed), None)
            tried.false_alarms.append(f"{name}, seed {seed}: {said.what}: {said.message}" if said else name)


def _outcome(check: Check, tried: Tried, replaced: dict, seed: str) -> Expect:
    student = LocalStudent(replaced, number_from(seed, check.grade_id))
    started = time.process_time()
    found = run_check(check, student, seed, student_id=STUDENT)
    tried.seconds += time.process_time() - started
    return found


def table(proofs: list[Proof], seeds: int) -> Table:
    """A row for each check, and the sums."""
    out = Table(title=f"Checks on {seeds} seeds", show_footer=True)
    rows = [(proof, tried) for proof in proofs for tried in proof.tried]
    alarms = sum(len(t.false_alarms) for _, t in rows)
    killed, named = sum(p.killed for p in proofs), sum(p.named for p in proofs)
    survivors = sum(len(p.survivors) for p in proofs)
    out.add_column("check", f"{len(rows)} checks")
    out.add_column("variants", justify="right")
    out.add_column("false alarms", str(alarms), justify="right")
    out.add_column("wrong versions", str(killed + survivors), justify="right")
    out.add_column("kills", str(killed), justify="right")
    out.add_column("survivors", str(survivors), justify="right")
    out.add_column("explained", f"{named / killed:.1%}" if killed else "", justify="right")
    out.add_column("seconds", f"{sum(t.seconds for _, t in rows):.1f}", justify="right")
    for proof in proofs:
        for number, tried in enumerate(proof.tried):
            # A wrong version has to fail in one check of its function: these belong to all of them together.
            last = number == len(proof.tried) - 1
            explained = f"{proof.named / proof.killed:.0%}" if proof.killed and last else ""
            out.add_row(
                f"{tried.notebook.split('_')[0]} {tried.grade_id}",
                str(tried.variants),
                str(len(tried.false_alarms)),
                str(tried.wrong * seeds),
                str(tried.kills),
                str(len(proof.survivors)) if last else "",
                explained,
                f"{tried.seconds:.1f}",
                style="red" if tried.false_alarms or proof.survivors else None,
            )
    return out


def troubles(proofs: list[Proof]) -> dict[str, list[str]]:
    """Right solutions that lost points, wrong ones that did not, and those that got another's name."""
    return {
        title: lines
        for title, lines in {
            "False alarms": [
                f"{t.grade_id}: {alarm}" for p in proofs for t in p.tried for alarm in t.false_alarms
            ],
            "Survivors": [line for p in proofs for line in p.survivors],
            "Not named": [line for p in proofs for line in p.unnamed],
        }.items()
        if lines
    }


def holds(proofs: list[Proof]) -> bool:
    """Whether there is no false alarm, no survivor, and enough was named."""
    found = troubles(proofs)
    killed, named = sum(p.killed for p in proofs), sum(p.named for p in proofs)
    return not found.get("False alarms") and not found.get("Survivors") and named >= NAMED * killed
