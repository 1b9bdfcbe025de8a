"""The Solver: learning, bookkeeping, checkpoints, quietness, divergence."""

import re

import numpy as np
import pytest

import handgrad.solver
from handgrad.classifiers import FullyConnectedNet, ThreeLayerConvNet, TwoLayerNet
from handgrad.solver import DivergedError, Solver


@pytest.fixture
def data(rng):
    """Three clouds of points; a two-layer net separates them."""
    centres = 3 * rng.normal(size=(3, 6))
    y = rng.integers(3, size=200)
    X = centres[y] + rng.normal(size=(200, 6))
    return {"X_train": X[:150], "y_train": y[:150], "X_val": X[150:], "y_val": y[150:]}


def make_net(dtype=np.float64):
    np.random.seed(1)
    net = TwoLayerNet(input_dim=6, hidden_dim=12, num_classes=3, weight_scale=0.1)
    net.params = {name: value.astype(dtype) for name, value in net.params.items()}
    return net


def make_solver(data, net=None, **settings):
    settings = {
        "optim_config": {"learning_rate": 0.1},
        "num_epochs": 4,
        "batch_size": 20,
        "verbose": False,
        "seed": 5,
        **settings,
    }
    return Solver(net or make_net(), data, **settings)


def test_training_learns_and_keeps_histories(data):
    net = make_net()
    solver = make_solver(data, net, num_epochs=10)
    solver.train()
    assert len(solver.loss_history) == 10 * 7  # 150 // 20 steps in an epoch
    assert len(solver.train_acc_history) == len(solver.val_acc_history) == 11
    assert solver.loss_history[0] == pytest.approx(np.log(3), abs=0.2)
    assert solver.best_val_acc == max(solver.val_acc_history) > 0.9
    assert solver.best_val_acc == solver.check_accuracy(data["X_val"], data["y_val"])
    for name, value in net.params.items():
        np.testing.assert_array_equal(value, solver.best_params[name])


def test_model_ends_with_the_best_parameters_not_the_last(data):
    values = iter([0.1, 0.9, 0.3])
    solver = make_solver(data, num_epochs=2)
    seen = []

    def accuracy(X, *_):
        if X is solver.X_val:
            seen.append(solver.model.params["W1"].copy())
            return next(values)
        return 0.0

    solver.check_accuracy = accuracy
    solver.train()
    assert solver.best_val_acc == 0.9
    np.testing.assert_array_equal(solver.model.params["W1"], seen[1])
    assert not np.array_equal(seen[1], seen[2])


def test_a_seed_gives_the_same_training_and_leaves_numpy_random_alone(data):
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    first, net = make_solver(data, make_net()), make_net()
    np.random.seed(3)
    first.train()
    assert np.random.rand() == expected
    second, other = make_solver(data, net), make_solver(data, seed=6)
    second.train()
    other.train()
    assert first.loss_history == second.loss_history != other.loss_history


def test_learning_rate_decays_after_each_epoch(data):
    solver = make_solver(data, lr_decay=0.5, num_epochs=3)
    solver.train()
    assert [c["learning_rate"] for c in solver.optim_configs.values()] == pytest.approx([0.1 / 8] * 4)
    assert solver.optim_config == {"learning_rate": 0.1}


def test_accuracy_is_the_share_of_right_answers_in_batches_of_any_size(data):
    solver = make_solver(data)
    X, y = data["X_val"], data["y_val"]
    expected = np.mean(solver.model.loss(X).argmax(axis=1) == y)
    for batch_size in (1, 7, 50, 1000):
        assert solver.check_accuracy(X, y, batch_size=batch_size) == pytest.approx(expected)
    assert solver.check_accuracy(X, y, num_samples=1) in (0.0, 1.0)


def test_float64_data_leave_a_float32_net_float32(data):
    net = make_net(np.float32)
    solver = make_solver(data, net, optim_config={"learning_rate": np.float64(0.1)})
    solver.train()
    assert {value.dtype for value in net.params.values()} == {np.dtype(np.float32)}
    assert solver.best_val_acc > 0.8


@pytest.mark.parametrize(
    "rule", ["sgd", "sgd_momentum", "sgd_nesterov_momentum", "adagrad", "rmsprop", "adam", "adamw"]
)
def test_float64_data_leave_every_float32_net_and_rule_float32(rng, rule):
    X, y = rng.normal(size=(12, 2, 4, 6)), rng.integers(3, size=12)
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    deep = FullyConnectedNet([7, 5], 48, 3, dropout=0.5, normalization="batchnorm", reg=0.1)
    for net in (deep, ThreeLayerConvNet((2, 4, 6), 3, 3, 5, 3, reg=0.1)):
        solver = make_solver(
            data,
            net,
            update_rule=rule,
            optim_config={"learning_rate": np.float64(1e-2)},
            lr_decay=np.float64(0.9),
        )
        solver.train()
        arrays = [*net.params.values(), *solver.best_statistics.values()]
        arrays += [v for c in solver.optim_configs.values() for v in c.values() if isinstance(v, np.ndarray)]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_running_statistics_go_with_the_best_parameters(data, tmp_path):
    """Batch normalisation in test mode needs the statistics of the very epoch whose parameters are kept."""
    net = FullyConnectedNet([8], input_dim=6, num_classes=3, normalization="batchnorm", dtype=np.float64)
    solver = make_solver(data, net, num_epochs=3, checkpoint_name=tmp_path / "run")
    values = iter([0.1, 0.9, 0.3, 0.2])
    seen = []

    def accuracy(X, *_):
        if X is solver.X_val:
            seen.append(net.bn_params[0].get("running_mean"))
            return next(values)
        return 0.0

    solver.check_accuracy = accuracy
    solver.train()
    np.testing.assert_array_equal(net.bn_params[0]["running_mean"], seen[1])
    assert not np.array_equal(seen[1], seen[3])
    resumed = make_solver(data, FullyConnectedNet([8], 6, 3, normalization="batchnorm", dtype=np.float64))
    resumed.resume(tmp_path / "run_epoch_2.npz")
    np.testing.assert_array_equal(resumed.model.bn_params[0]["running_mean"], seen[2])
    np.testing.assert_array_equal(resumed.best_statistics["running_mean1"], seen[1])


