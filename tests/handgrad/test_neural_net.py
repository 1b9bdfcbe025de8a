"""The two-layer network in one class, in both conventions."""

import numpy as np
import pytest

from handgrad.classifiers.neural_net import TwoLayerNet
from handgrad.gradient_check import eval_numerical_gradient, rel_error
from handgrad.solver import DivergedError

CONVENTIONS = ["S19", "UCLA"]
SCORES = {
    "S19": [
        [-0.81233741, -1.27654624, -0.70335995],
        [-0.17129677, -1.18803311, -0.47310444],
        [-0.51590475, -1.01354314, -0.8504215],
        [-0.15419291, -0.48629638, -0.52901952],
        [-0.00618733, -0.12435261, -0.15226949],
    ],
    "UCLA": [
        [-1.07260209, 0.05083871, -0.87253915],
        [-2.02778743, -0.10832494, -1.52641362],
        [-0.74225908, 0.15259725, -0.39578548],
        [-0.38172726, 0.10835902, -0.17328274],
        [-0.64417314, -0.18886813, -0.41106892],
    ],
}
LOSSES = {"S19": 1.30378789133, "UCLA": 1.071696123862817}
SHAPES = {
    "S19": {"W1": (4, 10), "b1": (10,), "W2": (10, 3), "b2": (3,)},
    "UCLA": {"W1": (10, 4), "b1": (10,), "W2": (3, 10), "b2": (3,)},
}


def toy_net(convention, dtype=np.float64):
    np.random.seed(0)
    net = TwoLayerNet(input_size=4, hidden_size=10, output_size=3, std=1e-1, convention=convention)
    net.params = {name: value.astype(dtype) for name, value in net.params.items()}
    return net


def toy_data():
    np.random.seed(1)
    return 10 * np.random.randn(5, 4), np.array([0, 1, 2, 2, 1])


@pytest.fixture(params=CONVENTIONS)
def net(request):
    return toy_net(request.param)


def test_scores_are_the_course_values(net):
    X, _ = toy_data()
    assert np.abs(net.loss(X) - SCORES[net.convention]).sum() < 1e-7


def test_loss_is_the_course_value(net):
    X, y = toy_data()
    loss, grads = net.loss(X, y, reg=0.05)
    assert abs(loss - LOSSES[net.convention]) < 1e-12
    assert {name: grad.shape for name, grad in grads.items()} == SHAPES[net.convention]


@pytest.mark.parametrize("reg", [0.0, 0.05, 3.14])
def test_gradients_are_derivatives_of_the_loss(net, reg):
    X, y = toy_data()
    _, grads = net.loss(X, y, reg=reg)
    assert grads.keys() == net.params.keys()
    for name, value in net.params.items():
        expected = eval_numerical_gradient(lambda _: net.loss(X, y, reg=reg)[0], value)
        assert rel_error(grads[name], expected) < 1e-8, name


@pytest.mark.parametrize("sizes", [(4, 10, 3), (7, 5, 2), (3, 1, 4), (5, 5, 5)])
@pytest.mark.parametrize("N", [1, 6])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_loss_and_gradients_agree_with_torch(rng, convention, N, sizes):
    torch = pytest.importorskip("torch")
    D, H, C = sizes
    net = TwoLayerNet(D, H, C, convention=convention)
    net.params = {name: rng.normal(size=value.shape) for name, value in net.params.items()}
    X, y = rng.normal(size=(N, D)), rng.integers(C, size=N)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in net.params.items()}
    W1, W2 = leaves["W1"], leaves["W2"]
    factor = 0.35
    if convention == "S19":
        W1, W2, factor = W1.T, W2.T, 0.7
    hidden = torch.relu(torch.nn.functional.linear(torch.tensor(X), W1, leaves["b1"]))
    scores = torch.nn.functional.linear(hidden, W2, leaves["b2"])
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    expected = expected + factor * (W1.square().sum() + W2.square().sum())
    expected.backward()
    loss, grads = net.loss(X, y, reg=0.7)
    assert rel_error(net.loss(X), scores.detach().numpy()) < 1e-9
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for name, leaf in leaves.items():
        assert rel_error(grads[name], leaf.grad.numpy()) < 1e-9, name


