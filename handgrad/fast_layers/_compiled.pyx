# cython: language_level=3
# cython: show_performance_hints=False
"""The fast layers in compiled code: C kernels under `kernels/`, wrapped here.

Arguments are checked in Python, by the same functions as in the plain layers; the kernels see pointers and
sizes. A batch is cut into as many pieces as there are threads; the kernels run without the interpreter lock.
There is one wrapper for both dtypes: with Cython's fused types the file took twice as long to compile.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t

from handgrad._update_rules import MEMORY, prepare
from handgrad.fast_layers import numpy_backend
from handgrad.layers._validate import (
    check_conv,
    check_float_array,
    check_norm,
    check_pool,
    check_running,
    check_scores,
    check_shape,
    check_spatial,
)

cdef extern from "kernels/kernels.h" nogil:
    ctypedef struct conv_sizes:
        long N, C, H, W
        long F, HH, WW
        long stride, pad
        long H_out, W_out
    int best_isa()
    ctypedef struct kernels_f32:
        int (*conv_forward)(const conv_sizes *, const float *, const float *, const float *, float *) noexcept nogil
        int (*conv_backward)(
            const conv_sizes *, const float *, const float *, const float *, float *, float *,
            float *
        ) noexcept nogil
        void (*pool_forward)(const conv_sizes *, const float *, float *, int32_t *) noexcept nogil
        void (*pool_backward)(const conv_sizes *, const float *, const int32_t *, float *) noexcept nogil
        void (*norm_forward)(
            long, long, long, long, long, const float *, const float *, const float *, double, int,
            double *, double *, float *, float *
        ) noexcept nogil
        void (*norm_backward)(
            long, long, long, long, long, const float *, const float *, const double *, const float *,
            const float *, int, double *, double *, float *
        ) noexcept nogil
        void (*relu_forward)(long, const float *, float *) noexcept nogil
        void (*relu_backward)(long, const float *, const float *, float *) noexcept nogil
        double (*softmax)(long, long, const float *, const int64_t *, float *) noexcept nogil
        void (*sgd)(long, const float *, const float *, double, float *) noexcept nogil
        void (*momentum)(
            long, const float *, const float *, const float *, double, double, float *,
            float *
        ) noexcept nogil
        void (*rmsprop)(
            long, const float *, const float *, const float *, double, double, double, float *,
            float *
        ) noexcept nogil
        void (*adam)(
            long, const float *, const float *, const float *, const float *, double, double, double,
            double, double, double, float *, float *, float *
        ) noexcept nogil
    const kernels_f32 *get_kernels_f32(int)
    ctypedef struct kernels_f64:
        int (*conv_forward)(
            const conv_sizes *, const double *, const double *, const double *,
            double *
        ) noexcept nogil
        int (*conv_backward)(
            const conv_sizes *, const double *, const double *, const double *, double *, double *,
            double *
        ) noexcept nogil
        void (*pool_forward)(const conv_sizes *, const double *, double *, int32_t *) noexcept nogil
        void (*pool_backward)(const conv_sizes *, const double *, const int32_t *, double *) noexcept nogil
        void (*norm_forward)(
            long, long, long, long, long, const double *, const double *, const double *, double, int,
            double *, double *, double *, double *
        ) noexcept nogil
        void (*norm_backward)(
            long, long, long, long, long, const double *, const double *, const double *, const double *,
            const double *, int, double *, double *, double *
        ) noexcept nogil
        void (*relu_forward)(long, const double *, double *) noexcept nogil
        void (*relu_backward)(long, const double *, const double *, double *) noexcept nogil
        double (*softmax)(long, long, const double *, const int64_t *, double *) noexcept nogil
        void (*sgd)(long, const double *, const double *, double, double *) noexcept nogil
        void (*momentum)(
            long, const double *, const double *, const double *, double, double, double *,
            double *
        ) noexcept nogil
        void (*rmsprop)(
            long, const double *, const double *, const double *, double, double, double, double *,
            double *
        ) noexcept nogil
        void (*adam)(
            long, const double *, const double *, const double *, const double *, double, double, double,
            double, double, double, double *, double *, double *
        ) noexcept nogil
    const kernels_f64 *get_kernels_f64(int)

ISA_NAMES = ("plain", "avx2", "avx512")


def available_isas():
    """The instruction sets that this processor has and kernels are compiled for, the best last."""
    return ISA_NAMES[: best_isa() + 1]


def _choose_isa():
    """The processor's best instruction set, or the lower one that HANDGRAD_ISA names."""
    names = available_isas()
    wish = os.environ.get("HANDGRAD_ISA", names[-1])
    if wish not in names:
        raise ValueError(f"HANDGRAD_ISA must be one of {', '.join(names)} on this processor, got {wish!r}")
    return names.index(wish)


