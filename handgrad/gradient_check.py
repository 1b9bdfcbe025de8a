"""Check gradients against numbers, and say in words how two gradients differ."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def rel_error(x: np.ndarray | float, y: np.ndarray | float) -> float:
    """Largest relative error: max of |x - y| / max(1e-8, |x| + |y|).

    Args:
        x: any shape.
        y: the shape of x; nothing is broadcast.
    Returns:
        a number between 0 and 1; NaN when one of the arrays holds a NaN or an infinity.
    Raises:
        ValueError: x and y differ in shape.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"rel_error compares arrays of one shape, got {x.shape} and {y.shape}")
    if x.size == 0:
        return 0.0
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    x, y = x / 2, y / 2  # so that |x| + |y| cannot overflow
    return float(np.max(np.abs(x - y) / np.maximum(0.5e-8, np.abs(x) + np.abs(y))))


def eval_numerical_gradient(
    f: Callable[[np.ndarray], float], x: np.ndarray, verbose: bool = False, h: float = 1e-5
) -> np.ndarray:
    """Numerical gradient of a function that returns a number, by central differences.

    x is changed in place, one number at a time, and restored, also when f raises; so f may use x itself
    instead of its argument.

    Args:
        f: takes x, returns a number.
        x: float64 array of any shape, the point at which to differentiate.
        verbose: print every number.
        h: step.
    Returns:
        grad: the shape of x.
    Raises:
        ValueError: x is not a float64 array that can be written to.
    """
    return _central_differences(f, x, 1.0, h, verbose)


def eval_numerical_gradient_array(
    f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, df: np.ndarray, h: float = 1e-5
) -> np.ndarray:
    """Numerical gradient of a function that returns an array: the gradient of sum(f(x) * df).

    x is changed in place, one number at a time, and restored, also when f raises; so f may use x itself
    instead of its argument.

    Args:
        f: takes x, returns an array.
        x: float64 array of any shape, the point at which to differentiate.
        df: gradient of the loss with respect to f(x), in its shape.
        h: step.
    Returns:
        grad: the shape of x.
    Raises:
        ValueError: x is not a float64 array that can be written to, or df has another shape than f(x).
    """
    return _central_differences(f, x, df, h, verbose=False)


def grad_check_sparse(
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    analytic_grad: np.ndarray,
    num_checks: int = 10,
    h: float = 1e-5,
    seed: int | None = None,
) -> float:
    """Compare a gradient with the numerical one at a few random places, for arrays too large to check whole.

    Args:
        f: takes x, returns a number.
        x: float64 array of any shape; changed in place and restored.
        analytic_grad: the gradient to check, in the shape of x.
        num_checks: number of places.
        h: step.
        seed: with a seed, the same places every time.
    Returns:
        the largest relative error of the places, each of which is printed.
    """
    _check_point(x)
    if analytic_grad.shape != x.shape:
        raise ValueError(f"analytic_grad must have the shape of x, {x.shape}, got {analytic_grad.shape}")
    rng = np.random.default_rng(seed)
    errors = []
    for _ in range(num_checks):
        index = tuple(int(rng.integers(n)) for n in x.shape)
        numerical = _slope(f, x, index, 1.0, h)
        errors.append(rel_error(numerical, analytic_grad[index]))
        print(f"at {index}: numerical {numerical:f}, analytic {analytic_grad[index]:f}, error {errors[-1]:e}")
    return float(np.max(errors))


def _central_differences(
    f: Callable, x: np.ndarray, df: np.ndarray | float, h: float, verbose: bool
) -> np.ndarray:
    _check_point(x)
    grad = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        grad[index] = _slope(f, x, index, df, h)
        if verbose:
            print(index, grad[index])
    return grad


def _slope(f: Callable, x: np.ndarray, index: tuple[int, ...], df: np.ndarray | float, h: float) -> float:
    """Derivative of sum(f(x) * df) with respect to x[index]."""
    value = x[index]
    try:
        x[index] = value + h
        above = np.array(f(x))  # a copy: f may give the same array again
        x[index] = value - h
        below = np.array(f(x))
    finally:
        x[index] = value
    if above.shape != np.shape(df):
        raise ValueError(f"f(x) has shape {above.shape}, expected {np.shape(df)}")
    return float(np.sum((above - below) * df) / (2 * h))


def _check_point(x: np.ndarray) -> None:
    if not isinstance(x, np.ndarray) or x.dtype != np.float64:
        received = f"dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise ValueError(f"x must be a float64 array (a small step is lost in other types), got {received}")
    if not x.flags.writeable:
        raise ValueError("x is changed in place and restored, but this array is read-only: pass a copy")


