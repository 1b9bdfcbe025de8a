"""The fast layers in NumPy alone.

A convolution is a matrix product once the windows of an image stand side by side as columns (im2col). That
is done for a few images at a time, so that the columns stay in the processor's cache between being written
and being read; the whole batch at once would go through main memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# NumPy is as fast as it gets at these when they are written plainly.
from ..layers import batchnorm_backward_alt as batchnorm_backward_fast
from ..layers import batchnorm_forward as batchnorm_forward_fast
from ..layers import relu_backward as relu_backward_fast
from ..layers import relu_forward as relu_forward_fast
from ..layers import softmax_loss as softmax_loss_fast
from ..layers import spatial_batchnorm_backward as spatial_batchnorm_backward_fast
from ..layers import spatial_batchnorm_forward as spatial_batchnorm_forward_fast
from ..layers._validate import check_conv, check_pool, check_shape
from ..optim import adam as adam_fast
from ..optim import rmsprop as rmsprop_fast
from ..optim import sgd as sgd_fast
from ..optim import sgd_momentum as sgd_momentum_fast

__all__ = [
    "adam_fast",
    "batchnorm_backward_fast",
    "batchnorm_forward_fast",
    "conv_backward_fast",
    "conv_forward_fast",
    "max_pool_backward_fast",
    "max_pool_forward_fast",
    "relu_backward_fast",
    "relu_forward_fast",
    "rmsprop_fast",
    "sgd_fast",
    "sgd_momentum_fast",
    "softmax_loss_fast",
    "spatial_batchnorm_backward_fast",
    "spatial_batchnorm_forward_fast",
]

PIECE = 1 << 19  # bytes of columns at a time: half of a usual second-level cache


def conv_forward_fast(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict
) -> tuple[np.ndarray, tuple]:
    """The same as `handgrad.layers.conv_forward_naive`."""
    stride, pad, H_out, W_out = check_conv(x, w, b, conv_param)
    N, F = x.shape[0], w.shape[0]
    dtype = np.result_type(x, w, b)
    padded = _pad(x, pad, dtype)
    filters = np.ascontiguousarray(w, dtype=dtype).reshape(F, -1)  # (F, C * HH * WW)
    out = np.empty((N, F, H_out * W_out), dtype=dtype)
    for image, columns in _columns(padded, w.shape, stride):
        np.matmul(filters, columns, out=out[image])
    out += b[:, np.newaxis]
    return out.reshape(N, F, H_out, W_out), (padded, w, stride, pad)


def conv_backward_fast(dout: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same as `handgrad.layers.conv_backward_naive`."""
    padded, w, stride, pad = cache
    N, C, H, W = padded.shape
    F, _, HH, WW = w.shape
    H_out, W_out = 1 + (H - HH) // stride, 1 + (W - WW) // stride
    check_shape("dout", dout, (N, F, H_out, W_out))
    dtype = np.result_type(dout, padded)
    dout = np.ascontiguousarray(dout, dtype=dtype).reshape(N, F, -1)
    transposed = np.ascontiguousarray(w, dtype=dtype).reshape(F, -1).T
    dw = np.zeros((F, C * HH * WW), dtype=dtype)
    dpadded = np.zeros(padded.shape, dtype=dtype)
    for image, columns in _columns(padded, w.shape, stride):
        dw += np.tensordot(dout[image], columns, axes=([0, 2], [0, 2]))
        dcolumns = np.matmul(transposed, dout[image]).reshape(-1, C, HH, WW, H_out, W_out)
        for i in range(HH):
            rows = slice(i, i + stride * (H_out - 1) + 1, stride)
            for j in range(WW):
                dpadded[image, :, rows, j : j + stride * (W_out - 1) + 1 : stride] += dcolumns[:, :, i, j]
    dx = dpadded[:, :, pad : H - pad, pad : W - pad]
    return dx, dw.reshape(w.shape), dout.sum(axis=(0, 2))


def max_pool_forward_fast(x: np.ndarray, pool_param: dict) -> tuple[np.ndarray, tuple]:
    """The same as `handgrad.layers.max_pool_forward_naive`."""
    HH, WW, stride, H_out, W_out = check_pool(x, pool_param)
    views = list(_window_views(x, HH, WW, stride, H_out, W_out))
    out = views[0].copy()
    for view in views[1:]:
        np.maximum(out, view, out=out)
    return out, (x, out, HH, WW, stride)


def max_pool_backward_fast(dout: np.ndarray, cache: tuple) -> np.ndarray:
    """The same as `handgrad.layers.max_pool_backward_naive`."""
    x, out, HH, WW, stride = cache
    check_shape("dout", dout, out.shape)
    dx = np.zeros(x.shape, dtype=dout.dtype)
    has_nan = bool(np.isnan(out).any())  # a NaN is the largest, and equals nothing
    waiting = np.ones(out.shape, dtype=bool)  # windows whose largest number has not been met yet
    arguments = (HH, WW, stride, *out.shape[2:])
    for view, dview in zip(_window_views(x, *arguments), _window_views(dx, *arguments), strict=True):
        hit = view == out
        if has_nan:
            hit |= np.isnan(view)
        hit &= waiting
        waiting ^= hit
        dview += dout * hit
    return dx


def _pad(x: np.ndarray, pad: int, dtype: np.dtype) -> np.ndarray:
    """x (N, C, H, W) with a border of zeros; np.pad takes several times as long."""
    N, C, H, W = x.shape
    padded = np.zeros((N, C, H + 2 * pad, W + 2 * pad), dtype=dtype)
    padded[:, :, pad : pad + H, pad : pad + W] = x
    return padded


def _columns(padded: np.ndarray, w_shape: tuple[int, ...], stride: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Pieces of the batch: which images, and their windows as columns (n, C * HH * WW, H_out * W_out)."""
    HH, WW = w_shape[2:]
    windows = sliding_window_view(padded, (HH, WW), axis=(2, 3))[:, :, ::stride, ::stride]
    windows = windows.transpose(0, 1, 4, 5, 2, 3)  # (N, C, HH, WW, H_out, W_out)
    N, rows, across = len(padded), int(np.prod(windows.shape[1:4])), int(np.prod(windows.shape[4:]))
    step = max(1, PIECE // (rows * across * padded.itemsize))
    buffer = np.empty((min(step, N), *windows.shape[1:]), dtype=padded.dtype)
    for start in range(0, N, step):
        image = slice(start, min(start + step, N))
        part = buffer[: image.stop - start]
        np.copyto(part, windows[image])
        yield image, part.reshape(len(part), rows, across)


def _window_views(
    x: np.ndarray, HH: int, WW: int, stride: int, H_out: int, W_out: int
) -> Iterator[np.ndarray]:
    """For each place in a window, row by row, the numbers there in all windows: (N, C, H_out, W_out)."""
    for i in range(HH):
        for j in range(WW):
            rows = slice(i, i + stride * (H_out - 1) + 1, stride)
            yield x[:, :, rows, j : j + stride * (W_out - 1) + 1 : stride]
