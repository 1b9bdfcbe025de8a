"""Hidden checks of a1/2_neural_net: scores, loss and gradients of the two-layer network, and its training.

Notable:
- Everything is looked at in both conventions; N, D, H and C differ, and no hidden unit is near the kink.
- L2 terms are judged by the difference that `reg` makes, so that they fail alone: in the loss for the loss,
  in the gradients for the gradients.
- Training is compared with steps along the student's own gradients when those are wrong. Which examples were
  in a batch is read off the first weights: every example has an input of its own.
"""

from __future__ import annotations

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
        right_l2 = {name: grad - right[name] for name, grad in reference.loss(X, y, REG)[1].items()}
        expect.sizes = {"N": N}
        net, grads = _net(student, params, convention), {}
        with _case(expect, convention), expect.attempt(*GRADIENTS.values()):
            loss, handle = expect.unpack(net.loss(X, y), "loss", "grads", of="TwoLayerNet.loss")
            grads = dictionary(handle, of="TwoLayerNet.loss")
            expect.gradients(
                grads,
                reference={name: right[name] for name in LAYERS},
                forward=_loss_at(net, X, y),
                at=params,
                what=f"gradient of {{}} in the convention {convention}",
                parts=GRADIENTS,
                vouched=_vouches(net, loss, right_loss, X, y),
            )
        with _case(expect, convention), expect.attempt(*dict.fromkeys(L2_TERMS.values())):
            net.params = params
            _, handle = expect.unpack(net.loss(X, y, reg=REG), "loss", "grads", of="TwoLayerNet.loss")
            added = dictionary(handle, of="TwoLayerNet.loss")
            expect.gradients(
                {name: difference(added.get(name), grads.get(name)) for name in LAYERS},
                reference={name: right_l2[name] for name in LAYERS},
                forward=_l2_at(net, X, y),
                at=params,
                what=f"what reg = {REG} adds to the gradient of {{}} in the convention {convention}",
                parts=L2_TERMS,
                tolerance=1e-3,
            )
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

    def students(x, y):
        N, C = x.shape
        net = _net(student, _params(np.diag(np.full(N, 2.0)), np.full(N, -1.0), x, np.zeros(C), "S19"), "S19")
        loss, handle = expect.unpack(net.loss(np.eye(N), y), "loss", "grads", of="TwoLayerNet.loss")
        try:
            return loss, dictionary(handle, of="TwoLayerNet.loss").get("W2")
        except StudentError:
            if "gradient" in options["judged"]:
                raise
            return loss, None

    check_large_scores(expect, "large scores", students, rng, **options)


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
                classes = _numbers(net.predict(X))
                whole = isinstance(classes, np.ndarray) and classes.dtype.kind in "iu"
                what = f"classes of {N} example{'s' * (N > 1)} in the convention {convention}"
                expect.array(
                    "classes",
                    classes.astype(np.float64) if whole else classes,
                    right.predict(X).astype(np.float64),
                    what=what,
                    unless=_own_classes(net, X),
                )
                earned = expect.share("classes") > 0
                expect.true("whole numbers", whole and earned, what, "They are not whole numbers, or wrong.")


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


def _own_classes(net, X):
    """Right are also the classes of the student's own scores: wrong ones have cost points already."""

    def own(classes):
        try:
            scores = net.loss(X)
        except StudentError:
            return ""
        readable = isinstance(scores, np.ndarray) and scores.ndim == 2 and len(scores) == len(classes)
        readable = readable and np.isfinite(scores).all() and scores.std() > 0
        if readable and np.array_equal(scores.argmax(axis=1), classes):
            return "They are the classes of your scores, which are wrong themselves: full points here."
        return ""

    return own


# ---- training


@check(
    "neural_net_train",
    parts={"steps": 1.5, "batches": 0.7, "labels": 0.5, "few examples": 0.3},
    function=f"{NET}.train",
)
def check_neural_net_train(student, rng, expect):
    """Steps that can be foretold, since all examples are one; then which examples the batches hold."""
    for convention in TURNED:
        with _case(expect, convention), expect.attempt("steps"):
            _check_steps(student, rng, expect, "steps", convention, copies=6, batch_size=3, num_iters=5)
    with expect.attempt("few examples"):
        _check_few_examples(student, rng, expect)
    with expect.attempt("batches", "labels"):
        _check_batches(student, rng, expect)


