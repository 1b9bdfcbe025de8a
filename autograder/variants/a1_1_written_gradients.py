"""Right solutions of a1/1_written_gradients in other styles."""

import math

import numpy as np

from . import variant

AUTOENCODER = "handgrad.written_gradients.autoencoder_loss"
FORWARD = "handgrad.layers.activations.swish_forward"
BACKWARD = "handgrad.layers.activations.swish_backward"
NET = "handgrad.written_gradients.swish_net_loss"


def sigmoid(x):
    """A sigmoid that neither overflows nor warns."""
    return 0.5 * (1 + np.tanh(0.5 * x))


# ---- loops, number by number


@variant("written gradients in loops", AUTOENCODER)
def autoencoder_loops(W, x):
    m, n = W.shape
    code = [sum(W[i][j] * x[j] for j in range(n)) for i in range(m)]
    error = [sum(W[i][j] * code[i] for i in range(m)) - x[j] for j in range(n)]
    dW = np.zeros((m, n))
    for i in range(m):
        back = sum(W[i][k] * error[k] for k in range(n))
        for j in range(n):
            dW[i][j] = code[i] * error[j] + back * x[j]
    return sum(e**2 for e in error) / 2, dW


@variant("written gradients in loops", FORWARD)
def swish_forward_loops(x):
    out, slope = np.empty_like(x), np.empty_like(x)
    for index in np.ndindex(x.shape):
        k = x[index]
        s = 1 / (1 + math.exp(-k)) if k > 0 else math.exp(k) / (1 + math.exp(k))
        out[index], slope[index] = k * s, s + k * s * (1 - s)
    return out, slope


@variant("written gradients in loops", BACKWARD)
def swish_backward_loops(dout, cache):
    dx = dout.tolist()  # to be filled
    dx = np.array(dx)
    for index in np.ndindex(dout.shape):
        dx[index] *= cache[index]
    return dx


@variant("written gradients in loops", NET)
def swish_net_loops(X, y, W1, b1, W2, b2):
    N, C = len(X), len(b2)
    grads = {"W1": np.zeros(W1.shape), "b1": np.zeros(b1.shape)}
    grads |= {"W2": np.zeros(W2.shape), "b2": np.zeros(b2.shape)}
    loss = 0.0
    for x, label in zip(X, y, strict=True):
        z1 = np.dot(W1, x) + b1
        s = sigmoid(z1)
        h1 = z1 * s
        z2 = np.dot(W2, h1) + b2
        top = max(z2)
        total = sum(math.exp(score - top) for score in z2)
        loss += math.log(total) + top - z2[label]
        dz2 = np.array([math.exp(z2[c] - top) / total - (c == label) for c in range(C)])
        dh1 = np.dot(W2.T, dz2)
        dz1 = dh1 * (s + h1 * (1 - s))
        grads["W2"] += np.outer(dz2, h1)
        grads["b2"] += dz2
        grads["W1"] += np.outer(dz1, x)
        grads["b1"] += dz1
    return loss / N, {name: grad / N for name, grad in grads.items()}


# ---- einsum


@variant("written gradients by einsum", AUTOENCODER)
def autoencoder_einsum(W, x):
    h = np.einsum("ij,j->i", W, x)
    e = np.einsum("ij,i->j", W, h) - x
    dW = np.einsum("i,j->ij", h, e) + np.einsum("ik,k,j->ij", W, e, x)
    return np.array(np.einsum("j,j->", e, e) / 2), np.asfortranarray(dW)


@variant("written gradients by einsum", NET)
def swish_net_einsum(X, y, W1, b1, W2, b2):
    from handgrad.layers import swish_backward, swish_forward

    h1, cache = swish_forward(np.einsum("nd,hd->nh", X, W1) + b1[None])
    z2 = np.einsum("nh,ch->nc", h1, W2) + b2[None]
    z2 = z2 - np.amax(z2, axis=-1)[:, None]
    logsumexp = np.log(np.exp(z2).sum(-1))
    one_hot = np.eye(len(b2))[y]
    dz2 = (np.exp(z2 - logsumexp[:, None]) - one_hot) / len(y)
    dz1 = swish_backward(np.einsum("nc,ch->nh", dz2, W2), cache)
    grads = {"W2": np.einsum("nc,nh->ch", dz2, h1), "b2": np.einsum("nc->c", dz2)}
    grads.update(W1=np.einsum("nh,nd->hd", dz1, X), b1=np.einsum("nh->h", dz1))
    return np.mean(logsumexp - np.einsum("nc,nc->n", z2, one_hot)), grads


# ---- float32 inside


@variant("written gradients in float32", AUTOENCODER)
def autoencoder_float32(W, x):
    W, x = W.astype(np.float32), x.astype(np.float32)
    error = W.T @ (W @ x) - x
    return float(0.5 * error @ error), np.outer(W @ x, error) + np.outer(W @ error, x)