def test_both_conventions_are_one_network():
    X, y = toy_data()
    one, other = toy_net("S19"), toy_net("UCLA")
    other.params = {name: value.T.copy() for name, value in one.params.items()}
    loss, grads = one.loss(X, y, reg=0.1)
    turned_loss, turned_grads = other.loss(X, y, reg=0.2)
    assert turned_loss == pytest.approx(loss, rel=1e-13)
    for name, grad in grads.items():
        np.testing.assert_allclose(turned_grads[name], grad.T, rtol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_toy_training_ends_below_the_course_value(net, seed):
    X, y = toy_data()
    np.random.seed(seed)
    history = net.train(X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100, verbose=False)
    assert history.keys() == {"loss_history", "train_acc_history", "val_acc_history"}
    assert len(history["loss_history"]) == 100
    assert history["loss_history"][-1] < 0.02 < history["loss_history"][0]
    assert history["train_acc_history"][-1] == history["val_acc_history"][-1] == 1
    np.testing.assert_array_equal(net.predict(X), y)


def test_parameters_start_as_asked():
    np.random.seed(0)
    W1, W2 = 0.01 * np.random.randn(300, 40), 0.01 * np.random.randn(40, 7)
    np.random.seed(0)
    net = TwoLayerNet(300, 40, 7, std=0.01)
    assert net.convention == "S19"
    np.testing.assert_array_equal(net.params["W1"], W1)
    np.testing.assert_array_equal(net.params["W2"], W2)
    assert not net.params["b1"].any()
    assert not net.params["b2"].any()
    assert list(net.params) == ["W1", "b1", "W2", "b2"]
    assert TwoLayerNet(300, 40, 7).params["W1"].std() == pytest.approx(1e-4, rel=0.1)


@pytest.mark.parametrize("num_iters", [20, 23])  # an epoch has 50 // 10 steps
def test_accuracies_are_measured_at_the_start_and_after_each_epoch(rng, num_iters):
    net = TwoLayerNet(4, 3, 2, std=0.1)
    X, y = rng.normal(size=(50, 4)), rng.integers(2, size=50)
    start = np.mean(net.predict(X) == y)
    history = net.train(X, y, X[:9], y[:9], num_iters=num_iters, batch_size=10, learning_rate=0.5)
    assert len(history["loss_history"]) == num_iters
    assert len(history["train_acc_history"]) == len(history["val_acc_history"]) == 5
    assert history["train_acc_history"][0] == start
    if num_iters == 20:
        assert history["train_acc_history"][-1] == np.mean(net.predict(X) == y)
        assert history["val_acc_history"][-1] == np.mean(net.predict(X[:9]) == y[:9])


def test_training_accuracy_is_measured_on_a_thousand_examples_at_most(rng):
    net = TwoLayerNet(4, 3, 2)
    X, y = rng.normal(size=(1500, 4)), rng.integers(2, size=1500)
    sizes = []
    predict = net.predict
    net.predict = lambda X: sizes.append(len(X)) or predict(X)
    net.train(X, y, X[:7], y[:7], num_iters=0)
    assert sizes == [1000, 7]


def test_learning_rate_decays_after_each_epoch(monkeypatch, rng):
    X, y = rng.normal(size=(20, 4)), rng.integers(2, size=20)
    net = TwoLayerNet(4, 3, 2)
    ones = {name: np.ones_like(value) for name, value in net.params.items()}
    scores = TwoLayerNet.loss
    monkeypatch.setattr(
        TwoLayerNet, "loss", lambda self, X, y=None, reg=0: (1.0, ones) if y is not None else scores(self, X)
    )
    start = net.params["b1"].copy()
    net.train(X, y, X, y, learning_rate=1.0, learning_rate_decay=0.5, num_iters=5, batch_size=10)
    np.testing.assert_allclose(start - net.params["b1"], 1 + 1 + 0.5 + 0.5 + 0.25)


def test_batches_are_drawn_at_random_with_replacement(rng):
    X, y = np.arange(30.0)[:, np.newaxis], rng.integers(2, size=30)
    net = TwoLayerNet(1, 3, 2)
    batches = []
    loss = net.loss

    def record(X, y=None, reg=0.0):
        if y is not None:
            batches.append((X, y))
        return loss(X, y, reg)

    net.loss = record
    net.train(X, y, X, y, num_iters=40, batch_size=25, learning_rate=1e-6)
    assert {drawn.shape for drawn, _ in batches} == {(25, 1)}
    for drawn, labels in batches:
        np.testing.assert_array_equal(labels, y[drawn[:, 0].astype(int)])
    assert any(len(np.unique(drawn)) < 25 for drawn, _ in batches)
    assert len(np.unique(np.concatenate([drawn for drawn, _ in batches]))) == 30


def test_same_seed_gives_the_same_training(net):
    X, y = toy_data()
    other = toy_net(net.convention)
    for model in (net, other):
        np.random.seed(3)
        model.history = model.train(X, y, X, y, num_iters=10)
    assert net.history == other.history
    for name, value in net.params.items():
        np.testing.assert_array_equal(value, other.params[name])


def test_verbose_prints_the_loss_every_hundred_steps_and_quiet_prints_nothing(net, capsys):
    X, y = toy_data()
    net.train(X, y, X, y, num_iters=100)
    assert capsys.readouterr().out == ""
    history = net.train(X, y, X, y, num_iters=250, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"step {k} / 250: loss {history['loss_history'][k - 1]:f}" for k in (100, 200)]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_float32_stays_float32_whatever_the_data(convention):
    net = toy_net(convention, np.float32)
    X, y = toy_data()
    loss, grads = net.loss(X, y, reg=np.float64(0.1))
    assert loss.dtype == net.loss(X).dtype == np.float32
    assert {grad.dtype for grad in grads.values()} == {np.dtype(np.float32)}
    net.train(X, y, X, y, learning_rate=np.float64(0.1), learning_rate_decay=np.float64(0.9), num_iters=5)
    assert {value.dtype for value in net.params.values()} == {np.dtype(np.float32)}


def test_float32_and_integer_data_are_read_in_the_dtype_of_the_parameters(net):
    X, _ = toy_data()
    assert net.loss(X.astype(np.float32)).dtype == np.float64
    bytes_ = np.arange(20, dtype=np.uint8).reshape(5, 4)
    np.testing.assert_array_equal(net.loss(bytes_), net.loss(bytes_.astype(float)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_give_a_finite_loss(net, dtype):
    net.params = {name: value.astype(dtype) for name, value in net.params.items()}
    X, y = toy_data()
    X *= 1e4 / np.abs(net.loss(X)).max()
    assert np.abs(net.loss(X)).max() > 5e3
    loss, grads = net.loss(X, y, reg=0.05)
    assert np.isfinite(loss)
    assert all(np.isfinite(grad).all() for grad in grads.values())


def test_neither_data_nor_old_parameters_are_written_into(net):
    X, y = toy_data()
    before = X.copy(), y.copy(), {name: value.copy() for name, value in net.params.items()}
    held = dict(net.params)
    for array in (X, y, *held.values()):
        array.flags.writeable = False
    net.loss(X, y, reg=0.1)
    net.train(X, y, X, y, num_iters=3)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])
    for name, value in held.items():
        np.testing.assert_array_equal(value, before[2][name])
        assert not np.array_equal(value, net.params[name])


def test_memory_layout_does_not_matter(net):
    X, y = toy_data()
    plain, grads = net.loss(X, y, reg=0.1)
    net.params = {name: np.asfortranarray(value) for name, value in net.params.items()}
    for other in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        loss, other_grads = net.loss(other, np.repeat(y, 2)[::2], reg=0.1)
        assert loss == pytest.approx(plain, rel=1e-13)
        for name, grad in grads.items():
            np.testing.assert_allclose(other_grads[name], grad, rtol=1e-12, atol=1e-15)


def test_predictions_are_the_classes_with_the_highest_scores(net):
    X, _ = toy_data()
    y_pred = net.predict(X)
    assert y_pred.shape == (5,)
    assert np.issubdtype(y_pred.dtype, np.integer)
    np.testing.assert_array_equal(y_pred, np.argmax(SCORES[net.convention], axis=1))


def test_saved_parameters_come_back(net, tmp_path):
    X, _ = toy_data()
    net.save(tmp_path / "best.npz", note="toy")
    other = TwoLayerNet(4, 2, 3, convention=net.convention)
    assert str(other.load(tmp_path / "best.npz")["note"]) == "toy"
    np.testing.assert_array_equal(other.loss(X), net.loss(X))


def test_parameters_of_the_other_convention_are_refused(net, tmp_path):
    X, _ = toy_data()
    net.save(tmp_path / "best.npz")
    convention = "S19" if net.convention == "UCLA" else "UCLA"
    other = TwoLayerNet(4, 10, 3, convention=convention)
    other.load(tmp_path / "best.npz")
    needed = {"S19": r"W1 \(D, H\), W2 \(H, C\)", "UCLA": r"W1 \(H, D\), W2 \(C, H\)"}[convention]
    received = {"S19": r"'W1': \(10, 4\)", "UCLA": r"'W1': \(4, 10\)"}[convention]
    words = rf"convention '{convention}' needs {needed}, b1 \(H,\) and b2 \(C,\), got .*{received}"
    with pytest.raises(ValueError, match=words):
        other.loss(X)


@pytest.mark.parametrize(("name", "shape"), [("W1", (10,)), ("b1", (4,)), ("W2", (4, 4)), ("b2", (1, 3))])
def test_parameters_that_do_not_fit_each_other_are_refused(net, name, shape):
    X, _ = toy_data()
    net.params[name] = np.ones(shape)
    with pytest.raises(ValueError, match=f"convention '{net.convention}' needs .* got parameters of shapes"):
        net.predict(X)


def test_a_learning_rate_that_is_too_high_ends_in_a_sentence(net):
    X, y = toy_data()
    words = (
        r"The loss became (nan|inf) at step \d+ of 100. The learning rate 1e\+08 may be too high: try 1e\+07"
    )
    with pytest.raises(DivergedError, match=words):
        net.train(X, y, X, y, learning_rate=1e8, learning_rate_decay=1, reg=1.0)


def test_nan_in_the_data_ends_in_a_sentence(net):
    X, y = toy_data()
    with pytest.raises(DivergedError, match=r"became nan at step 1 of 100.*check the gradients and the data"):
        net.train(X * np.nan, y, X, y)


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.ones((5, 3)), None, r"X must have shape \(N, 4\), at least one row, got \(5, 3\)$"),
        (np.ones((0, 4)), None, r"X must have shape \(N, 4\), at least one row, got \(0, 4\)$"),
        (np.ones(4), None, r"X must have shape \(N, 4\), at least one row, got \(4,\)$"),
        (
            np.ones((5, 2, 2)),
            None,
            r"X must have shape \(N, 4\), at least one row, got \(5, 2, 2\); use X.reshape\(len\(X\), -1\)$",
        ),
        (np.ones((5, 4)), np.array([0, 1, 2]), r"y must have shape \(5,\), one label .* got \(3,\)"),
        (np.ones((5, 4)), np.zeros((5, 1), int), r"y must have shape \(5,\), .* got \(5, 1\)"),
        (np.ones((5, 4)), np.zeros(5), "y must be a NumPy array of integer labels, got dtype float64"),
        (np.ones((5, 4)), [0] * 5, "y must be a NumPy array of integer labels, got list"),
        (np.ones((2, 4)), np.array([0, 3]), "the labels y must lie between 0 and 2, got labels from 0 to 3"),
        (
            np.ones((2, 4)),
            np.array([-1, 2]),
            "the labels y must lie between 0 and 2, got labels from -1 to 2",
        ),
    ],
)
def test_loss_refuses_data_that_do_not_fit(net, X, y, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        net.loss(X, y)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": np.ones((5, 2, 2))}, r"X must have shape \(N, 4\).*use X.reshape\(len\(X\), -1\)"),
        ({"y": np.zeros(4, int)}, r"y must have shape \(5,\)"),
        ({"X_val": np.ones((5, 3))}, r"X_val must have shape \(N, 4\), at least one row, got \(5, 3\)$"),
        ({"y_val": np.full(5, 3)}, "the labels y_val must lie between 0 and 2, got labels from 3 to 3"),
        ({"num_iters": -1}, "num_iters must be a whole number, at least 0, got -1"),
        ({"num_iters": 1e3}, "num_iters must be a whole number, at least 0, got 1000.0"),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0"),
        ({"batch_size": "all"}, "batch_size must be a whole number, at least 1, got 'all'"),
        ({"learning_rate": -1e-3}, "learning_rate must be a number, at least 0, got -0.001"),
        ({"learning_rate": "1e-3"}, "learning_rate must be a number, at least 0, got '1e-3'"),
        ({"learning_rate_decay": float("nan")}, "learning_rate_decay must be a number, at least 0, got nan"),
        ({"learning_rate_decay": float("inf")}, "learning_rate_decay must be a number, at least 0, got inf"),
        ({"reg": -1}, "reg must be a number, at least 0, got -1"),
    ],
)
def test_train_refuses_wrong_data_and_settings_before_it_begins(net, change, words):
    X, y = toy_data()
    before = dict(net.params)
    with pytest.raises(ValueError, match=f"^{words}"):
        net.train(**{"X": X, "y": y, "X_val": X, "y_val": y, **change})
    assert all(net.params[name] is value for name, value in before.items())


def test_loss_refuses_a_negative_reg(net):
    X, y = toy_data()
    with pytest.raises(ValueError, match=r"reg must be a number, at least 0, got -0.5"):
        net.loss(X, y, reg=-0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"convention": "2019"}, "convention must be one of S19, UCLA, got '2019'"),
        ({"input_size": 0}, "input_size must be a whole number, at least 1, got 0"),
        ({"hidden_size": 2.0}, "hidden_size must be a whole number, at least 1, got 2.0"),
        ({"output_size": -3}, "output_size must be a whole number, at least 1, got -3"),
    ],
)
def test_a_network_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        TwoLayerNet(**{"input_size": 4, "hidden_size": 10, "output_size": 3, **arguments})
