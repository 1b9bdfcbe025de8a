"""Right solutions of a2/2_fully_connected_nets in other styles.

The networks have normalisation and dropout in them, as at the end of the assignment.
"""

import itertools
import math

import numpy as np

from handgrad._update_rules import prepare
from handgrad.layer_utils import affine_relu_backward, affine_relu_forward
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

NET = "handgrad.classifiers.fc_net.FullyConnectedNet."
OPTIM = "handgrad.optim."


# ---- the first parameters


def given(self, hidden_dims, dropout, normalization, reg, dtype, seed):
    """The lines of __init__ that students find there."""
    self.normalization = normalization
    self.use_dropout = dropout < 1
    self.reg = float(reg)
    self.num_layers = 1 + len(hidden_dims)
    self.dtype = np.dtype(dtype)
    self.params = {}
    self.dropout_param = {"mode": "train", "p": dropout}
    if seed is not None:
        self.dropout_param["seed"] = seed
    self.bn_params = [{} for _ in hidden_dims] if normalization == "batchnorm" else []


def init(fill):
    """An __init__ in which `fill(self, hidden_dims, input_dim, num_classes, weight_scale)` is a student's."""

    def __init__(
        self, hidden_dims, input_dim=3072, num_classes=10, dropout=1, normalization=None, reg=0.0,
        weight_scale=1e-2, dtype=np.float32, seed=None,
    ):  # fmt: skip
        given(self, hidden_dims, dropout, normalization, reg, dtype, seed)
        fill(self, hidden_dims, input_dim, num_classes, weight_scale)
        self.params = {name: value.astype(self.dtype) for name, value in self.params.items()}

    return __init__


def filled_with_zip(self, hidden_dims, input_dim, num_classes, weight_scale):
    dims = [input_dim, *hidden_dims, num_classes]
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(dims), start=1):
        self.params["W" + str(i)] = np.random.normal(0, weight_scale, size=(fan_in, fan_out))
        self.params["b" + str(i)] = np.zeros((fan_out,))
        if self.normalization and i < len(dims) - 1:
            self.params["gamma" + str(i)] = np.ones((fan_out,))
            self.params["beta" + str(i)] = np.zeros((fan_out,))


def filled_in_three_parts(self, hidden_dims, input_dim, num_classes, weight_scale):
    p, L = self.params, self.num_layers
    p["W1"] = np.random.randn(input_dim, hidden_dims[0]) * weight_scale
    p["b1"] = np.zeros(hidden_dims[0])
    for i in range(2, L):
        p[f"W{i}"] = np.random.randn(hidden_dims[i - 2], hidden_dims[i - 1]) * weight_scale
        p[f"b{i}"] = np.zeros(hidden_dims[i - 1])
    p[f"W{L}"] = np.random.randn(hidden_dims[-1], num_classes) * weight_scale
    p[f"b{L}"] = np.zeros(num_classes)
    if self.normalization is not None:
        for i, units in enumerate(hidden_dims):
            p[f"gamma{i + 1}"], p[f"beta{i + 1}"] = np.ones(units), np.zeros(units)


def filled_with_generator(self, hidden_dims, input_dim, num_classes, weight_scale):
    rng = np.random.default_rng()
    width = input_dim
    for number, units in enumerate([*hidden_dims, num_classes], start=1):
        weights = rng.standard_normal((units, width), dtype=np.float32).T  # Fortran order
        self.params[f"W{number}"] = weights * weight_scale
        self.params[f"b{number}"] = np.full(units, 0.0, dtype=np.float32)
        width = units
    if self.normalization in ("batchnorm", "layernorm"):
        for number, units in enumerate(hidden_dims, start=1):
            self.params.update({f"gamma{number}": np.ones(units), f"beta{number}": 0.0 * np.ones(units)})


