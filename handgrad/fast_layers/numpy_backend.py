"""The fast layers in NumPy alone.

A convolution is a matrix product once the pixels that each weight meets stand side by side in a row (im2col).
Two things make that fast here. It is done for a few images at a time, so that the rows stay in the cache
between being written and being read. And the rows are copied in long runs: an image is split into
stride x stride phases, in which what a weight meets at neighbouring outputs lies side by side, and a run goes
on from one row of the image to the next. At the ends of the rows it takes along pixels of no output; their
results are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

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

PIECE = 1 << 22  # bytes of rows at a time: they stay in the cache, and NumPy is called seldom enough


def conv_forward_fast(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict
) -> tuple[np.ndarray, tuple]:
    """The same as `handgrad.layers.conv_forward_naive`."""
    stride, pad, H_out, W_out = check_conv(x, w, b, conv_param)
    F = len(w)
    dtype = np.result_type(x, w, b)
    runs = _Runs(x, w, stride, pad, H_out, W_out, dtype)
    filters = np.column_stack([w.reshape(F, -1), b]).astype(dtype, copy=False)  # (F, C * HH * WW + 1)
    out = np.empty((len(x), F, H_out, W_out), dtype=dtype)
    products = np.empty((runs.step, F, runs.length), dtype=dtype)
    for images in runs.pieces():
        part = np.matmul(filters, runs.rows_of(x[images]), out=products[: images.stop - images.start])
        np.copyto(out[images], runs.outputs(part))
    return out, (x, w, stride, pad, out.shape, dtype)


def conv_backward_fast(
    dout: np.ndarray, cache: tuple, need_dx: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """The same as `handgrad.layers.conv_backward_naive`; dx is None without `need_dx`."""
    x, w, stride, pad, shape, dtype = cache
    check_shape("dout", dout, shape)
    dtype = np.result_type(dout, dtype)
    F = len(w)
    runs = _Runs(x, w, stride, pad, *shape[2:], dtype)
    transposed = np.ascontiguousarray(w, dtype=dtype).reshape(F, -1).T
    dw = np.zeros((len(transposed) + 1, F), dtype=dtype)  # and db as the last row
    dx = np.empty(x.shape, dtype=dtype) if need_dx else None
    spread = np.zeros((runs.step, F, runs.length), dtype=dtype)  # dout, and 0 at the pixels of no output
    for images in runs.pieces():
        part = spread[: images.stop - images.start]
        np.copyto(runs.outputs(part), dout[images])
        rows = runs.rows_of(x[images])
        dw += np.matmul(rows, part.transpose(0, 2, 1)).sum(axis=0)
        if dx is not None:  # in place of the rows, which are not needed any more
            runs.add_up(np.matmul(transposed, part, out=rows[:, :-1]), dx[images])
    return dx, np.ascontiguousarray(dw[:-1].T).reshape(w.shape), dw[-1]


class _Runs:
    """The rows of im2col, for a few images at a time, in memory that is taken once."""

    def __init__(
        self, x: np.ndarray, w: np.ndarray, stride: int, pad: int, H_out: int, W_out: int, dtype: np.dtype
    ) -> None:
        self.N, C = x.shape[:2]
        self.HH, self.WW = w.shape[2:]
        self.stride, self.pad, self.H_out, self.W_out = stride, pad, H_out, W_out
        self.pitch = W_out + (self.WW - 1) // stride  # width of a phase
        self.length = H_out * self.pitch  # of a run
        size = C * self.HH * self.WW * self.length * dtype.itemsize
        self.step = min(self.N, max(1, PIECE // size))
        height = H_out + (self.HH - 1) // stride + 1  # the last row is for the end of the last run
        # the last row is for biases, and stays 1
        self.rows = np.ones((self.step, C * self.HH * self.WW + 1, self.length), dtype)
        self.phases = np.zeros((self.step, C, stride, stride, height, self.pitch), dtype)

    def pieces(self) -> Iterator[slice]:
        """Which images are done together."""
        for start in range(0, self.N, self.step):
            yield slice(start, min(start + self.step, self.N))

    def rows_of(self, x: np.ndarray) -> np.ndarray:
        """(n, C * HH * WW + 1, length) of images (n, C, H, W): what each weight meets, and 1 for the bias."""
        n, C = x.shape[:2]
        for phase, pixels in self._split(x, self.phases):
            phase[...] = pixels
        weights = self.rows[:n, :-1].reshape(n, C, self.HH, self.WW, self.length)
        for i, j, run in self._runs(self.phases[:n]):
            weights[:, :, i, j] = run
        return self.rows[:n]

    def add_up(self, drows: np.ndarray, dx: np.ndarray) -> None:
        """Write into dx (n, C, H, W) what comes back to each pixel from the rows (n, C * HH * WW, length)."""
        n, C = dx.shape[:2]
        drows = drows.reshape(n, C, self.HH, self.WW, self.length)
        dphases = np.zeros_like(self.phases[:n])
        for i, j, run in self._runs(dphases):
            run += drows[:, :, i, j]
        for phase, pixels in self._split(dx, dphases):
            pixels[...] = phase

    def outputs(self, runs: np.ndarray) -> np.ndarray:
        """The view (n, F, H_out, W_out) of runs (n, F, length): without the pixels of no output."""
        return runs.reshape(*runs.shape[:2], self.H_out, self.pitch)[..., : self.W_out]

    def _split(self, x: np.ndarray, phases: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each phase its part within the border, and the pixels of x that belong there."""
        S, pad = self.stride, self.pad
        for a in range(S):
            for b in range(S):
                y, z = (a - pad) % S, (b - pad) % S  # the first row and column of x in this phase
                pixels = x[:, :, y::S, z::S]
                top, left = (y + pad) // S, (z + pad) // S
                height, width = pixels.shape[2:]
                yield phases[: len(x), :, a, b, top : top + height, left : left + width], pixels

    def _runs(self, phases: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """For each weight (i, j) the view (n, C, length) of the pixels that it meets."""
        S = self.stride
        flat = phases.reshape(*phases.shape[:4], -1)
        for i in range(self.HH):
            for j in range(self.WW):
                start = (i // S) * self.pitch + j // S
                yield i, j, flat[:, :, i % S, j % S, start : start + self.length]


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


def _window_views(
    x: np.ndarray, HH: int, WW: int, stride: int, H_out: int, W_out: int
) -> Iterator[np.ndarray]:
    """For each place in a window, row by row, the numbers there in all windows: (N, C, H_out, W_out)."""
    for i in range(HH):
        for j in range(WW):
            rows = slice(i, i + stride * (H_out - 1) + 1, stride)
            yield x[:, :, rows, j : j + stride * (W_out - 1) + 1 : stride]
