"""What checks of networks with a softmax loss share: scores so large that an exponential of them overflows.

The loss may be wrong in other ways, which have cost points elsewhere: then it has to be wrong here in the
same way as for small scores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from handgrad.layers import softmax_loss

from .expect import Expect

LARGE = 1e4
TOLERANCE = 1e-3


def check_large_scores(
    expect: Expect,
    part: str,
    students: Callable[[np.ndarray, np.ndarray], tuple[Any, Any]],
    rng: np.random.Generator,
    *,
    judged: tuple[str, ...] = ("loss", "gradient"),
    right_otherwise: bool = True,
    scores: Callable[[np.ndarray], Any] | None = None,
) -> None:
    """Judge a softmax loss, or its gradient, for scores near +-10,000.

    Args:
        part: the part of the check.
        students: from scores (N, C) and labels to the student's loss and its gradient with respect to the
            scores.
        judged: which of the two. Where the gradient is judged alone and the loss is lost, so is the gradient.
        right_otherwise: whether what is judged is right for small scores.
        scores: what the student's network makes of the scores, if it can be asked.
    Raises:
        StudentError: the student's code failed.
    """
    N, C = 6, 4
    y = rng.permutation(np.arange(N) % C)
    x = np.round(64 * 1.5 * rng.standard_normal((N, C))) / 64  # so that float32 holds the sums exactly
    # A number added to all scores of an example changes nothing.
    shifted = x + LARGE * np.array([1, 1, 1, -1, -1, -1])[:, None]
    # The right class far below the others: a loss that is large, and a probability that rounds to 0.
    far = x.copy()
    far[np.arange(N), y] -= LARGE * (np.arange(N) % 2)
    small = (None, None) if right_otherwise else students(x, y)
    if scores and _alike(scores(x), x):  # then so they should be for large ones
        scores = None
    for inputs, words in ((shifted, "scores near +-10,000"), (far, "right classes 10,000 below the others")):
        loss, gradient = students(inputs, y)
        right_loss, right_gradient = softmax_loss(inputs, y)
        if "loss" in judged:
            as_small = _as_for_small_scores(small[0], changed=inputs is far)
            expect.number(
                part,
                loss,
                right_loss,
                what=f"loss for {words}",
                tolerance=TOLERANCE,
                unless=lambda got, a=as_small, x=inputs: a(got) or _of_own_scores(got, scores, x, y),
            )
        else:
            expect.remember("elsewhere", f"loss for {words}", loss)
        if "gradient" not in judged:
            expect.remember("elsewhere", f"gradient for {words}", gradient)
        elif "loss" not in judged and right_otherwise and not _near(loss, right_loss):
            expect.true(part, True, f"gradient for {words}", "")
        else:
            expect.array(
                part,
                gradient,
                right_gradient,
                what=f"gradient for {words}",
                tolerance=TOLERANCE,
                unless=_as_for_small_scores(small[1], changed=inputs is far),
            )


def _alike(got: Any, right: np.ndarray) -> bool:
    return isinstance(got, np.ndarray) and got.shape == right.shape and np.allclose(got, right, TOLERANCE)


def _near(got: Any, right: float) -> bool:
    return (
        isinstance(got, float | np.ndarray) and np.size(got) == 1 and np.allclose(got, right, rtol=TOLERANCE)
    )


def _of_own_scores(loss: np.ndarray, scores: Callable | None, x: np.ndarray, y: np.ndarray) -> str:
    """Whether a loss is that of the student's own scores, which are wrong."""
    own = scores(x) if scores else None
    readable = isinstance(own, np.ndarray) and own.shape == x.shape and np.isfinite(own).all()
    if readable and _near(loss, softmax_loss(own.astype(np.float64), y)[0]):
        return "It is the softmax loss of your scores, which are wrong themselves: full points here."
    return ""


def _as_for_small_scores(before: Any, changed: bool) -> Callable[[np.ndarray], str]:
    """Whether a wrong value is that for small scores; or another, when it should have changed."""

    def judge(got: np.ndarray) -> str:
        if not isinstance(before, float | np.ndarray) or np.shape(before) != got.shape:
            return ""
        same = np.allclose(got, before, rtol=TOLERANCE, atol=TOLERANCE * np.abs(before).max())
        return "" if same == changed else "It is wrong, but just as for small scores: full points here."

    return judge
