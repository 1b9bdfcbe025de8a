"""The activation functions, and the affine-ReLU sandwich."""

import functools

import numpy as np
import pytest

from handgrad import layers
from handgrad.gradient_check import eval_numerical_gradient_array
from handgrad.layer_utils import affine_relu_backward, affine_relu_forward
from handgrad.layers import (
    leaky_relu_backward,
    leaky_relu_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    swish_backward,
    swish_forward,
)

PAIRS = {
    "relu": (relu_forward, relu_backward),
    "leaky_relu": (leaky_relu_forward, leaky_relu_backward),
    "leaky_relu with a slope": (functools.partial(leaky_relu_forward, slope=0.3), leaky_relu_backward),
    "sigmoid": (sigmoid_forward, sigmoid_backward),
    "swish": (swish_forward, swish_backward),
}
every_pair = pytest.mark.parametrize(("forward", "backward"), PAIRS.values(), ids=PAIRS)


def test_relu_gives_the_course_values():
    x = np.linspace(-0.5, 0.5, 12).reshape(3, 4)
    expected = [[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364], [0.22727273, 0.31818182, 0.40909091, 0.5]]
    np.testing.assert_allclose(relu_forward(x)[0], expected, atol=1e-8)


def test_values_known_by_hand():
    x = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(leaky_relu_forward(x)[0], [-0.02, 0, 3], rtol=1e-15)
    np.testing.assert_allclose(leaky_relu_forward(x, slope=0.25)[0], [-0.5, 0, 3], rtol=1e-15)
    np.testing.assert_array_equal(leaky_relu_forward(x, slope=0)[0], [0, 0, 3])
    np.testing.assert_allclose(sigmoid_forward(np.log([1 / 3, 1.0, 4.0]))[0], [0.25, 0.5, 0.8], rtol=1e-15)
    np.testing.assert_allclose(swish_forward(np.log([1 / 3, 1, 4]))[0], np.log([3**-0.25, 1, 4**0.8]))


def _away_from_zero(rng, *shape):
    x = rng.normal(size=shape)
    return x + 0.1 * np.sign(x)  # a numerical gradient across the kink would be neither side's


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 1, 5)])
@every_pair
def test_backward_is_gradient_of_forward(rng, forward, backward, shape):
    x, dout = np.array(_away_from_zero(rng, *shape)), rng.normal(size=shape)
    dx = backward(np.array(dout), forward(x)[1])
    expected = eval_numerical_gradient_array(lambda x: forward(x)[0], x, dout)
    assert dx.shape == shape
    np.testing.assert_allclose(dx, expected, rtol=1e-7, atol=1e-10)


@every_pair
def test_agrees_with_pytorch(rng, forward, backward):
    torch = pytest.importorskip("torch")
    oracle = {
        relu_forward: torch.relu,
        leaky_relu_forward: torch.nn.functional.leaky_relu,
        sigmoid_forward: torch.sigmoid,
        swish_forward: torch.nn.functional.silu,
    }.get(forward, lambda x: torch.nn.functional.leaky_relu(x, 0.3))
    x, dout = 20 * rng.normal(size=(5, 7)), rng.normal(size=(5, 7))
    x[0] = 0
    leaf = torch.tensor(x, requires_grad=True)
    expected = oracle(leaf)
    expected.backward(torch.tensor(dout))
    out, cache = forward(x)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(backward(dout, cache), leaf.grad.numpy(), rtol=1e-11, atol=1e-15)


def test_gradient_at_zero_is_that_of_the_left_side():
    x, dout = np.array([-1.0, 0.0, -0.0, 1.0]), np.full(4, 3.0)
    np.testing.assert_array_equal(relu_backward(dout, relu_forward(x)[1]), [0, 0, 0, 3])
    leaky = leaky_relu_backward(dout, leaky_relu_forward(x, slope=0.5)[1])
    np.testing.assert_array_equal(leaky, [1.5, 1.5, 1.5, 3])


@every_pair
def test_nan_is_not_hidden(forward, backward):
    assert np.isnan(forward(np.array([np.nan, 1.0]))[0]).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_pair
def test_extreme_values_stay_finite(forward, backward, dtype):
    x = np.array([-1e4, -100, 0, 100, 1e4], dtype=dtype)
    out, cache = forward(x)
    dx = backward(np.ones_like(x), cache)
    limits = {sigmoid_forward: (0, 1)}.get(forward, (out[0], 1e4))
    np.testing.assert_array_equal(out[[0, 4]], np.array(limits, dtype=dtype))
    assert np.isfinite(dx).all()
    assert dx[4] == (0 if forward is sigmoid_forward else 1)


@every_pair
def test_float32_stays_and_inputs_are_not_changed(rng, forward, backward):
    x, dout = (np.asfortranarray(rng.normal(size=(3, 4)).astype(np.float32)) for _ in range(2))
    copies = x.copy(), dout.copy()
    for array in (x, dout):
        array.setflags(write=False)
    out, cache = forward(x)
    dx = backward(dout, cache)
    assert out.dtype == dx.dtype == np.float32
    assert not np.shares_memory(out, x)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(dout, copies[1])


@every_pair
def test_wrong_input_is_refused(forward, backward):
    with pytest.raises(ValueError, match="x must hold floating-point numbers, got dtype int64"):
        forward(np.arange(3))
    _, cache = forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"dout must have shape \(4, 3\), got \(3,\)"):
        backward(np.ones(3), cache)
    with pytest.raises(ValueError, match="dout must hold floating-point numbers, got dtype bool"):
        backward(np.ones((4, 3), bool), cache)


@pytest.mark.parametrize("slope", [-0.01, 1, 3.0, float("nan")])
def test_a_slope_out_of_range_is_refused(slope):
    with pytest.raises(ValueError, match=f"slope must be at least 0 and less than 1, got {slope}"):
        leaky_relu_forward(np.ones(3), slope)


def test_every_layer_is_exported_with_its_partner():
    forwards = {name.removesuffix("_forward") for name in layers.__all__ if name.endswith("_forward")}
    for name in forwards:
        assert callable(getattr(layers, f"{name}_backward"))


def test_sandwich_backward_is_gradient_of_sandwich_forward(rng):
    x, w, b, dout = (rng.normal(size=s) for s in [(2, 3, 4), (12, 10), (10,), (2, 10)])
    out, cache = affine_relu_forward(x, w, b)
    assert (out >= 0).all()
    assert (out == 0).any()
    for got, argument in zip(affine_relu_backward(dout, cache), (x, w, b), strict=True):
        expected = eval_numerical_gradient_array(lambda _: affine_relu_forward(x, w, b)[0], argument, dout)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)
