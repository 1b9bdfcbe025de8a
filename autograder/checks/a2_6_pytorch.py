"""Hidden checks of a2/6_pytorch: functions and modules that students define in the notebook.

Notable:
- The definitions are collected in the sandbox; no cell that trains is run. What is sent there and what comes
  back are arrays: `inside_pytorch.py`, which runs there, makes tensors of them.
- The right values come from the NumPy layers of the course, not from PyTorch, which this side never imports.
- A `flatten` that is wrong or missing costs its own points; every other check has a right one in its place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.fast_layers import conv_backward_fast, conv_forward_fast
from handgrad.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss

from ..sandbox import StudentError
from . import for_notebook
from .accuracy import measure

check = for_notebook("a2/6_pytorch")

NOTEBOOK = "6_pytorch"
HELPERS = (Path(__file__).parent / "inside_pytorch.py").read_text(encoding="utf-8")
FILE = "best_pytorch_net.safetensors"
MEGABYTES = 20  # as the notebook says
SECONDS = 60.0  # for 100 images: large networks take their time
NEEDS = ("torch",)
ORDER = "flatten in another order of memory"


class Inside:
    """The student's definitions, and helper functions of ours beside them in the sandbox."""

    def __init__(self, student: Any):
        self.ours = student.helpers(HELPERS)
        given = {name: self.ours[name] for name in ("np", "torch", "nn", "F", "device")}
        self.theirs = student.definitions(NOTEBOOK, given)

    def complete(self) -> None:
        """Give the networks a right flatten, if the student's is wrong."""
        self.ours["complete"](self.theirs)

    def run(self, helper: str, name: str, *args: Any, **options: Any) -> Any:
        """Call a helper function with a definition of the student's; errors carry its name."""
        try:
            return self.ours[helper](self.theirs[name], *args, **options)
        except StudentError as error:
            error.call = name
            raise

    def ask(self, helper: str, *args: Any, of: str, **options: Any) -> Any:
        """Call a helper function with objects that stay inside."""
        try:
            return self.ours[helper](*args, **options)
        except StudentError as error:
            error.call = of
            raise


# ---- functions of tensors


@check(
    "torch_fc",
    parts={"flatten": 1, ORDER: 0.5, "scores": 2, "gradients": 0.5},
    function="torch_fc_code",
    needs=NEEDS,
)
def check_torch_fc(student, rng, expect):
    """Rows of images in any order of memory; scores and gradients of the two-layer network."""
    inside = Inside(student)
    shapes = {
        "images": (3, 2, 4, 5),
        "one image": (1, 3, 2, 4),
        "rows": (4, 6),
        "arrays of three axes": (2, 5, 3),
    }
    with expect.attempt("flatten"):
        for what, shape in shapes.items():
            x = rng.standard_normal(shape)
            expect.array("flatten", inside.run("apply", "flatten", x), _rows(x), what=f"flatten of {what}")
    with expect.attempt(ORDER):
        for shape in ((3, 2, 4, 5), (2, 5, 3)):
            x = np.asfortranarray(rng.standard_normal(shape))
            what = f"flatten of {len(shape)} axes in another order"
            expect.array(ORDER, inside.run("apply", "flatten", x), _rows(x), what=what)

    inside.complete()
    for what, shape, H, C in (
        ("images", (4, 3, 2, 5), 9, 6),
        ("rows", (6, 8), 7, 3),
        ("one", (1, 3, 4), 5, 4),
    ):
        x, params = _two_layers(rng, shape, H, C)
        if what == "rows":
            x, params = x.astype(np.float32), [w.astype(np.float32) for w in params]
        with expect.attempt("scores"):
            scores = inside.run("apply", "two_layer_fc", x, params)
            expect.array("scores", scores, _fc_scores(x, params), what=f"scores of {what}")
    with expect.attempt("gradients"):
        x, params = _two_layers(rng, (5, 2, 3, 3), 8, 4)
        names, passes = ("w1", "w2"), (_fc_scores, _fc_gradients)
        _check_gradients(inside, expect, "two_layer_fc", names, x, params, rng, *passes)


