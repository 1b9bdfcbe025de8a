"""Numerical gradients, relative errors, and the words for how two gradients differ."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from handgrad.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    grad_check_sparse,
    gradient_report,
    rel_error,
)

NUMBERS = st.floats(-1e300, 1e300)
ANY_ARRAY = arrays(np.float64, array_shapes(min_dims=0, max_dims=3, max_side=4), elements=NUMBERS)


@settings(deadline=None)
@given(ANY_ARRAY, st.data())
def test_rel_error_is_symmetric_bounded_and_zero_only_for_equals(x, data):
    y = data.draw(arrays(np.float64, x.shape, elements=NUMBERS))
    error = rel_error(x, y)
    assert error == rel_error(y, x)
    assert 0 <= error <= 1
    assert rel_error(x, x) == 0
    if np.abs(x - y).max() > 1e-8:
        assert error > 0


def test_rel_error_values():
    assert rel_error(1.0, 3.0) == 0.5
    assert rel_error(np.array([1.0, 2.0]), np.array([1.0, -2.0])) == 1.0
    assert rel_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0.0
    assert rel_error(1e-12, 0.0) == pytest.approx(1e-4)


@pytest.mark.parametrize(("x", "y"), [((3,), (4, 3)), ((1,), ()), ((2, 3), (3, 2)), ((0,), (1,))])
def test_rel_error_refuses_to_broadcast(x, y):
    with pytest.raises(ValueError, match="one shape, got"):
        rel_error(np.ones(x), np.ones(y))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rel_error_never_hides_nan_or_infinity(bad):
    x = np.array([1.0, bad, 1.0])
    assert np.isnan(rel_error(x, np.ones(3)))
    assert np.isnan(rel_error(np.ones(3), x))
    assert np.isnan(rel_error(x, x))


@settings(deadline=None, max_examples=30)
@given(arrays(np.float64, array_shapes(min_dims=0, max_dims=3, max_side=3), elements=st.floats(-3, 3)))
def test_gradient_of_a_sum_of_cubes(x):
    before = x.copy()
    np.testing.assert_allclose(eval_numerical_gradient(lambda x: np.sum(x**3), x), 3 * x**2, atol=1e-6)
    np.testing.assert_array_equal(x, before)


def test_gradient_of_an_array_is_weighted_by_df(rng):
    x, a, df = rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    got = eval_numerical_gradient_array(lambda x: x @ a, x, df)
    np.testing.assert_allclose(got, df @ a.T, atol=1e-8)


def test_function_may_use_the_array_itself_and_reuse_its_output(rng):
    x, df, out = rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), np.zeros((2, 3))
    got = eval_numerical_gradient_array(lambda _: np.multiply(x, x, out=out), x, df)
    np.testing.assert_allclose(got, 2 * x * df, atol=1e-8)


def test_views_are_varied_in_place(rng):
    base = rng.normal(size=(4, 6))
    view, copy = base[::2, ::3].T, base.copy()
    got = eval_numerical_gradient(lambda _: np.sum(base**2), view)
    np.testing.assert_allclose(got, 2 * view, atol=1e-8)
    np.testing.assert_array_equal(base, copy)


@pytest.mark.parametrize("fails_at", [1, 2])
def test_array_is_restored_when_f_raises(rng, fails_at):
    x = rng.normal(size=(2, 2))
    copy, calls = x.copy(), []

    def f(x):
        calls.append(1)
        if len(calls) == fails_at:
            raise KeyError("f")
        return np.sum(x)

    with pytest.raises(KeyError):
        eval_numerical_gradient(f, x)
    np.testing.assert_array_equal(x, copy)


def test_what_cannot_be_varied_is_refused():
    for x in (np.ones(3, np.float32), np.ones(3, int), [1.0, 2.0]):
        with pytest.raises(ValueError, match="x must be a float64 array"):
            eval_numerical_gradient(np.sum, x)
    frozen = np.ones(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        eval_numerical_gradient(np.sum, frozen)
    with pytest.raises(ValueError, match=r"f\(x\) has shape \(3,\), expected \(1, 3\)"):
        eval_numerical_gradient_array(lambda x: x, np.ones(3), np.ones((1, 3)))


def test_sparse_check_prints_places_and_returns_the_largest_error(rng, capsys):
    x = rng.normal(size=(20, 30))
    assert grad_check_sparse(lambda x: np.sum(x**2), x, 2 * x, num_checks=5, seed=0) < 1e-6
    assert capsys.readouterr().out.count("numerical") == 5
    assert grad_check_sparse(lambda x: np.sum(x**2), x, 2.001 * x, num_checks=5, seed=0) > 1e-4
    with pytest.raises(ValueError, match="the shape of x"):
        grad_check_sparse(np.sum, x, x.T)


G = np.random.default_rng(7).normal(size=(4, 3))
SQUARE = np.random.default_rng(8).normal(size=(3, 3))


def _changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (G + 1e-9, G, "The gradients agree."),
        (None, G, "got None. Is there a return statement?"),
        ("abc", G, "must be an array of numbers, got str"),
        (G.T, G, "shape (3, 4), expected (4, 3). It is the right one, transposed."),
        (SQUARE.T, SQUARE, "It is the right gradient, transposed."),
        (G.reshape(2, 6), G, "The numbers are right: reshape it."),
        (G, G.sum(axis=0), "The sum over axis 0 is missing."),
        (G, G.sum(axis=1, keepdims=True), "The sum over axis 1 is missing."),
        (np.ones((4, 4)), G, "expected (4, 3). A gradient has the shape of the array it belongs to."),
        (_changed(G, (2, 1), np.nan), G, "1 of 12 numbers are NaN or infinite, the first at [2, 1]."),
        (np.zeros_like(G), G, "Every number is 0, but the right gradient is not."),
        (G, np.zeros_like(G), "The right gradient is 0 everywhere, but this one is not."),
        (-G, G, "The sign is wrong everywhere"),
        (G / 4, G, "Every number is 0.25 times the right one (1/4)."),
        (-G / 3, G, "Every number is -0.333333 times the right one (-1/3)."),
        (2.001 * G, G, "Every number is 2.001 times the right one."),
        (G + 0.5, G, "Every number is off by the same amount, 0.5."),
        (np.abs(G), G, f"{(G < 0).sum()} of 12 numbers have the wrong sign."),
        (_changed(G, (3, 0), 7.0), G, f"are right but one, at [3, 0] (got 7, expected {G[3, 0]:.6g})."),
        (_changed(G, 2, 7.0), G, "The wrong ones are exactly those with index 2 on axis 0."),
        (_changed(G, (slice(None), 1), 7.0), G, "4 of 12 numbers differ"),
        (_changed(G, (slice(None), 1), 7.0), G, "The wrong ones are exactly those with index 1 on axis 1."),
        (G, np.where(G > 0, G, 0), "Only numbers that should be 0 are wrong."),
        (np.where(G > 0, G, 0), G, "The wrong ones are 0 and should not be."),
        (G**2 + 1, G, "All 12 numbers differ, most at"),
        (np.float64(3.0), np.float64(2.0), "The number is wrong (got 3, expected 2)."),
    ],
)  # fmt: skip
def test_report_names_the_difference(got, expected, words):
    assert words in gradient_report(got, expected)


def test_report_can_keep_the_numbers_to_itself():
    assert (
        gradient_report(_changed(G, (3, 0), 7.0), G, values=False)
        == "All numbers are right but one, at [3, 0]."
    )


@settings(deadline=None)
@given(ANY_ARRAY, st.data())
def test_report_agrees_exactly_when_the_numbers_do(got, data):
    expected = data.draw(arrays(np.float64, got.shape, elements=NUMBERS))
    close = np.abs(got / 2 - expected / 2).max() <= 1e-6 * max(1e-8, np.abs(expected).max()) / 2
    assert (gradient_report(got, expected) == "The gradients agree.") == close


@settings(deadline=None)
@given(st.floats(-1e6, 1e6))
def test_report_finds_any_constant_factor(factor):
    assume(abs(factor) > 1e-3 and abs(factor - 1) > 1e-3 and abs(factor + 1) > 1e-3)
    assert f"{factor:.6g} times" in gradient_report(factor * G, G)
