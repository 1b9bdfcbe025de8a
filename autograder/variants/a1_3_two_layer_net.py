"""Right solutions of a1/3_two_layer_net in other styles."""

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
