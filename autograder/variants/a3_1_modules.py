"""Right solutions of a3/1_modules in other styles."""

import math

import numpy as np

from . import variant

MODULES = "handgrad.modules."
LINEAR = MODULES + "linear.Linear."
RELU = MODULES + "activations.ReLU."
SOFTMAX = MODULES + "activations.Softmax."
LOSS = MODULES + "losses.CrossEntropyLoss."
SEQUENTIAL = MODULES + "sequential.Sequential."
SGD = MODULES + "optim.SGD.step"
BATCHES = MODULES + "data.DataLoader.batches"
ACCURACY = MODULES + "trainer.get_classification_accuracy"
STEP = MODULES + "trainer.Trainer.step"


# ---- loops, number by number


@variant("module loops", LINEAR + "forward")
def linear_forward_loops(self, x):
    w, b = self.weight.value, self.bias.value
    out = np.zeros((x.shape[0], w.shape[1]))
    for n in range(x.shape[0]):
        row = x[n].flatten()
        for m in range(w.shape[1]):
            out[n, m] = b[m]
            for d in range(w.shape[0]):
                out[n, m] += row[d] * w[d, m]
    self.cache = [x, row]
    return out


@variant("module loops", LINEAR + "backward")
def linear_backward_loops(self, dout):
    x, w = self.cache[0], self.weight.value
    self.weight.grad = np.zeros(w.shape)
    self.bias.grad = np.zeros(w.shape[1])
    dx = np.zeros(x.shape)
    for n in range(len(x)):
        for m in range(w.shape[1]):
            self.bias.grad[m] += dout[n, m]
            self.weight.grad[:, m] += dout[n, m] * x[n].ravel()
            dx[n] += dout[n, m] * w[:, m].reshape(x[n].shape)
    return dx


@variant("module loops", RELU + "forward")
def relu_forward_loops(self, x):
    out = np.empty_like(x)
    for index in np.ndindex(x.shape):
        out[index] = x[index] if x[index] > 0 else 0.0
    self.cache = out
    return out


@variant("module loops", RELU + "backward")
def relu_backward_loops(self, dout):
    dx = np.zeros(dout.shape)
    for index in np.ndindex(dout.shape):
        if self.cache[index] != 0:
            dx[index] = dout[index]
    return dx


@variant("module loops", SOFTMAX + "forward")
def softmax_forward_loops(self, x):
    out = np.zeros_like(x)
    floor = np.finfo(x.dtype).tiny
    for i, row in enumerate(x):
        exps = [np.exp(score - max(row)) for score in row]
        for j in range(len(row)):
            out[i, j] = max(exps[j] / sum(exps), floor)
    self.cache = out.copy()
    return out


@variant("module loops", SOFTMAX + "backward")
def softmax_backward_jacobians(self, dout):
    dx = np.zeros(dout.shape)
    for i, p in enumerate(self.cache):
        jacobian = np.diag(p) - np.outer(p, p)
        dx[i] = jacobian @ dout[i]
    return dx


@variant("module loops", LOSS + "forward")
def loss_forward_loops(self, out, y):
    self.cache = out, y
    total = 0.0
    for i in range(len(y)):
        total -= math.log(max(out[i, y[i]], np.finfo(out.dtype).tiny))
    return total / len(y)


@variant("module loops", LOSS + "backward")
def loss_backward_loops(self):
    out, y = self.cache
    dout = np.zeros(out.shape)
    for i in range(len(y)):
        dout[i, y[i]] = -1 / max(out[i, y[i]], np.finfo(out.dtype).tiny) / len(y)
    return dout


@variant("module loops", SEQUENTIAL + "forward")
def sequential_forward_indices(self, x):
    for i in range(len(self.modules)):
        x = self.modules[i].forward(x)
    return x


@variant("module loops", SEQUENTIAL + "backward")
def sequential_backward_indices(self, dout):
    for i in range(len(self.modules) - 1, -1, -1):
        dout = self.modules[i].backward(dout)
    return dout


@variant("module loops", SEQUENTIAL + "predict")
def predict_loops(self, x):
    labels = []
    for row in self.forward(x):
        best = 0
        for c in range(len(row)):
            if row[c] > row[best]:
                best = c
        labels.append(best)
    return np.array(labels)


