"""Hidden checks of a1/2_neural_net: scores, loss and gradients of the two-layer network, and its training.

Notable:
- Everything is looked at in both conventions; N, D, H and C differ, and no hidden unit is near the kink.
- L2 terms are judged by the difference that `reg` makes, so that they fail alone: in the loss for the loss,
  in the gradients for the gradients.
- Training is compared with steps along the student's own gradients when those are wrong. Which examples were
  in a batch is read off the first weights: every example has an input of its own.
"""

from __future__ import annotations

import contextlib
import functools

import numpy as np

from handgrad.classifiers.neural_net import L2_FACTOR, TURNED, TwoLayerNet

from ..sandbox import StudentError
from . import for_notebook
from .accuracy import floats, measure
from .large_scores import check_large_scores
from .networks import dictionary, difference, first, loss_of_own_scores

check = for_notebook("a1/2_neural_net")

NET = "handgrad.classifiers.neural_net.TwoLayerNet"
FILE = "best_neural_net.npz"
NAMES = ("W1", "b1", "W2", "b2")
LAYERS = {"W2": "second", "b2": "second", "W1": "first", "b1": "first"}
REG = 0.7


# ---- scores, loss and gradients


@check("neural_net_scores", parts={"scores": 1}, function=f"{NET}.loss")
def check_neural_net_scores(student, rng, expect):
    """Scores of several examples and of one, in both conventions, with weights that are put in."""
    for convention in TURNED:
        for N, D, H, C in ((7, 5, 8, 4), (1, 6, 3, 9)):
            X, _, params = _inputs(rng, convention, N, D, H, C)
            right = _reference(params, convention).loss(X)
            with (
                _case(expect, convention, "for a single example" if N == 1 else ""),
                expect.attempt("scores"),
            ):
                scores = _net(student, params, convention).loss(X)
                what = f"scores of {N} example{'s' * (N > 1)} in the convention {convention}"
                expect.array("scores", scores, right, what=what)
    _remember_losses(student, rng, expect)


@check(
    "neural_net_loss",
    parts={"loss": 2, "L2 term of W1": 0.75, "L2 term of W2": 0.75, "large scores": 0.5},
    function=f"{NET}.loss",
)
def check_neural_net_loss(student, rng, expect):
    """The loss without reg; what reg adds to it through each of the weights; then large scores."""
    for convention in TURNED:
        N, D, H, C = 6, 5, 8, 4
        X, y, params = _inputs(rng, convention, N, D, H, C)
        expect.sizes = {"N": N, "C": C}
        with _case(expect, convention), expect.attempt("loss"):
            net = _net(student, params, convention)
            expect.number(
                "loss",
                _loss(net, X, y),
                _reference(params, convention).loss(X, y)[0],
                what=f"loss without reg in the convention {convention}",
                unless=loss_of_own_scores(net, X, y),
            )
        for kept in ("W1", "W2"):
            # The other weights are zero: each L2 term is seen alone.
            alone = {
                name: np.zeros_like(p) if name in {"W1", "W2"} - {kept} else p for name, p in params.items()
            }
            with _case(expect, convention), expect.attempt(f"L2 term of {kept}"):
                net = _net(student, alone, convention)
                expect.number(
                    f"L2 term of {kept}",
                    difference(_loss(net, X, y, REG), _loss(net, X, y)),
                    L2_FACTOR[convention] * REG * np.sum(params[kept] ** 2),
                    what=f"what reg = {REG} adds to the loss through {kept} in the convention {convention}",
                    tolerance=1e-3,
                )
    expect.sizes = {}
    with expect.attempt("large scores"):
        _check_large_scores(
            student, rng, expect, judged=("loss",), right_otherwise=bool(expect.share("loss"))
        )
    _remember_losses(student, rng, expect)


GRADIENTS = {name: f"gradient of {name}" for name in NAMES}
L2_TERMS = {name: f"L2 term in the gradients of the {layer} layer" for name, layer in LAYERS.items()}


