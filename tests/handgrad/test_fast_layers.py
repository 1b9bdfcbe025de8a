"""The fast layers give the same results as the plain ones, with either backend, and say which it is."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from handgrad import fast_layers
from handgrad.layers import relu_backward, relu_forward


@pytest.fixture(params=["numpy_backend", "_compiled"])
def module(request):
    if request.param == "_compiled":
        pytest.importorskip("handgrad.fast_layers._compiled", reason="the extension was not built")
    return importlib.import_module(f"handgrad.fast_layers.{request.param}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (4, 5), (2, 3, 4, 5)])
def test_relu_equals_the_plain_layer(module, rng, dtype, shape):
    plain, dout = np.array(rng.normal(size=shape), dtype), np.array(rng.normal(size=shape), dtype)
    for x in (plain, np.array(plain, order="F"), np.repeat(plain, 2, axis=-1)[..., ::2] if shape else plain):
        copies = x.copy(), dout.copy()
        out, cache = module.relu_forward_fast(x)
        dx = module.relu_backward_fast(dout, cache)
        expected, plain_cache = relu_forward(x)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(dx, relu_backward(dout, plain_cache))
        assert out.dtype == dx.dtype == dtype
        np.testing.assert_array_equal(x, copies[0])
        np.testing.assert_array_equal(dout, copies[1])


def test_nan_zero_and_infinity(module):
    x = np.array([np.nan, 0.0, -0.0, np.inf, -np.inf])
    out, cache = module.relu_forward_fast(x)
    np.testing.assert_array_equal(out, [np.nan, 0, 0, np.inf, 0])
    np.testing.assert_array_equal(module.relu_backward_fast(np.full(5, 2.0), cache), [0, 0, 0, 2, 0])


def test_wrong_input_is_refused_as_by_the_plain_layer(module):
    with pytest.raises(ValueError, match="floating-point numbers, got dtype int64"):
        module.relu_forward_fast(np.arange(3))
    _, cache = module.relu_forward_fast(np.ones((4, 3)))
    for shape in [(3,), (3, 4), (12,)]:
        with pytest.raises(ValueError, match=r"dout must have shape \(4, 3\), got"):
            module.relu_backward_fast(np.ones(shape), cache)


def _report(**environment):
    command = [sys.executable, "-W", "error", "-m", "handgrad.fast_layers"]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_backend_says_which_and_why():
    name, reason = fast_layers.backend()
    result = _report()
    assert result.stdout == f"handgrad.fast_layers uses the {name} backend: {reason}.\n"
    assert result.stderr == ""


def test_environment_overrides_the_choice():
    assert (
        "uses the numpy backend: HANDGRAD_BACKEND=numpy asks for it"
        in _report(HANDGRAD_BACKEND="numpy").stdout
    )
    wrong = _report(HANDGRAD_BACKEND="cuda")
    assert wrong.returncode != 0
    assert "must be 'numpy' or 'compiled', got 'cuda'" in wrong.stderr
