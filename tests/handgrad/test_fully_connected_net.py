"""FullyConnectedNet: start, gradients, modes of its layers, dtype, saving, refusals."""

import numpy as np
import pytest

from handgrad.classifiers import FullyConnectedNet
from handgrad.gradient_check import eval_numerical_gradient, rel_error
from handgrad.solver import Solver

VARIANTS = [
    {"normalization": normalization, "dropout": dropout, "reg": reg}
    for normalization in (None, "batchnorm", "layernorm")
    for dropout, reg in ((1, 0), (1, 3.14), (0.6, 0.3))
]


def make_net(rng, hidden_dims=(7, 5), **settings):
    settings = {"weight_scale": 0.5, "dtype": np.float64, "seed": 3, **settings}
    net = FullyConnectedNet(hidden_dims, input_dim=6, num_classes=4, **settings)
    for name in net.params:  # biases, gamma and beta away from where they start
        net.params[name] += (0.1 * rng.normal(size=net.params[name].shape)).astype(net.dtype)
    return net


def batch(rng, N=6):
    return rng.normal(size=(N, 2, 3)), rng.integers(4, size=N)


def test_parameters_start_as_asked():
    np.random.seed(0)
    net = FullyConnectedNet([200, 300], input_dim=100, num_classes=7, normalization="batchnorm")
    shapes = {name: value.shape for name, value in net.params.items()}
    assert shapes == {
        "W1": (100, 200), "b1": (200,), "gamma1": (200,), "beta1": (200,),
        "W2": (200, 300), "b2": (300,), "gamma2": (300,), "beta2": (300,),
        "W3": (300, 7), "b3": (7,),
    }  # fmt: skip
    for name, value in net.params.items():
        assert value.dtype == np.float32
        if name.startswith("W"):
            assert value.std() == pytest.approx(1e-2, rel=0.05)
            assert abs(value.mean()) < 1e-3
        else:
            assert (value == (1 if name.startswith("gamma") else 0)).all()


def test_defaults_are_those_of_the_course():
    net = FullyConnectedNet([5])
    assert net.params["W1"].shape == (3072, 5)
    assert net.params["W2"].shape == (5, 10)
    assert net.params.keys() == {"W1", "b1", "W2", "b2"}
    assert (net.reg, net.use_dropout, net.dtype, net.num_layers) == (0, False, np.float32, 2)


def test_initial_loss_is_that_of_a_guess_and_grows_with_reg(rng):
    """The course's check: N, D, H1, H2, C = 2, 15, 20, 30, 10."""
    X, y = rng.normal(size=(2, 15)), rng.integers(10, size=2)
    losses = []
    for reg in (0, 3.14):
        np.random.seed(1)
        net = FullyConnectedNet([20, 30], 15, 10, reg=reg, weight_scale=5e-2, dtype=np.float64)
        losses.append(net.loss(X, y)[0])
    assert losses[0] == pytest.approx(np.log(10), abs=0.02)
    squares = sum(np.sum(net.params[f"W{i}"] ** 2) for i in (1, 2, 3))
    assert losses[1] - losses[0] == pytest.approx(0.5 * 3.14 * squares)


@pytest.mark.parametrize("hidden_dims", [(), (5,), (7, 5)])
@pytest.mark.parametrize("settings", VARIANTS)
def test_gradients_are_derivatives_of_the_loss(rng, settings, hidden_dims):
    net, (X, y) = make_net(rng, hidden_dims, **settings), batch(rng)
    _, grads = net.loss(X, y)
    assert grads.keys() == net.params.keys()
    for name, value in net.params.items():
        numerical = eval_numerical_gradient(lambda _: net.loss(X, y)[0], value)
        assert grads[name].shape == value.shape
        np.testing.assert_allclose(grads[name], numerical, rtol=2e-5, atol=2e-8, err_msg=name)


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
def test_agrees_with_pytorch(rng, normalization):
    torch = pytest.importorskip("torch")
    net, (X, y) = make_net(rng, normalization=normalization, reg=0.7), batch(rng, 9)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in net.params.items()}
    out = torch.tensor(X).flatten(1)
    for i in (1, 2):
        out = out @ leaves[f"W{i}"] + leaves[f"b{i}"]
        if normalization == "batchnorm":
            out = torch.nn.functional.batch_norm(
                out, None, None, leaves[f"gamma{i}"], leaves[f"beta{i}"], training=True
            )
        elif normalization == "layernorm":
            out = torch.nn.functional.layer_norm(out, out.shape[1:], leaves[f"gamma{i}"], leaves[f"beta{i}"])
        out = torch.relu(out)
    scores = out @ leaves["W3"] + leaves["b3"]
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    expected = expected + 0.35 * sum(leaves[f"W{i}"].square().sum() for i in (1, 2, 3))
    expected.backward()
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for name, leaf in leaves.items():
        if normalization == "batchnorm" and name in (
            "b1",
            "b2",
        ):  # 0 but for rounding: the mean takes them out
            np.testing.assert_allclose(grads[name], 0, atol=1e-14)
        else:
            assert rel_error(grads[name], leaf.grad.numpy()) < 1e-9, name


