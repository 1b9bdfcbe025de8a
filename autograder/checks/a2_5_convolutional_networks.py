"""Hidden checks of a2/5_convolutional_networks: convolution, max pooling and the three-layer network.

Notable:
- Square images with a border, or with windows side by side, carry four fifths of a layer's points. The rest
  is for what its docstring promises besides: other shapes, no border, windows that overlap or leave gaps.
- Those other parts look only at what is right in the plain cases: a mistake that shows everywhere costs once.
- Honest loops are slow: a layer's check makes seven small calls of each pass.
- The right values are those of the fast layers, whose tests compare them with the plain ones.
- L2 terms are judged by the difference that `reg` makes, so that they fail alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.classifiers.cnn import ThreeLayerConvNet
from handgrad.fast_layers import (
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)

from ..sandbox import StudentError
from . import Expect, for_notebook
from .accuracy import floats, measure
from .networks import dictionary, difference, first, loss_at, loss_of_own_scores, put

check = for_notebook("a2/5_convolutional_networks")

CONV = "handgrad.layers.conv.conv_"
POOL = "handgrad.layers.pool.max_pool_"
NET = "handgrad.classifiers.cnn.ThreeLayerConvNet"
FILE = "best_conv_net.npz"


@dataclass(frozen=True)
class Case:
    """What a layer is called with."""

    extra: str  # the part that it decides; "" for those of the plain cases
    traits: tuple[str, ...]
    what: str  # for the report
    arrays: dict[str, np.ndarray]
    settings: dict[str, int]

    def parts(self, plain: tuple[str, ...]) -> tuple[str, ...]:
        """The parts that it decides."""
        return (self.extra,) if self.extra else plain


# ---- convolution

OTHER_SHAPES = "images and filters that are not square"
NO_BORDER = "no border"


@check("conv_forward", parts={"out": 8, OTHER_SHAPES: 1, NO_BORDER: 1}, function=f"{CONV}forward_naive")
def check_conv_forward(student, rng, expect):
    """The outputs, with several strides and borders."""
    for case in _while_it_runs(_convolutions(rng), expect):
        with expect.case(*case.traits), expect.attempt(*case.parts(("out",))):
            x, w, b = case.arrays.values()
            returned = student.layers.conv_forward_naive(x, w, b, case.settings)
            out, _ = expect.unpack(returned, "out", "cache", of="conv_forward_naive")
            right, _ = conv_forward_fast(x, w, b, case.settings)
            expect.array(case.extra or "out", out, right, what=f"out {case.what}")


@check(
    "conv_backward",
    parts={"dx": 5, "dw": 5, "db": 2, OTHER_SHAPES: 1, NO_BORDER: 1.5, "a second call": 0.5},
    function=f"{CONV}backward_naive",
)
def check_conv_backward(student, rng, expect):
    """The three gradients, with several strides and borders."""

    def passes(case: Case, dout: np.ndarray) -> tuple[Any, Callable[[], dict[str, Any]]]:
        x, w, b = case.arrays.values()
        returned = student.layers.conv_forward_naive(x, w, b, case.settings)
        out, cache = expect.unpack(returned, "out", "cache", of="conv_forward_naive")

        def backward() -> dict[str, Any]:
            grads = student.layers.conv_backward_naive(dout, cache)
            grads = expect.unpack(grads, "dx", "dw", "db", of="conv_backward_naive")
            return dict(zip(("x", "w", "b"), grads, strict=True))

        return out, backward

    def like_a_convolution(case: Case, out: np.ndarray, right: np.ndarray) -> bool:
        """Whether wrong outputs are proportional to images and filters, and as varied as the right ones."""
        x, w, b = case.arrays.values()
        if not 0.2 < out.std(axis=(0, 2, 3)).mean() / right.std(axis=(0, 2, 3)).mean() < 5:
            return False
        doubled = [
            first(student.layers.conv_forward_naive(*arrays, case.settings))
            for arrays in ((2 * x, w, 2 * b), (x, 2 * w, 2 * b))
        ]
        return all(_equal(twice, 2 * out) for twice in doubled)

    _check_backward(
        _convolutions(rng),
        passes,
        {"x": "dx", "w": "dw", "b": "db"},
        reference=(conv_forward_fast, conv_backward_fast),
        forward=student.layers.conv_forward_naive,
        vouches=like_a_convolution,
        rng=rng,
        expect=expect,
    )


def _convolutions(rng: np.random.Generator) -> Iterator[Case]:
    """No two of N, C, F and the sizes of windows are equal; the filters tile."""
    for extra, x, w, stride, pad in [
        ("", (2, 3, 6, 6), (4, 3, 3), 1, 1),
        ("", (3, 2, 5, 5), (4, 3, 3), 2, 1),
        ("", (2, 4, 6, 6), (3, 4, 4), 3, 2),
        (OTHER_SHAPES, (2, 3, 6, 6), (4, 2, 5), 1, 2),
        (OTHER_SHAPES, (3, 2, 7, 9), (4, 5, 3), 2, 1),
        (NO_BORDER, (2, 3, 5, 5), (4, 3, 3), 1, 0),
        (NO_BORDER, (3, 2, 7, 7), (4, 3, 3), 2, 0),
    ]:
        N, C, H, W = x
        F, HH, WW = w
        wide = rng.standard_normal((N, C, H, 2 * W))
        yield Case(
            extra,
            (f"with stride {stride}" if stride == 1 else "with strides above 1", f"with a border of {pad}"),
            f"for images of {H} x {W}, filters of {HH} x {WW}, stride {stride}, pad {pad}",
            {
                "x": wide[..., ::2] if stride == 1 else np.asfortranarray(wide[..., :W]),
                "w": np.asfortranarray(rng.standard_normal((F, C, HH, WW))),
                "b": 2 * rng.standard_normal(F),
            },
            {"stride": stride, "pad": pad},
        )


# ---- max pooling

OTHER_WINDOWS = "images and windows that are not square"
OVERLAP = "windows that overlap"
GAPS = "pixels between the windows"


@check(
    "max_pool_forward",
    parts={"out": 16, OTHER_WINDOWS: 2, OVERLAP: 1, GAPS: 1},
    function=f"{POOL}forward_naive",
)
def check_max_pool_forward(student, rng, expect):
    """The outputs, for windows of several sizes and strides."""
    for case in _while_it_runs(_poolings(rng), expect):
        with expect.case(*case.traits), expect.attempt(*case.parts(("out",))):
            x = case.arrays["x"]
            returned = student.layers.max_pool_forward_naive(x, case.settings)
            out, _ = expect.unpack(returned, "out", "cache", of="max_pool_forward_naive")
            right, _ = max_pool_forward_fast(x, case.settings)
            expect.array(case.extra or "out", out, right, what=f"out {case.what}")


@check(
    "max_pool_backward",
    parts={"dx": 16, OTHER_WINDOWS: 1, OVERLAP: 2, GAPS: 0.5, "a second call": 0.5},
    function=f"{POOL}backward_naive",
)
def check_max_pool_backward(student, rng, expect):
    """The gradient, for windows of several sizes and strides."""

    def passes(case: Case, dout: np.ndarray) -> tuple[Any, Callable[[], dict[str, Any]]]:
        returned = student.layers.max_pool_forward_naive(case.arrays["x"], case.settings)
        out, cache = expect.unpack(returned, "out", "cache", of="max_pool_forward_naive")
        return out, lambda: {"x": student.layers.max_pool_backward_naive(dout, cache)}

    def like_a_pooling(case: Case, out: np.ndarray, right: np.ndarray) -> bool:
        """Whether wrong outputs vary, and are within their windows or about as large as the right ones."""
        x = case.arrays["x"]
        least = -max_pool_forward_fast(-x, case.settings)[0]
        inside = ((out >= least) & (out <= right)).all()
        large = 0.5 < (out.mean() - x.mean()) / (right.mean() - x.mean()) < 1.5
        return bool(out.std() > 0.3 * right.std() and (inside or large))

    _check_backward(
        _poolings(rng),
        passes,
        {"x": "dx"},
        reference=(max_pool_forward_fast, max_pool_backward_fast),
        forward=student.layers.max_pool_forward_naive,
        vouches=like_a_pooling,
        rng=rng,
        expect=expect,
    )


def _poolings(rng: np.random.Generator) -> Iterator[Case]:
    """Numbers are 0.1 apart or more: nowhere is a tie. The windows tile."""
    for extra, shape, HH, WW, stride, signs in [
        ("", (3, 2, 6, 6), 2, 2, 2, "positive"),
        ("", (2, 3, 6, 6), 3, 3, 3, "both"),
        ("", (2, 4, 4, 4), 2, 2, 2, "negative"),
        (OTHER_WINDOWS, (3, 2, 4, 6), 2, 2, 2, "both"),
        (OTHER_WINDOWS, (2, 3, 6, 3), 2, 3, 2, "both"),
        (OTHER_WINDOWS, (3, 4, 3, 8), 3, 2, 2, "both"),
        (OVERLAP, (2, 3, 7, 7), 3, 3, 2, "both"),
        (OVERLAP, (3, 2, 4, 4), 2, 2, 1, "both"),
        (GAPS, (2, 3, 8, 8), 2, 2, 3, "both"),
    ]:
        size = int(np.prod(shape))
        lowest = {"positive": 1, "both": 1 - int(0.8 * size), "negative": -size}[signs]
        x = 0.1 * (rng.permutation(size) + lowest).reshape(shape)
        if stride != 2:
            x = np.asfortranarray(x)
        trait = "for positive numbers" if signs == "positive" else "with negative numbers"
        yield Case(
            extra,
            (trait,),
            f"for images of {shape[2]} x {shape[3]}, windows of {HH} x {WW}, stride {stride}",
            {"x": x},
            {"pool_height": HH, "pool_width": WW, "stride": stride},
        )


# ---- what both backward passes share


def _check_backward(cases, passes, names, *, reference, forward, vouches, rng, expect):
    """Compare the gradients of all cases; in those of extra parts, such that are right in the plain cases.

    Args:
        cases: the plain ones first.
        passes: (case, dout) -> the student's outputs, and a function that makes its gradients by argument.
        names: what the gradient of each argument is called.
        reference: forward and backward pass.
        forward: the student's, called with the arrays of a case and its settings.
        vouches: (case, out, right outputs) -> whether wrong outputs have something of the right ones.
        rng: draws what arrives from above.
        expect: has a part for each gradient, those of the cases, and "a second call".
    """
    again, failed = None, None
    for case in _while_it_runs(cases, expect):
        judged = list(names)
        if case.extra:
            judged = [name for name in names if expect.share(names[name])] or judged
        parts = {names[name]: case.extra or names[name] for name in judged}
        with expect.case(*case.traits), expect.attempt(*dict.fromkeys(parts.values())):
            right, cache = reference[0](*case.arrays.values(), case.settings)
            dout = rng.standard_normal(right.shape)
            grads = reference[1](dout, cache)
            grads = dict(zip(names, grads if isinstance(grads, tuple) else (grads,), strict=True))
            try:
                out, backward = passes(case, dout)
            except StudentError as error:
                if case.extra or error.kind != "exception":
                    raise
                failed = error  # this has cost the forward pass's points, and the other cases are to tell
                continue
            got = backward()
            if not case.extra:
                again = (got, backward)
            expect.sizes = {"N": len(right), "H_out * W_out": right[0, 0].size}
            wrong = _fits(out, right.shape) and not _equal(out, right)
            expect.gradients(
                {names[name]: got[name] for name in judged},
                reference={names[name]: grads[name] for name in judged},
                forward=_outputs(forward, case, names),
                at={names[name]: case.arrays[name] for name in names},
                out=out,
                right_out=right,
                cotangent=dout,
                what=f"{{}} {case.what}",
                parts=parts,
                vouched=wrong and _tried(vouches, case, out, right),
            )

    right = [name for name in names if expect.share(names[name])]
    with expect.attempt("a second call"):
        same = False
        if again and right:
            before, backward = again
            after = backward()
            same = all(_equal(after[name], before[name]) for name in right)
            for name in right:
                expect.remember("a second call", f"{names[name]} of a second call", after[name])
        message = (
            "It gives something else: does the first call change what the forward pass has kept?"
            if right
            else "No gradient of the first call is right."
        )
        expect.true("a second call", same, "the gradients of a second call with the same cache", message)
    if failed and not again:
        expect.fail(failed, *names.values())


def _while_it_runs(cases: Iterable[Case], expect: Expect) -> Iterator[Case]:
    """The cases, up to one in which the student's code hangs or is not written: the next would do so too."""
    for case in cases:
        if any(error.kind not in ("exception", "invalid") for error in expect.errors):
            return
        yield case