@np.errstate(all="ignore")  # whatever numbers got holds
def gradient_report(
    got: np.ndarray, expected: np.ndarray, tolerance: float = 1e-6, values: bool = True
) -> str:
    """Say in words where and how two gradients differ.

    Args:
        got: the gradient in question.
        expected: the right one.
        tolerance: largest difference that counts as equal, in proportion to the largest number of expected.
        values: False keeps the numbers themselves out of the words.
    Returns:
        one or two sentences.
    """
    expected = np.asarray(expected, dtype=np.float64)
    if got is None:
        return "There is no gradient: got None. Is there a return statement?"
    try:
        got = np.asarray(got, dtype=np.float64)
    except (TypeError, ValueError):
        return f"The gradient must be an array of numbers, got {type(got).__name__}."
    if got.shape != expected.shape:
        return _shape_report(got, expected, tolerance)
    if got.size == 0:
        return "The gradients agree: both are empty."

    if bad := int(np.count_nonzero(~np.isfinite(got))):
        first = _place(np.argwhere(~np.isfinite(got))[0])
        return f"{bad} of {got.size} numbers are NaN or infinite, the first at {first}."
    if _equal(got, expected, tolerance):
        return "The gradients agree."
    return _pattern(got, expected, tolerance) or _difference(got, expected, tolerance, values)


def _shape_report(got: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    words = f"The gradient has shape {got.shape}, expected {expected.shape}."
    if got.T.shape == expected.shape and _equal(got.T, expected, tolerance):
        return f"{words} It is the right one, transposed."
    if got.size == expected.size and _equal(got.reshape(expected.shape), expected, tolerance):
        return f"{words} The numbers are right: reshape it."
    for axis, n in enumerate(got.shape):
        for keepdims in (False, True):
            total = got.sum(axis=axis, keepdims=keepdims)
            if n > 1 and total.shape == expected.shape and _equal(total, expected, tolerance):
                return f"{words} The sum over axis {axis} is missing."
    return f"{words} A gradient has the shape of the array it belongs to."


def _pattern(got: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """A single mistake that explains every number, or nothing."""
    if not got.any():
        return "Every number is 0, but the right gradient is not."
    if _equal(np.zeros_like(expected), expected, tolerance):
        return "The right gradient is 0 everywhere, but this one is not."
    if got.size == 1:
        return ""
    if got.shape == got.T.shape and got.ndim > 1 and _equal(got.T, expected, tolerance):
        return "It is the right gradient, transposed."
    factor = float(np.vdot(expected, got) / np.vdot(expected, expected))
    if factor and np.isfinite(factor) and _equal(got / factor, expected, tolerance):
        if abs(factor + 1) <= tolerance:
            return "The sign is wrong everywhere: it is the right gradient times -1."
        return f"Every number is {factor:.6g} times the right one{_ratio(factor)}."
    offset = float(np.mean(got - expected))
    if _equal(got - offset, expected, tolerance):
        return f"Every number is off by the same amount, {offset:.6g}."
    if _equal(np.abs(got), np.abs(expected), tolerance):
        wrong = ~_close(got, expected, tolerance)
        count = f"{wrong.sum()} of {got.size}"
        return f"The sizes are right, but {count} numbers have the wrong sign.{_rows(wrong)}"
    return ""


def _difference(got: np.ndarray, expected: np.ndarray, tolerance: float, values: bool) -> str:
    """How many numbers differ, along which axis, and where most."""
    wrong = ~_close(got, expected, tolerance)
    worst = np.unravel_index(np.argmax(np.abs(got - expected)), got.shape)
    numbers = f" (got {got[worst]:.6g}, expected {expected[worst]:.6g})" if values else ""
    if got.size == 1:
        return f"The number is wrong{numbers}."
    if wrong.sum() == 1:
        return f"All numbers are right but one, at {_place(np.argwhere(wrong)[0])}{numbers}."
    count = f"{'All' if wrong.all() else f'{wrong.sum()} of'} {got.size} numbers differ"
    zero = _close(np.zeros_like(expected), expected, tolerance)
    mask = ""
    if (zero & wrong).any() and not (wrong & ~zero).any():
        mask = " Only numbers that should be 0 are wrong."
    elif (got == 0).any() and np.array_equal(got == 0, wrong):
        mask = " The wrong ones are 0 and should not be."
    return f"{count}, most at {_place(worst)}{numbers}.{mask}{_rows(wrong)}"


def _rows(wrong: np.ndarray) -> str:
    """The slices along one axis that hold all wrong numbers and only wrong ones."""
    for axis in range(wrong.ndim):
        others = tuple(a for a in range(wrong.ndim) if a != axis)
        any_wrong, all_wrong = wrong.any(axis=others), wrong.all(axis=others)
        if wrong.ndim > 1 and not all_wrong.all() and np.array_equal(any_wrong, all_wrong):
            where = ", ".join(str(i) for i in np.flatnonzero(all_wrong)[:8])
            more = ", ..." if all_wrong.sum() > 8 else ""
            return f" The wrong ones are exactly those with index {where}{more} on axis {axis}."
    return ""


def _ratio(factor: float) -> str:
    """' (1/12)' for 0.08333...; '' when the factor is no simple number."""
    if abs(factor) < 1 and abs(1 / factor - round(1 / factor)) < 1e-4:
        return f" ({'-' if factor < 0 else ''}1/{abs(round(1 / factor))})"
    return ""


def _close(got: np.ndarray, expected: np.ndarray, tolerance: float) -> np.ndarray:
    return np.abs(got - expected) <= tolerance * max(1e-8, np.abs(expected).max(initial=0))


def _equal(got: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    return bool(_close(got, expected, tolerance).all())


def _place(index: np.ndarray | tuple) -> str:
    return "[" + ", ".join(str(int(i)) for i in index) + "]"
