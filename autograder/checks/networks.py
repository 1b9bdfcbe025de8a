"""What the checks of networks share: parameters go in, losses and gradients come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handgrad.layers import softmax_loss

from ..sandbox import StudentError


def put(net: Any, params: Mapping[str, np.ndarray]) -> None:
    """Replace these parameters of a student's network."""
    net.params.update(dict(params))  # three messages to the sandbox, however many there are


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


def train(
    net: Any,
    start: Mapping[str, np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    *,
    steps: int,
    rate: float,
    batch: int,
) -> None:
    """Train a student's network from these parameters on, with steps of Adam that are made here.

    Adam's steps do not depend on the size of the gradients: a wrong factor in them, which costs points where
    gradients are compared, costs none again here. A parameter whose gradient is missing or does not fit stays
    where it is. An unusual loss, such as an array of one number, and gradients of shape (1, D) for (D,) do no
    harm.

    Args:
        net: the network; parameters that are not in `start` stay as they are.
        start: the first parameters by name.
        X: examples to learn from.
        y: their labels.
        rng: draws the batches.
        steps: how many; each costs five messages to the sandbox.
        rate: the learning rate, about the length of each parameter's steps.
        batch: examples in a step.
    Raises:
        StudentError: the network does not return a loss and a dictionary.
    """
    params = {name: value.astype(np.float64) for name, value in start.items()}
    means = {name: np.zeros_like(value) for name, value in params.items()}
    squares = {name: np.zeros_like(value) for name, value in params.items()}
    net.params.update(params)
    for step in range(1, steps + 1):
        chosen = rng.integers(len(X), size=batch)
        returned = net.loss(X[chosen], y[chosen])
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise StudentError("invalid", "loss must return loss, grads when it is given labels")
        grads = dictionary(returned[1], of="loss")
        for name, value in params.items():
            gradient = _fitting(grads.get(name), value.shape)
            means[name] += 0.1 * (gradient - means[name])
            squares[name] += 0.01 * (gradient**2 - squares[name])
            size = np.sqrt(squares[name] / (1 - 0.99**step)) + 1e-12
            params[name] = value - rate * means[name] / (1 - 0.9**step) / size
        net.params.update(params)


def _fitting(gradient: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A gradient in the shape of its parameter; zeros in the place of what is none."""
    right = isinstance(gradient, np.ndarray) and gradient.dtype.kind == "f" and np.isfinite(gradient).all()
    if right and gradient.shape in (shape, (1, *shape)):
        return gradient.reshape(shape).astype(np.float64)
    return np.zeros(shape)


def difference(a: Any, b: Any) -> Any:
    """a - b, or None when that makes no sense."""
    numbers = [isinstance(v, float | int | np.ndarray) for v in (a, b)]
    if not all(numbers) or np.shape(a) != np.shape(b):
        return None
    return np.subtract(a, b, dtype=np.float64)


def first(returned: Any) -> Any:
    """The output or loss: the first of several values."""
    return returned[0] if isinstance(returned, tuple) else returned
