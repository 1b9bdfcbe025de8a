"""Right solutions of a2/4_dropout in other styles.

Where the draws are not the reference's, the network that uses them is registered along with the layer.
"""

import random as python_random
import types

import numpy as np

from handgrad.classifiers.fc_net import FullyConnectedNet
from handgrad.layers import (
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
)

from . import variant

FORWARD = "handgrad.layers.dropout.dropout_forward"
BACKWARD = "handgrad.layers.dropout.dropout_backward"
LOSS = "handgrad.classifiers.fc_net.FullyConnectedNet.loss"


def layer(name, forward, backward, draws_alike=False):
    """Register a layer, and the reference's network with it."""
    variant(name, FORWARD)(forward)
    variant(name, BACKWARD)(backward)
    if not draws_alike:
        loss = FullyConnectedNet.loss
        names = {**loss.__globals__, "dropout_forward": forward, "dropout_backward": backward}
        variant(name, LOSS)(types.FunctionType(loss.__code__, names, "loss", loss.__defaults__))


# ---- the same draws, written in other ways


@variant("loops", FORWARD)
def forward_loops(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    out, mask = np.zeros(x.shape), np.zeros(x.shape)
    rand = (
        np.random.rand if "seed" not in dropout_param else np.random.RandomState(dropout_param["seed"]).rand
    )
    for index in np.ndindex(x.shape):
        if mode == "test":
            mask[index] = 1
        elif rand() < p:
            mask[index] = 1 / p
        out[index] = mask[index] * x[index]
    return out, mask


@variant("loops", BACKWARD)
def backward_loops(dout, mask):
    dx = np.zeros_like(dout)
    for index in np.ndindex(dout.shape):
        dx[index] = dout[index] * mask[index]
    return dx


@variant("dict cache", FORWARD)
def forward_global_seed(x, dropout_param):
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])
    kept, out = None, x
    if dropout_param["mode"] == "train":
        kept = np.random.rand(*x.shape) < dropout_param["p"]
        out = x * kept / dropout_param["p"]
    return out.astype(x.dtype, copy=False), {
        "param": dropout_param,
        "kept": kept,
        "x": x,
        "note": "a comment",
    }


@variant("dict cache", BACKWARD)
def backward_by_mode(dout, cache):
    if cache["param"]["mode"] == "train":
        return dout * cache["kept"] / cache["param"]["p"]
    return dout


@variant("in place", FORWARD)
def forward_in_place(x, dropout_param):
    if dropout_param["mode"] == "test":
        return x, []
    random = np.random.RandomState(dropout_param["seed"]) if "seed" in dropout_param else np.random
    dropped = random.rand(*x.shape) >= dropout_param["p"]
    x[dropped] = 0
    x /= dropout_param["p"]
    return x, [dropped, dropout_param["p"]]


@variant("in place", BACKWARD)
def backward_in_place(dout, cache):
    if cache:
        dropped, p = cache
        dout /= p
        dout[dropped] = 0
    return dout


def in_float32(function):
    def wrapped(x, other):
        out = function(x.astype(np.float32), other)
        return out

    return wrapped


variant("float32", FORWARD)(in_float32(dropout_forward))
variant("float32", BACKWARD)(in_float32(dropout_backward))


class Kept:
    def __init__(self, factor):
        self.factor = factor


@variant("object cache", FORWARD)
def forward_object(x, dropout_param):
    cache = Kept(np.float64(1.0))
    if dropout_param["mode"] == "train":
        random = np.random.RandomState(dropout_param["seed"]) if "seed" in dropout_param else np.random
        p = dropout_param["p"]
        cache.factor = np.where(random.uniform(0, 1, size=x.shape) <= p, 1.0 / p, 0.0)
    return np.multiply(x, cache.factor), cache


@variant("object cache", BACKWARD)
def backward_object(dout, cache):
    return np.asfortranarray(np.multiply(cache.factor, dout))


@variant("positions", FORWARD)
def forward_positions(x, dropout_param):
    flat = np.ravel(x)
    random = np.random.RandomState(dropout_param["seed"]) if "seed" in dropout_param else np.random
    p = 1.0 if dropout_param["mode"] == "test" else dropout_param["p"]
    kept = np.flatnonzero(random.random_sample(flat.size) < p)
    out = np.zeros_like(flat)
    out[kept] = flat[kept] / p
    return out.reshape(x.shape), (kept, p)


@variant("positions", BACKWARD)
def backward_positions(dout, cache):
    kept, p = cache
    dx = np.zeros(dout.size)
    np.put(dx, kept, np.take(dout, kept) / p)
    return dx.reshape(dout.shape)


# ---- other draws


def mask_layer(draw):
    """(forward, backward) with a mask of 0 and 1 that draw(seed, p, shape) makes."""

    def forward(x, dropout_param):
        p, mode, seed = dropout_param["p"], dropout_param["mode"], dropout_param.get("seed")
        if mode == "test":
            return x.copy(), None
        mask = draw(seed, p, x.shape) / p
        return (x * mask).astype(x.dtype), mask

    def backward(dout, cache):
        return dout.copy() if cache is None else dout * cache

    return forward, backward


def binomial(seed, p, shape):
    np.random.seed(seed)  # None gives a fresh seed from the system
    return np.random.binomial(1, p, size=shape)


def above(seed, p, shape):
    random = np.random if seed is None else np.random.RandomState(seed)
    return random.rand(*shape) > 1 - p


def weighted_choice(seed, p, shape):
    random = np.random if seed is None else np.random.RandomState(seed)
    return random.choice([0.0, 1.0], size=shape, p=[1 - p, p])