def _two_layers(rng, shape, H, C):
    D = int(np.prod(shape[1:]))
    return rng.standard_normal(shape), [rng.standard_normal((D, H)), rng.standard_normal((H, C))]


def _fc_scores(x, params):
    w1, w2 = params
    return relu_forward(_rows(x) @ w1)[0] @ w2


def _fc_gradients(x, params, dout):
    w1, w2 = params
    hidden, cache = relu_forward(_rows(x) @ w1)
    return [_rows(x).T @ relu_backward(dout @ w2.T, cache), hidden.T @ dout]


def _check_gradients(inside, expect, name, names, x, params, rng, scores, gradients):
    """Every parameter gets the gradient of the student's own scores; of right scores the reference's."""
    dout = rng.standard_normal((len(x), params[-1].shape[-1]))
    right_scores, right = scores(x, params), gradients(x, params, dout)
    own = inside.run("apply", name, x, params)
    # Scores of another shape, which have cost their points, may have gradients too.
    other = isinstance(own, np.ndarray) and own.shape != dout.shape and own.size <= 10 * dout.size
    cotangent = np.ones(own.shape) if other else dout
    got = inside.run("gradients", name, x, params, cotangent)
    got = got if isinstance(got, tuple) and len(got) == len(names) else (None,) * len(names)
    expect.gradients(
        dict(zip(names, got, strict=True)),
        reference=dict(zip(names, right, strict=True)),
        forward=lambda **at: inside.run("apply", name, x, list(at.values())),
        at=dict(zip(names, params, strict=True)),
        out=right_scores if expect.share("scores") else own,
        right_out=right_scores,
        cotangent=cotangent,
        what="gradient of {}",
        parts=dict.fromkeys(names, "gradients"),
        vouched=True,  # PyTorch makes it: it is wrong only where the way back is cut
    )


CONVNET = ("conv_w1", "conv_b1", "conv_w2", "conv_b2", "fc_w", "fc_b")


@check("torch_convnet", parts={"scores": 4, "gradients": 1}, function="torch_convnet_code", needs=NEEDS)
def check_torch_convnet(student, rng, expect):
    """Scores of square and other images; gradients of all parameters."""
    inside = Inside(student)
    inside.complete()
    for traits, sizes, dtype in (
        (("for square images",), (2, 3, 6, 6, 4, 5, 7), np.float64),
        ((), (3, 2, 7, 4, 5, 3, 6), np.float64),
        ((), (1, 1, 3, 8, 3, 6, 4), np.float32),
    ):
        x, params = _three_layers(rng, *sizes)
        x, params = x.astype(dtype), [p.astype(dtype) for p in params]
        with expect.attempt("scores"), expect.case(*traits):
            scores = inside.run("apply", "three_layer_convnet", x, params)
            what = f"scores of images {x.shape}"
            expect.array("scores", scores, _conv_scores(x, params), what=what)
    with expect.attempt("gradients"):
        x, params = _three_layers(rng, 2, 2, 5, 4, 3, 4, 5)
        passes = (_conv_scores, _conv_gradients)
        _check_gradients(inside, expect, "three_layer_convnet", CONVNET, x, params, rng, *passes)


def _three_layers(rng, N, C, H, W, channel_1, channel_2, classes):
    shapes = [(channel_1, C, 5, 5), (channel_1,), (channel_2, channel_1, 3, 3), (channel_2,)]
    shapes += [(channel_2 * H * W, classes), (classes,)]
    params = [rng.standard_normal(shape) for shape in shapes]
    return rng.standard_normal((N, C, H, W)), params


