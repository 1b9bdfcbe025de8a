"""The visible asserts of a2/2_fully_connected_nets catch usual mistakes in words, and pass any right code."""

import re

import numpy as np
import pytest
from cells import Cells, write

from handgrad.classifiers import FullyConnectedNet

CELLS = Cells("a2/2_fully_connected_nets", before=("tools",))
NET = "handgrad.classifiers.fc_net.FullyConnectedNet"
OPTIM = "handgrad.optim."
CODE_GRADED = [
    "fc-net-init",
    "fc-net-loss",
    "fc-net-gradients",
    "optim-momentum",
    "optim-nesterov-adagrad",
    "optim-rmsprop",
    "optim-adam",
]
NORMAL = "weight_scale * np.random.randn(dims[i - 1], dims[i])"
SCORES = '        scores, scores_cache = affine_forward(hidden, self.params[f"W{L}"], self.params[f"b{L}"])\n'
RELU = "hidden, relu_cache = relu_forward(hidden)"
L2_LOSS = "            loss += 0.5 * self.reg * np.sum(W**2)\n"
L2_GRAD = '            grads[f"W{i}"] += self.reg * W\n'
END = '            grads[f"W{i}"] += self.reg * W\n        return loss, grads\n'
SOFTMAX = "loss, dscores = softmax_loss(scores, y)"
MOMENTUM = 'velocity = config["momentum"] * config["velocity"] - config["learning_rate"] * dw'

