"""ThreeLayerConvNet and the convolutional sandwiches."""

import functools

import numpy as np
import pytest

from handgrad import layer_utils
from handgrad.classifiers import ThreeLayerConvNet
from handgrad.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array, rel_error
from handgrad.layers import (
    conv_forward_naive,
    max_pool_forward_naive,
    relu_forward,
    spatial_batchnorm_forward,
)
from handgrad.solver import Solver

CONV = {"stride": 1, "pad": 1}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}


def make_net(rng, **settings):
    settings = {"weight_scale": 0.3, "dtype": np.float64, **settings}
    net = ThreeLayerConvNet((2, 6, 4), num_filters=3, filter_size=3, hidden_dim=7, num_classes=5, **settings)
    for name in net.params:
        net.params[name] += (0.1 * rng.normal(size=net.params[name].shape)).astype(net.dtype)
    return net


def batch(rng, N=4):
    return rng.normal(size=(N, 2, 6, 4)), rng.integers(5, size=N)


@pytest.mark.parametrize("name", ["conv_relu", "conv_bn_relu", "conv_relu_pool"])
def test_sandwich_backward_is_gradient_of_sandwich_forward(rng, name):
    forward, backward = (getattr(layer_utils, f"{name}_{way}") for way in ("forward", "backward"))
    x, w, b = rng.normal(size=(3, 2, 6, 4)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
    arguments = [x, w, b]
    if name == "conv_bn_relu":
        arguments += [rng.uniform(0.5, 2, size=3), rng.normal(size=3)]
        forward = functools.partial(forward, conv_param=CONV, bn_param={"mode": "train"})
    elif name == "conv_relu":
        forward = functools.partial(forward, conv_param=CONV)
    else:
        forward = functools.partial(forward, conv_param=CONV, pool_param=POOL)
    out, cache = forward(*arguments)
    dout = rng.normal(size=out.shape)
    for got, argument in zip(backward(dout, cache), arguments, strict=True):
        expected = eval_numerical_gradient_array(lambda _: forward(*arguments)[0], argument, dout)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


def test_sandwiches_are_their_layers_one_after_the_other(rng):
    x, w, b = rng.normal(size=(3, 2, 6, 4)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)
    gamma, beta = rng.normal(size=3), rng.normal(size=3)
    hidden, _ = conv_forward_naive(x, w, b, CONV)
    positive, _ = relu_forward(hidden)
    normalized, _ = spatial_batchnorm_forward(hidden, gamma, beta, {"mode": "train"})
    for got, expected in [
        (layer_utils.conv_relu_forward(x, w, b, CONV), positive),
        (layer_utils.conv_relu_pool_forward(x, w, b, CONV, POOL), max_pool_forward_naive(positive, POOL)[0]),
        (
            layer_utils.conv_bn_relu_forward(x, w, b, gamma, beta, CONV, {"mode": "train"}),
            relu_forward(normalized)[0],
        ),
    ]:
        np.testing.assert_allclose(got[0], expected, rtol=1e-10, atol=1e-12)


def test_parameters_start_as_asked():
    np.random.seed(0)
    net = ThreeLayerConvNet()
    shapes = {name: value.shape for name, value in net.params.items()}
    assert shapes == {
        "W1": (32, 3, 7, 7), "b1": (32,), "W2": (32 * 256, 100), "b2": (100,), "W3": (100, 10), "b3": (10,),
    }  # fmt: skip
    assert net.reg == 0
    for name, value in net.params.items():
        assert value.dtype == np.float32
        if name.startswith("W"):
            assert value.std() == pytest.approx(1e-3, rel=0.1)
        else:
            assert not value.any()


def test_images_need_not_be_square():
    net = ThreeLayerConvNet((1, 8, 4), num_filters=5, filter_size=5, hidden_dim=6)
    assert net.params["W2"].shape == (5 * 4 * 2, 6)
    assert net.loss(np.ones((2, 1, 8, 4))).shape == (2, 10)


def test_initial_loss_is_that_of_a_guess_and_grows_with_reg(rng):
    losses = []
    X, y = rng.normal(size=(50, 3, 32, 32)), rng.integers(10, size=50)
    for reg in (0, 0.5):
        np.random.seed(0)
        net = ThreeLayerConvNet(reg=reg)
        losses.append(net.loss(X, y)[0])
    assert losses[0] == pytest.approx(np.log(10), abs=0.01)
    squares = sum(np.sum(net.params[f"W{i}"] ** 2) for i in (1, 2, 3))
    assert losses[1] - losses[0] == pytest.approx(0.25 * squares, rel=1e-3)


@pytest.mark.parametrize("reg", [0, 0.7])
def test_gradients_are_derivatives_of_the_loss(rng, reg):
    net, (X, y) = make_net(rng, reg=reg), batch(rng)
    _, grads = net.loss(X, y)
    assert grads.keys() == net.params.keys()
    for name, value in net.params.items():
        numerical = eval_numerical_gradient(lambda _: net.loss(X, y)[0], value)
        np.testing.assert_allclose(grads[name], numerical, rtol=1e-5, atol=1e-8, err_msg=name)


def test_agrees_with_pytorch(rng):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    net, (X, y) = make_net(rng, reg=0.6), batch(rng, 7)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in net.params.items()}
    hidden = functional.conv2d(torch.tensor(X), leaves["W1"], leaves["b1"], padding=1)
    hidden = functional.max_pool2d(torch.relu(hidden), 2).flatten(1)
    hidden = torch.relu(hidden @ leaves["W2"] + leaves["b2"])
    scores = hidden @ leaves["W3"] + leaves["b3"]
    expected = functional.cross_entropy(scores, torch.tensor(y))
    expected = expected + 0.3 * sum(leaves[f"W{i}"].square().sum() for i in (1, 2, 3))
    expected.backward()
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert rel_error(net.loss(X), scores.detach().numpy()) < 1e-9
    for name, leaf in leaves.items():
        assert rel_error(grads[name], leaf.grad.numpy()) < 1e-9, name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays_whatever_the_data_have(rng, dtype):
    net, (X, y) = make_net(rng, dtype=dtype, reg=0.1), batch(rng)
    for data in (X, X.astype(np.float32), (100 * X).astype(np.int16), np.asfortranarray(X)):
        loss, grads = net.loss(data, y)
        assert {loss.dtype, *(g.dtype for g in grads.values())} == {np.dtype(dtype)}
        assert net.loss(data).dtype == dtype


