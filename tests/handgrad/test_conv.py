"""Naive convolution and max pooling: course values, PyTorch, gradients, layouts, refusals."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient_array, rel_error
from handgrad.layers import (
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)

# x, w, stride, pad: height and width always differ somewhere
CONVOLUTIONS = {
    "as in the course": ((2, 3, 4, 4), (3, 3, 4, 4), 2, 1),
    "no border": ((3, 2, 5, 6), (4, 2, 2, 3), 1, 0),
    "wide border": ((2, 1, 3, 4), (2, 1, 3, 2), 1, 3),
    "stride 2": ((1, 2, 7, 5), (3, 2, 3, 1), 2, 0),
    "stride 3, border 2": ((2, 3, 5, 8), (2, 3, 3, 3), 3, 2),
    "one pixel": ((2, 3, 4, 5), (4, 3, 1, 1), 1, 0),
    "stride beyond the filter": ((2, 2, 7, 4), (3, 2, 1, 1), 3, 0),
    "filter as large as the image": ((2, 3, 4, 5), (2, 3, 4, 5), 1, 0),
}
# x, window height, window width, stride
POOLINGS = {
    "2x2": ((3, 2, 8, 8), 2, 2, 2),
    "not square": ((2, 3, 6, 9), 2, 3, 1),
    "overlapping": ((2, 3, 5, 7), 3, 3, 2),
    "gaps between": ((2, 2, 7, 4), 1, 1, 3),
    "whole image": ((1, 2, 3, 4), 3, 4, 5),
}
every_convolution = pytest.mark.parametrize(
    ("x_shape", "w_shape", "stride", "pad"), CONVOLUTIONS.values(), ids=CONVOLUTIONS
)
every_pooling = pytest.mark.parametrize(
    ("shape", "height", "width", "stride"), POOLINGS.values(), ids=POOLINGS
)


def pool_param(height, width, stride):
    return {"pool_height": height, "pool_width": width, "stride": stride}


def test_convolution_gives_the_course_values():
    x = np.linspace(-0.1, 0.5, 96).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, 144).reshape(3, 3, 4, 4)
    out, _ = conv_forward_naive(x, w, np.linspace(-0.1, 0.2, 3), {"stride": 2, "pad": 1})
    expected = np.array(
        [
            [
                [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
                [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
                [[0.50813986, 0.54309974], [0.64082444, 0.67101435]],
            ],
            [
                [[-0.98053589, -1.03143541], [-1.19128892, -1.24695841]],
                [[0.69108355, 0.66880383], [0.59480972, 0.56776003]],
                [[2.36270298, 2.36904306], [2.38090835, 2.38247847]],
            ],
        ]
    )
    assert rel_error(out, expected) < 3e-8


def test_pooling_gives_the_course_values():
    x = np.linspace(-0.3, 0.4, 96).reshape(2, 3, 4, 4)
    out, _ = max_pool_forward_naive(x, pool_param(2, 2, 2))
    assert out.shape == (2, 3, 2, 2)
    assert out[0, 0, 0, 0] == pytest.approx(-0.26315789, abs=1e-8)
    assert out[-1, -1, -1, -1] == pytest.approx(0.4, abs=1e-15)


@every_convolution
def test_convolution_agrees_with_pytorch(rng, x_shape, w_shape, stride, pad):
    torch = pytest.importorskip("torch")
    x, w, b = rng.normal(size=x_shape), rng.normal(size=w_shape), rng.normal(size=w_shape[0])
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    expected = torch.nn.functional.conv2d(*leaves, stride=stride, padding=pad)
    dout = rng.normal(size=tuple(expected.shape))
    expected.backward(torch.tensor(dout))
    out, cache = conv_forward_naive(x, w, b, {"stride": stride, "pad": pad})
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    for got, leaf in zip(conv_backward_naive(dout, cache), leaves, strict=True):
        np.testing.assert_allclose(got, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


@every_convolution
def test_convolution_backward_is_gradient_of_forward(rng, x_shape, w_shape, stride, pad):
    x, w, b = rng.normal(size=x_shape), rng.normal(size=w_shape), rng.normal(size=w_shape[0])
    param = {"stride": stride, "pad": pad}
    out, cache = conv_forward_naive(x, w, b, param)
    dout = rng.normal(size=out.shape)
    for got, argument in zip(conv_backward_naive(dout, cache), (x, w, b), strict=True):
        expected = eval_numerical_gradient_array(
            lambda _: conv_forward_naive(x, w, b, param)[0], argument, dout
        )
        assert got.shape == argument.shape
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


@every_pooling
def test_pooling_agrees_with_pytorch(rng, shape, height, width, stride):
    torch = pytest.importorskip("torch")
    x = rng.normal(size=shape)
    leaf = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.max_pool2d(leaf, (height, width), stride)
    dout = rng.normal(size=tuple(expected.shape))
    expected.backward(torch.tensor(dout))
    out, cache = max_pool_forward_naive(x, pool_param(height, width, stride))
    np.testing.assert_array_equal(out, expected.detach().numpy())
    np.testing.assert_allclose(max_pool_backward_naive(dout, cache), leaf.grad.numpy(), rtol=1e-14)


@every_pooling
def test_pooling_backward_is_gradient_of_forward(rng, shape, height, width, stride):
    x, param = rng.permutation(int(np.prod(shape))).reshape(shape) / 7.0, pool_param(height, width, stride)
    out, cache = max_pool_forward_naive(x, param)
    dout = rng.normal(size=out.shape)
    expected = eval_numerical_gradient_array(lambda x: max_pool_forward_naive(x, param)[0], x, dout)
    np.testing.assert_allclose(max_pool_backward_naive(dout, cache), expected, rtol=1e-6, atol=1e-8)


def test_of_equal_numbers_the_first_gets_the_gradient():
    _, cache = max_pool_forward_naive(np.zeros((1, 1, 2, 4)), pool_param(2, 2, 2))
    dx = max_pool_backward_naive(np.array([[[[3.0, 5.0]]]]), cache)
    np.testing.assert_array_equal(dx, [[[[3, 0, 5, 0], [0, 0, 0, 0]]]])


def test_where_windows_overlap_gradients_add():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1  # the largest of all four windows
    _, cache = max_pool_forward_naive(x, pool_param(2, 2, 1))
    dx = max_pool_backward_naive(np.array([[[[1.0, 2], [3, 4]]]]), cache)
    np.testing.assert_array_equal(dx[0, 0], [[0, 0, 0], [0, 10, 0], [0, 0, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays_layout_does_not_matter_inputs_are_not_changed(rng, dtype):
    x, w, b = (rng.normal(size=s).astype(dtype) for s in ((2, 3, 7, 5), (4, 3, 3, 3), (4,)))
    param, pool = {"stride": 2, "pad": 1}, pool_param(3, 3, 2)
    out, cache = conv_forward_naive(x, w, b, param)
    dout = rng.normal(size=out.shape).astype(dtype)
    pooled, pool_cache = max_pool_forward_naive(x, pool)
    dpooled = rng.normal(size=pooled.shape).astype(dtype)
    plain = [out, *conv_backward_naive(dout, cache), pooled, max_pool_backward_naive(dpooled, pool_cache)]
    strided = np.repeat(x, 2, axis=3)[..., ::2]
    arguments = [strided, np.asfortranarray(w), np.repeat(b, 2)[::2]]
    for array in (*arguments, dout, dpooled):
        array.setflags(write=False)
    out, cache = conv_forward_naive(*arguments, param)
    pooled, pool_cache = max_pool_forward_naive(strided, pool)
    again = [
        out,
        *conv_backward_naive(np.asfortranarray(dout), cache),
        pooled,
        max_pool_backward_naive(np.asfortranarray(dpooled), pool_cache),
    ]
    for got, expected in zip(again, plain, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-6)


def test_of_two_dtypes_the_wider_one_wins(rng):
    """A float32 array among float64 ones costs only its own digits."""
    arrays = [rng.normal(size=s) for s in ((2, 3, 5, 4), (4, 3, 3, 2), (4,), (2, 4, 3, 3))]
    for narrow in range(4):
        x, w, b, dout = (a.astype(np.float32) if i == narrow else a for i, a in enumerate(arrays))
        wide = [a.astype(np.float64) for a in (x, w, b, dout)]
        out, cache = conv_forward_naive(x, w, b, {"stride": 1, "pad": 0})
        expected, wide_cache = conv_forward_naive(*wide[:3], {"stride": 1, "pad": 0})
        np.testing.assert_allclose(out, expected, rtol=1e-12)
        gradients = conv_backward_naive(dout, cache)
        for got, right in zip(gradients[:2], conv_backward_naive(wide[3], wide_cache), strict=False):
            assert got.dtype == np.float64
            np.testing.assert_allclose(got, right, rtol=1e-11, atol=1e-13)


X, W, B = np.ones((2, 3, 6, 5)), np.ones((4, 3, 3, 2)), np.ones(4)
CONV = {"stride": 1, "pad": 0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.ones((2, 3, 6, 5), int)}, "^x must hold floating-point numbers, got dtype int64"),
        (
            {"x": np.ones((3, 6, 5))},
            r"^x must have shape \(N, C, H, W\) with no axis of length 0, got \(3, 6, 5\)",
        ),
        ({"x": np.ones((0, 3, 6, 5))}, r"^x must have shape .* got \(0, 3, 6, 5\)"),
        (
            {"w": np.ones((4, 2, 3, 2))},
            r"^w must have shape \(F, 3, HH, WW\) to fit x of shape \(2, 3, 6, 5\), got \(4, 2, 3, 2\)",
        ),
        ({"w": np.ones((4, 3, 3))}, r"^w must have shape \(F, 3, HH, WW\) .* got \(4, 3, 3\)"),
        ({"w": np.ones((4, 3, 0, 2))}, r"^w must have shape \(F, 3, HH, WW\) .* got \(4, 3, 0, 2\)"),
        ({"w": [1.0]}, "^w must be a NumPy array, got list"),
        ({"b": np.ones(3)}, r"^b must have shape \(4,\), got \(3,\)"),
        ({"conv_param": {"stride": 0, "pad": 0}}, "^stride must be a whole number, at least 1, got 0"),
        ({"conv_param": {"stride": 1.0, "pad": 0}}, "^stride must be a whole number, at least 1, got 1.0"),
        ({"conv_param": {"stride": True, "pad": 0}}, "^stride must be a whole number, at least 1, got True"),
        ({"conv_param": {"stride": 1}}, "^pad must be a whole number, at least 0, got None"),
        ({"conv_param": {"stride": 1, "pad": -1}}, "^pad must be a whole number, at least 0, got -1"),
        (
            {"w": np.ones((4, 3, 7, 2))},
            "^filters of height 7 do not fit into images of height 6, border included",
        ),
        (
            {"w": np.ones((4, 3, 8, 10)), "conv_param": {"stride": 1, "pad": 2}},
            "^filters of width 10 do not fit into images of width 9, border included",
        ),
        (
            {"conv_param": {"stride": 2, "pad": 1}},
            "^filters of height 3 do not tile images of height 8, border included, with stride 2: "
            "8 - 3 is not a multiple of 2",
        ),
        (
            {"conv_param": {"stride": 3, "pad": 0}, "w": np.ones((4, 3, 3, 3))},
            "^filters of width 3 do not tile",
        ),
    ],
)
def test_convolution_refuses_what_does_not_fit(change, words):
    with pytest.raises(ValueError, match=words):
        conv_forward_naive(**{"x": X, "w": W, "b": B, "conv_param": CONV, **change})


@pytest.mark.parametrize(
    ("x", "param", "words"),
    [
        (np.ones((3, 6, 5)), (1, 1, 1), r"^x must have shape \(N, C, H, W\)"),
        (X, (0, 1, 1), "^pool_height must be a whole number, at least 1, got 0"),
        (X, (1, 2.0, 1), "^pool_width must be a whole number, at least 1, got 2.0"),
        (X, (1, 1, None), "^stride must be a whole number, at least 1, got None"),
        (X, (7, 1, 1), "^windows of height 7 do not fit into images of height 6"),
        (X, (2, 6, 2), "^windows of width 6 do not fit into images of width 5"),
        (X, (2, 2, 2), "^windows of width 2 do not tile images of width 5, .* with stride 2: 5 - 2 is not a"),
    ],
)
def test_pooling_refuses_what_does_not_fit(x, param, words):
    with pytest.raises(ValueError, match=words):
        max_pool_forward_naive(x, pool_param(*param))


def test_backward_refuses_another_shape_of_dout():
    _, cache = conv_forward_naive(X, W, B, CONV)
    for dout in (np.ones((2, 4, 4, 3)), np.ones((2, 4, 4)), np.ones((1, 4, 4, 4))):
        with pytest.raises(ValueError, match=r"^dout must have shape \(2, 4, 4, 4\), got"):
            conv_backward_naive(dout, cache)
    _, cache = max_pool_forward_naive(X, pool_param(2, 1, 1))
    with pytest.raises(ValueError, match=r"^dout must have shape \(2, 3, 5, 5\), got \(2, 3, 5, 4\)"):
        max_pool_backward_naive(np.ones((2, 3, 5, 4)), cache)
    for backward in (conv_backward_naive, max_pool_backward_naive):
        with pytest.raises(ValueError, match=r"^dout must hold floating-point numbers, got dtype int64"):
            backward(np.ones((2, 3, 5, 5), int), cache)
