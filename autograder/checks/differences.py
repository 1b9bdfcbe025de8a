"""Words for how a student's numbers differ from the right ones, without saying what the right ones are."""

from __future__ import annotations

import itertools

import numpy as np

# Below this size an entry counts as numerical dust: errors are taken relative to at least this.
DUST = 1e-6


def relative_error(got: np.ndarray, expected: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """The largest |got - expected| as a share of the largest |expected|, and its index.

    One scale for the whole array: an entry that should be 0 may be rounding noise, and float32 work passes.
    """
    if expected.size == 0:
        return 0.0, ()
    with np.errstate(all="ignore"):
        error = np.abs(got - expected) / max(float(np.abs(expected).max()), DUST)
    error = np.where(np.isnan(error), np.inf, error)
    at = np.unravel_index(int(np.argmax(error)), error.shape)
    return float(error[at]), tuple(int(i) for i in at)


def wrong_shape(got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """A sentence about an array of the wrong shape."""
    text = f"Its shape is {got}, it should be {expected}."
    if len(got) > 1 and got == expected[::-1]:
        text += " It looks transposed."
    elif got == ():
        text += " It is a single number: is there a sum over all axes?"
    elif np.prod(got) == np.prod(expected):
        text += " It holds the right count of numbers: a reshape is missing or extra."
    return text


def not_finite(got: np.ndarray) -> str:
    """A sentence about the entries that are NaN or infinite."""
    names = [
        name for name, there in (("NaN", np.isnan(got).any()), ("infinite", np.isinf(got).any())) if there
    ]
    if got.ndim == 0:
        return f"It is {names[0]}."
    bad = ~np.isfinite(got)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{bad.sum()} of its {got.size} numbers are {' or '.join(names)}, the first at index {first}."


def explain(got: np.ndarray, expected: np.ndarray, tolerance: float, sizes: dict[str, int]) -> str:
    """Say what kind of difference it is: sign, factor, one place ...; "" when it has no simple name.

    Args:
        got: what the student's code returned, the shape of expected, finite.
        expected: the right values.
        tolerance: the relative error that would have passed.
        sizes: lengths of axes by name, such as N and C, that may appear as a wrong factor.
    """

    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return relative_error(a, b)[0] <= tolerance

    if not expected.any():
        return "It should be all zeros." if expected.ndim else "It should be zero."
    if not got.any():
        return "It is all zeros." if got.ndim else "It is zero."
    if same(-got, expected):
        return "It has the wrong sign."
    factor = float(np.vdot(expected, got) / np.vdot(expected, expected))
    if factor and same(got / factor, expected):
        if name := _factor_name(abs(factor), sizes):
            return f"It {'has the wrong sign and ' if factor < 0 else ''}is {name}."
        if got.size > 1:
            return f"Every number is {factor:.3g} times what it should be."
    if got.ndim == 2 and got.shape[0] == got.shape[1] and same(got.T, expected):
        return "It is transposed."
    offset = float(np.mean(got - expected))
    whole = abs(offset) < 20 and abs(offset - round(offset)) < 1e-3
    if same(got - offset, expected) and (got.size > 1 or whole):
        size = f"{abs(offset):.3g}"
        return (
            f"{'Every number' if got.size > 1 else 'It'} is {size} too {'large' if offset > 0 else 'small'}."
        )
    return _where(got, expected, tolerance) if got.ndim else ""


def _factor_name(factor: float, sizes: dict[str, int]) -> str:
    """What a positive constant factor probably is."""
    named = {"twice": 2.0, "half of": 0.5}
    for name, size in sizes.items():
        named |= {f"{name} times": size, f"1/{name} of": 1 / size}
    for (a, m), (b, n) in itertools.combinations(sizes.items(), 2):
        named |= {f"{a} * {b} times": m * n, f"1/({a} * {b}) of": 1 / (m * n)}
        named |= {f"{a}/{b} times": m / n, f"{b}/{a} times": n / m}
    for name, value in named.items():
        if abs(factor - value) <= 1e-3 * value:
            where = ", ".join(f"{size} = {n}" for size, n in sizes.items() if size in name)
            return f"{name} what it should be" + (f" ({where})" if where else "")
    return ""


def _where(got: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """Whether the wrong entries share a place."""
    scale = max(float(np.abs(expected).max()), DUST)
    wrong = np.argwhere(np.abs(got - expected) > tolerance * scale)
    if len(wrong) == 1:
        return f"Only the number at index {tuple(int(i) for i in wrong[0])} is wrong."
    for axis in range(got.ndim):
        if got.shape[axis] > 1 and len(set(wrong[:, axis])) == 1:
            return f"It is wrong only at index {int(wrong[0, axis])} of axis {axis}."
    if len(wrong) < got.size:
        return f"{len(wrong)} of its {got.size} numbers are wrong."
    return ""