def filled_backwards(self, hidden_dims, input_dim, num_classes, weight_scale):
    sizes = (input_dim, *hidden_dims, num_classes)
    for i in reversed(range(self.num_layers)):
        self.params[f"b{i + 1}"] = np.zeros_like(np.arange(sizes[i + 1]), dtype=float)
        draws = [np.random.randn(sizes[i + 1]) for _ in range(sizes[i])]
        self.params[f"W{i + 1}"] = weight_scale * np.stack(draws)
    if self.normalization:
        for i in range(len(hidden_dims)):
            self.params[f"beta{i + 1}"] = np.zeros(hidden_dims[i])
            self.params[f"gamma{i + 1}"] = np.ones(hidden_dims[i])


def filled_with_rows(self, *arguments):
    filled_with_zip(self, *arguments)
    for name in [name for name in self.params if name[0] == "b"]:
        self.params[name] = self.params[name].reshape(1, -1)


variant("net with biases in rows", NET + "__init__")(init(filled_with_rows))
variant("net with zip", NET + "__init__")(init(filled_with_zip))
variant("net in three parts", NET + "__init__")(init(filled_in_three_parts))
variant("net by its own generator", NET + "__init__")(init(filled_with_generator))
variant("net backwards", NET + "__init__")(init(filled_backwards))


# ---- scores, loss and gradients


def modes(self, X, y):
    """The lines of loss that students find there."""
    for param in (self.dropout_param, *self.bn_params):
        param["mode"] = "test" if y is None else "train"
    return np.asarray(X, dtype=self.dtype)


@variant("net with zip", NET + "loss")
def loss_with_a_stack(self, X, y=None):
    """What comes back is taken from a stack of backward functions."""
    out, stack, grads = modes(self, X, y), [], {}

    def push(backward, cache, *names):
        stack.append((backward, cache, names))

    for i in range(1, self.num_layers + 1):
        out, cache = affine_forward(out, self.params[f"W{i}"], self.params[f"b{i}"])
        push(affine_backward, cache, f"W{i}", f"b{i}")
        if i == self.num_layers:
            break
        if self.normalization:
            gamma, beta = self.params[f"gamma{i}"], self.params[f"beta{i}"]
            if self.normalization == "batchnorm":
                out, cache = batchnorm_forward(out, gamma, beta, self.bn_params[i - 1])
                push(batchnorm_backward, cache, f"gamma{i}", f"beta{i}")
            else:
                out, cache = layernorm_forward(out, gamma, beta, {"eps": 1e-5})
                push(layernorm_backward, cache, f"gamma{i}", f"beta{i}")
        out, cache = relu_forward(out)
        push(relu_backward, cache)
        if self.use_dropout:
            out, cache = dropout_forward(out, self.dropout_param)
            push(dropout_backward, cache)
    if y is None:
        return out
    loss, dout = softmax_loss(out, y)
    while stack:
        backward, cache, names = stack.pop()
        returned = backward(dout, cache)
        dout, *gradients = returned if names else (returned,)
        grads.update(zip(names, gradients, strict=True))
    for name, value in self.params.items():
        if name.startswith("W"):
            loss = loss + self.reg / 2 * (value * value).sum()
            grads[name] = grads[name] + self.reg * value
    return loss, grads


