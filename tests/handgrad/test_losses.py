"""Softmax and SVM losses."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient, rel_error
from handgrad.layers import softmax_loss, svm_loss

LOSSES = [softmax_loss, svm_loss]


@pytest.mark.parametrize(("loss", "expected"), [(svm_loss, 9.0), (softmax_loss, np.log(10))])
def test_small_scores_give_the_course_values(rng, loss, expected):
    x, y = 0.001 * rng.normal(size=(50, 10)), rng.integers(10, size=50)
    value, dx = loss(x, y)
    assert value == pytest.approx(expected, abs=0.01)
    assert rel_error(dx, eval_numerical_gradient(lambda x: loss(x, y)[0], x)) < 1e-6


def test_values_by_hand():
    x, y = np.array([[1.0, 2.0, 0.0], [3.0, 0.5, 3.5]]), np.array([0, 2])
    assert svm_loss(x, y)[0] == pytest.approx((2.0 + 0.0 + 0.5 + 0.0) / 2)
    odds = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    assert softmax_loss(x, y)[0] == pytest.approx(-(np.log(odds[0, 0]) + np.log(odds[1, 2])) / 2)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(1, 2), (5, 3), (3, 7), (2, 1)])
def test_gradient_is_the_derivative(rng, loss, shape):
    x, y = 2 * rng.normal(size=shape), rng.integers(shape[1], size=shape[0])
    _, dx = loss(x, y)
    expected = eval_numerical_gradient(lambda x: loss(x, y)[0], x)
    np.testing.assert_allclose(dx, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_stay_finite(loss, dtype):
    x = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]], dtype=dtype)
    value, dx = loss(x, np.array([1, 0, 2]))
    assert np.isfinite(value)
    assert np.isfinite(dx).all()
    assert value.dtype == dx.dtype == dtype
    expected = (2e4 + 2 * np.log(3)) / 3 if loss is softmax_loss else (20001 + 10001 + 2 + 2) / 3
    assert value == pytest.approx(expected, rel=1e-6)


def test_softmax_does_not_change_when_all_scores_of_an_example_move(rng):
    x, y = rng.normal(size=(4, 3)), np.array([0, 1, 2, 0])
    moved = softmax_loss(x + np.array([[5.0], [-700.0], [1000.0], [0.0]]), y)
    assert moved[0] == pytest.approx(softmax_loss(x, y)[0], rel=1e-9)
    np.testing.assert_allclose(moved[1], softmax_loss(x, y)[1], atol=1e-12)


def test_svm_margin_of_exactly_zero_counts_as_met():
    value, dx = svm_loss(np.array([[2.0, 1.0, 0.0]]), np.array([0]))
    assert value == 0
    np.testing.assert_array_equal(dx, np.zeros((1, 3)))


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_of_the_gradient_add_up_to_zero_and_inputs_stay(rng, loss):
    x, y = np.asfortranarray(rng.normal(size=(6, 4))), rng.integers(4, size=6, dtype=np.uint8)
    copies = x.copy(), y.copy()
    _, dx = loss(x, y)
    np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-14)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(y, copies[1])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones((2, 3)), np.array([0, 3]), "between 0 and 2, got labels from 0 to 3"),
        (np.ones((2, 3)), np.array([0, -1]), "between 0 and 2, got labels from -1 to 0"),
        (np.ones((2, 3)), np.array([0.0, 1.0]), "integer labels, got dtype float64"),
        (np.ones((2, 3)), [0, 1], "integer labels, got list"),
        (np.ones((2, 3)), np.array([[0], [1]]), r"y must have shape \(2,\).*got \(2, 1\)"),
        (np.ones((2, 3)), np.array([0]), r"y must have shape \(2,\).*got \(1,\)"),
        (np.ones((0, 3)), np.array([], int), r"N >= 1 and C >= 1, got \(0, 3\)"),
        (np.ones(3), np.array([0]), r"x must have shape \(N, C\)"),
        (np.ones((2, 3), int), np.array([0, 1]), "^x must hold floating-point numbers, got dtype int64"),
    ],
)
def test_wrong_input_is_refused(loss, x, y, words):
    with pytest.raises(ValueError, match=words):
        loss(x, y)
