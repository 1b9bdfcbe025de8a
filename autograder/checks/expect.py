"""Compares what a student's code returned with what is right, and remembers it for the report.

A comparison that cannot be made fails: nothing, NaN, an exception or an array of the wrong shape earn no
points. The messages speak of shapes, sizes and places of errors; never of the inputs or the right values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..course import Scale
from ..report import Comparison
from ..sandbox import Handle, StudentError
from . import differences

TOLERANCE = 1e-4  # float32 work passes, every misconception differs by percents
DIRECTIONS = 4
STEP = 1e-5  # central differences in float64: the error of rounding and that of the step are both near 1e-10


@dataclass(frozen=True)
class Value:
    """What a student's code gave for one comparison: an array, or how it failed."""

    part: str
    what: str
    array: np.ndarray | None
    error: str
    tolerance: float
    passed: bool

    def agrees(self, other: Value) -> bool:
        """Whether the other value would pass for this one."""
        if (self.part, self.what, self.error) != (other.part, other.what, other.error):
            return False
        if self.array is None or other.array is None:
            return self.array is other.array
        if self.array.shape != other.array.shape:
            return False
        if self.array.size == 0:
            return True
        finite = np.isfinite(self.array)
        if not np.array_equal(self.array[~finite], other.array[~finite], equal_nan=True):
            return False
        return differences.relative_error(other.array[finite], self.array[finite])[0] <= self.tolerance


