"""Right solutions of a1/4_features in other styles."""

from math import exp, fsum, log

import numpy as np

from handgrad.layers import softmax_loss, svm_loss

from . import variant

LINEAR = "handgrad.classifiers.linear_classifier."
SVM = LINEAR + "LinearSVM.loss"
SOFTMAX = LINEAR + "Softmax.loss"


# ---- loops, number by number


@variant("loops", SVM)
def svm_loops(self, X_batch, y_batch, reg):
    W, loss, dW = self.W, 0.0, np.zeros(self.W.shape)
    for i in range(len(X_batch)):
        scores = X_batch[i].dot(W)
        for j in range(W.shape[1]):
            margin = scores[j] - scores[y_batch[i]] + 1
            if j != y_batch[i] and margin > 0:
                loss += margin
                dW[:, j] += X_batch[i]
                dW[:, y_batch[i]] -= X_batch[i]
    loss /= len(X_batch)
    dW /= len(X_batch)
    loss += reg * np.sum(W * W)
    dW += 2 * reg * W
    return loss, dW


@variant("loops", SOFTMAX)
def softmax_loops(self, X_batch, y_batch, reg):
    N, C = len(X_batch), self.W.shape[1]
    loss, dW = 0.0, np.zeros_like(self.W)
    for i in range(N):
        scores = X_batch[i] @ self.W
        scores -= np.max(scores)
        total = sum(np.exp(score) for score in scores)
        loss += np.log(total) - scores[y_batch[i]]
        for j in range(C):
            p = np.exp(scores[j]) / total
            dW[:, j] += (p - (j == y_batch[i])) * X_batch[i]
    for w in self.W.flat:
        loss += N * reg * w**2
    return loss / N, dW / N + reg * 2 * self.W


# ---- einsum and one-hot labels


def one_hot(y, C):
    return np.eye(C)[y]


@variant("einsum", SVM)
def svm_einsum(self, X_batch, y_batch, reg):
    right = one_hot(y_batch, self.W.shape[1])
    scores = np.einsum("nd,dc->nc", X_batch, self.W)
    margins = 1 - right + scores - np.einsum("nc,nc->n", scores, right)[:, None]
    pushes = (margins > 0) * (1 - right)
    loss = np.einsum("nc,nc->", pushes, margins) / len(right) + reg * np.einsum("dc,dc->", self.W, self.W)
    pushes -= right * pushes.sum(axis=1, keepdims=True)
    return loss, np.einsum("nd,nc->dc", X_batch, pushes) / len(right) + 2 * reg * self.W


@variant("einsum", SOFTMAX)
def softmax_einsum(self, X_batch, y_batch, reg):
    right = one_hot(y_batch, self.W.shape[1])
    scores = np.einsum("nd,dc->nc", X_batch, self.W)
    top = scores.max(axis=1, keepdims=True)
    normaliser = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    loss = np.einsum("nc,nc->", right, normaliser - scores) / len(right)
    dscores = (np.exp(scores - normaliser) - right) / len(right)
    dW = np.einsum("nd,nc->dc", X_batch, dscores)
    return loss + reg * np.linalg.norm(self.W) ** 2, dW + 2 * reg * self.W


# ---- float32 inside


def in_float32(data):
    def loss(self, X_batch, y_batch, reg):
        X, W = X_batch.astype(np.float32), self.W.astype(np.float32)
        value, dscores = data(X @ W, y_batch)
        value = np.float32(value) + np.float32(reg) * np.sum(W * W)
        return value, (X.T @ dscores + np.float32(2 * reg) * W).astype(np.float32)

    return loss


variant("float32", SVM)(in_float32(svm_loss))
variant("float32", SOFTMAX)(in_float32(softmax_loss))


# ---- in place, on what was handed in


@variant("in place", SVM)
def svm_in_place(self, X_batch, y_batch, reg):
    N = len(y_batch)
    margins = X_batch @ self.W
    margins -= margins[np.arange(N), y_batch].reshape(-1, 1)
    margins += 1
    margins[np.arange(N), y_batch] = 0
    np.maximum(margins, 0, out=margins)
    loss = margins.sum() / N + reg * (self.W**2).sum()
    margins[margins > 0] = 1
    margins[np.arange(N), y_batch] = -margins.sum(axis=1)
    X_batch /= N
    dW = X_batch.T @ margins
    dW += 2 * reg * self.W
    return loss, dW


@variant("in place", SOFTMAX)
def softmax_in_place(self, X_batch, y_batch, reg):
    N = X_batch.shape[0]
    scores = X_batch.dot(self.W)
    scores -= scores.max(axis=1)[:, np.newaxis]
    loss = -scores[range(N), y_batch].sum()
    np.exp(scores, out=scores)
    loss += np.log(scores.sum(axis=1)).sum()
    scores /= scores.sum(axis=1, keepdims=True)
    scores[range(N), y_batch] -= 1
    X_batch *= 1 / N
    y_batch[:] = 0
    dW = X_batch.T.dot(scores)
    dW += self.W * reg
    dW += self.W * reg
    loss = loss / N + reg * np.sum(np.square(self.W))
    return loss, dW