def _conv_scores(x, params, with_caches=False):
    w1, b1, w2, b2, w3, b3 = (p.astype(np.float64) for p in params)
    caches = []
    for layer, arguments in (
        (conv_forward_fast, (w1, b1, {"stride": 1, "pad": 2})),
        (relu_forward, ()),
        (conv_forward_fast, (w2, b2, {"stride": 1, "pad": 1})),
        (relu_forward, ()),
        (affine_forward, (w3, b3)),
    ):
        x, cache = layer(x.astype(np.float64), *arguments)
        caches.append(cache)
    return (x, caches) if with_caches else x


def _conv_gradients(x, params, dout):
    _, caches = _conv_scores(x, params, with_caches=True)
    dout, dw3, db3 = affine_backward(dout, caches.pop())
    dout, dw2, db2 = conv_backward_fast(relu_backward(dout, caches.pop()), caches.pop())
    _, dw1, db1 = conv_backward_fast(relu_backward(dout, caches.pop()), caches.pop())
    return [dw1, db1, dw2, db2, dw3, db3]


def _rows(x):
    return x.reshape(len(x), -1)


# ---- weights to start from


WANTED = {
    "float32": "It should be float32.",
    "a leaf": "It is computed from another tensor that requires a gradient: it is no leaf.",
    "requires a gradient": "It does not require a gradient.",
}


@check(
    "torch_weights",
    parts={
        "random_weight of an affine layer": 1,
        "random_weight of filters": 1,
        "kind of random_weight": 0.75,
        "zero_weight": 0.75,
        "device": 0.5,
    },
    function="torch_weights_code",
    needs=NEEDS,
)
def check_torch_weights(student, rng, expect):
    """Width, mean and variety of thousands of numbers; zeros; leaves that require gradients."""
    inside = Inside(student)
    D, M, F, C = (int(rng.integers(*span)) for span in ((280, 400), (60, 90), (70, 90), (24, 40)))
    for part, shape, fan_in in (
        ("random_weight of an affine layer", (D, M), D),
        ("random_weight of an affine layer", (M, D), M),
        ("random_weight of filters", (F, C, 3, 5), 15 * C),
        ("random_weight of filters", (2 * C, 5, 7, 6), 210),
    ):
        with expect.attempt(part):
            draws = [
                inside.run("made", "random_weight", list(shape), int(rng.integers(2**31))) for _ in range(2)
            ]
            first, second = (expect.unpack(drawn, "w", "its kind", of="made")[0] for drawn in draws)
            _check_draw(expect, part, first, second, shape, fan_in)
    with expect.attempt("kind of random_weight"):
        for shape in ((4, 5), (3, 2, 5, 5)):
            made = inside.run("made", "random_weight", list(shape), 0, "cpu")
            _check_kind(expect, "kind of random_weight", expect.unpack(made, "w", "its kind", of="made")[1])
    with expect.attempt("zero_weight"):
        for shape in ((7,), (3, 4)):
            w, kind = expect.unpack(inside.run("made", "zero_weight", list(shape), 0), "w", "kind", of="made")
            expect.array("zero_weight", w, np.zeros(shape), what=f"zero_weight({shape})")
            _check_kind(expect, "zero_weight", kind)
    with expect.attempt("device"):
        for name, shape in (("random_weight", (4, 5)), ("zero_weight", (6,))):
            found = inside.run("made_there", name, list(shape))
            noted, kept = expect.unpack(found, "noted", "kept", of="the helper")
            expect.true(
                "device", noted is True, f"device of {name}", "It ignores the device that it is given."
            )
            message = "A tensor that was moved to the device is no leaf that requires a gradient."
            expect.true("device", kept is True, f"{name} on the device", message)


