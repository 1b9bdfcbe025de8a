"""Words for differences name them rightly and give nothing away."""

import numpy as np
import pytest

from autograder.checks.differences import explain, not_finite, relative_error, wrong_shape


@pytest.fixture
def right(rng):
    return rng.standard_normal((4, 6))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda a: -a, "It has the wrong sign."),
        (lambda a: 2 * a, "It is twice what it should be."),
        (lambda a: a / 2, "It is half of what it should be."),
        (lambda a: 5 * a, "It is N times what it should be (N = 5)."),
        (lambda a: a / 5, "It is 1/N of what it should be (N = 5)."),
        (lambda a: a / 35, "It is 1/(N * C) of what it should be (N = 5, C = 7)."),
        (lambda a: a * 5 / 7, "It is N/C times what it should be (N = 5, C = 7)."),
        (lambda a: -a / 5, "It has the wrong sign and is 1/N of what it should be (N = 5)."),
        (lambda a: 0 * a, "It is all zeros."),
        (lambda a: 3.25 * a, "Every number is 3.25 times what it should be."),
        (lambda a: a - 0.5, "Every number is 0.5 too small."),
        (lambda a: a + np.eye(4, 6)[2], "It is wrong only at index 2 of axis 1."),
        (lambda a: a + np.outer(np.arange(4) == 3, np.ones(6)), "It is wrong only at index 3 of axis 0."),
        (lambda a: a + np.eye(4, 6) * (np.arange(6) == 1), "Only the number at index (1, 1) is wrong."),
        (lambda a: a + np.eye(4, 6), "4 of its 24 numbers are wrong."),
        (lambda a: a**3 + 7, ""),
    ],
)
def test_a_difference_is_named(right, spoil, says):
    assert explain(spoil(right), right, 1e-4, {"N": 5, "C": 7}) == says


def test_a_transposed_square_is_named(rng):
    square = rng.standard_normal((3, 3))
    assert explain(square.T, square, 1e-4, {}) == "It is transposed."


@pytest.mark.parametrize(
    ("got", "says"), [(3.5, "It is 1 too large."), (2.3, ""), (5.0, "It is twice what it should be.")]
)
def test_a_number_is_explained_by_simple_relations_only(got, says):
    assert explain(np.float64(got), np.float64(2.5), 1e-4, {"N": 7}) == says


@pytest.mark.parametrize(
    ("got", "expected", "says"),
    [
        ((4, 3), (3, 4), "transposed"),
        ((), (3,), "sum over all axes"),
        ((2, 12), (2, 3, 4), "reshape"),
        ((5,), (3,), "Its shape is (5,), it should be (3,)."),
    ],
)
def test_a_wrong_shape_is_named(got, expected, says):
    assert says in wrong_shape(got, expected)


def test_the_error_is_relative_to_the_largest_entry_and_placed(right):
    got = right.copy()
    got[2, 3] += 0.1 * np.abs(right).max()
    error, at = relative_error(got, right)
    assert error == pytest.approx(0.1)
    assert at == (2, 3)


def test_dust_is_no_error():
    assert relative_error(np.full(3, 1e-14), np.full(3, -1e-15))[0] < 1e-7


def test_numbers_that_are_not_finite_are_counted():
    assert not_finite(np.array([1.0, np.nan, np.inf])) == (
        "2 of its 3 numbers are NaN or infinite, the first at index (1,)."
    )
    assert not_finite(np.array(np.nan)) == "It is NaN."