WRONG = [
    # name of the mistake, cell, function, edits, what the message must contain
    (
        "weights uniform",
        "fc-net-init",
        NET,
        [(NORMAL, NORMAL.replace("randn", "rand"))],
        "standard deviation",
    ),
    (
        "weight_scale for the first layer only",
        "fc-net-init",
        NET,
        [(NORMAL, "(weight_scale if i == 1 else 1e-2) * np.random.randn(dims[i - 1], dims[i])")],
        "W2 has standard deviation .* the same for all layers",
    ),
    (
        "weight_scale not for the last layer",
        "fc-net-init",
        NET,
        [(NORMAL, "(weight_scale if i < self.num_layers else 1e-3) * np.random.randn(dims[i - 1], dims[i])")],
        "W4 has standard deviation",
    ),
    (
        "weight_scale a variance",
        "fc-net-init",
        NET,
        [(NORMAL, NORMAL.replace("weight_scale", "weight_scale**0.5"))],
        "W1 has standard deviation",
    ),
    (
        "biases random",
        "fc-net-init",
        NET,
        [("np.zeros(dims[i])\n            if", "0.01 * np.random.randn(dims[i])\n            if")],
        "biases b1 must start at 0",
    ),
    (
        "names counted from 0",
        "fc-net-init",
        NET,
        [('self.params[f"W{i}"] = weight', 'self.params[f"W{i - 1}"] = weight')],
        r"params has the names \['W0'",
    ),
    (
        "last layer missing",
        "fc-net-init",
        NET,
        [("for i in range(1, self.num_layers + 1):", "for i in range(1, self.num_layers):")],
        "params has the names",
    ),
    (
        "weights transposed",
        "fc-net-init",
        NET,
        [("randn(dims[i - 1], dims[i])", "randn(dims[i], dims[i - 1])")],
        "W1 has shape",
    ),
    (
        "all hidden layers as wide as the first",
        "fc-net-init",
        NET,
        [("*hidden_dims, num_classes]\n", "*[hidden_dims[0]] * len(hidden_dims), num_classes]\n")],
        "has shape",
    ),
    (
        "biases in rows",
        "fc-net-init",
        NET,
        [("np.zeros(dims[i])\n            if", "np.zeros((1, dims[i]))\n            if")],
        "b1 has shape",
    ),
    (
        "dtype lost",
        "fc-net-init",
        NET,
        [("value.astype(self.dtype)", "value")],
        "expected float32",
    ),
    (
        "ReLU on the scores",
        "fc-net-loss",
        NET,
        [(SCORES, SCORES + "        scores = relu_forward(scores)[0]\n")],
        "none after the last",
    ),
    ("no hidden ReLU", "fc-net-loss", NET, [(RELU, "relu_cache = hidden")], "ReLU after every hidden layer"),
    (
        "ReLU after the first layer only",
        "fc-net-loss",
        NET,
        [(RELU, "hidden, relu_cache = relu_forward(hidden) if i == 1 else (hidden, hidden)")],
        "ReLU after every hidden layer",
    ),
    (
        "hidden biases forgotten",
        "fc-net-loss",
        NET,
        [
            (
                'affine_forward(hidden, self.params[f"W{i}"], self.params[f"b{i}"])',
                'affine_forward(hidden, self.params[f"W{i}"], 0 * self.params[f"b{i}"])',
            )
        ],
        "its own biases",
    ),
    *(
        (
            f"L2 term of W{layer} missing",
            "fc-net-loss",
            NET,
            [(L2_LOSS, L2_LOSS.replace("0.5", f"(i != {layer}) * 0.5"))],
            f"the L2 term of W{layer} .* every layer",
        )
        for layer in (1, 2, 3)
    ),
    ("L2 term doubled", "fc-net-loss", NET, [("0.5 * self.reg", "self.reg")], "the L2 term of W1"),
    ("L2 term halved", "fc-net-loss", NET, [("0.5 * self.reg", "0.25 * self.reg")], "the L2 term of W1"),
    (
        "L2 term a mean over examples",
        "fc-net-loss",
        NET,
        [("0.5 * self.reg", "0.5 / len(X) * self.reg")],
        "the L2 term of W1",
    ),
    (
        "L2 term without squares",
        "fc-net-loss",
        NET,
        [("np.sum(W**2)", "np.linalg.norm(W)")],
        "the L2 term of W1",
    ),
    (
        "biases regularised",
        "fc-net-loss",
        NET,
        [(L2_LOSS, L2_LOSS + '            loss += 0.5 * self.reg * np.sum(self.params[f"b{i}"] ** 2)\n')],
        "the L2 term of b1 .* 0 for biases",
    ),
    (
        "1/N twice",
        "fc-net-loss",
        NET,
        [(SOFTMAX, SOFTMAX + "; loss /= len(X)")],
        "reg = 0 .* mean over the examples already",
    ),
    (
        "loss a sum",
        "fc-net-loss",
        NET,
        [(SOFTMAX, SOFTMAX + "; loss *= len(X)")],
        "reg = 0 .* mean over the examples already",
    ),
    (
        "scores widened",
        "fc-net-loss",
        NET,
        [("            return scores\n", "            return scores.astype(np.float64)\n")],
        "scores of a float32 network are float64",
    ),
    (
        "input changed",
        "fc-net-loss",
        NET,
        [(SCORES, SCORES + "        X *= 1 + 1e-12\n")],
        "changed its input X",
    ),
    (
        "gradient of regularisation doubled",
        "fc-net-gradients",
        NET,
        [(L2_GRAD, L2_GRAD.replace("self.reg", "2 * self.reg"))],
        r"grads\['W3'\] .* reg = 3.14 .* derivative of that term",
    ),
    (
        "gradient of regularisation halved",
        "fc-net-gradients",
        NET,
        [(L2_GRAD, L2_GRAD.replace("self.reg", "0.5 * self.reg"))],
        r"grads\['W3'\] .* reg = 3.14 .* derivative of that term",
    ),
    *(
        (
            f"gradient of regularisation missing for W{layer}",
            "fc-net-gradients",
            NET,
            [(L2_GRAD, L2_GRAD.replace("self.reg", f"(i != {layer}) * self.reg"))],
            rf"grads\['W{layer}'\] .* reg = 3.14 .* derivative of that term",
        )
        for layer in (1, 2, 3)
    ),
    (
        "gradient of biases regularised",
        "fc-net-gradients",
        NET,
        [(L2_GRAD, L2_GRAD + '            grads[f"b{i}"] += self.reg * self.params[f"b{i}"]\n')],
        r"grads\['b3'\] .* biases are not in that term",
    ),
    (
        "gradient of the loss divided again",
        "fc-net-gradients",
        NET,
        [(SOFTMAX, SOFTMAX + "; dscores /= len(X)")],
        r"grads\['W3'\] .* reg = 0.0 .*\(1/2\)",
    ),
    (
        "ReLU forgotten on the way back",
        "fc-net-gradients",
        NET,
        [("            dhidden = relu_backward(dhidden, relu_cache)\n", "")],
        r"grads\['W2'\]",
    ),
    (
        "caches in forward order",
        "fc-net-gradients",
        NET,
        [("= caches[i - 1]", "= caches[self.num_layers - 1 - i] if len(X) == 3 else caches[0]")],
        r"caches in reverse order|shape|size",
    ),
    (
        "biases have no gradient",
        "fc-net-gradients",
        NET,
        [
            (
                END,
                END.replace(
                    "return loss, grads", "return loss, {n: g for n, g in grads.items() if 'W' in n}"
                ),
            )
        ],
        "grads has the names",
    ),
    (
        "parameters changed by loss",
        "fc-net-gradients",
        NET,
        [
            (
                END,
                END.replace(
                    "        return", '        self.params["W2"] -= 1e-14 * grads["W2"]\n        return'
                ),
            )
        ],
        "loss has changed",
    ),
    (
        "gradients widened",
        "fc-net-gradients",
        NET,
        [(L2_GRAD, '            grads[f"W{i}"] = grads[f"W{i}"] + np.float64(self.reg) * W\n')],
        "is float64: what widened it",
    ),
    (
        "gradients lost",
        "fc-overfit-three",
        NET,
        [(END, END.replace("return loss, grads", "return loss, {n: 0 * g for n, g in grads.items()}"))],
        "Not all 50 images yet",
    ),
    (
        "gradients far too small",
        "fc-overfit-five",
        NET,
        [(END, END.replace("return loss, grads", "return loss, {n: 1e-3 * g for n, g in grads.items()}"))],
        "Not all 50 images yet",
    ),
    (
        "learning rate outside of the velocity",
        "optim-momentum",
        OPTIM + "sgd_momentum",
        [
            (MOMENTUM, 'velocity = config["momentum"] * config["velocity"] - dw'),
            ("next_w = w + velocity", 'next_w = w + config["learning_rate"] * velocity'),
        ],
        "next_w|learning rate is inside",
    ),
    (
        "learning rate outside, right first step",
        "optim-momentum",
        OPTIM + "sgd_momentum",
        [
            (
                '    config["velocity"] = velocity\n',
                '    config["velocity"] = velocity / config["learning_rate"]\n',
            )
        ],
        "learning rate is inside",
    ),
    (
        "velocity not stored",
        "optim-momentum",
        OPTIM + "sgd_momentum",
        [('    config["velocity"] = velocity\n', "")],
        "velocity belongs into config",
    ),
    (
        "velocity points uphill",
        "optim-momentum",
        OPTIM + "sgd_momentum",
        [(MOMENTUM, MOMENTUM.replace("- config", "+ config"))],
        "next_w is wrong",
    ),
    (
        "momentum always 0.9",
        "optim-momentum",
        OPTIM + "sgd_momentum",
        [(MOMENTUM, MOMENTUM.replace('config["momentum"]', "0.9"))],
        "after step 2",
    ),
    (
        "old velocity used",
        "optim-momentum",
        OPTIM + "sgd_momentum",
        [("next_w = w + velocity", 'next_w = w + config["velocity"]')],
        "next_w is wrong",
    ),
    (
        "config not returned",
        "optim-momentum",
        OPTIM + "sgd_momentum",
        [
            (
                "return next_w, config",
                "return next_w, (config if velocity.ndim == 1 or velocity.size > 2 else None)",
            )
        ],
        "got None as config",
    ),
    (
        "Nesterov as plain momentum",
        "optim-nesterov-adagrad",
        OPTIM + "sgd_nesterov_momentum",
        [
            (
                'next_w = w + config["momentum"] * velocity - config["learning_rate"] * dw',
                "next_w = w + velocity",
            )
        ],
        r"momentum \* \(new velocity\)",
    ),
    (
        "Nesterov with the old velocity",
        "optim-nesterov-adagrad",
        OPTIM + "sgd_nesterov_momentum",
        [('w + config["momentum"] * velocity', 'w + config["momentum"] * config["velocity"]')],
        r"momentum \* \(new velocity\)",
    ),
    (
        "Nesterov's velocity not stored",
        "optim-nesterov-adagrad",
        OPTIM + "sgd_nesterov_momentum",
        [('    config["velocity"] = velocity\n', "")],
        "config keeps it",
    ),
    (
        "AdaGrad without root",
        "optim-nesterov-adagrad",
        OPTIM + "adagrad",
        [("np.sqrt(cache)", "cache")],
        "AdaGrad's next_w .* root",
    ),
    (
        "AdaGrad's cache not stored",
        "optim-nesterov-adagrad",
        OPTIM + "adagrad",
        [('    config["cache"] = cache\n', "")],
        "sum of the squared gradients",
    ),
    (
        "AdaGrad with the old cache",
        "optim-nesterov-adagrad",
        OPTIM + "adagrad",
        [("np.sqrt(cache)", 'np.sqrt(config["cache"])')],
        "AdaGrad's next_w",
    ),
    (
        "RMSProp without root",
        "optim-rmsprop",
        OPTIM + "rmsprop",
        [("np.sqrt(cache)", "cache")],
        "root of the new",
    ),
    (
        "RMSProp with the old cache",
        "optim-rmsprop",
        OPTIM + "rmsprop",
        [("np.sqrt(cache)", 'np.sqrt(config["cache"])')],
        "root of the new",
    ),
    (
        "RMSProp's cache not stored",
        "optim-rmsprop",
        OPTIM + "rmsprop",
        [('    config["cache"] = cache\n', "")],
        "config keeps it",
    ),
    (
        "RMSProp's shares exchanged",
        "optim-rmsprop",
        OPTIM + "rmsprop",
        [
            (
                'decay_rate * config["cache"] + (1 - decay_rate) * dw**2',
                '(1 - decay_rate) * config["cache"] + decay_rate * dw**2',
            )
        ],
        "decay_rate of the old cache",
    ),
    (
        "RMSProp adds as AdaGrad does",
        "optim-rmsprop",
        OPTIM + "rmsprop",
        [("(1 - decay_rate) * dw**2", "dw**2")],
        "decay_rate of the old cache",
    ),
    (
        "RMSProp averages without squares",
        "optim-rmsprop",
        OPTIM + "rmsprop",
        [("dw**2", "abs(dw)")],
        "decay_rate of the old cache",
    ),
    (
        "RMSProp's decay rate always 0.99",
        "optim-rmsprop",
        OPTIM + "rmsprop",
        [('decay_rate = config["decay_rate"]', "decay_rate = 0.99")],
        "after step 1",
    ),
    (
        "no bias correction",
        "optim-adam",
        OPTIM + "adam",
        [("m / (1 - beta1**t)", "m"), ("v / (1 - beta2**t)", "v")],
        "Both averages are corrected",
    ),
    (
        "v not corrected",
        "optim-adam",
        OPTIM + "adam",
        [("v / (1 - beta2**t)", "v")],
        "Both averages are corrected",
    ),
    (
        "correction without power",
        "optim-adam",
        OPTIM + "adam",
        [("m / (1 - beta1**t)", "m / (1 - beta1)"), ("v / (1 - beta2**t)", "v / (1 - beta2)")],
        "with the powers",
    ),
    (
        "correction with a product",
        "optim-adam",
        OPTIM + "adam",
        [("m / (1 - beta1**t)", "m / (1 - beta1 / t)"), ("v / (1 - beta2**t)", "v / (1 - beta2 / t)")],
        "with the powers",
    ),
    (
        "t not raised",
        "optim-adam",
        OPTIM + "adam",
        [('config["t"] + 1', 'config["t"]')],
        r"config\['t'\] is 5",
    ),
    (
        "t not stored",
        "optim-adam",
        OPTIM + "adam",
        [('config["m"], config["v"], config["t"] = m, v, t', 'config["m"], config["v"] = m, v')],
        r"config\['t'\] is 5",
    ),
    (
        "t raised after its use",
        "optim-adam",
        OPTIM + "adam",
        [('t = config["t"] + 1', 't = config["t"]'), ('config["t"] = m, v, t', 'config["t"] = m, v, t + 1')],
        "t is 6 here",
    ),
    (
        "corrected moments stored",
        "optim-adam",
        OPTIM + "adam",
        [('config["t"] = m, v, t', 'config["t"] = m_unbiased, v_unbiased, t')],
        "keeps the averages themselves",
    ),
    (
        "m not stored",
        "optim-adam",
        OPTIM + "adam",
        [('config["m"], config["v"], config["t"] = m, v, t', 'config["v"], config["t"] = v, t')],
        r"config\['m'\] is wrong",
    ),
    (
        "v not stored",
        "optim-adam",
        OPTIM + "adam",
        [('config["m"], config["v"], config["t"] = m, v, t', 'config["m"], config["t"] = m, t')],
        r"config\['v'\] is wrong",
    ),
    ("no root", "optim-adam", OPTIM + "adam", [("np.sqrt(v_unbiased)", "v_unbiased")], "next_w is wrong"),
    (
        "the gradient in place of m",
        "optim-adam",
        OPTIM + "adam",
        [("* m_unbiased /", "* dw /")],
        "next_w is wrong",
    ),
    (
        "m in place of its square's average",
        "optim-adam",
        OPTIM + "adam",
        [("(1 - beta2) * dw**2", "(1 - beta2) * m**2")],
        r"config\['v'\] is wrong",
    ),
    (
        "betas exchanged",
        "optim-adam",
        OPTIM + "adam",
        [
            (
                'beta1, beta2 = config["beta1"], config["beta2"]',
                'beta2, beta1 = config["beta1"], config["beta2"]',
            )
        ],
        r"config\['m'\] is wrong",
    ),
    (
        "float64 out of float32",
        "optim-adam",
        OPTIM + "adam",
        [("(1 - beta1**t)", "(1 - np.power(beta1, t))")],
        "next_w of a float32 parameter is float64",
    ),
]