def _check_draw(expect, part, w, other, shape, fan_in):
    """Whether thousands of numbers have the right width: the tolerances are six sigma and more."""
    there = isinstance(w, np.ndarray) and w.shape == shape and w.dtype.kind == "f" and np.isfinite(w).all()
    received = f"an array of shape {w.shape}" if isinstance(w, np.ndarray) else "no tensor"
    message = f"It should be finite floats of shape {shape}; there is {received}."
    if not expect.true(part, there, f"random_weight({shape})", message):
        return
    w, right = w.astype(np.float64), np.sqrt(2 / fan_in)
    what = f"of random_weight({shape})"
    expect.number(part, w.std() / right, 1.0, what=f"width {what} / the right one", tolerance=0.06)
    expect.number(part, 1 + w.mean() / right, 1.0, what=f"1 + mean {what} / the right width", tolerance=0.08)
    different = len(np.unique(w)) / w.size
    expect.number(part, different, 1.0, what=f"share of different numbers {what}", tolerance=0.05)
    again = isinstance(other, np.ndarray) and np.array_equal(w, other)
    expect.true(part, not again, f"a second call {what}", "It gives the same numbers every time.")


def _check_kind(expect, part, kind):
    for wanted, message in WANTED.items():
        expect.true(part, wanted in str(kind).split(", "), f"{part}: {wanted}", message)


# ---- a step of training


@check(
    "torch_sgd_step",
    parts={"loss": 1, "parameters": 2, "next step": 1},
    function="torch_sgd_step_code",
    needs=NEEDS,
)
def check_torch_sgd_step(student, rng, expect):
    """The loss before the step, the parameters after it, and that the next step starts anew."""
    inside = Inside(student)
    N, H, C = 5, 6, 4
    shapes = [(H, 12), (H,), (C, H), (C,)]
    start, elsewhere = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))
    elsewhere[2] *= 5  # large gradients: nothing is clipped
    batches = [(rng.standard_normal((n, 3, 2, 2)), rng.permutation(np.arange(n) % C)) for n in (N, N + 3, 1)]

    def step(params, batch, rate):
        returned = inside.run("step", "sgd_step", params, *batch, rate)
        loss, kept, *after = expect.unpack(
            returned, "loss", "kept", *("w1", "b1", "w2", "b2"), of="the helper"
        )
        return loss, kept, after

    expect.sizes = {"N": N}
    fresh = []
    for at, batch, rate in zip((start, elsewhere, start), batches, (0.4, 0.15, 0.3), strict=True):
        expect.sizes = {"N": len(batch[1])} if len(batch[1]) > 1 else {}
        with expect.attempt("loss", "parameters"):
            loss, kept, after = step(inside.ask("trainable", at, of="sgd_step"), batch, rate)
            right_loss, right = _loss_and_gradients(at, *batch)
            expect.number("loss", loss, right_loss, what=f"loss of {len(batch[1])} examples")
            moved = [_minus(new, old) for new, old in zip(after, at, strict=True)]
            fresh.append((moved, kept))
            for name, got, gradient in zip(("w1", "b1", "w2", "b2"), moved, right, strict=True):
                expect.array("parameters", got, -rate * gradient, what=f"what a step adds to {name}")

    with expect.attempt("next step"):
        if len(fresh) < 2:
            raise StudentError("invalid", "the first step failed already")
        params = inside.ask("trainable", start, of="sgd_step")
        _, kept, _ = step(params, batches[0], 0.4)
        message = "After a step, a parameter is no leaf that requires a gradient any more."
        expect.true("next step", kept is True, "parameters after a step", message)
        inside.ask("put", params, elsewhere, of="sgd_step")
        _, _, after = step(params, batches[1], 0.15)
        for name, new, old, alone in zip(
            ("w1", "b1", "w2", "b2"), after, elsewhere, fresh[1][0], strict=True
        ):
            if isinstance(alone, np.ndarray) and alone.any():
                what = f"what the second step adds to {name}, beside the same step taken first"
                expect.array("next step", _minus(new, old), alone, what=what)
            else:
                expect.true("next step", False, f"the second step of {name}", "It does not move.")


def _loss_and_gradients(params, x, y):
    """Of the small network in inside_pytorch.py."""
    w1, b1, w2, b2 = params
    a, cache_1 = affine_forward(x, w1.T, b1)
    hidden = np.tanh(a)
    scores, cache_2 = affine_forward(hidden, w2.T, b2)
    loss, dscores = softmax_loss(scores, y)
    dhidden, dw2, db2 = affine_backward(dscores, cache_2)
    _, dw1, db1 = affine_backward(dhidden * (1 - hidden**2), cache_1)
    return loss, [dw1.T, db1, dw2.T, db2]


