"""Asserts for the notebooks: silent when numbers agree, a sentence that helps when they do not."""

from __future__ import annotations

import numpy as np

from .gradient_check import gradient_report


def assert_close(
    name: str, got: np.ndarray | float, expected: np.ndarray | float, tolerance: float = 1e-7, hint: str = ""
) -> float:
    """Assert that a result has the expected shape and, nearly, the expected values.

    Args:
        name: what the result is called in the message.
        got: the result.
        expected: what it should be; nothing is broadcast.
        tolerance: the largest difference allowed, in proportion to the largest numbers of both arrays.
        hint: a sentence for the end of the message.
    Returns:
        the largest difference, in that proportion.
    Raises:
        AssertionError: with what was received, what was expected, and the hint.
    """
    expected = np.asarray(expected, dtype=np.float64)
    if got is None:
        raise AssertionError(_sentences(f"{name} is None.", "Is there a return statement?", hint))
    try:
        got = np.asarray(got, dtype=np.float64)
    except (TypeError, ValueError):
        words = f"{name} must be numbers, got {type(got).__name__}."
        raise AssertionError(_sentences(words, hint)) from None
    if got.shape != expected.shape:
        words = f"{name} has shape {got.shape}, expected {expected.shape}."
        raise AssertionError(_sentences(words, hint))
    if not np.isfinite(got).all():
        words = (
            f"{name} is not finite: {np.count_nonzero(~np.isfinite(got))} of {got.size} are NaN or infinite."
        )
        raise AssertionError(_sentences(words, hint))
    error = _error(got, expected)
    if error > tolerance:
        worst = np.unravel_index(np.argmax(np.abs(got - expected)), got.shape)
        place = f" at {[int(i) for i in worst]}" if got.ndim else ""
        words = f"{name} is wrong{place}: got {got[worst]:.8g}, expected {expected[worst]:.8g}."
        raise AssertionError(_sentences(words, hint))
    return error


def assert_gradient(
    name: str, got: np.ndarray, expected: np.ndarray, tolerance: float = 1e-6, hint: str = ""
) -> float:
    """Assert that a gradient agrees with the numerical one; arguments and result as of `assert_close`."""
    expected = np.asarray(expected, dtype=np.float64)
    try:
        return assert_close(name, got, expected, tolerance)
    except AssertionError:
        words = f"{name} is wrong. {gradient_report(got, expected, tolerance)}"
    raise AssertionError(_sentences(words, hint))


def _error(got: np.ndarray, expected: np.ndarray) -> float:
    if got.size == 0:
        return 0.0
    return float(np.abs(got - expected).max() / max(1e-8, np.abs(got).max() + np.abs(expected).max()))


def _sentences(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
