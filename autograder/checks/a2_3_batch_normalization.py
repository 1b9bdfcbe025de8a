"""Hidden checks of a2/3_batch_normalization: batch norm, layer norm, and both in FullyConnectedNet.

Notable:
- Deviations are far above eps, so that eps inside and outside the square root pass; where another eps counts,
  the deviations are such that both give the same.
- Test mode is judged with statistics that are handed in, and excused where training is wrong in the same way.
- Networks are judged at reg = 0, and excused for what they get wrong without normalisation too: the student's
  own network without it, with the normalisation put into its weights, says what is to be expected then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.classifiers.fc_net import FullyConnectedNet
from handgrad.layers import (
    affine_forward,
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
    relu_forward,
)

from ..sandbox import StudentError
from . import for_notebook
from .expect import is_right
from .networks import dictionary, difference, first, loss_at, put

check = for_notebook("a2/3_batch_normalization")

NORM = "handgrad.layers.norm."
NET = "handgrad.classifiers.fc_net.FullyConnectedNet"
EPS = 0.25
DEVIATION = (1 - EPS) / 2  # sqrt(DEVIATION**2 + EPS) == DEVIATION + EPS


# ---- batch norm, forward


@check("batchnorm_forward", parts={"out": 1.7, "eps": 0.3}, function=NORM + "batchnorm_forward")
def check_batchnorm_forward(student, rng, expect):
    """Outputs in train mode; then features that never vary, a single example, and another eps."""
    students = functools.partial(_outputs, student.layers.batchnorm_forward, "batchnorm_forward", expect)
    with expect.attempt("out"):
        for x, gamma, beta in _layer_inputs(rng, axis=0):
            # Old statistics play no part in training; the last batch has none.
            param = {"mode": "train"} | (_statistics(rng, x.shape[1]) if len(x) != 4 else {})
            _compare_outputs(expect, students, batchnorm_forward, x, gamma, beta, param)
    with expect.attempt("eps"):
        _check_eps(expect, students, batchnorm_forward, {"mode": "train"}, rng, axis=0)


@check(
    "batchnorm_test_mode",
    parts={"running_mean": 0.5, "running_var": 0.5, "out": 0.8, "statistics unchanged": 0.2},
    function=NORM + "batchnorm_forward",
)
def check_batchnorm_test_mode(student, rng, expect):
    """What training keeps, from old statistics and from none; outputs in test mode, which keeps nothing."""
    students = functools.partial(_outputs, student.layers.batchnorm_forward, "batchnorm_forward", expect)
    holds_deviation = False
    with expect.attempt("running_mean", "running_var"):
        holds_deviation = _check_averages(student, students, rng, expect)
    with expect.attempt("out", "statistics unchanged"):
        _check_test_mode(student, students, rng, expect, holds_deviation)


def _check_averages(student, students, rng, expect):
    """One step from old statistics, two steps from none; returns whether running_var keeps deviations."""
    holds_deviation = False
    D = 5
    for what, momentum, batches, old in (
        ("after one step from old ones", 0.7, (6,), _statistics(rng, D)),
        ("after steps from the start", None, (4, 7), {}),
    ):
        given = {"mode": "train"} | ({} if momentum is None else {"momentum": momentum}) | old
        m = 0.9 if momentum is None else momentum
        kept, right = student.call("builtins.dict", **given), dict(given)
        for number, N in enumerate(batches, 1):
            x, gamma, beta = _spread(rng, N, D, axis=0), _factors(rng, D), rng.standard_normal(D)
            before = {
                name: _item(kept, name) if number > 1 else old.get(name, _START[name]) for name in _START
            }
            own = students(x, gamma, beta, kept)
            batchnorm_forward(x, gamma, beta, right)
            found = _normalised_by(own, x, gamma, beta, axis=0)
            used = {} if found is None else dict(zip(_START, (found[1][0], found[2][0] ** -2), strict=True))
            for name in _START:
                got = _item(kept, name)
                words = f"{name} {what}" + (f", step {number}" if len(batches) > 1 else "")
                if got is None:
                    expect.true(name, False, words, "It is not in bn_param.")
                    continue

                own_average = None
                if (
                    name in used
                    and np.size(before[name]) in (1, D)
                    and np.asarray(before[name]).dtype.kind == "f"
                ):
                    own_average = m * np.ravel(before[name]) + (1 - m) * used[name]
                expect.array(
                    name, got, right[name], what=words, unless=functools.partial(_is_own, own_average)
                )
            if old:
                deviations = m * old["running_var"] + (1 - m) * x.std(axis=0)
                holds_deviation = is_right(_item(kept, "running_var"), deviations)
    return holds_deviation


_START = {"running_mean": 0.0, "running_var": 1.0}


def _is_own(own, array):
    """A sentence if the array is the running average of what the student's own outputs were made with."""
    if own is not None and is_right(array, own):
        return "It averages what your training mode uses, which is wrong itself: full points here."
    return ""


