"""Hidden checks of a1/3_two_layer_net: affine and ReLU layers, softmax and SVM losses, the two-layer network.

Notable:
- Inputs have several trailing axes, N != D != M, Fortran order and gaps in memory; kinks are kept at a
  distance.
- Every check with a forward and a backward pass feeds the cache that the student's own forward pass made.
- L2 terms are judged by the difference that `reg` makes, so that they fail alone.
"""

from __future__ import annotations

import functools

import numpy as np

from handgrad import shapes10
from handgrad.classifiers.fc_net import TwoLayerNet
from handgrad.layers import (
    affine_backward,
    affine_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
    svm_loss,
)

from . import for_notebook
from .accuracy import accuracy, floats, measure
from .networks import dictionary, difference, first, loss_at, loss_of_own_scores, put, train

check = for_notebook("a1/3_two_layer_net")

LAYERS = [
    "handgrad.layers.affine.affine_forward",
    "handgrad.layers.affine.affine_backward",
    "handgrad.layers.activations.relu_forward",
    "handgrad.layers.activations.relu_backward",
    "handgrad.layers.losses.softmax_loss",
]
NET = "handgrad.classifiers.fc_net.TwoLayerNet"
FILE = "best_two_layer_net.npz"


# ---- layers


@check("affine_forward", parts={"out": 1}, function="handgrad.layers.affine.affine_forward")
def check_affine_forward(student, rng, expect):
    """The outputs, for images and for rows."""
    for what, x, w, b in _affine_inputs(rng):
        with expect.case(*_traits(x, w)), expect.attempt("out"):
            returned = student.layers.affine_forward(x, w, b)
            out, _ = expect.unpack(returned, "out", "cache", of="affine_forward")
            expect.array("out", out, affine_forward(x, w, b)[0], what=f"out for {what}")


@check(
    "affine_backward", parts={"dx": 2, "dw": 2, "db": 1}, function="handgrad.layers.affine.affine_backward"
)
def check_affine_backward(student, rng, expect):
    """The three gradients, for images and for rows."""
    for what, x, w, b in _affine_inputs(rng):
        dout = rng.standard_normal((len(x), w.shape[1]))
        right_out, right_cache = affine_forward(x, w, b)
        right = affine_backward(dout, right_cache)
        expect.sizes = {"N": len(x), "M": w.shape[1]}
        with expect.case(*_traits(x, w)), expect.attempt("dx", "dw", "db"):
            returned = student.layers.affine_forward(x, w, b)
            out, cache = expect.unpack(returned, "out", "cache", of="affine_forward")
            returned = student.layers.affine_backward(dout, cache)
            dx, dw, db = expect.unpack(returned, "dx", "dw", "db", of="affine_backward")
            expect.gradients(
                {"dx": dx, "dw": dw, "db": db},
                reference=dict(zip(("dx", "dw", "db"), right, strict=True)),
                forward=lambda dx, dw, db: first(student.layers.affine_forward(dx, dw, db)),
                at={"dx": x, "dw": w, "db": b},
                out=out,
                right_out=right_out,
                cotangent=dout,
                what=f"{{}} for {what}",
            )


@check("relu_forward", parts={"out": 1}, function="handgrad.layers.activations.relu_forward")
def check_relu_forward(student, rng, expect):
    """The outputs, for arrays of two and of four axes."""
    for x in _relu_inputs(rng):
        with expect.case(*_traits(x)), expect.attempt("out"):
            out, _ = expect.unpack(student.layers.relu_forward(x), "out", "cache", of="relu_forward")
            expect.array("out", out, relu_forward(x)[0], what=f"out for {x.ndim} axes")


@check("relu_backward", parts={"dx": 1}, function="handgrad.layers.activations.relu_backward")
def check_relu_backward(student, rng, expect):
    """The gradient, for arrays of two and of four axes."""
    for x in _relu_inputs(rng):
        dout = rng.standard_normal(x.shape)
        with expect.case(*_traits(x)), expect.attempt("dx"):
            out, cache = expect.unpack(student.layers.relu_forward(x), "out", "cache", of="relu_forward")
            right_out, right_cache = relu_forward(x)
            expect.gradients(
                {"dx": student.layers.relu_backward(dout, cache)},
                reference={"dx": relu_backward(dout, right_cache)},
                forward=lambda dx: first(student.layers.relu_forward(dx)),
                at={"dx": x},
                out=out,
                right_out=right_out,
                cotangent=dout,
                what=f"{{}} for {x.ndim} axes",
            )


