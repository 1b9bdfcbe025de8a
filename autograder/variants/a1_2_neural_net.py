"""Right solutions of a1/2_neural_net in other styles.

Each replaces whole methods: the given code around the students' regions is as in the course.
"""

import math
import random

import numpy as np

from handgrad.classifiers.neural_net import L2_FACTOR, TURNED
from handgrad.solver import DivergedError

from . import variant

NET = "handgrad.classifiers.neural_net.TwoLayerNet."


def given(written):
    """A `loss` with the course's code around what students write: a function of X, y, the weights and l2.

    It returns scores, and with labels loss and gradients.
    """

    def loss(self, X, y=None, reg=0.0):
        W1, b1, W2, b2 = self._weights()
        X = np.asarray(X, dtype=W1.dtype)
        l2 = L2_FACTOR[self.convention] * float(reg)
        result = written(X, y, W1, b1, W2, b2, l2)
        if y is None:
            return result
        total, grads = result
        if TURNED[self.convention]:
            grads = {name: grad.T for name, grad in grads.items()}
        return total, grads

    return loss


# ---- loss


@variant("neural net in loops", NET + "loss")
@given
def loss_loops(X, y, W1, b1, W2, b2, l2):
    N, C = len(X), len(b2)
    rows = []
    for x in X:
        hidden = np.array([max(0.0, sum(x * W1[:, h]) + b1[h]) for h in range(len(b1))])
        rows.append((x, hidden, np.array([sum(hidden * W2[:, c]) + b2[c] for c in range(C)])))
    if y is None:
        return np.array([scores for _, _, scores in rows])
    loss = 0.0
    grads = {"W1": np.zeros(W1.shape), "b1": np.zeros(b1.shape)}
    grads |= {"W2": np.zeros(W2.shape), "b2": np.zeros(b2.shape)}
    for (x, hidden, scores), label in zip(rows, y, strict=True):
        top = max(scores)
        total = sum(math.exp(s - top) for s in scores)
        loss += top + math.log(total) - scores[label]
        dhidden = np.zeros(len(hidden))
        for c in range(C):
            d = math.exp(scores[c] - top) / total - (1 if c == label else 0)
            grads["W2"][:, c] += d * hidden
            grads["b2"][c] += d
            dhidden += d * W2[:, c]
        for h in range(len(hidden)):
            if hidden[h] > 0:
                grads["W1"][:, h] += dhidden[h] * x
                grads["b1"][h] += dhidden[h]
    grads = {name: grad / N for name, grad in grads.items()}
    for name, W in (("W1", W1), ("W2", W2)):
        for w in W.flat:
            loss += N * l2 * w * w
        grads[name] += 2 * l2 * W
    return loss / N, grads


@variant("neural net by einsum", NET + "loss")
@given
def loss_einsum(X, y, W1, b1, W2, b2, l2):
    a = np.einsum("nd,dh->nh", X, W1) + b1[None]
    on = (a > 0).astype(a.dtype)
    s = np.einsum("nh,nh,hc->nc", a, on, W2) + b2[None]
    if y is None:
        return s
    one_hot = np.eye(len(b2))[y]
    s = s - np.max(s, 1)[:, None]
    logsumexp = np.log(np.sum(np.exp(s), 1))
    loss = np.mean(logsumexp - np.einsum("nc,nc->n", s, one_hot))
    ds = (np.exp(s - logsumexp[:, None]) - one_hot) / len(y)
    da = np.einsum("nc,hc,nh->nh", ds, W2, on)
    loss += l2 * (np.einsum("dh,dh->", W1, W1) + np.einsum("hc,hc->", W2, W2))
    grads = {"b1": np.einsum("nh->h", da), "b2": np.einsum("nc->c", ds)}
    grads["W1"] = np.einsum("nd,nh->dh", X, da) + 2 * l2 * W1
    grads["W2"] = np.einsum("nh,nh,nc->hc", a, on, ds) + 2 * l2 * W2
    return np.array(loss), grads