@variant("module loops", SGD)
def step_indices(self):
    parameters = self.net.parameters
    for i in range(len(parameters)):
        p = parameters[i]
        if p.decay:
            p.value = p.value - self.lr * (p.grad + self.weight_decay * p.value)
        else:
            p.value = p.value - self.lr * p.grad


@variant("module loops", BATCHES)
def batches_appended(self, batch_size, rng=None):
    rng = rng if rng is not None else np.random.default_rng()
    x_batch, y_batch = [], []
    for n in rng.permutation(len(self.y_train)):
        x_batch.append(self.x_train[n])
        y_batch.append(self.y_train[n])
        if len(x_batch) == batch_size:
            yield np.array(x_batch), np.array(y_batch)
            x_batch, y_batch = [], []
    if x_batch:
        yield np.array(x_batch), np.array(y_batch)


@variant("module loops", ACCURACY)
def accuracy_loops(out, y):
    right = 0
    for choice, label in zip(out, y, strict=True):
        right += (np.argmax(choice) if np.ndim(choice) else choice) == label
    return right / len(y)


@variant("module loops", STEP)
def trainer_step_in_one(self, x, y):
    loss = self.loss_func.forward(self.net.forward(x), y)
    self.optim.zero_grad()
    self.net.backward(self.loss_func.backward())
    self.optim.step()
    return loss


# ---- einsum and one-hot rows; dictionaries as caches


@variant("module einsum", LINEAR + "forward")
def linear_forward_einsum(self, x):
    rows = x.reshape(len(x), -1)
    self.cache = {"rows": rows, "shape": x.shape, "comment": "shape for dx"}
    return np.einsum("nd,dm->nm", rows, self.weight.value) + self.bias.value[None, :]


@variant("module einsum", LINEAR + "backward")
def linear_backward_einsum(self, dout):
    self.bias.grad = np.einsum("nm->m", dout)
    self.weight.grad = np.einsum("nd,nm->dm", self.cache["rows"], dout)
    return np.einsum("nm,dm->nd", dout, self.weight.value).reshape(self.cache["shape"])


@variant("module einsum", RELU + "forward")
def relu_forward_mask(self, x):
    self.cache = {"mask": x > 0}
    return x * self.cache["mask"]


@variant("module einsum", RELU + "backward")
def relu_backward_mask(self, dout):
    return np.where(self.cache["mask"], dout, 0.0)


@variant("module einsum", SOFTMAX + "forward")
def softmax_forward_logsumexp(self, x):
    top = x.max(axis=1)
    logsumexp = top + np.log(np.exp(x - top[:, None]).sum(axis=1))
    out = np.exp(x - logsumexp[:, None])
    out[out < np.finfo(x.dtype).tiny] = np.finfo(x.dtype).tiny
    self.cache = {"out": out, "logsumexp": logsumexp}
    return out


@variant("module einsum", SOFTMAX + "backward")
def softmax_backward_einsum(self, dout):
    p = self.cache["out"]
    jacobians = np.einsum("nj,jk->njk", p, np.eye(p.shape[1])) - np.einsum("nj,nk->njk", p, p)
    return np.einsum("njk,nj->nk", jacobians, dout)


@variant("module einsum", LOSS + "forward")
def loss_forward_one_hot(self, out, y):
    one_hot = np.eye(out.shape[1])[y]
    self.cache = {"p": np.clip(out, np.finfo(out.dtype).tiny, None), "one_hot": one_hot}
    return -np.sum(one_hot * np.log(self.cache["p"])) / len(y)


@variant("module einsum", LOSS + "backward")
def loss_backward_one_hot(self):
    p, one_hot = self.cache["p"], self.cache["one_hot"]
    return -(one_hot / p) / len(p)


@variant("module einsum", SEQUENTIAL + "forward")
def sequential_forward_kept(self, x):
    self.outputs = [x]
    for module in self.modules:
        self.outputs.append(module.forward(self.outputs[-1]))
    return self.outputs[-1]