def _outputs(forward, case, names):
    """The student's outputs as a function of the arrays, by the names of their gradients."""
    return lambda **at: first(forward(*(at[names[name]] for name in case.arrays), case.settings))


def _tried(vouches, *given) -> bool:
    try:
        return vouches(*given)
    except StudentError:
        return False


def _fits(value: Any, shape: tuple[int, ...]) -> bool:
    numbers = isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.shape == shape
    return bool(numbers and np.isfinite(value).all())


def _equal(a: Any, b: Any) -> bool:
    """Whether two arrays of finite numbers are equal up to rounding in float32."""
    if not isinstance(b, np.ndarray) or not _fits(a, b.shape) or not _fits(b, b.shape):
        return False
    return bool(np.abs(a - b).max(initial=0) <= 1e-4 * np.abs(b).max(initial=0))


# ---- the network's parameters

OTHER_IMAGES = "images that are not square"


@check(
    "conv_net_init",
    parts={"shapes": 3, OTHER_IMAGES: 1, "weights": 4, "biases": 2},
    function=f"{NET}.__init__",
)
def check_conv_net_init(student, rng, expect):
    """Names and shapes; weights from a normal distribution of the right width; zero biases."""
    right = ["W1", "b1", "W2", "b2", "W3", "b3"]
    for part, (C, H, W), F, size, scale in [
        ("shapes", (8, 8, 8), 42, 5, 0.03),
        (OTHER_IMAGES, (20, 4, 10), 50, 3, 0.4),
    ]:
        hidden, classes = 120, 70
        shapes = {
            "W1": (F, C, size, size),
            "b1": (F,),
            "W2": (F * (H // 2) * (W // 2), hidden),
            "b2": (hidden,),
            "W3": (hidden, classes),
            "b3": (classes,),
        }
        costs = ("shapes", "weights", "biases") if part == "shapes" else (part,)
        with expect.attempt(*costs):
            net = student.classifiers.cnn.ThreeLayerConvNet(
                input_dim=(C, H, W),
                num_filters=F,
                filter_size=size,
                hidden_dim=hidden,
                num_classes=classes,
                weight_scale=scale,
                dtype="float64",
            )
            params = net.params.value()
            params = params if isinstance(params, dict) else {}
            # A shape that is wrong for square images has cost its points already.
            judged = [name for name in shapes if name in right or name == "W2"]
            right = [name for name in judged if _check_shape(part, name, params, shapes[name], expect)]
            for name in shapes:
                _check_numbers(name, params.get(name), scale, name in right, expect)
            if {"W1", "W2", "W3"} <= {*right}:
                flat = [params[name].ravel()[:8000] for name in ("W1", "W2", "W3")]
                alike = np.abs(np.corrcoef(flat)[np.triu_indices(3, 1)]).max()
                message = "Two of them hold the same random numbers."
                expect.true("weights", not alike > 0.2, "W1, W2 and W3 differ", message)


def _check_shape(part, name, params, shape, expect) -> bool:
    value = params.get(name)
    array = value if isinstance(value, np.ndarray) else np.empty(0)
    got = array.shape[1:] if len(shape) == 1 and array.shape == (1, *shape) else array.shape
    received = f"an array of shape {array.shape}" if isinstance(value, np.ndarray) else "no array"
    message = f"It should be floats of shape {shape}, all finite; there is {received}."
    expect.remember(part, f"lengths of the axes of {name}", np.array(array.shape, dtype=float))
    return expect.true(part, got == shape and _fits(array, array.shape), f"shape of {name}", message)


def _check_numbers(name, value, scale, right_shape, expect):
    there = isinstance(value, np.ndarray) and value.size > 0 and _fits(value, value.shape)
    if name.startswith("b"):
        zero = there and not value.any()
        expect.true("biases", zero, f"numbers in {name}", "They should all be zero.")
        expect.remember("biases", f"spread of {name}", float(np.ptp(value) > 0) if there else None)
    elif there and value.size >= 4000:
        _check_draw(value / scale, name, expect)
    elif not there or right_shape:
        expect.true("weights", False, f"numbers in {name}", "They are no floats.")
    # Too few to judge is a matter of the shape, and has cost its points there.


def _check_draw(weights, name, expect):
    """Whether thousands of numbers look standard normal: the tolerances are six sigma and more."""
    width = float(weights.std())
    mean = float(weights.mean()) / width if width else 0.0
    expect.number("weights", width, 1.0, what=f"width of {name} / weight_scale", tolerance=0.06)
    expect.number("weights", 1 + mean, 1.0, what=f"1 + mean of {name} / its width", tolerance=0.08)
    within = np.mean(np.abs(weights - weights.mean()) < weights.std())
    what = f"share of {name} within one standard deviation"
    expect.number("weights", within, 0.6827, what=what, tolerance=0.05)
    different = len(np.unique(weights)) / weights.size
    expect.number("weights", different, 1.0, what=f"share of different numbers in {name}", tolerance=0.05)


# ---- its loss and gradients

LAYERS = {
    "W3": "last",
    "b3": "last",
    "W2": "hidden",
    "b2": "hidden",
    "W1": "convolution",
    "b1": "convolution",
}
GRADIENTS = {name: f"gradients of W{name[1]} and b{name[1]}" for name in LAYERS}
L2_GRADIENTS = {name: f"L2 term in the gradient of {name}" for name in ("W1", "W2", "W3")}
L2_LOSS = {name: f"L2 term of {name} in the loss" for name in ("W1", "W2", "W3")}


@check(
    "conv_net_loss",
    parts={
        "scores": 6,
        "loss": 2,
        **dict.fromkeys(GRADIENTS.values(), 3),
        **dict.fromkeys(L2_LOSS.values(), 1),
        **dict.fromkeys(L2_GRADIENTS.values(), 1),
        OTHER_IMAGES: 3,
    },
    function=f"{NET}.loss",
)
def check_conv_net_loss(student, rng, expect):
    """Scores, loss and gradients at reg = 0; then what reg adds to each; then images of another shape."""
    reg = 0.7
    X, y, params = _net_inputs(rng, (2, 6, 6), N=5, F=3, size=3, hidden=7, classes=4)
    expect.sizes = {"N": len(X)}
    nets = {strength: _net(student, params, X.shape[1:], strength) for strength in (0.0, reg)}
    right = {strength: _reference(params, X.shape[1:], strength) for strength in (0.0, reg)}

    with expect.attempt("scores"):
        expect.array("scores", nets[0.0].loss(X), right[0.0].loss(X))

    loss, plain = None, {}
    with expect.attempt("loss", *dict.fromkeys(GRADIENTS.values())):
        loss, plain = _check_gradients(nets[0.0], right[0.0], params, X, y, GRADIENTS, "loss", expect)

    with expect.attempt(*L2_GRADIENTS.values()):
        returned = nets[reg].loss(X, y)
        loss_with_reg, handle = expect.unpack(returned, "loss", "grads", of="ThreeLayerConvNet.loss")
        grads = dictionary(handle, of="ThreeLayerConvNet.loss")
        losses, references = zip(*(right[strength].loss(X, y) for strength in (reg, 0.0)), strict=True)
        expect.gradients(
            {name: difference(grads.get(name), plain.get(name)) for name in LAYERS},
            reference={name: references[0][name] - references[1][name] for name in LAYERS},
            forward=lambda **at: difference(loss_at(nets[reg], at, X, y), loss_at(nets[0.0], at, X, y)),
            at={name: params[name] for name in LAYERS},
            out=difference(loss_with_reg, loss),
            right_out=losses[0] - losses[1],
            what=f"what reg = {reg} adds to the gradient of {{}}",
            parts={name: L2_GRADIENTS[f"W{name[1]}"] for name in LAYERS},
            tolerance=1e-3,
        )

    for kept, part in L2_LOSS.items():
        with expect.attempt(part):
            # The other weights are zero: each L2 term is seen alone.
            alone = {
                name: np.zeros_like(p) if name[0] == "W" and name != kept else p for name, p in params.items()
            }
            added = difference(loss_at(nets[reg], alone, X, y), loss_at(nets[0.0], alone, X, y))
            what = f"what reg = {reg} adds to the loss through {kept}"
            expect.number(part, added, 0.5 * reg * np.sum(params[kept] ** 2), what=what, tolerance=1e-3)
            all_of_them = difference(loss_at(nets[reg], params, X, y), loss_at(nets[0.0], params, X, y))
            expect.remember(part, "what reg adds through all weights", all_of_them)

    with expect.attempt(OTHER_IMAGES):
        X, y, params = _net_inputs(rng, (3, 4, 8), N=4, F=2, size=5, hidden=6, classes=5)
        expect.sizes = {"N": len(X)}
        net, reference = _net(student, params, X.shape[1:], 0.0), _reference(params, X.shape[1:], 0.0)
        names = [name for name in LAYERS if expect.share(GRADIENTS[name])]
        if expect.share("scores") or not names:
            expect.array(OTHER_IMAGES, net.loss(X), reference.loss(X), what="scores of images of 4 x 8")
        _check_gradients(net, reference, params, X, y, dict.fromkeys(names, OTHER_IMAGES), "", expect)


def _check_gradients(net, reference, params, X, y, parts, loss_part, expect):
    """Compare the gradients that decide `parts`, and the loss; returns the student's."""
    loss, handle = expect.unpack(net.loss(X, y), "loss", "grads", of="ThreeLayerConvNet.loss")
    right_loss, right = reference.loss(X, y)
    vouched = not loss_part or expect.number(
        loss_part, loss, right_loss, what="loss at reg = 0", unless=loss_of_own_scores(net, X, y)
    )
    grads = dictionary(handle, of="ThreeLayerConvNet.loss")
    expect.gradients(
        grads,
        reference={name: right[name] for name in parts},
        forward=lambda **at: loss_at(net, at, X, y),
        at={name: params[name] for name in parts},
        out=loss,
        right_out=right_loss,
        what=f"gradient of {{}} at reg = 0, for images of {X.shape[2]} x {X.shape[3]}",
        parts=parts,
        vouched=vouched,  # it is the softmax loss of the student's own scores
    )
    return loss, grads


def _net_inputs(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    N: int,
    F: int,
    size: int,
    hidden: int,
    classes: int,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Images, labels and parameters; no ReLU and no maximum is near to where it changes its mind."""
    C, H, W = shape
    shapes = {
        "W1": (F, C, size, size),
        "b1": (F,),
        "W2": (F * H * W // 4, hidden),
        "b2": (hidden,),
        "W3": (hidden, classes),
        "b3": (classes,),
    }
    y = rng.permutation(np.arange(N) % classes)
    while True:
        X = rng.standard_normal((N, *shape))
        params = {
            name: rng.standard_normal(size) * (0.3 if len(size) > 1 else 1) for name, size in shapes.items()
        }
        maps, _ = conv_forward_fast(X, params["W1"], params["b1"], {"stride": 1, "pad": size // 2})
        windows = np.sort(maps.reshape(N, F, H // 2, 2, W // 2, 2).swapaxes(3, 4).reshape(-1, 4), axis=1)
        units = np.maximum(windows[:, 3], 0).reshape(N, -1) @ params["W2"] + params["b2"]
        far = np.abs(maps).min() > 1e-3 and (windows[:, 3] - windows[:, 2]).min() > 1e-3
        mixed = all(0.25 < (values > 0).mean() < 0.75 for values in (maps, units))
        if far and mixed and np.abs(units).min() > 0.01:
            return X, y, params


def _net(student: Any, params: Mapping[str, np.ndarray], shape: tuple[int, ...], reg: float) -> Any:
    """The student's network with these parameters."""
    F, _, size, _ = params["W1"].shape
    hidden, classes = params["W3"].shape
    net = student.classifiers.cnn.ThreeLayerConvNet(
        input_dim=tuple(shape),
        num_filters=F,
        filter_size=size,
        hidden_dim=hidden,
        num_classes=classes,
        weight_scale=1e-2,
        reg=reg,
        dtype="float64",
    )
    put(net, params)
    return net


def _reference(params: Mapping[str, np.ndarray], shape: tuple[int, ...], reg: float) -> ThreeLayerConvNet:
    F, _, size, _ = params["W1"].shape
    net = ThreeLayerConvNet(tuple(shape), F, size, *params["W3"].shape, reg=reg, dtype=np.float64)
    net.params = dict(params)
    return net


# ---- accuracy

IMAGES = 400  # the compiled layers are not in the sandbox
CLASSES = 10
MOST_FILTERS = 512
MOST_WEIGHTS = 16_000  # of one channel: more than 300 filters of 7 x 7


@check(
    "best_conv_net",
    parts={"accuracy": 1},
    function="conv_net_training",
    uses=(f"{NET}.__init__", f"{NET}.loss"),
    recognise=False,
    saved=FILE,
)
def check_best_conv_net(student, rng, expect):
    """The saved weights in the student's network, on images that nobody has trained on."""
    arrays = student.saved(FILE)
    shape = np.shape(arrays.get("W1", np.empty(0)))
    F, _, size, _ = shape if len(shape) == 4 else (0, 3, 0, 0)
    hidden = np.size(arrays.get("b2", np.empty(0)))
    if F > MOST_FILTERS or F * size**2 > MOST_WEIGHTS:
        expect.person(f"{F} filters of {size} x {size} take too long here: a person grades this network.")
        return
    shapes = {"W1": (F, 3, size, size), "b1": (F,), "W2": (F * 16 * 16, hidden), "b2": (hidden,)}
    shapes |= {"W3": (hidden, CLASSES), "b3": (CLASSES,)}
    saved = floats(arrays, shapes | {"mean_image": (3, 32, 32)}, file=FILE)
    mean_image = saved.pop("mean_image")
    net = student.classifiers.cnn.ThreeLayerConvNet(
        num_filters=F, filter_size=size, hidden_dim=1, dtype="float32"
    )
    put(net, {name: value.astype(np.float32) for name, value in saved.items()})

    def scores(images: np.ndarray) -> Any:
        return net.loss((images - mean_image).astype(np.float32))

    measure(expect, "accuracy", arrays, rng, scores, file=FILE, count=IMAGES)