@check(
    "neural_net_gradients",
    parts={GRADIENTS["W2"]: 1.1, GRADIENTS["b2"]: 0.6, GRADIENTS["W1"]: 1.1, GRADIENTS["b1"]: 0.6}
    | {L2_TERMS["W2"]: 0.6, L2_TERMS["W1"]: 0.6, "large scores": 0.4},
    function=f"{NET}.loss",
)
def check_neural_net_gradients(student, rng, expect):
    """The gradients without reg; what reg adds to them; then those of large scores."""
    for convention in TURNED:
        N, D, H, C = 6, 5, 8, 4
        X, y, params = _inputs(rng, convention, N, D, H, C)
        reference = _reference(params, convention)
        right_loss, right = reference.loss(X, y)
        right_loss_with_reg, right_with_reg = reference.loss(X, y, REG)
        right_l2 = {name: grad - right[name] for name, grad in right_with_reg.items()}
        expect.sizes = {"N": N}
        net, loss, grads = _net(student, params, convention), None, {}
        with _case(expect, convention), expect.attempt(*GRADIENTS.values()):
            loss, handle = expect.unpack(net.loss(X, y), "loss", "grads", of="TwoLayerNet.loss")
            grads = dictionary(handle, of="TwoLayerNet.loss")
            expect.gradients(
                grads,
                reference={name: right[name] for name in LAYERS},
                forward=_loss_at(net, X, y),
                at=params,
                out=loss,
                right_out=right_loss,
                what=f"gradient of {{}} in the convention {convention}",
                parts=GRADIENTS,
                vouched=_vouches(net, loss, right_loss, X, y),
            )
        with expect.attempt(*dict.fromkeys(L2_TERMS.values())):
            net.params = params
            loss_with_reg, handle = expect.unpack(
                net.loss(X, y, reg=REG), "loss", "grads", of="TwoLayerNet.loss"
            )
            with_reg = dictionary(handle, of="TwoLayerNet.loss")
            added = {
                name: _like(difference(with_reg.get(name), grads.get(name)), params[name]) for name in LAYERS
            }
            compare = functools.partial(
                expect.gradients,
                added,
                forward=_l2_at(net, X, y),
                at=params,
                out=difference(loss_with_reg, loss),
                right_out=right_loss_with_reg - right_loss,
                what=f"what reg = {REG} adds to the gradient of {{}} in the convention {convention}",
                parts=L2_TERMS,
            )
            with _case(expect, convention):
                compare(reference={name: right_l2[name] for name in ("W2", "W1")}, tolerance=1e-3)
            # A bias's gradient of another shape has cost points already.
            biases = {n: right_l2[n] for n in ("b2", "b1") if np.size(added[n]) == params[n].size}
            compare(reference=biases, tolerance=100)  # times 1e-6, since the right values are 0
    expect.sizes = {}
    with expect.attempt("large scores"):
        otherwise = all(expect.share(GRADIENTS[name]) for name in ("W2", "b2"))
        _check_large_scores(student, rng, expect, judged=("gradient",), right_otherwise=otherwise)
    _remember_losses(student, rng, expect)


def _inputs(rng, convention, N, D, H, C):
    """Examples, labels, parameters; no hidden unit is within 0.01 of the ReLU's kink, about half are on."""
    y = rng.permutation(np.arange(N) % C)
    while True:
        X = np.asfortranarray(rng.standard_normal((N, D)))
        W1, W2 = 0.6 * rng.standard_normal((D, H)), 0.6 * rng.standard_normal((H, C))
        b1, b2 = rng.standard_normal(H), rng.standard_normal(C)
        hidden = X @ W1 + b1
        scores = np.maximum(hidden, 0) @ W2 + b2
        if (
            np.abs(hidden).min() > 0.01
            and 0.3 < (hidden > 0).mean() < 0.7
            and 0.2 < (scores < 0).mean() < 0.8
        ):
            return X, y, _params(W1, b1, W2, b2, convention)


def _params(W1, b1, W2, b2, convention):
    """Parameters in the shapes of the convention, from weights (D, H) and (H, C)."""
    if TURNED[convention]:
        W1, W2 = W1.T, W2.T
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}


def _case(expect, convention, *traits):
    """What is said of comparisons in the second convention; nothing of those in the first."""
    return expect.case(*filter(None, traits), *(["in the convention UCLA"] * TURNED[convention]))


def _net(student, params, convention):
    """The student's network with these parameters."""
    D, C = params["W1"].shape[TURNED[convention]], len(params["b2"])
    H = len(params["b1"])
    net = student.classifiers.neural_net.TwoLayerNet(D, H, C, convention=convention)
    net.params = params
    return net


def _reference(params, convention):
    net = TwoLayerNet(1, 1, 1, convention=convention)
    net.params = dict(params)
    return net


def _loss(net, X, y, reg=0.0):
    return first(net.loss(X, y, reg=reg))