def names_for(cell_id, data):
    """What the cells above the overfit cells have defined."""
    if not cell_id.startswith("fc-overfit"):
        return {}
    names = CELLS.run("overfit-tools", data=data)
    good = {
        "three_layers": {"weight_scale": 3e-2, "learning_rate": 3e-3},
        "five_layers": {"weight_scale": 8e-2, "learning_rate": 2e-3},
    }
    return {"overfit": names["overfit"], "data": data} | good


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: mistake[0])
def test_mistake_fails_with_a_helpful_message(mistake, data, monkeypatch):
    _, cell_id, target, edits, message = mistake
    write(monkeypatch, target, *edits)
    with pytest.raises((AssertionError, ValueError) if "order" in message else AssertionError, match=message):
        CELLS.run(cell_id, **names_for(cell_id, data))


INIT_BY_HAND = """
        for i, (below, above) in enumerate(zip([input_dim, *hidden_dims], [*hidden_dims, num_classes])):
            self.params["b" + str(i + 1)] = np.zeros(above)
            rng = np.random.default_rng(above)
            self.params["W" + str(i + 1)] = rng.normal(0, weight_scale, (below, above))
"""
LOSS_BY_HAND = """
        L, p = self.num_layers, self.params
        inputs = [X.reshape(len(X), -1)]
        for i in range(1, L):
            inputs.append(np.maximum(0, inputs[-1] @ p[f"W{i}"] + p[f"b{i}"]))
        scores = inputs[-1] @ p[f"W{L}"] + p[f"b{L}"]
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {}
        for i in reversed(range(1, L + 1)):
            W = p[f"W{i}"]
            loss = loss + self.reg / 2 * (W * W).sum()
            grads[f"b{i}"] = d.sum(0)
            grads[f"W{i}"] = inputs[i - 1].T @ d + self.reg * W
            d = (d @ W.T) * (inputs[i - 1] > 0)
        return np.array(loss), grads
"""
BEGIN = "        ### BEGIN SOLUTION (a2)\n"
INIT_BEGIN = BEGIN + "        dims = [input_dim"
LOSS_BEGIN = BEGIN + "        hidden, caches = X, []"
DIVISION = '/ (np.sqrt(cache) + config["epsilon"])'

