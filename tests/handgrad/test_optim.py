"""Update rules: course values, twenty steps beside torch.optim, dtypes, and refusals."""

import numpy as np
import pytest

from handgrad.optim import adagrad, adam, adamw, rmsprop, sgd, sgd_momentum, sgd_nesterov_momentum

RULES = [sgd, sgd_momentum, sgd_nesterov_momentum, adagrad, rmsprop, adam, adamw]
MEMORY = {
    sgd: (),
    sgd_momentum: ("velocity",),
    sgd_nesterov_momentum: ("velocity",),
    adagrad: ("cache",),
    rmsprop: ("cache",),
    adam: ("m", "v"),
    adamw: ("m", "v"),
}
WITH_MEMORY = [rule for rule in RULES if MEMORY[rule]]
W = np.linspace(-0.4, 0.6, 20).reshape(4, 5)
DW = np.linspace(-0.6, 0.4, 20).reshape(4, 5)


def grid(first, last):
    return np.linspace(first, last, 20).reshape(4, 5)


def first_two_and_last_two(array):
    return np.array([*array.ravel()[:2], *array.ravel()[-2:]])


@pytest.mark.parametrize(
    ("rule", "config", "expected"),
    [
        (
            sgd_momentum,
            {"learning_rate": 1e-3, "velocity": grid(0.6, 0.9)},
            {
                "w": [0.1406, 0.20738947, 1.34281053, 1.4096],
                "velocity": [0.5406, 0.55475789, 0.79544211, 0.8096],
            },
        ),
        (
            rmsprop,
            {"learning_rate": 1e-2, "cache": grid(0.6, 0.9)},
            {
                "w": [-0.39223849, -0.34037513, 0.54365823, 0.59576619],
                "cache": [0.5976, 0.6126277, 0.87657507, 0.8926],
            },
        ),
        (
            adam,
            {"learning_rate": 1e-2, "m": grid(0.6, 0.9), "v": grid(0.7, 0.5), "t": 5},
            {
                "w": [-0.40094747, -0.34836187, 0.54544852, 0.59801459],
                "v": [0.69966, 0.68908382, 0.51013645, 0.49966],
                "m": [0.48, 0.49947368, 0.83052632, 0.85],
            },
        ),
    ],
)
def test_one_step_gives_the_course_values(rule, config, expected):
    next_w, next_config = rule(W, DW, config)
    for name, numbers in expected.items():
        got = next_w if name == "w" else next_config[name]
        assert got.shape == W.shape
        np.testing.assert_allclose(first_two_and_last_two(got), numbers, rtol=0, atol=6e-9)
    assert next_config.get("t", 6) == 6


@pytest.mark.parametrize(
    ("rule", "settings", "oracle"),
    [
        (sgd, {"learning_rate": 0.1}, ("SGD", {"lr": 0.1})),
        (sgd_momentum, {"learning_rate": 0.1, "momentum": 0.8}, ("SGD", {"lr": 0.1, "momentum": 0.8})),
        (
            sgd_nesterov_momentum,
            {"learning_rate": 0.1, "momentum": 0.8},
            ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
        ),
        (adagrad, {"learning_rate": 0.1}, ("Adagrad", {"lr": 0.1, "eps": 1e-8})),
        (adagrad, {"epsilon": 1e-3}, ("Adagrad", {"lr": 1e-2, "eps": 1e-3})),
        (rmsprop, {"learning_rate": 0.1, "decay_rate": 0.9}, ("RMSprop", {"lr": 0.1, "alpha": 0.9})),
        (rmsprop, {"epsilon": 1e-3}, ("RMSprop", {"eps": 1e-3})),
        (adam, {}, ("Adam", {})),
        (
            adam,
            {"learning_rate": 0.1, "beta1": 0.7, "beta2": 0.95, "epsilon": 1e-3},
            ("Adam", {"lr": 0.1, "betas": (0.7, 0.95), "eps": 1e-3}),
        ),
        (adamw, {}, ("AdamW", {})),
        (
            adamw,
            {"learning_rate": 0.1, "weight_decay": 0.3, "beta1": 0.7, "beta2": 0.95},
            ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "betas": (0.7, 0.95)}),
        ),
    ],
)
def test_twenty_steps_agree_with_torch(rng, rule, settings, oracle):
    torch = pytest.importorskip("torch")
    name, arguments = oracle
    w, config = rng.normal(size=(3, 4)), settings
    leaf = torch.tensor(w, requires_grad=True)
    optimiser = getattr(torch.optim, name)([leaf], **arguments)
    for step in range(20):
        dw = rng.normal(size=(3, 4)) * (0.1 if step % 3 else 10)
        dw[0] = 0 if step < 3 else dw[0]  # numbers that get no gradient at first
        leaf.grad = torch.tensor(dw)
        optimiser.step()
        w, config = rule(w, dw, config)
        expected = leaf.detach().numpy()
        assert np.max(np.abs(w - expected) / np.abs(expected)) < 1e-9, step
    assert config.get("t", 20) == 20