def _affine_inputs(rng):
    """Images in rows of memory with gaps; columns in Fortran order; plain rows; square matrices."""
    x = rng.standard_normal((5, 2, 3, 8))[..., ::2]
    yield "images", x, rng.standard_normal((24, 7)), rng.standard_normal(7)
    x = np.asfortranarray(rng.standard_normal((4, 3, 5)))
    yield "arrays of three axes", x, np.asfortranarray(rng.standard_normal((15, 6))), rng.standard_normal(6)
    yield "rows", rng.standard_normal((6, 9)), rng.standard_normal((9, 4)), rng.standard_normal(4)
    yield "square matrices", rng.standard_normal((5, 5)), rng.standard_normal((5, 5)), rng.standard_normal(5)


def _relu_inputs(rng):
    """Numbers of both signs, from 0.05 to 2 away from 0."""
    for shape in ((5, 7), (3, 2, 4, 5)):
        yield np.asfortranarray(rng.uniform(0.05, 2, shape) * rng.choice([-1, 1], shape))


def _traits(*arrays):
    """What is special about the shapes of inputs."""
    traits = []
    if arrays[0].ndim > 2:
        traits.append("for inputs of more than two axes")
    if len(arrays) > 1 and len({*arrays[0].shape, *arrays[1].shape}) == 1:
        traits.append("for square matrices")
    return traits


# ---- losses


@check(
    "softmax_loss",
    parts={"loss": 1.5, "dx": 2, "large scores": 0.5},
    function="handgrad.layers.losses.softmax_loss",
)
def check_softmax_loss(student, rng, expect):
    """Loss and gradient; then scores so large that an exponential of them overflows."""
    _check_loss(student.layers.softmax_loss, softmax_loss, "softmax_loss", rng, expect)
    with expect.attempt("large scores"):
        _check_large_scores(student.layers.softmax_loss, rng, expect)


def _check_large_scores(students, rng, expect):
    """A number added to all scores of an example changes nothing, not even a loss that is wrong otherwise."""
    part, N = "large scores", 6
    x, y = _scores(rng, N, C=4)
    x = np.round(64 * x) / 64  # so that float32 holds the sums exactly
    shift = 1e4 * np.array([1, 1, 1, -1, -1, -1])[:, None]
    own = expect.unpack(students(x, y), "loss", "dx", of="softmax_loss")
    loss, dx = expect.unpack(students(x + shift, y), "loss", "dx", of="softmax_loss")

    def as_without(value):
        def judge(got):
            earned = expect.share("loss") or expect.share("dx")
            same = isinstance(value, float | np.ndarray) and np.shape(value) == got.shape
            if earned and same and np.allclose(got, value, rtol=1e-4, atol=1e-4 * np.abs(value).max()):
                return "It is wrong, but just as for small scores: full points here."
            return ""

        return judge

    expect.sizes = {}
    right_loss, right_dx = softmax_loss(x, y)
    expect.number(part, loss, right_loss, what="loss for scores near +-10,000", unless=as_without(own[0]))
    expect.array(part, dx, right_dx, what="dx for scores near +-10,000", unless=as_without(own[1]))
    far = x.copy()
    far[np.arange(N), y] -= 1e4 * (np.arange(N) % 2)
    loss, dx = expect.unpack(students(far, y), "loss", "dx", of="softmax_loss")
    what = "loss for right classes 10,000 below the others"
    if expect.share("loss"):
        expect.number(part, loss, softmax_loss(far, y)[0], what=what)
    else:
        finite = isinstance(loss, float) and np.isfinite(loss)
        expect.true(part, finite, what, "It is not a finite number.")
    finite = isinstance(dx, np.ndarray) and dx.dtype.kind == "f" and np.isfinite(dx).all()
    expect.true(
        part, finite, "dx for right classes 10,000 below the others", "Its numbers are not all finite."
    )


@check("svm_loss", parts={"loss": 1, "dx": 1}, function="handgrad.layers.losses.svm_loss")
def check_svm_loss(student, rng, expect):
    """Loss and gradient."""
    _check_loss(student.layers.svm_loss, svm_loss, "svm_loss", rng, expect)


def _check_loss(students, reference, name, rng, expect):
    for N, C in ((7, 5), (6, 9), (5, 5)):
        x, y = _scores(rng, N, C)
        right_loss, right_dx = reference(x, y)
        sizes = f"for {N} examples, {C} classes"
        expect.sizes = {"N": N, "C": C}
        with (
            expect.case(*(["for as many examples as classes"] if N == C else [])),
            expect.attempt("loss", "dx"),
        ):
            loss, dx = expect.unpack(students(x, y), "loss", "dx", of=name)
            expect.number("loss", loss, right_loss, what=f"loss {sizes}")
            expect.gradients(
                {"dx": dx},
                reference={"dx": right_dx},
                forward=lambda dx, y=y: first(students(dx, y)),
                at={"dx": x},
                out=loss,
                right_out=right_loss,
                what=f"{{}} {sizes}",
            )