def python_draws(seed, p, shape):
    draw = python_random.random if seed is None else python_random.Random(seed).random
    return np.array([draw() < p for _ in range(int(np.prod(shape)))]).reshape(shape)


def normal_quantile(seed, p, shape):
    """An even draw by way of an angle: right, if roundabout."""
    random = np.random.default_rng(seed)
    angle = np.arctan2(random.standard_normal(shape), random.standard_normal(shape))
    return (angle / (2 * np.pi) + 0.5) < p


def last_axis_first(seed, p, shape):
    random = np.random.default_rng(seed)
    draws = random.random(shape[::-1]).T
    return draws < p


layer("new generator", *mask_layer(lambda seed, p, shape: np.random.default_rng(seed).random(shape) < p))
layer("binomial draws", *mask_layer(binomial))
layer("above 1 - p", *mask_layer(above))
layer("weighted choice", *mask_layer(weighted_choice))
layer("draws of Python's", *mask_layer(python_draws))
layer("draws of angles", *mask_layer(normal_quantile))
layer("draws transposed", *mask_layer(last_axis_first))
layer("draws in float32", *mask_layer(
    lambda seed, p, shape: np.random.default_rng(seed).random(shape, dtype=np.float32) < p
))  # fmt: skip


# ---- networks


@variant("net of small steps", LOSS)
def loss_of_steps(self, X, y=None):
    """Each hidden layer pushes its way back on a stack."""
    param = {**self.dropout_param, "mode": "test" if y is None else "train"}
    h, stack = X.astype(self.dtype), []
    for i in range(1, self.num_layers):
        W, b = self.params[f"W{i}"], self.params[f"b{i}"]
        h, cache = affine_forward(h, W, b)
        stack.append(("affine", i, cache))
        if self.normalization == "batchnorm":
            self.bn_params[i - 1]["mode"] = param["mode"]
            h, cache = batchnorm_forward(
                h, self.params[f"gamma{i}"], self.params[f"beta{i}"], self.bn_params[i - 1]
            )
            stack.append(("batchnorm", i, cache))
        if self.normalization == "layernorm":
            h, cache = layernorm_forward(h, self.params[f"gamma{i}"], self.params[f"beta{i}"], {})
            stack.append(("layernorm", i, cache))
        h, cache = relu_forward(h)
        stack.append(("relu", i, cache))
        h, cache = dropout_forward(h, param)  # with p = 1 it changes nothing
        stack.append(("dropout", i, cache))
    W, b = self.params[f"W{self.num_layers}"], self.params[f"b{self.num_layers}"]
    scores, cache = affine_forward(h, W, b)
    if param["mode"] == "test":
        return scores
    stack.append(("affine", self.num_layers, cache))
    loss, dh = softmax_loss(scores, y)
    back = {"relu": relu_backward, "dropout": dropout_backward}
    norms = {"batchnorm": batchnorm_backward, "layernorm": layernorm_backward}
    grads = {}
    while stack:
        kind, i, cache = stack.pop()
        if kind == "affine":
            dh, dW, grads[f"b{i}"] = affine_backward(dh, cache)
            W = self.params[f"W{i}"]
            grads[f"W{i}"] = dW + self.reg * W
            loss += 0.5 * self.reg * np.sum(W * W)
        elif kind in norms:
            dh, grads[f"gamma{i}"], grads[f"beta{i}"] = norms[kind](dh, cache)
        else:
            dh = back[kind](dh, cache)
    return loss, grads


@variant("net that drops before the ReLU", LOSS)
def loss_drop_then_relu(self, X, y=None):
    """The factors are not negative, so the order of dropout and ReLU does not matter."""
    mode = "test" if y is None else "train"
    h = X.reshape(X.shape[0], -1).astype(self.dtype)
    inputs, actives, masks, norms = [], [], [], []
    for i in range(1, self.num_layers):
        inputs.append(h)
        z = h @ self.params[f"W{i}"] + self.params[f"b{i}"]
        if self.normalization:
            gamma, beta = self.params[f"gamma{i}"], self.params[f"beta{i}"]
            if self.normalization == "batchnorm":
                self.bn_params[i - 1]["mode"] = mode
                z, cache = batchnorm_forward(z, gamma, beta, self.bn_params[i - 1])
            else:
                z, cache = layernorm_forward(z, gamma, beta, {})
            norms.append(cache)
        mask = np.ones_like(z)
        if self.use_dropout and mode == "train":
            mask, _ = dropout_forward(np.ones_like(z), dict(self.dropout_param, mode=mode))
        masks.append(mask)
        h = np.maximum(0, mask * z)
        actives.append(h > 0)
    last = self.num_layers
    scores = h.dot(self.params[f"W{last}"]) + self.params[f"b{last}"]
    if y is None:
        return scores
    loss, dz = softmax_loss(scores, y)
    inputs.append(h)
    grads = {}
    for i in reversed(range(1, last + 1)):
        W = self.params[f"W{i}"]
        loss = loss + 0.5 * self.reg * (W**2).sum()
        grads[f"W{i}"], grads[f"b{i}"] = inputs[i - 1].T @ dz + self.reg * W, dz.sum(0, keepdims=True)
        if i > 1:
            dz = dz @ W.T * actives[i - 2] * masks[i - 2]
            if self.normalization:
                back = batchnorm_backward if self.normalization == "batchnorm" else layernorm_backward
                dz, dgamma, dbeta = back(dz, norms[i - 2])
                grads |= {f"gamma{i - 1}": dgamma, f"beta{i - 1}": dbeta}
    return np.array([loss]), grads