@variant("net in three parts", NET + "loss")
def loss_with_dictionaries(self, X, y=None):
    """Caches in dictionaries by layer; sandwich layers where there is neither normalisation nor dropout."""
    X, L, p = modes(self, X, y), self.num_layers, self.params
    plain = self.normalization is None and not self.use_dropout
    outs, caches = {0: X}, {}
    for i in range(1, L):
        W, b = p[f"W{i}"], p[f"b{i}"]
        if plain:
            outs[i], caches[i] = affine_relu_forward(outs[i - 1], W, b)
            continue
        h, caches["affine", i] = affine_forward(outs[i - 1], W, b)
        if self.normalization == "batchnorm":
            h, caches["norm", i] = batchnorm_forward(h, p[f"gamma{i}"], p[f"beta{i}"], self.bn_params[i - 1])
        if self.normalization == "layernorm":
            h, caches["norm", i] = layernorm_forward(h, p[f"gamma{i}"], p[f"beta{i}"], {})
        h, caches["relu", i] = relu_forward(h)
        if self.use_dropout:
            h, caches["dropout", i] = dropout_forward(h, self.dropout_param)
        outs[i] = h
    scores, caches[L] = affine_forward(outs[L - 1], p[f"W{L}"], p[f"b{L}"])
    if y is None:
        return scores
    data_loss, dscores = softmax_loss(scores, y)
    reg_loss = 0.0
    for i in range(L):
        reg_loss += np.sum(np.square(p[f"W{i + 1}"]))
    loss = data_loss + 0.5 * self.reg * reg_loss
    grads = {}
    dh, dW, grads[f"b{L}"] = affine_backward(dscores, caches[L])
    grads[f"W{L}"] = dW + self.reg * p[f"W{L}"]
    for i in range(L - 1, 0, -1):
        if plain:
            dh, dW, db = affine_relu_backward(dh, caches[i])
        else:
            if self.use_dropout:
                dh = dropout_backward(dh, caches["dropout", i])
            dh = relu_backward(dh, caches["relu", i])
            if self.normalization:
                back = batchnorm_backward if self.normalization == "batchnorm" else layernorm_backward
                dh, grads[f"gamma{i}"], grads[f"beta{i}"] = back(dh, caches["norm", i])
            dh, dW, db = affine_backward(dh, caches["affine", i])
        grads[f"W{i}"], grads[f"b{i}"] = dW + self.reg * p[f"W{i}"], db
    return loss, grads


@variant("net by hand", NET + "loss")
def loss_by_hand(self, X, y=None):
    """Matrix products, masks and the softmax written out."""
    h = modes(self, X, y).reshape(X.shape[0], -1)
    L, p = self.num_layers, self.params
    saved = []
    for i in range(1, L):
        below = h
        h = below @ p[f"W{i}"] + p[f"b{i}"]
        norm = drop = None
        if self.normalization == "batchnorm":
            h, norm = batchnorm_forward(h, p[f"gamma{i}"], p[f"beta{i}"], self.bn_params[i - 1])
        elif self.normalization:
            h, norm = layernorm_forward(h, p[f"gamma{i}"], p[f"beta{i}"], {})
        positive = h > 0
        h = np.where(positive, h, 0)
        if self.use_dropout:
            h, drop = dropout_forward(h, self.dropout_param)
        saved.append((below, norm, positive, drop))
    scores = h @ p[f"W{L}"] + p[f"b{L}"]
    if y is None:
        return scores
    N = len(y)
    scores = scores - scores.max(axis=1, keepdims=True)
    probs = np.exp(scores)
    probs /= probs.sum(axis=1, keepdims=True)
    loss = -np.log(probs[np.arange(N), y]).mean()
    loss += sum(0.5 * self.reg * np.vdot(p[f"W{i}"], p[f"W{i}"]) for i in range(1, L + 1))
    d = probs
    d[np.arange(N), y] -= 1
    d /= N
    grads = {f"W{L}": h.T @ d, f"b{L}": d.sum(axis=0, keepdims=True)}
    d = d @ p[f"W{L}"].T
    for i in range(L - 1, 0, -1):
        below, norm, positive, drop = saved.pop()
        if self.use_dropout:
            d = dropout_backward(d, drop)
        d = d * positive
        if norm is not None:
            back = batchnorm_backward if self.normalization == "batchnorm" else layernorm_backward
            d, grads[f"gamma{i}"], grads[f"beta{i}"] = back(d, norm)
        grads[f"W{i}"], grads[f"b{i}"] = below.T @ d, d.sum(axis=0, keepdims=True)
        d = d @ p[f"W{i}"].T
    for i in range(1, L + 1):
        grads[f"W{i}"] += self.reg * p[f"W{i}"]
    return np.array(loss), grads