def _scores(rng, N, C):
    """Labels of many classes, and scores whose hinge margins keep 0.02 from 0, some met and some not."""
    y = rng.permutation(np.arange(N) % C)
    while True:
        x = 1.5 * rng.standard_normal((N, C))
        margins = x - x[np.arange(N), y][:, None] + 1
        far = np.abs(margins).min() > 0.02 and np.abs(margins - 1)[margins != 1].min() > 0.02
        if far and 0.3 < (margins > 0).mean() < 0.8:
            return x, y


# ---- the network


@check("two_layer_net_init", parts={"shapes": 1, "weights": 2, "biases": 1}, function=f"{NET}.__init__")
def check_two_layer_net_init(student, rng, expect):
    """Names and shapes; weights from a normal distribution of the right width; zero biases; reg."""
    for scale in (0.03, 0.4):
        D, H, C = 90, 120, 70
        net = student.classifiers.fc_net.TwoLayerNet(
            input_dim=D, hidden_dim=H, num_classes=C, weight_scale=scale, reg=0.25
        )
        expect.number("shapes", net.reg, 0.25, what="reg")
        params = net.params.value()
        params = params if isinstance(params, dict) else {}
        shapes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
        for name, shape in shapes.items():
            value = params.get(name)
            array = value if isinstance(value, np.ndarray) else np.empty(0)
            got = array.shape[1:] if name.startswith("b") and array.shape == (1, *shape) else array.shape
            there = got == shape and array.dtype.kind == "f" and np.isfinite(array).all()
            received = f"an array of shape {array.shape}" if isinstance(value, np.ndarray) else "no array"
            message = f"It should be floats of shape {shape}, all finite; there is {received}."
            right = expect.true("shapes", there, f"shape of {name}", message)
            if name.startswith("b"):
                zero = there and not array.any()
                expect.true("biases", zero, f"numbers in {name}", "They should all be zero.")
                expect.remember(
                    "biases", f"spread of {name}", float(np.ptp(array) > 0) if array.size else None
                )
            elif right or array.shape == shape[::-1]:
                _check_draw(array / scale, name, expect)
            else:
                expect.true(
                    "weights", False, f"numbers in {name}", "They could not be looked at: wrong shape."
                )
        if np.shape(params.get("W1")) == (D, H) and np.shape(params.get("W2")) == (H, C):
            first, second = params["W1"].ravel()[: H * C], params["W2"].ravel()
            twins = np.corrcoef(first, second)[0, 1]
            expect.true(
                "weights", not abs(twins) > 0.2, "W1 and W2 differ", "W1 and W2 hold the same random numbers."
            )


def _check_draw(weights, name, expect):
    """Whether thousands of numbers look standard normal: the tolerances are six sigma and more."""
    width = float(weights.std())
    mean = float(weights.mean()) / width if width else 0.0
    expect.number("weights", width, 1.0, what=f"width of {name} / weight_scale", tolerance=0.06)
    expect.number("weights", 1 + mean, 1.0, what=f"1 + mean of {name} / its width", tolerance=0.08)
    within = np.mean(np.abs(weights - weights.mean()) < weights.std())
    expect.number(
        "weights", within, 0.6827, what=f"share of {name} within one standard deviation", tolerance=0.05
    )
    different = len(np.unique(weights)) / weights.size
    expect.number("weights", different, 1.0, what=f"share of different numbers in {name}", tolerance=0.05)


@check("two_layer_net_scores", parts={"scores": 1}, function=f"{NET}.loss", uses=LAYERS)
def check_two_layer_net_scores(student, rng, expect):
    """Scores of rows and of images, with weights that are put in."""
    for shape in ((12,), (2, 3, 4)):
        X, _, params = _net_inputs(rng, shape, N=6, H=8, C=5)
        scores = _net(student, params, reg=0.3).loss(X)
        expect.array("scores", scores, _reference(params, 0.3).loss(X), what=f"scores of inputs {shape}")


