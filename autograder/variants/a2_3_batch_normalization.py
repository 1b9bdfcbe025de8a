"""Right solutions of a2/3_batch_normalization in other styles."""

import numpy as np

from handgrad.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss
from handgrad.layers.norm import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
)

from . import variant

BATCH = "handgrad.layers.norm.batchnorm_"
LAYER = "handgrad.layers.norm.layernorm_"
NET = "handgrad.classifiers.fc_net.FullyConnectedNet."


# ---- loops, number by number


@variant("loops", BATCH + "forward")
def batchnorm_forward_loops(x, gamma, beta, bn_param):
    N, D = x.shape
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    running_mean = list(bn_param.get("running_mean", np.zeros(D)))
    running_var = list(bn_param.get("running_var", np.ones(D)))
    out, xhat, stds = np.zeros((N, D)), np.zeros((N, D)), []
    for d in range(D):
        if bn_param["mode"] == "train":
            mean = sum(x[:, d]) / N
            var = sum((value - mean) ** 2 for value in x[:, d]) / N
            running_mean[d] = momentum * running_mean[d] + (1 - momentum) * mean
            running_var[d] = momentum * running_var[d] + (1 - momentum) * var
        else:
            mean, var = running_mean[d], running_var[d]
        stds.append((var + eps) ** 0.5)
        for n in range(N):
            xhat[n, d] = (x[n, d] - mean) / stds[d]
            out[n, d] = gamma[d] * xhat[n, d] + beta[d]
    if bn_param["mode"] == "train":
        bn_param["running_mean"], bn_param["running_var"] = np.array(running_mean), np.array(running_var)
    return out, (xhat, gamma, stds, bn_param["mode"])


@variant("loops", BATCH + "backward")
def batchnorm_backward_loops(dout, cache):
    xhat, gamma, stds, mode = cache
    N, D = dout.shape
    dx, dgamma, dbeta = np.zeros((N, D)), np.zeros(D), np.zeros(D)
    for d in range(D):
        for n in range(N):
            dgamma[d] += dout[n, d] * xhat[n, d]
            dbeta[d] += dout[n, d]
        for n in range(N):
            for m in range(N):  # out[m] by x[n]
                slope = float(n == m)
                if mode == "train":
                    slope -= (1 + xhat[n, d] * xhat[m, d]) / N
                dx[n, d] += dout[m, d] * gamma[d] / stds[d] * slope
    return dx, dgamma, dbeta


@variant("loops", BATCH + "backward_alt")
def batchnorm_backward_alt_loops(dout, cache):
    xhat, gamma, stds, mode = cache
    N, D = dout.shape
    dgamma, dbeta = sum(dout * xhat), sum(dout)
    columns = []
    for d in range(D):
        column = dout[:, d].copy()
        if mode == "train":
            column -= (dbeta[d] + dgamma[d] * xhat[:, d]) / N
        columns.append(gamma[d] * column / stds[d])
    return np.array(columns).T, dgamma, dbeta


@variant("loops", LAYER + "forward")
def layernorm_forward_loops(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    out, cache = [], []
    for row in x:
        mean = sum(row) / len(row)
        std = (sum((row - mean) ** 2) / len(row) + eps) ** 0.5
        cache.append(((row - mean) / std, std, gamma))
        out.append(gamma * cache[-1][0] + beta)
    return np.array(out), cache


@variant("loops", LAYER + "backward")
def layernorm_backward_loops(dout, cache):
    dx, dgamma, dbeta = [], 0, 0
    for drow, (xhat, std, gamma) in zip(dout, cache, strict=True):
        dgamma = dgamma + drow * xhat
        dbeta = dbeta + drow
        dxhat = drow * gamma
        dx.append((dxhat - dxhat.mean() - xhat * (dxhat * xhat).mean()) / std)
    return np.array(dx), dgamma, dbeta


# ---- the graph of the forward pass, one node after the other, everything kept


@variant("graph", BATCH + "forward")
def batchnorm_forward_graph(x, gamma, beta, bn_param):
    mode = bn_param["mode"]
    eps = bn_param.get("eps", 1e-5)
    momentum = bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.ones(D, dtype=x.dtype))
    if mode == "train":
        mu = 1 / float(N) * np.sum(x, axis=0)
        xmu = x - mu
        sq = xmu**2
        var = 1 / float(N) * np.sum(sq, axis=0)
        sqrtvar = np.sqrt(var + eps)
        ivar = 1.0 / sqrtvar
        xhat = xmu * ivar
        out = gamma * xhat + beta
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
        cache = [xhat, gamma, xmu, ivar, sqrtvar, var, eps]
    elif mode == "test":
        xhat = (x - running_mean) / np.sqrt(running_var + eps)
        out = gamma * xhat + beta
        cache = [xhat, gamma, None, 1 / np.sqrt(running_var + eps), None, running_var, eps]
    bn_param["running_mean"] = running_mean
    bn_param["running_var"] = running_var
    return out, cache


