"""The visible asserts of a2/3_batch_normalization catch the usual mistakes, and pass code of any style."""

import numpy as np
import pytest
from cells import Cells, write

import handgrad.layers
from handgrad import shapes10
from handgrad.classifiers import FullyConnectedNet

CELLS = Cells("a2/3_batch_normalization", before=("gradients",))
NORM = "handgrad.layers.norm."
FORWARD, BACKWARD, ALT = (NORM + f"batchnorm_{name}" for name in ("forward", "backward", "backward_alt"))
LN_FORWARD, LN_BACKWARD = NORM + "layernorm_forward", NORM + "layernorm_backward"
NET = "handgrad.classifiers.fc_net.FullyConnectedNet"

ROOT = "inv_std = (1 / np.sqrt(var + eps)).astype(x.dtype)"
BATCH_MEAN = "mean = x.mean(axis=0, dtype=np.float64)"
BATCH_VAR = "var = np.mean(centred**2, axis=0, dtype=np.float64)"
NEW_MEAN = "(momentum * running_mean + (1 - momentum) * mean)"
NEW_VAR = "(momentum * running_var + (1 - momentum) * var)"
TEST = "        centred = x - running_mean\n        var = running_var\n"
OUT = "out = gamma * (centred * inv_std) + beta"
ROW_MEAN = "mean = x.mean(axis=1, keepdims=True, dtype=np.float64)"
ROW_VAR = "var = np.mean(centred**2, axis=1, keepdims=True, dtype=np.float64)"
DGAMMA = "dgamma = (dout * normalized).sum(axis=0)"
NORMALISE = "batchnorm_forward(hidden, gamma, beta, self.bn_params[i - 1])"
NORM_BACK = 'dhidden, grads[f"gamma{i}"], grads[f"beta{i}"] = '
RELU_BACK = "            dhidden = relu_backward(dhidden, relu_cache)\n"
TERM = "            loss += 0.5 * self.reg * np.sum(W**2)\n"