def _loss_at(net, X, y):
    """The student's loss without reg, as a function of the parameters."""

    def loss(**params):
        net.params = params
        return _loss(net, X, y)

    return loss


def _l2_at(net, X, y):
    """What reg adds to the student's loss, as a function of the parameters."""

    def added(**params):
        net.params = params
        return difference(_loss(net, X, y, REG), _loss(net, X, y))

    return added


def _vouches(net, loss, right, X, y):
    """Whether a loss is right, or is the softmax loss of the student's own scores."""
    if not isinstance(loss, float | np.ndarray) or np.size(loss) != 1:
        return False
    loss = float(np.ravel(loss)[0])
    return abs(loss - right) <= 1e-4 * abs(right) or bool(loss_of_own_scores(net, X, y)(np.float64(loss)))


def _check_large_scores(student, rng, expect, **options):
    """Example n switches hidden unit n on and all others off, so that its scores are a row of W2."""

    def network(x):
        N, C = x.shape
        params = _params(np.diag(np.full(N, 2.0)), np.full(N, -1.0), x, np.zeros(C), "S19")
        return _net(student, params, "S19")

    def students(x, y):
        loss, handle = expect.unpack(
            network(x).loss(np.eye(len(x)), y), "loss", "grads", of="TwoLayerNet.loss"
        )
        try:
            dW2 = dictionary(handle, of="TwoLayerNet.loss").get("W2")
        except StudentError:
            if "gradient" in options["judged"]:
                raise
            dW2 = None
        return loss, _like(dW2, x)

    def scores(x):
        return network(x).loss(np.eye(len(x)))

    check_large_scores(expect, "large scores", students, rng, scores=scores, **options)


def _like(gradient, value):
    """A gradient, turned if it is transposed: that has cost points already."""
    if isinstance(gradient, np.ndarray) and gradient.ndim == 2 and gradient.shape == value.shape[::-1]:
        return gradient.T
    return gradient


def _remember_losses(student, rng, expect):
    """Keep whole losses and gradients: they tell misconceptions apart that do the same to this cell."""
    if expect.fraction == 1:
        return
    for convention in TURNED:
        values = dict.fromkeys(("loss", *NAMES))
        X, y, params = _inputs(rng, convention, 6, 5, 8, 4)
        try:
            returned = _net(student, params, convention).loss(X, y, reg=REG)
            loss, handle = expect.unpack(returned, "loss", "grads", of="TwoLayerNet.loss")
            values |= {"loss": loss} | {name: dictionary(handle, of="").get(name) for name in NAMES}
        except StudentError:
            pass
        for name, value in values.items():
            expect.remember("elsewhere", name, value)


# ---- predictions


@check("neural_net_predict", parts={"classes": 4, "whole numbers": 1}, function=f"{NET}.predict")
def check_neural_net_predict(student, rng, expect):
    """The classes of many examples and of one, in both conventions: those of the student's own scores."""
    for convention in TURNED:
        for N, D, H, C in ((40, 5, 8, 6), (1, 6, 7, 4)):
            X, right = _clear_inputs(rng, convention, N, D, H, C)
            net = _net(student, right.params, convention)
            trait = "for a single example" if N == 1 else ""
            with _case(expect, convention, trait), expect.attempt("classes", "whole numbers"):
                what = f"classes of {N} example{'s' * (N > 1)} in the convention {convention}"
                classes, rights = _predictions(student, net, X, right, rng)
                whole = isinstance(classes, np.ndarray) and classes.dtype.kind in "iu"
                own = [r for r in rights if whole and np.array_equal(np.ravel(classes), r)]
                expect.array(
                    "classes",
                    classes.astype(np.float64) if whole else classes,
                    (own or rights)[0].astype(np.float64),
                    what=what,
                )
                earned = expect.share("classes") > 0
                expect.true("whole numbers", whole and earned, what, "They are not whole numbers, or wrong.")


def _predictions(student, net, X, reference, rng):
    """What `predict` gives, and what is right: in a network with wrong scores also the classes of these.

    Where the network's own scores cannot be used at all, it gets others.
    """
    right, scores = reference.loss(X), None
    with contextlib.suppress(StudentError):
        scores = net.loss(X)
    readable = isinstance(scores, np.ndarray) and scores.shape == right.shape and np.isfinite(scores).all()
    if readable and np.ptp(scores, axis=1).all():
        return _numbers(net.predict(X)), [right.argmax(axis=1), scores.argmax(axis=1)]
    while True:
        weights = rng.standard_normal((X.shape[1], right.shape[1]))
        scores = np.sort(X @ weights, axis=1)
        if (scores[:, -1] - scores[:, -2]).min() > 1e-3:
            break
    net.loss = student.call("operator.methodcaller", "dot", weights)
    return _numbers(net.predict(X)), [(X @ weights).argmax(axis=1)]