@pytest.mark.parametrize(
    ("rule", "defaults"),
    [
        (sgd, {"learning_rate": 1e-2}),
        (sgd_momentum, {"learning_rate": 1e-2, "momentum": 0.9}),
        (sgd_nesterov_momentum, {"learning_rate": 1e-2, "momentum": 0.9}),
        (adagrad, {"learning_rate": 1e-2, "epsilon": 1e-8}),
        (rmsprop, {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8}),
        (adam, {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
        (
            adamw,
            {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 1e-2},
        ),
    ],
)
def test_settings_have_defaults_and_memory_starts_at_zero(rule, defaults):
    start = {name: np.zeros_like(W) for name in MEMORY[rule]}
    start |= {"t": 0} if "m" in start else {}
    plain, config = rule(W, DW)
    told, _ = rule(W, DW, {**defaults, **start})
    np.testing.assert_array_equal(plain, told)
    assert {name: config[name] for name in defaults} == defaults
    assert config.keys() == {*defaults, *start}


def test_sgd_by_hand():
    next_w, _ = sgd(np.array([1.0, -2.0]), np.array([2.0, 4.0]), {"learning_rate": 0.5})
    np.testing.assert_array_equal(next_w, [0.0, -4.0])


def test_momentum_keeps_rolling_when_the_gradient_is_gone():
    config = {"learning_rate": 1.0, "momentum": 0.5}
    w, config = sgd_momentum(np.zeros(1), np.array([-1.0]), config)
    w, config = sgd_momentum(w, np.zeros(1), config)
    w, config = sgd_momentum(w, np.zeros(1), config)
    assert w[0] == 1 + 0.5 + 0.25
    assert config["velocity"][0] == 0.25


def test_first_adam_step_has_the_size_of_the_learning_rate_whatever_the_gradient():
    dw = np.array([1e-3, -1.0, 1e4])
    next_w, _ = adam(np.zeros(3), dw, {"learning_rate": 0.1})
    np.testing.assert_allclose(next_w, -0.1 * np.sign(dw), rtol=1e-4)


def test_weight_decay_is_decoupled_from_the_gradient():
    next_w, config = adamw(np.array([2.0]), np.zeros(1), {"learning_rate": 0.5, "weight_decay": 0.1})
    assert next_w[0] == pytest.approx(2 * (1 - 0.05))
    assert config["m"][0] == config["v"][0] == 0


@pytest.mark.parametrize("rule", RULES)
def test_nothing_of_the_callers_is_changed(rng, rule):
    w, dw, config = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), {"learning_rate": 0.5}
    for _ in range(3):
        before_w, before_dw = w.copy(), dw.copy()
        before = {name: np.copy(value) for name, value in config.items()}
        for array in (w, dw, *config.values()):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        next_w, next_config = rule(w, dw, config)
        assert next_config is not config
        np.testing.assert_array_equal(w, before_w)
        np.testing.assert_array_equal(dw, before_dw)
        assert config.keys() == before.keys()
        for name, value in before.items():
            np.testing.assert_array_equal(config[name], value)
        for array in next_config.values():
            assert not isinstance(array, np.ndarray) or not np.shares_memory(array, next_w)
        w, config = next_w, next_config


@pytest.mark.parametrize("rule", RULES)
def test_memory_layout_does_not_matter(rng, rule):
    w, dw = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    plain, plain_config = rule(*rule(w, dw)[:1], dw, rule(w, dw)[1])
    other = np.asfortranarray(w), np.repeat(dw, 2, axis=1)[:, ::2]
    next_w, config = rule(*other)
    config = {
        name: np.asfortranarray(value) if name in MEMORY[rule] else value for name, value in config.items()
    }
    got, got_config = rule(next_w, other[1], config)
    np.testing.assert_array_equal(got, plain)
    for name in MEMORY[rule]:
        np.testing.assert_array_equal(got_config[name], plain_config[name])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("gradient", [np.float32, np.float64])
def test_float32_stays_float32(rng, rule, gradient):
    w, config = rng.normal(size=(4, 5)).astype(np.float32), {"learning_rate": np.float64(0.1)}
    for _ in range(3):
        w, config = rule(w, rng.normal(size=(4, 5)).astype(gradient), config)
        assert w.dtype == np.float32
        assert {config[name].dtype for name in MEMORY[rule]} <= {np.dtype(np.float32)}
        config["learning_rate"] = np.float64(config["learning_rate"]) * 0.9


@pytest.mark.parametrize("rule", WITH_MEMORY)
def test_memory_takes_the_dtype_of_the_parameter(rule):
    _, config = rule(W, DW)
    _, config = rule(W.astype(np.float32), DW.astype(np.float32), config)
    assert {config[name].dtype for name in MEMORY[rule]} == {np.dtype(np.float32)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1, 3), (0, 3)])