def test_without_labels_the_layers_are_in_test_mode(rng):
    net, (X, y) = make_net(rng, normalization="batchnorm", dropout=0.5, seed=None), batch(rng)
    for _ in range(3):
        net.loss(X, y)
    statistics = [dict(param) for param in net.bn_params]
    scores = net.loss(X)
    assert scores.shape == (6, 4)
    np.testing.assert_array_equal(net.loss(X), scores)
    np.testing.assert_allclose(net.loss(X[:1]), scores[:1], rtol=1e-12)  # an example stands alone
    for before, after in zip(statistics, net.bn_params, strict=True):
        np.testing.assert_array_equal(before["running_mean"], after["running_mean"])
    first, second = net.loss(X, y)[0], net.loss(X, y)[0]
    assert first != second  # dropout draws again


def test_a_seed_repeats_dropout(rng):
    net, (X, y) = make_net(rng, dropout=0.5, seed=3), batch(rng)
    assert net.loss(X, y)[0] == net.loss(X, y)[0]


def test_an_untrained_net_can_be_used(rng):
    net = FullyConnectedNet([9] * 8, input_dim=6, num_classes=4, normalization="batchnorm", weight_scale=1)
    assert np.isfinite(net.loss(batch(rng)[0])).all()


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays_whatever_the_data_have(rng, dtype, normalization):
    net = make_net(rng, dtype=dtype, normalization=normalization, dropout=0.5, reg=0.1)
    X, y = batch(rng)
    for data in (X, X.astype(np.float32), np.arange(36).reshape(6, 6), np.asfortranarray(X)):
        loss, grads = net.loss(data, y)
        assert {loss.dtype, *(g.dtype for g in grads.values())} == {np.dtype(dtype)}
        assert net.loss(data).dtype == dtype
    for param in net.bn_params:
        assert param["running_mean"].dtype == param["running_var"].dtype == dtype


def test_loss_changes_neither_parameters_nor_data(rng):
    net, (X, y) = make_net(rng, normalization="layernorm", reg=0.1, dropout=0.5), batch(rng)
    X.setflags(write=False)
    before = {name: value.copy() for name, value in net.params.items()}
    net.loss(X, y)
    for name, value in net.params.items():
        np.testing.assert_array_equal(value, before[name])


def test_fifty_examples_are_learnt_by_heart(rng):
    X, y = rng.normal(size=(50, 20)), rng.integers(4, size=50)
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    np.random.seed(0)
    net = FullyConnectedNet([40, 40], 20, 4, weight_scale=0.3, normalization="batchnorm")
    config = {"learning_rate": 1e-2}
    solver = Solver(
        net,
        data,
        update_rule="adam",
        optim_config=config,
        num_epochs=20,
        batch_size=25,
        verbose=False,
        seed=0,
    )
    solver.train()
    assert solver.best_val_acc == 1
    assert solver.check_accuracy(X, y) == 1  # with the running statistics of the best epoch


def test_saved_nets_come_back_with_their_running_statistics(rng, tmp_path):
    net, (X, y) = make_net(rng, normalization="batchnorm"), batch(rng)
    net.loss(X, y)
    net.save(tmp_path / "net.npz", mean_image=np.ones(3))
    other = make_net(rng, normalization="batchnorm", dtype=np.float32)
    assert other.load(tmp_path / "net.npz").keys() == {"mean_image"}
    np.testing.assert_allclose(other.loss(X), net.loss(X), rtol=1e-5)
    assert other.loss(X).dtype == np.float32
    fresh = make_net(rng, normalization="batchnorm")
    fresh.save(tmp_path / "fresh.npz")
    other.load(tmp_path / "fresh.npz")
    assert "running_mean" not in other.bn_params[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden_dims": [5, 0]}, r"every layer needs a unit, got 6, \[5, 0\], 4"),
        ({"num_classes": 0}, "every layer needs a unit"),
        ({"input_dim": 0}, "every layer needs a unit"),
        ({"dropout": 0}, "above 0 and up to 1, got 0"),
        ({"dropout": 1.5}, "above 0 and up to 1, got 1.5"),
        ({"normalization": "batch"}, "must be 'batchnorm', 'layernorm' or None, got 'batch'"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        FullyConnectedNet(**{"hidden_dims": [5], "input_dim": 6, "num_classes": 4, **settings})


def test_wrong_data_are_refused(rng):
    net, (X, y) = make_net(rng), batch(rng)
    with pytest.raises(
        ValueError, match=r"w must have shape \(5, M\) to fit x of shape \(6, 5\), got \(6, 7\)"
    ):
        net.loss(np.ones((6, 5)), y)
    with pytest.raises(ValueError, match="labels y must lie between 0 and 3, got labels from 4 to 4"):
        net.loss(X, np.full(6, 4))