def _clear_inputs(rng, convention, N, D, H, C):
    """Examples whose highest score leads by 0.01, of many classes; and the reference's network.

    A single example is of a class in the middle.
    """
    while True:
        X = np.asfortranarray(rng.standard_normal((N, D)))
        first_layer = rng.standard_normal((D, H)), rng.standard_normal(H)
        second_layer = rng.standard_normal((H, C)), rng.standard_normal(C)
        net = _reference(_params(*first_layer, *second_layer, convention), convention)
        scores, classes = np.sort(net.loss(X), axis=1), net.predict(X)
        many = len(set(classes)) >= 4 if N > 1 else 0 < classes[0] < C - 1
        if many and (scores[:, -1] - scores[:, -2]).min() > 0.01:
            return X, net


def _numbers(classes):
    """The array that was returned, or a list as an array."""
    if hasattr(classes, "value"):
        held = classes.value()
        if isinstance(held, list) and all(isinstance(c, int | np.integer) for c in held):
            return np.array(held)
    return classes


# ---- training

STEPS = 5
RATE, DECAY, STRENGTH = 0.05, 0.6, 0.3
SPARE = 5  # losses that nobody has to ask for


@check(
    "neural_net_train",
    parts={"steps": 1.5, "batches": 0.7, "labels": 0.5, "few examples": 0.3},
    function=f"{NET}.train",
)
def check_neural_net_train(student, rng, expect):
    """Steps along given gradients; then what the batches hold, and those that are larger than the data.

    The network's loss is replaced by one that returns what we choose and keeps what it was called with: so
    nothing here depends on the student's loss and gradients.
    """
    for convention in TURNED:
        with _case(expect, convention), expect.attempt("steps"):
            _check_steps(student, rng, expect, convention)
    with expect.attempt("batches", "labels"):
        _check_batches(student, rng, expect)
    with expect.attempt("few examples"):
        _check_few_examples(student, rng, expect)


