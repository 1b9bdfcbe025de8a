# cython: language_level=3
"""The fast layers in compiled code: C kernels under `kernels/`, wrapped here.

Arguments are checked in Python, by the same functions as in the plain layers; the kernels see pointers and
sizes. A batch is cut into as many pieces as there are threads; the kernels run without the interpreter lock.
"""

import os
from concurrent.futures import ThreadPoolExecutor

cimport cython
import numpy as np

from handgrad.layers._validate import check_conv, check_float_array, check_shape

ctypedef fused real:
    float
    double

cdef extern from "kernels/conv.h" nogil:
    ctypedef struct conv_sizes:
        long N, C, H, W
        long F, HH, WW
        long stride, pad
        long H_out, W_out
    int conv_forward_f32(int, const conv_sizes *, const float *, const float *, const float *, float *)
    int conv_forward_f64(int, const conv_sizes *, const double *, const double *, const double *, double *)
    int conv_backward_f32(
        int, const conv_sizes *, const float *, const float *, const float *, float *, float *, float *
    )
    int conv_backward_f64(
        int, const conv_sizes *, const double *, const double *, const double *, double *, double *, double *
    )
    int best_isa()

ISA_NAMES = ("plain", "avx2", "avx512")


def _choose_isa():
    """The processor's best instruction set, or the lower one that HANDGRAD_ISA names."""
    best = ISA_NAMES[: best_isa() + 1]
    wish = os.environ.get("HANDGRAD_ISA", best[-1])
    if wish not in best:
        raise ValueError(f"HANDGRAD_ISA must be one of {', '.join(best)} on this processor, got {wish!r}")
    return best.index(wish)


def _count_threads():
    """As many as this process may use: its processors, and what the usual variables allow."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in ("HANDGRAD_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            count = min(count, int(os.environ[name]))
    return max(1, count)


cdef int ISA = _choose_isa()
THREADS = _count_threads()
_pool = None


def _in_pieces(work, N, operations):
    """Call work(first, last) for pieces of N examples, one for each thread; the results in order.

    Threads sleep when idle. Waking them costs some 50 microseconds, so little work stays in one piece.
    """
    global _pool
    pieces = min(THREADS, N) if operations > 2e6 else 1
    if pieces == 1:
        return [work(0, N)]
    if _pool is None or _pool[0] != os.getpid():  # threads do not survive a fork
        _pool = os.getpid(), ThreadPoolExecutor(THREADS - 1, "handgrad")
    ends = [N * i // pieces for i in range(pieces + 1)]
    others = [_pool[1].submit(work, *ends[i : i + 2]) for i in range(1, pieces)]
    return [work(*ends[:2]), *(other.result() for other in others)]


def conv_forward_fast(x, w, b, conv_param):
    """The same as `handgrad.layers.conv_forward_naive`."""
    stride, pad, H_out, W_out = check_conv(x, w, b, conv_param)
    dtype = _dtype(x, w, b)
    x, w, b = (np.ascontiguousarray(a, dtype=dtype) for a in (x, w, b))
    out = np.empty((len(x), len(w), H_out, W_out), dtype=dtype)

    def work(first, last):
        _conv_forward(x[first:last], w, b, stride, pad, out[first:last])

    _in_pieces(work, len(x), out.size * w[0].size)
    return out, (x, w, stride, pad, out.shape)


def conv_backward_fast(dout, cache, need_dx=True):
    """The same as `handgrad.layers.conv_backward_naive`; dx is None without `need_dx`."""
    x, w, stride, pad, shape = cache
    check_shape("dout", dout, shape)
    dtype = _dtype(dout, x)
    x, w, dout = (np.ascontiguousarray(a, dtype=dtype) for a in (x, w, dout))
    dx = np.empty_like(x) if need_dx else None

    def work(first, last):
        dw, db = np.empty_like(w), np.empty(len(w), dtype)
        _conv_backward(x[first:last], w, dout[first:last], stride, pad, dx[first:last] if need_dx else x[:0], dw, db)
        return dw, db

    (dw, db), *others = _in_pieces(work, len(x), 2 * dout.size * w[0].size)
    for more_dw, more_db in others:
        dw += more_dw
        db += more_db
    return dx, dw, db


def _dtype(*arrays):
    """float32 if all are, else float64: the kernels know these two."""
    return np.dtype(np.float32) if all(a.dtype == np.float32 for a in arrays) else np.dtype(np.float64)


cdef conv_sizes _sizes(x, w, stride, pad, out):
    cdef conv_sizes s
    s.N, s.C, s.H, s.W = x.shape
    s.F, _, s.HH, s.WW = w.shape
    s.stride, s.pad = stride, pad
    s.H_out, s.W_out = out.shape[2:]
    return s


def _conv_forward(
    const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, const real[::1] b, stride, pad, real[:, :, :, ::1] out
):
    cdef conv_sizes s = _sizes(np.asarray(x), np.asarray(w), stride, pad, np.asarray(out))
    cdef int failed
    with nogil:
        if real is float:
            failed = conv_forward_f32(ISA, &s, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &b[0], &out[0, 0, 0, 0])
        else:
            failed = conv_forward_f64(ISA, &s, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &b[0], &out[0, 0, 0, 0])
    if failed:
        raise MemoryError("there is not enough memory for the convolution")


def _conv_backward(
    const real[:, :, :, ::1] x,
    const real[:, :, :, ::1] w,
    const real[:, :, :, ::1] dout,
    stride,
    pad,
    real[:, :, :, ::1] dx,
    real[:, :, :, ::1] dw,
    real[::1] db,
):
    cdef conv_sizes s = _sizes(np.asarray(x), np.asarray(w), stride, pad, np.asarray(dout))
    cdef real *to = &dx[0, 0, 0, 0] if dx.shape[0] else NULL
    cdef int failed
    with nogil:
        if real is float:
            failed = conv_backward_f32(
                ISA, &s, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &dout[0, 0, 0, 0], to, &dw[0, 0, 0, 0], &db[0]
            )
        else:
            failed = conv_backward_f64(
                ISA, &s, &x[0, 0, 0, 0], &w[0, 0, 0, 0], &dout[0, 0, 0, 0], to, &dw[0, 0, 0, 0], &db[0]
            )
    if failed:
        raise MemoryError("there is not enough memory for the gradients of the convolution")


def relu_forward_fast(x):
    """The same as `handgrad.layers.relu_forward`."""
    check_float_array("x", x)
    flat = np.ascontiguousarray(x).reshape(-1)
    out = np.empty_like(flat)
    _relu(flat, out)
    return out.reshape(x.shape), x


def relu_backward_fast(dout, cache):
    """The same as `handgrad.layers.relu_backward`."""
    check_shape("dout", dout, cache.shape)
    flat = np.ascontiguousarray(cache).reshape(-1)
    dx = np.empty_like(flat)
    _relu_gradient(np.ascontiguousarray(dout, dtype=cache.dtype).reshape(-1), flat, dx)
    return dx.reshape(cache.shape)


@cython.boundscheck(False)
@cython.wraparound(False)
def _relu(const real[::1] x, real[::1] out):
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            out[i] = 0 if x[i] <= 0 else x[i]  # a NaN stays one


@cython.boundscheck(False)
@cython.wraparound(False)
def _relu_gradient(const real[::1] dout, const real[::1] x, real[::1] dx):
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            dx[i] = dout[i] if x[i] > 0 else 0
