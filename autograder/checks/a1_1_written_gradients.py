"""Hidden checks of a1/1_written_gradients: the autoencoder with tied weights, swish, and a network with it.

Notable:
- Weights come in Fortran order and with gaps in memory; no size equals another, but in a few easy cases.
- The backward pass of swish gets the cache that the student's own forward pass made.
- Large inputs cost points when the results are NaN or wrong; a warning of NumPy's about an overflow costs
  nothing.
"""

from __future__ import annotations

import numpy as np

from handgrad.layers import swish_backward, swish_forward
from handgrad.written_gradients import autoencoder_loss, swish_net_loss

from ..sandbox import StudentError
from . import for_notebook
from .large_scores import check_large_scores
from .networks import dictionary, first

check = for_notebook("a1/1_written_gradients")

SWISH = "handgrad.layers.activations.swish_"
NAMES = ("W1", "b1", "W2", "b2")


# ---- the autoencoder


@check("autoencoder_loss", parts={"loss": 1, "dW": 2}, function="handgrad.written_gradients.autoencoder_loss")
def check_autoencoder_loss(student, rng, expect):
    """Loss and gradient for codes shorter than x, longer, and as long."""
    students = student.written_gradients.autoencoder_loss
    shapes = ((3, 7, "for codes shorter than x"), (6, 4, "for codes longer than x"), (4, 4, "for square W"))
    for m, n, trait in shapes:
        W, x = np.asfortranarray(rng.standard_normal((m, n))), rng.standard_normal(2 * n)[::2]
        right_loss, right_dW = autoencoder_loss(W, x)
        expect.sizes = {"m": m, "n": n} if m != n else {"n": n}
        with expect.case(trait), expect.attempt("loss", "dW"):
            loss, dW = expect.unpack(students(W, x), "loss", "dW", of="autoencoder_loss")
            expect.number("loss", loss, right_loss, what=f"loss for W of shape {(m, n)}")
            expect.gradients(
                {"dW": dW},
                reference={"dW": right_dW},
                forward=lambda dW, x=x: first(students(dW, x)),
                at={"dW": W},
                out=loss,
                right_out=right_loss,
                what=f"{{}} for W of shape {(m, n)}",
            )


# ---- swish


@check("swish_forward", parts={"out": 4, "large inputs": 1}, function=SWISH + "forward")
def check_swish_forward(student, rng, expect):
    """The outputs for arrays of any shape; then for inputs whose exponentials overflow."""
    with expect.attempt("out"):
        for x in _swish_inputs(rng):
            out, _ = expect.unpack(student.layers.swish_forward(x), "out", "cache", of="swish_forward")
            expect.array("out", out, swish_forward(x)[0], what=f"out for {_axes(x)}")
    with expect.attempt("large inputs"):
        for words, x in _large_inputs(rng):
            out, _ = expect.unpack(student.layers.swish_forward(x), "out", "cache", of="swish_forward")
            expect.array("large inputs", out, swish_forward(x)[0], what=f"out for {words}")


@check("swish_backward", parts={"dx": 4, "large inputs": 1}, function=SWISH + "backward")
def check_swish_backward(student, rng, expect):
    """The gradient for arrays of any shape; then for inputs whose exponentials overflow."""
    with expect.attempt("dx"):
        for x in _swish_inputs(rng):
            dout = rng.standard_normal(x.shape)
            out, cache = expect.unpack(student.layers.swish_forward(x), "out", "cache", of="swish_forward")
            right_out, right_cache = swish_forward(x)
            expect.gradients(
                {"dx": student.layers.swish_backward(dout, cache)},
                reference={"dx": swish_backward(dout, right_cache)},
                forward=lambda dx: first(student.layers.swish_forward(dx)),
                at={"dx": x},
                out=out,
                right_out=right_out,
                cotangent=dout,
                what=f"{{}} for {_axes(x)}",
            )
    with expect.attempt("large inputs"):
        for words, x in _large_inputs(rng):
            dout = rng.uniform(0.5, 2, x.shape) * rng.choice([-1, 1], x.shape)
            out, cache = expect.unpack(student.layers.swish_forward(x), "out", "cache", of="swish_forward")
            dx = student.layers.swish_backward(dout, cache)
            right = swish_backward(dout, swish_forward(x)[1])
            # Where the forward pass is lost already, so is its cache: that has cost points there.
            lost = _lost(out, x)
            if isinstance(dx, np.ndarray) and dx.shape == x.shape and dx.dtype.kind == "f":
                dx = np.where(lost, right, dx)
            earned = expect.share("dx")
            expect.array(
                "large inputs", dx, right, what=f"dx for {words}", unless=_own_slope(student, x, dout, earned)
            )


