"""Dropout."""

import numpy as np

from ._validate import check_dropout, check_float_array, check_shape


def dropout_forward(x: np.ndarray, dropout_param: dict) -> tuple[np.ndarray, tuple]:
    """Inverted dropout: keep each number with probability p and divide it by p, or set it to 0.

    That is done in train mode, each number by a draw of its own, so that the expected output is x. In test
    mode the output is x (Srivastava and others, 2014).

    Args:
        x: any shape.
        dropout_param: {"p": probability to keep a number, above 0 and up to 1, "mode": "train" or "test",
            "seed": optional; with a seed the choice is the same each time, without it np.random draws}.
    Returns:
        out: in the shape of x.
        cache: opaque; pass it unchanged to `dropout_backward`.
    Raises:
        ValueError: p is out of range, the mode is unknown, or x is not a floating-point array.
    """
    check_float_array("x", x)
    p, mode, random = check_dropout(dropout_param)
    # Your task: compute out for both modes, and keep in cache what the backward pass will need. Draw with
    # random.rand(*x.shape): numbers from 0 to 1, all equally likely.
    ### BEGIN SOLUTION (a2)
    if mode == "test":
        return x.copy(), (x.shape, None)
    kept = random.rand(*x.shape) < p
    mask = np.asarray(kept, dtype=x.dtype) / p  # 0 or 1 / p
    out = x * mask
    cache = (x.shape, mask)
    return out, cache
    ### END SOLUTION


def dropout_backward(dout: np.ndarray, cache: tuple) -> np.ndarray:
    """Gradient of dropout.

    Args:
        dout: gradient of the loss with respect to the outputs, in the shape of x.
        cache: what `dropout_forward` returned, in train or in test mode.
    Returns:
        dx: gradient with respect to x, in the shape of x.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: compute dx for both modes.
    ### BEGIN SOLUTION (a2)
    shape, mask = cache
    check_shape("dout", dout, shape)
    if mask is None:
        return dout.copy()
    dx = dout * mask
    return dx
    ### END SOLUTION