def _check_test_mode(student, students, rng, expect, holds_deviation):
    D = 6
    gamma, beta, statistics = _factors(rng, D), rng.standard_normal(D), _statistics(rng, D)
    given = {"mode": "test", **statistics}
    kept = student.call("builtins.dict", **given)
    excuse = functools.cache(lambda: _as_in_training(students, rng, gamma, beta))

    for N in (5, 1):
        x = _spread(rng, 5, D, axis=0)[:N] + 2
        right = batchnorm_forward(x, gamma, beta, dict(given))[0]

        def fits(array, x=x):
            scale = gamma / statistics["running_var"]
            if holds_deviation and is_right(array, scale * (x - statistics["running_mean"]) + beta):
                return "It fits your running_var, which keeps the standard deviation: full points here."
            return excuse()

        expect.sizes = {"N": N, "D": D}
        what = "out in test mode" + (" for a single example" if N == 1 else "")
        with expect.case("for a batch of one" if N == 1 else "for a batch of several"):
            out = students(x, gamma, beta, kept if N > 1 else given)
            expect.array("out", out, right, what=what, unless=fits)
    part = "statistics unchanged"
    if not any(expect.share(name) for name in ("running_mean", "running_var", "out")):
        expect.true(part, False, part, "This counts only where something else is right.")
        return
    for name, value in statistics.items():
        expect.array(part, _item(kept, name), value, what=f"{name} after a call in test mode")


def _as_in_training(students, rng, gamma, beta):
    """A sentence if training is wrong and test mode, with the batch's own statistics, just the same."""
    x = _spread(rng, 7, len(gamma), axis=0)
    right = batchnorm_forward(x, gamma, beta, {"mode": "train"})[0]
    own = students(x, gamma, beta, {"mode": "train"})
    statistics = {"running_mean": x.mean(axis=0), "running_var": x.var(axis=0)}
    same = students(x, gamma, beta, {"mode": "test", **statistics})
    other = students(x, gamma, beta, {"mode": "test", **_statistics(rng, len(gamma))})
    arrays = all(isinstance(a, np.ndarray) and a.shape == x.shape for a in (own, same, other))
    if not arrays or is_right(own, right) or not is_right(same, own) or is_right(other, same):
        return ""
    return "It is wrong, but just as in training: full points here."


