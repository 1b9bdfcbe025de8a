"""The visible asserts of a2/5_convolutional_networks catch the usual mistakes, and pass any right code."""

import re

import numpy as np
import pytest
from cells import Cells, write

from handgrad import shapes10
from handgrad.classifiers import ThreeLayerConvNet

CELLS = Cells("a2/5_convolutional_networks", before=("tools",))
FORWARD = "handgrad.layers.conv.conv_forward_naive"
BACKWARD = "handgrad.layers.conv.conv_backward_naive"
POOL = "handgrad.layers.pool.max_pool_forward_naive"
POOL_BACK = "handgrad.layers.pool.max_pool_backward_naive"
NET = "handgrad.classifiers.cnn.ThreeLayerConvNet"
BATCH = "handgrad.layers.norm.spatial_batchnorm_forward"
BATCH_BACK = "handgrad.layers.norm.spatial_batchnorm_backward"
GROUP = "handgrad.layers.norm.spatial_groupnorm_forward"
GROUP_BACK = "handgrad.layers.norm.spatial_groupnorm_backward"

WINDOW = "padded[:, :, top : top + HH, left : left + WW]"
CUT = "dpadded[:, :, pad : pad + H, pad : pad + W]"
ADD = f"{WINDOW.replace('padded', 'dpadded')} += "
LOSS_TERM = "(np.vdot(W1, W1) + np.vdot(W2, W2) + np.vdot(W3, W3))"
MEAN = "groups.mean(axis=2, keepdims=True, dtype=np.float64)"
GROUPS = "groups = x.reshape(N, G, C // G * H * W)"
NORMALIZED = "normalized = (centred * inv_std).reshape(N, C, H, W)"
START = "    ### BEGIN SOLUTION (a2)\n"