# ---- arrays and numbers of other kinds


@variant("Fortran gradients", SVM)
def svm_turned(self, X_batch, y_batch, reg):
    loss, dscores = svm_loss((self.W.T @ X_batch.T).T, y_batch)
    return np.array(loss + reg * np.vdot(self.W, self.W)), (dscores.T @ X_batch + 2 * reg * self.W.T).T


@variant("Fortran gradients", SOFTMAX)
def softmax_turned(self, X_batch, y_batch, reg):
    loss, dscores = softmax_loss((self.W.T @ X_batch.T).T, y_batch)
    dW = np.asfortranarray(np.matmul(np.transpose(X_batch), dscores))
    return np.array([loss + reg * np.trace(self.W.T @ self.W)]), dW + 2 * reg * self.W


# ---- a sum over the batch, as outer products


@variant("outer products", SVM)
def svm_outer(self, X_batch, y_batch, reg):
    dW, losses = 2 * reg * self.W, []
    for x, label in zip(X_batch, y_batch, strict=True):
        scores = x @ self.W
        violated = scores - scores[label] + 1 > 0
        violated[label] = False
        losses.append((scores[violated] - scores[label] + 1).sum())
        push = np.where(violated, 1.0, 0.0)
        push[label] = -np.count_nonzero(violated)
        dW = dW + np.outer(x, push) / len(X_batch)
    return np.mean(losses) + reg * np.sum(np.power(self.W, 2)), dW


@variant("outer products", SOFTMAX)
def softmax_outer(self, X_batch, y_batch, reg):
    dW, losses = np.zeros_like(self.W), []
    for x, label in zip(X_batch, y_batch, strict=True):
        scores = x @ self.W
        shifted = np.exp(scores - scores.max())
        losses.append(np.log(shifted.sum()) + scores.max() - scores[label])
        shifted /= shifted.sum()
        shifted[label] -= 1
        dW += np.multiply.outer(x, shifted)
    return float(np.mean(losses) + reg * (self.W.ravel() @ self.W.ravel())), dW / len(
        X_batch
    ) + 2 * reg * self.W


# ---- without NumPy's arithmetic


@variant("float math", SVM)
def svm_float_math(self, X_batch, y_batch, reg):
    X, W, y = X_batch.tolist(), self.W.tolist(), y_batch.tolist()
    N, D, C = len(X), len(W), len(W[0])
    dW = [[2 * reg * w for w in row] for row in W]
    terms = [reg * w * w for row in W for w in row]
    for x, label in zip(X, y, strict=True):
        scores = [fsum(x[d] * W[d][c] for d in range(D)) for c in range(C)]
        for c in range(C):
            if c != label and scores[c] > scores[label] - 1:
                terms.append((scores[c] - scores[label] + 1) / N)
                for d in range(D):
                    dW[d][c] += x[d] / N
                    dW[d][label] -= x[d] / N
    return fsum(terms), np.array(dW)


@variant("float math", SOFTMAX)
def softmax_float_math(self, X_batch, y_batch, reg):
    X, W, y = X_batch.tolist(), self.W.tolist(), y_batch.tolist()
    N, D, C = len(X), len(W), len(W[0])
    dW = [[2 * reg * w for w in row] for row in W]
    terms = [reg * w * w for row in W for w in row]
    for x, label in zip(X, y, strict=True):
        scores = [fsum(x[d] * W[d][c] for d in range(D)) for c in range(C)]
        powers = [exp(score - max(scores)) for score in scores]
        terms.append((log(fsum(powers)) + max(scores) - scores[label]) / N)
        for d in range(D):
            for c in range(C):
                dW[d][c] += x[d] * (powers[c] / fsum(powers) - (c == label)) / N
    return fsum(terms), np.array(dW)


# ---- weights and biases apart


def apart(data):
    def loss(self, X_batch, y_batch, reg):
        weights, biases = self.W[:-1], self.W[-1]
        X, last = X_batch[:, :-1], X_batch[:, -1:]
        value, dscores = data(X @ weights + last * biases, y_batch)
        dweights = X.T @ dscores + 2 * reg * weights
        dbiases = (last * dscores).sum(axis=0) + 2 * reg * biases
        value = value + reg * (np.sum(weights**2) + np.sum(biases**2))
        return value, np.concatenate([dweights, dbiases[None]])

    return loss


variant("biases apart", SVM)(apart(svm_loss))
variant("biases apart", SOFTMAX)(apart(softmax_loss))


# ---- notes on self, and another order of the terms


