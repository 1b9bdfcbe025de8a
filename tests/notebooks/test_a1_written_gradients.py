"""The visible asserts of a1/1_written_gradients catch the usual mistakes, and pass right code."""

import numpy as np
import pytest
from cells import Cells, write

from handgrad.written_gradients import autoencoder_loss

CELLS = Cells("a1/1_written_gradients", before=("gradients",))
AUTOENCODER = "handgrad.written_gradients.autoencoder_loss"
NET = "handgrad.written_gradients.swish_net_loss"
FORWARD = "handgrad.layers.activations.swish_forward"
BACKWARD = "handgrad.layers.activations.swish_backward"

ENCODER = "    dW += np.outer(dcode, x)  # the encoder's path: W multiplies x\n"
DECODER = "dW = np.outer(code, error)"
RETURN_DW = "    return loss, dW\n"
SLOPE = "swish + sigmoid * (1 - swish)"
SIGMOID = "sigmoid, _ = sigmoid_forward(x)"
SHIFT = "z2 - z2.max(axis=1, keepdims=True)"
PER_EXAMPLE = "    dz2 /= N\n"

WRONG = [
    # name of the mistake, cell, function, edits, what the message must contain
    ("encoder's path missing", "autoencoder-loss", AUTOENCODER, [(ENCODER, "")], "which of the two paths"),
    (
        "decoder's path missing",
        "autoencoder-loss",
        AUTOENCODER,
        [(DECODER, "dW = np.zeros_like(W)")],
        "which of the two paths",
    ),
    (
        "one path doubled for the other",
        "autoencoder-loss",
        AUTOENCODER,
        [("np.outer(dcode, x)", "np.outer(code, error)")],
        "which of the two paths",
    ),
    (
        "half the gradient",
        "autoencoder-loss",
        AUTOENCODER,
        [(RETURN_DW, "    return loss, dW / 2\n")],
        r"got 2\.5, expected 5",
    ),
    (
        "no half in the loss",
        "autoencoder-loss",
        AUTOENCODER,
        [("0.5 * np.sum", "np.sum")],
        "got 5, expected 2.5. Half",
    ),
    (
        "loss a mean",
        "autoencoder-loss",
        AUTOENCODER,
        [("0.5 * np.sum", "0.5 * np.mean")],
        "Half the sum",
    ),
    (
        "gradient transposed",
        "autoencoder-loss",
        AUTOENCODER,
        [(RETURN_DW, "    return loss, dW.T\n")],
        r"dW of the example has shape \(2, 1\)",
    ),
    (
        "right for a code of one number only",
        "autoencoder-loss",
        AUTOENCODER,
        [("dcode = W @ error", "dcode = np.full(len(code), np.sum(W @ error))")],
        "the gradients of both paths are added",
    ),
    (
        "sign of the error",
        "autoencoder-loss",
        AUTOENCODER,
        [("W.T @ code - x", "x - W.T @ code")],
        "dW of the example is wrong",
    ),
    (
        "x changed",
        "autoencoder-loss",
        AUTOENCODER,
        [(RETURN_DW, "    x *= 1 + 1e-12\n    return loss, dW\n")],
        "changed its input x",
    ),
    ("a sigmoid only", "swish-forward", FORWARD, [("out = x * sigmoid", "out = sigmoid")], "its own sigmoid"),
    ("tanh", "swish-forward", FORWARD, [(SIGMOID, "sigmoid = np.tanh(x)")], "its own sigmoid"),
    (
        "exponential that overflows on the left",
        "swish-forward",
        FORWARD,
        [(SIGMOID, "sigmoid = 1 / (1 + np.exp(-x))")],
        "NumPy reports: overflow .* sigmoid_forward does not",
    ),
    (
        "exponential that overflows on the right",
        "swish-forward",
        FORWARD,
        [(SIGMOID, "sigmoid = np.exp(x) / (1 + np.exp(x))")],
        "NumPy reports: overflow .* sigmoid_forward does not",
    ),
    (
        "clipped inputs",
        "swish-forward",
        FORWARD,
        [(SIGMOID, "x = np.clip(x, -500, 500)\n    sigmoid, _ = sigmoid_forward(x)")],
        "out for huge numbers",
    ),
    (
        "swish in place",
        "swish-forward",
        FORWARD,
        [("out = x * sigmoid", "x *= sigmoid\n    out = x")],
        "changed its input",
    ),
    ("slope without sigmoid", "swish-backward", BACKWARD, [(SLOPE, "swish + (1 - swish)")], "two terms"),
    ("slope without swish", "swish-backward", BACKWARD, [(SLOPE, "sigmoid * (1 - swish)")], "two terms"),
    ("slope of a constant times", "swish-backward", BACKWARD, [(SLOPE, "sigmoid")], "two terms"),
    (
        "slope of the sigmoid",
        "swish-backward",
        BACKWARD,
        [(SLOPE, "sigmoid * (1 - sigmoid)")],
        "two terms",
    ),
    ("dout forgotten", "swish-backward", BACKWARD, [(f"dout * ({SLOPE})", SLOPE)], "two terms"),
    (
        "slope by an exponential that overflows",
        "swish-backward",
        BACKWARD,
        [(f"dout * ({SLOPE})", "dout * (1 + np.exp(-x) * (1 + x)) / (1 + np.exp(-x)) ** 2")],
        "NumPy reports: overflow",
    ),
    ("loss a sum", "swish-net-loss", NET, [(".mean()", ".sum()")], "Is the loss the mean"),
    ("1/N missing", "swish-net-loss", NET, [(PER_EXAMPLE, "")], "b2.* 4 times the right one.*1 / N"),
    (
        "1/N twice",
        "swish-net-loss",
        NET,
        [(PER_EXAMPLE, "    dz2 /= N**2\n")],
        r"b2.*\(1/4\).*1 / N",
    ),
    (
        "1/N missing in b1 only",
        "swish-net-loss",
        NET,
        [("dz1.sum(axis=0)", "N * dz1.sum(axis=0)")],
        r"grads\['b1'\].* 4 times the right one",
    ),
    (
        "1/N twice in W1 only",
        "swish-net-loss",
        NET,
        [("dz1.T @ X", "dz1.T @ X / N")],
        r"grads\['W1'\].*\(1/4\)",
    ),
    ("W1 transposed", "swish-net-loss", NET, [("X @ W1.T", "X @ W1")], "W1 one hidden unit a row"),
    ("W2 transposed", "swish-net-loss", NET, [("h1 @ W2.T", "h1 @ W2")], "the loss for N, D, H, C = 4"),
    ("W2 transposed on the way back", "swish-net-loss", NET, [("dz2 @ W2", "dz2 @ W2.T")], r"grads\['b1'\]"),
    ("dW1 transposed", "swish-net-loss", NET, [("dz1.T @ X", "X.T @ dz1")], "transposed"),
    ("dW2 transposed", "swish-net-loss", NET, [("dz2.T @ h1", "h1.T @ dz2")], "transposed"),
    (
        "swish left out on the way back",
        "swish-net-loss",
        NET,
        [("swish_backward(dh1, cache)", "dh1")],
        r"grads\['b1'\]",
    ),
    (
        "swish on the scores",
        "swish-net-loss",
        NET,
        [("z2 = h1 @ W2.T + b2", "z2 = swish_forward(h1 @ W2.T + b2)[0]")],
        "the loss for",
    ),
    ("b1 forgotten", "swish-net-loss", NET, [("X @ W1.T + b1", "X @ W1.T")], "the loss for"),
    (
        "labels forgotten in the gradient",
        "swish-net-loss",
        NET,
        [("    dz2[examples, y] -= 1  # ... minus 1 at the correct class\n", "")],
        r"grads\['b2'\]",
    ),
    ("no shift", "swish-net-loss", NET, [(SHIFT, "z2")], "not finite.*its own largest"),
    ("shift by the batch's largest", "swish-net-loss", NET, [(SHIFT, "z2 - z2.max()")], "its own largest"),
    (
        "shift by each class's largest",
        "swish-net-loss",
        NET,
        [(SHIFT, "z2 - z2.max(axis=0)")],
        "the loss for",
    ),
    (
        "shift by each example's smallest",
        "swish-net-loss",
        NET,
        [(SHIFT, "z2 - z2.min(axis=1, keepdims=True)")],
        "its own largest",
    ),
    (
        "logarithm of a p that is 0",
        "swish-net-loss",
        NET,
        [("-log_probs[examples, y].mean()", "-np.log(np.exp(log_probs)[examples, y]).mean()")],
        "no logarithm",
    ),
    (
        "clipped logarithm",
        "swish-net-loss",
        NET,
        [("-log_probs[examples, y].mean()", "-np.log(np.exp(log_probs)[examples, y] + 1e-12).mean()")],
        "the loss of huge scores",
    ),
    ("a gradient missing", "swish-net-loss", NET, [('        "b1": dz1.sum(axis=0),\n', "")], "has the keys"),
    (
        "a parameter changed",
        "swish-net-loss",
        NET,
        [("    return loss, grads\n", "    W2 -= 1e-14 * grads['W2']\n    return loss, grads\n")],
        "changed its input W2",
    ),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: mistake[0])
