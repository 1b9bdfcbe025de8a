"""Convolution, as deep learning calls it: cross-correlation of images with filters."""

import numpy as np

from ._validate import check_conv, check_float_array, check_shape


def conv_forward_naive(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict
) -> tuple[np.ndarray, tuple]:
    """Cross-correlate each image with every filter.

    The images get a border of `pad` zeros. A filter then steps over an image, `stride` pixels at a time, down
    and across; each output is the sum over the window of pixel times weight, plus the filter's bias.

    Args:
        x: (N, C, H, W) images, of any height and width.
        w: (F, C, HH, WW) filters, of any height and width that the padded images have room for.
        b: (F,) biases.
        conv_param: {"stride": whole number >= 1, "pad": whole number >= 0}, in pixels.
    Returns:
        out: (N, F, H_out, W_out) outputs, H_out = 1 + (H + 2 * pad - HH) // stride,
            W_out = 1 + (W + 2 * pad - WW) // stride.
        cache: opaque; pass it unchanged to `conv_backward_naive`.
    Raises:
        ValueError: the shapes do not fit, a setting is out of range, or the filters do not tile the padded
            images: stride does not divide H + 2 * pad - HH and W + 2 * pad - WW.
    """
    stride, pad, H_out, W_out = check_conv(x, w, b, conv_param)
    # Your task: compute out with loops, and keep in cache what the backward pass will need.
    ### BEGIN SOLUTION (a2)
    N, _, _, _ = x.shape
    F, _, HH, WW = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.empty((N, F, H_out, W_out), dtype=np.result_type(x, w, b))
    for i in range(H_out):
        for j in range(W_out):
            top, left = i * stride, j * stride
            window = padded[:, :, top : top + HH, left : left + WW]  # (N, C, HH, WW)
            out[:, :, i, j] = np.tensordot(window, w, axes=([1, 2, 3], [1, 2, 3])) + b  # (N, F)
    cache = (x, w, stride, pad)
    return out, cache
    ### END SOLUTION


def conv_backward_naive(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the convolution.

    Args:
        dout: (N, F, H_out, W_out) gradient of the loss with respect to the outputs.
        cache: what `conv_forward_naive` returned.
    Returns:
        dx: (N, C, H, W) gradient with respect to x.
        dw: (F, C, HH, WW) gradient with respect to w.
        db: (F,) gradient with respect to b.
    Raises:
        ValueError: dout has another shape than the outputs.
    """
    check_float_array("dout", dout)
    # Your task: compute dx, dw and db. A pixel lies in several windows, and its gradients add. The border
    # is no part of x: cut it off at the end, and mind that pad may be 0.
    ### BEGIN SOLUTION (a2)
    x, w, stride, pad = cache
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out, W_out = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    check_shape("dout", dout, (N, F, H_out, W_out))
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded = np.zeros_like(padded, dtype=np.result_type(dout, w))
    dw = np.zeros_like(w, dtype=np.result_type(dout, x))
    for i in range(H_out):
        for j in range(W_out):
            top, left = i * stride, j * stride
            window = padded[:, :, top : top + HH, left : left + WW]  # (N, C, HH, WW)
            dout_here = dout[:, :, i, j]  # (N, F)
            dw += np.tensordot(dout_here, window, axes=([0], [0]))
            dpadded[:, :, top : top + HH, left : left + WW] += np.tensordot(dout_here, w, axes=([1], [0]))
    dx = dpadded[:, :, pad : pad + H, pad : pad + W]
    db = dout.sum(axis=(0, 2, 3))
    return dx, dw, db
    ### END SOLUTION