def _normalised_by(out, x, gamma, beta, axis) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The normalised x that is in `out`, its mean, and 1 / its deviation; None if it is no such thing."""
    if not isinstance(out, np.ndarray) or out.shape != x.shape or not np.isfinite(out).all():
        return None
    normalised, centred = (out - beta) / gamma, x - x.mean(axis=axis, keepdims=True)
    slope = (centred * normalised).mean(axis=axis, keepdims=True) / x.var(axis=axis, keepdims=True)
    middle = normalised.mean(axis=axis, keepdims=True)
    if not (slope > 1e-6).all() or not is_right(slope * centred + middle, normalised):
        return None
    return normalised, x.mean(axis=axis, keepdims=True) - middle / slope, slope


# ---- batch norm, backward


@check(
    "batchnorm_backward",
    parts={"dx": 1.6, "dgamma": 0.4, "dbeta": 0.4, "test mode": 0.35, "other eps": 0.25},
    function=NORM + "batchnorm_backward",
)
def check_batchnorm_backward(student, rng, expect):
    """The three gradients in train mode; then in test mode, and with another eps."""
    _check_batchnorm_backward(student, rng, expect, "batchnorm_backward", batchnorm_backward)


@check(
    "batchnorm_backward_alt",
    parts={"dx": 0.5, "dgamma": 0.15, "dbeta": 0.15, "test mode": 0.1, "other eps": 0.1},
    function=NORM + "batchnorm_backward_alt",
)
def check_batchnorm_backward_alt(student, rng, expect):
    """As of `batchnorm_backward`, from the same forward pass."""
    _check_batchnorm_backward(student, rng, expect, "batchnorm_backward_alt", batchnorm_backward_alt)


def _check_batchnorm_backward(student, rng, expect, name, reference):
    functions = student.layers.batchnorm_forward, getattr(student.layers, name)
    layer = _Layer(expect, name, *functions, batchnorm_forward, reference, axis=0)
    names = ("dx", "dgamma", "dbeta")
    with expect.attempt(*names):
        for x, gamma, beta in _layer_inputs(rng, axis=0):
            layer.check_backward(x, gamma, beta, {"mode": "train"}, rng, dict(zip(names, names, strict=True)))
    with expect.attempt("test mode"):
        x, gamma, beta = _spread(rng, 5, 7, axis=0), _factors(rng, 7), rng.standard_normal(7)
        param = {"mode": "test", **_statistics(rng, 7)}
        sums = [part for part in ("dgamma", "dbeta") if expect.share(part)]  # others have cost points already
        parts = dict.fromkeys(["dx", *sums], "test mode")
        layer.check_backward(x, gamma, beta, param, rng, parts, " in test mode")
    with expect.attempt("other eps"):
        layer.check_backward_eps({"mode": "train"}, rng)


_FITS = "It is right for what your forward pass computes, which is wrong itself: full points here."


@dataclass(frozen=True)
class _Layer:
    """A normalisation: the student's passes and ours."""

    expect: Any
    name: str  # of the backward pass
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    right_forward: Callable[..., Any]
    right_backward: Callable[..., Any]
    axis: int

    def check_backward(self, x, gamma, beta, param, rng, parts, words=""):
        """Compare the gradients that are keys of `parts`; its values are their parts."""
        dout = np.asfortranarray(rng.standard_normal(x.shape)) + 0.3  # its sums are not near 0
        returned = self.forward(x, gamma, beta, param)
        of = self.name.partition("_")[0] + "_forward"
        out, cache = self.expect.unpack(returned, "out", "cache", of=of)
        names = ("dx", "dgamma", "dbeta")
        grads = self.expect.unpack(self.backward(dout, cache), *names, of=self.name)
        grads = dict(zip(names, grads, strict=True))
        right_out, right_cache = self.right_forward(x, gamma, beta, dict(param))
        right = dict(zip(names, self.right_backward(dout, right_cache), strict=True))
        by_formula = {}
        if not is_right(out, right_out):
            by_formula = self._by_formula(dout, out, x, gamma, beta, param.get("mode") != "test")
        outside = self._with_eps_outside(dout, x, gamma, param["eps"]) if "eps" in param else None
        N, D = x.shape
        self.expect.sizes = {"N": N, "D": D}
        what = f"{{}} for {N} examples of {D} features{words}"
        with self.expect.case(*_traits(x)):
            for name, part in parts.items():
                if not is_right(grads[name], right[name]) and is_right(grads[name], by_formula.get(name)):
                    got, excuse = grads[name], lambda _: _FITS
                    self.expect.array(part, got, right[name], what=what.format(name), unless=excuse)
                    continue
                self.expect.gradients(
                    {name: grads[name]},
                    reference={name: right[name]},
                    forward=lambda dx=x, dgamma=gamma, dbeta=beta: first(
                        self.forward(dx, dgamma, dbeta, param)
                    ),
                    at={"dx": x, "dgamma": gamma, "dbeta": beta},
                    # With eps outside of the root the outputs are the same at this deviation.
                    out=None if name == "dx" and is_right(grads[name], outside) else out,
                    right_out=right_out,
                    cotangent=dout,
                    what=what,
                    parts=parts,
                )

    def _by_formula(self, dout, out, x, gamma, beta, training):
        """The gradients by the usual formula, with the statistics that the student's outputs show."""
        if (found := _normalised_by(out, x, gamma, beta, self.axis)) is None:
            return {}
        normalised, _, slope = found
        inner = dout * gamma
        if training:
            along = (inner * normalised).mean(axis=self.axis, keepdims=True)
            inner = inner - inner.mean(axis=self.axis, keepdims=True) - normalised * along
        return {
            "dx": slope * inner,
            "dgamma": (dout * normalised).sum(axis=0),
            "dbeta": dout.sum(axis=0),
        }

    def _with_eps_outside(self, dout, x, gamma, eps):
        """dx of (x - mean) / (deviation + eps), the other published place of eps, in train mode."""
        options = {"axis": self.axis, "keepdims": True}
        inner, centred, deviation = dout * gamma, x - x.mean(**options), x.std(**options)
        along = (inner * centred).mean(**options) / (deviation + eps)
        return (inner - inner.mean(**options) - centred / deviation * along) / (deviation + eps)

    def check_backward_eps(self, param, rng):
        """Gradients with another eps, of those that are right with the usual one."""
        names = [part for part in ("dx", "dgamma") if self.expect.share(part)]
        if not names:
            what = f"gradients with eps = {EPS}"
            self.expect.true("other eps", False, what, "They are wrong with any eps.")
            return
        x = _with_deviation(_spread(rng, 6, 7, self.axis), DEVIATION, self.axis)
        gamma, beta = _factors(rng, 7), rng.standard_normal(7)
        parts = dict.fromkeys(names, "other eps")
        self.check_backward(x, gamma, beta, param | {"eps": EPS}, rng, parts, f" with eps = {EPS}")


# ---- layer norm


@check("layernorm_forward", parts={"out": 0.85, "eps": 0.15}, function=NORM + "layernorm_forward")
def check_layernorm_forward(student, rng, expect):
    """Outputs, also for a single example; then examples that never vary, and another eps."""
    students = functools.partial(_outputs, student.layers.layernorm_forward, "layernorm_forward", expect)
    with expect.attempt("out"):
        for x, gamma, beta in _layer_inputs(rng, axis=1):
            _compare_outputs(expect, students, layernorm_forward, x, gamma, beta, {})
        x, gamma, beta = _spread(rng, 1, 6, axis=1), _factors(rng, 6), rng.standard_normal(6)
        _compare_outputs(expect, students, layernorm_forward, x, gamma, beta, {})
    with expect.attempt("eps"):
        _check_eps(expect, students, layernorm_forward, {}, rng, axis=1)


