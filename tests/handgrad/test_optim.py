"""Update rules."""

import numpy as np
import pytest

from handgrad.optim import sgd


def test_sgd_steps_against_the_gradient_and_leaves_its_arguments_alone(rng):
    w, dw, config = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), {"learning_rate": 0.5}
    copy = w.copy()
    next_w, next_config = sgd(w, dw, config)
    np.testing.assert_allclose(next_w, copy - 0.5 * dw, rtol=1e-14)
    np.testing.assert_array_equal(w, copy)
    assert next_config == config == {"learning_rate": 0.5}


def test_sgd_has_a_default_learning_rate():
    next_w, config = sgd(np.array([1.0]), np.array([1.0]))
    assert next_w[0] == pytest.approx(0.99)
    assert config == {"learning_rate": 1e-2}


def test_a_float64_learning_rate_or_gradient_leaves_float32_parameters_float32():
    next_w, _ = sgd(np.ones(3, np.float32), np.ones(3), {"learning_rate": np.float64(0.1)})
    assert next_w.dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (4, 1), (1, 3)])
def test_sgd_refuses_a_gradient_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"dw must have the shape of w, \(4, 3\), got"):
        sgd(np.ones((4, 3)), np.ones(shape))