@variant("notes on self", SVM)
def svm_with_notes(self, X_batch, y_batch, reg):
    self.scores = np.dot(X_batch, self.W)
    self.data_loss, self.dscores = svm_loss(self.scores, y_batch)
    self.reg_loss = reg * np.sum(self.W**2)
    self.history = [*getattr(self, "history", []), self.data_loss]
    return self.reg_loss + self.data_loss, 2 * self.W * reg + np.dot(X_batch.T, self.dscores)


@variant("notes on self", SOFTMAX)
def softmax_with_notes(self, X_batch, y_batch, reg):
    self.last = softmax_loss(np.dot(X_batch, self.W), y_batch)
    loss, dscores = self.last
    dW = X_batch.T.dot(dscores)
    for row, w in zip(dW, self.W, strict=True):
        row += 2 * reg * w
    return loss + sum(reg * w.dot(w) for w in self.W), dW


# ---- class by class


@variant("class by class", SVM)
def svm_by_class(self, X_batch, y_batch, reg):
    N, C = len(X_batch), self.W.shape[1]
    scores = [X_batch @ self.W[:, c] for c in range(C)]
    own = np.choose(y_batch, scores)
    loss, columns, pushed = reg * np.sum(self.W**2), [], np.zeros(N)
    violated = [(score > own - 1) & (y_batch != c) for c, score in enumerate(scores)]
    for score, mask in zip(scores, violated, strict=True):
        loss += np.sum((score - own + 1)[mask]) / N
        pushed += mask
    for c, mask in enumerate(violated):
        columns.append(X_batch[mask].sum(axis=0) - ((y_batch == c) * pushed) @ X_batch)
    return loss, np.stack(columns, axis=1) / N + reg * (self.W + self.W)


@variant("class by class", SOFTMAX)
def softmax_by_class(self, X_batch, y_batch, reg):
    N, C = len(X_batch), self.W.shape[1]
    scores = np.stack([X_batch @ self.W[:, c] for c in range(C)])
    normaliser = np.logaddexp.reduce(scores, axis=0)
    loss = (normaliser - np.choose(y_batch, scores)).mean() + reg * np.square(self.W).sum()
    dW = np.empty((X_batch.shape[1], C))
    for c in range(C):
        dW[:, c] = (np.exp(scores[c] - normaliser) - (y_batch == c)) @ X_batch / N + 2 * reg * self.W[:, c]
    return loss, dW


# ---- sparse pushes, wider numbers


@variant("np.add.at", SVM)
def svm_add_at(self, X_batch, y_batch, reg):
    scores = X_batch @ self.W
    margins = scores - np.take_along_axis(scores, y_batch[:, None], axis=1) + 1
    np.put_along_axis(margins, y_batch[:, None], 0, axis=1)
    examples, classes = np.nonzero(margins > 0)
    dW = np.zeros(self.W.T.shape)
    np.add.at(dW, classes, X_batch[examples])
    np.subtract.at(dW, y_batch[examples], X_batch[examples])
    loss = margins[examples, classes].sum() / len(y_batch)
    return loss + reg * np.sum(self.W**2), dW.T / len(y_batch) + 2 * reg * self.W


@variant("np.add.at", SOFTMAX)
def softmax_subtract_at(self, X_batch, y_batch, reg):
    scores = (X_batch @ self.W).astype(np.longdouble)
    scores -= scores.max(axis=-1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    dW = (X_batch.T @ np.exp(logs)).T
    np.subtract.at(dW, y_batch, X_batch)
    dW = (dW.T / len(y_batch)).astype(float) + 2 * reg * self.W
    return float(-np.take_along_axis(logs, y_batch[:, None], 1).mean()) + reg * np.sum(self.W**2), dW


# ---- masks instead of indices


@variant("masks", SVM)
def svm_by_mask(self, X_batch, y_batch, reg):
    N = len(y_batch)
    scores = X_batch @ self.W
    correct = scores[np.arange(N), y_batch]
    mask = np.ones(scores.shape, dtype=bool)
    mask[np.arange(N), y_batch] = False
    margins = np.clip(scores - correct[:, np.newaxis] + 1.0, 0, None) * mask
    indicator = np.heaviside(margins, 0.5) * mask
    indicator = np.where(margins == 0, 0.0, indicator)
    indicator[~mask] -= indicator.sum(axis=1)
    return np.sum(margins) / N + reg * np.sum(self.W * self.W), (X_batch.T @ indicator) / N + 2 * reg * self.W


@variant("masks", SOFTMAX)
def softmax_by_mask(self, X_batch, y_batch, reg):
    scores = X_batch @ self.W
    mask = np.arange(scores.shape[1]) == y_batch[:, None]
    gaps = scores - scores[mask][:, None]  # the right class's score is the one subtracted
    top = np.maximum(gaps.max(axis=1, keepdims=True), 0)
    losses = top[:, 0] + np.log(np.sum(np.exp(gaps - top), axis=1))
    p = np.exp(gaps - losses[:, None])
    return losses.mean() + reg * (self.W**2).sum(), X_batch.T @ (p - mask) / len(p) + 2 * reg * self.W