@variant("graph", BATCH + "backward")
def batchnorm_backward_graph(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache
    N, D = dout.shape
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    if xmu is None:
        return dxhat * ivar, dgamma, dbeta
    divar = np.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    dsqrtvar = -1.0 / (sqrtvar**2) * divar
    dvar = 0.5 * 1.0 / np.sqrt(var + eps) * dsqrtvar
    dsq = 1.0 / N * np.ones((N, D)) * dvar
    dxmu2 = 2 * xmu * dsq
    dx1 = dxmu1 + dxmu2
    dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
    dx2 = 1.0 / N * np.ones((N, D)) * dmu
    return dx1 + dx2, dgamma, dbeta


@variant("graph", BATCH + "backward_alt")
def batchnorm_backward_alt_graph(dout, cache):
    xhat, gamma, xmu, _, _, var, eps = cache
    N = len(dout)
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    if xmu is None:
        return dout * gamma / np.sqrt(var + eps), dgamma, dbeta
    first = (1.0 / N) * gamma * (var + eps) ** (-1.0 / 2.0)
    second = N * dout - dbeta - xmu * (var + eps) ** (-1.0) * np.sum(dout * xmu, axis=0)
    return first * second, dgamma, dbeta


@variant("graph", LAYER + "forward")
def layernorm_forward_graph(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    mu = np.mean(x, axis=1)[:, np.newaxis]
    xmu = x - mu
    var = np.mean(xmu * xmu, axis=1).reshape(-1, 1)
    std = np.sqrt(var + eps)
    xhat = xmu / std
    return gamma[np.newaxis, :] * xhat + beta[np.newaxis, :], [x, mu, xmu, var, std, xhat, gamma, beta, eps]


@variant("graph", LAYER + "backward")
def layernorm_backward_graph(dout, cache):
    _, _, xmu, var, std, xhat, gamma, _, eps = cache
    D = dout.shape[1]
    dxhat = dout * gamma
    dvar = np.sum(dxhat * xmu, axis=1, keepdims=True) * -0.5 * (var + eps) ** -1.5
    dmu = -np.sum(dxhat / std, axis=1, keepdims=True) + dvar * np.mean(-2 * xmu, axis=1, keepdims=True)
    dx = dxhat / std + dvar * 2 * xmu / D + dmu / D
    return dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0)


# ---- batch norm of the transpose is layer norm; dictionaries as caches


def _normalise(x, axis, eps):
    mean = np.mean(x, axis=axis, keepdims=True)
    deviation = np.sqrt(np.var(x, axis=axis, keepdims=True) + eps)
    return (x - mean) / deviation, mean, deviation


@variant("dict cache", BATCH + "forward")
def batchnorm_forward_dict(x, gamma, beta, bn_param):
    eps = bn_param.get("eps", 1e-5)
    cache = {"gamma": gamma, "mode": bn_param["mode"], "x": x, "comment": "nothing is missing here"}
    if bn_param["mode"] == "train":
        m = bn_param.get("momentum", 0.9)
        cache["xhat"], mean, cache["std"] = _normalise(x, 0, eps)
        old_mean, old_var = (
            bn_param.get(f"running_{name}", start) for name, start in (("mean", 0), ("var", 1))
        )
        bn_param["running_mean"] = m * old_mean + (1 - m) * mean.flatten()
        bn_param["running_var"] = m * old_var + (1 - m) * np.var(x, axis=0)
    else:
        cache["std"] = np.sqrt(bn_param["running_var"] + eps)
        cache["xhat"] = (x - bn_param["running_mean"]) / cache["std"]
    return cache["xhat"] * gamma + beta, cache


@variant("dict cache", BATCH + "backward")
def batchnorm_backward_dict(dout, cache):
    xhat = cache["xhat"]
    dxhat = np.einsum("nd,d->nd", dout, cache["gamma"])
    dx = dxhat.copy()
    if cache["mode"] == "train":
        dx -= dxhat.mean(axis=0)
        dx -= np.einsum("nd,md,md->nd", xhat, dxhat, xhat) / len(xhat)
    return dx / cache["std"], np.einsum("nd,nd->d", dout, xhat), np.einsum("nd->d", dout)


@variant("dict cache", BATCH + "backward_alt")
def batchnorm_backward_alt_dict(dout, cache):
    return batchnorm_backward_dict(dout, cache)


@variant("dict cache", LAYER + "forward")
def layernorm_forward_dict(x, gamma, beta, ln_param):
    xhat, _, std = _normalise(x.T, 0, ln_param.get("eps", 1e-5))
    return (xhat.T * gamma) + beta, {"xhat": xhat, "std": std, "gamma": gamma.reshape(-1, 1)}


@variant("dict cache", LAYER + "backward")
def layernorm_backward_dict(dout, cache):
    dout = dout.T
    xhat, D = cache["xhat"], len(dout)
    dxhat = dout * cache["gamma"]
    dx = (D * dxhat - dxhat.sum(0) - xhat * (dxhat * xhat).sum(0)) / (D * cache["std"])
    return dx.T, (dout * xhat).sum(axis=1), dout.sum(axis=1)


# ---- on what was handed in, in place


@variant("in place", BATCH + "forward")
def batchnorm_forward_in_place(x, gamma, beta, bn_param):
    eps, m = bn_param.setdefault("eps", 1e-5), bn_param.setdefault("momentum", 0.9)
    D = x.shape[1]
    bn_param.setdefault("running_mean", np.zeros(D))
    bn_param.setdefault("running_var", np.ones(D))
    if bn_param["mode"] == "train":
        mean = x.mean(0)
        x -= mean
        var = np.einsum("nd,nd->d", x, x) / len(x)
        bn_param["running_mean"] *= m
        bn_param["running_mean"] += (1 - m) * mean
        bn_param["running_var"] *= m
        bn_param["running_var"] += (1 - m) * var
    else:
        x -= bn_param["running_mean"]
        var = bn_param["running_var"]
    std = np.sqrt(var + eps)
    x /= std
    return x * gamma + beta, [x, std, gamma.copy(), bn_param["mode"] == "train"]


@variant("in place", BATCH + "backward")
def batchnorm_backward_in_place(dout, cache):
    xhat, std, gamma, training = cache
    dbeta = dout.sum(0)
    dgamma = (xhat * dout).sum(0)
    if training:
        dout -= dbeta / len(dout)
        xhat *= dgamma / len(dout)
        dout -= xhat
    dout *= gamma
    dout /= std
    return dout, dgamma, dbeta


variant("in place", BATCH + "backward_alt")(batchnorm_backward_in_place)


@variant("in place", LAYER + "forward")
def layernorm_forward_in_place(x, gamma, beta, ln_param):
    x -= x.mean(axis=1, keepdims=True)
    std = np.sqrt((x**2).mean(axis=1, keepdims=True) + ln_param.get("eps", 1e-5))
    x /= std
    return gamma * x + beta, [x, std, gamma]


@variant("in place", LAYER + "backward")
def layernorm_backward_in_place(dout, cache):
    xhat, std, gamma = cache
    dbeta, dgamma = dout.sum(0), (xhat * dout).sum(0)
    dout *= gamma
    along = (dout * xhat).mean(1, keepdims=True)
    dout -= dout.mean(1, keepdims=True)
    xhat *= along
    dout -= xhat
    dout /= std
    return dout, dgamma, dbeta


# ---- (1, D) everywhere, also for running averages; variance by the mean of the squares


@variant("row vectors", BATCH + "forward")
def batchnorm_forward_rows(x, gamma, beta, bn_param):
    eps, m = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    gamma, beta = gamma.reshape(1, -1), beta.reshape(1, -1)
    mean = np.reshape(bn_param.get("running_mean", np.zeros(x.shape[1])), (1, -1))
    var = np.reshape(bn_param.get("running_var", np.ones(x.shape[1])), (1, -1))
    if bn_param["mode"] == "train":
        batch_mean = x.mean(axis=0, keepdims=True)
        batch_var = (x * x).mean(axis=0, keepdims=True) - batch_mean**2
        bn_param["running_mean"] = m * mean + (1 - m) * batch_mean
        bn_param["running_var"] = m * var + (1 - m) * batch_var
        mean, var = batch_mean, np.maximum(batch_var, 0)
    xhat = (x - mean) * (var + eps) ** -0.5
    return xhat * gamma + beta, (x, xhat, mean, var, gamma, eps, bn_param["mode"])


@variant("row vectors", BATCH + "backward")
def batchnorm_backward_rows(dout, cache):
    x, xhat, mean, var, gamma, eps, mode = cache
    N = x.shape[0]
    dbeta, dgamma = dout.sum(axis=0, keepdims=True), (dout * xhat).sum(axis=0, keepdims=True)
    dxhat = dout * gamma
    dx = dxhat / np.sqrt(var + eps)
    if mode == "train":
        dvar = np.sum(dxhat * (x - mean), axis=0, keepdims=True) * -0.5 * (var + eps) ** -1.5
        # var = (mean of the squares) - (square of the mean)
        dmean = -dx.sum(axis=0, keepdims=True) - 2 * mean * dvar
        dx = dx + dvar * 2 * x / N + dmean / N
    return dx, dgamma, dbeta


@variant("row vectors", BATCH + "backward_alt")
def batchnorm_backward_alt_rows(dout, cache):
    _, xhat, _, var, gamma, eps, mode = cache
    dbeta, dgamma = dout.sum(axis=0, keepdims=True), (dout * xhat).sum(axis=0, keepdims=True)
    if mode == "train":
        dout = dout - (dbeta + xhat * dgamma) / dout.shape[0]
    return gamma * dout * (var + eps) ** -0.5, dgamma, dbeta


@variant("row vectors", LAYER + "forward")
def layernorm_forward_rows(x, gamma, beta, ln_param):
    mean = x.mean(axis=1, keepdims=True)
    var = np.maximum((x * x).mean(axis=1, keepdims=True) - mean**2, 0)
    xhat = (x - mean) * (var + ln_param.get("eps", 1e-5)) ** -0.5
    return np.asfortranarray(xhat * gamma + beta), (xhat, var, gamma.reshape(1, -1), ln_param)


@variant("row vectors", LAYER + "backward")
def layernorm_backward_rows(dout, cache):
    xhat, var, gamma, ln_param = cache
    dxhat = dout * gamma
    dx = dxhat - np.mean(dxhat, 1, keepdims=True) - xhat * np.mean(dxhat * xhat, 1, keepdims=True)
    dx /= np.sqrt(var + ln_param.get("eps", 1e-5))
    return (
        np.asfortranarray(dx),
        (dout * xhat).sum(axis=0, keepdims=True),
        dout.sum(axis=0, keepdims=True),
    )


# ---- eps added to the standard deviation


@variant("eps outside", BATCH + "forward")
def batchnorm_forward_eps(x, gamma, beta, bn_param):
    eps, m = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    if bn_param["mode"] == "test":
        std = np.sqrt(bn_param["running_var"])
        centred = x - bn_param["running_mean"]
        return gamma * centred / (std + eps) + beta, (centred, std, eps, gamma, False)
    mean, std = x.mean(axis=0), x.std(axis=0)
    bn_param["running_mean"] = m * bn_param.get("running_mean", np.zeros_like(mean)) + (1 - m) * mean
    bn_param["running_var"] = m * bn_param.get("running_var", np.ones_like(mean)) + (1 - m) * std**2
    return gamma * (x - mean) / (std + eps) + beta, (x - mean, std, eps, gamma, True)


@variant("eps outside", BATCH + "backward")
def batchnorm_backward_eps(dout, cache):
    centred, std, eps, gamma, training = cache
    dcentred = dout * gamma / (std + eps)
    if training:
        dstd = -np.sum(dout * gamma * centred, axis=0) / (std + eps) ** 2
        dcentred += dstd * centred / std / len(dout)  # std = sqrt(mean of centred**2)
        dcentred -= dcentred.mean(axis=0)
    return dcentred, np.sum(dout * centred, axis=0) / (std + eps), np.sum(dout, axis=0)


variant("eps outside", BATCH + "backward_alt")(batchnorm_backward_eps)


@variant("eps outside", LAYER + "forward")
def layernorm_forward_eps(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    centred, std = x - x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    return gamma * centred / (std + eps) + beta, (centred, std, eps, gamma)


@variant("eps outside", LAYER + "backward")
def layernorm_backward_eps(dout, cache):
    centred, std, eps, gamma = cache
    dxhat = dout * gamma
    dstd = -np.sum(dxhat * centred, axis=1, keepdims=True) / (std + eps) ** 2
    dcentred = dxhat / (std + eps) + dstd * centred / std / dout.shape[1]
    dx = dcentred - dcentred.mean(axis=1, keepdims=True)
    return dx, np.sum(dout * centred / (std + eps), axis=0), np.sum(dout, axis=0)


# ---- float32 inside


def in_float32(function):
    """The function with arrays of numbers in single precision."""

    def single(value):
        return (
            value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
        )

    def wrapped(*args):
        return function(*map(single, args))

    return wrapped


variant("float32", BATCH + "forward")(in_float32(batchnorm_forward_graph))
variant("float32", BATCH + "backward")(in_float32(batchnorm_backward_graph))
variant("float32", BATCH + "backward_alt")(in_float32(batchnorm_backward_alt_graph))
variant("float32", LAYER + "forward")(in_float32(layernorm_forward_graph))
variant("float32", LAYER + "backward")(in_float32(layernorm_backward_graph))


# ---- an object as cache, which knows how to go back; Jacobians; averages the way PyTorch writes them


class Normaliser:
    """Normalises columns; the Jacobian is that of one column after the other."""

    def __init__(self, x, eps):
        self.mean, self.var = x.mean(axis=0), x.var(axis=0)
        self.std = np.sqrt(self.var + eps)
        self.normalised = (x - self.mean) / self.std

    def backward(self, dnormalised):
        N, D = dnormalised.shape
        dx = np.empty((N, D))
        for d in range(D):
            column = self.normalised[:, d]
            jacobian = (np.eye(N) - 1 / N - np.outer(column, column) / N) / self.std[d]
            dx[:, d] = jacobian @ dnormalised[:, d]
        return dx


class Fixed(Normaliser):
    """The same with a given mean and variance."""

    def __init__(self, x, mean, var, eps):
        self.std = np.sqrt(var + eps)
        self.normalised = (x - mean) / self.std

    def backward(self, dnormalised):
        return dnormalised / self.std


@variant("object cache", BATCH + "forward")
def batchnorm_forward_object(x, gamma, beta, bn_param):
    eps, share = bn_param.get("eps", 1e-5), 1 - bn_param.get("momentum", 0.9)
    if bn_param["mode"] == "test":
        cache = Fixed(x, bn_param["running_mean"], bn_param["running_var"], eps)
    else:
        cache = Normaliser(x, eps)
        start = {"running_mean": np.zeros(x.shape[1]), "running_var": np.ones(x.shape[1])}
        for name, value in (("running_mean", cache.mean), ("running_var", cache.var)):
            old = bn_param.get(name, start[name])
            bn_param[name] = old + share * (value - old)
    cache.gamma = gamma
    return gamma * cache.normalised + beta, cache


@variant("object cache", BATCH + "backward")
def batchnorm_backward_object(dout, cache):
    dgamma = np.diag(dout.T @ cache.normalised).copy()
    return cache.backward(dout * cache.gamma), dgamma, np.ones(len(dout)) @ dout


variant("object cache", BATCH + "backward_alt")(batchnorm_backward_object)


@variant("object cache", LAYER + "forward")
def layernorm_forward_object(x, gamma, beta, ln_param):
    cache = Normaliser(x.T, ln_param.get("eps", 1e-5))
    cache.gamma = gamma
    return gamma * cache.normalised.T + beta, cache


@variant("object cache", LAYER + "backward")
def layernorm_backward_object(dout, cache):
    dx = cache.backward((dout * cache.gamma).T).T
    return dx, (dout * cache.normalised.T).sum(0), dout.sum(0)


# ---- nothing in the cache but the inputs


@variant("cache of inputs", BATCH + "forward")
def batchnorm_forward_inputs(x, gamma, beta, bn_param):
    out, _ = batchnorm_forward(x, gamma, beta, bn_param)
    return out, (x, gamma, dict(bn_param))


@variant("cache of inputs", BATCH + "backward")
def batchnorm_backward_inputs(dout, cache):
    x, gamma, param = cache
    if param["mode"] == "test":
        scale = 1 / np.sqrt(param["running_var"] + param.get("eps", 1e-5))
        normalised = (x - param["running_mean"]) * scale
        return dout * gamma * scale, (dout * normalised).sum(0), dout.sum(0)
    scale = 1 / np.sqrt(x.var(0) + param.get("eps", 1e-5))
    centred = x - x.mean(0)
    centre = dout - dout.mean(0)
    dx = gamma * scale * (centre - centred * scale**2 * (centre * centred).mean(0))
    return dx, (dout * centred).sum(0) * scale, dout.sum(0)


variant("cache of inputs", BATCH + "backward_alt")(batchnorm_backward_inputs)


@variant("cache of inputs", LAYER + "forward")
def layernorm_forward_inputs(x, gamma, beta, ln_param):
    rows = x - np.mean(x, axis=1, keepdims=True)
    rows = rows / np.sqrt(np.mean(rows**2, axis=1, keepdims=True) + ln_param.get("eps", 1e-5))
    return np.multiply(rows, gamma) + beta, (x, gamma, ln_param)


@variant("cache of inputs", LAYER + "backward")
def layernorm_backward_inputs(dout, cache):
    x, gamma, param = cache
    scale = 1 / np.sqrt(x.var(1, keepdims=True) + param.get("eps", 1e-5))
    normalised = (x - x.mean(1, keepdims=True)) * scale
    g = dout * gamma
    dx = scale * (g - g.mean(1)[:, None] - normalised * (g * normalised).mean(1)[:, None])
    return dx, (dout * normalised).sum(0), dout.sum(0)


# ---- networks


@variant("net with a list of layers", NET + "loss")
def loss_with_layers(self, X, y=None):
    mode = "test" if y is None else "train"
    X = np.asarray(X, dtype=self.dtype)
    self.dropout_param["mode"] = mode
    for bn_param in self.bn_params:
        bn_param["mode"] = mode
    backs, h = [], X
    for i in range(1, self.num_layers + 1):
        h, cache = affine_forward(h, self.params[f"W{i}"], self.params[f"b{i}"])
        backs.append((affine_backward, cache, (f"W{i}", f"b{i}")))
        if i == self.num_layers:
            break
        names = (f"gamma{i}", f"beta{i}")
        if self.normalization == "batchnorm":
            h, cache = batchnorm_forward(h, *(self.params[n] for n in names), self.bn_params[i - 1])
            backs.append((batchnorm_backward, cache, names))
        if self.normalization == "layernorm":
            h, cache = layernorm_forward(h, *(self.params[n] for n in names), {"eps": 1e-5})
            backs.append((layernorm_backward, cache, names))
        h, cache = relu_forward(h)
        backs.append((lambda d, c: (relu_backward(d, c),), cache, ()))
        if self.use_dropout:
            from handgrad.layers import dropout_backward, dropout_forward

            h, cache = dropout_forward(h, self.dropout_param)
            backs.append((lambda d, c, back=dropout_backward: (back(d, c),), cache, ()))
    if y is None:
        return h
    loss, d = softmax_loss(h, y)
    grads = {}
    for back, cache, names in reversed(backs):
        d, *found = back(d, cache)
        grads.update(zip(names, found, strict=True))
    for name, p in self.params.items():
        if name.startswith("W"):
            loss += self.reg * (p * p).sum() / 2
            grads[name] = grads[name] + self.reg * p
    return loss, grads


@variant("net in single precision", NET + "loss")
def loss_single(self, X, y=None):
    kept, dtype = self.params, self.dtype
    self.params = {name: p.astype(np.float32) for name, p in kept.items()}
    self.dtype = np.dtype(np.float32)
    try:
        return loss_with_layers(self, X, y)
    finally:
        self.params, self.dtype = kept, dtype


@variant("net with row gradients", NET + "loss")
def loss_with_rows(self, X, y=None):
    result = loss_with_layers(self, X, y)
    if y is None:
        return np.asfortranarray(result)
    grads = {n: g[None] if g.ndim == 1 else np.asfortranarray(g) for n, g in result[1].items()}
    return np.float32(result[0]) if self.dtype == np.float32 else result[0], grads | {"more": np.zeros(3)}


@variant("net that normalises by itself", NET + "loss")
def loss_by_hand(self, X, y=None):
    """No function of the layers; for networks without dropout."""
    if self.use_dropout:
        return loss_with_layers(self, X, y)
    p, train = self.params, y is not None
    L = self.num_layers
    h, kept = X.reshape(len(X), -1).astype(self.dtype), {}
    for i in range(1, L):
        below, h = h, h @ p[f"W{i}"] + p[f"b{i}"]
        axis = 0 if self.normalization == "batchnorm" else 1
        xhat, scale = h, 1.0
        if self.normalization:
            mean, var = h.mean(axis=axis, keepdims=True), h.var(axis=axis, keepdims=True)
            if axis == 0:
                bn = self.bn_params[i - 1]
                if train:
                    for name, start, new in (("running_mean", 0, mean), ("running_var", 1, var)):
                        bn[name] = 0.9 * bn.get(name, start) + 0.1 * new[0]
                else:
                    mean, var = bn.get("running_mean", 0.0), bn.get("running_var", 1.0)
            scale = 1 / np.sqrt(var + 1e-5)
            xhat = (h - mean) * scale
            h = p[f"gamma{i}"] * xhat + p[f"beta{i}"]
        kept[i] = below, xhat, scale, h > 0, axis
        h = h * (h > 0)
    scores = h @ p[f"W{L}"] + p[f"b{L}"]
    if not train:
        return scores
    loss, d = softmax_loss(scores, y)
    grads = {f"W{L}": h.T @ d, f"b{L}": d.sum(0)}
    d = d @ p[f"W{L}"].T
    for i in range(L - 1, 0, -1):
        below, xhat, scale, on, axis = kept[i]
        d = d * on
        if self.normalization:
            grads[f"gamma{i}"], grads[f"beta{i}"] = (d * xhat).sum(0), d.sum(0)
            d = d * p[f"gamma{i}"]
            d = d - d.mean(axis, keepdims=True) - xhat * (d * xhat).mean(axis, keepdims=True)
            d = d * scale
        grads[f"W{i}"], grads[f"b{i}"] = below.T @ d, d.sum(0)
        d = d @ p[f"W{i}"].T
    for i in range(1, L + 1):
        loss += 0.5 * self.reg * (p[f"W{i}"] ** 2).sum()
        grads[f"W{i}"] += self.reg * p[f"W{i}"]
    return loss, grads


@variant("net that goes back by the short formula", NET + "loss")
def loss_short(self, X, y=None):
    """Sandwiches of affine, normalisation and ReLU; for networks without dropout."""
    if self.use_dropout:
        return loss_with_layers(self, X, y)
    X = np.asarray(X, dtype=self.dtype)
    for param in self.bn_params:
        param["mode"] = "train" if y is not None else "test"

    def sandwich(x, i):
        out, fc = affine_forward(x, self.params["W" + str(i)], self.params["b" + str(i)])
        norm = None
        if self.normalization is not None:
            scales = self.params["gamma" + str(i)], self.params["beta" + str(i)]
            if self.normalization == "batchnorm":
                out, norm = batchnorm_forward(out, *scales, self.bn_params[i - 1])
            else:
                out, norm = layernorm_forward(out, *scales, {})
        out, relu = relu_forward(out)
        return out, (fc, norm, relu)

    out, caches = X, {}
    for i in range(1, self.num_layers):
        out, caches[i] = sandwich(out, i)
    L = str(self.num_layers)
    scores, last = affine_forward(out, self.params["W" + L], self.params["b" + L])
    if y is None:
        return scores
    loss, dscores = softmax_loss(scores, y)
    weights = [self.params["W" + str(i)] for i in range(1, self.num_layers + 1)]
    loss += 0.5 * self.reg * sum(np.linalg.norm(w) ** 2 for w in weights)
    dout, dW, db = affine_backward(dscores, last)
    grads = {"W" + L: dW + self.reg * self.params["W" + L], "b" + L: db}
    for i in sorted(caches, reverse=True):
        fc, norm, relu = caches[i]
        dout = relu_backward(dout, relu)
        if norm is not None:
            short = batchnorm_backward_alt if self.normalization == "batchnorm" else layernorm_backward
            dout, grads["gamma" + str(i)], grads["beta" + str(i)] = short(dout, norm)
        dout, dW, grads["b" + str(i)] = affine_backward(dout, fc)
        grads["W" + str(i)] = dW + self.reg * self.params["W" + str(i)]
    return loss, grads


# ---- parameters


@variant("gamma and beta in a loop of their own", NET + "__init__")
def init_other(
    self,
    hidden_dims,
    input_dim=3 * 32 * 32,
    num_classes=10,
    dropout=1,
    normalization=None,
    reg=0.0,
    weight_scale=1e-2,
    dtype=np.float32,
    seed=None,
):
    self.normalization = normalization
    self.use_dropout = dropout != 1
    self.reg = reg
    self.num_layers = len(hidden_dims) + 1
    self.dtype = np.dtype(dtype)
    self.params = {}
    sizes = [input_dim, *hidden_dims, num_classes]
    for i in range(self.num_layers):
        self.params["W" + str(i + 1)] = np.random.normal(0, weight_scale, sizes[i : i + 2])
        self.params["b" + str(i + 1)] = np.zeros((sizes[i + 1],))
    if normalization:
        for i, width in enumerate(hidden_dims):
            self.params["beta" + str(i + 1)] = np.full(width, 0.0)
            self.params["gamma" + str(i + 1)] = np.full(width, 1.0)
    self.dropout_param = {"mode": "train", "p": dropout}
    if seed is not None:
        self.dropout_param["seed"] = seed
    self.bn_params = [{"mode": "train"} for _ in hidden_dims] if normalization == "batchnorm" else []
    for name in self.params:
        self.params[name] = self.params[name].astype(dtype)