@check(
    "layernorm_backward",
    parts={"dx": 1.1, "dgamma": 0.35, "dbeta": 0.35, "other eps": 0.2},
    function=NORM + "layernorm_backward",
)
def check_layernorm_backward(student, rng, expect):
    """The three gradients, then with another eps."""
    functions = student.layers.layernorm_forward, student.layers.layernorm_backward
    layer = _Layer(expect, "layernorm_backward", *functions, layernorm_forward, layernorm_backward, axis=1)
    names = ("dx", "dgamma", "dbeta")
    with expect.attempt(*names):
        for x, gamma, beta in _layer_inputs(rng, axis=1):
            layer.check_backward(x, gamma, beta, {}, rng, dict(zip(names, names, strict=True)))
    with expect.attempt("other eps"):
        layer.check_backward_eps({}, rng)


# ---- what the layers' checks share


def _outputs(forward, name, expect, x, gamma, beta, param):
    """What the student's forward pass returns as out."""
    return expect.unpack(forward(x, gamma, beta, param), "out", "cache", of=name)[0]


def _compare_outputs(expect, students, reference, x, gamma, beta, param):
    N, D = x.shape
    expect.sizes = {"N": N, "D": D}
    with expect.case(*_traits(x)):
        out, right = students(x, gamma, beta, param), reference(x, gamma, beta, dict(param))[0]
        expect.array("out", out, right, what=f"out for {N} examples of {D} features")


def _check_eps(expect, students, reference, param, rng, axis):
    """Variances of 0, and a large eps. Judged for itself where the outputs are wrong otherwise."""
    what = "feature" if axis == 0 else "example"
    constant = _spread(rng, 5, 4, axis)
    constant[(slice(None), 1) if axis == 0 else (1,)] = 2.0
    inputs = [(f"for a {what} that is constant", constant)]
    if axis == 0:
        inputs.append(("for a batch of one example", _spread(rng, 5, 4, axis)[:1]))
    gamma, beta = _factors(rng, 4), rng.standard_normal(4)
    for words, x in inputs:
        out = students(x, gamma, beta, param)
        if expect.share("out"):
            right = reference(x, gamma, beta, dict(param))[0]
            expect.array("eps", out, right, what=f"out {words}")
        else:
            finite = isinstance(out, np.ndarray) and out.dtype.kind == "f" and np.isfinite(out).all()
            expect.true("eps", finite, f"out {words}", "Its numbers are not all finite.")
    x = _with_deviation(_spread(rng, 6, 7, axis), DEVIATION, axis)
    gamma, beta = _factors(rng, 7), rng.standard_normal(7)
    out, small = (students(x, gamma, beta, param | {"eps": eps}) for eps in (EPS, 1e-5))
    right = reference(x, gamma, beta, param | {"eps": EPS})[0]

    def shrinks(array):
        """Whether a larger eps acts on the normalised x as it should, in outputs that are wrong anyway."""
        if expect.share("out") or np.shape(small) != array.shape:
            return ""
        mirrored = [students(-x, gamma, beta, param | {"eps": eps}) for eps in (EPS, 1e-5)]
        if any(np.shape(m) != array.shape for m in mirrored):
            return ""
        spread, own = array - mirrored[0], small - mirrored[1]  # without beta
        factors = [DEVIATION / (DEVIATION + EPS)]
        if (found := _normalised_by(small, x, gamma, beta, axis)) is not None:
            deviation = 1 / found[2]  # the student's own
            factors += [deviation / np.sqrt(deviation**2 + EPS), deviation / (deviation + EPS)]
        if own.any() and any(is_right(spread, own * factor) for factor in factors):
            return "It is wrong, but just as with the usual eps: full points here."
        return ""

    expect.array("eps", out, right, what=f"out with eps = {EPS}", unless=shrinks)


def _layer_inputs(rng, axis) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """x, gamma and beta: as many examples as features, then columns of memory, then rows with gaps."""
    for N, D in ((5, 5), (6, 4), (4, 7)):
        x = _spread(rng, N, D, axis)
        if N == 6:
            x = np.asfortranarray(x)
        elif N == 4:
            x = np.repeat(x, 2, axis=1)[:, ::2]
        yield x, _factors(rng, D), rng.standard_normal(D)


def _traits(x):
    return ["when N = D"] if x.shape[0] == x.shape[1] else []


def _spread(rng, N, D, axis) -> np.ndarray:
    """Rows or columns of different places and widths, none narrower than 1."""
    while True:
        places = rng.standard_normal((1, D) if axis == 0 else (N, 1))
        x = 3 * rng.standard_normal((N, D)) + 5 * places
        if N == 1 or x.std(axis=axis).min() > 1:
            return x


def _with_deviation(x, deviation, axis) -> np.ndarray:
    """The same with this standard deviation in all features or examples."""
    mean = x.mean(axis=axis, keepdims=True)
    return mean + deviation * (x - mean) / x.std(axis=axis, keepdims=True)