def _check_steps(student, rng, expect, part, convention, copies, batch_size, num_iters):
    """The parameters after a few steps, on copies of one example: every batch is the same."""
    D, H, C = 5, 8, 4
    X, _, start = _inputs(rng, convention, 1, D, H, C)
    y = _reference(start, convention).loss(X).argmin(axis=1)  # far from learnt: no gradient is near 0
    settings = {"learning_rate": 0.05, "learning_rate_decay": 0.6, "reg": 0.3}
    data = np.repeat(X, copies, axis=0), np.repeat(y, copies)
    net = _trained(student, start, convention, *data, **settings, num_iters=num_iters, batch_size=batch_size)
    params = dictionary(net.params, of="TwoLayerNet.params")

    epoch = max(copies // batch_size, 1)
    batch = np.repeat(X, batch_size, axis=0), np.repeat(y, batch_size)
    walk = functools.partial(_walk, start, num_iters, epoch, settings)
    right = walk(_reference(start, convention), batch)
    own = functools.cache(lambda: _own_walk(walk, _net(student, start, convention), batch))
    for name in NAMES:
        moved = difference(params.get(name), start[name])

        def as_own(change, name=name):
            if own() is not None and np.shape(own()[name]) == change.shape and np.any(change):
                error = np.abs(start[name] + change - own()[name]).max()
                if error <= 1e-4 * np.abs(own()[name] - start[name]).max():
                    return "It is a step along your gradient, which is wrong itself: full points here."
            return ""

        expect.array(
            part,
            moved,
            right[name] - start[name],
            what=f"change of {name} in {num_iters} steps on copies of one example, {convention}",
            tolerance=1e-3,
            unless=as_own,
        )


def _check_few_examples(student, rng, expect):
    """Batches larger than the data. Steps that are wrong anyway have cost points already."""
    if expect.share("steps"):
        _check_steps(student, rng, expect, "few examples", "S19", copies=1, batch_size=3, num_iters=2)
        return
    X, y, start = _inputs(rng, "S19", 3, 5, 8, 4)
    net = _trained(student, start, "S19", X, y, num_iters=2, batch_size=5)
    params = dictionary(net.params, of="TwoLayerNet.params")
    moved = [np.any(params.get(name) != start[name]) for name in NAMES]
    expect.true("few examples", any(moved), "a batch larger than the data", "No parameter has changed.")


def _trained(student, start, convention, X, y, **settings):
    """The student's network after training. The accuracies on the way are not of the student's `predict`."""
    net = _net(student, start, convention)
    net.predict = student.call("operator.methodcaller", "argmax", 1)
    net.train(X, y, X, y, **settings)
    return net


def _walk(start, num_iters, epoch, settings, net, batch):
    """The parameters after steps against a network's gradients."""
    params, rate = dict(start), settings["learning_rate"]
    for step in range(1, num_iters + 1):
        net.params = params
        grads = dictionary(net.loss(*batch, reg=settings["reg"])[1], of="TwoLayerNet.loss")
        params = {name: params[name] - rate * grads[name] for name in NAMES}
        if step % epoch == 0:
            rate *= settings["learning_rate_decay"]
    return params


def _own_walk(walk, net, batch):
    try:
        return walk(net, batch)
    except (StudentError, TypeError, ValueError, KeyError, IndexError):
        return None


N, B = 12, 7  # examples and batch size where batches are looked at
DRAWS, STEPS = 4, 30


def _check_batches(student, rng, expect):
    """Batches of one step, and of many small ones: of the right size, drawn anew, with their labels.

    Example n has 1 as input n and 0 elsewhere, and W1 starts at 0: row n of W1 moves if the example is in the
    batch, in proportion to how often it was drawn, in a direction that depends on its label alone.
    """
    D, H, C = N + 2, 6, 3
    X, y = np.eye(N, D), rng.permutation(np.arange(N) % C)
    start = {"W1": np.zeros((D, H)), "b1": rng.uniform(0.5, 1.5, H)}
    start |= {"W2": rng.standard_normal((H, C)), "b2": rng.standard_normal(C)}
    own, doubt = _rows_by_label(_net(student, start, "S19"), X, y, C)
    doubt = doubt and expect.share("steps")

    sets, counts = [], []
    for number in range(DRAWS + 1):
        last = number == DRAWS
        rate = 1e-5 if last else 0.1
        settings = {"learning_rate": rate, "learning_rate_decay": 1.0, "reg": 0.0, "batch_size": B}
        net = _trained(student, start, "S19", X, y, num_iters=STEPS if last else 1, **settings)
        W1 = dictionary(net.params, of="TwoLayerNet.params").get("W1")
        if not isinstance(W1, np.ndarray) or W1.shape != (D, H) or not np.isfinite(W1).all():
            raise StudentError("invalid", f"TwoLayerNet.train leaves no W1 of shape {(D, H)}.")
        moved = np.asarray(W1[:N], dtype=np.float64) / -rate
        sizes = np.linalg.norm(moved, axis=1)
        drawn = sizes > 1e-6 * max(sizes.max(), 1e-300)
        aligned = [abs(_cosine(moved[n], own[y[n]])) > 0.999 for n in np.flatnonzero(drawn)]
        sets.append(frozenset(np.flatnonzero(drawn)))
        counts.append([moved[n] @ own[y[n]] / max(own[y[n]] @ own[y[n]], 1e-300) for n in range(N)])
        words = f"labels of the examples drawn, run {number + 1}"
        message = "They are not the labels of these examples."
        expect.true("labels", bool(aligned) and (all(aligned) or doubt), words, message)
    _judge_batches(expect, sets, counts, exact=expect.share("steps") and expect.share("labels"))


def _rows_by_label(net, X, y, C):
    """The student's gradient of the row of W1 of one example, a B-th part of a batch, for each label.

    And whether that cannot be told, because in the student's gradient the examples of a batch mix.
    """

    def rows(X, y):
        handle = net.loss(X, y)
        grads = dictionary(handle[1] if isinstance(handle, tuple) and len(handle) == 2 else None, of="loss")
        W1 = grads.get("W1")
        if not isinstance(W1, np.ndarray) or W1.ndim != 2 or len(W1) != X.shape[1]:
            raise StudentError("invalid", "TwoLayerNet.loss returns no gradient of W1 to take steps along.")
        return W1.astype(np.float64)

    own = [rows(np.repeat(X[:1], B, axis=0), np.full(B, label))[0] / B for label in range(C)]
    together = rows(X, y)
    return own, not all(abs(_cosine(together[n], own[label])) > 0.999 for n, label in enumerate(y))


def _cosine(a, b):
    return a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300)