@variant("net in float32", NET + "loss")
def loss_in_float32(self, X, y=None):
    """All in float32, whatever the network's dtype."""
    kept = self.params
    self.params = {name: value.astype(np.float32) for name, value in kept.items()}
    try:
        returned = loss_with_a_stack(self, np.asarray(X, dtype=np.float32), y)
    finally:
        self.params = kept
    return returned


@variant("net backwards", NET + "loss")
def loss_recursive(self, X, y=None):
    """Each layer calls the next one, and gets the gradient back."""
    total, grads = [], {}

    def layer(h, i):
        W, b = self.params[f"W{i}"], self.params[f"b{i}"]
        h, affine_cache = affine_forward(h, W, b)
        if i == self.num_layers:
            if y is None:
                return h
            loss, d = softmax_loss(h, y)
            total.append(loss)
        else:
            norm_cache = None
            if self.normalization is not None:
                gamma, beta = self.params[f"gamma{i}"], self.params[f"beta{i}"]
                if self.normalization == "batchnorm":
                    h, norm_cache = batchnorm_forward(h, gamma, beta, self.bn_params[i - 1])
                else:
                    h, norm_cache = layernorm_forward(h, gamma, beta, {})
            h, relu_cache = relu_forward(h)
            if self.use_dropout:
                h, dropout_cache = dropout_forward(h, self.dropout_param)
            d = layer(h, i + 1)
            if y is None:
                return d
            if self.use_dropout:
                d = dropout_backward(d, dropout_cache)
            d = relu_backward(d, relu_cache)
            if norm_cache is not None:
                back = batchnorm_backward if self.normalization == "batchnorm" else layernorm_backward
                d, grads[f"gamma{i}"], grads[f"beta{i}"] = back(d, norm_cache)
        d, dW, grads[f"b{i}"] = affine_backward(d, affine_cache)
        grads[f"W{i}"] = np.asfortranarray(dW + self.reg * W)
        total.append(self.reg * np.linalg.norm(W) ** 2 / 2)
        return d

    returned = layer(modes(self, X, y), 1)
    return returned if y is None else (float(sum(total)), grads)


# ---- update rules


@variant("in place", OPTIM + "sgd_momentum")
def momentum_in_place(w, dw, config=None):
    dw, config = prepare("sgd_momentum", w, dw, config, copies=False)
    v = config["velocity"]
    v *= config["momentum"]
    v -= config["learning_rate"] * dw
    w += v
    return w, config


@variant("in place", OPTIM + "sgd_nesterov_momentum")
def nesterov_in_place(w, dw, config=None):
    dw, config = prepare("sgd_nesterov_momentum", w, dw, config, copies=False)
    mu, v = config["momentum"], config["velocity"]
    w -= mu * v  # the form with both velocities
    v *= mu
    v += -config["learning_rate"] * dw
    w += (1 + mu) * v
    return w, config


@variant("in place", OPTIM + "adagrad")
def adagrad_in_place(w, dw, config=None):
    dw, config = prepare("adagrad", w, dw, config, copies=False)
    config["cache"] += dw * dw
    w -= config["learning_rate"] * dw / (config["cache"] ** 0.5 + config["epsilon"])
    return w, config


@variant("in place", OPTIM + "rmsprop")
def rmsprop_in_place(w, dw, config=None):
    dw, config = prepare("rmsprop", w, dw, config, copies=False)
    config["cache"] *= config["decay_rate"]
    config["cache"] += (1 - config["decay_rate"]) * np.square(dw)
    w -= config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"])
    return w, config