def _lost(out, x):
    """Where the student's own forward pass is NaN or infinite; nowhere, if it is no array at all."""
    if isinstance(out, np.ndarray) and out.shape == x.shape and out.dtype.kind == "f":
        return ~np.isfinite(out)
    return np.zeros(x.shape, dtype=bool)


def _own_slope(student, x, dout, earned):
    """A judge of dx for large inputs: right is also the slope of the student's own forward pass there."""

    def judge(dx):
        step = 1e-2
        try:
            ends = [first(student.layers.swish_forward(x + sign * step)) for sign in (1, -1)]
            slope = dout * (ends[0] - ends[1]) / (2 * step)
        except (StudentError, TypeError, ValueError):
            return ""
        scale = np.abs(dout).max()
        if earned and np.shape(slope) == dx.shape and np.allclose(dx, slope, rtol=1e-3, atol=1e-3 * scale):
            return "It is the gradient of your forward pass, which is wrong itself: full points here."
        return ""

    return judge


def _swish_inputs(rng):
    """Numbers where swish is curved, in Fortran order and with gaps in memory."""
    yield np.asfortranarray(2 * rng.standard_normal((5, 7)))
    yield 2 * rng.standard_normal((3, 2, 4, 10))[..., ::2]
    yield 2 * rng.standard_normal(9)


def _large_inputs(rng):
    """In two arrays, so that large outputs do not hide wrong small ones; 2 sets the scale of the first."""
    sizes = np.array([10_000.0, 5000.0, 1000.0, 800.0, 750.0, 720.0])
    yield "inputs near -10,000", rng.permutation([2.0, *-sizes])
    yield "inputs near 10,000", rng.permutation(sizes).reshape(2, 3)


def _axes(x):
    return f"an array of {x.ndim} axes" if x.ndim > 1 else "an array of one axis"


# ---- the network


@check(
    "swish_net_loss",
    parts={"loss": 1.5, "W1": 1, "b1": 0.5, "W2": 1, "b2": 0.5, "large scores": 0.5},
    function="handgrad.written_gradients.swish_net_loss",
    uses=[SWISH + "forward", SWISH + "backward"],
)
def check_swish_net_loss(student, rng, expect):
    """Loss and gradients, for sizes that differ, and for sizes that are all the same; then large scores."""
    students = student.written_gradients.swish_net_loss
    for N, D, H, C in ((6, 3, 5, 4), (7, 5, 3, 9), (4, 4, 4, 4)):
        X, y, params = _net_inputs(rng, N, D, H, C)
        sizes = f"for N, D, H, C = {N}, {D}, {H}, {C}"
        expect.sizes = {"N": N, "C": C} if N != C else {"N": N}
        right_loss, right = swish_net_loss(X, y, **params)
        trait = "for sizes that are all the same" if N == D else "for sizes that differ"
        with expect.case(trait), expect.attempt("loss", *NAMES):
            loss, handle = expect.unpack(students(X, y, **params), "loss", "grads", of="swish_net_loss")
            expect.number("loss", loss, right_loss, what=f"loss {sizes}")
            with expect.attempt(*NAMES):
                expect.gradients(
                    dictionary(handle, of="swish_net_loss"),
                    reference={name: right[name] for name in NAMES},
                    forward=lambda X=X, y=y, **at: first(students(X, y, **at)),
                    at=params,
                    out=loss,
                    right_out=right_loss,
                    what=f"gradient of {{}} {sizes}",
                )
    expect.sizes = {}
    with expect.attempt("large scores"):
        check_large_scores(
            expect,
            "large scores",
            lambda x, y: _of_scores(students, x, y, expect),
            rng,
            right_otherwise=all(expect.share(part) for part in ("loss", "W2")),
        )


def _net_inputs(rng, N, D, H, C):
    """Examples, labels of many classes, and parameters."""
    X = np.asfortranarray(rng.standard_normal((N, D)))
    y = rng.permutation(np.arange(N) % C)
    sizes = {"W1": (H, D), "b1": (H,), "W2": (C, H), "b2": (C,)}
    return X, y, {name: rng.standard_normal(size) for name, size in sizes.items()}


ON = 64.0  # swish(64) is 64 and swish(-64) is 0


def _of_scores(students, x, y, expect):
    """The student's loss for given scores (N, C) and its gradient with respect to them.

    Example n switches hidden unit n on and all others off, so that its scores are a column of W2.
    """
    N, C = x.shape
    W1 = np.diag(np.full(N, 2 * ON))
    loss, handle = expect.unpack(
        students(np.eye(N), y, W1, np.full(N, -ON), x.T / ON, np.zeros(C)),
        "loss",
        "grads",
        of="swish_net_loss",
    )
    dW2 = dictionary(handle, of="swish_net_loss").get("W2")
    if not isinstance(dW2, np.ndarray) or dW2.dtype.kind != "f":
        return loss, dW2
    return loss, (dW2.T if dW2.shape == (C, N) else dW2) / ON  # a transposed one has cost points already