# A group's channels at each pixel by itself.
PER_PIXEL = [(GROUPS, "groups = x.reshape(N, G, C // G, H * W)")]
PER_CHANNEL = [(GROUPS, "groups = x.reshape(N, C, H * W)")]
GROUP_SIZE = [(GROUPS, "groups = x.reshape(N, C // G, -1)")]
STRIDED = [(GROUPS, "groups = x.reshape(N, C // G, G, -1).transpose(0, 2, 1, 3).reshape(N, G, -1)")]
STRIDED += [
    (
        NORMALIZED,
        "normalized = (centred * inv_std).reshape(N, G, C // G, -1).swapaxes(1, 2).reshape(x.shape)",
    )
]
RESHAPED = [
    ("x.transpose(0, 2, 3, 1).reshape(-1, C)", "x.reshape(-1, C)"),
    ("out.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "out.reshape(x.shape)"),
]
BY_POSITION = """
    N = len(x)
    rows = x.reshape(N, -1)
    many = x[0, 0].size
    if bn_param["mode"] == "train":
        out, rows_cache = batchnorm_forward(
            rows, np.repeat(gamma, many), np.repeat(beta, many), {"mode": "train"}
        )
        return out.reshape(x.shape), (x.shape, rows_cache)
"""
ALWAYS_TRAIN = ("(rows, gamma, beta, bn_param)", '(rows, gamma, beta, bn_param | {"mode": "train"})')

WRONG = [
    # name of the mistake, cell, function, edits, what the message must contain
    ("bias forgotten", "conv-forward", FORWARD, [(" + b  # (N, F)", "  # (N, F)")], "own bias"),
    (
        "filter turned round",
        "conv-forward",
        FORWARD,
        [("tensordot(window, w,", "tensordot(window, w[:, :, ::-1, ::-1],")],
        "does not turn the filter round",
    ),
    ("stride ignored", "conv-forward", FORWARD, [("i * stride, j * stride", "i, j")], "out is wrong at"),
    (
        "stride always 2",
        "conv-forward",
        FORWARD,
        [("i * stride, j * stride", "i * min(stride, 2), j * min(stride, 2)")],
        "stride 3",
    ),
    ("pad always 1", "conv-forward", FORWARD, [("(pad, pad), (pad, pad)", "(1, 1), (1, 1)")], "and pad 0"),
    (
        "border at the top and at the left only",
        "conv-forward",
        FORWARD,
        [("(pad, pad), (pad, pad)", "(2 * pad, 0), (2 * pad, 0)")],
        "out is wrong",
    ),
    (
        "border of ones",
        "conv-forward",
        FORWARD,
        [("(pad, pad), (pad, pad))", "(pad, pad), (pad, pad)), constant_values=1")],
        "out is wrong",
    ),
    (
        "filters transposed",
        "conv-forward",
        FORWARD,
        [("tensordot(window, w,", "tensordot(window, w.swapaxes(2, 3).reshape(w.shape),")],
        "out is wrong",
    ),
    (
        "input scaled in place",
        "conv-forward",
        FORWARD,
        [(START, START + "    w *= 1 + 1e-12\n")],
        "changed its input w",
    ),
    (
        "dx in loops of one stride",
        "conv-backward",
        BACKWARD,
        [("i * stride, j * stride", "i, j")],
        "dw for x .* stride 2",
    ),
    ("dx assigned, not added", "conv-backward", BACKWARD, [(ADD, ADD.replace("+=", "="))], "gradients add"),
    (
        "dx cut with [pad:-pad]",
        "conv-backward",
        BACKWARD,
        [(CUT, "dpadded[:, :, pad:-pad, pad:-pad]")],
        "is empty",
    ),
    ("dx with its border", "conv-backward", BACKWARD, [(CUT, "dpadded")], "dx .* has shape"),
    ("dx cut by 1", "conv-backward", BACKWARD, [(CUT, "dpadded[:, :, 1:-1, 1:-1]")], "dx .* has shape"),
    (
        "dx of the last filter",
        "conv-backward",
        BACKWARD,
        [
            (
                "np.tensordot(dout_here, w, axes=([1], [0]))",
                "np.tensordot(dout_here[:, -1:], w[-1:], axes=([1], [0]))",
            )
        ],
        "seen by all filters",
    ),
    ("dw assigned, not added", "conv-backward", BACKWARD, [("dw += ", "dw = ")], "another pixel at each"),
    (
        "dw without the border",
        "conv-backward",
        BACKWARD,
        [("padded = np.pad(x, ", "x = np.zeros_like(x)\n    padded = np.pad(x, ")],
        "dw for x",
    ),
    (
        "db of one place",
        "conv-backward",
        BACKWARD,
        [("dout.sum(axis=(0, 2, 3))", "dout[:, :, 0, 0].sum(axis=0)")],
        "at all places of all images",
    ),
    ("db a mean over images", "conv-backward", BACKWARD, [("db = ", "db = 1 / N * ")], "1/2"),
    (
        "db summed over filters",
        "conv-backward",
        BACKWARD,
        [("dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(1, 2, 3))")],
        "db for x .* has shape",
    ),
    (
        "backward writes into x",
        "conv-backward",
        BACKWARD,
        [("    return dx, dw, db\n", "    x[...] = dx\n    return dx, dw, db\n")],
        "has changed x",
    ),
    (
        "pooling of the mean",
        "max-pool-forward",
        POOL,
        [(".max(axis=(2, 3))", ".mean(axis=(2, 3))")],
        "out is wrong",
    ),
    (
        "pooling starts from 0",
        "max-pool-forward",
        POOL,
        [(".max(axis=(2, 3))", ".max(axis=(2, 3), initial=0)")],
        "out is wrong",
    ),
    (
        "pooling with the stride as window",
        "max-pool-forward",
        POOL,
        [("top : top + HH, left : left + WW", "top : top + stride, left : left + stride")],
        "which its width",
    ),
    (
        "pooling with the window as stride",
        "max-pool-forward",
        POOL,
        [("i * stride, j * stride", "i * HH, j * WW")],
        "out|zero-size",
    ),
    (
        "pooling with height and width swapped",
        "max-pool-forward",
        POOL,
        [("top : top + HH, left : left + WW", "top : top + WW, left : left + HH")],
        "which its width",
    ),
    (
        "pooled gradient assigned",
        "max-pool-backward",
        POOL_BACK,
        [("] += dout", "] = dout")],
        "gradients add",
    ),
    (
        "pooled gradient to the whole window",
        "max-pool-backward",
        POOL_BACK,
        [
            (
                "dx[image, channel, top + row, left + column] += dout[:, :, i, j]",
                "dx[:, :, top : top + HH, left : left + WW] += dout[:, :, i, j, None, None]",
            )
        ],
        "Only the largest",
    ),
    (
        "a window counted column by column",
        "max-pool-backward",
        POOL_BACK,
        [
            (
                "np.divmod(window.argmax(axis=2), WW)",
                'np.unravel_index(window.argmax(axis=2), (HH, WW), order="F")',
            )
        ],
        "Only the largest",
    ),
    (
        "pooled gradient with the window as stride",
        "max-pool-backward",
        POOL_BACK,
        [("left + column] += dout", "left + column - (stride > WW)] += dout")],
        "in no window",
    ),
    (
        "pool backward writes into x",
        "max-pool-backward",
        POOL_BACK,
        [("    return dx\n", "    x[...] = 0\n    return dx\n")],
        "has changed x",
    ),
    (
        "pooling forgotten in W2",
        "conv-net-init",
        NET,
        [("num_filters * (H // 2) * (W // 2)", "num_filters * H * W")],
        "expected .*8192",
    ),
    (
        "images taken to be square",
        "conv-net-init",
        NET,
        [("(H // 2) * (W // 2)", "(H // 2) ** 2")],
        r"shape \(4, 8, 12\)",
    ),
    (
        "three channels",
        "conv-net-init",
        NET,
        [("randn(num_filters, C, ", "randn(num_filters, 3, ")],
        "expected",
    ),
    ("filters 7x7", "conv-net-init", NET, [("C, filter_size, filter_size)", "C, 7, 7)")], "expected"),
    (
        "weight_scale for two layers",
        "conv-net-init",
        NET,
        [("weight_scale * np.random.randn(hidden_dim", "1e-3 * np.random.randn(hidden_dim")],
        "W3 has standard deviation",
    ),
    (
        "weights uniform",
        "conv-net-init",
        NET,
        [("randn(pooled, ", "rand(pooled, ")],
        "W2 has standard deviation",
    ),
    (
        "biases random",
        "conv-net-init",
        NET,
        [("np.zeros(num_filters)", "np.random.randn(num_filters)")],
        "start at 0",
    ),
    (
        "ReLU on the scores",
        "conv-net-loss",
        NET,
        [("scores, scores_cache = affine_forward(", "scores, (scores_cache, _) = affine_relu_forward(")],
        "not on the scores",
    ),
    (
        "no ReLU in the hidden layer",
        "conv-net-loss",
        NET,
        [("hidden, hidden_cache = affine_relu_forward(", "hidden, hidden_cache = affine_forward(")],
        "the first affine layer",
    ),
    ("factor 0.5 missing", "conv-net-loss", NET, [("0.5 * self.reg", "self.reg")], "one half"),
    *(
        (f"L2 term without {name}", "conv-net-loss", NET, [(term, "0")], "all three layers")
        for name, term in [(f"W{n}", f"np.vdot(W{n}, W{n})") for n in (1, 2, 3)]
    ),
    *(
        (
            f"gradient of the L2 term without W{n}",
            "conv-net-loss",
            NET,
            [(f'        grads["W{n}"] += self.reg * W{n}\n', "")],
            rf"grads\['W{n}'\] .* reg = 0.7 .* derivative of that term",
        )
        for n in (1, 2, 3)
    ),
    (
        "biases regularised",
        "conv-net-loss",
        NET,
        [(LOSS_TERM, "sum(np.sum(p**2) for p in self.params.values())")],
        "weights of all three",
    ),
    (
        "gradient of b1 forgotten",
        "conv-net-loss",
        NET,
        [('        grads["W1"] += ', '        del grads["b1"]\n        grads["W1"] += ')],
        "grads has the keys",
    ),
    (
        "parameters changed by loss",
        "conv-net-loss",
        NET,
        [("        return loss, grads\n", "        W2 -= 1e-14 * grads['W2']\n        return loss, grads\n")],
        "loss has changed W2",
    ),
    ("reshape in place of transpose", "spatial-batchnorm-forward", BATCH, RESHAPED, "reshape moves no axis"),
    (
        "out not taken back",
        "spatial-batchnorm-forward",
        BATCH,
        [("out.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "out.reshape(N, C, H, W)")],
        "moves no axis",
    ),
    (
        "out left with its channels last",
        "spatial-batchnorm-forward",
        BATCH,
        [("out.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "out.reshape(N, H, W, C)")],
        "out has shape",
    ),
    (
        "statistics by position",
        "spatial-batchnorm-forward",
        BATCH,
        [(START, BY_POSITION)],
        "all images and all pixels|deviation of each channel",
    ),
    ("test mode ignored", "spatial-batchnorm-forward", BATCH, [ALWAYS_TRAIN], "not a copy"),
    (
        "test mode with the batch's statistics",
        "spatial-batchnorm-forward",
        BATCH,
        [("    N, C, H, W = x.shape\n", '    N, C, H, W = x.shape\n    bn_param["mode"] = "train"\n')],
        "test mode",
    ),
    (
        "dout by reshape",
        "spatial-batchnorm-backward",
        BATCH_BACK,
        [("dout.transpose(0, 2, 3, 1).reshape(-1, C)", "dout.reshape(-1, C)")],
        "same way as x did",
    ),
    (
        "dx by reshape",
        "spatial-batchnorm-backward",
        BATCH_BACK,
        [("dx.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "dx.reshape(shape)")],
        "way back",
    ),
    (
        "dgamma and dbeta exchanged",
        "spatial-batchnorm-backward",
        BATCH_BACK,
        [("dx, dgamma, dbeta = batch", "dx, dbeta, dgamma = batch")],
        "dbeta",
    ),
    ("each pixel by itself", "group-norm-forward", GROUP, PER_PIXEL, "all their pixels"),
    ("each channel by itself", "group-norm-forward", GROUP, PER_CHANNEL, "all their pixels"),
    ("G as the size of a group", "group-norm-forward", GROUP, GROUP_SIZE, "G is the number of groups"),
    ("channels dealt out in turn", "group-norm-forward", GROUP, STRIDED, "out of the small example"),
    (
        "statistics over the batch, too",
        "group-norm-forward",
        GROUP,
        [
            (MEAN, "groups.mean(axis=(0, 2), keepdims=True)"),
            ("np.mean(centred**2, axis=2,", "np.mean(centred**2, axis=(0, 2),"),
        ],
        "mean of each group",
    ),
    ("variance alone", "group-norm-forward", GROUP, [("(groups - mean)", "(groups - 0)")], "small example"),
    (
        "std in place of variance",
        "group-norm-forward",
        GROUP,
        [("np.sqrt(var + eps)", "(var + eps)")],
        "small example",
    ),
    (
        "beta forgotten",
        "group-norm-forward",
        GROUP,
        [("gamma * normalized + beta", "gamma * normalized")],
        "to a channel",
    ),
    (
        "dgamma from x",
        "group-norm-backward",
        GROUP_BACK,
        [("(dout * normalized).sum", "(dout * (normalized + 3)).sum")],
        "and not with x",
    ),
    (
        "dbeta without its axes",
        "group-norm-backward",
        GROUP_BACK,
        [("dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)", "dbeta = dout.sum(axis=(0, 2, 3))")],
        r"\(1, C, 1, 1\)",
    ),
    (
        "gamma at the end",
        "group-norm-backward",
        GROUP_BACK,
        [
            ("(dout * gamma).reshape", "dout.reshape"),
            ("dx.reshape(dout.shape)", "gamma * dx.reshape(dout.shape)"),
        ],
        "gamma differs within a group",
    ),
    (
        "mean as a constant",
        "group-norm-backward",
        GROUP_BACK,
        [("dgroups - shared - ", "dgroups - ")],
        "moves the mean",
    ),
    (
        "variance as a constant",
        "group-norm-backward",
        GROUP_BACK,
        [(" - groups * along", "")],
        "moves the mean",
    ),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: mistake[0])
def test_mistake_fails_with_a_helpful_message(mistake, monkeypatch):
    _, cell_id, target, edits, message = mistake
    write(monkeypatch, target, *edits)
    with pytest.raises(AssertionError, match=message):
        CELLS.run(cell_id)


def test_every_exercise_has_a_mistake():
    assert {cell_id for _, cell_id, *_ in WRONG} == set(CELLS.graded) - {"best-conv-net"}


CONV_LOOPS = """
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    padded = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    padded[:, :, pad : pad + H, pad : pad + W] = x
    out = np.zeros((N, F, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    window = padded[n, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out, [x, w, stride, pad]
"""
POOL_MASKS = """
    x, HH, WW, stride = cache
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dout.shape):
        rows, columns = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
        window = x[n, c, rows, columns]
        dx[n, c, rows, columns] += (window == window.max()) * dout[n, c, i, j]
    return dx
"""
CONV_BACK_LOOPS = """
    x, w, stride, pad = cache
    H, W = x.shape[2:]
    HH, WW = w.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dpadded, dw, db = np.zeros(padded.shape), np.zeros(w.shape), np.zeros(len(w))
    for n, f, i, j in np.ndindex(dout.shape):
        rows, columns = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
        dw[f] += dout[n, f, i, j] * padded[n, :, rows, columns]
        dpadded[n, :, rows, columns] += dout[n, f, i, j] * w[f]
        db[f] += dout[n, f, i, j]
    dout[...] = 0
    return dpadded[:, :, pad : pad + H, pad : pad + W], dw, db
"""
EPS_OUTSIDE = """
    N, C, H, W = x.shape
    groups = x.reshape(N, G, C // G, H, W)
    std = groups.std(axis=(2, 3, 4), keepdims=True) + eps
    normalized = ((groups - groups.mean(axis=(2, 3, 4), keepdims=True)) / std).reshape(N, C, H, W)
    return gamma * normalized + beta, None
"""
CHANNELS_FIRST = [
    ("x.transpose(0, 2, 3, 1).reshape(-1, C)", "np.moveaxis(x, 1, -1).reshape(N * H * W, C)"),
    ("cache = (x.shape, rows_cache)", "cache = [x.shape, rows_cache]"),
]
CONVOLUTIONS = ["conv-forward", "conv-backward"]
POOLINGS = ["max-pool-forward", "max-pool-backward"]
NETS = ["conv-net-init", "conv-net-loss"]
SPATIAL = ["spatial-batchnorm-forward", "spatial-batchnorm-backward"]
RIGHT = [
    # name of the style, cells, function, edits
    ("reference", [*CELLS.graded, "sandwich", "sandwich-norm"], FORWARD, []),
    ("convolution in loops", CONVOLUTIONS, FORWARD, [(START, CONV_LOOPS)]),
    ("convolution backward in loops, dout used up", CONVOLUTIONS, BACKWARD, [(START, CONV_BACK_LOOPS)]),
    ("pooling by masks", POOLINGS, POOL_BACK, [(START, POOL_MASKS)]),
    (
        "pooled gradient of zeros_like",
        POOLINGS,
        POOL_BACK,
        [("np.zeros(x.shape, dtype=", "np.zeros_like(x, dtype=")],
    ),
    ("moveaxis", SPATIAL, BATCH, CHANNELS_FIRST),
    ("the other backward pass", SPATIAL, BATCH_BACK, [("batchnorm_backward_alt(", "batchnorm_backward(")]),
    ("eps outside of the root", ["group-norm-forward"], GROUP, [(START, EPS_OUTSIDE)]),
    (
        "weights from a Generator",
        ["conv-net-init"],
        NET,
        [
            (
                "weight_scale * np.random.randn(pooled, hidden_dim)",
                "np.random.default_rng().normal(0, weight_scale, (pooled, hidden_dim))",
            )
        ],
    ),
    (
        "gradients in another order",
        NETS,
        NET,
        [("        return loss, grads\n", "        return loss, dict(sorted(grads.items()))\n")],
    ),
]


@pytest.mark.parametrize("variant", RIGHT, ids=lambda variant: variant[0])
def test_right_code_of_another_style_passes(variant, monkeypatch, capsys):
    _, cells, target, edits = variant
    write(monkeypatch, target, *edits)
    cells = [cell_id for cell_id in cells if cell_id != "best-conv-net"]  # needs a trained network
    for cell_id in cells:
        CELLS.run(cell_id)
    captured = capsys.readouterr()
    assert captured.out.count("passed") == len(set(cells) & set(CELLS.graded))
    assert captured.err == ""


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A folder to save networks in, and a hundred images to try them on."""
    monkeypatch.chdir(tmp_path)
    images, labels = shapes10.generate(100, seed=1)
    X = images.transpose(0, 3, 1, 2).astype(np.float32)
    return {"X_val": X, "y_val": labels, "mean_image": X.mean(axis=0), "dataset": "shapes10"}


class Knows(ThreeLayerConvNet):
    """Knows all the answers."""

    def loss(self, X, y=None):
        images, labels = shapes10.generate(100, seed=1)
        places = [np.flatnonzero((images == x.transpose(1, 2, 0)).all(axis=(1, 2, 3)))[0] for x in X]
        return np.eye(10)[labels[places]]


@pytest.mark.parametrize("filter_size", [3, 7])
def test_a_network_of_any_filter_size_is_read_back(saved, filter_size, monkeypatch, capsys):
    net = ThreeLayerConvNet(num_filters=4, filter_size=filter_size, hidden_dim=5)
    net.save("best_conv_net.npz", mean_image=saved["mean_image"], dataset="shapes10")
    monkeypatch.setattr("handgrad.classifiers.ThreeLayerConvNet", Knows)
    CELLS.run("best-conv-net", data=saved)
    assert "saved network: 1.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "extra", "message"),
    [
        ({}, {"dataset": "shapes10"}, "lacks .*mean_image"),
        ({}, {"dataset": "cifar10", "mean_image": None}, "was trained on cifar10"),
        ({}, {"dataset": "shapes10", "mean_image": np.zeros((3, 32, 32))}, "mean_image is wrong"),
        ({"num_classes": 7}, {"dataset": "shapes10", "mean_image": None}, "to ten scores"),
        ({"input_dim": (3, 16, 32)}, {"dataset": "shapes10", "mean_image": None}, "to ten scores"),
        ({"weight_scale": np.inf}, {"dataset": "shapes10", "mean_image": None}, "is not finite"),
        ({}, {"dataset": "shapes10", "mean_image": None}, "better than guessing"),
    ],
)
def test_an_unfit_network_is_refused(saved, settings, extra, message):
    net = ThreeLayerConvNet(**{"num_filters": 4, "hidden_dim": 5} | settings)
    if "mean_image" in extra and extra["mean_image"] is None:
        extra = extra | {"mean_image": saved["mean_image"]}
    net.save("best_conv_net.npz", **extra)
    with pytest.raises(AssertionError, match=message):
        CELLS.run("best-conv-net", data=saved)


def test_goals_are_those_of_the_prose():
    goals = re.findall(r'"\w+": (0\.\d+)', CELLS.source["best-conv-net"])
    assert len(goals) == 2
    for goal in goals:
        assert f"{round(float(goal) * 100)} %" in CELLS.source["training-about"]