def test_a_parameter_may_have_any_shape(rng, rule, shape):
    next_w, config = rule(rng.normal(size=shape), rng.normal(size=shape))
    assert next_w.shape == shape
    assert {config[name].shape for name in MEMORY[rule]} <= {shape}


@pytest.mark.parametrize("rule", RULES)
def test_extreme_gradients_give_finite_steps(rule):
    w, dw = np.zeros(4, np.float32), np.array([1e4, -1e4, 0, 1e-30], np.float32)
    config = None
    for _ in range(3):
        w, config = rule(w, dw, config)
        assert np.isfinite(w).all()
    assert w[2] == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(3,), (4, 1), (1, 3), (3, 4)])
def test_a_gradient_of_another_shape_is_refused(rule, shape):
    with pytest.raises(ValueError, match=r"dw must have the shape of w, \(4, 3\), got \("):
        rule(np.ones((4, 3)), np.ones(shape))


@pytest.mark.parametrize(
    ("w", "dw", "words"),
    [
        ([1.0], np.ones(1), "w must be a NumPy array, got list"),
        (np.ones(1, int), np.ones(1), "w must hold floating-point numbers, got dtype int64"),
        (np.array(1.0), np.array(1.0), r"w must have at least one axis, got shape \(\)"),
        (np.ones(1), None, "dw must be a NumPy array, got NoneType"),
        (np.ones(1), np.ones(1, int), "dw must hold floating-point numbers, got dtype int64"),
    ],
)
def test_only_float_arrays_are_accepted(w, dw, words):
    for rule in RULES:
        with pytest.raises(ValueError, match=words):
            rule(w, dw)