def _minus(a, b):
    same = isinstance(a, np.ndarray) and a.shape == b.shape and a.dtype.kind == "f"
    return a.astype(np.float64) - b if same else None


# ---- modules


FC, CONV = "TwoLayerFC", "ThreeLayerConvNet"


@check(
    "torch_modules",
    parts={
        f"parameters of {FC}": 0.5,
        f"scores of {FC}": 1,
        f"first weights of {FC}": 0.75,
        f"parameters of {CONV}": 0.5,
        f"scores of {CONV}": 1,
        f"first weights of {CONV}": 0.75,
    },
    function="torch_modules_fc_code",
    also=["torch_modules_conv_code"],
    needs=NEEDS,
)
def check_torch_modules(student, rng, expect):
    """Parameters that the modules know of, scores with other weights, and first weights by Kaiming's rule."""
    inside = Inside(student)
    inside.complete()
    for N, shape, H, C in ((3, (3, 4, 5), 7, 6), (1, (2, 6, 2), 5, 9)):
        D = int(np.prod(shape))
        sizes = [(H, D), (H,), (C, H), (C,)]
        x = 4 * rng.standard_normal((N, *shape), dtype=np.float32)
        _check_module(inside, expect, rng, FC, (D, H, C), sizes, x, _fc_module_scores)
    for N, C, channel_1, channel_2, classes in ((2, 3, 4, 5, 7), (1, 2, 5, 3, 10)):
        x = 4 * rng.standard_normal((N, C, 32, 32), dtype=np.float32)
        sizes = _convnet_shapes(C, channel_1, channel_2, classes)
        _check_module(
            inside, expect, rng, CONV, (C, channel_1, channel_2, classes), sizes, x, _conv_module_scores
        )

    D, H, C = 620, 310, 60
    fans = {(H, D): D, (C, H): H}
    _check_first_weights(inside, expect, rng, FC, (D, H, C), fans)
    fans = {(50, 8, 5, 5): 200, (20, 50, 3, 3): 450, (10, 20 * 32 * 32): 20 * 32 * 32}
    _check_first_weights(inside, expect, rng, CONV, (8, 50, 20, 10), fans)


def _convnet_shapes(C, channel_1, channel_2, classes):
    shapes = [(channel_1, C, 5, 5), (channel_1,), (channel_2, channel_1, 3, 3), (channel_2,)]
    return [*shapes, (classes, channel_2 * 32 * 32), (classes,)]


def _fc_module_scores(x, params):
    w1, b1, w2, b2 = (p.astype(np.float64) for p in params)
    return affine_forward(relu_forward(affine_forward(x, w1.T, b1)[0])[0], w2.T, b2)[0]


def _conv_module_scores(x, params):
    return _conv_scores(x, [*params[:4], params[4].T, params[5]])


def _check_module(inside, expect, rng, name, arguments, shapes, x, reference):
    """A network built with these arguments: its parameters, and its scores with others in their places."""
    parameters, scores = f"parameters of {name}", f"scores of {name}"
    with expect.attempt(parameters, scores):
        net = inside.run("build", name, int(rng.integers(2**31)), *arguments)
        _check_network(inside, expect, rng, net, name, (parameters, scores), shapes, x, reference)