WRONG = [
    # name of the mistake, cell, function, edits, what the message must contain
    ("features mixed", "batchnorm-forward", FORWARD, [(BATCH_MEAN, "mean = x.mean()")], "Each column"),
    (
        "statistics of each example",
        "batchnorm-forward",
        FORWARD,
        [
            (BATCH_MEAN, "mean = x.mean(axis=1, keepdims=True)"),
            (NEW_MEAN, "(running_mean)"),
        ],
        "Each column",
    ),
    (
        "gamma and beta left out",
        "batchnorm-forward",
        FORWARD,
        [(OUT, "out = centred * inv_std")],
        "scaled by gamma",
    ),
    (
        "divided by N - 1",
        "batchnorm-forward",
        FORWARD,
        [(BATCH_VAR, "var = x.var(axis=0, ddof=1)")],
        "divides by N|is wrong",
    ),
    (
        "divided by the variance",
        "batchnorm-forward",
        FORWARD,
        [(ROOT, "inv_std = 1 / (var + eps)")],
        "standard deviations",
    ),
    (
        "running statistics in training",
        "batchnorm-forward",
        FORWARD,
        [(ROOT, "centred, var = x - running_mean, running_var\n    " + ROOT)],
        "is wrong",
    ),
    (
        "eps forgotten",
        "batchnorm-forward",
        FORWARD,
        [("np.sqrt(var + eps)", "np.sqrt(var)")],
        "what eps is for",
    ),
    (
        "x centred in place",
        "batchnorm-forward",
        FORWARD,
        [("centred = (x - mean)", "x -= mean\n        centred = x")],
        "changed its input x",
    ),
    (
        "gamma changed",
        "batchnorm-forward",
        FORWARD,
        [(OUT, OUT + "\n    gamma *= 1.0 + 1e-12")],
        "changed its input gamma",
    ),
    (
        "running mean overwritten",
        "batchnorm-test-mode",
        FORWARD,
        [(NEW_MEAN, "mean")],
        "that of the batch alone",
    ),
    (
        "running variance overwritten",
        "batchnorm-test-mode",
        FORWARD,
        [(NEW_VAR, "var")],
        "that of the batch alone",
    ),
    (
        "running mean never stored",
        "batchnorm-test-mode",
        FORWARD,
        [('bn_param["running_mean"] = ', "running_mean = ")],
        "still the old one",
    ),
    (
        "running mean stored only where there is one",
        "batchnorm-test-mode",
        FORWARD,
        [
            (
                'bn_param["running_mean"] = ',
                'if "running_mean" in bn_param:\n            bn_param["running_mean"] = ',
            )
        ],
        "running_mean is not there",
    ),
    (
        "weights the wrong way round",
        "batchnorm-test-mode",
        FORWARD,
        [(NEW_MEAN, "((1 - momentum) * running_mean + momentum * mean)")],
        "wrong way round",
    ),
    (
        "weights of the variance the wrong way round",
        "batchnorm-test-mode",
        FORWARD,
        [(NEW_VAR, "((1 - momentum) * running_var + momentum * var)")],
        "running_var .* wrong way round",
    ),
    (
        "momentum always 0.9",
        "batchnorm-test-mode",
        FORWARD,
        [(NEW_MEAN, "(0.9 * running_mean + 0.1 * mean)")],
        "Is the momentum that of bn_param",
    ),
    (
        "standard deviation averaged",
        "batchnorm-test-mode",
        FORWARD,
        [(NEW_VAR, "(momentum * running_var + (1 - momentum) * np.sqrt(var))")],
        "not the variance",
    ),
    (
        "unbiased variance averaged",
        "batchnorm-test-mode",
        FORWARD,
        [(NEW_VAR, "(momentum * running_var + (1 - momentum) * x.var(axis=0, ddof=1))")],
        "not by N - 1",
    ),
    (
        "batch statistics in test mode",
        "batchnorm-test-mode",
        FORWARD,
        [(TEST, "        centred = x - x.mean(axis=0)\n        var = x.var(axis=0)\n")],
        "batch's own statistics",
    ),
    (
        "test mode without gamma and beta",
        "batchnorm-test-mode",
        FORWARD,
        [(OUT, OUT + '\n    if mode == "test":\n        out = centred * inv_std')],
        "gamma and beta have been forgotten",
    ),
    (
        "running variance taken for a deviation",
        "batchnorm-test-mode",
        FORWARD,
        [("        var = running_var\n", "        var = running_var**2\n")],
        "take its root",
    ),
    (
        "test mode changes the statistics",
        "batchnorm-test-mode",
        FORWARD,
        [(TEST, TEST + '        bn_param["running_mean"] = 0.9 * running_mean\n')],
        "one example at a time|only uses it",
    ),
    (
        "test mode averages after use",
        "batchnorm-test-mode",
        FORWARD,
        [(TEST, TEST + '        bn_param["running_var"] = running_var * (1 + 1e-12)\n')],
        "Test mode has changed running_var",
    ),
    (
        "mean and variance constants",
        "batchnorm-backward",
        BACKWARD,
        [('if mode == "test"', "if True")],
        "takes mean and variance for constants",
    ),
    (
        "mean a constant",
        "batchnorm-backward",
        BACKWARD,
        [("dx = dcentred + dmean / N", "dx = dcentred")],
        "three ways",
    ),
    (
        "variance a constant",
        "batchnorm-backward",
        BACKWARD,
        [("    dcentred += dvar * 2 * centred / N", "    pass")],
        "three ways",
    ),
    (
        "no sum over examples towards the variance",
        "batchnorm-backward",
        BACKWARD,
        [("(dnormalized * centred).sum(axis=0)", "dnormalized * centred")],
        "three ways",
    ),
    (
        "no sum over examples towards the mean",
        "batchnorm-backward",
        BACKWARD,
        [("dmean = -dcentred.sum(axis=0)", "dmean = -dcentred")],
        "three ways",
    ),
    (
        "number of features for number of examples",
        "batchnorm-backward",
        BACKWARD,
        [("N = dout.shape[0]", "N = dout.shape[1]")],
        "three ways",
    ),
    (
        "dgamma from centred x",
        "batchnorm-backward",
        BACKWARD,
        [(DGAMMA, "dgamma = (dout * centred).sum(axis=0)")],
        "normalised x",
    ),
    (
        "dbeta a mean",
        "batchnorm-backward",
        BACKWARD,
        [("dbeta = dout.sum(axis=0)", "dbeta = dout.mean(axis=0)")],
        "1/4.* step 1",
    ),
    (
        "test mode differentiated as training",
        "batchnorm-backward",
        BACKWARD,
        [('if mode == "test"', "if False")],
        "test mode .* constants",
    ),
    (
        "short formula without the variance's term",
        "batchnorm-backward-alt",
        ALT,
        [(" - normalized * (dgamma / N)", "")],
        "Three terms",
    ),
    (
        "short formula without 1 / N",
        "batchnorm-backward-alt",
        ALT,
        [("dbeta / N - normalized * (dgamma / N)", "dbeta - normalized * dgamma")],
        "Three terms",
    ),
    (
        "short formula without gamma",
        "batchnorm-backward-alt",
        ALT,
        [("dx = gamma * inv_std", "dx = inv_std")],
        "Three terms",
    ),
    (
        "short formula in test mode",
        "batchnorm-backward-alt",
        ALT,
        [('if mode == "test"', "if False")],
        "test mode .* constants",
    ),
    (
        "short formula with another dgamma",
        "batchnorm-backward-alt",
        ALT,
        [("return dx, dgamma, dbeta\n    ###", "return dx, dgamma / N, dbeta\n    ###")],
        "dgamma .* same as in batchnorm_backward",
    ),
    (
        "gamma starts at 0",
        "batchnorm-net",
        NET,
        [("np.ones(dims[i])", "np.zeros(dims[i])")],
        "gamma1 must start at 1",
    ),
    (
        "scores normalised",
        "batchnorm-net",
        NET,
        [(" and i < self.num_layers", "")],
        "params has the shapes",
    ),
    (
        "ReLU before batch norm",
        "batchnorm-net",
        NET,
        [(NORMALISE, NORMALISE.replace("(hidden,", "(np.maximum(0, hidden),"))],
        "in this order",
    ),
    (
        "a copy of the running statistics",
        "batchnorm-net",
        NET,
        [(NORMALISE, NORMALISE.replace("self.bn_params[i - 1]", "dict(self.bn_params[i - 1])"))],
        "this dictionary itself",
    ),
    (
        "statistics of another layer",
        "batchnorm-net",
        NET,
        [(NORMALISE, NORMALISE.replace("self.bn_params[i - 1]", '{"mode": self.bn_params[0]["mode"]}'))],
        "this dictionary itself",
    ),
    (
        "training mode without labels",
        "batchnorm-net",
        NET,
        [('mode = "test" if y is None else "train"', 'mode = "train"')],
        "running statistics that count",
    ),
    (
        "gamma regularised",
        "batchnorm-net",
        NET,
        [
            (
                TERM,
                TERM
                + '            loss += 0.5 * self.reg * np.sum(self.params.get(f"gamma{i}", 0 * W) ** 2)\n',
            )
        ],
        "not gamma and beta",
    ),
    (
        "gradient through gamma and the layer below mixed",
        "batchnorm-net",
        NET,
        [(NORM_BACK + "batchnorm", '_, grads[f"gamma{i}"], grads[f"beta{i}"] = batchnorm')],
        r"grads\['(W1|b1)'\]",
    ),
    (
        "ReLU after batch norm on the way back",
        "batchnorm-net",
        NET,
        [
            (RELU_BACK, ""),
            ("            if i > 1:\n", RELU_BACK + "            if i > 1:\n"),
        ],
        "Back through ReLU first|does not feel",
    ),
    (
        "layer norm over the batch",
        "layernorm-forward",
        LN_FORWARD,
        [(ROW_MEAN, ROW_MEAN.replace("axis=1", "axis=0")), (ROW_VAR, ROW_VAR.replace("axis=1", "axis=0"))],
        "Each example",
    ),
    (
        "layer norm of batch size",
        "layernorm-forward",
        LN_FORWARD,
        [(ROW_VAR, "var = np.sum(centred**2, axis=1, keepdims=True) / len(x)")],
        "is wrong",
    ),
    (
        "gamma by rows where it fits",
        "layernorm-forward",
        LN_FORWARD,
        [
            (
                "out = gamma * normalized + beta",
                "g = gamma[:, None] if len(gamma) == len(x) else gamma\n    out = g * normalized + beta",
            )
        ],
        "belong to the columns",
    ),
    (
        "layer norm without eps",
        "layernorm-forward",
        LN_FORWARD,
        [("np.sqrt(var + eps)", "np.sqrt(var)")],
        "what eps is for",
    ),
    (
        "layer norm in place",
        "layernorm-forward",
        LN_FORWARD,
        [("centred = (x - mean)", "x -= mean\n    centred = x")],
        "changed its input x",
    ),
    (
        "dgamma over the features",
        "layernorm-backward",
        LN_BACKWARD,
        [(DGAMMA, DGAMMA.replace("axis=0", "axis=1"))],
        "dgamma .* sum over them",
    ),
    (
        "dbeta over the features",
        "layernorm-backward",
        LN_BACKWARD,
        [("dout.sum(axis=0)", "dout.sum(axis=1)")],
        "dbeta .* sum over them",
    ),
    (
        "layer norm divides by N",
        "layernorm-backward",
        LN_BACKWARD,
        [("dnormalized.mean(axis=1, keepdims=True)", "dnormalized.sum(axis=1, keepdims=True) / len(dout)")],
        "over the D features",
    ),
    (
        "gamma pulled out of the sums",
        "layernorm-backward",
        LN_BACKWARD,
        [("dnormalized = dout * gamma", "dnormalized = dout"), ("dx = inv_std", "dx = gamma * inv_std")],
        "gamma differs within a row",
    ),
    (
        "layer norm's sums over the examples",
        "layernorm-backward",
        LN_BACKWARD,
        [("shared = dnormalized.mean(axis=1,", "shared = dnormalized.mean(axis=0,")],
        "over the D features",
    ),
    (
        "layer norm before the affine layer's ReLU only",
        "layernorm-net",
        NET,
        [("layernorm_forward(hidden,", "layernorm_forward(np.maximum(0, hidden),")],
        "in this order",
    ),
    (
        "layer norm in training only",
        "layernorm-net",
        NET,
        [
            (
                'elif self.normalization == "layernorm":\n                gamma, beta',
                'elif self.normalization == "layernorm" and y is not None:\n                gamma, beta',
            )
        ],
        "scores is wrong",
    ),
    (
        "layer norm's gradient by batch norm's way",
        "layernorm-net",
        NET,
        [
            (
                "= layernorm_backward(dhidden, norm_cache)",
                "= [layernorm_backward(dhidden, norm_cache)[k] for k in (0, 2, 1)]",
            )
        ],
        r"grads\['(gamma|beta)[12]'\]",
    ),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: mistake[0])
