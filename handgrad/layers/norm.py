"""Normalisation: batch norm, layer norm, and their spatial forms for images."""

import numpy as np

from ._validate import (
    check_eps,
    check_float_array,
    check_groups,
    check_norm,
    check_running,
    check_shape,
    check_spatial,
)


def batchnorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
) -> tuple[np.ndarray, tuple]:
    """Normalise each feature over the batch, then scale and shift it (Ioffe and Szegedy, 2015).

    In train mode mean and variance are those of the batch (the variance divides by N), and bn_param keeps
    running averages of both: running = momentum * running + (1 - momentum) * (that of the batch). In test
    mode the running averages take the batch's place, so that no example depends on the others. Before the
    first step of training they are 0 and 1.

    Args:
        x: (N, D) examples. N = 1 is allowed; in train mode it gives beta.
        gamma: (D,) scales.
        beta: (D,) shifts.
        bn_param: {"mode": "train" or "test", "eps": >= 0, added to the variance, default 1e-5,
            "momentum": from 0 to 1, default 0.9, "running_mean": (D,), "running_var": (D,)}. In train mode
            new running averages are put into it.
    Returns:
        out: (N, D) outputs, gamma * (x - mean) / sqrt(variance + eps) + beta.
        cache: opaque; pass it unchanged to `batchnorm_backward` or `batchnorm_backward_alt`.
    Raises:
        ValueError: the shapes do not fit, there is no example, or a setting is unknown or out of range.
    """
    check_norm(x, gamma, beta)
    mode, eps, momentum, running_mean, running_var = check_running(x, bn_param)
    # Your task: in train mode, normalise with the batch's mean and variance, and put the new running
    # averages into bn_param["running_mean"] and bn_param["running_var"]. In test mode, normalise with
    # running_mean and running_var. In both: scale, shift, and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a2)
    if mode == "train":
        mean = x.mean(axis=0, dtype=np.float64)  # float32 would lose digits where the mean is large
        centred = (x - mean).astype(x.dtype)
        var = np.mean(centred**2, axis=0, dtype=np.float64)
        bn_param["running_mean"] = (momentum * running_mean + (1 - momentum) * mean).astype(x.dtype)
        bn_param["running_var"] = (momentum * running_var + (1 - momentum) * var).astype(x.dtype)
    else:
        centred = x - running_mean
        var = running_var
    inv_std = (1 / np.sqrt(var + eps)).astype(x.dtype)  # (D,)
    out = gamma * (centred * inv_std) + beta
    cache = (mode, centred, inv_std, gamma)
    return out, cache
    ### END SOLUTION