def _factors(rng, D) -> np.ndarray:
    """Numbers of both signs, away from 0 and from +-1."""
    return rng.uniform(1.2, 2.5, D) * np.concatenate([[1, -1], rng.choice([-1, 1], D - 2)])


def _statistics(rng, D) -> dict[str, np.ndarray]:
    """Running averages as they may be after some training."""
    return {"running_mean": 2 * rng.standard_normal(D), "running_var": rng.uniform(2, 9, D)}


def _item(handle, name) -> Any:
    """What a dictionary of the student's has under this name, or None."""
    try:
        return handle[name]
    except (StudentError, KeyError):
        return None


# ---- networks

START = "gamma and beta at the start"
DATA = ("gradients of gamma and beta", "gradients of weights and biases")
DECAY = "gamma and beta without decay"


@check(
    "batchnorm_net",
    parts={START: 0.2, "loss": 0.4, DATA[0]: 0.3, DATA[1]: 0.3, "scores in test mode": 0.6, DECAY: 0.2},
    function=f"{NET}.loss",
    also=[f"{NET}.__init__"],
    uses=[NORM + f"batchnorm_{name}" for name in ("forward", "backward", "backward_alt")],
)
def check_batchnorm_net(student, rng, expect):
    """New parameters; loss and gradients in training; scores by the statistics that training has kept."""
    with expect.attempt(START):
        _check_start(student, expect, "batchnorm")
    task, plain = _assignment(student, rng, "batchnorm")
    with expect.attempt("loss", *DATA):
        _check_training(student, expect, task, plain)
    with expect.attempt("scores in test mode"):
        net, right = _net(student, task), _reference(task)
        for _ in range(2):
            batch = rng.permutation(len(task.X))[:5]
            net.loss(task.X[batch], task.y[batch])
            put(net, task.params)  # a loss that has changed them costs points elsewhere
            right.loss(task.X[batch], task.y[batch])
        for N in (4, 1):
            X = rng.standard_normal((N, task.X.shape[1])) + 0.5
            what = f"scores of {N} other example{'s' if N > 1 else ''} after training"
            _compare_scores(expect, "scores in test mode", net.loss(X), right.loss(X), what, plain)
    with expect.attempt(DECAY):
        _check_decay(student, expect, task)


@check(
    "layernorm_net",
    parts={START: 0.1, "scores": 0.25, "loss": 0.25, DATA[0]: 0.2, DATA[1]: 0.2},
    function=f"{NET}.loss",
    also=[f"{NET}.__init__"],
    uses=[NORM + "layernorm_forward", NORM + "layernorm_backward"],
)
def check_layernorm_net(student, rng, expect):
    """New parameters; scores, of a batch and of one example; loss and gradients."""
    task, plain = _assignment(student, rng, "layernorm")
    with expect.attempt("scores"):
        net, right = _net(student, task), _reference(task)
        for N in (len(task.X), 1):
            what = "scores" + (" of one example" if N == 1 else "")
            _compare_scores(expect, "scores", net.loss(task.X[:N]), right.loss(task.X[:N]), what, plain)
    with expect.attempt("loss", *DATA):
        _check_training(student, expect, task, plain)
    with expect.attempt(START):
        _check_start(student, expect, "layernorm")


@dataclass(frozen=True)
class _Task:
    """A network with a normalisation and something to learn."""

    normalization: str | None
    params: dict[str, np.ndarray]
    X: np.ndarray
    y: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, normalization: str, hidden=(8, 9), N=6, D=7, C=5) -> _Task:
        """No unit is near the kink of its ReLU, no variance near eps."""
        dims = [D, *hidden, C]
        y = rng.permutation(np.arange(N) % C)
        while True:
            X, params = rng.standard_normal((N, D)), {}
            for i in range(1, len(dims)):
                params[f"W{i}"] = rng.standard_normal((dims[i - 1], dims[i])) * 0.6
                params[f"b{i}"] = rng.standard_normal(dims[i])
                if i < len(dims) - 1:
                    params[f"gamma{i}"] = rng.uniform(0.7, 1.6, dims[i]) * rng.choice([-1, 1], dims[i])
                    params[f"beta{i}"] = rng.uniform(0.2, 0.8, dims[i])
            task = cls(normalization, params, X, y)
            if task._is_well_placed():
                return task

    def _is_well_placed(self) -> bool:
        hidden = self.X
        for i in range(1, self.layers):
            hidden = affine_forward(hidden, self.params[f"W{i}"], self.params[f"b{i}"])[0]
            if hidden.var(axis=self.axis).min() < 0.2:
                return False
            hidden = self.normalised(hidden, i)[0]
            if np.abs(hidden).min() < 0.005:
                return False
            hidden = relu_forward(hidden)[0]
        return True

    def narrow(self, rng: np.random.Generator) -> Callable[[], _Task]:
        """A task with one hidden layer, drawn when it is needed."""
        seed = int(rng.integers(2**31))
        return lambda: self.draw(np.random.default_rng(seed), self.normalization, hidden=(8,))

    @property
    def layers(self) -> int:
        return sum(name[0] == "W" for name in self.params)

    @property
    def axis(self) -> int:
        return 1 if self.normalization == "layernorm" else 0

    def normalised(self, hidden: np.ndarray, i: int) -> tuple[np.ndarray, tuple]:
        """Outputs and cache of layer i's normalisation."""
        gamma, beta = self.params[f"gamma{i}"], self.params[f"beta{i}"]
        if self.normalization == "layernorm":
            return layernorm_forward(hidden, gamma, beta, {})
        return batchnorm_forward(hidden, gamma, beta, {"mode": "train"})

    def without(self) -> _Task:
        """The same without normalisation."""
        params = {name: p for name, p in self.params.items() if name[0] in "Wb" and "beta" not in name}
        return _Task(None, params, self.X, self.y)