@variant("neural net in float32", NET + "loss")
@given
def loss_float32(X, y, W1, b1, W2, b2, l2):
    X, W1, b1, W2, b2 = (a.astype(np.float32) for a in (X, W1, b1, W2, b2))
    hidden = np.maximum(X.dot(W1) + b1, np.float32(0))
    scores = hidden.dot(W2) + b2
    if y is None:
        return scores
    scores -= scores.max(axis=1, keepdims=True)
    sums = np.exp(scores).sum(axis=1)
    loss = (np.log(sums) - scores[range(len(y)), y]).mean()
    loss += np.float32(l2) * ((W1**2).sum() + (W2**2).sum())
    dscores = np.exp(scores) / sums[:, None]
    dscores[range(len(y)), y] -= 1
    dscores /= len(y)
    dhidden = dscores.dot(W2.T) * (hidden > 0)
    grads = {"W1": X.T.dot(dhidden) + np.float32(2 * l2) * W1, "b1": dhidden.sum(0)}
    grads |= {"W2": hidden.T.dot(dscores) + np.float32(2 * l2) * W2, "b2": dscores.sum(0)}
    return loss, grads


@variant("neural net in place", NET + "loss")
@given
def loss_in_place(X, y, W1, b1, W2, b2, l2):
    hidden = X @ W1
    hidden += b1
    hidden[hidden < 0] = 0
    scores = hidden @ W2
    scores += b2
    if y is None:
        return scores
    own = scores[np.arange(len(y)), y].copy()
    top = scores.max(axis=1)
    scores -= top.reshape(-1, 1)
    np.exp(scores, out=scores)
    sums = scores.sum(axis=1)
    loss = (np.log(sums) + top - own).sum() / len(y)
    scores /= sums.reshape(-1, 1)
    np.subtract.at(scores, (np.arange(len(y)), y), 1)
    scores /= len(y)
    grads = {"b2": scores.sum(0), "W2": hidden.T @ scores}
    back = scores @ W2.T
    back[hidden == 0] = 0
    grads |= {"b1": back.sum(0), "W1": X.T @ back}
    for name, W in (("W1", W1), ("W2", W2)):
        loss += np.sum(W * W) * l2
        grads[name] += W * l2
        grads[name] += W * l2
    return loss, grads


@variant("neural net with rows of biases", NET + "loss")
@given
def loss_rows(X, y, W1, b1, W2, b2, l2):
    ones = np.ones((len(X), 1))
    hidden = np.hstack([X, ones]) @ np.vstack([W1, b1])
    active = hidden.clip(min=0)
    scores = np.hstack([active, ones]) @ np.vstack([W2, b2])
    if y is None:
        return scores
    logs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    mask = np.zeros(logs.shape, dtype=bool)
    mask[np.arange(len(y)), y] = True
    dscores = (np.exp(logs) - mask) / len(X)
    both = np.hstack([active, ones]).T @ dscores
    first = np.hstack([X, ones]).T @ np.where(hidden > 0, dscores @ W2.T, 0)
    grads = {"W2": both[:-1] + 2 * l2 * W2, "b2": both[-1:], "W1": first[:-1] + 2 * l2 * W1, "b1": first[-1:]}
    # Turned, a row of biases is a column: students who keep the axis have to drop it for UCLA.
    grads = {name: grad[0] if name[0] == "b" else np.asfortranarray(grad) for name, grad in grads.items()}
    norms = np.linalg.norm(W1) ** 2 + np.linalg.norm(W2) ** 2
    return -logs[mask].sum() / len(X) + l2 * norms, grads


