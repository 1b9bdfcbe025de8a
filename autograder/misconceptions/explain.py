"""Recognise a misconception by its numbers."""

from __future__ import annotations

import functools

from ..checks import Check, Expect, LocalStudent, find
from ..checks.expect import Value
from ..checks.running import number_from, run_check
from . import Misconception, of_function


def recognise(check: Check, student: Expect, seed: str) -> Misconception | None:
    """The misconception whose numbers the student's code returned in this check, if there is one.

    Every wrong version of the check's function goes through the same check with the same inputs, among right
    functions. It explains the student's failure when the values of each part that it fails equal the
    student's; best is one that equals the student's in all parts.

    Args:
        check: the check.
        student: what the student's code gave in it.
        seed: the seed of the grading run.
    """
    best, best_rank = None, (False, 0)
    failed = set(student.failed_parts)
    for candidate, mutant in known_outcomes(check.notebook, check.grade_id, seed):
        parts = set(mutant.failed_parts)
        if parts and parts <= failed and _agree(_of(parts, mutant), _of(parts, student)):
            rank = (_agree(mutant.values, student.values), len(parts))
            if rank > best_rank:
                best, best_rank = candidate, rank
    return best


@functools.lru_cache(maxsize=64)
def known_outcomes(notebook: str, grade_id: str, seed: str) -> list[tuple[Misconception, Expect]]:
    """What each wrong version gives in a check; the same for a whole class."""
    check = find(notebook, grade_id)
    return [
        (
            candidate,
            run_check(check, LocalStudent({candidate.function: wrong}, number_from(seed, grade_id)), seed),
        )
        for function in check.functions
        for candidate in of_function(function)
        for wrong in candidate.versions
    ]


def _of(parts: set[str], outcome: Expect) -> list[Value]:
    return [value for value in outcome.values if value.part in parts]


def _agree(ours: list[Value], theirs: list[Value]) -> bool:
    return len(ours) == len(theirs) and all(a.agrees(b) for a, b in zip(ours, theirs, strict=True))