def _shape(task: _Task) -> dict[str, Any]:
    """The arguments of the constructor."""
    widths = [task.params[f"b{i}"].size for i in range(1, task.layers + 1)]
    return {
        "hidden_dims": widths[:-1],
        "input_dim": task.params["W1"].shape[0],
        "num_classes": widths[-1],
        "normalization": task.normalization,
        "dtype": "float64",
    }


def _net(student, task: _Task, reg: float = 0.0):
    """The student's network with the task's parameters."""
    net = student.classifiers.fc_net.FullyConnectedNet(**_shape(task), reg=reg)
    put(net, task.params)
    return net


def _reference(task: _Task, reg: float = 0.0) -> FullyConnectedNet:
    net = FullyConnectedNet(**_shape(task), reg=reg)
    net.params = dict(task.params)
    return net


def _assignment(student, rng, normalization) -> tuple[_Task, _Plain]:
    """A network with two hidden layers; with one where two do not work without normalisation either."""
    task = _Task.draw(rng, normalization)
    narrow = task.narrow(rng)
    if not _works(student, task) and not _works(student, task.without()) and _works(student, narrow()):
        task = narrow()
    return task, _Plain(student, narrow)


def _works(student, task: _Task) -> bool:
    """Whether a network returns something for these examples, and scores of the right shape."""
    net = _net(student, task)
    try:
        net.loss(task.X, task.y)
        scores = net.loss(task.X)
        shape = len(task.X), task.params[f"b{task.layers}"].size
        return not isinstance(scores, np.ndarray) or scores.shape == shape
    except StudentError as error:
        return error.kind != "exception"


def _compare_scores(expect, part, scores, right, what, plain: _Plain):
    """Scores, or classes where the network predicts these without normalisation too: that has cost points."""
    if isinstance(scores, np.ndarray) and scores.dtype.kind == "i" and plain.predicts_classes:
        same = np.array_equal(scores, right.argmax(axis=1))
        expect.true(part, same, what, "These are classes, and not those of the highest scores.")
        return
    expect.array(part, scores, right, what=what, unless=functools.partial(plain.excuse, "scores"))


def _check_start(student, expect, normalization):
    """gamma and beta of a fresh network. What batch norm's has wrong too costs layer norm's nothing again."""
    hidden = [9, 6, 7]
    found = {}
    for kind in ("batchnorm", normalization):
        net = student.classifiers.fc_net.FullyConnectedNet(
            hidden_dims=hidden, input_dim=5, num_classes=4, normalization=kind, dtype="float64"
        )
        params = net.params.value()
        found[kind] = params if isinstance(params, dict) else {}
    works = normalization == "layernorm" and (expect.share("scores") or expect.share("loss"))
    for i, width in enumerate([*hidden, None], 1):
        for name, start in ((f"gamma{i}", 1.0), (f"beta{i}", 0.0)):
            got, twin = found[normalization].get(name), found["batchnorm"].get(name)
            alike = got is None if twin is None else is_right(got, twin)
            params = found[normalization]
            if got is None and f"W{i}" not in params and f"W{i + 1}" in params:
                continue  # the layer is missing altogether, and that has cost points
            if width is not None and got is not None and np.shape(got) == np.shape(params.get(f"b{i}")):
                width = np.size(got)  # the layer's own, and another cell judges whether that is right
            words = f"{name} of a fresh network with {normalization}"
            if width is None:
                message = "The last layer gives the scores and is not normalised."
                expect.true(START, got is None or (works and alike), words, message)
            else:
                right = np.full(width, start)
                expect.array(START, right if works and alike else got, right, what=words)


