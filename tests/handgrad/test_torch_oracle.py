"""The layers against PyTorch in float64: an oracle that shares no code with them."""

import numpy as np
import pytest

from handgrad.classifiers import TwoLayerNet
from handgrad.layers import (
    affine_backward,
    affine_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
    svm_loss,
)

torch = pytest.importorskip("torch")


def _leaf(array):
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


def test_affine(rng):
    x, w, b, dout = (rng.normal(size=s) for s in [(5, 2, 3), (6, 4), (4,), (5, 4)])
    tx, tw, tb = map(_leaf, (x, w, b))
    torch_out = tx.flatten(1) @ tw + tb
    torch_out.backward(torch.tensor(dout))
    out, cache = affine_forward(x, w, b)
    np.testing.assert_allclose(out, torch_out.detach().numpy(), rtol=1e-12)
    for got, leaf in zip(affine_backward(dout, cache), (tx, tw, tb), strict=True):
        np.testing.assert_allclose(got, leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_relu(rng):
    x, dout = rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 4, 5))
    x[0, 0] = 0
    leaf = _leaf(x)
    torch.relu(leaf).backward(torch.tensor(dout))
    out, cache = relu_forward(x)
    np.testing.assert_array_equal(out, torch.relu(leaf).detach().numpy())
    np.testing.assert_array_equal(relu_backward(dout, cache), leaf.grad.numpy())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_losses(rng, scale):
    x, y = scale * rng.normal(size=(6, 5)), rng.integers(5, size=6)
    oracles = {
        softmax_loss: torch.nn.functional.cross_entropy,
        svm_loss: lambda x, y: (
            5 * torch.nn.functional.multi_margin_loss(x, y)
        ),  # which is a mean over classes
    }
    for loss, oracle in oracles.items():
        leaf = _leaf(x)
        expected = oracle(leaf, torch.tensor(y))
        expected.backward()
        value, dx = loss(x, y)
        assert value == pytest.approx(expected.item(), rel=1e-12)
        np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-9, atol=1e-14)


def test_two_layer_net(rng):
    net = TwoLayerNet(input_dim=6, hidden_dim=8, num_classes=4, weight_scale=0.5, reg=0.7)
    X, y = rng.normal(size=(5, 2, 3)), rng.integers(4, size=5)
    leaves = {name: _leaf(value) for name, value in net.params.items()}
    scores = (
        torch.relu(torch.tensor(X).flatten(1) @ leaves["W1"] + leaves["b1"]) @ leaves["W2"] + leaves["b2"]
    )
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    expected = expected + 0.35 * (leaves["W1"].square().sum() + leaves["W2"].square().sum())
    expected.backward()
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert grads.keys() == leaves.keys()
    for name, leaf in leaves.items():
        np.testing.assert_allclose(grads[name], leaf.grad.numpy(), rtol=1e-9, atol=1e-13)
