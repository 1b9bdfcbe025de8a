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
) -> None:
    """Judge a softmax loss, or its gradient, for scores near +-10,000.

    Args:
        part: the part of the check.
        students: from scores (N, C) and labels to the student's loss and its gradient with respect to the
            scores.
        judged: which of the two.
        right_otherwise: whether what is judged is right for small scores.
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
    small = None if right_otherwise else dict(zip(("loss", "gradient"), students(x, y), strict=True))
    for inputs, words in ((shifted, "scores near +-10,000"), (far, "right classes 10,000 below the others")):
        got = dict(zip(("loss", "gradient"), students(inputs, y), strict=True))
        right = dict(zip(("loss", "gradient"), softmax_loss(inputs, y), strict=True))
        for name in got.keys() - judged:
            expect.remember("elsewhere", f"{name} for {words}", got[name])
        for name in judged:
            compare = expect.number if name == "loss" else expect.array
            before = None if small is None else small[name]
            unless = _as_if_small(before, name, changed=inputs is far) if before is not None else None
            compare(
                part, got[name], right[name], what=f"{name} for {words}", tolerance=TOLERANCE, unless=unless
            )


def _as_if_small(before: Any, name: str, changed: bool) -> Callable[[np.ndarray], str]:
    """Whether a value is that for small scores; or, when it should have `changed`, is large or another."""

    def judge(got: np.ndarray) -> str:
        if not isinstance(before, float | np.ndarray) or np.shape(before) != got.shape:
            return ""
        same = np.allclose(got, before, rtol=1e-3, atol=1e-3 * np.abs(before).max())
        if changed and name == "loss":
            fits = got > LARGE / 100
        else:
            fits = same != changed
        return "It is wrong, but just as for small scores: full points here." if fits else ""

    return judge