def test_mistake_fails_with_a_helpful_message(mistake, monkeypatch):
    _, cell_id, target, edits, message = mistake
    write(monkeypatch, target, *edits)
    with pytest.raises(AssertionError, match=message):
        CELLS.run(cell_id)


def test_every_graded_cell_has_its_mistakes():
    assert {cell_id for _, cell_id, *_ in WRONG} == set(CELLS.graded)


AUTOENCODER_LOOPS = """
    m, n = W.shape
    h = [sum(W[i, j] * x[j] for j in range(n)) for i in range(m)]
    e = [sum(W[i, j] * h[i] for i in range(m)) - x[j] for j in range(n)]
    back = [sum(W[i, j] * e[j] for j in range(n)) for i in range(m)]
    dW = [[h[i] * e[j] + back[i] * x[j] for j in range(n)] for i in range(m)]
    return sum(one**2 for one in e) / 2, np.array(dW)
"""
ONE_EXAMPLE_AT_A_TIME = """
    total, grads = 0.0, {"W1": 0 * W1, "b1": 0 * b1, "W2": 0 * W2, "b2": 0 * b2}
    for x, label in zip(X, y):
        z1 = W1 @ x + b1
        h1, cache = swish_forward(z1)
        z2 = W2 @ h1 + b2
        z2 = z2 - np.max(z2)
        total += np.log(np.sum(np.exp(z2))) - z2[label]
        d2 = np.exp(z2) / np.sum(np.exp(z2))
        d2[label] -= 1
        d1 = swish_backward(W2.T @ d2, cache)
        for name, grad in {"W1": np.outer(d1, x), "b1": d1, "W2": np.outer(d2, h1), "b2": d2}.items():
            grads[name] += grad / len(X)
    return total / len(X), grads
"""
BODY = "    ### BEGIN SOLUTION (a1)\n"

