"""The asserts of the notebooks: silent when right, and in words when wrong."""

import numpy as np
import pytest

from handgrad.testing import assert_close, assert_gradient


def test_returns_the_error_in_proportion_to_the_largest_number():
    assert assert_close("out", [1.0, 100.0], [1.0, 100.0]) == 0
    assert assert_close("out", [1.0, 100.0], [1.0, 100.002], tolerance=1e-4) == pytest.approx(1e-5, rel=1e-3)
    assert assert_close("loss", np.float32(2.5), 2.5) == 0
    assert assert_close("nothing", np.zeros((0, 3)), np.zeros((0, 3))) == 0


def test_small_noise_around_zero_is_judged_by_the_largest_number():
    assert_gradient("dx", np.array([1e-12, 1.0]), np.array([0.0, 1.0]))


@pytest.mark.parametrize(
    ("got", "expected", "message"),
    [
        (None, 1.0, r"^out is None. Is there a return statement\? Look again.$"),
        ("text", 1.0, r"^out must be numbers, got str. Look again.$"),
        (np.zeros(3), np.zeros((4, 3)), r"^out has shape \(3,\), expected \(4, 3\). Look again.$"),
        (np.zeros((4, 1)), np.zeros(4), r"shape \(4, 1\), expected \(4,\)"),
        ([1.0, np.nan], [1.0, 2.0], r"^out is not finite: 1 of 2 are NaN or infinite. Look again.$"),
        (
            [[1.0, 2.0], [3.0, 5.0]],
            [[1.0, 2.0], [3.0, 4.0]],
            r"^out is wrong at \[1, 1\]: got 5, expected 4.",
        ),
        (2.0, 1.0, r"^out is wrong: got 2, expected 1. Look again.$"),
    ],
)
def test_says_what_is_wrong(got, expected, message):
    with pytest.raises(AssertionError, match=message):
        assert_close("out", got, expected, hint="Look again.")


@pytest.mark.parametrize("got", [None, np.zeros((3, 2)), np.full((2, 3), np.nan), 2.001 * np.ones((2, 3))])
def test_wrong_gradient_is_named_and_explained(got):
    with pytest.raises(AssertionError, match=r"^dw is wrong\. .+ Look again\.$"):
        assert_gradient("dw", got, np.ones((2, 3)), hint="Look again.")


def test_pattern_of_a_wrong_gradient_is_recognised(rng):
    dw = rng.normal(size=(4, 3))
    with pytest.raises(AssertionError, match="transposed"):
        assert_gradient("dw", dw.T, dw)
    with pytest.raises(AssertionError, match=r"1/4"):
        assert_gradient("dw", dw / 4, dw)