def _check_network(inside, expect, rng, net, name, parts, shapes, x, reference):
    parameters, scores = parts
    kind = inside.ask("kind", net, of=name) if not isinstance(net, str | int | float | None) else ""
    if not kind:
        raise StudentError("invalid", f"{name} should make an nn.Module")
    found = inside.ask("shapes", net, of=name).value()
    found = [s for s in found if _is_shape(s)] if isinstance(found, list) else []
    message = f"Their shapes should be {_told(shapes)}; net.parameters() has {_told(found)}."
    what = f"parameters of {name} with weights {shapes[0]}"
    expect.true(parameters, sorted(found) == sorted(shapes), what, message)
    expect.remember(parameters, "sizes of the parameters", np.array([float(np.prod(s)) for s in found]))
    # Biases that are not there count as zeros: that has cost the points of the parameters.
    params = [
        0.3 * rng.standard_normal(shape) if len(shape) == 1 or np.prod(shape) < 5000
        else rng.standard_normal(shape) / np.sqrt(shape[1])
        for shape in shapes
    ]  # fmt: skip
    params = [(p * (shape in found)).astype(np.float32) for p, shape in zip(params, shapes, strict=True)]
    if absent := [shape for shape in shapes if shape not in found and len(shape) > 1]:
        message = f"They cannot be compared: there is no parameter of shape {absent[0]}."
        expect.true(scores, False, f"scores of {name}", message)
        return
    inside.ask("load", net, [p for p in params if p.shape in found], of=name)
    got = inside.ask("scores", net, x, of=name)
    expect.array(scores, got, reference(x, params), what=f"scores of {name} for inputs {x.shape}")


def _check_first_weights(inside, expect, rng, name, arguments, fans):
    """The widths of the weights that a new network has; the tolerance is six sigma and more."""
    part = f"first weights of {name}"
    with expect.attempt(part):
        net = inside.run("build", name, int(rng.integers(2**31)), *arguments)
        found = inside.ask("weights", net, of=name).value()
        for shape, fan_in in fans.items():
            w = found.get("x".join(map(str, shape))) if isinstance(found, dict) else None
            there = isinstance(w, np.ndarray) and w.shape == shape and w.dtype.kind == "f"
            message = "There is no parameter of this shape."
            if expect.true(part, there, f"weights of shape {shape}", message):
                right = np.sqrt(2 / fan_in)
                what = f"of the weights of shape {shape} / the right width"
                expect.number(part, w.std() / right, 1.0, what=f"width {what}", tolerance=0.06)
                expect.number(part, 1 + w.mean() / right, 1.0, what=f"1 + mean {what}", tolerance=0.08)


def _is_shape(value):
    return isinstance(value, tuple) and len(value) < 8 and all(type(n) is int and n >= 0 for n in value)


def _told(shapes):
    return ", ".join(map(str, shapes[:8])) + (" and more" if len(shapes) > 8 else "") or "none"


# ---- the accuracy


@check(
    "torch_accuracy",
    parts={"accuracy": 3, "evaluation mode": 1, "no gradients": 1},
    function="torch_accuracy_code",
    needs=NEEDS,
)
def check_torch_accuracy(student, rng, expect):
    """The share of right answers for any number of images, of a network that notes how it is asked."""
    inside = Inside(student)
    classes = 5
    odd = int(rng.integers(1100, 1450))
    for what, N in (("many images", odd), ("500 images", 500), ("a few images", 7), ("one image", 1)):
        with expect.attempt("accuracy", "evaluation mode", "no gradients"):
            X = rng.standard_normal((N, 2, 3, 2))
            y = _rows(X)[:, :classes].argmax(axis=1)
            wrong = int(0.2337 * N)  # all at the end, in the last pieces
            y[N - wrong :] = (y[N - wrong :] + rng.integers(1, classes, wrong)) % classes
            got = inside.run("accuracy", "check_accuracy", X, y, classes)
            result, trained, recorded, seen = expect.unpack(
                got, "accuracy", "trained", "recorded", "seen", of="the helper"
            )
            expect.number("accuracy", result, (N - wrong) / N, what=f"accuracy on {what}")
            asked = isinstance(seen, int) and seen > 0
            expect.true(
                "evaluation mode", asked and trained is False, f"mode for {what}", "It is in training mode."
            )
            expect.true(
                "no gradients", asked and recorded is False, f"gradients for {what}", "They are recorded."
            )