@dataclass
class Expect:
    """The comparisons of one check.

    Args:
        parts: the weight of each part.
        scales: for accuracy checks, the scale of each data set, from the manifest.
        name: the function the check is about, for messages.
        student_id: whose submission it is.
    """

    parts: dict[str, float]
    scales: dict[str, Scale] = field(default_factory=dict)
    name: str = "the function"
    student_id: str = ""
    comparisons: list[Comparison] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    errors: list[StudentError] = field(default_factory=list)
    by_hand: str = ""  # why a person must grade this one
    sizes: dict[str, int] = field(default_factory=dict)
    cases: list[tuple[str, frozenset[str], bool]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)  # arguments that the function should use
    changed: list[str] = field(default_factory=list)  # arguments that it changed in place
    warning: str = ""  # NumPy's first, with the line it came from
    _credit: dict[str, float] = field(default_factory=dict)
    _case: frozenset[str] = frozenset()

    # ---- what checks call

    @contextmanager
    def case(self, *traits: str) -> Iterator[None]:
        """Say what is special about the inputs of the comparisons inside.

        When all comparisons with a trait fail and all others pass, or the other way round, the explanation
        says so: "It is wrong only {trait}." or "It is right only {trait}."

        Args:
            traits: such as "in test mode", "for square images" or "without padding".
        """
        before = self._case
        self._case = before | set(traits)
        try:
            yield
        finally:
            self._case = before

    def pattern(self) -> str:
        """A sentence about the cases in which a part is wrong; "" when there is no simple one."""
        for part in self.failed_parts:
            made = [(traits, passed) for name, traits, passed in self.cases if name == part]
            if not any(passed for _, passed in made):
                continue
            for trait in sorted(set().union(*(traits for traits, _ in made))):
                if all(passed == (trait not in traits) for traits, passed in made):
                    return f"{part} is wrong only {trait}."
                if all(passed == (trait in traits) for traits, passed in made):
                    return f"{part} is right only {trait}."
        return ""

    def array(
        self,
        part: str,
        got: Any,
        expected: np.ndarray,
        *,
        what: str = "",
        tolerance: float = TOLERANCE,
        unless: Callable[[np.ndarray], str] | None = None,
    ) -> bool:
        """Compare an array of floating-point numbers.

        Args:
            part: the part of the check that this decides.
            got: what the student's code returned.
            expected: the right values.
            what: how the value is called in the report; the part's name if left out.
            tolerance: the largest relative error that passes; see `differences.relative_error`.
            unless: asked when the values are wrong; a sentence from it makes them right after all.
        Returns:
            whether they are right.
        """
        what = what or part
        expected = np.asarray(expected, dtype=np.float64)
        verdict = Comparison(part=part, what=what, passed=False, expected_shape=list(expected.shape))
        array = _as_array(got)
        if array is None:
            verdict.message = f"It should be {_kind(expected)}, but it is {_describe(got)}."
            return self._add(verdict, None, type(got).__name__, tolerance)
        verdict.got_shape = list(array.shape)
        if array.dtype.kind != "f":
            verdict.expected_dtype, verdict.got_dtype = "float64", str(array.dtype)
            verdict.message = f"It should hold floating-point numbers, but its dtype is {array.dtype}."
            return self._add(verdict, None, str(array.dtype), tolerance)
        array = _drop_leading_one(array.astype(np.float64), expected)
        if array.shape != expected.shape:
            verdict.message = differences.wrong_shape(array.shape, expected.shape)
            return self._add(verdict, array, "", tolerance)
        if not np.isfinite(array).all():
            verdict.message = differences.not_finite(array)
            return self._add(verdict, array, "", tolerance)
        error, at = differences.relative_error(array, expected)
        if error <= tolerance:
            verdict.passed = True
        elif unless and (reason := unless(array)):
            verdict.passed, verdict.message = True, reason
        else:
            verdict.max_error, verdict.tolerance = float(f"{error:.3g}"), tolerance
            verdict.at = list(at) if expected.ndim else None
            verdict.message = (
                differences.explain(array, expected, tolerance, self.sizes) or "The numbers differ."
            )
        return self._add(verdict, array, "", tolerance)

    def number(self, part: str, got: Any, expected: float, **options: Any) -> bool:
        """Compare one number; takes the options of `array`."""
        return self.array(part, _as_number(got), np.float64(expected), **options)

    def true(self, part: str, condition: bool, what: str, message: str) -> bool:
        """Demand that a condition holds; `message` says what is wrong if not."""
        verdict = Comparison(
            part=part, what=what, passed=bool(condition), message="" if condition else message
        )
        return self._add(verdict, np.float64(bool(condition)), "", 0.0)

    def remember(self, part: str, what: str, value: Any) -> None:
        """Keep a value that decides nothing, but tells misconceptions about this part from each other."""
        array = _as_array(value)
        array = array.astype(np.float64) if array is not None and array.dtype.kind in "fiu" else None
        self.values.append(Value(part, what, array, "", TOLERANCE, True))

    def gradients(
        self,
        got: dict[str, Any],
        *,
        reference: dict[str, np.ndarray],
        forward: Callable[..., Any],
        at: dict[str, np.ndarray],
        out: Any,
        right_out: np.ndarray | float,
        cotangent: np.ndarray | float = 1.0,
        what: str = "{}",
        parts: dict[str, str] | None = None,
        tolerance: float = TOLERANCE,
        vouched: bool = False,
    ) -> None:
        """Compare gradients: right are the reference's, or else those of the student's own forward pass.

        So a mistake in the forward pass costs the forward pass's points, and not the backward pass's again.
        Where the forward pass is right, so is only the reference's gradient: code that knows that it is being
        differentiated could make any other fit.

        Args:
            got: the student's gradients by name.
            reference: the right gradients by name.
            forward: the student's forward pass, called with the arrays of `at` as keywords; an array or a
                number.
            at: the point, one array for each gradient, under the gradient's name.
            out: what the student's forward pass returned there, before the backward pass was asked.
            right_out: what it should return there.
            cotangent: gradient of the loss with respect to what forward returns.
            what: how a gradient is called in the report; {} is its name.
            parts: the part that each gradient decides; its own name if left out.
            vouched: the forward pass has shown that it does something like the right thing. Otherwise its
                gradient has to point about where the reference's does.
        """
        for name, right in reference.items():

            def own(gradient: np.ndarray, name: str = name, right: np.ndarray = right) -> str:
                if is_right(out, right_out, min(tolerance, 1e-3)):
                    return ""
                alike = vouched or _alike(gradient, right)
                if alike and _is_own_gradient(gradient, right.shape, forward, at, name, cotangent):
                    return "It is the gradient of your forward pass, which is wrong itself: full points here."
                return ""

            part = parts[name] if parts else name
            self.array(part, got.get(name), right, what=what.format(name), tolerance=tolerance, unless=own)

    def accuracy(self, part: str, accuracy: float, scale: Scale, what: str) -> None:
        """Give the share of the part's points that an accuracy is worth on a scale."""
        share = scale.fraction(accuracy)
        worth = f"all points from {scale.full:.0%} on, none up to {scale.zero:.0%}"
        message = f"{accuracy:.1%} {what}; {worth}."
        self._credit[part] = share
        self._add(Comparison(part=part, what="accuracy", passed=share == 1, message=message), None, "", 0.0)

    def person(self, reason: str) -> None:
        """Leave this check to a person."""
        self.by_hand = reason

    def unpack(self, returned: Any, *names: str, of: str) -> list[Any]:
        """The values of a tuple that the student's function returned.

        Raises:
            StudentError: it returned something else.
        """
        if isinstance(returned, tuple) and len(returned) == len(names):
            return list(returned)
        received = f"{len(returned)} values" if isinstance(returned, tuple) else _describe(returned)
        raise StudentError("invalid", f"{of} must return {', '.join(names)}; it returned {received}.")

    @contextmanager
    def attempt(self, *parts: str) -> Iterator[None]:
        """Let a failure of the student's code inside cost these parts, and go on after the block."""
        try:
            yield
        except StudentError as error:
            self.fail(error, *parts)

    def fail(self, error: StudentError, *parts: str) -> None:
        """Record that the student's code failed; none of these parts earns anything."""
        self.errors.append(error)
        known = re.search(r"\b[A-Z]\w*(Error|Exception|Warning|Interrupt|Exit)\b", error.message)
        shapes = re.search(r"\(\d+x\d+ and \d+x\d+\)", error.message)  # of PyTorch, about a product
        for part in parts:
            verdict = Comparison(part=part, what=part, passed=False, message=sentence(error))
            said = f"{error.kind} {known[0] if known else ''} {shapes[0] if shapes else ''}"
            self._add(verdict, None, said.rstrip(), 0.0)

    # ---- what grading asks

    def share(self, part: str) -> float:
        """The share of a part's weight that was earned, between 0 and 1."""
        verdicts = [c.passed for c in self.comparisons if c.part == part]
        if part in self._credit and not any(v.part == part and v.error for v in self.values):
            return self._credit[part]
        return float(bool(verdicts) and all(verdicts))

    @property
    def fraction(self) -> float:
        """The share of the cell's points that was earned."""
        return sum(self.share(part) * weight for part, weight in self.parts.items()) / sum(
            self.parts.values()
        )

    def finished(self) -> list[Comparison]:
        """All comparisons, and a failed one for each part that was never compared."""
        made = {c.part for c in self.comparisons}
        absent = [part for part in self.parts if part not in made]
        return self.comparisons + [
            Comparison(part=part, what=part, passed=False, message="This was not compared.")
            for part in absent
        ]

    @property
    def failed_parts(self) -> list[str]:
        """Parts that earned nothing, or not all."""
        return [part for part in self.parts if self.share(part) < 1]

    def _add(self, verdict: Comparison, array: np.ndarray | None, error: str, tolerance: float) -> bool:
        if verdict.part not in self.parts:
            raise ValueError(
                f"{verdict.part!r} is not a part of this check; there are {', '.join(self.parts)}"
            )
        self.comparisons.append(verdict)
        self.cases.append((verdict.part, self._case, verdict.passed))
        self.values.append(Value(verdict.part, verdict.what, array, error, tolerance, verdict.passed))
        return verdict.passed


