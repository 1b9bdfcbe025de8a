"""Sandwich layers: layers that often come together, as one forward and one backward."""

import numpy as np

from .fast_layers import (
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
    relu_backward_fast,
    relu_forward_fast,
    spatial_batchnorm_backward_fast,
    spatial_batchnorm_forward_fast,
)
from .layers import affine_backward, affine_forward, relu_backward, relu_forward


def affine_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, tuple]:
    """An affine layer followed by a ReLU.

    Args:
        x: (N, d_1, ..., d_k) examples.
        w: (D, M) weights, D = d_1 * ... * d_k.
        b: (M,) biases.
    Returns:
        out: (N, M) outputs of the ReLU.
        cache: opaque; pass it unchanged to `affine_relu_backward`.
    """
    hidden, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(hidden)
    return out, (affine_cache, relu_cache)


def affine_relu_backward(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the affine-ReLU sandwich.

    Args:
        dout: (N, M) gradient of the loss with respect to the outputs.
        cache: what `affine_relu_forward` returned.
    Returns:
        dx: (N, d_1, ..., d_k) gradient with respect to x.
        dw: (D, M) gradient with respect to w.
        db: (M,) gradient with respect to b.
    """
    affine_cache, relu_cache = cache
    dhidden = relu_backward(dout, relu_cache)
    return affine_backward(dhidden, affine_cache)


def conv_relu_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict
) -> tuple[np.ndarray, tuple]:
    """A convolution followed by a ReLU, on the fast layers.

    Args:
        x: (N, C, H, W) images.
        w: (F, C, HH, WW) filters.
        b: (F,) biases.
        conv_param: {"stride", "pad"} as in `conv_forward_naive`.
    Returns:
        out: (N, F, H_out, W_out) outputs of the ReLU, H_out = 1 + (H + 2 * pad - HH) // stride,
            W_out = 1 + (W + 2 * pad - WW) // stride.
        cache: opaque; pass it unchanged to `conv_relu_backward`.
    """
    hidden, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, relu_cache = relu_forward_fast(hidden)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(
    dout: np.ndarray, cache: tuple, need_dx: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the convolution-ReLU sandwich.

    Args:
        dout: (N, F, H_out, W_out) gradient of the loss with respect to the outputs.
        cache: what `conv_relu_forward` returned.
        need_dx: False leaves dx out, to save time: the gradient of the images themselves is of no use.
    Returns:
        dx: (N, C, H, W) gradient with respect to x, or None.
        dw: (F, C, HH, WW) gradient with respect to w.
        db: (F,) gradient with respect to b.
    """
    conv_cache, relu_cache = cache
    dhidden = relu_backward_fast(dout, relu_cache)
    return conv_backward_fast(dhidden, conv_cache, need_dx)


def conv_bn_relu_forward(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    conv_param: dict,
    bn_param: dict,
) -> tuple[np.ndarray, tuple]:
    """A convolution, spatial batch norm and a ReLU, on the fast layers.

    Args:
        x: (N, C, H, W) images.
        w: (F, C, HH, WW) filters.
        b: (F,) biases.
        gamma: (F,) scales.
        beta: (F,) shifts.
        conv_param: {"stride", "pad"} as in `conv_forward_naive`.
        bn_param: as in `batchnorm_forward`; running averages are put into it.
    Returns:
        out: (N, F, H_out, W_out) outputs of the ReLU, H_out = 1 + (H + 2 * pad - HH) // stride,
            W_out = 1 + (W + 2 * pad - WW) // stride.
        cache: opaque; pass it unchanged to `conv_bn_relu_backward`.
    """
    hidden, conv_cache = conv_forward_fast(x, w, b, conv_param)
    normalized, bn_cache = spatial_batchnorm_forward_fast(hidden, gamma, beta, bn_param)
    out, relu_cache = relu_forward_fast(normalized)
    return out, (conv_cache, bn_cache, relu_cache)


def conv_bn_relu_backward(
    dout: np.ndarray, cache: tuple, need_dx: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the convolution-batch-norm-ReLU sandwich.

    Args:
        dout: (N, F, H_out, W_out) gradient of the loss with respect to the outputs.
        cache: what `conv_bn_relu_forward` returned.
        need_dx: False leaves dx out, to save time: the gradient of the images themselves is of no use.
    Returns:
        dx: (N, C, H, W) gradient with respect to x, or None.
        dw: (F, C, HH, WW) gradient with respect to w.
        db: (F,) gradient with respect to b.
        dgamma: (F,) gradient with respect to gamma.
        dbeta: (F,) gradient with respect to beta.
    """
    conv_cache, bn_cache, relu_cache = cache
    dnormalized = relu_backward_fast(dout, relu_cache)
    dhidden, dgamma, dbeta = spatial_batchnorm_backward_fast(dnormalized, bn_cache)
    dx, dw, db = conv_backward_fast(dhidden, conv_cache, need_dx)
    return dx, dw, db, dgamma, dbeta


def conv_relu_pool_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict, pool_param: dict
) -> tuple[np.ndarray, tuple]:
    """A convolution, a ReLU and max pooling, on the fast layers.

    Args:
        x: (N, C, H, W) images.
        w: (F, C, HH, WW) filters.
        b: (F,) biases.
        conv_param: {"stride", "pad"} as in `conv_forward_naive`.
        pool_param: {"pool_height", "pool_width", "stride"} as in `max_pool_forward_naive`.
    Returns:
        out: outputs of the pooling.
        cache: opaque; pass it unchanged to `conv_relu_pool_backward`.
    """
    hidden, conv_cache = conv_forward_fast(x, w, b, conv_param)
    positive, relu_cache = relu_forward_fast(hidden)
    out, pool_cache = max_pool_forward_fast(positive, pool_param)
    return out, (conv_cache, relu_cache, pool_cache)


def conv_relu_pool_backward(
    dout: np.ndarray, cache: tuple, need_dx: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the convolution-ReLU-pooling sandwich.

    Args:
        dout: gradient of the loss with respect to the outputs, in their shape.
        cache: what `conv_relu_pool_forward` returned.
        need_dx: False leaves dx out, to save time: the gradient of the images themselves is of no use.
    Returns:
        dx: (N, C, H, W) gradient with respect to x, or None.
        dw: (F, C, HH, WW) gradient with respect to w.
        db: (F,) gradient with respect to b.
    """
    conv_cache, relu_cache, pool_cache = cache
    dpositive = max_pool_backward_fast(dout, pool_cache)
    dhidden = relu_backward_fast(dpositive, relu_cache)
    return conv_backward_fast(dhidden, conv_cache, need_dx)