@check(
    "two_layer_net_loss",
    parts={
        "loss": 1,
        "L2 term of W1 in the loss": 0.5,
        "L2 term of W2 in the loss": 0.5,
        "gradients of W2 and b2": 1,
        "gradients of W1 and b1": 1,
        "L2 term in the gradients of the second layer": 0.5,
        "L2 term in the gradients of the first layer": 0.5,
    },
    function=f"{NET}.loss",
    uses=LAYERS,
)
def check_two_layer_net_loss(student, rng, expect):
    """Loss and gradients at reg = 0; then what reg adds to each."""
    layers = {"W2": "second", "b2": "second", "W1": "first", "b1": "first"}
    reg, N, H, C = 0.7, 6, 8, 5
    X, y, params = _net_inputs(rng, (3, 4), N, H, C)
    expect.sizes = {"N": N}
    grads, kept, loss = {}, False, None
    nets = {strength: _net(student, params, strength) for strength in (0.0, reg)}
    right_loss, right = _reference(params, 0.0).loss(X, y)
    right_loss_with_reg, right_with_reg = _reference(params, reg).loss(X, y)
    gradient_parts = {name: f"gradients of {'W2 and b2' if '2' in name else 'W1 and b1'}" for name in layers}

    with expect.attempt("loss", *gradient_parts.values()):
        loss, handle = expect.unpack(nets[0.0].loss(X, y), "loss", "grads", of="TwoLayerNet.loss")
        own_loss = loss_of_own_scores(nets[0.0], X, y)
        expect.number("loss", loss, right_loss, what="loss at reg = 0", unless=own_loss)
        grads[0.0] = dictionary(handle, of="TwoLayerNet.loss")
        kept = _check_unchanged(nets[0.0], params, gradient_parts, expect)
        expect.gradients(
            grads[0.0],
            reference={name: right[name] for name in layers},
            forward=lambda **at: loss_at(nets[0.0], at, X, y),
            at={name: params[name] for name in layers},
            out=loss,
            right_out=right_loss,
            what="gradient of {} at reg = 0",
            parts=gradient_parts,
            vouched=bool(expect.share("loss")),  # it is the softmax loss of the student's own scores
        )

    parts = {name: f"L2 term in the gradients of the {layer} layer" for name, layer in layers.items()}
    with expect.attempt(*dict.fromkeys(parts.values())):
        loss_with_reg, handle = expect.unpack(nets[reg].loss(X, y), "loss", "grads", of="TwoLayerNet.loss")
        grads[reg] = dictionary(handle, of="TwoLayerNet.loss")
        if kept:  # a second time only if it happens with reg alone
            _check_unchanged(nets[reg], params, parts, expect)
        without = grads.get(0.0, {})
        absent = {  # biases whose gradients are none have cost points above
            name
            for name in ("b1", "b2")
            if not isinstance(without.get(name), np.ndarray)
            or without[name].shape not in (params[name].shape, (1, *params[name].shape))
        }
        expect.gradients(
            {name: difference(grads[reg].get(name), without.get(name)) for name in layers},
            reference={name: right_with_reg[name] - right[name] for name in layers if name not in absent},
            forward=lambda **at: difference(loss_at(nets[reg], at, X, y), loss_at(nets[0.0], at, X, y)),
            at={name: params[name] for name in layers},
            out=difference(loss_with_reg, loss),
            right_out=right_loss_with_reg - right_loss,
            what=f"what reg = {reg} adds to the gradient of {{}}",
            parts=parts,
            tolerance=1e-3,
        )

    for seen in ("W1", "W2"):
        with expect.attempt(f"L2 term of {seen} in the loss"):
            # The other weights are zero: each L2 term is seen alone.
            alone = {
                name: np.zeros_like(p) if name[0] == "W" and name != seen else p for name, p in params.items()
            }
            added = difference(loss_at(nets[reg], alone, X, y), loss_at(nets[0.0], alone, X, y))
            expect.number(
                f"L2 term of {seen} in the loss",
                added,
                0.5 * reg * np.sum(params[seen] ** 2),
                what=f"what reg = {reg} adds to the loss through {seen}",
                tolerance=1e-3,
            )
            both = difference(loss_at(nets[reg], params, X, y), loss_at(nets[0.0], params, X, y))
            expect.remember(f"L2 term of {seen} in the loss", "what reg adds through both", both)


def _check_unchanged(net, params, parts, expect):
    """Whether the loss has left the parameters alone; parts say what each of them decides."""
    after = dictionary(net.params, of="params")
    all_kept = True
    for name, value in params.items():
        kept = np.shape(after.get(name)) == value.shape and np.allclose(after[name], value, atol=1e-6)
        all_kept &= expect.true(
            parts[name], kept, f"{name} after a call of loss", f"loss has changed {name}."
        )
    return all_kept


