"""The autoencoder and the network with swish, whose gradients are derived on paper."""

import numpy as np
import pytest

from handgrad.gradient_check import eval_numerical_gradient, rel_error
from handgrad.written_gradients import autoencoder_loss, swish_net_loss

NAMES = ("W1", "b1", "W2", "b2")


def draw_net(rng, N, D, H, C, scale=1.0):
    """X, y, W1, b1, W2, b2."""
    shapes = [(N, D), (H, D), (H,), (C, H), (C,)]
    X, W1, b1, W2, b2 = (scale * rng.normal(size=shape) for shape in shapes)
    return [X, rng.integers(C, size=N), W1, b1, W2, b2]


def test_autoencoder_by_hand():
    W, x = np.array([[1.0, 2.0]]), np.array([1.0, -1.0])  # W x = -1, W' W x - x = (-2, -1)
    loss, dW = autoencoder_loss(W, x)
    assert loss == 2.5
    np.testing.assert_allclose(dW, [[2 - 4, 1 + 4]])  # (W x) e' + (W e) x'


def test_an_autoencoder_that_restores_everything_has_no_loss_and_no_gradient(rng):
    W, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    loss, dW = autoencoder_loss(W, rng.normal(size=4))
    assert loss == pytest.approx(0, abs=1e-25)
    np.testing.assert_allclose(dW, 0, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (5, 2), (3, 3), (1, 4), (4, 1)])
def test_autoencoder_gradient_is_the_derivative_and_agrees_with_torch(rng, shape):
    torch = pytest.importorskip("torch")
    W, x = rng.normal(size=shape), rng.normal(size=shape[1])
    loss, dW = autoencoder_loss(W, x)
    assert dW.shape == shape
    assert rel_error(dW, eval_numerical_gradient(lambda W: autoencoder_loss(W, x)[0], W)) < 1e-6

    leaf, tx = torch.tensor(W, requires_grad=True), torch.tensor(x)
    expected = 0.5 * (leaf.T @ (leaf @ tx) - tx).square().sum()
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert rel_error(dW, leaf.grad.numpy()) < 1e-9


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (4, 3, 5, 2), (1, 6, 2, 4), (7, 2, 3, 3), (3, 3, 3, 3)])
def test_swish_net_gradients_are_derivatives_and_agree_with_torch(rng, sizes):
    torch = pytest.importorskip("torch")
    arguments = draw_net(rng, *sizes)
    X, y = arguments[:2]
    loss, grads = swish_net_loss(*arguments)
    assert grads.keys() == set(NAMES)
    for name, value in zip(NAMES, arguments[2:], strict=True):
        assert grads[name].shape == value.shape
        expected = eval_numerical_gradient(lambda _: swish_net_loss(*arguments)[0], value)
        np.testing.assert_allclose(grads[name], expected, rtol=1e-6, atol=1e-9)

    leaves = {
        name: torch.tensor(value, requires_grad=True)
        for name, value in zip(NAMES, arguments[2:], strict=True)
    }
    hidden = torch.nn.functional.silu(torch.nn.functional.linear(torch.tensor(X), leaves["W1"], leaves["b1"]))
    scores = torch.nn.functional.linear(hidden, leaves["W2"], leaves["b2"])
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12, abs=1e-15)
    for name, leaf in leaves.items():
        assert rel_error(grads[name], leaf.grad.numpy()) < 1e-9, name