# ---- a network in a few lines, and an optimizer


@check(
    "torch_sequential",
    parts={"parameters": 0.75, "scores": 1.75, "Nesterov momentum": 2},
    function="torch_sequential_code",
    needs=NEEDS,
)
def check_torch_sequential(student, rng, expect):
    """An nn.Sequential with the right parameters and scores; three steps of the optimizer."""
    inside = Inside(student)
    for N, C, channel_1, channel_2, classes in ((2, 3, 5, 4, 6), (1, 2, 3, 7, 10)):
        with expect.attempt("parameters", "scores"):
            net = inside.run("build", "sequential_convnet", 0, C, channel_1, channel_2, classes)
            x = 4 * rng.standard_normal((N, C, 32, 32), dtype=np.float32)
            shapes = _convnet_shapes(C, channel_1, channel_2, classes)
            _check_network(
                inside, expect, rng, net, "sequential_convnet", ("parameters", "scores"), shapes, x,
                _conv_module_scores,
            )  # fmt: skip
            kind = inside.ask("kind", net, of="sequential_convnet")
            message = "It should be an nn.Sequential."
            expect.true("parameters", kind == "nn.Sequential", "kind of network", message)

    part = "Nesterov momentum"
    with expect.attempt(part):
        shapes = [(3, 4), (3,), (2, 3), (2,)]
        start, *gradients = ([rng.standard_normal(shape) for shape in shapes] for _ in range(4))
        rate = float(rng.uniform(0.1, 0.3))
        got = inside.run("optimised", "nesterov_sgd", rate, start, gradients)
        got = expect.unpack(got, "first", "second", "third", of="the helper")
        right = _nesterov(start, gradients, rate)
        before = _flat(start)
        for number, (after, expected) in enumerate(zip(got, right, strict=True), 1):
            with expect.case(*(("in the first step",) if number == 1 else ())):
                what = f"what {number} steps add to the parameters" if number > 1 else "what a step adds"
                expect.array(part, _minus(after, before), expected - before, what=what)


def _nesterov(start, gradients, rate, momentum=0.9):
    w, v = _flat(start), 0.0
    states = []
    for gradient in map(_flat, gradients):
        v = momentum * v + gradient
        w = w - rate * (gradient + momentum * v)
        states.append(w)
    return states


def _flat(arrays):
    return np.concatenate([a.ravel() for a in arrays])


# ---- the best network


@check(
    "best_pytorch_net",
    parts={"accuracy": 1},
    function="torch_best_code",
    recognise=False,
    saved=FILE,
    needs=NEEDS,
)
def check_best_pytorch_net(student, rng, expect):
    """The saved weights in the student's own network, on images that nobody has trained on."""
    weights, about = student.saved_tensors(FILE)
    if sum(array.nbytes for array in weights.values()) > MEGABYTES * 10**6:
        raise StudentError("invalid", f"{FILE} has more than {MEGABYTES} MB of numbers")
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise StudentError("invalid", f"{name[:80]} in {FILE} is not finite")
    mean, scale = (_channels(about, name) for name in ("mean", "scale"))
    if not (scale > 0).all():
        raise StudentError("invalid", f"scale in {FILE} should be positive")
    inside = Inside(student)
    inside.complete()
    net = inside.run("restored", "build_net", weights)

    def scores(images):
        x = ((images - mean[:, None, None]) / scale[:, None, None]).astype(np.float32)
        return inside.ask("scores", net, x, of="The network of build_net", limit=SECONDS)

    measure(expect, "accuracy", {"dataset": about.get("dataset", "")}, rng, scores, file=FILE)


def _channels(about, name):
    """Three finite numbers from the file's table of text."""
    try:
        numbers = np.array([float(number) for number in json.loads(about[name])])
    except (KeyError, ValueError, TypeError, RecursionError, OverflowError):
        numbers = np.empty(0)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise StudentError("invalid", f"{name} in {FILE} should be a list of three numbers: use save_net")
    return numbers