def _count_threads():
    """As many as this process may use: its processors, and what the usual variables allow."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in ("HANDGRAD_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            count = min(count, int(os.environ[name]))
    return max(1, count)


cdef const kernels_f32 *K32 = get_kernels_f32(_choose_isa())
cdef const kernels_f64 *K64 = get_kernels_f64(_choose_isa())
THREADS = _count_threads()
_pool = None


def _in_pieces(work, N, operations):
    """Call work(first, last) for pieces of N examples, one for each thread; the results in order.

    Threads sleep when idle, and waking one costs 0.1 ms up to 1 ms when its processor sleeps too. So work of less
    than about a millisecond stays in one piece.
    """
    global _pool
    pieces = min(THREADS, N) if operations > 2e7 else 1
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
        _conv_backward(x[first:last], w, dout[first:last], stride, pad, dx[first:last] if need_dx else None, dw, db)
        return dw, db

    (dw, db), *others = _in_pieces(work, len(x), 2 * dout.size * w[0].size)
    for more_dw, more_db in others:
        dw += more_dw
        db += more_db
    return dx, dw, db


cdef void *_read(array) except? NULL:
    """Where the numbers of a contiguous array lie."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE)
    PyBuffer_Release(&view)  # the caller holds the array
    return view.buf


cdef void *_write(array) except? NULL:
    """The same, of an array that may be written to."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_WRITABLE)
    PyBuffer_Release(&view)
    return view.buf


cdef bint _single(array):
    """Whether the array is float32; else it is float64."""
    return array.dtype == np.float32


def _known(*arrays):
    """Whether the kernels know the dtypes; NumPy computes with all others."""
    return all(a.dtype in (np.float32, np.float64) for a in arrays)


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


cdef _conv_forward(x, w, b, stride, pad, out):
    cdef conv_sizes s = _sizes(x, w, stride, pad, out)
    cdef void *px = _read(x)
    cdef void *pw = _read(w)
    cdef void *pb = _read(b)
    cdef void *to = _write(out)
    cdef bint single = _single(x)
    cdef int failed
    with nogil:
        if single:
            failed = K32.conv_forward(&s, <float *>px, <float *>pw, <float *>pb, <float *>to)
        else:
            failed = K64.conv_forward(&s, <double *>px, <double *>pw, <double *>pb, <double *>to)
    if failed:
        raise MemoryError("there is not enough memory for the convolution")


cdef _conv_backward(x, w, dout, stride, pad, dx, dw, db):
    cdef conv_sizes s = _sizes(x, w, stride, pad, dout)
    cdef void *px = _read(x)
    cdef void *pw = _read(w)
    cdef void *pdout = _read(dout)
    cdef void *pdx = NULL if dx is None else _write(dx)
    cdef void *pdw = _write(dw)
    cdef void *pdb = _write(db)
    cdef bint single = _single(x)
    cdef int failed
    with nogil:
        if single:
            failed = K32.conv_backward(
                &s, <float *>px, <float *>pw, <float *>pdout, <float *>pdx, <float *>pdw, <float *>pdb
            )
        else:
            failed = K64.conv_backward(
                &s, <double *>px, <double *>pw, <double *>pdout, <double *>pdx, <double *>pdw, <double *>pdb
            )
    if failed:
        raise MemoryError("there is not enough memory for the gradients of the convolution")


def max_pool_forward_fast(x, pool_param):
    """The same as `handgrad.layers.max_pool_forward_naive`."""
    HH, WW, stride, H_out, W_out = check_pool(x, pool_param)
    if not _known(x) or x[0, 0].size >= 2**31:
        return numpy_backend.max_pool_forward_fast(x, pool_param)
    x = np.ascontiguousarray(x)
    N, C, H, W = x.shape
    out = np.empty((N, C, H_out, W_out), x.dtype)
    where = np.empty(out.shape, np.int32)  # of each window's largest number, in its plane

    def work(first, last):
        _pool_forward(x[first:last], HH, WW, stride, out[first:last], where[first:last])

    _in_pieces(work, N, x.size)
    return out, (x.shape, x.dtype, where, HH, WW, stride)


def max_pool_backward_fast(dout, cache):
    """The same as `handgrad.layers.max_pool_backward_naive`."""
    if len(cache) != 6:  # the NumPy backend's
        return numpy_backend.max_pool_backward_fast(dout, cache)
    shape, dtype, where, HH, WW, stride = cache
    check_shape("dout", dout, where.shape)
    dout = np.ascontiguousarray(dout, dtype=dout.dtype if _known(dout) else dtype)
    dx = np.empty(shape, dout.dtype)

    def work(first, last):
        _pool_backward(dout[first:last], where[first:last], HH, WW, stride, dx[first:last])

    _in_pieces(work, len(dx), dx.size)
    return dx


cdef conv_sizes _pool_sizes(shape, out_shape, HH, WW, stride):
    cdef conv_sizes s
    s.N, s.C, s.H, s.W = shape
    s.HH, s.WW, s.stride = HH, WW, stride
    s.H_out, s.W_out = out_shape[2:]
    return s


cdef _pool_forward(x, HH, WW, stride, out, where):
    cdef conv_sizes s = _pool_sizes(x.shape, out.shape, HH, WW, stride)
    cdef void *px = _read(x)
    cdef void *to = _write(out)
    cdef int32_t *places = <int32_t *>_write(where)
    cdef bint single = _single(x)
    with nogil:
        if single:
            K32.pool_forward(&s, <float *>px, <float *>to, places)
        else:
            K64.pool_forward(&s, <double *>px, <double *>to, places)


cdef _pool_backward(dout, where, HH, WW, stride, dx):
    cdef conv_sizes s = _pool_sizes(dx.shape, dout.shape, HH, WW, stride)
    cdef void *pdout = _read(dout)
    cdef int32_t *places = <int32_t *>_read(where)
    cdef void *to = _write(dx)
    cdef bint single = _single(dx)
    with nogil:
        if single:
            K32.pool_backward(&s, <float *>pdout, places, <float *>to)
        else:
            K64.pool_backward(&s, <double *>pdout, places, <double *>to)


def batchnorm_forward_fast(x, gamma, beta, bn_param):
    """The same as `handgrad.layers.batchnorm_forward`."""
    return _batchnorm_forward(x, gamma, beta, bn_param, numpy_backend.batchnorm_forward_fast)


def batchnorm_backward_fast(dout, cache):
    """The same as `handgrad.layers.batchnorm_backward`."""
    return _batchnorm_backward(dout, cache, numpy_backend.batchnorm_backward_fast)


def spatial_batchnorm_forward_fast(x, gamma, beta, bn_param):
    """The same as `handgrad.layers.spatial_batchnorm_forward`."""
    check_spatial(x)
    return _batchnorm_forward(x, gamma, beta, bn_param, numpy_backend.spatial_batchnorm_forward_fast)


def spatial_batchnorm_backward_fast(dout, cache):
    """The same as `handgrad.layers.spatial_batchnorm_backward`."""
    return _batchnorm_backward(dout, cache, numpy_backend.spatial_batchnorm_backward_fast)


def _batchnorm_forward(x, gamma, beta, bn_param, plain):
    """Batch norm of examples (N, C) or images (N, C, H, W)."""
    check_norm(x, gamma, beta)
    mode, eps, momentum, running_mean, running_var = check_running(x, bn_param)
    if not _known(x, gamma, beta):
        return plain(x, gamma, beta, bn_param)
    train = mode == "train"
    dtype = _dtype(x, gamma, beta)
    mean, var = running_mean.astype(np.float64), running_var.astype(np.float64)
    values = np.ascontiguousarray(x, dtype=dtype)
    gamma, beta = (np.ascontiguousarray(a, dtype=dtype) for a in (gamma, beta))
    inv_std, out = np.empty_like(gamma), np.empty_like(values)
    flat, flat_out = values.reshape(-1), out.reshape(-1)

    def work(first, last):
        _norm_forward(len(x), first, last, flat, gamma, beta, eps, train, mean, var, inv_std, flat_out)

    _in_pieces(work, len(gamma), 4 * x.size)
    if train:
        bn_param["running_mean"] = (momentum * running_mean + (1 - momentum) * mean).astype(x.dtype)
        bn_param["running_var"] = (momentum * running_var + (1 - momentum) * var).astype(x.dtype)
    return out, (train, values, mean, inv_std, gamma)


def _batchnorm_backward(dout, cache, plain):
    if len(cache) != 5:  # the plain layer's
        return plain(dout, cache)
    train, x, mean, inv_std, gamma = cache
    check_shape("dout", dout, x.shape)
    dout = np.ascontiguousarray(dout, dtype=x.dtype).reshape(-1)
    flat, dx, sums = x.reshape(-1), np.empty_like(x), np.empty((2, len(gamma)))
    flat_dx = dx.reshape(-1)

    def work(first, last):
        _norm_backward(len(x), first, last, flat, dout, mean, inv_std, gamma, train, sums[0], sums[1], flat_dx)

    _in_pieces(work, len(gamma), 4 * x.size)
    dgamma, dbeta = sums.astype(x.dtype)
    return dx, dgamma, dbeta


cdef _norm_forward(long N, long first, long last, x, gamma, beta, double eps, int train, mean, var, inv_std, out):
    cdef long C = gamma.size
    cdef long P = x.size // (N * C)
    cdef void *px = _read(x)
    cdef void *pgamma = _read(gamma)
    cdef void *pbeta = _read(beta)
    cdef double *pmean = <double *>_write(mean)
    cdef double *pvar = <double *>_write(var)
    cdef void *pinv = _write(inv_std)
    cdef void *to = _write(out)
    cdef bint single = _single(x)
    with nogil:
        if single:
            K32.norm_forward(
                N, C, P, first, last, <float *>px, <float *>pgamma, <float *>pbeta, eps, train, pmean, pvar,
                <float *>pinv, <float *>to,
            )
        else:
            K64.norm_forward(
                N, C, P, first, last, <double *>px, <double *>pgamma, <double *>pbeta, eps, train, pmean, pvar,
                <double *>pinv, <double *>to,
            )


cdef _norm_backward(long N, long first, long last, x, dout, mean, inv_std, gamma, int train, dgamma, dbeta, dx):
    cdef long C = gamma.size
    cdef long P = x.size // (N * C)
    cdef void *px = _read(x)
    cdef void *pdout = _read(dout)
    cdef double *pmean = <double *>_read(mean)
    cdef void *pinv = _read(inv_std)
    cdef void *pgamma = _read(gamma)
    cdef double *pdgamma = <double *>_write(dgamma)
    cdef double *pdbeta = <double *>_write(dbeta)
    cdef void *to = _write(dx)
    cdef bint single = _single(x)
    with nogil:
        if single:
            K32.norm_backward(
                N, C, P, first, last, <float *>px, <float *>pdout, pmean, <float *>pinv, <float *>pgamma, train,
                pdgamma, pdbeta, <float *>to,
            )
        else:
            K64.norm_backward(
                N, C, P, first, last, <double *>px, <double *>pdout, pmean, <double *>pinv, <double *>pgamma, train,
                pdgamma, pdbeta, <double *>to,
            )


def relu_forward_fast(x):
    """The same as `handgrad.layers.relu_forward`."""
    check_float_array("x", x)
    if not _known(x):
        return numpy_backend.relu_forward_fast(x)
    flat = np.ascontiguousarray(x).reshape(-1)
    out = np.empty_like(flat)
    _in_pieces(lambda first, last: _relu_forward(flat[first:last], out[first:last]), flat.size, flat.size)
    return out.reshape(x.shape), x


def relu_backward_fast(dout, cache):
    """The same as `handgrad.layers.relu_backward`."""
    check_shape("dout", dout, cache.shape)
    if not _known(dout, cache):
        return numpy_backend.relu_backward_fast(dout, cache)
    flat = np.ascontiguousarray(cache).reshape(-1)
    dflat = np.ascontiguousarray(dout, dtype=cache.dtype).reshape(-1)
    dx = np.empty_like(flat)

    def work(first, last):
        _relu_backward(dflat[first:last], flat[first:last], dx[first:last])

    _in_pieces(work, flat.size, flat.size)
    return dx.reshape(cache.shape)


cdef _relu_forward(x, out):
    cdef long n = x.size
    cdef void *px = _read(x)
    cdef void *to = _write(out)
    cdef bint single = _single(x)
    with nogil:
        if single:
            K32.relu_forward(n, <float *>px, <float *>to)
        else:
            K64.relu_forward(n, <double *>px, <double *>to)


cdef _relu_backward(dout, x, dx):
    cdef long n = x.size
    cdef void *pdout = _read(dout)
    cdef void *px = _read(x)
    cdef void *to = _write(dx)
    cdef bint single = _single(x)
    with nogil:
        if single:
            K32.relu_backward(n, <float *>pdout, <float *>px, <float *>to)
        else:
            K64.relu_backward(n, <double *>pdout, <double *>px, <double *>to)


def softmax_loss_fast(x, y):
    """The same as `handgrad.layers.softmax_loss`."""
    check_scores(x, y)
    if not _known(x):
        return numpy_backend.softmax_loss_fast(x, y)
    x = np.ascontiguousarray(x)
    dx = np.empty_like(x)
    total = _softmax(x, np.ascontiguousarray(y, dtype=np.int64), dx)
    return x.dtype.type(total / len(x)), dx


cdef double _softmax(x, y, dx) except? -1:
    cdef long N = x.shape[0], C = x.shape[1]
    cdef void *px = _read(x)
    cdef int64_t *labels = <int64_t *>_read(y)
    cdef void *to = _write(dx)
    cdef bint single = _single(x)
    with nogil:
        if single:
            return K32.softmax(N, C, <float *>px, labels, <float *>to)
        return K64.softmax(N, C, <double *>px, labels, <double *>to)


def sgd_fast(w, dw, config=None):
    """The same as `handgrad.optim.sgd`."""
    return _step("sgd", w, dw, config, _sgd)


def sgd_momentum_fast(w, dw, config=None):
    """The same as `handgrad.optim.sgd_momentum`."""
    return _step("sgd_momentum", w, dw, config, _momentum)


def rmsprop_fast(w, dw, config=None):
    """The same as `handgrad.optim.rmsprop`."""
    return _step("rmsprop", w, dw, config, _rmsprop)


def adam_fast(w, dw, config=None):
    """The same as `handgrad.optim.adam`."""
    return _step("adam", w, dw, config, _adam)


def _step(name, w, dw, config, rule):
    """One step of rule(config, w, dw, *memory, next_w, *next_memory), in pieces."""
    if not (isinstance(w, np.ndarray) and _known(w)):
        return getattr(numpy_backend, f"{name}_fast")(w, dw, config)
    dw, config = prepare(name, w, dw, config, copies=False)
    if "t" in config:
        config["t"] += 1
    memory = MEMORY[name]
    inputs = [np.ascontiguousarray(a).reshape(-1) for a in (w, dw, *(config[key] for key in memory))]
    outputs = [np.empty_like(a) for a in (inputs[0], *inputs[2:])]

    def work(first, last):
        rule(config, *(a[first:last] for a in (*inputs, *outputs)))

    _in_pieces(work, w.size, w.size)
    next_w, *remembered = (out.reshape(w.shape) for out in outputs)
    return next_w, config | dict(zip(memory, remembered))


def _sgd(config, w, dw, next_w):
    cdef long n = w.size
    cdef double rate = config["learning_rate"]
    cdef void *pw = _read(w)
    cdef void *pdw = _read(dw)
    cdef void *to = _write(next_w)
    cdef bint single = _single(w)
    with nogil:
        if single:
            K32.sgd(n, <float *>pw, <float *>pdw, rate, <float *>to)
        else:
            K64.sgd(n, <double *>pw, <double *>pdw, rate, <double *>to)


def _momentum(config, w, dw, velocity, next_w, next_velocity):
    cdef long n = w.size
    cdef double rate = config["learning_rate"], momentum = config["momentum"]
    cdef void *pw = _read(w)
    cdef void *pdw = _read(dw)
    cdef void *pv = _read(velocity)
    cdef void *to = _write(next_w)
    cdef void *next_v = _write(next_velocity)
    cdef bint single = _single(w)
    with nogil:
        if single:
            K32.momentum(n, <float *>pw, <float *>pdw, <float *>pv, rate, momentum, <float *>to, <float *>next_v)
        else:
            K64.momentum(n, <double *>pw, <double *>pdw, <double *>pv, rate, momentum, <double *>to, <double *>next_v)


def _rmsprop(config, w, dw, cache, next_w, next_cache):
    cdef long n = w.size
    cdef double rate = config["learning_rate"], decay = config["decay_rate"], epsilon = config["epsilon"]
    cdef void *pw = _read(w)
    cdef void *pdw = _read(dw)
    cdef void *pc = _read(cache)
    cdef void *to = _write(next_w)
    cdef void *next_c = _write(next_cache)
    cdef bint single = _single(w)
    with nogil:
        if single:
            K32.rmsprop(n, <float *>pw, <float *>pdw, <float *>pc, rate, decay, epsilon, <float *>to, <float *>next_c)
        else:
            K64.rmsprop(
                n, <double *>pw, <double *>pdw, <double *>pc, rate, decay, epsilon, <double *>to, <double *>next_c
            )


def _adam(config, w, dw, m, v, next_w, next_m, next_v):
    cdef long n = w.size
    cdef double rate = config["learning_rate"], epsilon = config["epsilon"]
    cdef double beta1 = config["beta1"], beta2 = config["beta2"]
    cdef double unbias1 = 1 - config["beta1"] ** config["t"], unbias2 = 1 - config["beta2"] ** config["t"]
    cdef void *pw = _read(w)
    cdef void *pdw = _read(dw)
    cdef void *pm = _read(m)
    cdef void *pv = _read(v)
    cdef void *to = _write(next_w)
    cdef void *to_m = _write(next_m)
    cdef void *to_v = _write(next_v)
    cdef bint single = _single(w)
    with nogil:
        if single:
            K32.adam(
                n, <float *>pw, <float *>pdw, <float *>pm, <float *>pv, rate, beta1, beta2, epsilon, unbias1, unbias2,
                <float *>to, <float *>to_m, <float *>to_v,
            )
        else:
            K64.adam(
                n, <double *>pw, <double *>pdw, <double *>pm, <double *>pv, rate, beta1, beta2, epsilon, unbias1,
                unbias2, <double *>to, <double *>to_m, <double *>to_v,
            )