@variant("module einsum", SEQUENTIAL + "backward")
def sequential_backward_kept(self, dout):
    gradients = [dout]
    for module in self.modules[::-1]:
        gradients.append(module.backward(gradients[-1]))
    return np.asfortranarray(gradients.pop())


@variant("module einsum", SEQUENTIAL + "predict")
def predict_sorted(self, x):
    return np.argsort(self.forward(x), axis=-1)[:, -1]


@variant("module einsum", SGD)
def step_with_flag_as_number(self):
    for p in self.net.parameters:
        p.value = p.value * (1 - self.lr * self.weight_decay * int(p.decay)) - self.lr * p.grad


@variant("module einsum", BATCHES)
def batches_listed(self, batch_size, rng=None):
    rng = rng or np.random.default_rng()
    order = np.arange(self.x_train.shape[0])
    rng.shuffle(order)
    parts = np.split(order, range(batch_size, len(order), batch_size))
    return [(self.x_train[part], self.y_train[part]) for part in parts]


@variant("module einsum", ACCURACY)
def accuracy_mean(out, y):
    if len(out.shape) == 2:
        out = np.argmax(out, -1)
    return np.mean(np.equal(out, y))


@variant("module einsum", STEP)
def trainer_step_named(self, x, y):
    probabilities = self.net.forward(x)
    loss = self.loss_func.forward(probabilities, y)
    dout = self.loss_func.backward()
    _ = self.net.backward(dout)
    self.optim.step()
    return np.float64(loss)


# ---- in place, on what was handed in, and rows for vectors


@variant("module in place", LINEAR + "forward")
def linear_forward_in_place(self, x):
    out = np.dot(x.reshape(x.shape[0], self.weight.value.shape[0]), self.weight.value)
    out += self.bias.value
    self.cache = x
    return out


@variant("module in place", LINEAR + "backward")
def linear_backward_rows(self, dout):
    x = self.cache
    self.bias.grad = dout.sum(axis=0, keepdims=True)  # (1, M)
    self.weight.grad = np.zeros_like(self.weight.value)
    self.weight.grad += np.dot(dout.T, x.reshape(len(x), -1)).T
    self.cache = None
    return np.dot(dout, self.weight.value.T).reshape(x.shape)


@variant("module in place", RELU + "forward")
def relu_forward_in_place(self, x):
    self.cache = x > 0
    x[~self.cache] = 0
    return x


@variant("module in place", RELU + "backward")
def relu_backward_in_place(self, dout):
    dout[np.logical_not(self.cache)] = 0
    return dout


