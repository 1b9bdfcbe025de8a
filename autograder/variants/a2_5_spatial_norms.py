"""Right solutions of the normalisation half of a2/5_convolutional_networks in other styles."""

import numpy as np

from handgrad.layers import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)

from . import variant

BATCH = "handgrad.layers.norm.spatial_batchnorm_"
GROUP = "handgrad.layers.norm.spatial_groupnorm_"


# ---- loops, channel by channel and group by group


@variant("loops", BATCH + "forward")
def batch_forward_loops(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    out, caches = np.zeros(x.shape), []
    means, variances = np.zeros(C), np.zeros(C)
    for c in range(C):
        column = x[:, c].reshape(-1, 1)
        param = dict(bn_param)
        for key in ("running_mean", "running_var"):
            if key in bn_param:
                param[key] = bn_param[key].reshape(-1)[c : c + 1]
        result, cache = batchnorm_forward(column, gamma[c : c + 1], beta[c : c + 1], param)
        out[:, c] = result.reshape(N, H, W)
        caches.append(cache)
        if bn_param["mode"] == "train":
            means[c], variances[c] = param["running_mean"][0], param["running_var"][0]
    if bn_param["mode"] == "train":
        bn_param["running_mean"], bn_param["running_var"] = means, variances
    return out, caches


@variant("loops", BATCH + "backward")
def batch_backward_loops(dout, caches):
    dx = np.zeros_like(dout)
    dgamma, dbeta = np.zeros(len(caches)), np.zeros(len(caches))
    for c, cache in enumerate(caches):
        part, g, b = batchnorm_backward(dout[:, c].reshape(-1, 1), cache)
        dx[:, c], dgamma[c], dbeta[c] = part.reshape(dx[:, c].shape), g[0], b[0]
    return dx, dgamma, dbeta


@variant("loops", GROUP + "forward")
def group_forward_loops(x, gamma, beta, G, gn_param):
    N, C = x.shape[:2]
    size, out = C // G, x.copy()
    stds = np.zeros((N, G))
    for n in range(N):
        for g in range(G):
            these = slice(g * size, (g + 1) * size)
            group = x[n, these]
            stds[n, g] = np.sqrt(group.var() + gn_param.get("eps", 1e-5))
            out[n, these] = (group - group.mean()) / stds[n, g]
    return out * gamma + beta, (out, stds, gamma, G)


@variant("loops", GROUP + "backward")
def group_backward_loops(dout, cache):
    normalized, stds, gamma, G = cache
    N, C = dout.shape[:2]
    size, dx = C // G, np.zeros(dout.shape)
    for n in range(N):
        for g in range(G):
            these = slice(g * size, (g + 1) * size)
            d, z = dout[n, these] * gamma[0, these], normalized[n, these]
            dx[n, these] = (d - d.mean() - z * (d * z).mean()) / stds[n, g]
    dgamma = [np.sum(dout[:, c] * normalized[:, c]) for c in range(C)]
    dbeta = [np.sum(dout[:, c]) for c in range(C)]
    return dx, np.array(dgamma), np.array(dbeta)  # (C,)


# ---- own formulas, einsum


@variant("einsum", BATCH + "forward")
def batch_forward_einsum(x, gamma, beta, bn_param):
    mode, eps, momentum = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    N, C, H, W = x.shape
    running_mean = bn_param.get("running_mean", np.zeros((1, C)))
    running_var = bn_param.get("running_var", np.ones((1, C)))
    if mode == "train":
        mean = np.einsum("nchw->c", x) / (N * H * W)
        centred = x - mean.reshape(1, C, 1, 1)
        var = np.einsum("nchw,nchw->c", centred, centred) / (N * H * W)
        # Kept as rows, (1, C).
        bn_param["running_mean"] = momentum * running_mean.reshape(1, C) + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var.reshape(1, C) + (1 - momentum) * var
    else:
        var = running_var.reshape(C)
        centred = x - running_mean.reshape(1, C, 1, 1)
    std = np.sqrt(var) + eps  # eps outside of the root
    z = np.einsum("nchw,c->nchw", centred, 1 / std)
    out = np.einsum("nchw,c->nchw", z, gamma) + beta.reshape(1, C, 1, 1)
    return out, {"z": z, "std": std, "gamma": gamma, "mode": mode, "x": x}


@variant("einsum", BATCH + "backward")
def batch_backward_einsum(dout, cache):
    z, std, gamma = cache["z"], cache["std"], cache["gamma"]
    dbeta, dgamma = np.einsum("nchw->c", dout), np.einsum("nchw,nchw->c", dout, z)
    dx = dout
    if cache["mode"] == "train":
        count = dout[:, 0].size
        dx = dout - dbeta[:, None, None] / count - np.einsum("nchw,c->nchw", z, dgamma) / count
    return np.einsum("nchw,c->nchw", dx, gamma / std), dgamma, dbeta


@variant("einsum", GROUP + "forward")
def group_forward_einsum(x, gamma, beta, G, gn_param):
    N, C, H, W = x.shape
    parts = x.reshape(N, G, C // G, H, W)
    count = C // G * H * W
    mean = np.einsum("ngchw->ng", parts) / count
    parts = parts - mean[..., None, None, None]
    std = np.sqrt(np.einsum("ngchw,ngchw->ng", parts, parts) / count) + gn_param.get("eps", 1e-5)
    z = np.einsum("ngchw,ng->ngchw", parts, 1 / std).reshape(x.shape)
    return np.einsum("nchw,c->nchw", z, gamma.ravel()) + beta, {"z": z, "std": std, "gamma": gamma}


@variant("einsum", GROUP + "backward")
def group_backward_einsum(dout, cache):
    z, std, gamma = cache["z"], cache["std"], cache["gamma"]
    N, C, H, W = dout.shape
    folded = (N, std.shape[1], -1, H, W)
    dz, parts = (gamma * dout).reshape(folded), z.reshape(folded)
    count = dz[0, 0].size
    first = np.einsum("ngchw->ng", dz) / count
    second = np.einsum("ngchw,ngchw->ng", dz, parts) / count
    dx = dz - first[:, :, None, None, None] - parts * second[:, :, None, None, None]
    dx = dx / std[:, :, None, None, None]
    dgamma, dbeta = np.einsum("nchw,nchw->c", dout, z), np.einsum("nchw->c", dout)
    return dx.reshape(dout.shape), dgamma.reshape(1, C, 1, 1), dbeta.reshape(1, C, 1, 1)


# ---- with the functions of notebook 3


@variant("other reshapes", BATCH + "forward")
def batch_forward_swapaxes(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    rows = np.swapaxes(x, 0, 1).reshape(C, N * H * W).T
    out, cache = batchnorm_forward(rows, gamma, beta, bn_param)
    return np.swapaxes(out.T.reshape(C, N, H, W), 0, 1), cache


@variant("other reshapes", BATCH + "backward")
def batch_backward_swapaxes(dout, cache):
    N, C, H, W = dout.shape
    rows = np.swapaxes(dout, 0, 1).reshape(C, N * H * W).T
    dx, dgamma, dbeta = batchnorm_backward(rows, cache)
    dx = np.swapaxes(dx.T.reshape(C, N, H, W), 0, 1)
    return np.asfortranarray(dx), dgamma.reshape(1, -1), dbeta.reshape(1, -1)


@variant("other reshapes", GROUP + "forward")
def group_forward_columns(x, gamma, beta, G, gn_param):
    """Each group of each image is a column, and batch norm without running averages does the work."""
    N, C, H, W = x.shape
    columns = x.reshape(N * G, -1).T
    ones, zeros = np.ones(N * G), np.zeros(N * G)
    z, cache = batchnorm_forward(columns, ones, zeros, {"mode": "train", **gn_param})
    z = z.T.reshape(N, C, H, W)
    return z * gamma + beta, (z, cache, gamma, N * G)


@variant("other reshapes", GROUP + "backward")
def group_backward_columns(dout, cache):
    z, columns_cache, gamma, count = cache
    dz = (dout * gamma).reshape(count, -1).T
    dx, _, _ = batchnorm_backward_alt(dz, columns_cache)
    dbeta, dgamma = dout.sum(axis=(0, 2, 3)), (dout * z).sum(axis=(0, 2, 3))
    return dx.T.reshape(dout.shape), dgamma[:, None, None], dbeta[None]


@variant("moveaxis", BATCH + "forward")
def batch_forward_moveaxis(x, gamma, beta, bn_param):
    last = np.moveaxis(x, 1, -1)
    out, cache = batchnorm_forward(last.reshape(-1, len(gamma)), gamma, beta, bn_param)
    return np.moveaxis(out.reshape(last.shape), -1, 1), ["a list", cache, last.shape]


@variant("moveaxis", BATCH + "backward")
def batch_backward_moveaxis(dout, cache):
    _, rows_cache, shape = cache
    rows = np.moveaxis(dout, 1, -1).reshape(-1, shape[-1])
    dx, dgamma, dbeta = batchnorm_backward_alt(rows, rows_cache)
    return np.moveaxis(dx.reshape(shape), -1, 1), dgamma, dbeta


@variant("moveaxis", GROUP + "forward")
def group_forward_layernorm(x, gamma, beta, G, gn_param):
    """Each group of each image is an example of layer norm."""
    rows = x.reshape(len(x) * G, -1)
    D = rows.shape[1]
    z, cache = layernorm_forward(rows, np.ones(D), np.zeros(D), gn_param)
    return gamma * z.reshape(x.shape) + beta, (cache, z.reshape(x.shape), gamma, G)


@variant("moveaxis", GROUP + "backward")
def group_backward_layernorm(dout, cache):
    rows_cache, z, gamma, G = cache
    dx, _, _ = layernorm_backward((dout * gamma).reshape(len(dout) * G, -1), rows_cache)
    dgamma = np.sum(dout * z, axis=(0, 2, 3), keepdims=True)
    return dx.reshape(dout.shape), dgamma, np.sum(dout, axis=(0, 2, 3), keepdims=True)


# ---- float32 inside


def in_float32(function):
    def wrapped(*args):
        arrays = (a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in args)
        return function(*arrays)

    return wrapped


variant("float32", BATCH + "forward")(in_float32(spatial_batchnorm_forward))
variant("float32", BATCH + "backward")(in_float32(spatial_batchnorm_backward))
variant("float32", GROUP + "forward")(in_float32(spatial_groupnorm_forward))
variant("float32", GROUP + "backward")(in_float32(spatial_groupnorm_backward))


# ---- in place, on what was handed in


@variant("in place", BATCH + "forward")
def batch_forward_in_place(x, gamma, beta, bn_param):
    C = x.shape[1]
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    if bn_param["mode"] == "test":
        mean, var = bn_param["running_mean"], bn_param["running_var"]
    else:
        momentum = bn_param.setdefault("momentum", 0.9)
        bn_param["running_mean"] = bn_param.get("running_mean", 0.0) * momentum + (1 - momentum) * mean
        bn_param["running_var"] = bn_param.get("running_var", np.ones(C)) * momentum + (1 - momentum) * var
    root = np.sqrt(var + bn_param.get("eps", 1e-5))
    x -= mean.reshape(-1, 1, 1)
    x /= root.reshape(-1, 1, 1)
    z = x.copy()
    x *= gamma.reshape(-1, 1, 1)
    x += beta.reshape(-1, 1, 1)
    return x, (z, root, gamma, bn_param)


@variant("in place", BATCH + "backward")
def batch_backward_in_place(dout, cache):
    z, root, gamma, bn_param = cache
    dbeta, dgamma = dout.sum(axis=(0, 2, 3)), (dout * z).sum(axis=(0, 2, 3))
    dout *= (gamma / root)[:, None, None]
    if bn_param["mode"] == "train":
        along = (dout * z).mean(axis=(0, 2, 3), keepdims=True)
        dout -= dout.mean(axis=(0, 2, 3), keepdims=True)
        dout -= z * along
    return dout, dgamma, dbeta


@variant("in place", GROUP + "forward")
def group_forward_in_place(x, gamma, beta, G, gn_param):
    shape = x.shape
    x = np.ascontiguousarray(x).reshape(shape[0], G, -1)
    x -= x.mean(axis=-1, keepdims=True)
    root = np.sqrt((x**2).mean(axis=-1, keepdims=True) + gn_param.get("eps", 1e-5))
    x /= root
    z = x.reshape(shape).copy()
    return z * gamma + beta, (z, root, gamma)


@variant("in place", GROUP + "backward")
def group_backward_in_place(dout, cache):
    z, root, gamma = cache
    dbeta, dgamma = dout.sum(axis=(0, 2, 3)), (dout * z).sum(axis=(0, 2, 3))
    dout *= gamma
    N, G, _ = root.shape
    parts, z = dout.reshape(N, G, -1), z.reshape(N, G, -1)
    parts = parts - parts.mean(-1, keepdims=True) - z * (parts * z).mean(-1, keepdims=True)
    return (parts / root).reshape(dout.shape), dgamma.reshape(1, -1), dbeta.reshape(1, -1)


# ---- step by step through the graph of the forward pass


@variant("step by step", BATCH + "forward")
def batch_forward_steps(x, gamma, beta, bn_param):
    eps, momentum, mode = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9), bn_param["mode"]
    axes = (0, 2, 3)
    gamma, beta = gamma.reshape(1, -1, 1, 1), beta.reshape(1, -1, 1, 1)
    if mode == "train":
        mu = np.mean(x, axis=axes, keepdims=True)
        var = np.mean((x - mu) ** 2, axis=axes, keepdims=True)
        old_mean = bn_param.get("running_mean", np.zeros(x.shape[1]))
        old_var = bn_param.get("running_var", np.ones(x.shape[1]))
        bn_param["running_mean"] = momentum * old_mean + (1 - momentum) * mu.reshape(-1)
        bn_param["running_var"] = momentum * old_var + (1 - momentum) * var.reshape(-1)
    else:
        mu = bn_param["running_mean"].reshape(1, -1, 1, 1)
        var = bn_param["running_var"].reshape(1, -1, 1, 1)
    xmu = x - mu
    ivar = 1.0 / np.sqrt(var + eps)
    xhat = xmu * ivar
    return gamma * xhat + beta, (mode, xhat, xmu, ivar, var, eps, gamma, axes, x.shape[1])


@variant("step by step", BATCH + "backward")
def batch_backward_steps(dout, cache):
    mode, xhat, xmu, ivar, var, eps, gamma, axes, C = cache
    m = dout.size // C
    dbeta = np.sum(dout, axis=axes)
    dgamma = np.sum(dout * xhat, axis=axes)
    dxhat = dout * gamma
    if mode != "train":
        return dxhat * ivar, dgamma, dbeta
    dvar = np.sum(dxhat * xmu * -0.5 * (var + eps) ** (-1.5), axis=axes, keepdims=True)
    dmu = np.sum(-dxhat * ivar, axis=axes, keepdims=True)
    dmu = dmu + dvar * np.sum(-2.0 * xmu, axis=axes, keepdims=True) / m
    return dxhat * ivar + dvar * 2.0 * xmu / m + dmu / m, dgamma, dbeta


@variant("step by step", GROUP + "forward")
def group_forward_steps(x, gamma, beta, G, gn_param):
    eps = gn_param.get("eps", 1e-5)
    N, C, H, W = x.shape
    xg = x.reshape((N, G, C // G, H, W))
    mu = np.mean(xg, axis=(2, 3, 4), keepdims=True)
    var = np.var(xg, axis=(2, 3, 4), keepdims=True)
    xhat = ((xg - mu) / np.sqrt(var + eps)).reshape((N, C, H, W))
    return xhat * gamma + beta, (x, xhat, mu, var, G, gamma, eps)


@variant("step by step", GROUP + "backward")
def group_backward_steps(dout, cache):
    x, xhat, mu, var, G, gamma, eps = cache
    N, C, H, W = x.shape
    axes, m = (2, 3, 4), C // G * H * W
    dbeta = np.sum(dout, axis=(0, 2, 3)).reshape(1, C, 1, 1)
    dgamma = np.sum(dout * xhat, axis=(0, 2, 3)).reshape(1, C, 1, 1)
    dxhat = (dout * gamma).reshape(N, G, C // G, H, W)
    xmu = x.reshape(N, G, C // G, H, W) - mu
    sqrtvar = np.sqrt(var + eps)
    dsqrtvar = np.sum(dxhat * xmu, axis=axes, keepdims=True) * -1.0 / sqrtvar**2
    dvar = 0.5 * dsqrtvar / sqrtvar
    dxmu = dxhat / sqrtvar + 2 * xmu * dvar * np.ones_like(xmu) / m
    dmu = -np.sum(dxmu, axis=axes, keepdims=True)
    return (dxmu + dmu / m * np.ones_like(xmu)).reshape(N, C, H, W), dgamma, dbeta


# ---- group norm of slices and of stacked groups


@variant("split groups", GROUP + "forward")
def group_forward_split(x, gamma, beta, G, gn_param):
    parts, stds = [], []
    for part in np.split(x, G, axis=1):
        std = np.sqrt(part.var(axis=(1, 2, 3), keepdims=True) + gn_param.get("eps", 1e-5))
        parts.append((part - part.mean(axis=(1, 2, 3), keepdims=True)) / std)
        stds.append(std)
    z = np.concatenate(parts, axis=1)
    return gamma.reshape(-1, 1, 1) * z + beta.reshape(-1, 1, 1), {"z": z, "stds": stds, "gamma": gamma}


@variant("split groups", GROUP + "backward")
def group_backward_split(dout, cache):
    G = len(cache["stds"])
    dz = dout * cache["gamma"]
    dx = []
    for d, z, std in zip(
        np.split(dz, G, axis=1), np.split(cache["z"], G, axis=1), cache["stds"], strict=True
    ):
        m = d[0].size
        total = np.sum(d, axis=(1, 2, 3), keepdims=True)
        along = np.sum(d * z, axis=(1, 2, 3), keepdims=True)
        dx.append((m * d - total - z * along) / (m * std))
    dgamma = (dout * cache["z"]).sum((0, 2, 3)).reshape(1, -1, 1, 1)
    return np.concatenate(dx, axis=1), dgamma, dout.sum((0, 2, 3)).reshape(1, -1, 1, 1)


@variant("repeated statistics", GROUP + "forward")
def group_forward_repeat(x, gamma, beta, G, gn_param):
    """The statistics of groups, repeated for each of their channels."""
    N, C = x.shape[:2]
    flat = x.reshape(N, G, -1)
    mean = np.repeat(flat.mean(axis=2), C // G, axis=1)[:, :, None, None]
    std = np.repeat(flat.std(axis=2), C // G, axis=1)[:, :, None, None]
    z = (x - mean) / np.sqrt(std**2 + gn_param.get("eps", 1e-5))
    return gamma * z + beta, (x, z, std, gamma, G, gn_param)


@variant("repeated statistics", GROUP + "backward")
def group_backward_repeat(dout, cache):
    x, z, std, gamma, G, gn_param = cache
    N, C = x.shape[:2]

    def spread(values):
        means = values.reshape(N, G, -1).mean(axis=2)
        return np.repeat(means, C // G, axis=1)[:, :, None, None]

    dz = dout * gamma
    dx = (dz - spread(dz) - z * spread(dz * z)) / np.sqrt(std**2 + gn_param.get("eps", 1e-5))
    return dx, np.sum(dout * z, axis=(0, 2, 3)), np.sum(dout, axis=(0, 2, 3))


# ---- tables made by hand, and statistics from moments


@variant("index arithmetic", BATCH + "forward")
def batch_forward_table(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    table = np.empty((N * H * W, C))
    for c in range(C):
        table[:, c] = x[:, c, :, :].flatten()
    out_table, cache = batchnorm_forward(table, gamma, beta, bn_param)
    out = np.empty(x.shape)
    for c in range(C):
        out[:, c, :, :] = out_table[:, c].reshape((N, H, W))
    return out, (cache, bn_param["mode"])


@variant("index arithmetic", BATCH + "backward")
def batch_backward_table(dout, cache):
    N, C, H, W = dout.shape
    table = np.stack([dout[:, c].ravel() for c in range(C)], axis=1)
    dtable, dgamma, dbeta = batchnorm_backward(table, cache[0])
    dx = np.stack([dtable[:, c].reshape(N, H, W) for c in range(C)], axis=1)
    return dx.astype(np.float32), dgamma[None], dbeta[None]


@variant("index arithmetic", GROUP + "forward")
def group_forward_table(x, gamma, beta, G, gn_param):
    size = x.shape[1] // G
    out, cache = np.empty(x.shape), {}
    for g in range(G):
        first, last = g * size, g * size + size
        mean = sum(x[:, c].mean(axis=(1, 2)) for c in range(first, last)) / size
        square = sum((x[:, c] ** 2).mean(axis=(1, 2)) for c in range(first, last)) / size
        root = (square - mean**2 + gn_param.get("eps", 1e-5)) ** 0.5
        for c in range(first, last):
            cache[c] = (x[:, c] - mean[:, None, None]) / root[:, None, None]
            out[:, c] = gamma[0, c, 0, 0] * cache[c] + beta[0, c, 0, 0]
            cache["root", c] = root[:, None, None]
    return out, (cache, gamma, size)


@variant("index arithmetic", GROUP + "backward")
def group_backward_table(dout, cache):
    z, gamma, size = cache
    dx, C = np.zeros(dout.shape), dout.shape[1]
    dgamma, dbeta = np.zeros(gamma.shape), np.zeros(gamma.shape)
    for c in range(C):
        dgamma[0, c, 0, 0], dbeta[0, c, 0, 0] = (dout[:, c] * z[c]).sum(), dout[:, c].sum()
        group = range(c - c % size, c - c % size + size)
        mean, along = 0.0, 0.0
        for other in group:
            d = dout[:, other] * gamma[0, other]
            mean = mean + d.mean(axis=(1, 2), keepdims=True) / size
            along = along + (d * z[other]).mean(axis=(1, 2), keepdims=True) / size
        dx[:, c] = (dout[:, c] * gamma[0, c] - mean - z[c] * along) / z["root", c]
    return dx, dgamma, dbeta