def batchnorm_backward(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of batch norm, step by step back through the graph of the forward pass.

    Args:
        dout: (N, D) gradient of the loss with respect to the outputs.
        cache: what `batchnorm_forward` returned, in train or in test mode.
    Returns:
        dx: (N, D) gradient with respect to x.
        dgamma: (D,) gradient with respect to gamma.
        dbeta: (D,) gradient with respect to beta.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: draw the graph of the forward pass, and go back through it one node at a time. x reaches
    # the output by several paths: their gradients add.
    ### BEGIN SOLUTION (a2)
    mode, centred, inv_std, gamma = cache
    check_shape("dout", dout, centred.shape)
    N = dout.shape[0]
    normalized = centred * inv_std

    dbeta = dout.sum(axis=0)  # out = gamma * normalized + beta
    dgamma = (dout * normalized).sum(axis=0)
    dnormalized = dout * gamma
    dcentred = dnormalized * inv_std  # normalized = centred * inv_std
    if mode == "test":
        return dcentred, dgamma, dbeta  # mean and variance are constants: centred = x - constant

    dinv_std = (dnormalized * centred).sum(axis=0)
    dvar = dinv_std * -0.5 * inv_std**3  # inv_std = (var + eps)**(-1/2)
    dcentred += dvar * 2 * centred / N  # var = mean of centred**2; the second path into centred
    dmean = -dcentred.sum(axis=0)  # centred = x - mean
    dx = dcentred + dmean / N  # mean = mean of x; the second path into x
    return dx, dgamma, dbeta
    ### END SOLUTION


def batchnorm_backward_alt(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of batch norm by the simplified formula; the same results as of `batchnorm_backward`.

    Args:
        dout: (N, D) gradient of the loss with respect to the outputs.
        cache: what `batchnorm_forward` returned, in train or in test mode.
    Returns:
        dx: (N, D) gradient with respect to x.
        dgamma: (D,) gradient with respect to gamma.
        dbeta: (D,) gradient with respect to beta.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: put the steps of batchnorm_backward together on paper, and simplify until dx is one short
    # expression in dout, dgamma, dbeta and what the cache holds.
    ### BEGIN SOLUTION (a2)
    mode, centred, inv_std, gamma = cache
    check_shape("dout", dout, centred.shape)
    N = dout.shape[0]
    normalized = centred * inv_std
    dbeta = dout.sum(axis=0)
    dgamma = (dout * normalized).sum(axis=0)
    if mode == "test":
        return gamma * inv_std * dout, dgamma, dbeta
    # The mean takes out of dout what all examples share, the variance what is proportional to the outputs.
    dx = gamma * inv_std * (dout - dbeta / N - normalized * (dgamma / N))
    return dx, dgamma, dbeta
    ### END SOLUTION


def layernorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, ln_param: dict
) -> tuple[np.ndarray, tuple]:
    """Normalise each example over its features, then scale and shift each feature (Ba, Kiros, Hinton, 2016).

    No example depends on the others, so training and testing are the same.

    Args:
        x: (N, D) examples.
        gamma: (D,) scales.
        beta: (D,) shifts.
        ln_param: {"eps": >= 0, added to the variance, default 1e-5}.
    Returns:
        out: (N, D) outputs, gamma * (x - mean) / sqrt(variance + eps) + beta.
        cache: opaque; pass it unchanged to `layernorm_backward`.
    Raises:
        ValueError: the shapes do not fit, there is no example, or eps is out of range.
    """
    check_norm(x, gamma, beta)
    eps = check_eps(ln_param)
    # Your task: normalise each row of x with its own mean and variance (which divides by D); scale, shift,
    # and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a2)
    mean = x.mean(axis=1, keepdims=True, dtype=np.float64)
    centred = (x - mean).astype(x.dtype)
    var = np.mean(centred**2, axis=1, keepdims=True, dtype=np.float64)
    inv_std = (1 / np.sqrt(var + eps)).astype(x.dtype)  # (N, 1)
    normalized = centred * inv_std
    out = gamma * normalized + beta
    cache = (normalized, inv_std, gamma)
    return out, cache
    ### END SOLUTION


def layernorm_backward(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of layer norm.

    Args:
        dout: (N, D) gradient of the loss with respect to the outputs.
        cache: what `layernorm_forward` returned.
    Returns:
        dx: (N, D) gradient with respect to x.
        dgamma: (D,) gradient with respect to gamma.
        dbeta: (D,) gradient with respect to beta.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: compute dx, dgamma and dbeta. gamma differs along the axis that the mean is taken over.
    ### BEGIN SOLUTION (a2)
    normalized, inv_std, gamma = cache
    check_shape("dout", dout, normalized.shape)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * normalized).sum(axis=0)
    dnormalized = dout * gamma
    shared = dnormalized.mean(axis=1, keepdims=True)  # what the mean takes out
    along = (dnormalized * normalized).mean(axis=1, keepdims=True)  # what the variance takes out
    dx = inv_std * (dnormalized - shared - normalized * along)
    return dx, dgamma, dbeta
    ### END SOLUTION


def spatial_batchnorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
) -> tuple[np.ndarray, tuple]:
    """Batch norm for images: each channel is normalised over all images and all their pixels.

    Args:
        x: (N, C, H, W) images, of any height and width.
        gamma: (C,) scales.
        beta: (C,) shifts.
        bn_param: as in `batchnorm_forward`, with running averages of shape (C,).
    Returns:
        out: (N, C, H, W) outputs.
        cache: opaque; pass it unchanged to `spatial_batchnorm_backward`.
    Raises:
        ValueError: as in `batchnorm_forward`.
    """
    check_spatial(x)
    check_norm(x, gamma, beta)
    # Your task: arrange x so that batchnorm_forward does the work; two or three lines are enough.
    ### BEGIN SOLUTION (a2)
    N, C, H, W = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(-1, C)  # every pixel is an example of C features
    out, rows_cache = batchnorm_forward(rows, gamma, beta, bn_param)
    cache = (x.shape, rows_cache)
    return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache
    ### END SOLUTION