def test_mistake_fails_with_a_helpful_message(mistake, monkeypatch):
    _, cell_id, target, edits, message = mistake
    write(monkeypatch, target, *edits)
    with pytest.raises(AssertionError, match=message):
        CELLS.run(cell_id)


LOOPS = """
    if mode == "train":
        mean, var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        for d in range(x.shape[1]):
            mean[d] = sum(x[:, d]) / len(x)
            var[d] = sum((x[:, d] - mean[d]) ** 2) / len(x)
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
    std = np.sqrt(var + eps)
    return gamma * (x - mean) / std + beta, [mode, x - mean, 1 / std, gamma]
"""

BY_BATCH_NORM = """
    D = x.shape[1]
    out, cache = batchnorm_forward(x.T, np.ones(len(x)), np.zeros(len(x)), {"mode": "train", "eps": eps})
    return gamma * out.T + beta, (out.T, cache[2][:, None], gamma)
"""

SOLUTION = "    ### BEGIN SOLUTION (a2)\n"

RIGHT = [
    ("reference", []),
    ("batch norm in loops, the cache a list", [(FORWARD, [(SOLUTION, LOOPS)])]),
    (
        "eps added to the deviation",
        [
            (FORWARD, [("1 / np.sqrt(var + eps)", "1 / (np.sqrt(var) + eps)")]),
            (
                BACKWARD,
                [
                    (
                        "dvar = dinv_std * -0.5 * inv_std**3",
                        "dvar = dinv_std * -0.5 * inv_std**2 / (1 / inv_std - 1e-5)",
                    )
                ],
            ),
            (ALT, [("normalized * (dgamma / N)", "normalized * (dgamma / N) / (1 - 1e-5 * inv_std)")]),
        ],
    ),
    (
        "running statistics in place",
        [(FORWARD, [(TEST, TEST + "        running_mean *= 1\n")])],
    ),
    (
        "gradients in place, dout too",
        [(BACKWARD, [("dnormalized = dout * gamma", "dout *= gamma\n    dnormalized = dout")])],
    ),
    ("two names for one thing", [(ALT, [("N = dout.shape[0]", "return batchnorm_backward(dout, cache)")])]),
    ("layer norm by batch norm of columns", [(LN_FORWARD, [(SOLUTION, BY_BATCH_NORM)])]),
    (
        "the slower backward pass in the network, and weights from a Generator",
        [
            (
                NET,
                [
                    ("batchnorm_backward_alt(", "handgrad.layers.batchnorm_backward("),
                    ("        grads = {}\n", "        import handgrad.layers\n\n        grads = {}\n"),
                    (
                        "weight_scale * np.random.randn(dims[i - 1], dims[i])",
                        "np.random.default_rng().normal(0, weight_scale, (dims[i - 1], dims[i]))",
                    ),
                ],
            )
        ],
    ),
]


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    name, changes = variant
    for target, edits in changes:
        write(monkeypatch, target, *edits)
    nets = name == "reference" or changes[0][0] == NET  # which take a second
    cells = [cell_id for cell_id in CELLS.graded if nets or not cell_id.endswith("net")]
    for cell_id in cells:
        CELLS.run(cell_id)
    printed = capsys.readouterr()
    assert printed.out.count("passed") == len(cells)
    assert printed.err == ""


def test_untouched_release_names_function_and_file(monkeypatch):
    def batchnorm_forward(x, gamma, beta, bn_param):
        raise NotImplementedError("batchnorm_forward is not written yet: write it in handgrad/layers/norm.py")

    monkeypatch.setattr(handgrad.layers, "batchnorm_forward", batchnorm_forward)
    with pytest.raises(NotImplementedError, match=r"batchnorm_forward .* handgrad/layers/norm\.py"):
        CELLS.run("batchnorm-forward")


def test_experiments_train_with_and_without(capsys):
    images, labels = shapes10.generate(100, seed=1)
    X = images.transpose(0, 3, 1, 2).astype(np.float32)
    X -= X.mean(axis=0)
    data = {"X_train": X[:50], "y_train": labels[:50], "X_val": X[50:], "y_val": labels[50:]}
    CELLS.run("six", data=data, FAST=True, FullyConnectedNet=FullyConnectedNet)
    assert "training accuracy" in capsys.readouterr().out