def _check_training(student, expect, task: _Task, plain: _Plain):
    """Loss and gradients at reg = 0."""
    net = _net(student, task)
    loss, handle = expect.unpack(net.loss(task.X, task.y), "loss", "grads", of="FullyConnectedNet.loss")
    right_loss, right = _reference(task).loss(task.X, task.y)
    grads = dictionary(handle, of="FullyConnectedNet.loss")
    expect.sizes = {"N": len(task.X)}
    vouched = is_right(_scalar(loss), float(right_loss)) or bool(plain.excuse("loss"))
    for name in sorted(right, key=lambda name: name[0] in "Wb" and "beta" not in name):  # gamma, beta first
        value, got = right[name], grads.get(name)
        part = DATA["gamma" not in name and "beta" not in name]
        what = f"gradient of {name}"
        if task.normalization == "batchnorm" and name in _dusty(task):
            # The loss does not feel these biases: what is there is rounding, also that of float32.
            got = got + 1.0 if isinstance(got, np.ndarray) and got.dtype.kind == "f" else got
            value, what = np.ones(value.shape), f"1 + {what}"
        if is_right(got, value):
            expect.array(part, got, value, what=what)
        elif part == DATA[1] and expect.share(DATA[0]) and vouched and plain.lacks(task, name, got):
            expect.true(part, True, what, "")
        elif plain.excuse(_narrow_name(name, task)):
            excuse = functools.partial(plain.excuse, _narrow_name(name, task))
            expect.array(part, got, value, what=what, unless=excuse)
        elif what.startswith("1 + "):
            expect.array(part, got, value, what=what)
        else:
            expect.gradients(
                {name: got},
                reference={name: value},
                forward=lambda **at: loss_at(net, at, task.X, task.y),
                at={name: task.params[name]},
                out=loss,
                right_out=right_loss,
                what="gradient of {}",
                parts={name: part},
                vouched=vouched,
            )
    if all(expect.share(part) for part in DATA) and plain.lacks(task, "loss", loss):
        expect.true("loss", True, "loss", "")
    else:
        expect.number("loss", loss, right_loss, unless=functools.partial(plain.excuse, "loss"))


def _dusty(task: _Task) -> list[str]:
    return [f"b{i}" for i in range(1, task.layers)]


def _narrow_name(name: str, task: _Task) -> str:
    """The parameter of the network with one hidden layer that plays this one's part."""
    letters = name.rstrip("0123456789")
    return f"{letters}{2 if name == f'{letters}{task.layers}' else 1}"


def _check_decay(student, expect, task: _Task):
    """reg must not touch gamma and beta; where it touches the biases too, that has cost points already."""
    reg = 0.7
    nets = {strength: _net(student, task, strength) for strength in (0.0, reg)}
    grads = {}
    for strength, net in nets.items():
        _, handle = expect.unpack(net.loss(task.X, task.y), "loss", "grads", of="FullyConnectedNet.loss")
        grads[strength] = dictionary(handle, of="FullyConnectedNet.loss")
    last = f"b{task.layers}"

    def added(name):
        return difference(grads[reg].get(name), grads[0.0].get(name))

    def paid_by_gradients(_):
        extra = added(last)
        paid = isinstance(extra, np.ndarray) and np.abs(extra).max() > 1e-3
        return "The biases have an L2 term as well, which costs points elsewhere." if paid else ""

    names = [name for name in task.params if name.startswith(("gamma", "beta"))]
    for name in names:
        what = f"what reg = {reg} adds to the gradient of {name}"
        value = added(name)
        shifted = value + 1.0 if isinstance(value, np.ndarray) else value
        expect.array(
            DECAY, shifted, np.ones(task.params[name].shape), what=f"1 + {what}", unless=paid_by_gradients
        )

    def loss_added(**changed):
        params = task.params | changed
        return difference(*(loss_at(nets[strength], params, task.X, task.y) for strength in (reg, 0.0)))

    before = loss_added()

    def paid_by_loss(_):
        more = _scalar(difference(loss_added(**{last: task.params[last] + 1.0}), before))
        paid = more is not None and abs(more) > 1e-3
        return "The biases have an L2 term as well, which costs points elsewhere." if paid else ""

    larger = {name: 1.5 * task.params[name] for name in names}
    more = _scalar(difference(loss_added(**larger), before))
    shifted = None if more is None else more + 1.0
    what = f"1 + what larger gamma and beta add to the L2 term at reg = {reg}"
    expect.number(DECAY, shifted, 1.0, what=what, unless=paid_by_loss)