def sentence(error: StudentError) -> str:
    """What went wrong in the student's code, with the name of what was called."""
    message = error.message.strip().rstrip(".")
    if message.startswith(("raised ", "did not ", "returned ")):
        message = f"{error.call or 'Your code'} {message}"
    elif error.kind == "crash" and error.call:
        message = f"{error.call}: {message}"
    return f"{message}."


def _alike(gradient: np.ndarray, reference: np.ndarray) -> bool:
    """Whether two gradients are less than 60 degrees apart."""
    return np.vdot(gradient, reference) > 0.5 * np.linalg.norm(gradient) * np.linalg.norm(reference)


def _is_own_gradient(
    gradient: np.ndarray,
    shape: tuple[int, ...],
    forward: Callable[..., Any],
    at: dict[str, np.ndarray],
    name: str,
    cotangent: np.ndarray | float,
) -> bool:
    """Whether `gradient` is that of the student's forward pass with respect to one argument.

    Compared along a few random directions, as sharp as entry by entry and far cheaper. A forward pass that
    has little to do with the right one, such as one that hands its input on, vouches for nothing.
    """
    if not gradient.any():
        return False
    if np.shape(cotangent) == gradient.shape and np.allclose(gradient, cotangent):
        return False
    rng = np.random.default_rng(0)  # its own, so that the check's inputs do not depend on what failed
    numerical, claimed = [], []
    for _ in range(DIRECTIONS):
        direction = rng.standard_normal(shape)
        change: Any = 0.0
        for sign in (1, -1):
            try:
                value = forward(**{**at, name: at[name] + sign * STEP * direction})
            except StudentError:
                return False
            array = _as_array(value)
            if array is None or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
                return False
            change = change + sign * array.astype(np.float64)
        if np.ndim(cotangent) and np.shape(change) != np.shape(cotangent):
            return False
        numerical.append(np.sum(change * cotangent) / (2 * STEP))
        claimed.append(np.vdot(gradient, direction))
    return differences.relative_error(np.array(claimed), np.array(numerical))[0] <= 1e-3


def _as_array(value: Any) -> np.ndarray | None:
    """The array, the float as an array of no axes, or None for anything else."""
    if isinstance(value, float):
        return np.asarray(value)
    return (
        value if type(value) is np.ndarray else np.asarray(value) if isinstance(value, np.generic) else None
    )


def _as_number(value: Any) -> Any:
    """One number, whatever holds it, as a float or an array of no axes; anything else as it is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    array = _as_array(value)
    if array is not None and array.size == 1 and array.dtype.kind in "fiu":
        return array.reshape(()).astype(np.float64)
    return value


def is_right(got: Any, expected: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether `Expect.array`, or `Expect.number` where a number is expected, would pass it.

    False too where either is no number and no array of floating-point numbers.
    """
    right = _as_array(expected)
    array = None if right is None else _as_array(got if right.ndim else _as_number(got))
    if array is None or array.dtype.kind != "f" or right.dtype.kind != "f":
        return False
    array = _drop_leading_one(array.astype(np.float64), right)
    return array.shape == right.shape and differences.relative_error(array, right)[0] <= tolerance


def _drop_leading_one(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(1, D) is accepted where (D,) is asked."""
    if expected.ndim == 1 and got.shape == (1, *expected.shape):
        return got[0]
    return got


def _kind(expected: np.ndarray) -> str:
    return "an array" if expected.ndim else "a number"


def _describe(value: Any) -> str:
    """What something is, in a student's words."""
    if value is None:
        return "None (is a return missing?)"
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Handle):
        return "a Python object (a list, a dictionary or another)"
    return f"a {type(value).__name__}"
