"""What the checks of networks share: parameters go in, losses and gradients come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handgrad.layers import softmax_loss

from ..sandbox import StudentError


def put(net: Any, params: Mapping[str, np.ndarray]) -> None:
    """Replace these parameters of a student's network."""
    students = net.params
    for name, value in params.items():
        students[name] = value


def loss_at(net: Any, params: Mapping[str, np.ndarray], X: np.ndarray, y: np.ndarray) -> Any:
    """The loss of a student's network with other parameters."""
    put(net, params)
    return first(net.loss(X, y))


def loss_of_own_scores(net: Any, X: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], str]:
    """Right is also the softmax loss of the student's own scores: wrong ones have cost points already.

    For `unless` of `Expect.array`. Only for networks that compute the same scores with labels as without.
    """

    def own(loss: np.ndarray) -> str:
        try:
            scores = net.loss(X)
            wrong = not (isinstance(scores, np.ndarray) and np.isfinite(scores).all())
            if not wrong and abs(softmax_loss(scores.astype(float), y)[0] - loss) <= 1e-4 * abs(loss):
                return "It is the softmax loss of your scores, which are wrong themselves: full points here."
        except (StudentError, ValueError):
            pass
        return ""

    return own


def dictionary(handle: Any, of: str) -> dict[str, Any]:
    """The gradients that `of` returned. Raises StudentError when they are not a dictionary of data."""
    value = handle.value() if hasattr(handle, "value") else handle
    if not isinstance(value, dict):
        raise StudentError("invalid", f"{of} must return the gradients as a dictionary.")
    return value


def difference(a: Any, b: Any) -> Any:
    """a - b, or None when that makes no sense."""
    numbers = [isinstance(v, float | int | np.ndarray) for v in (a, b)]
    if not all(numbers) or np.shape(a) != np.shape(b):
        return None
    return np.subtract(a, b, dtype=np.float64)


def first(returned: Any) -> Any:
    """The output or loss: the first of several values."""
    return returned[0] if isinstance(returned, tuple) else returned