RIGHT = [
    ("reference", AUTOENCODER, []),
    ("autoencoder in loops", AUTOENCODER, [(BODY, AUTOENCODER_LOOPS)]),
    (
        "autoencoder in one product",
        AUTOENCODER,
        [(DECODER, "dW = W @ (np.outer(x, error) + np.outer(error, x))"), (ENCODER, "")],
    ),
    ("loss by a scalar product", AUTOENCODER, [("0.5 * np.sum(error**2)", "error @ error / 2")]),
    ("swish by a quotient that is safe", FORWARD, [(SIGMOID, "sigmoid = 0.5 * (1 + np.tanh(x / 2))")]),
    ("a cache with more in it", FORWARD, [("cache = (x, sigmoid)", "cache = [x.copy(), sigmoid]")]),
    ("slope as the product rule gives it", BACKWARD, [(SLOPE, "sigmoid + x * sigmoid * (1 - sigmoid)")]),
    ("dout in place", BACKWARD, [(f"dx = dout * ({SLOPE})", f"dout *= {SLOPE}\n    dx = dout")]),
    ("one example at a time", NET, [(BODY, ONE_EXAMPLE_AT_A_TIME)]),
    ("loss as a 0-d array", NET, [("return loss, grads", "return np.array(loss), grads")]),
    ("gradients in another order", NET, [("return loss, grads", "return loss, dict(sorted(grads.items()))")]),
    ("biases by einsum", NET, [("dz1.sum(axis=0)", "np.einsum('nh->h', dz1)")]),
    (
        "1/N at the end",
        NET,
        [(PER_EXAMPLE, ""), ("return loss, grads", "return loss, {k: g / N for k, g in grads.items()}")],
    ),
]


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    _, target, edits = variant
    write(monkeypatch, target, *edits)
    for cell_id in CELLS.graded:
        CELLS.run(cell_id)
    shown = capsys.readouterr()
    assert shown.out.count(": passed (error") == 4
    assert shown.err == ""


def test_the_example_of_question_2_is_right():
    """The numbers that its text and model answer quote."""
    W, x = np.array([[1.0, 2.0]]), np.array([1.0, -1.0])
    code, error = W @ x, W.T @ (W @ x) - x
    assert (code.tolist(), error.tolist()) == ([-1.0], [-2.0, -1.0])
    decoder, encoder = np.outer(code, error), np.outer(W @ error, x)
    assert (decoder.tolist(), encoder.tolist()) == ([[2.0, 1.0]], [[-4.0, 4.0]])
    loss, dW = autoencoder_loss(W, x)
    assert (loss, dW.tolist()) == (2.5, (decoder + encoder).tolist())