class _Plain:
    """What the student's network gets wrong without normalisation, and what that means for it with one.

    With one hidden layer, and for one example, a normalisation scales and shifts the hidden units, which can
    be put into W1 and b1 of the network without it. What that network says is then to be expected of the one
    with it.
    """

    def __init__(self, student: Any, draw: Callable[[], _Task]):
        self.student, self.draw = student, draw

    def excuse(self, name: str, _: Any = None) -> str:
        """A sentence if the network is wrong without normalisation, and with it is wrong just as that one.

        Args:
            name: "scores", "loss" or a parameter's name, for its gradient.
        """
        if self._excused.get(name):
            return (
                "Your network is wrong without normalisation too, and that has cost points: full points here."
            )
        return ""

    @functools.cached_property
    def predicts_classes(self) -> bool:
        """Whether the network returns whole numbers for scores without normalisation."""
        task = self.draw().without()
        scores = _net(self.student, task).loss(task.X)
        return isinstance(scores, np.ndarray) and scores.dtype.kind == "i"

    def lacks(self, task: _Task, name: str, got: Any) -> bool:
        """Whether the loss or a gradient is missing or zero, with the task's normalisation and without."""
        if isinstance(got, np.ndarray | float) and np.any(got):
            return False
        try:
            plain = task.without()
            value = _values(_net(self.student, plain), plain).get(name)
        except (StudentError, TypeError, ValueError):
            return False
        return value is None or not np.any(value)

    @functools.cached_property
    def _excused(self) -> Mapping[str, bool]:
        try:
            with np.errstate(all="ignore"):
                return self._compare()
        except (StudentError, TypeError, ValueError, KeyError, AttributeError):
            return {}

    def _compare(self) -> dict[str, bool]:
        """Of each value, whether it is as the network without normalisation suggests, if that is wrong."""
        task = self.draw()
        if self._is_right(task.without()):
            deeper = _Task.draw(np.random.default_rng(5), task.normalization)
            if self._is_right(deeper.without()):
                return {}
        net, reference = _net(self.student, task), _reference(task)
        own = _values(net, task)
        right = _values(reference, task)
        expected = self._expected(task)
        unnormalised = _values(_net(self.student, task.without()), task)
        names = [name for name in task.params if name in right]
        both = (np.concatenate([np.ravel(values[name]) for name in names]) for values in (expected, right))
        if not abs(np.vdot(*(both := [*both]))) > 0.1 * np.prod(np.linalg.norm(both, axis=1)):
            return {}  # it has little to do with the right one
        return {
            name: is_right(own.get(name), value) and not is_right(value, unnormalised.get(name))
            for name, value in expected.items()
        }

    def _is_right(self, task: _Task) -> bool:
        own, right = _values(_net(self.student, task), task), _values(_reference(task), task)
        return all(is_right(own.get(name), value) for name, value in right.items())

    @staticmethod
    def _single(net: Any, task: _Task, n: int, mean: np.ndarray, var: np.ndarray) -> dict[str, Any]:
        """Values for example n of the network without normalisation, these statistics put into it."""
        p = task.params
        shape = len(task.X), p["b1"].size
        mean, var = (np.broadcast_to(a, shape)[n] for a in (mean, var))
        scale = p["gamma1"] / np.sqrt(var + 1e-5)
        put(net, {"W1": p["W1"] * scale, "b1": (p["b1"] - mean) * scale + p["beta1"]})
        return _values(net, _Task(None, {}, task.X[n : n + 1], task.y[n : n + 1]))

    def _expected(self, task: _Task) -> dict[str, Any]:
        """Scores, loss and gradients with normalisation, from the student's network without it."""
        N = len(task.X)
        hidden = affine_forward(task.X, task.params["W1"], task.params["b1"])[0]
        mean, var = (f(hidden, axis=task.axis, keepdims=True) for f in (np.mean, np.var))
        net = _net(self.student, task.without())
        singles = [self._single(net, task, n, mean, var) for n in range(N)]
        if task.normalization == "batchnorm":  # its scores are those of test mode, after one step of training
            mean, var = 0.1 * mean, 0.9 + 0.1 * var
        # A network that averages or sums once too often does so with batches only.
        put(net, task.without().params)
        whole = _values(net, task)
        ones = [_values(net, _Task(None, {}, task.X[n : n + 1], task.y[n : n + 1])) for n in range(N)]
        ratio = {}
        for name in ("loss", "b2"):
            average = np.mean([one[name] for one in ones], axis=0)
            ratio[name] = np.vdot(average, whole[name]) / np.vdot(average, average)
        scores = [self._single(net, task, n, mean, var)["scores"] for n in range(N)]
        expected = {"scores": np.concatenate(scores)}
        expected["loss"] = float(ratio["loss"] * np.mean([one["loss"] for one in singles]))
        for name in ("W2", "b2"):
            expected[name] = ratio["b2"] * np.mean([one[name] for one in singles], axis=0)
        # The gradient with respect to the hidden units, from that of W1: an outer product for one example.
        dhidden = np.stack([x @ one["W1"] / (x @ x) for x, one in zip(task.X, singles, strict=True)])
        backward = layernorm_backward if task.normalization == "layernorm" else batchnorm_backward
        returned = backward(ratio["b2"] * dhidden / N, task.normalised(hidden, 1)[1])
        dhidden, expected["gamma1"], expected["beta1"] = returned
        expected["W1"], expected["b1"] = task.X.T @ dhidden, dhidden.sum(axis=0)
        return expected


def _values(net: Any, task: _Task) -> dict[str, Any]:
    """Loss and gradients of a network, and then its scores."""
    loss, handle = net.loss(task.X, task.y)
    return {
        "loss": _scalar(loss),
        **dictionary(handle, of="FullyConnectedNet.loss"),
        "scores": net.loss(task.X),
    }


def _scalar(value: Any) -> float | None:
    """The number in a number or in an array of one."""
    numbers = isinstance(value, int | float | np.ndarray) and np.asarray(value).dtype.kind in "fiu"
    return float(np.reshape(value, ())) if numbers and np.size(value) == 1 else None