def test_weights_of_zero_give_the_loss_of_a_guess():
    X, y = np.ones((4, 3)), np.array([0, 1, 1, 4])
    loss, _ = swish_net_loss(X, y, np.zeros((2, 3)), np.zeros(2), np.zeros((5, 2)), np.zeros(5))
    assert loss == pytest.approx(np.log(5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays_and_extreme_numbers_stay_finite(rng, dtype):
    W, x = rng.normal(size=(3, 5)).astype(dtype), rng.normal(size=5).astype(dtype)
    loss, dW = autoencoder_loss(W, x)
    assert loss.dtype == dW.dtype == dtype
    arguments = draw_net(rng, 4, 3, 5, 2, scale=30)
    arguments = [a if a.dtype == np.int64 else a.astype(dtype) for a in arguments]
    loss, grads = swish_net_loss(*arguments)
    assert loss > 1e3
    assert np.isfinite(loss)
    assert all(np.isfinite(grad).all() for grad in grads.values())
    assert {loss.dtype, *(grad.dtype for grad in grads.values())} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_inputs_stay(rng):
    arguments = draw_net(rng, 4, 3, 5, 2)
    loss, grads = swish_net_loss(*arguments)
    others = [np.asfortranarray(a) if a.ndim > 1 else np.repeat(a, 2)[::2] for a in arguments]
    W, x = others[2], others[0][0]
    before = [a.copy() for a in others]
    for array in others:
        array.flags.writeable = False
    other_loss, other_grads = swish_net_loss(*others)
    assert other_loss == pytest.approx(loss, rel=1e-13)
    for name, grad in grads.items():
        np.testing.assert_allclose(other_grads[name], grad, rtol=1e-12)
    np.testing.assert_allclose(
        autoencoder_loss(W, x)[1], autoencoder_loss(W.copy("C"), x.copy())[1], rtol=1e-12
    )
    for after, original in zip(others, before, strict=True):
        np.testing.assert_array_equal(after, original)


@pytest.mark.parametrize(
    ("W", "x", "words"),
    [
        (np.ones((2, 3)), np.ones(2), r"x must have shape \(3,\), got \(2,\)"),
        (np.ones((2, 3)), np.ones((3, 1)), r"x must have shape \(3,\), got \(3, 1\)"),
        (np.ones(3), np.ones(3), r"W must have shape \(m, n\) with m >= 1 and n >= 1, got \(3,\)"),
        (np.ones((0, 3)), np.ones(3), r"W must have shape \(m, n\) with m >= 1 and n >= 1, got \(0, 3\)"),
        (np.ones((2, 3), int), np.ones(3), "W must hold floating-point numbers, got dtype int64"),
        (np.ones((2, 3)), [1.0] * 3, "x must be a NumPy array, got list"),
    ],
)
def test_autoencoder_refuses_what_does_not_fit(W, x, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        autoencoder_loss(W, x)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": np.ones(3)}, r"X must have shape \(N, D\) with N >= 1 and D >= 1, got \(3,\)"),
        ({"X": np.ones((0, 3))}, r"X must have shape \(N, D\) with N >= 1 and D >= 1, got \(0, 3\)"),
        ({"X": np.ones((4, 3), int)}, "X must hold floating-point numbers, got dtype int64"),
        ({"X": [[1.0] * 3] * 4}, "X must be a NumPy array, got list"),
        ({"y": np.zeros(3, int)}, r"y must have shape \(4,\), one label for each example, got \(3,\)"),
        ({"y": np.array([0, 1, 2, 0])}, "the labels y must lie between 0 and 1, got labels from 0 to 2"),
        ({"y": np.array([0, 1, -1, 0])}, "the labels y must lie between 0 and 1, got labels from -1 to 1"),
        ({"y": np.zeros(4)}, "y must be a NumPy array of integer labels, got dtype float64"),
        ({"W1": np.ones((3, 5))}, r"W1 must have shape \(H, 3\) to fit X of shape \(4, 3\), got \(3, 5\)"),
        ({"W1": np.ones(3)}, r"W1 must have shape \(H, 3\) to fit X of shape \(4, 3\), got \(3,\)$"),
        ({"W2": np.ones((5, 2))}, r"W2 must have shape \(C, 5\) to fit W1 of shape \(5, 3\), got \(5, 2\)"),
        ({"W2": np.ones(5)}, r"W2 must have shape \(C, 5\)"),
        ({"b1": np.ones((1, 5))}, r"b1 must have shape \(5,\), got \(1, 5\)"),
        ({"b2": np.ones(1)}, r"b2 must have shape \(2,\), got \(1,\)"),
    ],
)
def test_swish_net_refuses_what_does_not_fit(change, words):
    shapes = {"X": (4, 3), "W1": (5, 3), "b1": (5,), "W2": (2, 5), "b2": (2,)}
    arguments = {**{name: np.ones(shape) for name, shape in shapes.items()}, "y": np.array([0, 1, 1, 0])}
    with pytest.raises(ValueError, match=f"^{words}"):
        swish_net_loss(**{**arguments, **change})
