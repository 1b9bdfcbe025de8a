"""Dropout: what it keeps, how it scales, both modes, seeds, gradients, refusals."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient_array
from handgrad.layers import dropout_backward, dropout_forward


@pytest.mark.parametrize("p", [0.1, 0.3, 0.7])
def test_the_share_p_is_kept_and_divided_by_p(rng, p):
    x = 10 + rng.normal(size=(500, 500))
    out, _ = dropout_forward(x, {"mode": "train", "p": p, "seed": 1})
    assert out.mean() == pytest.approx(x.mean(), rel=0.02)
    assert (out != 0).mean() == pytest.approx(p, abs=0.01)
    kept = out != 0
    np.testing.assert_allclose(out[kept], x[kept] / p, rtol=1e-14)


def test_each_number_has_a_draw_of_its_own():
    out, _ = dropout_forward(np.ones((6, 50)), {"mode": "train", "p": 0.5, "seed": 0})
    assert len({tuple(row) for row in out}) == 6
    assert len({tuple(column) for column in out.T}) > 20


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("shape", [(), (7,), (4, 5), (2, 3, 4, 5)])
def test_backward_is_gradient_of_forward(rng, mode, shape):
    x, dout = np.array(rng.normal(size=shape)), np.array(rng.normal(size=shape))
    param = {"mode": mode, "p": 0.6, "seed": 123}
    dx = dropout_backward(dout, dropout_forward(x, param)[1])
    expected = eval_numerical_gradient_array(lambda x: dropout_forward(x, param)[0], x, dout)
    assert dx.shape == shape
    np.testing.assert_allclose(dx, expected, rtol=1e-8, atol=1e-10)


def test_test_mode_passes_everything_on(rng):
    x, dout = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    out, cache = dropout_forward(x, {"mode": "test", "p": 0.3})
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(dropout_backward(dout, cache), dout)
    assert not np.shares_memory(out, x)


def test_keeping_everything_passes_everything_on(rng):
    x = rng.normal(size=(4, 5))
    out, cache = dropout_forward(x, {"mode": "train", "p": 1})
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(dropout_backward(x, cache), x)


def test_a_seed_repeats_the_choice_and_leaves_numpy_random_alone():
    x = np.ones((5, 40))
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    first, second, other = (dropout_forward(x, {"mode": "train", "p": 0.5, "seed": s})[0] for s in (0, 0, 1))
    assert np.random.rand() == expected
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_without_a_seed_numpy_random_draws():
    x, param = np.ones((5, 40)), {"mode": "train", "p": 0.5}
    np.random.seed(3)
    first, second = dropout_forward(x, param)[0], dropout_forward(x, param)[0]
    assert not np.array_equal(first, second)
    np.random.seed(3)
    np.testing.assert_array_equal(dropout_forward(x, param)[0], first)


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays_and_inputs_are_not_changed(rng, dtype, mode):
    x, dout = (np.asfortranarray(rng.normal(size=(6, 4)).astype(dtype)) for _ in range(2))
    for array in (x, dout):
        array.setflags(write=False)
    param = {"mode": mode, "p": np.float64(0.5), "seed": 0}
    out, cache = dropout_forward(x, param)
    dx = dropout_backward(dout, cache)
    assert out.dtype == dx.dtype == dtype
    np.testing.assert_array_equal(out == 0, dx == 0)
    assert param == {"mode": mode, "p": 0.5, "seed": 0}


@pytest.mark.parametrize(
    ("x", "param", "words"),
    [
        (
            np.ones(3, int),
            {"mode": "train", "p": 0.5},
            "^x must hold floating-point numbers, got dtype int64",
        ),
        (
            np.ones(3),
            {"mode": "train", "p": 0},
            "^p is the probability to keep .* above 0 and up to 1, got 0$",
        ),
        (np.ones(3), {"mode": "train", "p": 1.5}, "^p is the probability to keep .* got 1.5$"),
        (np.ones(3), {"mode": "train", "p": float("nan")}, "^p is the probability to keep .* got nan$"),
        (np.ones(3), {"mode": "train", "p": "0.5"}, "^p is the probability to keep .* got 0.5$"),
        (np.ones(3), {"mode": "train"}, "^p is the probability to keep .* got None$"),
        (np.ones(3), {"p": 0.5}, "^mode must be 'train' or 'test', got None$"),
        (np.ones(3), {"mode": "valid", "p": 0.5}, "^mode must be 'train' or 'test', got 'valid'$"),
    ],
)
def test_wrong_input_is_refused(x, param, words):
    with pytest.raises(ValueError, match=words):
        dropout_forward(x, param)


@pytest.mark.parametrize("mode", ["train", "test"])
def test_backward_refuses_another_shape_of_dout(mode):
    _, cache = dropout_forward(np.ones((4, 3)), {"mode": mode, "p": 0.5})
    with pytest.raises(ValueError, match=r"^dout must have shape \(4, 3\), got \(3, 4\)"):
        dropout_backward(np.ones((3, 4)), cache)
    with pytest.raises(ValueError, match=r"^dout must hold floating-point numbers, got dtype int64"):
        dropout_backward(np.ones((4, 3), int), cache)