@variant("written gradients in float32", FORWARD)
def swish_forward_float32(x):
    x = x.astype(np.float32)
    out = x * sigmoid(x)
    return out, {"x": x, "out": out}


@variant("written gradients in float32", BACKWARD)
def swish_backward_float32(dout, cache):
    s = sigmoid(cache["x"])
    return dout.astype(np.float32) * (cache["out"] + s * (1 - cache["out"]))


@variant("written gradients in float32", NET)
def swish_net_float32(X, y, W1, b1, W2, b2):
    X, W1, b1, W2, b2 = (a.astype(np.float32) for a in (X, W1, b1, W2, b2))
    z1 = X.dot(W1.T) + b1
    s = sigmoid(z1)
    h1 = z1 * s
    z2 = h1.dot(W2.T) + b2
    z2 -= z2.max(axis=1).reshape(-1, 1)
    probabilities = np.exp(z2) / np.exp(z2).sum(axis=1).reshape(-1, 1)
    loss = np.float32(0)
    for n in range(len(y)):
        loss += np.log(np.exp(z2[n]).sum()) - z2[n, y[n]]
    probabilities[range(len(y)), y] -= 1
    probabilities /= len(y)
    dz1 = probabilities.dot(W2) * (s + h1 - s * h1)
    grads = {"W1": dz1.T.dot(X), "b1": dz1.sum(0, keepdims=True)}
    grads |= {"W2": probabilities.T.dot(h1), "b2": probabilities.sum(0, keepdims=True)}
    return loss / len(y), grads


# ---- in place, on what was handed in


@variant("written gradients in place", AUTOENCODER)
def autoencoder_in_place(W, x):
    kept = x.copy()
    code = W @ x
    x *= -1
    x += W.T @ code
    dcode = W @ x
    loss = (x**2).sum() * 0.5
    W *= 0
    W += code[:, None] * x[None, :]
    W += dcode[:, None] * kept[None, :]
    return loss, W


@variant("written gradients in place", FORWARD)
def swish_forward_in_place(x):
    kept = x.copy()
    x *= sigmoid(x)
    return x, [kept, x.copy(), "two arrays"]


@variant("written gradients in place", BACKWARD)
def swish_backward_in_place(dout, cache):
    x, out, _ = cache
    s = sigmoid(x)
    dout *= out + s * (1 - out)
    return dout


@variant("written gradients in place", NET)
def swish_net_in_place(X, y, W1, b1, W2, b2):
    z1 = X @ W1.T
    z1 += b1
    s = sigmoid(z1)
    scores = (z1 * s) @ W2.T
    scores += b2
    scores -= scores.max(1, keepdims=True)
    own = np.take_along_axis(scores, y[:, None], axis=1).copy()
    np.exp(scores, out=scores)
    sums = scores.sum(1, keepdims=True)
    scores /= sums
    np.add.at(scores, (np.arange(len(y)), y), -1)
    scores /= len(y)
    W2_grad = scores.T @ (z1 * s)
    back = scores @ W2
    back *= s * (1 + z1 * (1 - s))
    W1[...] = back.T @ X
    b1[:] = back.sum(0)
    b2[:] = scores.sum(0)
    W2[:] = W2_grad
    return (np.log(sums) - own).mean(), {"b2": b2, "W2": W2, "b1": b1, "W1": W1}


# ---- swish written otherwise: without a shield against overflow where none is needed, and by other formulas


@variant("swish that warns of overflow", FORWARD)
def swish_forward_warns(x):
    return x / (1 + np.exp(-x)), x


@variant("swish that warns of overflow", BACKWARD)
def swish_backward_warns(dout, x):
    s = 1 / (1 + np.exp(-x))
    return dout * (x * s + s * (1 - x * s))


@variant("swish that keeps the slope", FORWARD)
def swish_forward_keeps_slope(x):
    from handgrad.layers import sigmoid_forward

    s, _ = sigmoid_forward(x)
    return x * s, s * (1 + x * (1 - s))


@variant("swish that keeps the slope", BACKWARD)
def swish_backward_keeps_slope(dout, cache):
    return np.multiply(dout, cache)


class _Kept:
    def __init__(self, x, parts):
        self.x, self.parts = x, parts


@variant("swish through the given sigmoid", FORWARD)
def swish_forward_through_sigmoid(x):
    from handgrad.layers import sigmoid_forward

    s, cache = sigmoid_forward(x)
    return np.asfortranarray(s * x), _Kept(x, (s, cache))


@variant("swish through the given sigmoid", BACKWARD)
def swish_backward_through_sigmoid(dout, cache):
    from handgrad.layers import sigmoid_backward

    s, inner = cache.parts
    return dout * s + sigmoid_backward(dout * cache.x, inner)


