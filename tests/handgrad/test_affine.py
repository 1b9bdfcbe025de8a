"""The affine layer: values, gradients, dtypes, memory layouts and refusals."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient_array, rel_error
from handgrad.layers import affine_backward, affine_forward


def test_forward_gives_the_course_values():
    x = np.linspace(-0.1, 0.5, 240).reshape(2, 4, 5, 6)
    w = np.linspace(-0.2, 0.3, 360).reshape(120, 3)
    b = np.linspace(-0.3, 0.1, 3)
    out, _ = affine_forward(x, w, b)
    expected = np.array([[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]])
    assert rel_error(out, expected) < 1e-8


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (4, 2, 3), (3, 2, 1, 4), (2, 3, 2, 1, 2)])
def test_backward_is_gradient_of_forward(rng, shape):
    x = rng.normal(size=shape)
    w = rng.normal(size=(int(np.prod(shape[1:])), 3))
    b = rng.normal(size=3)
    dout = rng.normal(size=(shape[0], 3))
    _, cache = affine_forward(x, w, b)
    gradients = affine_backward(dout, cache)
    for got, argument in zip(gradients, (x, w, b), strict=True):
        expected = eval_numerical_gradient_array(lambda _: affine_forward(x, w, b)[0], argument, dout)
        assert got.shape == argument.shape
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


def test_float32_stays_float32(rng):
    x, w, b, dout = (rng.normal(size=s).astype(np.float32) for s in [(4, 2, 3), (6, 5), (5,), (4, 5)])
    out, cache = affine_forward(x, w, b)
    assert {a.dtype for a in (out, *affine_backward(dout, cache))} == {np.dtype(np.float32)}


def test_memory_layout_does_not_matter_and_inputs_stay(rng):
    x, w, b, dout = (
        rng.normal(size=(4, 2, 3)),
        rng.normal(size=(6, 5)),
        rng.normal(size=5),
        rng.normal(size=(4, 5)),
    )
    out, cache = affine_forward(x, w, b)
    plain = (out, *affine_backward(dout, cache))
    strided = np.repeat(x, 2, axis=2)[:, :, ::2]
    assert not strided.flags.c_contiguous
    arguments = [strided, np.asfortranarray(w), np.repeat(b, 2)[::2], np.asfortranarray(dout)]
    before = [a.copy() for a in arguments]
    out, cache = affine_forward(*arguments[:3])
    for got, expected in zip((out, *affine_backward(arguments[3], cache)), plain, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    for after, original in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(after, original)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.ones(6)}, r"x must have shape \(N, d_1, ..., d_k\), got \(6,\)"),
        ({"x": np.ones((0, 6))}, r"at least one example, got shape \(0, 6\)"),
        ({"x": np.ones((4, 5))}, r"w must have shape \(5, M\) to fit x of shape \(4, 5\), got \(6, 3\)"),
        ({"x": np.ones((4, 6), int)}, "x must hold floating-point numbers, got dtype int64"),
        ({"x": [[1.0] * 6]}, "x must be a NumPy array, got list"),
        ({"w": np.ones((6, 3), int)}, "^w must hold floating-point numbers, got dtype int64"),
        ({"b": np.ones(3, int)}, "^b must hold floating-point numbers, got dtype int64"),
        ({"w": np.ones((6, 3, 1))}, r"w must have shape \(6, M\)"),
        ({"b": np.ones((3, 1))}, r"b must have shape \(3,\), got \(3, 1\)"),
        ({"b": np.ones(1)}, r"b must have shape \(3,\), got \(1,\)"),
    ],
)
def test_forward_refuses_what_does_not_fit(change, words):
    arguments = {"x": np.ones((4, 2, 3)), "w": np.ones((6, 3)), "b": np.ones(3), **change}
    with pytest.raises(ValueError, match=words):
        affine_forward(**arguments)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 1), (4, 3, 1)])
def test_backward_refuses_another_shape_of_dout(shape):
    _, cache = affine_forward(np.ones((4, 6)), np.ones((6, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"dout must have shape \(4, 3\), got"):
        affine_backward(np.ones(shape), cache)


def test_backward_refuses_whole_numbers():
    _, cache = affine_forward(np.ones((4, 6)), np.ones((6, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"^dout must hold floating-point numbers, got dtype int64"):
        affine_backward(np.ones((4, 3), int), cache)
