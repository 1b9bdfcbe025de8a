"""Activation functions: one number in, one number out."""

import numpy as np

from ._validate import check_float_array, check_shape


def relu_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rectified linear units: max(0, x), number by number.

    Args:
        x: any shape.
    Returns:
        out: the shape of x.
        cache: opaque; pass it unchanged to `relu_backward`.
    Raises:
        ValueError: x is not a floating-point array.
    """
    check_float_array("x", x)
    # Your task: compute out without changing x, and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a1)
    out = np.maximum(x, 0)
    cache = x
    return out, cache
    ### END SOLUTION


def relu_backward(dout: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of the rectified linear units; 0 where x is 0.

    Args:
        dout: gradient of the loss with respect to the outputs, in their shape.
        cache: what `relu_forward` returned.
    Returns:
        dx: gradient with respect to x, in the shape of x.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: let dout pass where the input was positive, and nothing elsewhere.
    ### BEGIN SOLUTION (a1)
    x = cache
    check_shape("dout", dout, x.shape)
    dx = dout * (x > 0)
    return dx
    ### END SOLUTION
