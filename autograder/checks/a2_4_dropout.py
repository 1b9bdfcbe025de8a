"""Hidden checks of a2/4_dropout: the layer, forward and backward, and the network with dropout.

Notable:
- How random numbers are drawn differs between right solutions. The layer is judged by statistics of
  thousands of draws, with tolerances of eight standard deviations, and by exact structure: what is kept is
  x / p, no two rows or columns share their draws.
- For the same reason misconceptions are recognised by statistics of what came out, not by the numbers.
- A backward pass is judged with the factors that the student's own forward pass used, a network with the
  draws that the student's own layer makes from its seed.
- L2 terms are not looked at: reg = 0.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from handgrad.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
)

from ..sandbox import StudentError
from . import for_notebook
from .networks import dictionary, first, loss_at, put

check = for_notebook("a2/4_dropout")

FORWARD = "handgrad.layers.dropout.dropout_forward"
BACKWARD = "handgrad.layers.dropout.dropout_backward"
LOSS = "handgrad.classifiers.fc_net.FullyConnectedNet.loss"
SIGMAS = 8
NEAR = 0.15  # as near are statistics of two samples of one distribution, next to the largest of them


# ---- forward


@check(
    "dropout_forward",
    parts={"choice": 2, "scale": 1.5, "test mode": 1, "seeds": 0.5},
    function=FORWARD,
)
def check_dropout_forward(student, rng, expect):
    """What is kept, with which factor, in both modes, and what a seed changes."""
    shares, factors = [], []

    def kept(x, p, mode="train", **seed):
        param = {"p": p, "mode": mode, **seed}
        out, _ = expect.unpack(student.layers.dropout_forward(x, param), "out", "cache", of="dropout_forward")
        if not isinstance(out, np.ndarray) or out.dtype.kind != "f" or out.shape != x.shape:
            raise StudentError(
                "invalid", f"dropout_forward must return out, floats of the shape of x {x.shape}"
            )
        if mode == "train" and p < 1:
            shares.append(np.mean(out != 0))
        return out, out != 0

    low, high = rng.uniform(0.2, 0.35), rng.uniform(0.6, 0.68)  # where other distributions give other shares
    for p, shape in ((1, (60, 50)), (low, (150, 120)), (high, (121, 149)), (low, (20, 6, 11, 15))):
        with expect.attempt("choice", *(["scale"] if len(shape) == 2 else [])):
            x = _away_from_0(rng, shape)
            out, there = kept(x, p, seed=int(rng.integers(1, 10**6)))
            where = (
                "for p = 1" if p == 1 else f"for {len(shape)} axes and {'small' if p < 0.5 else 'large'} p"
            )
            factors.append(np.median(out / x))
            _judge_choice(expect, x, there, p, where)
            _judge_scale(expect, x, out, there, p, where)

    calls = [{"seed": 4}, {"seed": 4}, {"seed": 5}, {}, {}]
    with expect.attempt("seeds"):
        x = _away_from_0(rng, (40, 25))
        choices = [kept(x, 0.4, **seed)[1] for seed in calls]
        varied = all(0 < choice.mean() < 1 for choice in choices)
        for what, same, a, b in [
            ("two calls with the same seed", True, 0, 1),
            ("two calls with different seeds", False, 0, 2),
            ("two calls without a seed", False, 3, 4),
        ]:
            message = f"They must make {'the same choice' if same else 'different choices'}."
            right = varied and np.array_equal(choices[a], choices[b]) == same
            expect.true(
                "seeds", right, what, message if varied else "There is no choice: all is kept, or nothing."
            )

    drops = any(0 < share < 1 for share in shares)
    with expect.attempt("test mode"):
        for p, shape in ((low, (50, 40)), (high, (5, 4, 7, 6))):
            x = _away_from_0(rng, shape)
            for seed in ({}, {"seed": 4}):
                out, _ = kept(x, p, mode="test", **seed)
                what = f"out in test mode {'with' if seed else 'without'} a seed, for {len(shape)} axes"
                expect.array("test mode", out, x, what=what)
                _remember_ratio(expect, out / x)
        message = "In train mode nothing is chosen, so there is nothing that test mode could leave out."
        expect.true("test mode", drops, "test mode against train mode", message)
    always = [float(set(shares) == {share}) for share in (0, 1)]
    expect.remember("choice", "nothing is ever kept, all is", np.array(always))
    expect.remember("scale", "its factor if all is always kept", always[1] and factors[-1])


def _away_from_0(rng, shape):
    """Numbers of both signs, from 0.5 to 2 away from 0: what is 0 afterwards was dropped."""
    return rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)


def _judge_choice(expect, x, kept, p, where):
    """Whether each number is kept with probability p, by a draw of its own."""
    share = kept.mean()
    if p == 1:
        expect.true("choice", share == 1, f"share that is kept {where}", "Everything should be kept.")
        return
    rows = [np.moveaxis(kept, axis, 0).reshape(x.shape[axis], -1) for axis in range(x.ndim)]
    counts = [len({row.tobytes() for row in along}) for along in rows]
    own = counts == list(x.shape)  # where draws are shared, statistics are of fewer draws than they seem
    deviation = SIGMAS * np.sqrt(p * (1 - p) / x.size)
    message = "It is not p."
    if share in (0, 1):
        message = "Everything is kept." if share else "Nothing is kept."
    elif abs(share - (1 - p)) < deviation:
        message = "It is 1 - p, and should be p."
    right = abs(share - p) < deviation or (0 < share < 1 and not own)
    expect.true("choice", right, f"share that is kept {where}", message)
    for axis, along in enumerate(rows):
        even = np.abs(along.mean(axis=1) - share).max() < SIGMAS * 0.5 / np.sqrt(along.shape[1])
        what = f"draws along axis {axis} {where}"
        message = "There are places along this axis with the same draws."
        if counts[axis] == 1:
            message = "All places along this axis share the same draws."
        expect.true("choice", counts[axis] == len(along), what, message)
        expect.remember("choice", f"sharing of the {what}", float(counts[axis] == 1))
        message = "At some places along this axis far more is kept than at others."
        expect.true("choice", even or not own, f"evenness of the {what}", message)
    for what, chosen in (("sizes", np.abs(x) > np.median(np.abs(x))), ("signs", x > 0)):
        gap = abs(kept[chosen].mean() - kept[~chosen].mean())
        alike = gap < SIGMAS * np.sqrt(0.25 * x.size / (chosen.sum() * (~chosen).sum()))
        message = "Whether a number is kept should not depend on the number."
        expect.true("choice", alike, f"shares kept of different {what} {where}", message)


def _judge_scale(expect, x, out, kept, p, where):
    """Whether what is kept was divided by p."""
    what = f"out in train mode {where}"
    if p < 1 and kept.mean() in (0, 1):
        # Which of the two may be chance: nothing else is remembered of it.
        expect.true("scale", False, what, "It shows no choice: everything is kept, or nothing.")
        return
    expect.array("scale", out, np.where(kept, x / p, 0.0), what=what)
    _remember_ratio(expect, out / x)


def _remember_ratio(expect, *ratios):
    """Remember statistics in place of the numbers that were compared last: others depend on the draws."""
    last = expect.values[-1]
    if last.array is None or not np.isfinite(last.array).all():
        return
    statistics = []
    for ratio in ratios:
        kept = ratio[ratio != 0]
        statistics += [1 + kept.size / ratio.size, np.abs(kept).mean() if kept.size else 0.0, ratio.mean()]
        statistics.append(kept.std() if kept.size else 0.0)
    expect.values[-1] = dataclasses.replace(last, array=np.array(statistics), tolerance=NEAR)


# ---- backward


@check("dropout_backward", parts={"dx": 4, "dx in test mode": 1}, function=BACKWARD)
def check_dropout_backward(student, rng, expect):
    """The gradient in train mode, with the draws of the forward pass, and in test mode."""
    passes_on = True  # whether dx is always dout, or a multiple of it
    for p, shape in ((rng.uniform(0.2, 0.35), (60, 50)), (rng.uniform(0.6, 0.7), (9, 5, 8, 10))):
        for seed in ({"seed": int(rng.integers(1, 10**6))}, {}):
            with expect.attempt("dx"):
                x, dout = _away_from_0(rng, shape), _away_from_0(rng, shape)
                param = {"p": p, "mode": "train", **seed}
                what = f"dx for {len(shape)} axes, {'with' if seed else 'without'} a seed"
                try:
                    # Two passes first: each cache belongs to its own.
                    passes = [_forward(student, x, param, expect) for _ in range(2)]
                except StudentError:
                    if len(shape) == 2:
                        raise
                    continue  # a forward pass for rows only has cost its points
                for out, cache in passes[: 1 if seed else 2]:
                    dx = student.layers.dropout_backward(dout, cache)
                    passes_on &= isinstance(dx, np.ndarray) and dx.shape == shape and np.ptp(dx / dout) < 1e-6
                    _judge_train(student, expect, what, dx, dout, x, out, param)

    with expect.attempt("dx in test mode"):
        for shape in ((12, 7), (3, 2, 5, 4)):
            x, dout = _away_from_0(rng, shape), _away_from_0(rng, shape)
            param = {"p": rng.uniform(0.3, 0.7), "mode": "test", "seed": 3}
            out, cache = _forward(student, x, param, expect)
            expect.gradients(
                {"dx": student.layers.dropout_backward(dout, cache)},
                reference={"dx": dout},
                forward=lambda dx, param=param: first(student.layers.dropout_forward(dx, param)),
                at={"dx": x},
                out=out,
                right_out=x,
                cotangent=dout,
                what=f"{{}} in test mode for {len(shape)} axes",
                parts={"dx": "dx in test mode"},
            )
        message = "In train mode it is dout or a multiple of it, too: nothing was dropped there."
        expect.true("dx in test mode", not passes_on, "test mode against train mode", message)


def _forward(student, x, param, expect):
    return expect.unpack(student.layers.dropout_forward(x, param), "out", "cache", of="dropout_forward")


def _judge_train(student, expect, what, dx, dout, x, out, param):
    """Right is dout times the factors that the forward pass used."""
    factors = _factors(out, x)
    if factors is not None:
        expect.array("dx", dx, dout * factors, what=what)
        last = expect.values[-1]
        if isinstance(dx, np.ndarray) and dx.shape == dout.shape:
            ratio, kept = dx / dout, factors != 0
            _remember_ratio(expect, ratio[kept & (x > 0)], ratio[kept & (x < 0)], ratio[~kept])
        elif last.array is not None:
            expect.values[-1] = dataclasses.replace(last, array=np.zeros(last.array.shape))
    elif _keeps_all(out, x):
        expect.true("dx", False, what, "Your forward pass drops nothing in train mode.")
    elif "seed" in param:
        expect.gradients(
            {"dx": dx},
            reference={"dx": dropout_backward(dout, dropout_forward(x, param)[1])},
            forward=lambda dx: first(student.layers.dropout_forward(dx, param)),
            at={"dx": x},
            cotangent=dout,
            what=what.replace("dx", "{}"),
        )


def _factors(out, x):
    """out / x if that is 0 here and one other number there, else None."""
    if not isinstance(out, np.ndarray) or out.shape != x.shape or out.dtype.kind != "f":
        return None
    ratio = out / x
    kept = ratio[ratio != 0]
    if 0 < kept.size < x.size and np.ptp(kept) <= 1e-5 * abs(kept[0]):
        return ratio
    return None


def _keeps_all(out, x):
    """Whether out is a multiple of x: a forward pass that shows nothing to go back through."""
    return isinstance(out, np.ndarray) and out.shape == x.shape and np.ptp(out / x) < 1e-6


# ---- the network


@check(
    "dropout_net",
    parts={"loss": 1, "gradients": 1, "scores in test mode": 0.6, "without a seed": 0.4},
    function=LOSS,
    uses=[FORWARD, BACKWARD],
)
def check_dropout_net(student, rng, expect):
    """Loss and gradients with dropout after each hidden ReLU; scores without."""
    for shape, hidden, p in [
        ((2, 3), (8, 5), rng.uniform(0.55, 0.7)),
        ((7,), (6, 9, 5), rng.uniform(0.7, 0.8)),
    ]:
        drops = False
        net = _Net(student, rng, shape, hidden, p, expect)
        where = f"with {len(hidden)} hidden layers"
        with expect.attempt("loss", "gradients"):
            drops = _judge_train_mode(net, expect, where)
        with expect.attempt("scores in test mode"):
            message = "In train mode nothing is dropped, so there is nothing that test mode could leave out."
            what = f"test mode against train mode {where}"
            expect.true("scores in test mode", drops, what, message)
            scores = net.dropping.loss(net.X)
            own = net.own_scores if expect.share("loss") else None
            expect.array("scores in test mode", scores, net.scores(), what=f"scores {where}", unless=own)
    with expect.attempt("without a seed"):
        _judge_without_seed(student, rng, expect)


def _judge_train_mode(net, expect, where):
    """Compare loss and gradients; returns whether the network drops anything."""
    loss, handle = expect.unpack(
        net.dropping.loss(net.X, net.y), "loss", "grads", of="FullyConnectedNet.loss"
    )
    grads = dictionary(handle, of="FullyConnectedNet.loss")
    loss, again = _number(loss), _number(first(net.dropping.loss(net.X, net.y)))
    repeated = abs(loss - again) <= 1e-9 * abs(loss)
    message = "It should be the same when nothing but the call is new: the seed fixes what is dropped."
    for part in ("loss", "gradients"):
        expect.true(part, repeated, f"loss {where}, computed again", message)
    if not repeated:
        return True
    right_loss, right = net.loss_and_gradients()
    own_loss, own, honest = None, {}, False
    if not _near(loss, right_loss) or not all(_near(grads.get(name), g) for name, g in right.items()):
        own_loss, own, honest = net.own(loss)
        if own_loss is None:
            message = "It is the loss without dropout: in train mode nothing is dropped."
            for part in ("loss", "gradients"):
                expect.true(part, False, f"loss {where}", message)
            expect.remember("loss", f"loss {where}", loss)
            return False

    def as_without_dropout(got):
        if _near(float(got), own_loss):
            return "It is wrong, but just as without dropout: full points here."
        return ""

    expect.number("loss", loss, right_loss, what=f"loss {where}", unless=as_without_dropout)
    expect.gradients(
        grads,
        # A mistake that is there without dropout, too, has cost its points.
        reference={
            name: own[name] if name in own and _near(grads.get(name), own[name]) else gradient
            for name, gradient in right.items()
            if name in own or not own or grads.get(name) is not None
        },
        forward=lambda **at: loss_at(net.dropping, at, net.X, net.y),
        at={name: net.params[name] for name in right},
        out=loss,
        right_out=right_loss,
        what=f"gradient of {{}} {where}",
        parts=dict.fromkeys(right, "gradients"),
        vouched=honest or bool(expect.share("loss")),
    )
    put(net.dropping, net.params)
    return True


def _judge_without_seed(student, rng, expect):
    """Losses differ from call to call, scores do not."""
    part = "without a seed"
    net = student.classifiers.fc_net.FullyConnectedNet(
        (50,), input_dim=6, num_classes=4, dropout=0.5, weight_scale=1.0, dtype="float64"
    )
    params = {"W1": rng.standard_normal((6, 50)), "W2": rng.standard_normal((50, 4))}
    put(net, params)
    X, y = rng.standard_normal((8, 6)), rng.permutation(np.arange(8) % 4)
    losses = {_number(first(net.loss(X, y))) for _ in range(4)}
    different = len(losses) == 4 and all(np.isfinite(loss) for loss in losses)
    expect.true(part, different, "losses of several calls", "Every call should drop other units.")
    scores = [net.loss(X) for _ in range(2)]
    same = all(isinstance(s, np.ndarray) for s in scores) and np.array_equal(*scores)
    expect.true(part, same, "scores, computed again", "In test mode nothing is random.")


class _Net:
    """A student's network with dropout, and what its loss should be.

    With a seed the draws are those of the student's own layer. For a single example, dropping units is the
    same as changing rows of the next layer's weights: so it is known, too, what the student's network would
    give if it had dropout added to whatever it does without.
    """

    def __init__(self, student, rng, shape, hidden, p, expect):
        self.student, self.hidden, self.p = student, hidden, float(p)
        N, C, D, seed = 5, 4, int(np.prod(shape)), int(rng.integers(1, 10**6))
        self.y = rng.permutation(np.arange(N) % C)
        self.masks = [self._mask(expect, (N, H), seed) for H in hidden]
        self.sizes = (D, *hidden, C)
        self.layers = range(1, len(hidden) + 2)
        while True:
            self.X = rng.standard_normal((N, *shape))
            self.params = {}
            for i in self.layers:
                fan_in, fan_out = self.sizes[i - 1 : i + 1]
                self.params[f"W{i}"] = rng.standard_normal((fan_in, fan_out)) * 1.5 / np.sqrt(fan_in)
                self.params[f"b{i}"] = rng.standard_normal(fan_out) / 2
            if self._telling():
                break
        self.dropping = self._net(dropout=self.p, seed=seed)

    def _mask(self, expect, shape, seed):
        """0 or the factor for each hidden unit, by the student's layer."""
        param = {"p": self.p, "mode": "train", "seed": seed}
        mask, _ = _forward(self.student, np.ones(shape), param, expect)
        if not (isinstance(mask, np.ndarray) and mask.shape == shape and np.isfinite(mask).all()):
            raise StudentError("invalid", f"dropout_forward returned no numbers of shape {shape}")
        return mask.astype(np.float64)

    def _telling(self):
        """Whether every layer's dropout changes the loss, no unit is near its kink, and about half are on."""
        loss = self.loss_and_gradients()[0]
        ones = [np.ones_like(mask) for mask in self.masks]
        for i, mask in enumerate(self.masks):
            masks = [*self.masks[:i], ones[i], *self.masks[i + 1 :]]
            if (mask != 1).any() and abs(self.loss_and_gradients(masks)[0] - loss) < 0.02 * loss:
                return False
        for masks in (self.masks, ones):
            h = self.X
            for i, mask in enumerate(masks, 1):
                h = affine_forward(h, self.params[f"W{i}"], self.params[f"b{i}"])[0]
                if np.abs(h).min() < 0.003 or not 0.25 < (h > 0).mean() < 0.75:
                    return False
                h = np.maximum(h, 0) * mask
        return True

    def _net(self, dropout, **seed):
        net = self.student.classifiers.fc_net.FullyConnectedNet(
            self.hidden,
            input_dim=self.sizes[0],
            num_classes=self.sizes[-1],
            dropout=dropout,
            reg=0.0,
            dtype="float64",
            **seed,
        )
        put(net, self.params)
        return net

    # ---- what is right

    def loss_and_gradients(self, masks=None):
        """By the formula, with these factors after each hidden ReLU."""
        masks = self.masks if masks is None else masks
        h, caches = self.X, []
        for i, mask in enumerate(masks, 1):
            h, affine = affine_forward(h, self.params[f"W{i}"], self.params[f"b{i}"])
            h, relu = relu_forward(h)
            h = h * mask
            caches.append((affine, relu, mask))
        last = self.layers[-1]
        scores, affine = affine_forward(h, self.params[f"W{last}"], self.params[f"b{last}"])
        loss, dscores = softmax_loss(scores, self.y)
        grads: dict[str, np.ndarray] = {}
        dh, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(dscores, affine)
        for i in reversed(self.layers[:-1]):
            affine, relu, mask = caches[i - 1]
            dh = relu_backward(dh * mask, relu)
            dh, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(dh, affine)
        return loss, {name: grads[name] for name in self.params}

    def scores(self):
        """By the formula, without dropout."""
        h = self.X
        for i in self.layers:
            h = affine_forward(h if i == 1 else np.maximum(h, 0), self.params[f"W{i}"], self.params[f"b{i}"])[
                0
            ]
        return h

    # ---- what a network that is wrong without dropout would give with it

    def own(self, loss):
        """What the student's network without dropout would give if it had been added to it.

        Returns:
            loss, gradients, and whether the network is right without dropout. The loss is None when `loss`
            shows that nothing was dropped, NaN when the network does not react to dropped units at all.
        """
        plain = self._net(dropout=1)
        try:
            without = _number(first(plain.loss(self.X, self.y)))
            if _near(loss, without):
                return None, {}, False
            total, sums = 0.0, {name: np.zeros_like(value) for name, value in self.params.items()}
            for n in range(len(self.X)):
                rows = {f"W{i}": mask[n][:, None] for i, mask in enumerate(self.masks, 2)}
                put(plain, {name: mask * self.params[name] for name, mask in rows.items()})
                # The example as often as there are others, in case the student divides by their number.
                X, y = np.repeat(self.X[n : n + 1], len(self.X), axis=0), np.full(len(self.X), self.y[n])
                part, handle = plain.loss(X, y)
                grads = dictionary(handle, of="FullyConnectedNet.loss")
                total += _number(part) / len(self.X)
                sums = {
                    name: value + rows.get(name, 1.0) * grads[name] / len(self.X)
                    for name, value in sums.items()
                    if grads.get(name) is not None
                }
        except (StudentError, TypeError, ValueError, KeyError):
            return float("nan"), {}, False
        right_loss = self.loss_and_gradients()[0]
        right_without = self.loss_and_gradients([np.ones_like(mask) for mask in self.masks])[0]
        if not abs(total - without) > 0.1 * abs(right_loss - right_without):
            return float("nan"), {}, False
        own = {name: value for name, value in sums.items() if value.any()}
        return total, own, _near(without, right_without)

    def own_scores(self, scores):
        """For `unless`: right are also the scores of the student's network without dropout."""
        try:
            if np.ptp(scores, axis=0).any() and _near(scores, self._net(dropout=1).loss(self.X)):
                return "They are wrong, but just as without dropout: full points here."
        except StudentError:
            pass
        return ""


def _number(value: Any) -> float:
    """A loss as a float; NaN when it is not one number."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind == "f":
        return float(value.reshape(()))
    return value if isinstance(value, float) else float("nan")


def _near(got: Any, expected: Any) -> bool:
    """Whether two numbers or arrays are the same but for rounding, also in float32."""
    if not all(isinstance(v, float | np.ndarray) for v in (got, expected)):
        return False
    if np.shape(got) not in (np.shape(expected), (1, *np.shape(expected))):
        return False
    scale = max(float(np.abs(expected).max()), 1e-6)
    return bool(np.abs(got - expected).max() <= 1e-4 * scale)