def spatial_batchnorm_backward(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of spatial batch norm.

    Args:
        dout: (N, C, H, W) gradient of the loss with respect to the outputs.
        cache: what `spatial_batchnorm_forward` returned.
    Returns:
        dx: (N, C, H, W) gradient with respect to x.
        dgamma: (C,) gradient with respect to gamma.
        dbeta: (C,) gradient with respect to beta.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: arrange dout so that a backward pass you have does the work.
    ### BEGIN SOLUTION (a2)
    shape, rows_cache = cache
    check_shape("dout", dout, shape)
    N, C, H, W = shape
    rows = dout.transpose(0, 2, 3, 1).reshape(-1, C)
    dx, dgamma, dbeta = batchnorm_backward_alt(rows, rows_cache)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta
    ### END SOLUTION


def spatial_groupnorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, G: int, gn_param: dict
) -> tuple[np.ndarray, tuple]:
    """Group norm: each image's channels form G groups, each normalised over its channels and all pixels.

    Group g holds the channels from g * C / G up to, but not including, (g + 1) * C / G (Wu and He, 2018).

    Args:
        x: (N, C, H, W) images, of any height and width.
        gamma: (1, C, 1, 1) scales.
        beta: (1, C, 1, 1) shifts.
        G: number of groups, which divides C.
        gn_param: {"eps": >= 0, added to the variance, default 1e-5}.
    Returns:
        out: (N, C, H, W) outputs.
        cache: opaque; pass it unchanged to `spatial_groupnorm_backward`.
    Raises:
        ValueError: the shapes do not fit, there is no example, G does not divide C, or eps is out of range.
    """
    check_spatial(x)
    check_groups(x, gamma, beta, G)
    eps = check_eps(gn_param)
    # Your task: normalise each group of each image with its one mean and its one variance; scale and shift
    # each channel, and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a2)
    N, C, H, W = x.shape
    groups = x.reshape(N, G, C // G * H * W)
    mean = groups.mean(axis=2, keepdims=True, dtype=np.float64)
    centred = (groups - mean).astype(x.dtype)
    var = np.mean(centred**2, axis=2, keepdims=True, dtype=np.float64)
    inv_std = (1 / np.sqrt(var + eps)).astype(x.dtype)  # (N, G, 1)
    normalized = (centred * inv_std).reshape(N, C, H, W)
    out = gamma * normalized + beta
    cache = (normalized, inv_std, gamma)
    return out, cache
    ### END SOLUTION


def spatial_groupnorm_backward(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of group norm.

    Args:
        dout: (N, C, H, W) gradient of the loss with respect to the outputs.
        cache: what `spatial_groupnorm_forward` returned.
    Returns:
        dx: (N, C, H, W) gradient with respect to x.
        dgamma: (1, C, 1, 1) gradient with respect to gamma.
        dbeta: (1, C, 1, 1) gradient with respect to beta.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: compute dx, dgamma and dbeta. Layer norm's backward pass is the model.
    ### BEGIN SOLUTION (a2)
    normalized, inv_std, gamma = cache
    check_shape("dout", dout, normalized.shape)
    dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)
    dgamma = (dout * normalized).sum(axis=(0, 2, 3), keepdims=True)
    N, G, _ = inv_std.shape
    dgroups = (dout * gamma).reshape(N, G, -1)
    groups = normalized.reshape(N, G, -1)
    shared = dgroups.mean(axis=2, keepdims=True)
    along = (dgroups * groups).mean(axis=2, keepdims=True)
    dx = inv_std * (dgroups - shared - groups * along)
    return dx.reshape(dout.shape), dgamma, dbeta
    ### END SOLUTION
