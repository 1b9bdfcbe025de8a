"""The visible asserts of a1/2_neural_net catch the usual mistakes in words, and pass code of any style."""

import numpy as np
import pytest
from cells import Cells, write

from handgrad import shapes10

NOTEBOOK = Cells("a1/2_neural_net", before=("toy",))
NET = "handgrad.classifiers.neural_net.TwoLayerNet"
GRADED = [cell_id for cell_id in NOTEBOOK.graded if cell_id != "best-neural-net"]
GOOD = "### END SOLUTION\n        if TURNED"  # the end of loss, before its gradients are turned
L2 = "l2 * (np.sum(W1**2) + np.sum(W2**2))"
DRAW = "chosen = np.random.choice(len(X), batch_size)"
BATCH = "X_batch, y_batch = X[chosen], y[chosen]"
STEP = "self.params[name] = w - learning_rate * grads[name]"
ARGMAX = "np.argmax(self.loss(X), axis=1)"
SCORES, LOSS, GRADIENTS = "neural-net-scores", "neural-net-loss", "neural-net-gradients"
PREDICT, TRAIN = "neural-net-predict", "neural-net-train"

WRONG = [
    # name of the mistake, cell, edits, what the message must contain
    ("no ReLU", SCORES, [("np.maximum(0, X @ W1 + b1)", "X @ W1 + b1")], "at least 0"),
    (
        "ReLU on the scores",
        SCORES,
        [("scores = hidden @ W2 + b2", "scores = np.maximum(0, hidden @ W2 + b2)")],
        "scores may be negative",
    ),
    ("bias forgotten", SCORES, [("scores = hidden @ W2 + b2", "scores = hidden @ W2")], "both biases"),
    ("other bias forgotten", SCORES, [("X @ W1 + b1", "X @ W1")], "both biases"),
    ("ReLU before the bias", SCORES, [("(0, X @ W1 + b1)", "(0, X @ W1) + b1")], "ReLU on the hidden"),
    (
        "weights changed on the way",
        SCORES,
        [("hidden = np.maximum", "W2 *= 1 + 1e-12\n        hidden = np.maximum")],
        "loss has changed W2",
    ),
    (
        "examples changed on the way",
        SCORES,
        [("hidden = np.maximum", "X *= 1 + 1e-12\n        hidden = np.maximum")],
        "changed its input X",
    ),
    ("a sum, not a mean", LOSS, [("y].mean()", "y].sum()")], "mean over the examples"),
    ("no regularisation", LOSS, [(" + " + L2, "")], "toy loss, S19 is wrong"),
    ("regularisation of W1 only", LOSS, [(L2, "l2 * np.sum(W1**2)")], "toy loss"),
    ("regularisation of W2 only", LOSS, [(L2, "l2 * np.sum(W2**2)")], "toy loss"),
    ("reg without the half", LOSS, [(L2, L2.replace("l2", "reg"))], "toy loss, UCLA"),
    ("half twice", LOSS, [(L2, "0.5 * " + L2)], "toy loss, S19"),
    (
        "biases regularised",
        LOSS,
        [(L2, L2[:-1] + " + np.sum(b1**2) + np.sum(b2**2))")],
        "loss with reg = 0.7.*no biases",
    ),
    ("regularisation divided by N", LOSS, [(L2, L2 + " / N")], "toy loss"),
    (
        "no shift",
        LOSS,
        [("scores - scores.max(axis=1, keepdims=True)", "scores")],
        "loss of huge scores is not finite.*Subtract something",
    ),
    (
        "shifted by the batch's largest",
        LOSS,
        [("scores.max(axis=1, keepdims=True)", "scores.max()")],
        "scores of each example",
    ),
    (
        "logarithm of a p that is 0",
        LOSS,
        [("-log_probs[examples, y].mean()", "-np.log(np.exp(log_probs)[examples, y]).mean()")],
        "no logarithm",
    ),
    (
        "weights changed at the end",
        LOSS,
        [(GOOD, "W1 -= 1e-12 * grads['W1']\n        " + GOOD)],
        "loss has changed W1",
    ),
    (
        "biases changed at the end",
        GRADIENTS,
        [(GOOD, "b1 -= 1e-12 * grads['b1']\n        " + GOOD)],
        "loss has changed b1",
    ),
    ("1 / N missing", GRADIENTS, [("        dscores /= N\n", "")], "5 times the right one"),
    ("true class forgotten", GRADIENTS, [("        dscores[examples, y] -= 1\n", "")], "b2"),
    (
        "no ReLU on the way back",
        GRADIENTS,
        [("        dhidden[hidden <= 0] = 0  # nothing passes a unit that is off\n", "")],
        r"grads\['b1'\]",
    ),
    ("ReLU by the gradient's sign", GRADIENTS, [("[hidden <= 0]", "[dhidden <= 0]")], r"grads\['b1'\]"),
    ("db a mean", GRADIENTS, [("dscores.sum(axis=0)", "dscores.mean(axis=0)")], "1/5"),
    ("db1 over the wrong axis", GRADIENTS, [("dhidden.sum(axis=0)", "dhidden.sum(axis=1)")], "has shape"),
    ("no reg in W1", GRADIENTS, [(" + 2 * l2 * W1", "")], r"grads\['W1'\] with reg = 0.05.*derivative of l2"),
    ("no reg in W2", GRADIENTS, [(" + 2 * l2 * W2", "")], r"grads\['W2'\] with reg = 0.05.*derivative of l2"),
    ("reg's 2 forgotten", GRADIENTS, [("2 * l2 * W1", "l2 * W1")], r"S19.*derivative of l2"),
    (
        "reg in place of 2 * l2",
        GRADIENTS,
        [("2 * l2 * W1", "reg * W1"), ("2 * l2 * W2", "reg * W2")],
        "S19.*derivative of l2",
    ),
    (
        "2 * reg in place of 2 * l2",
        GRADIENTS,
        [("2 * l2 * W1", "2 * reg * W1"), ("2 * l2 * W2", "2 * reg * W2")],
        "UCLA.*derivative of l2",
    ),
    (
        "biases regularised",
        GRADIENTS,
        [("dscores.sum(axis=0)", "dscores.sum(axis=0) + 2 * l2 * b2")],
        "reg = 0.7.*biases are not regularised",
    ),
    ("turned", GRADIENTS, [("X.T @ dhidden", "(dhidden.T @ X).T[:, ::-1]")], r"grads\['W1'\]"),
    (
        "one gradient forgotten",
        GRADIENTS,
        [('            "b1": dhidden.sum(axis=0),\n', "")],
        "grads has the keys",
    ),
    (
        "probabilities without shift",
        GRADIENTS,
        [("np.exp(log_probs)\n", "np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)\n")],
        "shifted scores",
    ),
    ("the lowest score", PREDICT, [(ARGMAX, "np.argmin(self.loss(X), axis=1)")], "highest score"),
    ("along the examples", PREDICT, [(ARGMAX, "np.argmax(self.loss(X), axis=0)")], "one class for each"),
    ("scores, not classes", PREDICT, [(ARGMAX, "self.loss(X)")], "one class for each"),
    ("the highest scores", PREDICT, [(ARGMAX, "self.loss(X).max(axis=1)")], "highest score"),
    ("classes from 1", PREDICT, [(ARGMAX, ARGMAX + " + 1")], "highest score"),
    ("not whole numbers", PREDICT, [(ARGMAX, ARGMAX + " * 1.0")], "whole numbers"),
    ("nothing returned", PREDICT, [("        return y_pred\n", "")], "return statement"),
    ("uphill", TRAIN, [(STEP, STEP.replace("w -", "w +"))], "learning_rate"),
    ("no step at all", TRAIN, [(STEP, "w = w - learning_rate * grads[name]")], "has to change"),
    ("weights only", TRAIN, [(STEP, f"if name[0] == 'W': {STEP}")], "has to change b1"),
    ("first layer only", TRAIN, [(STEP, f"if name[1] == '1': {STEP}")], "has to change W2"),
    ("second layer only", TRAIN, [(STEP, f"if name[1] == '2': {STEP}")], "has to change W1"),
    ("step without the rate", TRAIN, [(STEP, "self.params[name] = w - 1e-3 * grads[name]")], "learning_rate"),
    ("step divided by the batch", TRAIN, [(STEP, STEP + " / batch_size")], "learning_rate"),
    (
        "labels of other examples",
        TRAIN,
        [(BATCH, "X_batch, y_batch = X[chosen], y[np.random.choice(len(X), batch_size)]")],
        "labels of a batch",
    ),
    ("always the first", TRAIN, [(DRAW, "chosen = np.arange(batch_size) % len(X)")], "examples came up"),
    (
        "the same batch in each step",
        TRAIN,
        [(DRAW, "chosen = np.random.RandomState(0).choice(len(X), batch_size)")],
        "came up",
    ),
    (
        "the last never",
        TRAIN,
        [(DRAW, "chosen = np.random.randint(len(X) - 1 or 1, size=batch_size)")],
        "only 29 of 30 examples",
    ),
    (
        "the whole data",
        TRAIN,
        [(DRAW, "chosen = np.arange(len(X))")],
        "expected batch_size = 20",
    ),
    (
        "one order again and again",
        TRAIN,
        [(DRAW, "chosen = (np.arange(batch_size) + step * batch_size) % len(X)")],
        "draw a new one",
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: f"{mistake[1]}: {mistake[0]}")
def test_mistake_fails_with_a_helpful_message(mistake, monkeypatch):
    _, cell_id, edits, message = mistake
    write(monkeypatch, NET, *edits)
    with pytest.raises(AssertionError, match=message):
        NOTEBOOK.run(cell_id)


def with_loops():
    """The forward pass and the loss one example at a time."""
    return [
        (
            "hidden = np.maximum(0, X @ W1 + b1)",
            "hidden = np.array([[max(0, float(x @ w) + b) for w, b in zip(W1.T, b1)] for x in X])",
        ),
        (
            "-log_probs[examples, y].mean()",
            "sum(np.log(sum(np.exp(s - max(s)))) + max(s) - s[c] for s, c in zip(scores, y)) / N",
        ),
    ]


RIGHT = [
    ("reference", []),
    ("loops", with_loops()),
    ("the loss a 0-d array", [(GOOD, "loss = np.array(loss)\n        " + GOOD)]),
    ("gradients in another order", [(GOOD, "grads = dict(sorted(grads.items()))\n        " + GOOD)]),
    ("L2 by einsum", [(L2, "l2 * (np.einsum('ij,ij', W1, W1) + np.linalg.norm(W2) ** 2)")]),
    ("ReLU by a mask", [("np.maximum(0, X @ W1 + b1)", "(X @ W1 + b1) * (X @ W1 + b1 > 0)")]),
    ("where on the way back", [("dhidden[hidden <= 0] = 0", "dhidden = np.where(hidden > 0, dhidden, 0)")]),
    ("biases by ones", [("dscores.sum(axis=0)", "np.ones(N) @ dscores")]),
    ("steps in place", [(STEP, "self.params[name] -= learning_rate * grads[name]")]),
    ("randint", [(DRAW, "chosen = np.random.randint(0, len(X), batch_size)")]),
    ("a Generator", [(DRAW, "chosen = np.random.default_rng().integers(len(X), size=batch_size)")]),
    (
        "lots without replacement where it can be",
        [(DRAW, "chosen = np.random.choice(len(X), batch_size, replace=len(X) < batch_size)")],
    ),
    ("a list of classes' numbers", [(ARGMAX, "np.array([int(np.argmax(s)) for s in self.loss(X)])")]),
    ("predict by its own formula", [(
        ARGMAX, "self._weights() and (-self.loss(X)).argsort(axis=1, kind='stable')[:, 0]"
    )]),
]  # fmt: skip


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    write(monkeypatch, NET, *variant[1])
    cells = [SCORES, LOSS, PREDICT] if variant[0] == "loops" else GRADED  # the others would take seconds
    for cell_id in cells:
        NOTEBOOK.run(cell_id)
    captured = capsys.readouterr()
    assert captured.out.count("passed") == len(cells)
    assert captured.err == ""


@pytest.mark.parametrize("seed", range(10))
def test_training_passes_whatever_is_drawn(seed, monkeypatch):
    edits = [(DRAW, f"np.random.rand(1000 * {seed} + 1)\n            {DRAW}")]
    write(monkeypatch, NET, *edits)
    NOTEBOOK.run(TRAIN)


@pytest.fixture(scope="module")
def data():
    """A hundred images in place of the notebook's thousands."""
    images, labels = shapes10.generate(100, seed=1)
    X = images.transpose(0, 3, 1, 2).astype(np.float32)
    mean_image = X.mean(axis=0)
    return {"X": (X - mean_image).reshape(100, -1), "y": labels, "mean_image": mean_image}


def run_best(data, **extra):
    """The cell that reads the saved network back, after the network was saved in the current folder."""
    names = {"data": {"dataset": "shapes10", "mean_image": data["mean_image"]}}
    return NOTEBOOK.run("best-neural-net", X_val=data["X"], y_val=data["y"], **names, **extra)


def saved(data, convention="S19", steps=300, scale=1.0, **extra):
    """Learn the hundred images by heart and save the network."""
    net = NOTEBOOK.run()["TwoLayerNet"](3072, 20, 10, convention=convention)
    np.random.seed(0)
    net.train(data["X"], data["y"], data["X"], data["y"], learning_rate=2e-3, num_iters=steps, batch_size=50)
    net.params["b2"] *= scale
    net.save("best_neural_net.npz", **({"mean_image": data["mean_image"], "dataset": "shapes10"} | extra))


def test_saved_network_is_accepted(data, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    saved(data)
    run_best(data)
    assert "the goal is 0.37" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"convention": "UCLA", "steps": 0}, "convention S19"),
        ({"steps": 0}, "hardly better than guessing"),
        ({"steps": 0, "scale": np.nan}, "b2 is not finite"),
        ({"steps": 0, "dataset": "cifar10"}, "trained on cifar10"),
        ({"steps": 0, "mean_image": np.zeros((3, 32, 32))}, "mean_image is wrong"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_useless_file_is_refused_in_words(settings, message, data, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    saved(data, **settings)
    with pytest.raises(AssertionError, match=message):
        run_best(data)
