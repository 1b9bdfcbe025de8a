"""Activation functions: one number in, one number out."""

import numpy as np

from ._validate import check_float_array, check_shape, check_slope


def relu_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rectified linear units: max(0, x), number by number.

    Args:
        x: any shape.
    Returns:
        out: in the shape of x.
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
        dout: gradient of the loss with respect to the outputs, in the shape of x.
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


def leaky_relu_forward(x: np.ndarray, slope: float = 0.01) -> tuple[np.ndarray, tuple]:
    """Leaky rectified linear units: x where x is positive, slope * x elsewhere, number by number.

    Unlike the ReLU it has a gradient for negative inputs too (Maas, Hannun and Ng, 2013).

    Args:
        x: any shape.
        slope: from 0 (a ReLU) up to, but not including, 1.
    Returns:
        out: in the shape of x.
        cache: opaque; pass it unchanged to `leaky_relu_backward`.
    Raises:
        ValueError: x is not a floating-point array, or slope is out of range.
    """
    check_float_array("x", x)
    check_slope(slope)
    # Your task: compute out without changing x, and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a1)
    out = np.where(x > 0, x, slope * x)
    cache = (x, slope)
    return out, cache
    ### END SOLUTION


def leaky_relu_backward(dout: np.ndarray, cache: tuple) -> np.ndarray:
    """Gradient of the leaky rectified linear units; slope where x is 0.

    Args:
        dout: gradient of the loss with respect to the outputs, in the shape of x.
        cache: what `leaky_relu_forward` returned.
    Returns:
        dx: gradient with respect to x, in the shape of x.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: let dout pass where the input was positive, and the slope's share of it elsewhere.
    ### BEGIN SOLUTION (a1)
    x, slope = cache
    check_shape("dout", dout, x.shape)
    dx = np.where(x > 0, dout, slope * dout)
    return dx
    ### END SOLUTION


def sigmoid_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logistic sigmoid 1 / (1 + exp(-x)), number by number.

    Args:
        x: any shape; any size, also +-10,000.
    Returns:
        out: between 0 and 1, in the shape of x.
        cache: opaque; pass it unchanged to `sigmoid_backward`.
    Raises:
        ValueError: x is not a floating-point array.
    """
    check_float_array("x", x)
    small = np.exp(-np.abs(x))  # between 0 and 1: it cannot overflow
    out = np.where(x >= 0, 1, small) / (1 + small)  # for x < 0, exp(x) / (exp(x) + 1)
    return out, out


def sigmoid_backward(dout: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Gradient of the sigmoid.

    Args:
        dout: gradient of the loss with respect to the outputs, in the shape of x.
        cache: what `sigmoid_forward` returned.
    Returns:
        dx: gradient with respect to x, in the shape of x.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    out = cache
    check_shape("dout", dout, out.shape)
    return dout * out * (1 - out)


def swish_forward(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Swish: x * sigmoid(x), number by number (Ramachandran, Zoph and Le, 2017).

    Args:
        x: any shape; any size, also +-10,000.
    Returns:
        out: in the shape of x.
        cache: opaque; pass it unchanged to `swish_backward`.
    Raises:
        ValueError: x is not a floating-point array.
    """
    check_float_array("x", x)
    # Your task: compute out with sigmoid_forward, and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a1)
    sigmoid, _ = sigmoid_forward(x)
    out = x * sigmoid
    cache = (x, sigmoid)
    return out, cache
    ### END SOLUTION


def swish_backward(dout: np.ndarray, cache: tuple) -> np.ndarray:
    """Gradient of swish.

    Args:
        dout: gradient of the loss with respect to the outputs, in the shape of x.
        cache: what `swish_forward` returned.
    Returns:
        dx: gradient with respect to x, in the shape of x.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: compute dx. The derivative of a product has two terms.
    ### BEGIN SOLUTION (a1)
    x, sigmoid = cache
    check_shape("dout", dout, x.shape)
    swish = x * sigmoid
    dx = dout * (swish + sigmoid * (1 - swish))
    return dx
    ### END SOLUTION