def _check_steps(student, rng, expect, convention):
    """How far a few steps lead, with two of them in an epoch; and whether reg arrives."""
    D, H, C = 5, 8, 4
    X, y, start = _inputs(rng, convention, 6, D, H, C)
    grads = {name: rng.standard_normal(p.shape) for name, p in start.items()}
    settings = {"learning_rate": RATE, "learning_rate_decay": DECAY, "reg": STRENGTH}
    net, loss = _trained(student, start, grads, convention, X, y, **settings, num_iters=STEPS, batch_size=3)
    params = dictionary(net.params, of="TwoLayerNet.params")
    # The rate falls after the second step and after the fourth.
    way = sum(RATE * DECAY ** (step // 2) for step in range(STEPS))
    for name in LAYERS:
        expect.array(
            "steps",
            difference(params.get(name), start[name]),
            -way * grads[name],
            what=f"change of {name} in {STEPS} steps in the convention {convention}",
            tolerance=1e-3,
        )
    reg = _arguments(loss.call_args)[2]
    arrived = isinstance(reg, float) and abs(reg - STRENGTH) < 1e-6
    expect.true("steps", arrived, f"reg in the convention {convention}", "The loss does not get reg.")


def _trained(student, start, grads, convention, X, y, **settings):
    """The student's network after training, and what stood in for its loss.

    The loss is always 1 and has these gradients; the accuracies on the way are not of its own predictions.
    """
    net = _net(student, start, convention)
    if any(grad.any() for grad in grads.values()):  # fresh ones each time: they may be scaled in place
        losses = [(1.0, {name: grad.copy() for name, grad in grads.items()}) for _ in range(STEPS + SPARE)]
        loss = student.call("unittest.mock.Mock", side_effect=losses)
    else:
        loss = student.call("unittest.mock.Mock", return_value=(1.0, grads))
    net.loss, net.predict = loss, student.call("operator.methodcaller", "argmax", 1)
    net.train(X, y, X, y, **settings)
    if not loss.call_count:
        raise StudentError("invalid", "TwoLayerNet.train does not call the network's loss.")
    return net, loss


def _arguments(call):
    """X, y and reg of a call of the loss; None for what was left out."""
    args = call.args
    args = args.value() if hasattr(args, "value") else args
    names = ("X", "y", "reg")[len(args) :]
    named = call.kwargs.value() if names else {}
    return [*args[:3], *(named.get(name) for name in names)]


N, B = 12, 7  # examples, and batch size where batches are looked at
MANY = 60


def _batches(student, rng, batch_size, num_iters):
    """The batches of a training: numbers of the examples, whether the labels are as many, and theirs."""
    D, H, C = 5, 4, 3
    X = np.arange(N)[:, None] + np.array([0.0, 0.25, -0.5, 0.125, 0.75])
    y = rng.permutation(np.arange(N) % C)
    _, _, start = _inputs(rng, "S19", 2, D, H, C)
    grads = {name: np.zeros_like(p) for name, p in start.items()}
    settings = {"learning_rate": 0.1, "num_iters": num_iters, "batch_size": batch_size}
    _, loss = _trained(student, start, grads, "S19", X, y, **settings)
    calls, found = loss.call_args_list, []
    for number in range(min(loss.call_count, 2 * num_iters)):
        examples, labels, _ = map(np.asarray, _arguments(calls[number]))
        if examples.ndim != 2 or examples.shape[1] != D or not np.isin(examples[:, 0], X[:, 0]).all():
            raise StudentError("invalid", "In TwoLayerNet.train the batch does not hold rows of X.")
        numbers = examples[:, 0].astype(int)
        found.append((numbers, labels.shape == numbers.shape, np.array_equal(labels, y[numbers])))
    return found


def _check_batches(student, rng, expect):
    """Batches of the right size, drawn anew in each step, with their labels."""
    found = _batches(student, rng, B, STEPS)
    sets = [set(numbers.tolist()) for numbers, *_ in found]
    sizes = [len(numbers) for numbers, *_ in found]
    message = "They are not those of the examples in the batch."
    expect.true("labels", all(right for *_, right in found), f"labels of {STEPS} batches", message)
    expect.remember("labels", "as many labels as examples", float(all(as_many for _, as_many, _ in found)))
    wrong = next((size for size in sizes if size != B), None)
    message = f"A batch holds {wrong} examples; batch_size is {B}."
    expect.true("batches", wrong is None, f"sizes of {STEPS} batches", message)
    kind = [all(len(chosen) == N for chosen in sets), max(sizes) == 1]
    expect.remember("batches", "all examples, one example", np.array(kind, dtype=float))
    if wrong is not None:
        return
    draws = {
        "different examples in a batch": min(map(len, sets)) > 1,  # seven of one: 1 in 3 million
        "examples beyond the first ones": max(map(max, sets)) >= B,
        "batches of different steps": len({tuple(numbers) for numbers, *_ in found}) > 1,
        "order of the examples": any(set(np.diff(numbers) % N) - {1} for numbers, *_ in found),
    }
    for what, random in draws.items():
        expect.true("batches", random, what, "The examples of each step should be drawn at random.")
        if not random:  # what follows from it depends on chance
            return


def _check_few_examples(student, rng, expect):
    """A batch that is larger than the data: the same example may come twice, or it holds all there are."""
    found = _batches(student, rng, MANY, 3)
    least = min(len(numbers) for numbers, *_ in found)
    message = f"The batch holds {least} of {N} examples; batch_size is {MANY}."
    expect.true("few examples", least >= N, "a batch that is larger than the data", message)
    missing = set(range(N)).difference(*(numbers.tolist() for numbers, *_ in found))
    if expect.share("batches"):
        message = f"{len(missing)} of {N} examples never come up: all have to, at random."
        expect.true("batches", not missing, "examples that come up", message)


# ---- accuracy


@check(
    "best_neural_net",
    parts={"accuracy": 1},
    function="neural_net_search",
    uses=[f"{NET}.loss"],
    recognise=False,
    saved=FILE,
)
def check_best_neural_net(student, rng, expect):
    """The saved weights in the student's network, on images that nobody has trained on."""
    arrays = student.saved(FILE)
    hidden = np.size(arrays.get("b1", np.empty(0)))
    shapes = {"W1": (3072, hidden), "b1": (hidden,), "W2": (hidden, 10), "b2": (10,)}
    params = floats(arrays, shapes | {"mean_image": (3, 32, 32)}, file=FILE)
    mean_image = params.pop("mean_image")
    net = _net(student, params, "S19")

    def scores(images):
        return net.loss((images - mean_image).reshape(len(images), -1))

    measure(expect, "accuracy", arrays, rng, scores, file=FILE)
