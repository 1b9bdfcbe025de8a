"""Right solutions of a1/3_two_layer_net in other styles."""

import itertools
import math
import random

import numpy as np

from handgrad.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss

from . import variant

AFFINE = "handgrad.layers.affine.affine_"
RELU = "handgrad.layers.activations.relu_"
LOSS = "handgrad.layers.losses."
NET = "handgrad.classifiers.fc_net.TwoLayerNet."


# ---- loops, number by number


@variant("loops", AFFINE + "forward")
def affine_forward_loops(x, w, b):
    out = np.zeros((x.shape[0], w.shape[1]))
    for i in range(x.shape[0]):
        row = x[i].flatten()
        for m in range(w.shape[1]):
            out[i, m] = sum(row[d] * w[d, m] for d in range(w.shape[0])) + b[m]
    return out, (b, w, x)


@variant("loops", AFFINE + "backward")
def affine_backward_loops(dout, cache):
    b, w, x = cache
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for i in range(len(x)):
        for m in range(w.shape[1]):
            dx[i] += dout[i, m] * w[:, m].reshape(x[i].shape)
            dw[:, m] += dout[i, m] * x[i].flatten()
            db[m] += dout[i, m]
    return dx, dw, db


@variant("loops", RELU + "forward")
def relu_forward_loops(x):
    out = x.copy()
    for index in np.ndindex(x.shape):
        if x[index] < 0:
            out[index] = 0
    return out, out


@variant("loops", RELU + "backward")
def relu_backward_loops(dout, cache):
    dx = np.zeros(dout.shape)
    for index in np.ndindex(dout.shape):
        if cache[index] != 0:
            dx[index] = dout[index]
    return dx


@variant("loops", LOSS + "softmax_loss")
def softmax_loops(x, y):
    loss, dx = 0.0, np.zeros(x.shape)
    for i in range(len(x)):
        shifted = x[i] - max(x[i])
        total = sum(np.exp(s) for s in shifted)
        loss -= shifted[y[i]] - np.log(total)
        for j in range(x.shape[1]):
            dx[i, j] = np.exp(shifted[j]) / total - (j == y[i])
    return loss / len(x), dx / len(x)


