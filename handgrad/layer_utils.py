"""Sandwich layers: layers that often come together, as one forward and one backward."""

import numpy as np

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