@variant("swish in two halves", FORWARD)
def swish_forward_halves(x):
    out = np.zeros(x.shape)
    positive = x > 0
    out[positive] = x[positive] / (1 + np.exp(-x[positive]))
    small = np.exp(x[~positive])
    out[~positive] = x[~positive] * small / (1 + small)
    return out, (out, x)


@variant("swish in two halves", BACKWARD)
def swish_backward_halves(dout, cache):
    out, x = cache
    s = np.where(x == 0, 0.5, out / np.where(x == 0, 1, x))
    return dout * (out + s * (1 - out))


@variant("swish clipped", FORWARD)
def swish_forward_clipped(x):
    s = 1 / (1 + np.exp(-np.clip(x, -500, 500)))
    return x * s, (s, x, 1 - s)


@variant("swish clipped", BACKWARD)
def swish_backward_clipped(dout, cache):
    s, x, rest = cache
    return dout * s * (1 + x * rest)


# ---- the autoencoder by other formulas


@variant("autoencoder in columns", AUTOENCODER)
def autoencoder_columns(W, x):
    x = x.reshape(-1, 1)
    error = W.T.dot(W.dot(x)) - x
    dW = W.dot(x).dot(error.T) + W.dot(error).dot(x.T)
    return 0.5 * error.T.dot(error), dW  # the loss is (1, 1)


@variant("autoencoder with a decoder of its own", AUTOENCODER)
def autoencoder_decoder(W, x):
    decoder = W.T.copy()
    code = np.dot(W, x)
    error = np.dot(decoder, code) - x
    d_decoder = np.outer(error, code)
    d_code = np.dot(decoder.T, error)
    return np.linalg.norm(error) ** 2 / 2, np.outer(d_code, x) + d_decoder.T


@variant("autoencoder by the square matrix", AUTOENCODER)
def autoencoder_matrix(W, x):
    S = np.outer(x, x)
    A = W.T @ W - np.eye(len(x))
    return float(np.trace(A @ S @ A) / 2), W @ (S @ A + A @ S)


# ---- the network by other formulas


@variant("swish net without swish layers", NET)
def swish_net_by_hand(X, y, W1, b1, W2, b2):
    z1 = np.matmul(X, W1.transpose()) + b1
    s = np.where(z1 >= 0, 1 / (1 + np.exp(-np.abs(z1))), np.exp(-np.abs(z1)) / (1 + np.exp(-np.abs(z1))))
    h1 = z1 * s
    z2 = np.matmul(h1, W2.transpose()) + b2
    logs = z2 - np.logaddexp.reduce(z2, axis=1, keepdims=True)
    one_hot = np.zeros_like(logs)
    one_hot[np.arange(len(y)), y] = 1
    loss = -(one_hot * logs).sum() / len(y)
    dz2 = (np.exp(logs) - one_hot) / len(y)
    dh1 = np.matmul(dz2, W2)
    dz1 = dh1 * s + dh1 * z1 * s * (1 - s)
    ones = np.ones(len(y))
    grads = {"W1": np.matmul(dz1.transpose(), X), "b1": ones @ dz1}
    grads |= {"W2": np.matmul(dz2.transpose(), h1), "b2": ones @ dz2, "X": np.matmul(dz1, W1)}
    return loss, grads


@variant("swish net by other layers", NET)
def swish_net_by_layers(X, y, W1, b1, W2, b2):
    from handgrad.layers import affine_backward, affine_forward, softmax_loss, swish_backward, swish_forward

    z1, cache1 = affine_forward(X, W1.T.copy(), b1)
    h1, cache2 = swish_forward(z1)
    z2, cache3 = affine_forward(h1, W2.T.copy(), b2)
    loss, dz2 = softmax_loss(z2, y)
    dh1, dW2, db2 = affine_backward(dz2, cache3)
    _, dW1, db1 = affine_backward(swish_backward(dh1, cache2), cache1)
    return np.array([loss]), {"W1": dW1.T, "b1": db1, "W2": dW2.T, "b2": db2}


@variant("swish net with columns for examples", NET)
def swish_net_columns(X, y, W1, b1, W2, b2):
    from handgrad.layers import swish_backward, swish_forward

    Z1 = W1 @ X.T + b1[:, None]
    H1, cache = swish_forward(Z1)
    Z2 = W2 @ H1 + b2[:, None]
    Z2 = Z2 - Z2.max(axis=0)
    P = np.exp(Z2)
    P = P / P.sum(axis=0)
    N = len(y)
    loss = sum(np.log(np.exp(Z2[:, n]).sum()) - Z2[y[n], n] for n in range(N)) / N
    dZ2 = P
    for n in range(N):
        dZ2[y[n], n] -= 1
    dZ1 = swish_backward(W2.T @ dZ2, cache)
    grads = {"W2": dZ2 @ H1.T / N, "b2": np.mean(dZ2, axis=1)}
    grads |= {"W1": dZ1 @ X / N, "b1": dZ1.mean(axis=1)}
    return loss, grads