@variant("in place", OPTIM + "adam")
def adam_in_place(w, dw, config=None):
    dw, config = prepare("adam", w, dw, config, copies=False)
    config["t"] += 1
    m, v, t = config["m"], config["v"], config["t"]
    m += (1 - config["beta1"]) * (dw - m)
    v += (1 - config["beta2"]) * (dw**2 - v)
    rate = config["learning_rate"] * math.sqrt(1 - config["beta2"] ** t) / (1 - config["beta1"] ** t)
    w -= rate * m / (np.sqrt(v) + config["epsilon"])  # the other published form: epsilon is not corrected
    return w, config


def entries(rule):
    """A rule of plain numbers, applied to each entry."""

    def wrapped(name):
        def update(w, dw, config=None):
            dw, config = prepare(name, w, dw, config)
            arrays = {key: value for key, value in config.items() if isinstance(value, np.ndarray)}
            settings = {key: value for key, value in config.items() if key not in arrays}
            if name == "adam":
                settings["t"] = config["t"] = config["t"] + 1
            next_w = np.zeros(w.shape, dtype=w.dtype)
            kept = {key: np.zeros(w.shape) for key in arrays}
            for index in np.ndindex(*w.shape):
                here = {key: float(value[index]) for key, value in arrays.items()}
                next_w[index], here = rule(float(w[index]), float(dw[index]), here, settings)
                for key in arrays:
                    kept[key][index] = here[key]
            return next_w, {**config, **kept}

        return update

    return wrapped


@entries
def momentum_of_numbers(w, dw, kept, c):
    v = c["momentum"] * kept["velocity"] - c["learning_rate"] * dw
    return w + v, {"velocity": v}


@entries
def nesterov_of_numbers(w, dw, kept, c):
    step = c["learning_rate"] * dw
    v = c["momentum"] * kept["velocity"] - step
    return w + c["momentum"] * v - step, {"velocity": v}


@entries
def adagrad_of_numbers(w, dw, kept, c):
    cache = kept["cache"] + dw**2
    return w - c["learning_rate"] * dw / (math.sqrt(cache) + c["epsilon"]), {"cache": cache}


@entries
def rmsprop_of_numbers(w, dw, kept, c):
    cache = kept["cache"] + (1 - c["decay_rate"]) * (dw**2 - kept["cache"])
    return w - c["learning_rate"] * dw / (math.sqrt(cache) + c["epsilon"]), {"cache": cache}


@entries
def adam_of_numbers(w, dw, kept, c):
    m = c["beta1"] * kept["m"] + (1 - c["beta1"]) * dw
    v = c["beta2"] * kept["v"] + (1 - c["beta2"]) * dw**2
    up, down = m / (1 - c["beta1"] ** c["t"]), v / (1 - c["beta2"] ** c["t"])
    return w - c["learning_rate"] * up / (math.sqrt(down) + c["epsilon"]), {"m": m, "v": v}


for _rule, _update in {
    "sgd_momentum": momentum_of_numbers,
    "sgd_nesterov_momentum": nesterov_of_numbers,
    "adagrad": adagrad_of_numbers,
    "rmsprop": rmsprop_of_numbers,
    "adam": adam_of_numbers,
}.items():
    variant("loops", OPTIM + _rule)(_update(_rule))


# Epsilon inside the root, and a config of one's own with more in it than is asked for.


@variant("eps in the root", OPTIM + "adagrad")
def adagrad_eps_in_the_root(w, dw, config=None):
    _, config = prepare("adagrad", w, dw, config)
    cache = np.add(config["cache"], np.power(dw, 2))
    return w - config["learning_rate"] * dw / np.sqrt(cache + config["epsilon"]), {**config, "cache": cache}


@variant("eps in the root", OPTIM + "rmsprop")
def rmsprop_eps_in_the_root(w, dw, config=None):
    _, config = prepare("rmsprop", w, dw, config)
    rate, rho = config["learning_rate"], config["decay_rate"]
    cache = rho * config["cache"] + (1 - rho) * (dw * dw)
    return w - rate * dw / (cache + config["epsilon"]) ** 0.5, {**config, "cache": cache}


