"""Public docstrings: every argument is described, and the shapes they promise are those of real calls."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable

import numpy as np
import pytest
from docstring_shapes import ShapeError, check_call, sections

import handgrad
from handgrad import (
    features,
    gradient_check,
    layer_utils,
    layers,
    modules,
    optim,
    shapes10,
    vis_utils,
    written_gradients,
)
from handgrad.classifiers import LinearSVM, Softmax, neural_net

random = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return random.normal(size=shape)


def labels(N: int, C: int) -> np.ndarray:
    return random.integers(C, size=N)


# Sizes differ from each other, so that no axis can be taken for another.
CONV = {"stride": 2, "pad": 1}
POOL = {"pool_height": 3, "pool_width": 1, "stride": 2}
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
    "conv_forward_naive": (layers, "conv_backward_naive", (IMAGES, FILTERS, draw(4), CONV)),
    "max_pool_forward_naive": (layers, "max_pool_backward_naive", (IMAGES, POOL)),
    "conv_relu_forward": (layer_utils, "conv_relu_backward", (IMAGES, FILTERS, draw(4), CONV)),
    "conv_bn_relu_forward": (
        layer_utils,
        "conv_bn_relu_backward",
        (IMAGES, FILTERS, draw(4), draw(4), draw(4), CONV, {"mode": "train"}),
    ),
    "conv_relu_pool_forward": (
        layer_utils,
        "conv_relu_pool_backward",
        (IMAGES, FILTERS, draw(4), CONV, {"pool_height": 2, "pool_width": 2, "stride": 1}),
    ),
    "affine_relu_forward": (layer_utils, "affine_relu_backward", AFFINE),
}


def softmax(scores: np.ndarray) -> np.ndarray:
    return modules.Softmax().forward(scores)


def trained(classifier):
    classifier.train(draw(6, 5), np.array([0, 1, 2, 0, 1, 2]), num_iters=1)
    return classifier


LINEAR = {"LinearSVM": trained(LinearSVM()), "Softmax": trained(Softmax())}
RULES = ("sgd", "sgd_momentum", "sgd_nesterov_momentum", "adagrad", "rmsprop", "adam", "adamw")
CALLS: dict[str, tuple[Callable, tuple]] = {
    "softmax_loss": (layers.softmax_loss, (draw(4, 3), labels(4, 3))),
    "svm_loss": (layers.svm_loss, (draw(4, 3), labels(4, 3))),
    **{rule: (getattr(optim, rule), (draw(2, 3), draw(2, 3))) for rule in RULES},
    "autoencoder_loss": (written_gradients.autoencoder_loss, (draw(2, 3), draw(3))),
    "swish_net_loss": (
        written_gradients.swish_net_loss,
        (draw(6, 5), labels(6, 3), draw(4, 5), draw(4), draw(3, 4), draw(3)),
    ),
    "hog_feature": (features.hog_feature, (draw(16, 24, 3),)),
    "color_histogram_hsv": (features.color_histogram_hsv, (random.uniform(0, 255, (5, 4, 3)), 7)),
    "extract_features": (features.extract_features, (draw(4, 16, 24, 3), [features.hog_feature])),
    "eval_numerical_gradient": (gradient_check.eval_numerical_gradient, (np.sum, draw(2, 3))),
    "eval_numerical_gradient_array": (
        gradient_check.eval_numerical_gradient_array,
        (np.transpose, draw(2, 3), draw(3, 2)),
    ),
    "visualize_grid": (vis_utils.visualize_grid, (draw(6, 4, 5, 3),)),
    "generate": (shapes10.generate, (7, 0)),
    "get_classification_accuracy": (modules.get_classification_accuracy, (draw(4, 3), labels(4, 3))),
    "make_spirals": (modules.toy.make_spirals, (4, 3)),
    "CrossEntropyLoss.forward": (modules.CrossEntropyLoss().forward, (softmax(draw(4, 3)), labels(4, 3))),
    "LinearSVM.loss": (LINEAR["LinearSVM"].loss, (draw(4, 5), labels(4, 3), 0.1)),
    "Softmax.loss": (LINEAR["Softmax"].loss, (draw(4, 5), labels(4, 3), 0.1)),
    "LinearClassifier.predict": (LINEAR["Softmax"].predict, (draw(4, 5),)),
    "TwoLayerNet.predict": (neural_net.TwoLayerNet(5, 4, 3).predict, (draw(6, 5),)),
}
MODULES = {
    "Linear": (modules.Linear(12, 5), draw(2, 3, 4)),
    "ReLU": (modules.ReLU(), draw(2, 3, 4)),
    "Softmax": (modules.Softmax(), draw(4, 3)),
    "Sequential": (modules.Sequential([modules.Linear(12, 5)]), draw(2, 3, 4)),
}
# Arrays in and out, but nothing that one call could show: described by other tests.
ELSEWHERE = {
    "assert_close", "assert_gradient", "rel_error", "grad_check_sparse", "gradient_report", "show_images",
    "load_data", "get_CIFAR10_data", "load_CIFAR10", "load_CIFAR_batch",
    "show_net_weights", "ThreeLayerConvNet.__init__",
    "Solver.__init__", "Solver.check_accuracy", "FullyConnectedNet.loss", "ThreeLayerConvNet.loss",
    "TwoLayerNet.loss", "TwoLayerNet.train", "LinearClassifier.loss", "LinearClassifier.train",
    "CrossEntropyLoss.backward", "DataLoader.__init__", "DataLoader.batches", "Trainer.step",
    "Parameter.__init__", "Sequential.predict",
}  # fmt: skip


@pytest.mark.parametrize("forward", PAIRS)
def test_forward_and_backward_keep_their_promises(forward):
    home, backward, arguments = PAIRS[forward]
    known = {}
    out = _check(getattr(home, forward), arguments, known)
    _check(getattr(home, backward), (draw(*out[0].shape), out[1]), known)


@pytest.mark.parametrize("name", CALLS)
def test_functions_keep_their_promises(name):
    _check(*CALLS[name], {})


@pytest.mark.parametrize("name", MODULES)
def test_modules_keep_their_promises(name):
    module, x = MODULES[name]
    known = {}
    out = _check(module.forward, (x,), known)
    _check(module.backward, (draw(*out.shape),), known)


def public_functions() -> dict[str, Callable]:
    """Functions and methods of the package by qualified name, without those that begin with an underscore."""
    found = {}
    for info in pkgutil.walk_packages(handgrad.__path__, "handgrad."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        module = importlib.import_module(info.name)
        for owner in [module, *(c for _, c in inspect.getmembers(module, inspect.isclass))]:
            for _, function in inspect.getmembers(owner, inspect.isfunction):
                name = function.__qualname__
                public = not any(part.startswith("_") and part != "__init__" for part in name.split("."))
                if function.__module__ == info.name and public and "<" not in name:
                    found[name] = function
    return found


@pytest.mark.parametrize("name", public_functions())
def test_every_argument_is_described(name):
    function = public_functions()[name]
    doc = inspect.getdoc(function)
    assert doc, f"{name} has no docstring"
    if re.search(r"^The same as `|as of `|; see the subclasses", doc):
        return  # described there
    arguments = [p for p in inspect.signature(function).parameters if p != "self"]
    described = sections(doc).get("Args", {})
    if described or len(arguments) > 1 or name.endswith("__init__"):
        assert list(described) == arguments


def test_every_promise_of_a_shape_is_held_against_a_call():
    promising = {
        name
        for name, function in public_functions().items()
        if re.search(
            r"^ +\w+: (\([\w, .*+-]+\)|in the shape of|any shape)",
            inspect.getdoc(function) or "",
            re.MULTILINE,
        )
        and not name.endswith("_fast")
    }
    checked = {*PAIRS, *(backward for _, backward, _ in PAIRS.values()), *CALLS}
    checked |= {f"{name}.{way}" for name in MODULES for way in ("forward", "backward")}
    checked |= {
        "batchnorm_backward_alt"
    }  # has the promises of batchnorm_backward, which it equals in its tests
    assert promising - checked - ELSEWHERE == set()
    assert set(public_functions()) >= ELSEWHERE


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
