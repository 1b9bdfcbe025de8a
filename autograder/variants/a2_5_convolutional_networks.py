"""Right solutions of a2/5_convolutional_networks in other styles: convolution, pooling and the network."""

from types import SimpleNamespace

import numpy as np

from handgrad.fast_layers import (
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from handgrad.layer_utils import (
    affine_relu_backward,
    affine_relu_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from handgrad.layers import (
    affine_backward,
    affine_forward,
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
    relu_backward,
    relu_forward,
    softmax_loss,
)

from . import variant

CONV = "handgrad.layers.conv.conv_"
POOL = "handgrad.layers.pool.max_pool_"
NET = "handgrad.classifiers.cnn.ThreeLayerConvNet."


# ---- loops, number by number


@variant("loops", CONV + "forward_naive")
def conv_forward_loops(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out = int(1 + (H + 2 * pad - HH) / stride)
    W_out = int(1 + (W + 2 * pad - WW) / stride)
    x_pad = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    x_pad[:, :, pad : H + pad, pad : W + pad] = x
    out = np.zeros((N, F, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    window = x_pad[n, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, (x, w, b, conv_param)


@variant("loops", CONV + "backward_naive")
def conv_backward_loops(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    _, _, H_out, W_out = dout.shape
    x_pad = np.pad(x, ((0,), (0,), (pad,), (pad,)), mode="constant")
    dx_pad, dw, db = np.zeros_like(x_pad), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            db[f] += np.sum(dout[n, f])
            for i in range(H_out):
                for j in range(W_out):
                    r, c = i * stride, j * stride
                    dw[f] += x_pad[n, :, r : r + HH, c : c + WW] * dout[n, f, i, j]
                    dx_pad[n, :, r : r + HH, c : c + WW] += w[f] * dout[n, f, i, j]
    dx = dx_pad[:, :, pad : pad + H, pad : pad + W]
    return dx, dw, db


@variant("loops", POOL + "forward_naive")
def pool_forward_loops(x, pool_param):
    HH, WW, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    H_out, W_out = (H - HH) // stride + 1, (W - WW) // stride + 1
    out = np.zeros((N, C, H_out, W_out))
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    out[n, c, i, j] = np.max(
                        x[n, c, i * stride : i * stride + HH, j * stride : j * stride + WW]
                    )
    return out, (x, pool_param)


@variant("loops", POOL + "backward_naive")
def pool_backward_loops(dout, cache):
    x, pool_param = cache
    HH, WW, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    N, C, H_out, W_out = dout.shape
    for n in range(N):
        for c in range(C):
            for i in range(H_out):
                for j in range(W_out):
                    window = x[n, c, i * stride : i * stride + HH, j * stride : j * stride + WW]
                    r, s = np.unravel_index(np.argmax(window), window.shape)
                    dx[n, c, i * stride + r, j * stride + s] += dout[n, c, i, j]
    return dx


# ---- windows as a view, einsum


@variant("einsum", CONV + "forward_naive")
def conv_forward_windows(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    out = np.einsum("ncijuv,fcuv->nfij", windows, w) + b.reshape(1, -1, 1, 1)
    return out, {"windows": windows, "w": w, "x_shape": x.shape, "stride": stride, "pad": pad}


@variant("einsum", CONV + "backward_naive")
def conv_backward_windows(dout, cache):
    w, stride, pad = cache["w"], cache["stride"], cache["pad"]
    N, C, H, W = cache["x_shape"]
    dw = np.einsum("nfij,ncijuv->fcuv", dout, cache["windows"])
    db = np.einsum("nfij->f", dout)
    # The gradient of every pixel in every window, and from there back to the image.
    dwindows = np.einsum("nfij,fcuv->nciujv", dout, w)
    dpadded = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            u, v = i * stride, j * stride
            dpadded[:, :, u : u + w.shape[2], v : v + w.shape[3]] += dwindows[:, :, i, :, j]
    if pad > 0:
        dpadded = dpadded[:, :, pad:-pad, pad:-pad]
    return dpadded, dw, db[None]


@variant("einsum", POOL + "forward_naive")
def pool_forward_windows(x, pool_param):
    HH, WW, stride = (pool_param[name] for name in ("pool_height", "pool_width", "stride"))
    windows = np.lib.stride_tricks.sliding_window_view(x, (HH, WW), axis=(2, 3))
    out = windows[:, :, ::stride, ::stride].max(axis=(-2, -1))
    return out, {"x": x, "out": out, "param": pool_param}


@variant("einsum", POOL + "backward_naive")
def pool_backward_masks(dout, cache):
    x, out = cache["x"], cache["out"]
    HH, WW, stride = (cache["param"][name] for name in ("pool_height", "pool_width", "stride"))
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(out.shape[2:]):
        rows, columns = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
        mask = x[:, :, rows, columns] == out[:, :, i, j, None, None]
        dx[:, :, rows, columns] += np.einsum("ncuv,nc->ncuv", mask, dout[:, :, i, j])
    return dx


# ---- a loop over the weights of a filter, or over the pixels of a window


@variant("loop over the window", CONV + "forward_naive")
def conv_forward_offsets(x, w, b, conv_param):
    s, p = conv_param["stride"], conv_param["pad"]
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    h, v = 1 + (H + 2 * p - HH) // s, 1 + (W + 2 * p - WW) // s
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    out = np.zeros((N, F, h, v)) + b[:, None, None]
    for i in range(HH):
        for j in range(WW):
            pixels = padded[:, :, i : i + s * h : s, j : j + s * v : s]
            out += np.tensordot(pixels, w[:, :, i, j], axes=(1, 1)).transpose(0, 3, 1, 2)
    return out, (padded, w, s, p, "a comment")


@variant("loop over the window", CONV + "backward_naive")
def conv_backward_offsets(dout, cache):
    padded, w, s, p, _ = cache
    _, _, HH, WW = w.shape
    _, _, h, v = dout.shape
    dpadded, dw = np.zeros(padded.shape), np.empty(w.shape)
    for i in range(HH):
        for j in range(WW):
            rows, columns = slice(i, i + s * h, s), slice(j, j + s * v, s)
            dw[:, :, i, j] = np.tensordot(dout, padded[:, :, rows, columns], axes=((0, 2, 3), (0, 2, 3)))
            dpadded[:, :, rows, columns] += np.tensordot(dout, w[:, :, i, j], axes=(1, 0)).transpose(
                0, 3, 1, 2
            )
    H, W = padded.shape[2] - 2 * p, padded.shape[3] - 2 * p
    return dpadded[:, :, p : p + H, p : p + W], dw, dout.sum((0, 2, 3))


@variant("loop over the window", POOL + "forward_naive")
def pool_forward_offsets(x, pool_param):
    HH, WW, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    h, v = 1 + (x.shape[2] - HH) // s, 1 + (x.shape[3] - WW) // s
    out = np.full((*x.shape[:2], h, v), -np.inf)
    place = np.zeros(out.shape, dtype=int)
    for k in range(HH * WW):
        i, j = divmod(k, WW)
        pixels = x[:, :, i : i + s * h : s, j : j + s * v : s]
        place[pixels > out] = k
        out = np.maximum(out, pixels)
    return out, (place, x.shape, HH, WW, s)


@variant("loop over the window", POOL + "backward_naive")
def pool_backward_offsets(dout, cache):
    place, shape, HH, WW, s = cache
    dx = np.zeros(shape)
    h, v = dout.shape[2:]
    for k in range(HH * WW):
        i, j = divmod(k, WW)
        dx[:, :, i : i + s * h : s, j : j + s * v : s] += dout * (place == k)
    return dx


# ---- one matrix product (im2col)


@variant("matrix product", CONV + "forward_naive")
def conv_forward_matrix(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out, W_out = (H + 2 * pad - HH) // stride + 1, (W + 2 * pad - WW) // stride + 1
    top, left = stride * np.repeat(np.arange(H_out), W_out), stride * np.tile(np.arange(W_out), H_out)
    c = np.repeat(np.arange(C), HH * WW)[:, None]
    row = np.tile(np.repeat(np.arange(HH), WW), C)[:, None] + top
    column = np.tile(np.arange(WW), HH * C)[:, None] + left
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    columns = padded[:, c, row, column]  # (N, C * HH * WW, H_out * W_out)
    out = w.reshape(F, -1) @ columns + b[:, None]
    return out.reshape(N, F, H_out, W_out), (padded.shape, columns, (c, row, column), w, pad)


@variant("matrix product", CONV + "backward_naive")
def conv_backward_matrix(dout, cache):
    shape, columns, (c, row, column), w, pad = cache
    F = len(w)
    dout = dout.reshape(len(dout), F, -1)
    dw = (dout @ columns.transpose(0, 2, 1)).sum(axis=0).reshape(w.shape)
    dcolumns = w.reshape(F, -1).T @ dout
    dpadded = np.zeros(shape)
    np.add.at(dpadded, (slice(None), c, row, column), dcolumns)
    H, W = shape[2:]
    dx = dpadded[:, :, pad : H - pad, pad : W - pad]
    return np.asfortranarray(dx), np.asfortranarray(dw), np.sum(dout, axis=2).sum(axis=0)


@variant("matrix product", POOL + "forward_naive")
def pool_forward_columns(x, pool_param):
    HH, WW, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    N, C, H, W = x.shape
    rows, columns = range(0, H - HH + 1, stride), range(0, W - WW + 1, stride)
    table = np.array([x[:, :, r : r + HH, c : c + WW].reshape(N * C, -1) for r in rows for c in columns])
    best = table.argmax(axis=2)  # (H_out * W_out, N * C)
    out = np.take_along_axis(table, best[:, :, None], axis=2)[:, :, 0]
    return out.T.reshape(N, C, len(rows), len(columns)), [best, x.shape, rows, columns, WW]


@variant("matrix product", POOL + "backward_naive")
def pool_backward_columns(dout, cache):
    best, shape, rows, columns, WW = cache
    dx = np.zeros((shape[0] * shape[1], *shape[2:]))
    flat = dout.reshape(len(dx), -1)
    images = np.arange(len(dx))
    for number, (r, c) in enumerate((r, c) for r in rows for c in columns):
        np.add.at(dx, (images, r + best[number] // WW, c + best[number] % WW), flat[:, number])
    return dx.reshape(shape)


# ---- float32 inside


def in_float32(function):
    def wrapped(*args):
        return function(
            *(a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in args)
        )

    return wrapped


variant("float32", CONV + "forward_naive")(in_float32(conv_forward_naive))
variant("float32", CONV + "backward_naive")(in_float32(conv_backward_naive))
variant("float32", POOL + "forward_naive")(in_float32(max_pool_forward_naive))
variant("float32", POOL + "backward_naive")(in_float32(max_pool_backward_naive))


# ---- the given fast layers, and an object as cache


@variant("fast layers", CONV + "forward_naive")
def conv_forward_given(x, w, b, conv_param):
    out, cache = conv_forward_fast(x, w, b, conv_param)
    return out, SimpleNamespace(fast=cache)


@variant("fast layers", CONV + "backward_naive")
def conv_backward_given(dout, cache):
    return conv_backward_fast(np.ascontiguousarray(dout), cache.fast)


@variant("fast layers", POOL + "forward_naive")
def pool_forward_given(x, pool_param):
    out, cache = max_pool_forward_fast(x, pool_param)
    return out, SimpleNamespace(fast=cache)


@variant("fast layers", POOL + "backward_naive")
def pool_backward_given(dout, cache):
    return max_pool_backward_fast(np.ascontiguousarray(dout), cache.fast)


# ---- in place, on what was handed in; sizes that do not tile are floored


@variant("in place", CONV + "forward_naive")
def conv_forward_in_place(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    cache = (x.copy(), w.copy(), dict(conv_param))
    rows, columns = (size + 2 * pad for size in x.shape[2:])
    padded = np.zeros((*x.shape[:2], rows, columns))
    padded[:, :, pad : rows - pad, pad : columns - pad] = x
    x *= 0
    w = w.reshape(len(w), -1)
    HH, WW = cache[1].shape[2:]
    out = []
    for top in range(0, rows - HH + 1, stride):
        for left in range(0, columns - WW + 1, stride):
            out.append(padded[:, :, top : top + HH, left : left + WW].reshape(len(x), -1).dot(w.T) + b)
    shape = (len(x), len(w), 1 + (rows - HH) // stride, 1 + (columns - WW) // stride)
    return np.stack(out, axis=2).reshape(shape), cache


@variant("in place", CONV + "backward_naive")
def conv_backward_uses_up_dout(dout, cache):
    x, w, param = cache
    stride, pad = param["stride"], param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw, db = 0 * padded, np.zeros(w.shape), []
    HH, WW = w.shape[2:]
    for f in range(len(w)):
        db.append(dout[:, f].sum())
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                rows, columns = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
                above = dout[:, f, i, j].reshape(-1, 1, 1, 1)
                dw[f] += (above * padded[:, :, rows, columns]).sum(axis=0)
                dpadded[:, :, rows, columns] += above * w[f]
    dout *= 0
    return dpadded[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, np.array(db)


@variant("in place", POOL + "forward_naive")
def pool_forward_keeps_masks(x, pool_param):
    HH, WW, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    H_out, W_out = int((x.shape[2] - HH) / stride + 1), int((x.shape[3] - WW) / stride + 1)
    out, masks = np.empty((*x.shape[:2], H_out, W_out)), {}
    for i in range(H_out):
        for j in range(W_out):
            window = x[:, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
            out[:, :, i, j] = np.amax(np.amax(window, axis=3), axis=2)
            masks[i, j] = (window == out[:, :, i, j][:, :, None, None]).astype(float)
    shape = x.shape
    x.fill(0)
    return out, (shape, masks, stride)


@variant("in place", POOL + "backward_naive")
def pool_backward_from_masks(dout, cache):
    shape, masks, stride = cache
    dx = np.zeros(shape, order="F")
    for (i, j), mask in masks.items():
        HH, WW = mask.shape[2:]
        dx[:, :, i * stride : i * stride + HH, j * stride : j * stride + WW] += (
            mask * dout[:, :, i : i + 1, j : j + 1]
        )
    dout[...] = 0
    return dx


# ---- ties to all maxima


@variant("ties shared", POOL + "forward_naive")
def pool_forward_plain(x, pool_param):
    return max_pool_forward_naive(x, pool_param)[0], (x, pool_param, None)


@variant("ties shared", POOL + "backward_naive")
def pool_backward_shared(dout, cache):
    x, param, _ = cache
    HH, WW, stride = param["pool_height"], param["pool_width"], param["stride"]
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        window = x[n, c, i * stride : i * stride + HH, j * stride : j * stride + WW]
        largest = window == np.max(window)
        dx[n, c, i * stride : i * stride + HH, j * stride : j * stride + WW] += (
            dout[n, c, i, j] * largest / largest.sum()
        )
    return dx


# ---- the network


def _settings(self, filter_size, reg, dtype):
    """What the given lines of __init__ set."""
    self.reg, self.dtype = float(reg), np.dtype(dtype)
    self.conv_param = {"stride": 1, "pad": (filter_size - 1) // 2}
    self.pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}


@variant("loops", NET + "__init__")
def init_loop(
    self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
    weight_scale=1e-3, reg=0.0, dtype=np.float32,
):  # fmt: skip
    _settings(self, filter_size, reg, dtype)
    C, H, W = input_dim
    out = (H - filter_size + 2 * self.conv_param["pad"]) // self.conv_param["stride"] + 1
    out2 = (W - filter_size + 2 * self.conv_param["pad"]) // self.conv_param["stride"] + 1
    pooled = [int((size - 2) / 2 + 1) for size in (out, out2)]
    shapes = [(num_filters, C, filter_size, filter_size)]
    shapes += [(num_filters * pooled[0] * pooled[1], hidden_dim), (hidden_dim, num_classes)]
    self.params = {}
    for i, shape in enumerate(shapes, 1):
        self.params[f"W{i}"] = np.random.normal(0, weight_scale, shape)
        self.params[f"b{i}"] = np.zeros(shape[0] if i == 1 else shape[1])
    for k, v in self.params.items():
        self.params[k] = v.astype(dtype)


@variant("float32", NET + "__init__")
def init_float32(
    self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
    weight_scale=1e-3, reg=0.0, dtype=np.float32,
):  # fmt: skip
    _settings(self, filter_size, reg, dtype)
    C, H, W = input_dim
    generator = np.random.default_rng()

    def draw(*shape):
        return np.float32(weight_scale) * generator.standard_normal(shape, dtype=np.float32)

    self.params = {"W3": draw(hidden_dim, num_classes), "b3": np.zeros((1, num_classes), np.float32)}
    self.params |= {"W2": draw(num_filters * H * W // 4, hidden_dim), "b2": np.zeros((1, hidden_dim))}
    self.params |= {"W1": draw(num_filters, C, filter_size, filter_size), "b1": np.zeros(num_filters)}


@variant("layer by layer", NET + "__init__")
def init_rows_as_biases(
    self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
    weight_scale=1e-3, reg=0.0, dtype=np.float32,
):  # fmt: skip
    _settings(self, filter_size, reg, dtype)
    C, H, W = input_dim
    self.params = {}
    self.params["W1"] = np.random.normal(scale=weight_scale, size=(num_filters, C) + 2 * (filter_size,))
    self.params["W2"] = np.random.normal(
        scale=weight_scale, size=(H // 2 * (W // 2) * num_filters, hidden_dim)
    )
    self.params["W3"] = np.random.normal(scale=weight_scale, size=(hidden_dim, num_classes))
    for layer, size in zip("123", (num_filters, hidden_dim, num_classes), strict=True):
        self.params["b" + layer] = np.random.normal(scale=0.0, size=size)


@variant("extra entries", NET + "__init__")
def init_with_shapes(
    self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
    weight_scale=1e-3, reg=0.0, dtype=np.float32,
):  # fmt: skip
    _settings(self, filter_size, reg, dtype)
    C, H, W = input_dim
    self.num_filters, self.hidden_dim = num_filters, hidden_dim
    area = np.prod(np.array([H, W]) // self.pool_param["stride"])
    sizes = {"W1": (num_filters, C, filter_size, filter_size), "W2": (num_filters * area, hidden_dim)}
    sizes.update(W3=(hidden_dim, num_classes), b1=num_filters, b2=hidden_dim, b3=num_classes)
    self.params = {name: np.zeros(size, dtype) for name, size in sizes.items()}
    for name in ("W1", "W2", "W3"):
        self.params[name][...] = np.random.standard_normal(self.params[name].shape)
        self.params[name] *= weight_scale


@variant("layer by layer", NET + "loss")
def loss_layer_by_layer(self, X, y=None):
    p, reg = self.params, self.reg
    X = X.astype(self.dtype)
    a, conv_cache = conv_forward_fast(X, p["W1"], p["b1"], self.conv_param)
    a, relu_cache = relu_forward(a)
    a, pool_cache = max_pool_forward_fast(a, self.pool_param)
    shape = a.shape
    a, first_cache = affine_forward(a.reshape(shape[0], -1), p["W2"], p["b2"])
    a, second_relu = relu_forward(a)
    scores, second_cache = affine_forward(a, p["W3"], p["b3"])
    if y is None:
        return scores
    loss, d = softmax_loss(scores, y)
    grads = {}
    d, grads["W3"], grads["b3"] = affine_backward(d, second_cache)
    d, grads["W2"], grads["b2"] = affine_backward(relu_backward(d, second_relu), first_cache)
    d = max_pool_backward_fast(d.reshape(shape), pool_cache)
    _, grads["W1"], grads["b1"] = conv_backward_fast(relu_backward(d, relu_cache), conv_cache)
    for name in p:
        if name.startswith("W"):
            loss += 0.5 * reg * np.sum(p[name] ** 2)
            grads[name] += reg * p[name]
    return loss, grads


@variant("loops", NET + "loss")
def loss_of_naive_layers(self, X, y=None):
    W1, b1, W2, b2, W3, b3 = (self.params[n] for n in ("W1", "b1", "W2", "b2", "W3", "b3"))
    h1, conv_cache = conv_forward_naive(X, W1, b1, self.conv_param)
    h2, relu_cache = relu_forward(h1)
    h3, pool_cache = max_pool_forward_naive(h2, self.pool_param)
    h4, hidden_cache = affine_relu_forward(h3, W2, b2)
    scores, scores_cache = affine_forward(h4, W3, b3)
    if y is None:
        return scores
    loss, dscores = softmax_loss(scores, y)
    loss = loss + self.reg * (np.linalg.norm(W1) ** 2 + np.linalg.norm(W2) ** 2 + np.linalg.norm(W3) ** 2) / 2
    dh4, dW3, db3 = affine_backward(dscores, scores_cache)
    dh3, dW2, db2 = affine_relu_backward(dh4, hidden_cache)
    dh1 = relu_backward(max_pool_backward_naive(dh3, pool_cache), relu_cache)
    _, dW1, db1 = conv_backward_naive(dh1, conv_cache)
    dW1, dW2, dW3 = (dW + self.reg * W for dW, W in ((dW1, W1), (dW2, W2), (dW3, W3)))
    return loss, {"W1": dW1, "W2": dW2, "W3": dW3, "b1": db1, "b2": db2, "b3": db3}


@variant("float32", NET + "loss")
def loss_float32(self, X, y=None):
    p = {name: value.astype(np.float32) for name, value in self.params.items()}
    out1, cache1 = conv_relu_pool_forward(
        X.astype(np.float32), p["W1"], p["b1"], self.conv_param, self.pool_param
    )
    out2, cache2 = affine_relu_forward(out1, p["W2"], p["b2"])
    scores, cache3 = affine_forward(out2, p["W3"], p["b3"])
    if y is None:
        return scores
    data_loss, dscores = softmax_loss(scores, y)
    reg_loss = 0.5 * self.reg * sum(np.sum(W * W) for name, W in p.items() if "W" in name)
    grads = {}
    dout2, grads["W3"], grads["b3"] = affine_backward(dscores, cache3)
    dout1, grads["W2"], grads["b2"] = affine_relu_backward(dout2, cache2)
    _, grads["W1"], grads["b1"] = conv_relu_pool_backward(dout1, cache1)
    for i in range(1, 4):
        grads[f"W{i}"] = grads[f"W{i}"] + self.reg * p[f"W{i}"]
    return data_loss + reg_loss, grads


@variant("extra entries", NET + "loss")
def loss_with_extras(self, X, y=None):
    convolved, conv_cache = conv_relu_forward(X, self.params["W1"], self.params["b1"], self.conv_param)
    pooled, pool_cache = max_pool_forward_fast(convolved, self.pool_param)
    hidden, hidden_cache = affine_relu_forward(pooled, self.params["W2"], self.params["b2"])
    self.scores, scores_cache = affine_forward(hidden, self.params["W3"], self.params["b3"])
    if y is None:
        return self.scores
    loss, dscores = softmax_loss(self.scores, y)
    last = affine_backward(dscores, scores_cache)
    middle = affine_relu_backward(last[0], hidden_cache)
    start = conv_relu_backward(max_pool_backward_fast(middle[0], pool_cache), conv_cache, need_dx=False)
    grads = {"dscores": dscores}
    for i, (_, dw, db) in enumerate((start, middle, last), 1):
        W = self.params[f"W{i}"]
        loss += self.reg * 0.5 * (W**2).sum()
        dw += self.reg * W
        grads[f"W{i}"], grads[f"b{i}"] = np.asfortranarray(dw), db.reshape(1, -1)
    return np.array([loss]), grads