def test_a_few_images_are_learnt_by_heart(rng):
    X, y = batch(rng, 20)
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    np.random.seed(0)
    net = ThreeLayerConvNet((2, 6, 4), 8, 3, 30, 5, weight_scale=0.1)
    settings = {"update_rule": "adam", "optim_config": {"learning_rate": 5e-3}, "batch_size": 10}
    solver = Solver(net, data, num_epochs=25, verbose=False, seed=0, **settings)
    solver.train()
    assert solver.best_val_acc == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"filter_size": 4}, "^filter_size must be odd, .* got 4"),
        ({"filter_size": -1}, "^filter_size must be odd, .* got -1"),
        ({"input_dim": (3, 32, 31)}, "^2x2 pooling needs images of even height and width, got 32 x 31"),
        ({"input_dim": (3, 5, 32)}, "^2x2 pooling needs images of even height and width, got 5 x 32"),
        ({"num_filters": 0}, "^sizes must be at least 1, got .* num_filters 0"),
        ({"input_dim": (0, 4, 4)}, r"^sizes must be at least 1, got input_dim \(0, 4, 4\)"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        ThreeLayerConvNet(**settings)


def test_wrong_data_are_refused(rng):
    net, (X, y) = make_net(rng), batch(rng)
    with pytest.raises(ValueError, match=r"^x must have shape \(N, C, H, W\)"):
        net.loss(X.reshape(4, -1), y)
    with pytest.raises(ValueError, match=r"^w must have shape \(F, 3, HH, WW\)"):
        net.loss(np.ones((4, 3, 6, 4)), y)
    with pytest.raises(ValueError, match="labels y must lie between 0 and 4"):
        net.loss(X, y + 5)


def test_loaded_network_pads_for_the_filters_of_the_file(tmp_path, rng):
    net = ThreeLayerConvNet((3, 8, 6), num_filters=4, filter_size=3, hidden_dim=5, weight_scale=0.5)
    net.save(tmp_path / "net.npz", dataset="shapes10")
    X = rng.normal(size=(2, 3, 8, 6))
    loaded = ThreeLayerConvNet()
    assert str(loaded.load(tmp_path / "net.npz")["dataset"]) == "shapes10"
    np.testing.assert_array_equal(loaded.loss(X), net.loss(X))