RIGHT = [
    ("reference", NET, []),
    (
        "network by hand",
        NET,
        [
            ("        dims = [input_dim, *hidden_dims, num_classes]\n", INIT_BY_HAND + "        dims = []\n"),
            (
                '        for i in range(1, self.num_layers + 1):\n            self.params[f"W{i}"] = weight',
                '        for i in []:\n            self.params[f"W{i}"] = weight',
            ),
            (LOSS_BEGIN, LOSS_BY_HAND + LOSS_BEGIN),
        ],
    ),
    (
        "the gradient of the images, too",
        NET,
        [
            ("            if i > 1:\n", "            if True:\n"),
        ],
    ),
    (
        "w and the velocity changed in place",
        OPTIM + "sgd_momentum",
        [
            (
                MOMENTUM,
                'velocity = config["velocity"]\n    velocity *= config["momentum"]\n'
                '    velocity -= config["learning_rate"] * dw',
            ),
            ("next_w = w + velocity", "w += velocity; next_w = w"),
        ],
    ),
    (
        "momentum on its own copy in place",
        OPTIM + "sgd_momentum",
        [
            (
                MOMENTUM,
                'velocity = config["velocity"]\n    velocity *= config["momentum"]\n'
                '    velocity -= config["learning_rate"] * dw',
            )
        ],
    ),
    (
        "Nesterov from the old velocity",
        OPTIM + "sgd_nesterov_momentum",
        [
            (
                'next_w = w + config["momentum"] * velocity - config["learning_rate"] * dw',
                'next_w = w - config["momentum"] * config["velocity"] + (1 + config["momentum"]) * velocity',
            )
        ],
    ),
    ("AdaGrad, epsilon in the root", OPTIM + "adagrad", [(DIVISION, '/ np.sqrt(cache + config["epsilon"])')]),
    ("RMSProp, epsilon in the root", OPTIM + "rmsprop", [(DIVISION, '/ np.sqrt(cache + config["epsilon"])')]),
    (
        "RMSProp in place, with more in config",
        OPTIM + "rmsprop",
        [
            (
                '    config["cache"] = cache\n',
                '    config["cache"][...] = cache\n    config["note"] = "mine"\n',
            )
        ],
    ),
    (
        "Adam, epsilon in the root",
        OPTIM + "adam",
        [('(np.sqrt(v_unbiased) + config["epsilon"])', 'np.sqrt(v_unbiased + config["epsilon"])')],
    ),
    (
        "Adam, correction in the learning rate",
        OPTIM + "adam",
        [
            (
                'config["learning_rate"] * m_unbiased / (np.sqrt(v_unbiased) + config["epsilon"])',
                'config["learning_rate"] * (1 - beta2**t) ** 0.5 / (1 - beta1**t) * m'
                ' / (np.sqrt(v) + config["epsilon"])',
            )
        ],
    ),
]


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    _, target, edits = variant
    write(monkeypatch, target, *edits)
    for cell_id in CODE_GRADED:
        if not edits or cell_id.startswith("fc-net") == (target == NET):
            CELLS.run(cell_id)
            assert "passed" in capsys.readouterr().out
    assert capsys.readouterr().err == ""


