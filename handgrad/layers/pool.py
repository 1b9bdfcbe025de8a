"""Max pooling."""

import numpy as np

from ._validate import check_float_array, check_pool, check_shape


def max_pool_forward_naive(x: np.ndarray, pool_param: dict) -> tuple[np.ndarray, tuple]:
    """Keep the largest number of each window, in each channel of each image.

    A window steps over the image, `stride` pixels at a time, down and across. Windows overlap when the
    stride is smaller than the window, and leave pixels out when it is larger. There is no padding.

    Args:
        x: (N, C, H, W) images, of any height and width.
        pool_param: {"pool_height": HH >= 1, "pool_width": WW >= 1, "stride": >= 1}, whole numbers, in pixels.
    Returns:
        out: (N, C, H_out, W_out) outputs, H_out = 1 + (H - pool_height) // stride,
            W_out = 1 + (W - pool_width) // stride.
        cache: opaque; pass it unchanged to `max_pool_backward_naive`.
    Raises:
        ValueError: x has another shape, a setting is out of range, or the windows do not tile the images:
            stride does not divide H - pool_height and W - pool_width.
    """
    HH, WW, stride, H_out, W_out = check_pool(x, pool_param)
    # Your task: compute out with loops, and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a2)
    N, C, _, _ = x.shape
    out = np.empty((N, C, H_out, W_out), dtype=x.dtype)
    for i in range(H_out):
        for j in range(W_out):
            top, left = i * stride, j * stride
            out[:, :, i, j] = x[:, :, top : top + HH, left : left + WW].max(axis=(2, 3))
    cache = (x, HH, WW, stride)
    return out, cache
    ### END SOLUTION


def max_pool_backward_naive(dout: np.ndarray, cache: tuple) -> np.ndarray:
    """Gradient of max pooling: it goes to the largest number of each window, and to the first of equal ones.

    Args:
        dout: (N, C, H_out, W_out) gradient of the loss with respect to the outputs.
        cache: what `max_pool_forward_naive` returned.
    Returns:
        dx: (N, C, H, W) gradient with respect to x.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: compute dx. Where windows overlap, a number may be the largest of several of them, and its
    # gradients add.
    ### BEGIN SOLUTION (a2)
    x, HH, WW, stride = cache
    N, C, H, W = x.shape
    H_out, W_out = 1 + (H - HH) // stride, 1 + (W - WW) // stride
    check_shape("dout", dout, (N, C, H_out, W_out))
    dx = np.zeros(x.shape, dtype=dout.dtype)
    image, channel = np.ogrid[:N, :C]
    for i in range(H_out):
        for j in range(W_out):
            top, left = i * stride, j * stride
            window = x[:, :, top : top + HH, left : left + WW].reshape(N, C, -1)
            row, column = np.divmod(window.argmax(axis=2), WW)  # (N, C), within the window
            dx[image, channel, top + row, left + column] += dout[:, :, i, j]
    return dx
    ### END SOLUTION
