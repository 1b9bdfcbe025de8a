"""Batch, layer, spatial batch and group norm: statistics, gradients, numerics, refusals."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient_array, rel_error
from handgrad.layers import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)


def groupnorm(x, gamma, beta, param, G=3):
    return spatial_groupnorm_forward(x, gamma, beta, G, param)


# name: forward, backward, shape of x, shape of gamma, settings
CASES = {
    "batch": (batchnorm_forward, batchnorm_backward, (5, 4), (4,), {"mode": "train"}),
    "batch, one example": (batchnorm_forward, batchnorm_backward, (1, 4), (4,), {"mode": "train"}),
    "batch, test": (batchnorm_forward, batchnorm_backward, (5, 4), (4,), {"mode": "test"}),
    "batch, simplified": (batchnorm_forward, batchnorm_backward_alt, (5, 4), (4,), {"mode": "train"}),
    "batch, simplified, test": (batchnorm_forward, batchnorm_backward_alt, (5, 4), (4,), {"mode": "test"}),
    "layer": (layernorm_forward, layernorm_backward, (5, 4), (4,), {}),
    "layer, one example": (layernorm_forward, layernorm_backward, (1, 7), (7,), {}),
    "spatial": (
        spatial_batchnorm_forward, spatial_batchnorm_backward, (3, 4, 2, 5), (4,), {"mode": "train"},
    ),
    "spatial, test": (
        spatial_batchnorm_forward, spatial_batchnorm_backward, (3, 4, 2, 5), (4,), {"mode": "test"},
    ),
    "group": (groupnorm, spatial_groupnorm_backward, (2, 6, 3, 2), (1, 6, 1, 1), {}),
}  # fmt: skip
every_norm = pytest.mark.parametrize(
    ("forward", "backward", "shape", "gamma_shape", "settings"), CASES.values(), ids=CASES
)


def make_inputs(rng, shape, gamma_shape, settings, dtype=np.float64):
    x, gamma, beta, dout = (
        rng.normal(size=s).astype(dtype) for s in (shape, gamma_shape, gamma_shape, shape)
    )
    param = dict(settings)
    if settings.get("mode") == "test":
        param["running_mean"] = rng.normal(size=shape[1]).astype(dtype)
        param["running_var"] = rng.uniform(0.5, 2, size=shape[1]).astype(dtype)
    return x, gamma, beta, dout, param


def ones_and_zeros(*shape):
    return np.ones(shape), np.zeros(shape)


@every_norm
def test_backward_is_gradient_of_forward(rng, forward, backward, shape, gamma_shape, settings):
    x, gamma, beta, dout, param = make_inputs(rng, shape, gamma_shape, {**settings, "eps": 0.1})
    _, cache = forward(x, gamma, beta, dict(param))
    for got, argument in zip(backward(dout, cache), (x, gamma, beta), strict=True):
        expected = eval_numerical_gradient_array(
            lambda _: forward(x, gamma, beta, dict(param))[0], argument, dout
        )
        assert got.shape == argument.shape
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


@every_norm
def test_agrees_with_pytorch(rng, forward, backward, shape, gamma_shape, settings):
    torch = pytest.importorskip("torch")
    if shape[0] == 1 and "mode" in settings:
        pytest.skip("PyTorch refuses batch norm of one example")
    functional = torch.nn.functional
    x, gamma, beta, dout, param = make_inputs(rng, shape, gamma_shape, settings)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, gamma.reshape(-1), beta.reshape(-1))]
    if forward is groupnorm:
        expected = functional.group_norm(leaves[0], 3, leaves[1], leaves[2])
    elif forward is layernorm_forward:
        expected = functional.layer_norm(leaves[0], shape[1:], leaves[1], leaves[2])
    else:
        running = [torch.tensor(param.get(name, np.ones(4))) for name in ("running_mean", "running_var")]
        expected = functional.batch_norm(
            leaves[0], *running, leaves[1], leaves[2], training=param["mode"] == "train"
        )
    expected.backward(torch.tensor(dout))
    out, cache = forward(x, gamma, beta, param)
    assert rel_error(out, expected.detach().numpy()) < 1e-9
    for got, leaf in zip(backward(dout, cache), leaves, strict=True):
        assert rel_error(got.reshape(leaf.shape), leaf.grad.numpy()) < 1e-9


def test_batchnorm_gives_each_feature_mean_beta_and_deviation_gamma(rng):
    x = 5 + 3 * rng.normal(size=(200, 3))
    out, _ = batchnorm_forward(x, *ones_and_zeros(3), {"mode": "train"})
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-5)
    gamma, beta = np.array([1.0, 2, 3]), np.array([11.0, 12, 13])
    out, _ = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    np.testing.assert_allclose(out.mean(axis=0), beta)
    np.testing.assert_allclose(out.std(axis=0), gamma, rtol=1e-5)


def test_layernorm_gives_each_example_mean_0_and_deviation_1(rng):
    out, _ = layernorm_forward(5 + 3 * rng.normal(size=(4, 50)), *ones_and_zeros(50), {})
    np.testing.assert_allclose(out.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(out.std(axis=1), 1, atol=1e-5)


def test_spatial_norms_normalise_channels_and_groups(rng):
    x = 4 * rng.normal(size=(2, 6, 4, 5)) + 10 * np.arange(6).reshape(1, 6, 1, 1)
    out, _ = spatial_batchnorm_forward(x, *ones_and_zeros(6), {"mode": "train"})
    np.testing.assert_allclose(out.mean(axis=(0, 2, 3)), 0, atol=1e-14)
    np.testing.assert_allclose(out.std(axis=(0, 2, 3)), 1, atol=1e-5)
    out, _ = spatial_groupnorm_forward(x, *ones_and_zeros(1, 6, 1, 1), 2, {})
    groups = out.reshape(2, 2, -1)  # channels 0 to 2, and 3 to 5
    np.testing.assert_allclose(groups.mean(axis=2), 0, atol=1e-14)
    np.testing.assert_allclose(groups.std(axis=2), 1, atol=1e-5)
    assert (np.abs(out.mean(axis=(2, 3))) > 0.1).any()  # but no single channel has mean 0


def test_group_norm_of_one_group_is_layer_norm_and_of_C_groups_instance_norm(rng):
    x = rng.normal(size=(2, 4, 3, 5))
    gamma, beta = ones_and_zeros(1, 4, 1, 1)
    whole, _ = spatial_groupnorm_forward(x, gamma, beta, 1, {})
    rows, _ = layernorm_forward(x.reshape(2, -1), *ones_and_zeros(60), {})
    np.testing.assert_allclose(whole.reshape(2, -1), rows, rtol=1e-12)
    single, _ = spatial_groupnorm_forward(x, gamma, beta, 4, {})
    np.testing.assert_allclose(single.std(axis=(2, 3)), 1, atol=1e-4)


@pytest.mark.parametrize("forward", [batchnorm_forward, spatial_batchnorm_forward])
def test_running_averages_move_from_0_and_1_towards_the_batch(rng, forward):
    shape = (6, 3) if forward is batchnorm_forward else (6, 3, 2, 4)
    axes = (0,) if forward is batchnorm_forward else (0, 2, 3)
    x = 5 + 3 * rng.normal(size=shape)
    mean, var = x.mean(axis=axes), x.var(axis=axes)
    param = {"mode": "train"}
    forward(x, *ones_and_zeros(3), param)
    np.testing.assert_allclose(param["running_mean"], 0.1 * mean)
    np.testing.assert_allclose(param["running_var"], 0.9 + 0.1 * var)
    param["momentum"] = 0.25
    forward(x, *ones_and_zeros(3), param)
    np.testing.assert_allclose(param["running_mean"], (0.25 * 0.1 + 0.75) * mean)
    np.testing.assert_allclose(param["running_var"], 0.25 * (0.9 + 0.1 * var) + 0.75 * var)


def test_test_mode_uses_running_averages_gamma_and_beta_and_leaves_them(rng):
    x = rng.normal(size=(3, 2))
    mean, var = np.array([1.0, -2]), np.array([4.0, 0.25])
    param = {"mode": "test", "running_mean": mean, "running_var": var, "eps": 0.0}
    out, _ = batchnorm_forward(x, np.array([3.0, 5]), np.array([7.0, 9]), param)
    np.testing.assert_allclose(out, (x - mean) / [2, 0.5] * [3, 5] + [7, 9])
    assert param.keys() == {"mode", "running_mean", "running_var", "eps"}
    assert param["running_mean"] is mean
    assert param["running_var"] is var


def test_test_mode_before_training_changes_next_to_nothing(rng):
    x, param = rng.normal(size=(3, 2)), {"mode": "test"}
    np.testing.assert_allclose(batchnorm_forward(x, *ones_and_zeros(2), param)[0], x, rtol=1e-5)
    assert param == {"mode": "test"}


@every_norm
def test_eps_is_inside_the_root_and_1e_5_by_default(rng, forward, backward, shape, gamma_shape, settings):
    if settings.get("mode") == "test":
        settings = {**settings, "running_mean": np.zeros(shape[1]), "running_var": np.zeros(shape[1])}
        x, expected = np.ones(shape), lambda eps: np.full(shape, eps**-0.5)
    else:
        x, expected = np.ones(shape), lambda eps: np.zeros(shape)
    gamma, beta = ones_and_zeros(*gamma_shape)
    for eps, param in ((1e-5, settings), (4.0, {**settings, "eps": 4.0})):
        out, cache = forward(x, gamma, beta, dict(param))
        np.testing.assert_allclose(out, expected(eps), rtol=1e-6, atol=1e-12)
        assert np.isfinite(backward(np.ones(shape), cache)[0]).all()
    varied = x * np.linspace(-1, 1, x.size).reshape(shape)
    default, explicit = (forward(varied, gamma, beta, {**settings, **e})[0] for e in ({}, {"eps": 1e-5}))
    np.testing.assert_array_equal(default, explicit)


def test_one_example_gives_beta_and_no_gradient(rng):
    gamma, beta, dout = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(1, 3))
    out, cache = batchnorm_forward(rng.normal(size=(1, 3)), gamma, beta, {"mode": "train"})
    np.testing.assert_array_equal(out[0], beta)
    for backward in (batchnorm_backward, batchnorm_backward_alt):
        np.testing.assert_allclose(backward(dout, cache)[0], 0, atol=1e-9)


@pytest.mark.parametrize("N", [2, 3, 50])
def test_the_two_backward_passes_agree(rng, N):
    x, dout = 5 + 3 * rng.normal(size=(N, 4)), rng.normal(size=(N, 4))
    _, cache = batchnorm_forward(x, rng.normal(size=4), rng.normal(size=4), {"mode": "train"})
    for first, second in zip(
        batchnorm_backward(dout, cache), batchnorm_backward_alt(dout, cache), strict=True
    ):
        np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12)


@every_norm
def test_large_means_cost_no_digits_in_float32(rng, forward, backward, shape, gamma_shape, settings):
    """Mean 10,000 and deviation 1: sums in float32 would be off by more than the deviation."""
    shape = (
        (2000, *shape[1:])
        if "mode" in settings
        else (*shape[:1], *(8 * n if n > 1 else 1 for n in shape[1:]))
    )
    gamma_shape = tuple(n if n == 1 else shape[1] for n in gamma_shape)
    x, gamma, beta, dout, param = make_inputs(rng, shape, gamma_shape, settings, np.float32)
    x += np.float32(1e4)
    if "running_mean" in param:
        param["running_mean"] += np.float32(1e4)
    wide = [a.astype(np.float64) for a in (x, gamma, beta, dout)]
    out, cache = forward(x, gamma, beta, dict(param))
    expected, wide_cache = forward(*wide[:3], dict(param))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    for got, right in zip(backward(dout, cache), backward(wide[3], wide_cache), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, right, rtol=2e-3, atol=2e-3 * np.abs(right).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_norm
def test_dtype_stays_layout_does_not_matter_inputs_are_not_changed(
    rng, forward, backward, shape, gamma_shape, settings, dtype
):
    x, gamma, beta, dout, param = make_inputs(rng, shape, gamma_shape, settings, dtype)
    out, cache = forward(x, gamma, beta, dict(param))
    plain = (out, *backward(dout, cache))
    arguments = [np.asfortranarray(x), np.repeat(gamma, 2, axis=-1)[..., ::2], beta, np.asfortranarray(dout)]
    for array in (*arguments, *(v for v in param.values() if isinstance(v, np.ndarray))):
        array.setflags(write=False)
    kept = dict(param)
    out, cache = forward(*arguments[:3], kept)
    for got, expected in zip((out, *backward(arguments[3], cache)), plain, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=1e-4 if dtype == np.float32 else 1e-11, atol=1e-6)
    if "mode" in settings and param["mode"] == "train":
        assert kept["running_mean"].dtype == kept["running_var"].dtype == dtype


@every_norm
def test_many_numbers_cost_no_digits_in_float32(rng, forward, backward, shape, gamma_shape, settings):
    """The squares of 240,000 numbers, added up in float32, would be off in the third digit."""
    if settings.get("mode") == "test":
        pytest.skip("nothing is added up")
    shape = {2: (120_000, 2) if settings else (1, 240_000), 4: (1, 3, 400, 200)}[len(shape)]
    gamma_shape = tuple(n if n == 1 else shape[1] for n in gamma_shape)
    x = np.where(rng.random(shape) < 0.5, np.float32(0.1), np.float32(-0.1))
    param = {**settings, "momentum": 0, "eps": 0}
    out, _ = forward(x, np.ones(gamma_shape, np.float32), np.zeros(gamma_shape, np.float32), param)
    assert np.abs(out).mean(dtype=np.float64) == pytest.approx(1, abs=5e-5)


def test_running_averages_are_new_arrays(rng):
    mean, var = np.zeros(3), np.ones(3)
    param = {"mode": "train", "running_mean": mean, "running_var": var}
    batchnorm_forward(rng.normal(size=(5, 3)), *ones_and_zeros(3), param)
    assert not mean.any()
    assert (var == 1).all()
    assert param["running_mean"].any()


@every_norm
def test_backward_refuses_another_shape_of_dout(rng, forward, backward, shape, gamma_shape, settings):
    x, gamma, beta, _, param = make_inputs(rng, shape, gamma_shape, settings)
    _, cache = forward(x, gamma, beta, param)
    swapped = (*shape[:-2], shape[-1], shape[-2]) if shape[-1] != shape[-2] else shape[:-1]
    with pytest.raises(ValueError, match=r"^dout must have shape \("):
        backward(np.ones(swapped), cache)
    with pytest.raises(ValueError, match=r"^dout must hold floating-point numbers, got dtype int64"):
        backward(np.ones(shape, int), cache)


GAMMA, BETA = ones_and_zeros(3)
TRAIN = {"mode": "train"}
ROWS, IMAGES = np.ones((2, 3)), np.ones((2, 3, 4, 5))


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (batchnorm_forward, ([[1.0] * 3], GAMMA, BETA, TRAIN), "^x must be a NumPy array, got list"),
        (batchnorm_forward, (np.ones((2, 3), int), GAMMA, BETA, TRAIN), "^x must hold floating-point"),
        (
            batchnorm_forward,
            (np.ones((0, 3)), GAMMA, BETA, TRAIN),
            r"^x must have shape \(N, D\) with N >= 1 and D >= 1, got \(0, 3\)",
        ),
        (batchnorm_forward, (np.ones(3), GAMMA, BETA, TRAIN), r"^x must have shape \(N, D\).* got \(3,\)"),
        (batchnorm_forward, (ROWS, np.ones(4), BETA, TRAIN), r"^gamma must have shape \(3,\), got \(4,\)"),
        (
            batchnorm_forward,
            (ROWS, GAMMA, np.ones((1, 3)), TRAIN),
            r"^beta must have shape \(3,\), got \(1, 3\)",
        ),
        (batchnorm_forward, (ROWS, GAMMA, BETA, {}), "^mode must be 'train' or 'test', got None"),
        (
            batchnorm_forward,
            (ROWS, GAMMA, BETA, {"mode": "eval"}),
            "^mode must be 'train' or 'test', got 'eval'",
        ),
        (
            batchnorm_forward,
            (ROWS, GAMMA, BETA, {**TRAIN, "eps": -1e-9}),
            "^eps must be at least 0, got -1e-09",
        ),
        (
            batchnorm_forward,
            (ROWS, GAMMA, BETA, {**TRAIN, "momentum": 1.01}),
            "^momentum must be at least 0 and at most 1, got 1.01",
        ),
        (batchnorm_forward, (ROWS, GAMMA, BETA, {**TRAIN, "momentum": -0.1}), "^momentum must be at least 0"),
        (
            batchnorm_forward,
            (ROWS, GAMMA, BETA, {**TRAIN, "running_mean": np.ones(2)}),
            r"^running_mean must have shape \(3,\), got \(2,\)",
        ),
        (
            batchnorm_forward,
            (ROWS, GAMMA, BETA, {"mode": "test", "running_var": np.ones((1, 3))}),
            r"^running_var must have shape \(3,\), got \(1, 3\)",
        ),
        (layernorm_forward, (ROWS, GAMMA, BETA, {"eps": float("nan")}), "^eps must be at least 0, got nan"),
        (layernorm_forward, (ROWS, GAMMA, np.ones(2), {}), r"^beta must have shape \(3,\), got \(2,\)"),
        (
            spatial_batchnorm_forward,
            (ROWS, GAMMA, BETA, TRAIN),
            r"^x must have shape \(N, C, H, W\) with no axis of length 0, got \(2, 3\)",
        ),
        (
            spatial_batchnorm_forward,
            (np.ones((2, 3, 0, 5)), GAMMA, BETA, TRAIN),
            r"^x must have shape \(N, C, H, W\).* got \(2, 3, 0, 5\)",
        ),
        (
            spatial_groupnorm_forward,
            (IMAGES, *ones_and_zeros(1, 3, 1, 1), 2, {}),
            "^G must be a whole number that divides the 3 channels of x, got 2",
        ),
        (spatial_groupnorm_forward, (IMAGES, *ones_and_zeros(1, 3, 1, 1), 0, {}), "^G must be .* got 0"),
        (spatial_groupnorm_forward, (IMAGES, *ones_and_zeros(1, 3, 1, 1), 3.0, {}), "^G must be .* got 3.0"),
        (
            spatial_groupnorm_forward,
            (IMAGES, *ones_and_zeros(1, 3, 1, 1), True, {}),
            "^G must be .* got True",
        ),
        (
            spatial_groupnorm_forward,
            (IMAGES, GAMMA, BETA, 3, {}),
            r"^gamma must have shape \(1, 3, 1, 1\), got \(3,\)",
        ),
        (
            spatial_groupnorm_forward,
            (IMAGES, np.ones((1, 3, 1, 1)), BETA, 3, {}),
            r"^beta must have shape \(1, 3, 1, 1\), got \(3,\)",
        ),
    ],
)
def test_wrong_input_is_refused(function, arguments, words):
    with pytest.raises(ValueError, match=words):
        function(*arguments)


def test_the_ends_of_the_ranges_are_allowed(rng):
    x = rng.normal(size=(4, 3))
    for momentum in (0, 1):
        param = {"mode": "train", "momentum": momentum, "eps": 0}
        batchnorm_forward(x, GAMMA, BETA, param)
        np.testing.assert_allclose(param["running_mean"], (1 - momentum) * x.mean(axis=0))
