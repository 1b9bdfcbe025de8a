"""Correct, in another style: loops over the examples, other names, other caches."""

import math


def affine_forward(x, w, b):
    out = np.empty((len(x), w.shape[1]), dtype=np.result_type(x, w))
    for i, example in enumerate(x):
        out[i] = np.dot(example.reshape(-1), w) + b
    return out, {"examples": x, "weights": w}


def affine_backward(dout, cache):
    x, w = cache["examples"], cache["weights"]
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[1])
    for i in range(len(x)):
        dx[i] = np.dot(w, dout[i]).reshape(x[i].shape)
        dw += np.outer(x[i].reshape(-1), dout[i])
        db += dout[i]
    return dx, dw, db


def relu_forward(x):
    mask = x > 0
    return np.where(mask, x, 0.0), mask


def relu_backward(dout, cache):
    return np.where(cache, dout, 0.0)


def softmax_loss(x, y):
    total, dx = 0.0, np.zeros(x.shape)
    for i in range(len(x)):
        top = max(x[i])
        powers = [math.exp(s - top) for s in x[i]]
        total += top + math.log(sum(powers)) - x[i][y[i]]
        for j in range(len(powers)):
            dx[i][j] = (powers[j] / sum(powers) - (1 if j == y[i] else 0)) / len(x)
    return total / len(x), dx


def svm_loss(x, y):
    total, dx = 0.0, np.zeros(x.shape)
    for i in range(len(x)):
        for j in range(x.shape[1]):
            margin = x[i][j] - x[i][y[i]] + 1
            if j != y[i] and margin > 0:
                total += margin / len(x)
                dx[i][j] += 1 / len(x)
                dx[i][y[i]] -= 1 / len(x)
    return total, dx


class TwoLayerNet:
    def loss(self, X, y=None):
        X = np.asarray(X, dtype=self.params["W1"].dtype)
        p = self.params
        h, first = affine_relu_forward(X, p["W1"], p["b1"])
        scores, second = affine_forward(h, p["W2"], p["b2"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        dh, dW2, db2 = affine_backward(dscores, second)
        _, dW1, db1 = affine_relu_backward(dh, first)
        for name in ("W1", "W2"):
            loss += self.reg / 2 * float((p[name] * p[name]).sum())
        return loss, {"W1": dW1 + self.reg * p["W1"], "b1": db1, "W2": dW2 + self.reg * p["W2"], "b2": db2}