@pytest.mark.parametrize(
    ("rule", "config", "words"),
    [
        (sgd, {"learning_rate": -0.1}, "learning_rate must be at least 0, got -0.1"),
        (sgd, {"learning_rate": float("nan")}, "learning_rate must be at least 0, got nan"),
        (sgd, {"learning_rate": float("inf")}, "learning_rate must be at least 0, got inf"),
        (sgd, {"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        (sgd, {"learning_rate": None}, "learning_rate must be a number, got None"),
        (sgd_momentum, {"momentum": 1.0}, "momentum must be at least 0 and less than 1, got 1.0"),
        (sgd_nesterov_momentum, {"momentum": -0.1}, "momentum must be at least 0 and less than 1, got -0.1"),
        (rmsprop, {"decay_rate": 1}, "decay_rate must be at least 0 and less than 1, got 1"),
        (rmsprop, {"epsilon": 0}, "epsilon must be above 0, got 0"),
        (adagrad, {"epsilon": -1e-8}, "epsilon must be above 0, got -1e-08"),
        (adam, {"beta1": 1}, "beta1 must be at least 0 and less than 1, got 1"),
        (adam, {"beta2": 1.5}, "beta2 must be at least 0 and less than 1, got 1.5"),
        (adamw, {"weight_decay": -1}, "weight_decay must be at least 0, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(rule, config, words):
    with pytest.raises(ValueError, match=words):
        rule(W, DW, config)


def test_settings_at_the_edge_of_their_range_are_accepted():
    np.testing.assert_array_equal(sgd(W, DW, {"learning_rate": 0})[0], W)
    np.testing.assert_array_equal(sgd_momentum(W, DW, {"momentum": 0})[0], sgd(W, DW)[0])
    np.testing.assert_array_equal(adamw(W, DW, {"weight_decay": 0})[0], adam(W, DW)[0])
    adam(W, DW, {"beta1": 0, "beta2": 0})


@pytest.mark.parametrize(
    ("rule", "config", "words"),
    [
        (sgd, {"learning_rat": 0.1}, "sgd has no setting 'learning_rat'; its config has learning_rate$"),
        (sgd, {"momentum": 0.9}, "sgd has no setting 'momentum'"),
        (adam, {"weight_decay": 0.9}, "adam has no setting 'weight_decay'; .* epsilon, m, v, t$"),
        (rmsprop, {"velocity": W}, "rmsprop has no setting 'velocity'"),
    ],
)
def test_names_that_a_rule_does_not_know_are_refused_at_the_first_step(rule, config, words):
    with pytest.raises(ValueError, match=words):
        rule(W, DW, config)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_says_its_own_name(rule):
    with pytest.raises(
        ValueError, match=f"^{rule.__name__} has no setting 'speed'; its config has learning_rate"
    ):
        rule(W, DW, {"speed": 1})


def test_later_steps_may_carry_more_than_the_rule_needs():
    _, config = sgd_momentum(W, DW)
    _, config = sgd_momentum(W, DW, {**config, "steps": 1})
    assert config["steps"] == 1


def test_half_a_memory_is_refused():
    words = "adam's config lacks v, t: hand it back as adam returned it, or leave out all of m, v, t"
    with pytest.raises(ValueError, match=words):
        adam(W, DW, {"m": np.zeros_like(W)})
    with pytest.raises(ValueError, match="adamw's config lacks t: hand it back"):
        adamw(W, DW, {"m": np.zeros_like(W), "v": np.zeros_like(W)})


@pytest.mark.parametrize("rule", WITH_MEMORY)
def test_memory_of_another_shape_is_refused(rule):
    _, config = rule(W, DW)
    for name in MEMORY[rule]:
        with pytest.raises(ValueError, match=rf"{name} must have shape \(4, 5\), got \(5,\)"):
            rule(W, DW, {**config, name: np.zeros(5)})
        with pytest.raises(ValueError, match=f"{name} must be a NumPy array, got float"):
            rule(W, DW, {**config, name: 0.0})


@pytest.mark.parametrize("t", [-1, 0.5, float("nan"), float("inf"), "5", None])
def test_steps_that_cannot_be_counted_are_refused(t):
    _, config = adam(W, DW)
    with pytest.raises(ValueError, match=f"t must be a whole number of steps, at least 0, got {t!r}"):
        adam(W, DW, {**config, "t": t})


def test_a_count_read_from_a_file_goes_on():
    _, config = adam(W, DW)
    for t in (1, 1.0, np.int64(1)):
        assert adam(W, DW, {**config, "t": t})[1]["t"] == 2