def test_settings_of_the_solution_learn_50_images(data, capsys):
    names = CELLS.run("overfit-tools", "fc-overfit-three-settings", "fc-overfit-five-settings", data=data)
    for cell_id in ("fc-overfit-three", "fc-overfit-five"):
        CELLS.run(cell_id, **{name: names[name] for name in ("overfit", "three_layers", "five_layers")})
    assert capsys.readouterr().out.count("training accuracy 100%") == 2


@pytest.mark.parametrize("cell_id", ["fc-overfit-three", "fc-overfit-five"])
def test_settings_that_students_are_given_do_not(cell_id, data):
    source = CELLS.source[f"{cell_id}-settings"]
    given = {}
    exec(re.match(r".*\n", source).group(), given)
    names = CELLS.run("overfit-tools", data=data)
    with pytest.raises(AssertionError, match="by large factors"):
        CELLS.run(cell_id, overfit=names["overfit"], **{k: v for k, v in given.items() if "layers" in k})


# The saved network


def saved(data, net, **changes):
    """Save as the search cell does, with changes; a value of None leaves an entry out."""
    extra = {
        "mean_image": data["mean_image"],
        "dataset": "shapes10",
        "hidden_dims": [net.params[f"b{i}"].size for i in range(1, net.num_layers)],
        "normalization": net.normalization or "none",
    }
    extra = {name: value for name, value in {**extra, **changes}.items() if value is not None}
    net.save("best_fully_connected_net.npz", **extra)


