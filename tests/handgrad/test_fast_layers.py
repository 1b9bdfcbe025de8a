"""The fast layers give the same results as the plain ones, with either backend, and say which it is."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad import fast_layers, optim
from handgrad.fast_layers import numpy_backend
from handgrad.layers import (
    batchnorm_backward,
    batchnorm_forward,
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
    relu_backward,
    relu_forward,
    softmax_loss,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
)


@pytest.fixture(params=["numpy_backend", "_compiled"])
def module(request):
    if request.param == "_compiled":
        pytest.importorskip("handgrad.fast_layers._compiled", reason="the extension was not built")
    return importlib.import_module(f"handgrad.fast_layers.{request.param}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (4, 5), (2, 3, 4, 5)])
def test_relu_equals_the_plain_layer(module, rng, dtype, shape):
    plain, dout = np.array(rng.normal(size=shape), dtype), np.array(rng.normal(size=shape), dtype)
    for x in (plain, np.array(plain, order="F"), np.repeat(plain, 2, axis=-1)[..., ::2] if shape else plain):
        copies = x.copy(), dout.copy()
        out, cache = module.relu_forward_fast(x)
        dx = module.relu_backward_fast(dout, cache)
        expected, plain_cache = relu_forward(x)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(dx, relu_backward(dout, plain_cache))
        assert out.dtype == dx.dtype == dtype
        np.testing.assert_array_equal(x, copies[0])
        np.testing.assert_array_equal(dout, copies[1])


def test_nan_zero_and_infinity(module):
    x = np.array([np.nan, 0.0, -0.0, np.inf, -np.inf])
    out, cache = module.relu_forward_fast(x)
    np.testing.assert_array_equal(out, [np.nan, 0, 0, np.inf, 0])
    np.testing.assert_array_equal(module.relu_backward_fast(np.full(5, 2.0), cache), [0, 0, 0, 2, 0])


def test_wrong_input_is_refused_as_by_the_plain_layer(module):
    with pytest.raises(ValueError, match="floating-point numbers, got dtype int64"):
        module.relu_forward_fast(np.arange(3))
    _, cache = module.relu_forward_fast(np.ones((4, 3)))
    for shape in [(3,), (3, 4), (12,)]:
        with pytest.raises(ValueError, match=r"dout must have shape \(4, 3\), got"):
            module.relu_backward_fast(np.ones(shape), cache)


BACKENDS = {"numpy": numpy_backend, fast_layers.backend()[0]: fast_layers}
every_backend = pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
numbers = np.random.default_rng(0)


def an_array(draw, shape, dtype):
    """Numbers in a memory order that Hypothesis chooses; read-only."""
    array = numbers.normal(size=shape).astype(dtype)
    order = draw(st.sampled_from(["C", "F", "channels last", "every second"]))
    if order == "F":
        array = np.asfortranarray(array)
    elif order == "channels last" and len(shape) == 4:
        array = np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    elif order == "every second":
        array = np.repeat(array, 2, axis=-1)[..., ::2]
    array.setflags(write=False)
    return array


@st.composite
def windows(draw, most_pad):
    """A window, a stride and a padding, and an image size that they tile."""
    stride = draw(st.integers(1, 3))
    pad = draw(st.integers(0, most_pad))
    window = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    image = [n + stride * (draw(st.integers(1, 5)) - 1) - 2 * pad for n in window]
    return window, stride, pad, [max(1, n) for n in image] if pad == 0 else image


def close(dtype):
    return {"rtol": 1e-3, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-11}


@every_backend
@settings(deadline=None, max_examples=60, derandomize=True)
@given(data=st.data())
def test_convolution_equals_the_naive_layer(backend, data):
    draw = data.draw
    (HH, WW), stride, pad, (H, W) = draw(windows(3).filter(lambda case: min(case[3]) >= 1))
    N, C, F = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 14))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x, w, b = (an_array(draw, shape, dtype) for shape in ((N, C, H, W), (F, C, HH, WW), (F,)))
    param = {"stride": stride, "pad": pad}
    expected, naive_cache = conv_forward_naive(x, w, b, param)
    out, cache = backend.conv_forward_fast(x, w, b, param)
    dout = an_array(draw, expected.shape, dtype)
    gradients = backend.conv_backward_fast(dout, cache)
    naive_gradients = conv_backward_naive(dout, naive_cache)
    for got, right in zip((out, *gradients), (expected, *naive_gradients), strict=True):
        assert (got.dtype, got.shape) == (right.dtype, right.shape)
        np.testing.assert_allclose(got, right, **close(dtype))


@every_backend
@settings(deadline=None, max_examples=60, derandomize=True)
@given(data=st.data())
def test_pooling_equals_the_naive_layer(backend, data):
    draw = data.draw
    (HH, WW), stride, _, (H, W) = draw(windows(0))
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 4)), H, W
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = an_array(draw, shape, dtype)
    if draw(st.booleans()):  # many ties
        x = np.rint(x)
    param = {"pool_height": HH, "pool_width": WW, "stride": stride}
    expected, naive_cache = max_pool_forward_naive(x, param)
    out, cache = backend.max_pool_forward_fast(x, param)
    dout = an_array(draw, expected.shape, dtype)
    np.testing.assert_array_equal(out, expected)
    dx = backend.max_pool_backward_fast(dout, cache)
    assert dx.dtype == out.dtype == dtype
    np.testing.assert_allclose(dx, max_pool_backward_naive(dout, naive_cache), **close(dtype))


@every_backend
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("window", "stride", "size"), [(2, 2, 32), (2, 2, 64), (2, 1, 33), (3, 2, 65), (3, 3, 48)]
)
def test_pooling_of_wide_images_equals_the_naive_layer(backend, rng, dtype, window, stride, size):
    """Rows as long as vectors, and many ties: each gradient goes to exactly one number."""
    x = rng.integers(-2, 3, size=(2, 3, size, size)).astype(dtype)
    x[rng.random(x.shape) < 0.01] = np.nan
    param = {"pool_height": window, "pool_width": window, "stride": stride}
    expected, naive_cache = max_pool_forward_naive(x, param)
    out, cache = backend.max_pool_forward_fast(x, param)
    np.testing.assert_array_equal(out, expected)
    dout = rng.integers(1, 9, size=out.shape).astype(dtype)
    dx = backend.max_pool_backward_fast(dout, cache)
    np.testing.assert_array_equal(dx, max_pool_backward_naive(dout, naive_cache))
    assert dx.sum() == dout.sum()


@every_backend
def test_a_batch_larger_than_a_piece_equals_the_naive_layer(backend, rng):
    x, w, b = rng.normal(size=(70, 3, 32, 32)), rng.normal(size=(4, 3, 5, 5)), rng.normal(size=4)
    param = {"stride": 1, "pad": 2}
    expected, naive_cache = conv_forward_naive(x, w, b, param)
    out, cache = backend.conv_forward_fast(x, w, b, param)
    np.testing.assert_allclose(out, expected, **close(np.float64))
    dout = rng.normal(size=out.shape)
    for got, right in zip(
        backend.conv_backward_fast(dout, cache), conv_backward_naive(dout, naive_cache), strict=True
    ):
        np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-10)


@every_backend
def test_pooling_passes_nan_on_as_the_naive_layer_does(backend):
    x = np.array([[[[1.0, np.nan, 3, 4], [np.nan, 2, 5, 6]]]])
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    out, cache = backend.max_pool_forward_fast(x, param)
    np.testing.assert_array_equal(out, [[[[np.nan, 6]]]])
    dx = backend.max_pool_backward_fast(np.array([[[[2.0, 7]]]]), cache)
    np.testing.assert_array_equal(dx, [[[[0, 2, 0, 0], [0, 0, 0, 7]]]])


@every_backend
def test_convolution_and_pooling_refuse_what_the_naive_layers_refuse(backend):
    x, w, b = np.ones((2, 3, 6, 5)), np.ones((4, 3, 3, 2)), np.ones(4)
    with pytest.raises(ValueError, match=r"^filters of height 3 do not tile"):
        backend.conv_forward_fast(x, w, b, {"stride": 2, "pad": 0})
    with pytest.raises(ValueError, match=r"^w must have shape \(F, 3, HH, WW\)"):
        backend.conv_forward_fast(x, w[:, :2], b, {"stride": 1, "pad": 0})
    with pytest.raises(ValueError, match=r"^windows of width 2 do not tile"):
        backend.max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
    _, cache = backend.conv_forward_fast(x, w, b, {"stride": 1, "pad": 0})
    with pytest.raises(ValueError, match=r"^dout must have shape \(2, 4, 4, 4\), got \(2, 4, 4, 3\)"):
        backend.conv_backward_fast(np.ones((2, 4, 4, 3)), cache)
    _, cache = backend.max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 1, "stride": 1})
    with pytest.raises(ValueError, match=r"^dout must have shape \(2, 3, 5, 5\), got \(2, 3, 6, 5\)"):
        backend.max_pool_backward_fast(x, cache)


@every_backend
@settings(deadline=None, max_examples=80, derandomize=True)
@given(data=st.data())
def test_batch_norm_equals_the_plain_layer(backend, data):
    draw = data.draw
    N, C = draw(st.integers(1, 9)), draw(st.integers(1, 40))
    image = draw(st.sampled_from([(), (1, 1), (1, 3), (4, 5), (7, 9), (33, 34)]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = an_array(draw, (N, C, *image), dtype)
    gamma, beta = (an_array(draw, (C,), dtype) for _ in range(2))
    if image:
        forward, backward = backend.spatial_batchnorm_forward_fast, backend.spatial_batchnorm_backward_fast
        plain_forward, plain_backward = spatial_batchnorm_forward, spatial_batchnorm_backward
    else:
        forward, backward = backend.batchnorm_forward_fast, backend.batchnorm_backward_fast
        plain_forward, plain_backward = batchnorm_forward, batchnorm_backward
    param = {"mode": draw(st.sampled_from(["train", "test"])), "eps": draw(st.sampled_from([1e-5, 0.1]))}
    if draw(st.booleans()):
        param |= {
            "running_mean": an_array(draw, (C,), dtype),
            "running_var": an_array(draw, (C,), dtype) ** 2,
        }
    plain_param = dict(param)
    out, cache = forward(x, gamma, beta, param)
    expected, plain_cache = plain_forward(x, gamma, beta, plain_param)
    dout = an_array(draw, expected.shape, dtype)
    got = {"out": out} | dict(zip(("dx", "dgamma", "dbeta"), backward(dout, cache), strict=True))
    right = {"out": expected} | dict(
        zip(("dx", "dgamma", "dbeta"), plain_backward(dout, plain_cache), strict=True)
    )
    for name in ("running_mean", "running_var"):
        if name in plain_param:
            got[name], right[name] = param[name], plain_param[name]
    assert param.keys() == plain_param.keys()
    for name, value in right.items():
        assert (got[name].dtype, got[name].shape) == (value.dtype, value.shape), name
        # With few numbers in a channel the deviation may be tiny, and rounding is divided by it.
        scale = 1 + np.abs(value).max()
        tolerance = 2e-3 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(got[name], value, rtol=tolerance, atol=tolerance * scale, err_msg=name)


def test_batch_norm_keeps_its_digits_where_the_mean_is_large(module, rng):
    for shape, forward in {
        (500, 7): module.batchnorm_forward_fast,
        (20, 7, 6, 6): module.spatial_batchnorm_forward_fast,
    }.items():
        x = (1e4 + rng.normal(size=shape)).astype(np.float32)
        axes = (0, 2, 3)[: len(shape) - 1]
        exact = x.astype(np.float64)
        out, _ = forward(x, np.ones(7, np.float32), np.zeros(7, np.float32), {"mode": "train", "eps": 0.0})
        expected = (exact - exact.mean(axes, keepdims=True)) / exact.std(axes, keepdims=True)
        np.testing.assert_allclose(out, expected, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 1e4])
def test_softmax_loss_equals_the_plain_layer(module, rng, dtype, scale):
    for N, C in ((1, 1), (7, 3), (100, 10)):
        x = np.asfortranarray(rng.normal(size=(N, C)) * scale, dtype=dtype)
        y = rng.integers(C, size=N).astype(np.int8)
        loss, dx = module.softmax_loss_fast(x, y)
        expected, expected_dx = softmax_loss(x, y)
        assert (type(loss), dx.dtype) == (type(expected), dtype)
        np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(dx, expected_dx, rtol=1e-4, atol=1e-7)
    with pytest.raises(ValueError, match="must lie between 0 and 2"):
        module.softmax_loss_fast(np.ones((2, 3)), np.array([0, 3]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "rmsprop", "adam"])
def test_update_rules_equal_the_plain_ones(module, rng, dtype, rule):
    fast, plain = getattr(module, f"{rule}_fast"), getattr(optim, rule)
    for shape in ((1,), (3, 5), (0, 4)):
        w = expected = np.asfortranarray(rng.normal(size=shape).astype(dtype))
        config = plain_config = {"learning_rate": 0.1}
        for _ in range(5):
            dw = rng.normal(size=shape)  # float64: the parameter decides
            before = w.copy(), dw.copy(), {key: np.copy(value) for key, value in config.items()}
            next_w, next_config = fast(w, dw, config)
            for now, then in (
                (w, before[0]),
                (dw, before[1]),
                *((config[k], v) for k, v in before[2].items()),
            ):
                np.testing.assert_array_equal(now, then)
            w, config = next_w, next_config
            expected, plain_config = plain(expected, dw, plain_config)
            assert (w.dtype, w.shape, config.keys()) == (dtype, shape, plain_config.keys())
            np.testing.assert_allclose(w, expected, **close(dtype))
            for key, value in plain_config.items():
                np.testing.assert_allclose(config[key], value, **close(dtype))
    with pytest.raises(ValueError, match=f"{rule} has no setting 'rate'"):
        fast(np.ones(3), np.ones(3), {"rate": 1})
    with pytest.raises(ValueError, match=r"dw must have the shape of w, \(3,\), got \(2,\)"):
        fast(np.ones(3), np.ones(2))


def test_half_precision_is_computed_as_by_the_plain_layers(module, rng):
    x = rng.normal(size=(2, 3, 4, 4)).astype(np.float16)
    gamma = np.ones(3, np.float16)
    param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    out, cache = module.max_pool_forward_fast(x, param)
    assert module.max_pool_backward_fast(out, cache).dtype == out.dtype == np.float16
    for forward, backward, values in (
        (module.batchnorm_forward_fast, module.batchnorm_backward_fast, x[..., 0, 0]),
        (module.spatial_batchnorm_forward_fast, module.spatial_batchnorm_backward_fast, x),
    ):
        out, cache = forward(values, gamma, gamma, {"mode": "train"})
        assert all(a.dtype == np.float16 for a in (out, *backward(out, cache)))
    out, cache = module.relu_forward_fast(x)
    assert module.relu_backward_fast(x, cache).dtype == out.dtype == np.float16
    w, config = module.sgd_momentum_fast(x, x)
    assert w.dtype == config["velocity"].dtype == np.float16
    assert module.softmax_loss_fast(x[:, :, 0, 0], np.array([0, 2]))[1].dtype == np.float16


def _report(**environment):
    command = [sys.executable, "-W", "error", "-m", "handgrad.fast_layers"]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_backend_says_which_and_why():
    name, reason = fast_layers.backend()
    result = _report()
    assert result.stdout == f"handgrad.fast_layers uses the {name} backend: {reason}.\n"
    assert result.stderr == ""


def test_environment_overrides_the_choice():
    assert (
        "uses the numpy backend: HANDGRAD_BACKEND=numpy asks for it"
        in _report(HANDGRAD_BACKEND="numpy").stdout
    )
    wrong = _report(HANDGRAD_BACKEND="cuda")
    assert wrong.returncode != 0
    assert "must be 'numpy' or 'compiled', got 'cuda'" in wrong.stderr
