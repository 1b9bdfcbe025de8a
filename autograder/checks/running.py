"""Run one check: the same inputs for every student of a grading run, and no way out for exceptions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..course import Scale
from ..sandbox import StudentError
from . import Check
from .expect import Expect


def number_from(*words: str) -> int:
    """A number of 62 bits that depends on these words alone."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big") >> 2


def run_check(
    check: Check, student: Any, seed: str, scales: Mapping[str, Scale] | None = None, student_id: str = ""
) -> Expect:
    """Run a check and return what it found.

    Args:
        check: the check.
        student: a `sandbox.Student`, or a `LocalStudent` with code of our own.
        seed: the seed of the grading run.
        scales: for accuracy checks, the scale of each data set.
        student_id: whose submission it is, for checks of numbers that are drawn for each student.
    """
    expect = Expect(check.parts, dict(scales or {}), student_id=student_id)
    rng = np.random.default_rng(number_from(seed, check.notebook, check.grade_id))
    with expect.attempt(*check.parts):
        try:
            with np.errstate(all="ignore"):  # students' numbers may be anything
                check.run(student, rng, expect)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
            # Data of a kind that the check did not foresee; the details are no business of the student's.
            raise StudentError(
                "invalid", f"returned what this check cannot read ({type(error).__name__})"
            ) from error
    return expect