def _net_inputs(rng, shape, N, H, C):
    """Inputs, labels and parameters; no hidden unit is within 0.01 of the ReLU's kink, about half are on."""
    D = int(np.prod(shape))
    y = rng.permutation(np.arange(N) % C)
    while True:
        X = rng.standard_normal((N, *shape))
        sizes = {"W1": (D, H), "b1": (H,), "W2": (H, C), "b2": (C,)}
        params = {
            name: rng.standard_normal(size) * (0.5 if len(size) > 1 else 1) for name, size in sizes.items()
        }
        hidden = affine_forward(X, params["W1"], params["b1"])[0]
        if np.abs(hidden).min() > 0.01 and 0.3 < (hidden > 0).mean() < 0.7:
            return X, y, params


def _net(student, params, reg):
    """The student's network with these parameters."""
    D, C = params["W1"].shape[0], params["W2"].shape[1]
    net = student.classifiers.fc_net.TwoLayerNet(
        input_dim=D, hidden_dim=len(params["b1"]), num_classes=C, weight_scale=1e-2, reg=reg
    )
    net.reg = reg  # whatever __init__ has made of it
    put(net, params)
    return net


def _reference(params, reg):
    D, H = params["W1"].shape
    net = TwoLayerNet(input_dim=D, hidden_dim=H, num_classes=params["W2"].shape[1], reg=reg)
    net.params = dict(params)
    return net


# ---- accuracy


@check(
    "two_layer_net_training",
    parts={"accuracy": 1},
    function=f"{NET}.loss",
    uses=LAYERS,
    recognise=False,
)
def check_two_layer_net_training(student, rng, expect):
    """The student's network, trained for a moment on small images, predicts other copies of them."""
    X, y, X_hidden, y_hidden = _small_images(int(rng.integers(2**31)))
    D, H, C = X[0].size, TRAINING["hidden"], 10
    start = {"W1": 0.05 * rng.standard_normal((D, H)), "b1": np.zeros(H)}
    # Scores that are positive at first learn behind a ReLU too, which has cost the points of the scores.
    start |= {"W2": 0.05 * rng.standard_normal((H, C)), "b2": np.full(C, 5.0)}
    net = _net(student, start, reg=0.0)
    train(net, start, X, y, rng, steps=TRAINING["steps"], rate=TRAINING["rate"], batch=TRAINING["batch"])
    got = accuracy(net.loss(X_hidden), y_hidden)
    enough = got is not None and got >= TRAINING["enough"]
    received = "predicts nothing readable" if got is None else f"is right on {got:.0%} of the images"
    message = f"After a short training your network {received}; {TRAINING['enough']:.0%} are expected."
    expect.true("accuracy", enough, "accuracy after a short training", message)


# 60 images, 10 noisy copies of each to learn from and 10 others to predict. A right network gets 99 or 100 %
# of them, one that learns only its second layer 50 to 61 %.
TRAINING = {
    "hidden": 30, "rate": 0.015, "batch": 300, "steps": 24, "images": 60, "noise": 0.3, "enough": 0.8,
}  # fmt: skip


@functools.lru_cache(maxsize=4)
def _small_images(seed):
    """Shapes-10 averaged to 3 x 8 x 8 and standardised, with noise: to train on, and hidden ones."""
    images, labels = shapes10.generate(TRAINING["images"], seed)
    X = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
    X = (X - X.mean(axis=0)) / X.std()
    rng = np.random.default_rng(seed)
    sets = []
    for _ in range(2):
        chosen = rng.permutation(np.repeat(np.arange(len(X)), 10))
        sets += [
            X[chosen] + TRAINING["noise"] * rng.standard_normal((len(chosen), *X.shape[1:])),
            labels[chosen],
        ]
    return tuple(sets)


@check(
    "best_model",
    parts={"accuracy": 1},
    function="hyperparameter_search",
    uses=[*LAYERS, f"{NET}.loss"],
    recognise=False,
    saved=FILE,
)
def check_best_model(student, rng, expect):
    """The saved weights in the student's network, on images that nobody has trained on."""
    arrays = student.saved(FILE)
    hidden = np.size(arrays.get("b1", np.empty(0)))
    shapes = {"W1": (3072, hidden), "b1": (hidden,), "W2": (hidden, 10), "b2": (10,)}
    params = floats(arrays, shapes | {"mean_image": (3, 32, 32)}, file=FILE)
    mean_image = params.pop("mean_image")
    net = _net(student, params, reg=0.0)
    measure(expect, "accuracy", arrays, rng, lambda images: net.loss(images - mean_image), file=FILE)