def _judge_batches(expect, sets, counts, exact):
    """How many examples a batch holds, and whether it is drawn anew."""
    for number, (chosen, count) in enumerate(zip(sets[:-1], counts[:-1], strict=True), 1):
        size = len(chosen)
        if exact:
            count = np.array(count)
            whole = np.abs(count - np.round(count)).max() < 0.01
            right = whole and round(count.sum()) == B
        else:
            right = size <= B
        right = right and size > 1  # seven draws of one example: 1 in 3 million
        message = "A batch holds batch_size examples, of equal weight."
        if size == 1:
            message = "The batch holds a single example."
        if size == N:
            message = f"The batch holds all {N} examples; batch_size is {B}."
        expect.true("batches", right, f"examples in a batch, run {number}", message)
    same = all(chosen == frozenset(range(B)) for chosen in sets[:-1])
    message = "They are the first examples every time; they should be drawn at random."
    expect.true("batches", not same, "examples of one step", message)
    missing = N - len(sets[-1])
    message = f"{missing} of {N} examples never come up in {STEPS} steps: draw a new batch in each step."
    expect.true("batches", not missing, f"examples of {STEPS} steps", message)
    never = set(range(N)) - sets[-1]
    kinds = [
        all(len(chosen) == N for chosen in sets),
        any(len(chosen) == 1 for chosen in sets),
        len(never) == 1,
        never == set(range(B, N)),
    ]
    expect.remember("batches", "all, one, all but one, the first ones", np.array(kinds, dtype=float))


# ---- accuracy


@check("best_neural_net", parts={"accuracy": 1}, function=f"{NET}.loss", recognise=False, saved=FILE)
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