@variant("module in place", SOFTMAX + "forward")
def softmax_forward_in_place(self, x):
    x -= np.max(x, axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= np.sum(x, axis=1, keepdims=True)
    np.maximum(x, np.finfo(x.dtype).tiny, out=x)
    self.cache = x
    return x.copy()


@variant("module in place", SOFTMAX + "backward")
def softmax_backward_in_place(self, dout):
    dout *= self.cache
    dout -= self.cache * dout.sum(axis=1, keepdims=True)
    return dout


@variant("module in place", LOSS + "forward")
def loss_forward_in_place(self, out, y):
    floor = np.finfo(out.dtype).tiny
    out[out < floor] = floor
    self.probs, self.y, self.cache = out, y, True
    return np.array(-np.log(out[range(len(y)), y]).mean())


@variant("module in place", LOSS + "backward")
def loss_backward_in_place(self):
    dout = np.zeros(self.probs.shape)
    rows = np.arange(self.probs.shape[0])
    dout[rows, self.y] = -1
    dout[rows, self.y] /= self.probs[rows, self.y]
    dout /= len(rows)
    return dout


@variant("module in place", SEQUENTIAL + "backward")
def sequential_backward_turned_twice(self, dout):
    self.modules.reverse()
    for module in self.modules:
        dout = module.backward(dout)
    self.modules.reverse()
    return dout


@variant("module in place", SEQUENTIAL + "predict")
def predict_list(self, x):
    return [int(np.argmax(row)) for row in self.forward(x)]


@variant("sgd on copies", SGD)
def step_copies(self):
    for p in self.net.parameters:
        value = p.value.copy()
        if p.decay is True:
            value -= self.lr * self.weight_decay * p.value
        value -= self.lr * p.grad
        p.value = value


@variant("module in place", BATCHES)
def batches_of_shuffled_copies(self, batch_size, rng=None):
    if rng is None:
        rng = np.random.default_rng()
    order = rng.permutation(len(self.x_train))
    x, y = self.x_train[order], self.y_train[order]
    start = 0
    while start < len(x):
        yield [x[start : start + batch_size], y[start : start + batch_size]]
        start += batch_size


@variant("module in place", ACCURACY)
def accuracy_wrong_ones(out, y):
    if out.ndim > 1:
        out = out.argmax(1)
    return 1 - np.count_nonzero(out - y) / y.size


@variant("module in place", STEP)
def trainer_step_manual_zero(self, x, y):
    for parameter in self.net.parameters:
        parameter.grad = np.zeros_like(parameter.value)
    out = self.net.forward(x)
    loss = self.loss_func.forward(out, y)
    self.net.backward(dout=self.loss_func.backward())
    self.optim.step()
    self.optim.zero_grad()
    return loss


# ---- float32 inside, where it does no harm


@variant("module float32", LINEAR + "forward")
def linear_forward_float32(self, x):
    self.cache = x.astype(np.float32)
    rows = self.cache.reshape(x.shape[0], -1)
    return rows @ self.weight.value.astype(np.float32) + self.bias.value.astype(np.float32)


@variant("module float32", LINEAR + "backward")
def linear_backward_float32(self, dout):
    dout = dout.astype(np.float32)
    self.weight.grad = self.cache.reshape(len(dout), -1).T @ dout
    self.bias.grad = np.ones(len(dout), dtype=np.float32) @ dout
    return np.matmul(dout, self.weight.value.astype(np.float32).T).reshape(self.cache.shape)


@variant("module float32", RELU + "forward")
def relu_forward_float32(self, x):
    self.cache = x.astype(np.float32)
    return self.cache.clip(min=0)


@variant("module float32", RELU + "backward")
def relu_backward_float32(self, dout):
    return dout.astype(np.float32) * (self.cache >= 0)


@variant("module float32", SOFTMAX + "backward")
def softmax_backward_float32(self, dout):
    p, dout = np.float32(self.cache), np.float32(dout)
    return p * dout - p * (p * dout).sum(1)[:, None]


@variant("module float32", SEQUENTIAL + "forward")
def sequential_forward_recursive(self, x):
    def through(x, modules):
        return through(modules[0].forward(x), modules[1:]) if modules else x

    return through(x, self.modules)


@variant("module float32", SEQUENTIAL + "backward")
def sequential_backward_recursive(self, dout):
    def back(dout, modules):
        return back(modules[-1].backward(dout), modules[:-1]) if modules else dout

    return back(dout, self.modules)


@variant("module float32", SGD)
def step_float32(self):
    for p in self.net.parameters:
        decay = self.weight_decay if p.decay else 0.0
        p.value = (p.value - self.lr * (p.grad + decay * p.value)).astype(np.float32)


@variant("module float32", ACCURACY)
def accuracy_float32(out, y):
    out = np.asarray(out)
    right = (out if out.ndim == 1 else np.argmax(out, axis=1)) == np.asarray(y)
    return right.astype(np.float32).mean()


# ---- other ways, one at a time


@variant("softmax with its scores as cache", SOFTMAX + "forward")
def softmax_forward_scores(self, x):
    self.cache = x
    return softmax_of(x)


def softmax_of(x):
    """A helper beside the class."""
    exps = np.exp(x - np.amax(x, 1)[:, np.newaxis])
    return np.clip(exps / np.sum(exps, 1)[:, np.newaxis], np.finfo(x.dtype).tiny, 1)


@variant("softmax with its scores as cache", SOFTMAX + "backward")
def softmax_backward_scores(self, dout):
    p = softmax_of(self.cache)
    return p * dout - p * np.sum(p * dout, axis=1, keepdims=True)


@variant("softmax as divisions of differences", SOFTMAX + "forward")
def softmax_forward_differences(self, x):
    out = np.empty_like(x)
    for j in range(x.shape[1]):
        out[:, j] = 1 / np.exp(x - x[:, [j]]).sum(axis=1)
    self.cache = (np.fmax(out, np.finfo(x.dtype).tiny),)
    return self.cache[0]


@variant("softmax as divisions of differences", SOFTMAX + "backward")
def softmax_backward_columns(self, dout):
    (p,) = self.cache
    dx = np.zeros(p.shape)
    for j in range(p.shape[1]):
        for k in range(p.shape[1]):
            dx[:, k] += dout[:, j] * p[:, j] * ((j == k) - p[:, k])
    return dx


@variant("loss with attributes of its own", LOSS + "forward")
def loss_forward_attributes(self, out, y):
    self.cache = self
    self.N, self.shape = out.shape[0], out.shape
    self.index = (np.arange(self.N), y)
    self.right = np.where(
        out[self.index] > np.finfo(out.dtype).tiny, out[self.index], np.finfo(out.dtype).tiny
    )
    return np.log(1 / self.right.astype(np.longdouble)).astype(float).mean()


@variant("loss with attributes of its own", LOSS + "backward")
def loss_backward_attributes(self):
    dout = np.zeros(self.shape, order="F")
    np.add.at(dout, self.index, -1.0 / self.right)
    return dout / self.N


@variant("loss by take_along_axis", LOSS + "forward")
def loss_forward_take(self, out, y):
    p = np.maximum(np.take_along_axis(out, y.reshape(-1, 1), axis=1), np.finfo(out.dtype).tiny)
    self.cache = (p, y.reshape(-1, 1), out)
    return np.average(-np.log(p))


@variant("loss by take_along_axis", LOSS + "backward")
def loss_backward_put(self):
    p, y, out = self.cache
    dout = 0 * out
    np.put_along_axis(dout, y, -1 / (len(y) * p), axis=1)
    return dout


@variant("relu by halves", RELU + "forward")
def relu_forward_halves(self, x):
    self.cache = np.sign(x)
    return (x + np.abs(x)) / 2


@variant("relu by halves", RELU + "backward")
def relu_backward_halves(self, dout):
    return dout * (1 + self.cache) / 2


@variant("sequential by reduce", SEQUENTIAL + "forward")
def sequential_forward_reduce(self, x):
    from functools import reduce

    return reduce(lambda out, module: module.forward(out), self.modules, x)


@variant("sequential by reduce", SEQUENTIAL + "backward")
def sequential_backward_stack(self, dout):
    left = list(self.modules)
    while left:
        dout = left.pop().backward(dout)
    return dout


@variant("sequential by reduce", SEQUENTIAL + "predict")
def predict_module_by_module(self, x):
    for module in self.modules:
        x = module.forward(x)
    return np.array([np.flatnonzero(row == row.max())[0] for row in x], dtype=np.int32)


@variant("sgd by names of its own", SGD)
def step_by_module(self):
    for parameter in list(self.net.parameters):
        step = self.lr * parameter.grad
        step = step + (self.lr * self.weight_decay * parameter.value if parameter.decay else 0)
        parameter.value = np.subtract(parameter.value, step)


@variant("batches by slices of pairs", BATCHES)
def batches_iterator(self, batch_size, rng=None):
    generator = np.random.default_rng() if rng is None else rng
    order = generator.choice(len(self.x_train), size=len(self.x_train), replace=False)
    for i in range(math.ceil(len(order) / batch_size)):
        index = order[i * batch_size : min((i + 1) * batch_size, len(order))]
        yield np.take(self.x_train, index, axis=0), np.take(self.y_train, index)


@variant("accuracy by counting", ACCURACY)
def accuracy_counted(out, y):
    try:
        N, _ = out.shape
        labels = np.argmax(out, axis=1)
    except ValueError:
        N, labels = len(out), out
    return sum(labels == y) / N


@variant("trainer that keeps its losses", STEP)
def trainer_step_keeping(self, x, y):
    self.last_x, self.last_y = x, y
    out = self.net.forward(x)
    self.last_loss = float(self.loss_func.forward(out, y))
    self.dx = self.net.backward(self.loss_func.backward())
    self.optim.step()
    return self.last_loss