@variant("neural net by layers", NET + "loss")
@given
def loss_layers(X, y, W1, b1, W2, b2, l2):
    from handgrad.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss

    a, cache1 = affine_forward(X, W1, b1)
    h, cache2 = relu_forward(a)
    scores, cache3 = affine_forward(h, W2, b2)
    if y is None:
        return scores
    loss, dscores = softmax_loss(scores, y)
    dh, dW2, db2 = affine_backward(dscores, cache3)
    dX, dW1, db1 = affine_backward(relu_backward(dh, cache2), cache1)
    loss = loss + sum(l2 * np.sum(np.square(W)) for W in (W1, W2))
    return float(loss), {"W1": dW1 + l2 * 2 * W1, "b1": db1, "W2": dW2 + l2 * 2 * W2, "b2": db2, "X": dX}


@variant("neural net with rows of gradients", NET + "loss")
def loss_row_gradients(self, X, y=None, reg=0.0):
    result = loss_layers(self, X, y, reg)
    if y is None:
        return result
    loss, grads = result
    return np.array([loss]), {name: g.reshape(1, -1) if g.ndim == 1 else g for name, g in grads.items()}


@variant("neural net that shifts by the right score", NET + "loss")
@given
def loss_shift_by_own(X, y, W1, b1, W2, b2, l2):
    a = X @ W1 + b1
    scores = a * (a >= 0) @ W2 + b2
    if y is None:
        return scores
    N = X.shape[0]
    top = np.amax(scores, axis=1).reshape(N, 1)
    exp_scores = np.exp(scores - top)
    probabilities = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    data_loss = np.sum(top[:, 0] + np.log(exp_scores.sum(1)) - scores[np.arange(N), y])
    right = np.zeros_like(scores)
    right[np.arange(N), y] = 1
    d2 = probabilities - right
    d1 = d2.dot(W2.T)
    d1[a < 0] = 0
    hidden = np.where(a < 0, 0, a)
    grads = {"W1": X.T.dot(d1) / N, "b1": np.sum(d1, 0) / N, "W2": hidden.T.dot(d2) / N, "b2": np.mean(d2, 0)}
    for name, W in {"W1": W1, "W2": W2}.items():
        grads[name] = grads[name] + l2 * (W + W)
    return data_loss / N + l2 * np.sum(W1**2) + l2 * np.sum(W2**2), grads


# ---- predictions


@variant("neural net in loops", NET + "predict")
def predict_loops(self, X):
    y_pred = np.zeros(len(X), dtype=int)
    for i in range(len(X)):
        y_pred[i] = np.argmax(self.loss(X[i : i + 1])[0])
    return y_pred


@variant("neural net by einsum", NET + "predict")
def predict_by_weights(self, X):
    W1, b1, W2, b2 = self._weights()
    return (np.maximum(0, X.dot(W1) + b1).dot(W2) + b2).argmax(-1).astype(np.int32)


@variant("neural net in float32", NET + "predict")
def predict_float32(self, X):
    return self.loss(X.astype(np.float32)).argmax(1).astype(np.uint8)


@variant("neural net that predicts by probabilities", NET + "predict")
def predict_probabilities(self, X):
    scores = self.loss(X)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.argsort(e / e.sum(axis=1, keepdims=True), axis=1)[:, -1]


@variant("neural net that predicts a list", NET + "predict")
def predict_list(self, X):
    return [int(row.argmax()) for row in self.loss(X)]


@variant("neural net that predicts by where", NET + "predict")
def predict_where(self, X):
    scores = self.loss(X)
    return np.where(scores == np.max(scores, axis=1, keepdims=True))[1]


# ---- training