@variant("eps in the root", OPTIM + "adam")
def adam_eps_in_the_root(w, dw, config=None):
    _, config = prepare("adam", w, dw, config)
    config["t"] += 1
    config["m"] = config["beta1"] * config["m"] + (1 - config["beta1"]) * dw
    config["v"] = config["beta2"] * config["v"] + (1 - config["beta2"]) * dw**2
    m_hat = config["m"] / (1 - config["beta1"] ** config["t"])
    v_hat = config["v"] / (1 - config["beta2"] ** config["t"])
    return w - config["learning_rate"] * m_hat / np.sqrt(v_hat + config["epsilon"]), config


@variant("eps in the root", OPTIM + "sgd_momentum")
def momentum_as_average(w, dw, config=None):
    """The velocity of the textbooks without the rate, turned into that of the course for config."""
    _, config = prepare("sgd_momentum", w, dw, config)
    rate = config["learning_rate"]
    textbook = config["momentum"] * (-config["velocity"] / rate) + dw
    return w - rate * textbook, {**config, "velocity": -rate * textbook, "note": "the sign is turned"}


@variant("eps in the root", OPTIM + "sgd_nesterov_momentum")
def nesterov_in_one_line(w, dw, config=None):
    _, config = prepare("sgd_nesterov_momentum", w, dw, config)
    mu, old, rate = config["momentum"], config["velocity"], config["learning_rate"]
    config["velocity"] = mu * old - rate * dw
    return w - mu * old + (1 + mu) * config["velocity"], config


# In float32, with the config that was handed in, changed and returned.


def in_float32(name, rule):
    def update(w, dw, config=None):
        config = {} if config is None else config
        _, complete = prepare(name, w, dw, config)
        config.update(complete)
        small = {
            key: value.astype(np.float32) if isinstance(value, np.ndarray) else value
            for key, value in config.items()
        }
        next_w, kept = rule(w.astype(np.float32), dw.astype(np.float32), small)
        config.update(kept)
        config["history"] = [{1, 2}]  # no data
        return next_w, config

    return update


for _rule, _update in {
    "sgd_momentum": momentum_as_average,
    "sgd_nesterov_momentum": nesterov_in_one_line,
    "adagrad": adagrad_eps_in_the_root,
    "rmsprop": rmsprop_eps_in_the_root,
    "adam": adam_eps_in_the_root,
}.items():
    variant("rules in float32", OPTIM + _rule)(in_float32(_rule, _update))


# ---- 50 images by heart: settings that reach the goal in the notebook

for _name, _three, _five in (
    (
        "settings as a call",
        "three_layers = dict(learning_rate=2e-3, weight_scale=4e-2)\n"
        "solver = overfit([100] * 2, **three_layers)",
        "five_layers = dict(learning_rate=5e-4, weight_scale=1.2e-1)",
    ),
    (
        "settings changed one by one",
        'three_layers = {"weight_scale": 1e-2, "learning_rate": 1e-4}\nthree_layers["learning_rate"] = 1e-2\n'
        'three_layers["weight_scale"] = 2e-2',
        'five_layers = {"weight_scale": 1e-2, "learning_rate": 1e-3}\nfive_layers["weight_scale"] = 0.1',
    ),
    (
        "settings by powers",
        'three_layers = {"weight_scale": 10**-1.3, "learning_rate": 10 ** (-3)}\nthree_layers_solver = None',
        'rate = 1e-4\nfive_layers = {"weight_scale": 1.5e-1, "learning_rate": 3 * rate}',
    ),
    (
        "settings in numpy",
        'three_layers = {"weight_scale": np.float32(0.16), "learning_rate": np.sqrt(1e-7)}',
        'five_layers = {**three_layers, "weight_scale": np.float64(0.06), "learning_rate": 5e-3}',
    ),
):
    variant(_name, "fc_overfit_three_settings")(_three)
    variant(_name, "fc_overfit_five_settings")(_five)
