"""ReLU and the affine-ReLU sandwich."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient_array
from handgrad.layer_utils import affine_relu_backward, affine_relu_forward
from handgrad.layers import relu_backward, relu_forward


def test_forward_gives_the_course_values():
    x = np.linspace(-0.5, 0.5, 12).reshape(3, 4)
    expected = [[0, 0, 0, 0], [0, 0, 0.04545455, 0.13636364], [0.22727273, 0.31818182, 0.40909091, 0.5]]
    np.testing.assert_allclose(relu_forward(x)[0], expected, atol=1e-8)


def _away_from_zero(rng, *shape):
    x = rng.normal(size=shape)
    return x + 0.1 * np.sign(x)  # a numerical gradient across the kink would be neither side's


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 1, 5)])
def test_backward_is_gradient_of_forward(rng, shape):
    x, dout = np.array(_away_from_zero(rng, *shape)), rng.normal(size=shape)
    dx = relu_backward(np.array(dout), relu_forward(x)[1])
    expected = eval_numerical_gradient_array(lambda x: relu_forward(x)[0], x, dout)
    np.testing.assert_allclose(dx, expected, rtol=1e-8, atol=1e-10)


def test_gradient_at_zero_is_zero():
    _, cache = relu_forward(np.array([-1.0, 0.0, -0.0, 1.0]))
    np.testing.assert_array_equal(relu_backward(np.full(4, 3.0), cache), [0, 0, 0, 3])


def test_nan_is_not_hidden():
    assert np.isnan(relu_forward(np.array([np.nan, 1.0]))[0][0])


def test_float32_stays_and_inputs_are_not_changed(rng):
    x, dout = (np.asfortranarray(rng.normal(size=(3, 4)).astype(np.float32)) for _ in range(2))
    copies = x.copy(), dout.copy()
    out, cache = relu_forward(x)
    dx = relu_backward(dout, cache)
    assert out.dtype == dx.dtype == np.float32
    assert not np.shares_memory(out, x)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(dout, copies[1])


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="floating-point numbers, got dtype int64"):
        relu_forward(np.arange(3))
    _, cache = relu_forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"dout must have shape \(4, 3\), got \(3,\)"):
        relu_backward(np.ones(3), cache)


def test_sandwich_backward_is_gradient_of_sandwich_forward(rng):
    x, w, b, dout = (rng.normal(size=s) for s in [(2, 3, 4), (12, 10), (10,), (2, 10)])
    out, cache = affine_relu_forward(x, w, b)
    assert (out >= 0).all()
    assert (out == 0).any()
    for got, argument in zip(affine_relu_backward(dout, cache), (x, w, b), strict=True):
        expected = eval_numerical_gradient_array(lambda _: affine_relu_forward(x, w, b)[0], argument, dout)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)