def training(draw, step):
    """A `train` with the course's code around what students write.

    Args:
        draw: from X, y, batch_size and a dictionary that lasts as long as the training, a batch.
        step: from the parameters, gradients and learning rate, changes the parameters.
    """

    def train(
        self,
        X,
        y,
        X_val,
        y_val,
        learning_rate=1e-3,
        learning_rate_decay=0.95,
        reg=5e-6,
        num_iters=100,
        batch_size=200,
        verbose=False,
    ):
        history = {"loss_history": [], "train_acc_history": [], "val_acc_history": []}
        epoch, kept = max(len(X) // batch_size, 1), {}
        for number in range(1, num_iters + 1):
            X_batch, y_batch = draw(X, y, batch_size, kept)
            loss, grads = self.loss(X_batch, y_batch, reg)
            history["loss_history"].append(float(loss))
            if not np.isfinite(loss):
                raise DivergedError("The loss is not finite.")
            step(self.params, grads, learning_rate)
            if number % epoch == 0:
                history["train_acc_history"].append(self._accuracy(X[:1000], y[:1000]))
                history["val_acc_history"].append(self._accuracy(X_val, y_val))
                learning_rate *= learning_rate_decay
        return history

    return train


def draw_randint(X, y, batch_size, kept):
    chosen = np.random.randint(0, len(X), size=batch_size)
    return X[chosen, :], y[chosen]


def draw_generator(X, y, batch_size, kept):
    rng = kept.setdefault("rng", np.random.default_rng())
    chosen = rng.integers(len(X), size=(batch_size,))
    return X.take(chosen, axis=0), y.take(chosen)


def draw_one_by_one(X, y, batch_size, kept):
    numbers = [random.randrange(len(X)) for _ in range(batch_size)]
    return np.array([X[n] for n in numbers]), np.array([y[n] for n in numbers])


def draw_permutation(X, y, batch_size, kept):
    """Without replacement, and all there are when the batch is larger than the data."""
    chosen = np.random.permutation(len(X))[:batch_size]
    return X[chosen], y[chosen]


def draw_without_replacement(X, y, batch_size, kept):
    chosen = np.random.choice(np.arange(len(X)), batch_size, replace=batch_size > len(X))
    return X[chosen], y[chosen]


def draw_epochs(X, y, batch_size, kept):
    """Through a shuffled deck of the examples, and then a new one."""
    deck = kept.setdefault("deck", [])
    while len(deck) < batch_size:
        deck.extend(np.random.permutation(len(X)).tolist())
    chosen, kept["deck"] = deck[:batch_size], deck[batch_size:]
    return X[chosen], y[chosen]


def draw_mask(X, y, batch_size, kept):
    both = np.concatenate([X, y[:, None]], axis=1)
    rows = both[np.random.choice(both.shape[0], batch_size, replace=True)]
    return rows[:, :-1], rows[:, -1].astype(y.dtype)


def step_in_place(params, grads, rate):
    for name in params:
        params[name] -= rate * grads[name]


def step_by_name(params, grads, rate):
    params["W1"] = params["W1"] - rate * grads["W1"]
    params["W2"] = params["W2"] - rate * grads["W2"]
    params["b1"] = params["b1"] - rate * grads["b1"]
    params["b2"] = params["b2"] - rate * grads["b2"]


def step_update(params, grads, rate):
    params.update({name: params[name] + -rate * grads[name] for name in grads if name in params})


def step_loops(params, grads, rate):
    for name, value in params.items():
        for index in np.ndindex(value.shape):
            value[index] -= rate * grads[name][index]


def step_float32(params, grads, rate):
    for name in list(params):
        params[name] = (params[name] - rate * grads[name]).astype(np.float32)


variant("neural net in loops", NET + "train")(training(draw_one_by_one, step_loops))
variant("neural net in place", NET + "train")(training(draw_randint, step_in_place))
variant("neural net by einsum", NET + "train")(training(draw_generator, step_update))
variant("neural net in float32", NET + "train")(training(draw_randint, step_float32))
variant("training without replacement", NET + "train")(training(draw_without_replacement, step_by_name))
variant("training on permutations", NET + "train")(training(draw_permutation, step_in_place))
variant("training in epochs", NET + "train")(training(draw_epochs, step_by_name))
variant("training on rows with labels", NET + "train")(training(draw_mask, step_update))
