"""Public docstrings: every argument is described, and the shapes they promise are those of real calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from docstring_shapes import ShapeError, check_call

from handgrad import layer_utils, layers, optim

random = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return random.normal(size=shape)


def labels(N: int, C: int) -> np.ndarray:
    return random.integers(C, size=N)


# Sizes differ from each other, so that no axis can be taken for another.
CONV = {"stride": 2, "pad": 1}
POOL = {"pool_height": 3, "pool_width": 2, "stride": 2}
IMAGES, FILTERS = draw(2, 3, 9, 7), draw(4, 3, 5, 3)
AFFINE = (draw(2, 3, 4), draw(12, 5), draw(5))

PAIRS: dict[str, tuple[object, str, tuple]] = {
    "affine_forward": (layers, "affine_backward", AFFINE),
    "relu_forward": (layers, "relu_backward", (draw(2, 3, 4),)),
    "leaky_relu_forward": (layers, "leaky_relu_backward", (draw(2, 3, 4),)),
    "sigmoid_forward": (layers, "sigmoid_backward", (draw(2, 3, 4),)),
    "swish_forward": (layers, "swish_backward", (draw(2, 3, 4),)),
    "batchnorm_forward": (layers, "batchnorm_backward", (draw(5, 3), draw(3), draw(3), {"mode": "train"})),
    "layernorm_forward": (layers, "layernorm_backward", (draw(5, 3), draw(3), draw(3), {})),
    "spatial_batchnorm_forward": (
        layers,
        "spatial_batchnorm_backward",
        (draw(2, 3, 4, 5), draw(3), draw(3), {"mode": "train"}),
    ),
    "spatial_groupnorm_forward": (
        layers,
        "spatial_groupnorm_backward",
        (draw(2, 6, 4, 5), draw(1, 6, 1, 1), draw(1, 6, 1, 1), 3, {}),
    ),
    "dropout_forward": (layers, "dropout_backward", (draw(2, 3, 4), {"mode": "train", "p": 0.5})),
    "affine_relu_forward": (layer_utils, "affine_relu_backward", AFFINE),
}
RULES = ("sgd", "sgd_momentum", "sgd_nesterov_momentum", "adagrad", "rmsprop", "adam", "adamw")
CALLS: dict[str, tuple[Callable, tuple]] = {
    "softmax_loss": (layers.softmax_loss, (draw(4, 3), labels(4, 3))),
    "svm_loss": (layers.svm_loss, (draw(4, 3), labels(4, 3))),
    **{rule: (getattr(optim, rule), (draw(2, 3), draw(2, 3))) for rule in RULES},
}


@pytest.mark.parametrize("forward", PAIRS)
def test_forward_and_backward_keep_their_promises(forward):
    home, backward, arguments = PAIRS[forward]
    known = {}
    out = _check(getattr(home, forward), arguments, known)
    _check(getattr(home, backward), (draw(*out[0].shape), out[1]), known)


@pytest.mark.parametrize("name", CALLS)
def test_functions_keep_their_promises(name):
    _check(*CALLS[name], {})


def _check(function, arguments, known):
    named = inspect.signature(function).bind(*arguments).arguments
    for value in named.values():
        if isinstance(value, dict):
            known.update(value)  # {"stride": 2, ...}
    result = function(*arguments)
    assert check_call(function, named, result, known) > 0, f"{function.__name__} promises no shape"
    return result


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        ("(N, M) the sum", r"out has shape \(3, 2\); promised: \(N, M\), and N is 2"),
        ("(M,) the sum", r"out has shape \(3, 2\); promised: \(M,\)"),
        ("(K, N) the sum, K = N + M", r"promised: \(K, N\), and K is 5"),
        ("in the shape of x", r"out has shape \(3, 2\); promised: that of x, \(2, 3\)"),
    ],
)
def test_a_broken_promise_is_noticed(promise, words):
    def transposed(x):
        return x.T

    transposed.__doc__ = f"Transpose.\n\nArgs:\n    x: (N, M) numbers.\nReturns:\n    out: {promise}.\n"
    with pytest.raises(ShapeError, match=words):
        _check(transposed, (draw(2, 3),), {})


def test_missing_and_superfluous_results_are_noticed():
    def pair(x):
        """Twice.

        Args:
            x: (N,) numbers.
        Returns:
            out: (N,) numbers.
        """
        return x, x

    with pytest.raises(ShapeError, match=r"returns 2 values, its docstring names \['out'\]"):
        _check(pair, (draw(2),), {})