@variant("loops", LOSS + "svm_loss")
def svm_loops(x, y):
    loss, dx = 0.0, np.zeros(x.shape)
    for i in range(len(x)):
        for j in range(x.shape[1]):
            margin = x[i, j] - x[i, y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dx[i, j] += 1
                dx[i, y[i]] -= 1
    return loss / len(x), dx / len(x)


# ---- einsum, masks kept instead of inputs, dictionaries as caches


@variant("einsum", AFFINE + "forward")
def affine_forward_einsum(x, w, b):
    folded = w.reshape(*x.shape[1:], -1)
    axes = "abcdefgh"[: x.ndim - 1]
    return np.einsum(f"n{axes},{axes}m->nm", x, folded) + b[None], {"x": x, "w": folded, "axes": axes}


@variant("einsum", AFFINE + "backward")
def affine_backward_einsum(dout, cache):
    x, w, axes = cache["x"], cache["w"], cache["axes"]
    dw = np.einsum(f"n{axes},nm->{axes}m", x, dout)
    dx = np.einsum(f"nm,{axes}m->n{axes}", dout, w)
    return dx, dw.reshape(-1, dout.shape[1]), np.einsum("nm->m", dout)


@variant("einsum", RELU + "forward")
def relu_forward_mask(x):
    mask = x >= 0
    return x * mask, {"mask": mask, "why": "a comment"}


@variant("einsum", RELU + "backward")
def relu_backward_mask(dout, cache):
    return np.einsum("...,...->...", dout, cache["mask"])


@variant("einsum", LOSS + "softmax_loss")
def softmax_logsumexp(x, y):
    top = x.max(axis=1)
    logsumexp = top + np.log(np.sum(np.exp(x - top[:, None]), axis=1))
    one_hot = np.eye(x.shape[1])[y]
    loss = np.mean(logsumexp - np.einsum("nc,nc->n", x, one_hot))
    return loss, (np.exp(x - logsumexp[:, None]) - one_hot) / len(y)


@variant("einsum", LOSS + "svm_loss")
def svm_one_hot(x, y):
    one_hot = np.eye(x.shape[1], dtype=bool)[y]
    margins = np.where(one_hot, 0.0, np.maximum(0.0, 1.0 + x - x[one_hot][:, None]))
    violated = (margins > 0).astype(float)
    violated[one_hot] = -violated.sum(axis=1)
    return np.array(margins.sum() / len(y)), violated / len(y)


# ---- float32 inside


def in_float32(function):
    def wrapped(*args):
        return function(
            *(a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in args)
        )

    return wrapped


variant("float32", AFFINE + "forward")(in_float32(affine_forward))
variant("float32", AFFINE + "backward")(in_float32(affine_backward))
variant("float32", RELU + "forward")(in_float32(relu_forward))
variant("float32", RELU + "backward")(in_float32(relu_backward))
variant("float32", LOSS + "softmax_loss")(in_float32(softmax_loss))
variant("float32", LOSS + "svm_loss")(in_float32(svm_loops))


# ---- in place, on what was handed in


@variant("in place", AFFINE + "forward")
def affine_forward_in_place(x, w, b):
    kept = x.copy()
    x = x.reshape(len(x), -1)
    out = x.dot(w)
    out += b
    return out, (kept, w, b, "and more", 3)


@variant("in place", AFFINE + "backward")
def affine_backward_row(dout, cache):
    x, w, *_ = cache
    db = dout.sum(axis=0, keepdims=True)  # (1, M)
    return dout.dot(w.T).reshape(x.shape), x.reshape(len(x), -1).T.dot(dout), db


@variant("in place", RELU + "forward")
def relu_forward_in_place(x):
    mask = x > 0
    x[~mask] = 0
    return x, mask


@variant("in place", RELU + "backward")
def relu_backward_in_place(dout, cache):
    dout[~cache] = 0
    return dout


@variant("in place", LOSS + "softmax_loss")
def softmax_in_place(x, y):
    x -= x.max(axis=1, keepdims=True)
    own = x[np.arange(len(x)), y].copy()
    np.exp(x, out=x)
    sums = x.sum(axis=1, keepdims=True)
    loss = (np.log(sums[:, 0]) - own).sum() / len(x)
    x /= sums
    x[np.arange(len(x)), y] -= 1
    x /= len(x)
    return loss, x


@variant("in place", LOSS + "svm_loss")
def svm_in_place(x, y):
    N = len(x)
    x += 1 - x[np.arange(N), y].reshape(N, 1)
    x[np.arange(N), y] = 0
    x[x < 0] = 0
    loss = x.sum() / N
    x[x > 0] = 1
    x[np.arange(N), y] -= np.sum(x, axis=1)
    return np.float32(loss), x / N


# ---- without NumPy's arithmetic


@variant("float math", AFFINE + "forward")
def affine_forward_float_math(x, w, b):
    rows = [list(example.flat) for example in x]
    columns = [list(column) for column in w.T]
    out = [
        [math.fsum(map(float.__mul__, row, column)) + bias for column, bias in zip(columns, b, strict=True)]
        for row in rows
    ]
    return np.array(out), [rows, columns, x.shape]


@variant("float math", AFFINE + "backward")
def affine_backward_float_math(dout, cache):
    rows, columns, shape = cache
    weights = list(zip(*columns, strict=True))
    upstream = [[float(d) for d in row] for row in dout]
    dx = [[sum(d * w for d, w in zip(row, ws, strict=True)) for ws in weights] for row in upstream]
    dw = [
        [sum(r[i] * d[m] for r, d in zip(rows, upstream, strict=True)) for m in range(len(columns))]
        for i in range(len(weights))
    ]
    db = [sum(column) for column in zip(*upstream, strict=True)]
    return np.array(dx).reshape(shape), np.array(dw), np.array(db)


@variant("float math", RELU + "forward")
def relu_forward_float_math(x):
    return np.array([max(0.0, number) for number in x.ravel()]).reshape(x.shape), list(x.ravel())


@variant("float math", RELU + "backward")
def relu_backward_float_math(dout, cache):
    passed = [d if number > 0 else 0.0 for d, number in zip(dout.ravel(), cache, strict=True)]
    return np.array(passed).reshape(dout.shape)


@variant("float math", LOSS + "softmax_loss")
def softmax_float_math(x, y):
    N, loss, dx = len(y), 0.0, []
    for scores, label in zip(x.tolist(), y.tolist(), strict=True):
        top = max(scores)
        powers = [math.exp(score - top) for score in scores]
        loss += (math.log(sum(powers)) + top - scores[label]) / N
        dx.append([(power / sum(powers) - (c == label)) / N for c, power in enumerate(powers)])
    return loss, np.array(dx)


@variant("float math", LOSS + "svm_loss")
def svm_float_math(x, y):
    loss, dx = 0, np.zeros_like(x)
    for i, (scores, label) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        others = [c for c in range(len(scores)) if c != label and scores[c] + 1 >= scores[label]]
        loss += sum(scores[c] - scores[label] + 1 for c in others)
        dx[i, others] += 1 / len(y)
        dx[i, label] -= len(others) / len(y)
    return loss / len(y), dx


# ---- other slopes at 0, margins of exactly 0 counted


@variant("slope at 0", RELU + "forward")
def relu_forward_abs(x):
    return 0.5 * (x + np.abs(x)), x


@variant("slope at 0", RELU + "backward")
def relu_backward_half(dout, x):
    return dout * np.heaviside(x, 0.5)


@variant("slope at 0", LOSS + "svm_loss")
def svm_slope(x, y):
    margins = 1 + x - np.take_along_axis(x, y[:, None], axis=1)
    active = margins >= 0
    active[np.arange(len(y)), y] = False
    dx = active.astype(np.float64)
    np.subtract.at(dx, (np.arange(len(y)), y), active.sum(axis=1))
    return (margins * active).sum() / len(y), dx / len(y)


# ---- one matrix for weights and biases


@variant("biases in the matrix", AFFINE + "forward")
def affine_forward_augmented(x, w, b):
    rows = np.hstack([x.reshape(len(x), -1), np.ones((len(x), 1))])
    matrix = np.vstack([w, b])
    return rows @ matrix, {"rows": rows, "matrix": matrix, "shape": x.shape}


@variant("biases in the matrix", AFFINE + "backward")
def affine_backward_augmented(dout, cache):
    dmatrix = cache["rows"].T @ dout
    dx = (dout @ cache["matrix"].T)[:, :-1].reshape(cache["shape"])
    return dx, dmatrix[:-1], dmatrix[-1:]


@variant("biases in the matrix", NET + "__init__")
def init_row_biases(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
    self.params, self.reg = {}, reg
    dims = (input_dim, hidden_dim, num_classes)
    for number, (inputs, outputs) in enumerate(itertools.pairwise(dims), 1):
        self.params["W" + str(number)] = np.random.normal(loc=0.0, scale=weight_scale, size=(inputs, outputs))
        self.params["b" + str(number)] = np.zeros((1, outputs))


@variant("biases in the matrix", NET + "loss")
def loss_augmented(self, X, y=None):
    def with_one(rows):
        return np.c_[rows, np.ones(len(rows))]

    layers = [np.vstack([self.params[f"W{i}"], np.reshape(self.params[f"b{i}"], (1, -1))]) for i in (1, 2)]
    rows = with_one(X.reshape(X.shape[0], -1))
    active = with_one(np.clip(rows @ layers[0], 0, None))
    scores = active @ layers[1]
    if y is None:
        return scores
    loss, upstream = softmax_loss(scores, y)
    down = (upstream @ layers[1].T)[:, :-1] * (active[:, :-1] > 0)
    grads = {}
    for i, gradient in ((1, rows.T @ down), (2, active.T @ upstream)):
        W = self.params[f"W{i}"]
        loss += self.reg * np.trace(W.T @ W) / 2
        grads[f"W{i}"], grads[f"b{i}"] = gradient[:-1] + self.reg * W, gradient[-1]
    return loss, grads


# ---- networks


@variant("net without sandwich layers", NET + "__init__")
def init_other(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
    rng = np.random.default_rng()
    self.reg = reg
    self.params = {
        "b2": np.zeros(num_classes),
        "W2": rng.normal(0, weight_scale, (hidden_dim, num_classes)),
        "b1": np.zeros((hidden_dim,)),
        "W1": rng.normal(scale=weight_scale, size=(input_dim, hidden_dim)),
    }


@variant("net without sandwich layers", NET + "loss")
def loss_by_hand(self, X, y=None):
    p = self.params
    X = X.reshape(len(X), -1)
    hidden = X @ p["W1"] + p["b1"]
    active = np.maximum(hidden, 0)
    scores = active @ p["W2"] + p["b2"]
    if y is None:
        return scores
    loss, dscores = softmax_loss(scores, y)
    loss += self.reg / 2 * (np.linalg.norm(p["W1"]) ** 2 + np.linalg.norm(p["W2"]) ** 2)
    dhidden = (dscores @ p["W2"].T) * (hidden > 0)
    grads = {"b1": dhidden.sum(0), "W1": X.T @ dhidden + self.reg * p["W1"]}
    grads |= {"b2": dscores.sum(0), "W2": active.T @ dscores + self.reg * p["W2"]}
    return loss, grads


@variant("net in float32", NET + "loss")
def loss_float32(self, X, y=None):
    kept = self.params
    self.params = {name: value.astype(np.float32) for name, value in kept.items()}
    result = loss_by_hand(self, X.astype(np.float32), y)
    self.params = kept
    return result


@variant("net that caches its layers", NET + "loss")
def loss_with_state(self, X, y=None):
    W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
    h, self.first = affine_forward(X, W1, b1)
    a, self.second = relu_forward(h)
    scores, self.third = affine_forward(a, W2, b2)
    if y is None:
        return scores
    data_loss, dscores = softmax_loss(scores, y)
    reg_loss = sum(0.5 * self.reg * np.sum(W * W) for W in (W1, W2))
    da, dW2, db2 = affine_backward(dscores, self.third)
    _, dW1, db1 = affine_backward(relu_backward(da, self.second), self.first)
    dW1 += self.reg * W1
    dW2 += self.reg * W2
    grads = {"W1": dW1, "b1": db1.reshape(1, -1), "W2": dW2, "b2": db2.reshape(1, -1)}
    return float(data_loss + reg_loss), grads


@variant("net that regularises gradients first", NET + "loss")
def loss_gradients_first(self, X, y=None):
    result = loss_by_hand(self, X, y)
    if y is None:
        return result
    grads = {name: np.asfortranarray(g) for name, g in result[1].items()}
    grads["unused"] = np.zeros(1)
    return np.array([result[0]]), grads


@variant("init by standard_normal", NET + "__init__")
def init_standard_normal(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
    self.reg = np.float64(reg)
    self.params = {}
    sizes = [input_dim, hidden_dim, num_classes]
    for i in (1, 2):
        weights = np.random.standard_normal(tuple(sizes[i - 1 : i + 1])).astype(np.float32)
        self.params[f"W{i}"] = weights * weight_scale
        self.params[f"b{i}"] = np.zeros(sizes[i], dtype=np.float32)


@variant("weights by random.gauss", NET + "__init__")
def init_gauss(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
    def draw(rows, columns):
        return np.array([[random.gauss(0, weight_scale) for _ in range(columns)] for _ in range(rows)])

    self.reg, self.scale = reg, weight_scale
    self.params = {"W1": draw(input_dim, hidden_dim), "W2": draw(hidden_dim, num_classes)}
    self.params.update(b1=0.0 * self.params["W1"][0], b2=np.array([0.0] * num_classes))


@variant("weights by random.gauss", NET + "loss")
def loss_by_example(self, X, y=None):
    p = self.params
    scores = np.stack([np.maximum(x.ravel() @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"] for x in X])
    if y is None:
        return scores
    loss, dscores = softmax_loss(scores, y)
    grads = {name: np.zeros_like(value) for name, value in p.items()}
    for x, d in zip(X, dscores, strict=True):
        hidden = x.ravel() @ p["W1"] + p["b1"]
        dhidden = np.where(hidden >= 0, p["W2"] @ d, 0)
        grads["W2"] += np.outer(np.maximum(hidden, 0), d)
        grads["b2"] += d
        grads["W1"] += np.outer(x, dhidden)
        grads["b1"] += dhidden
    for name in p:
        if name.startswith("W"):
            loss += 0.5 * self.reg * sum(w**2 for w in p[name].flat)
            grads[name] += self.reg * p[name]
    return loss, grads


@variant("net that changes its inputs", NET + "loss")
def loss_in_place(self, X, y=None):
    W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
    rows = X.reshape(len(X), -1)
    hidden = rows @ W1
    hidden += b1
    hidden *= hidden > 0
    scores = hidden @ W2
    scores += b2
    if y is None:
        X *= 0
        return scores
    data, dscores = softmax_loss(scores, y)
    dW2, db2 = hidden.T @ dscores, np.ones(len(X)) @ dscores
    hidden[hidden > 0] = 1
    hidden *= dscores @ W2.T
    dW1, db1 = rows.T @ hidden, np.ones(len(X)) @ hidden
    X *= 0
    y *= 0
    dW1 += self.reg * W1
    dW2 += self.reg * W2
    loss = data + 0.5 * self.reg * (np.vdot(W1, W1) + np.vdot(W2, W2))
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