@pytest.fixture(scope="module", params=[None, "batchnorm", "layernorm"])
def trained(request, data):
    from handgrad.solver import Solver

    np.random.seed(0)
    net = FullyConnectedNet([30, 20], weight_scale=2e-2, normalization=request.param)
    config = {"learning_rate": 1e-3}
    both = {**data, "X_val": data["X_train"], "y_val": data["y_train"]}
    Solver(
        net, both, update_rule="adam", optim_config=config, num_epochs=30, batch_size=10, verbose=False
    ).train()
    return net


def test_saved_network_is_rebuilt(trained, data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved(data, trained)
    easy = {**data, "X_val": data["X_train"], "y_val": data["y_train"]}
    names = CELLS.run("best-fully-connected-net", data=easy)
    np.testing.assert_array_equal(names["saved_net"].loss(data["X_val"]), trained.loss(data["X_val"]))
    assert "the goal is 0.40" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean_image": None}, "lacks {'mean_image'}"),
        ({"hidden_dims": None}, "lacks {'hidden_dims'}"),
        ({"dataset": "cifar10"}, "trained on cifar10"),
        ({"mean_image": np.zeros((3, 32, 32))}, "Save data"),
        ({}, "hardly better than guessing"),
    ],
    ids=["no mean image", "no form", "other data", "wrong mean", "untrained"],
)
def test_bad_file_is_refused(changes, message, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.random.seed(0)
    saved(data, FullyConnectedNet([5, 4], weight_scale=0.0), **changes)
    hard = {**data, "y_val": np.full_like(data["y_val"], 9)}
    with pytest.raises(AssertionError, match=message):
        CELLS.run("best-fully-connected-net", data=hard)


def test_network_that_is_not_finite_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = FullyConnectedNet([5])
    net.params["W2"][0, 0] = np.nan
    saved(data, net)
    with pytest.raises(AssertionError, match="W2 is not finite"):
        CELLS.run("best-fully-connected-net", data=data)


def test_every_graded_cell_is_covered():
    wrong = {mistake[1] for mistake in WRONG} | {"best-fully-connected-net"}
    assert set(CELLS.graded) == wrong