def test_resumed_training_equals_uninterrupted_training(data, tmp_path):
    whole = make_solver(data, num_epochs=4, lr_decay=0.9, checkpoint_name=tmp_path / "run")
    whole.train()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"run_epoch_{i}.npz" for i in (1, 2, 3, 4)]
    resumed = make_solver(data, num_epochs=4, lr_decay=0.9, seed=99)
    resumed.resume(tmp_path / "run_epoch_2.npz")
    assert resumed.epoch == 2
    resumed.train()
    assert resumed.loss_history == whole.loss_history
    assert resumed.val_acc_history == whole.val_acc_history
    for name, value in whole.model.params.items():
        np.testing.assert_array_equal(resumed.model.params[name], value)


def test_resume_keeps_the_arrays_an_update_rule_remembers(data, tmp_path):
    def heavy_ball(w, dw, config):
        velocity = 0.9 * config.get("velocity", np.zeros_like(w)) - config["learning_rate"] * dw
        return w + velocity, {**config, "velocity": velocity}

    settings = {"update_rule": heavy_ball, "optim_config": {"learning_rate": 0.01}}
    whole = make_solver(data, checkpoint_name=tmp_path / "run", **settings)
    whole.train()
    resumed = make_solver(data, **settings)
    resumed.resume(tmp_path / "run_epoch_1.npz")
    resumed.train()
    assert resumed.loss_history == whole.loss_history


def test_resume_refuses_a_checkpoint_of_another_model(data, tmp_path):
    make_solver(data, num_epochs=1, checkpoint_name=tmp_path / "run").train()
    net = TwoLayerNet(input_dim=6, hidden_dim=13, num_classes=3)
    with pytest.raises(ValueError, match=r"'W1': \(6, 12\).*but the model has .*'W1': \(6, 13\)"):
        make_solver(data, net).resume(tmp_path / "run_epoch_1.npz")


def test_divergence_stops_with_advice_and_without_warnings(data):
    data["X_train"] = data["X_train"] * 1e3
    solver = make_solver(data, optim_config={"learning_rate": 1e6}, num_epochs=20)
    with pytest.raises(
        DivergedError, match=r"became (nan|inf) at step \d+, in epoch \d+ of 20.*try 100000"
    ) as caught:
        solver.train()
    assert isinstance(caught.value, ValueError)


def test_verbose_prints_progress_to_stdout_only(data, capsys):
    make_solver(data, verbose=True, num_epochs=1, print_every=5).train()
    out, err = capsys.readouterr()
    assert err == ""
    assert re.findall(r"^\((Step|Epoch) (\d+) / (\d+)\)", out, re.MULTILINE) == [
        ("Epoch", "0", "1"), ("Step", "1", "7"), ("Step", "6", "7"), ("Epoch", "1", "1"),
    ]  # fmt: skip
    make_solver(data, verbose=False).train()
    assert capsys.readouterr() == ("", "")


def test_progress_bar_comes_late_and_on_stdout(data, capsys, monkeypatch):
    make_solver(data, verbose=True, num_epochs=2).train()
    assert "%|" not in capsys.readouterr().out
    monkeypatch.setattr(handgrad.solver, "BAR_AFTER", 0.0)
    make_solver(data, verbose=True, num_epochs=2).train()
    out, err = capsys.readouterr()
    assert "%|" in out
    assert "step/s" in out
    assert err == ""
    make_solver(data, verbose=False, num_epochs=2).train()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X_val": None}, "data lacks X_val; it has X_train, y_train, y_val"),
        ({"y_train": np.zeros(149, int)}, r"same number of examples.*\(150, 6\) and \(149,\)"),
        ({"y_train": np.zeros(150)}, "y_train must hold integer labels, got dtype float64"),
        ({"X_val": np.zeros((50, 5))}, r"one shape, got \(6,\) and \(5,\)"),
        ({"X_val": np.zeros((0, 6)), "y_val": np.zeros(0, int)}, "at least one"),
    ],
)
def test_incomplete_data_are_refused(data, change, words):
    data = {name: value for name, value in {**data, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=words):
        make_solver(data)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"update_rule": "sdg"}, "a function of handgrad.optim, got 'sdg'"),
        ({"update_rule": "np"}, "a function of handgrad.optim, got 'np'"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"print_every": 0}, "print_every must be at least 1, got 0"),
        ({"num_epochs": -1}, "num_epochs must not be negative, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(data, settings, words):
    with pytest.raises(ValueError, match=words):
        make_solver(data, **settings)


def test_gradients_of_other_parameters_are_refused(data):
    net = make_net()
    net.loss = lambda X, y=None: np.zeros((len(X), 3)) if y is None else (1.0, {"W1": net.params["W1"]})
    with pytest.raises(ValueError, match=r"gave gradients of \['W1'\], expected \['W1', 'W2', 'b1', 'b2'\]"):
        make_solver(data, net).train()
