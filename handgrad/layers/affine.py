"""The affine (fully connected) layer."""

import numpy as np

from ._validate import check_affine, check_float_array, check_shape


def affine_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Multiply each example by the weights and add the biases.

    Each x[i] is an array of any shape; it is read as one row of D = d_1 * ... * d_k numbers.

    Args:
        x: (N, d_1, ..., d_k) examples.
        w: (D, M) weights.
        b: (M,) biases.
    Returns:
        out: (N, M) outputs.
        cache: opaque; pass it unchanged to `affine_backward`.
    Raises:
        ValueError: the shapes do not fit, there is no example, or the numbers are not floating-point.
    """
    check_affine(x, w, b)
    # Your task: compute out, and keep in cache whatever the backward pass will need.
    ### BEGIN SOLUTION (a1)
    rows = x.reshape(x.shape[0], -1)  # (N, D)
    out = rows @ w + b  # (N, M)
    cache = (x, w)
    return out, cache
    ### END SOLUTION


def affine_backward(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the affine layer.

    Args:
        dout: (N, M) gradient of the loss with respect to the outputs.
        cache: what `affine_forward` returned.
    Returns:
        dx: (N, d_1, ..., d_k) gradient with respect to x, in the shape of x.
        dw: (D, M) gradient with respect to w.
        db: (M,) gradient with respect to b.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: compute dx, dw and db.
    ### BEGIN SOLUTION (a1)
    x, w = cache
    check_shape("dout", dout, (x.shape[0], w.shape[1]))
    rows = x.reshape(x.shape[0], -1)  # (N, D)
    dx = (dout @ w.T).reshape(x.shape)  # (N, M) (M, D) -> (N, D)
    dw = rows.T @ dout  # (D, N) (N, M) -> (D, M)
    db = dout.sum(axis=0)  # every example adds the same b, so its gradients add
    return dx, dw, db
    ### END SOLUTION
