"""The checks of convolution, pooling and the network in a2/5 pass what is right; one bug costs one loss."""

import functools
import time

import numpy as np
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks import a2_5_convolutional_networks as checks
from autograder.checks.running import number_from, run_check
from autograder.course import REPOSITORY, Assignment, Course, Scale
from autograder.misconceptions import conv, edited, pool
from autograder.sandbox import StudentError
from handgrad import shapes10
from handgrad.classifiers.cnn import ThreeLayerConvNet
from handgrad.fast_layers import (
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from handgrad.layers import (
    conv_backward_naive,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)

NOTEBOOK = "a2/5_convolutional_networks"
SCALES = {"shapes10": Scale(zero=0.0, full=1.0), "cifar10": Scale(zero=0.0, full=1.0)}
LAYERS = ["conv_forward", "conv_backward", "max_pool_forward", "max_pool_backward"]
CORE = [*LAYERS, "conv_net_init", "conv_net_loss"]
NET = "handgrad.classifiers.cnn.ThreeLayerConvNet."
INIT, LOSS = NET + "__init__", NET + "loss"


def outcome(grade_id, replaced=None, seed="seed", files=None):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced, files=files), seed, SCALES)


def lost(replaced, seed="seed", grade_ids=CORE):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in grade_ids}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def everything(grade_id):
    return list(find(NOTEBOOK, grade_id).parts)


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a2").grade_cells
    automatic = {c.grade_id for c in cells if c.kind == "auto" and c.notebook == "5_convolutional_networks"}
    norms = {g for g in automatic if "norm" in g}
    assert automatic == {*CORE, "best_conv_net"} | norms
    assert all(find(NOTEBOOK, grade_id) for grade_id in automatic - norms)


@pytest.mark.parametrize("grade_id", LAYERS)
def test_what_is_promised_besides_costs_a_fifth(grade_id):
    parts = find(NOTEBOOK, grade_id).parts
    plain = sum(parts.get(name, 0) for name in ("out", "dx", "dw", "db"))
    assert plain >= 0.8 * sum(parts.values())


@pytest.mark.parametrize("grade_id", CORE)
def test_the_reference_passes_on_twenty_seeds(grade_id):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed)).fraction == 1


# ---- a second oracle


def _leaf(torch, array):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("seed", range(2))
def test_convolutions_against_torch(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    for case in checks._convolutions(rng):
        leaves = [_leaf(torch, array) for array in case.arrays.values()]
        settings = {"stride": case.settings["stride"], "padding": case.settings["pad"]}
        right = torch.nn.functional.conv2d(*leaves, **settings)
        out, cache = conv_forward_naive(*case.arrays.values(), case.settings)
        np.testing.assert_allclose(out, right.detach().numpy(), atol=1e-12)
        dout = rng.standard_normal(out.shape)
        right.backward(torch.tensor(dout))
        fast, fast_cache = conv_forward_fast(*case.arrays.values(), case.settings)
        np.testing.assert_allclose(fast, out, atol=1e-12)
        for grads in (conv_backward_naive(dout, cache), conv_backward_fast(dout, fast_cache)):
            for got, leaf in zip(grads, leaves, strict=True):
                np.testing.assert_allclose(got, leaf.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_poolings_against_torch(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    for case in checks._poolings(rng):
        x, settings = case.arrays["x"], case.settings
        leaf = _leaf(torch, x)
        window = settings["pool_height"], settings["pool_width"]
        right = torch.nn.functional.max_pool2d(leaf, window, settings["stride"])
        out, cache = max_pool_forward_naive(x, settings)
        np.testing.assert_array_equal(out, right.detach().numpy())
        dout = rng.standard_normal(out.shape)
        right.backward(torch.tensor(dout))
        fast, fast_cache = max_pool_forward_fast(x, settings)
        np.testing.assert_array_equal(fast, out)
        for dx in (max_pool_backward_naive(dout, cache), max_pool_backward_fast(dout, fast_cache)):
            np.testing.assert_allclose(dx, leaf.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("reg", [0.0, 0.7])
@pytest.mark.parametrize(("shape", "size"), [((2, 6, 6), 3), ((3, 4, 8), 5)])
def test_the_network_against_torch(shape, size, reg, rng):
    torch = pytest.importorskip("torch")
    X, y, params = checks._net_inputs(rng, shape, N=5, F=3, size=size, hidden=7, classes=4)
    leaves = {name: _leaf(torch, value) for name, value in params.items()}
    W1, b1, W2, b2, W3, b3 = (leaves[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    maps = torch.relu(torch.nn.functional.conv2d(torch.tensor(X), W1, b1, padding=size // 2))
    hidden = torch.relu(torch.nn.functional.max_pool2d(maps, 2).flatten(1) @ W2 + b2)
    scores = hidden @ W3 + b3
    right = torch.nn.functional.cross_entropy(scores, torch.tensor(y))
    right = right + 0.5 * reg * sum((W**2).sum() for W in (W1, W2, W3))
    right.backward()
    net = checks._reference(params, shape, reg)
    np.testing.assert_allclose(net.loss(X), scores.detach().numpy(), atol=1e-12)
    loss, grads = net.loss(X, y)
    assert loss == pytest.approx(right.item(), rel=1e-12)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(grads[name], leaf.grad.numpy(), atol=1e-12)


# ---- one bug, one loss


CONVOLUTIONS = {
    "filter turned round": (
        [(conv.SUMS, conv.SUMS.replace("window, w", "window, w[:, :, ::-1, ::-1]"))],
        [
            (conv.DX, conv.DX.replace("dout_here, w", "dout_here, w[:, :, ::-1, ::-1]")),
            (conv.CUT, conv.CUT + "; dw = dw[:, :, ::-1, ::-1]"),
        ],
    ),
    "stride ignored": (
        [(conv.PLACE, "top, left = i, j")],
        [(conv.PLACE, "top, left = i, j")],
    ),
    "mean of the window": (
        [(conv.SUMS, conv.SUMS.replace(" + b", " / w[0].size + b"))],
        [(conv.CUT, conv.CUT + "; dx = dx / w[0].size; dw /= w[0].size")],
    ),
    "border of two sides": (
        [(conv.PADDED, conv.PADDED.replace("(pad, pad)", "(2 * pad, 0)"))],
        [
            (conv.PADDED, conv.PADDED.replace("(pad, pad)", "(2 * pad, 0)")),
            (conv.CUT, "dx = dpadded[:, :, 2 * pad :, 2 * pad :]"),
        ],
    ),
}


class TestConvolution:
    @pytest.mark.parametrize("name", CONVOLUTIONS)
    def test_a_mistake_in_both_passes_costs_the_forward_pass(self, name):
        forward, backward = CONVOLUTIONS[name]
        wrong = {
            conv.FORWARD: edited(conv.FORWARD, *forward),
            conv.BACKWARD: edited(conv.BACKWARD, *backward),
        }
        for seed in "ab":
            assert list(lost(wrong, seed, LAYERS)) == ["conv_forward"]

    @pytest.mark.parametrize(
        ("edit", "parts"),
        [
            ((conv.CUT, "dx = dpadded[:, :, pad:-pad, pad:-pad]"), [checks.NO_BORDER]),
            ((conv.CUT, "dx = dpadded[:, :, pad : pad + H, pad : pad + H]"), [checks.OTHER_SHAPES]),
            ((conv.DX, conv.DX.replace("+=", "=")), ["dx"]),
            ((conv.DW, conv.DW.replace("+=", "=")), ["dw"]),
            ((conv.DB, "db = dout.sum(axis=0)"), ["db"]),
            ((conv.DB, "db = None"), ["db"]),
            (("return dx, dw, db", "x[...] = dx; return dx, dw, db"), ["a second call"]),
            (("return dx, dw, db", "w *= 0; return dx, dw, db"), ["a second call"]),
        ],
    )
    def test_a_wrong_gradient_costs_its_part(self, edit, parts):
        assert lost({conv.BACKWARD: edited(conv.BACKWARD, edit)}) == {"conv_backward": parts}

    def test_a_forward_pass_that_raises_with_wide_borders_costs_its_own_points(self):
        def narrow(x, w, b, conv_param):
            if conv_param["pad"] > 1:
                raise IndexError("too wide")
            return conv_forward_naive(x, w, b, conv_param)

        found = lost({conv.FORWARD: narrow}, grade_ids=LAYERS)
        assert found == {"conv_forward": ["out", checks.OTHER_SHAPES], "conv_backward": [checks.OTHER_SHAPES]}

    def test_what_is_wrong_is_said(self):
        still = conv.DX.replace("top : top + HH, left : left + WW", "i : i + HH, j : j + WW")
        wrong = {conv.BACKWARD: edited(conv.BACKWARD, (conv.DX, still))}
        assert outcome("conv_backward", wrong).pattern() == "dx is right only with stride 1."
        one = {conv.FORWARD: edited(conv.FORWARD, (conv.PADDED, conv.PADDED.replace("(pad, pad)", "(1, 1)")))}
        assert outcome("conv_forward", one).pattern() == "out is right only with a border of 1."


POOLINGS = {
    "mean": (
        [(pool.MAX, pool.MAX.replace("max", "mean"))],
        [(pool.GIVEN, f"{pool.WHOLE} += dout[:, :, i, j, None, None] / (HH * WW)")],
    ),
    "minimum": (
        [(pool.MAX, pool.MAX.replace("max", "min"))],
        [(pool.WHERE, pool.WHERE.replace("argmax", "argmin"))],
    ),
    "first of the window": (
        [(pool.MAX, f"{pool.WINDOW}[:, :, 0, 0]")],
        [(pool.WHERE, "row, column = 0 * window.argmax(axis=2), 0")],
    ),
    "stride ignored": (
        [(pool.PLACE, "top, left = i, j")],
        [(pool.PLACE, "top, left = i, j")],
    ),
}


class TestPooling:
    @pytest.mark.parametrize("name", POOLINGS)
    def test_a_mistake_in_both_passes_costs_the_forward_pass(self, name):
        forward, backward = POOLINGS[name]
        wrong = {
            pool.FORWARD: edited(pool.FORWARD, *forward),
            pool.BACKWARD: edited(pool.BACKWARD, *backward),
        }
        for seed in "ab":
            assert list(lost(wrong, seed, LAYERS)) == ["max_pool_forward"]

    @pytest.mark.parametrize(
        ("edit", "parts"),
        [
            ((pool.GIVEN, pool.GIVEN.replace("+=", "=")), [checks.OVERLAP]),
            (("i in range(H_out)", "i in range(min(H_out, W_out))"), [checks.OTHER_WINDOWS]),
            ((pool.PLACE, "top, left = i * min(stride, HH), j * min(stride, WW)"), [checks.GAPS]),
            (("    return dx", "    x[...] = dx\n    return x"), ["a second call"]),
        ],
    )
    def test_a_wrong_gradient_costs_its_part(self, edit, parts):
        assert lost({pool.BACKWARD: edited(pool.BACKWARD, edit)}) == {"max_pool_backward": parts}

    @pytest.mark.parametrize(
        ("edit", "parts"),
        [
            ((pool.MAX, pool.MAX.replace("left + WW", "left + HH")), [checks.OTHER_WINDOWS]),
            ((pool.PLACE, "top, left = min(i * HH, 6), min(j * WW, 6)"), [checks.OVERLAP, checks.GAPS]),
        ],
    )
    def test_a_wrong_output_costs_its_part(self, edit, parts):
        edits = [edit, (".max(axis=(2, 3))", ".max(axis=(2, 3), initial=-99)")]
        wrong = {pool.FORWARD: edited(pool.FORWARD, *edits)}
        assert lost(wrong, grade_ids=["max_pool_forward"]) == {"max_pool_forward": parts}


class TestNetwork:
    @pytest.mark.parametrize("seed", "abc")
    @pytest.mark.parametrize(
        "edits",
        [
            [  # ReLU on the scores
                ("scores, scores_cache = affine_forward(", "scores, scores_cache = affine_relu_forward("),
                ("= affine_backward(dscores, scores_cache)", "= affine_relu_backward(dscores, scores_cache)"),
            ],
            [  # no ReLU between the affine layers
                ("hidden, hidden_cache = affine_relu_forward(", "hidden, hidden_cache = affine_forward("),
                ("affine_relu_backward(dhidden, hidden_cache)", "affine_backward(dhidden, hidden_cache)"),
            ],
            [("return scores", "return 1 / (1 + np.exp(-scores))")],
        ],
    )
    def test_wrong_scores_cost_the_scores(self, edits, seed):
        assert lost({LOSS: edited(LOSS, *edits)}, seed) == {"conv_net_loss": ["scores"]}

    @pytest.mark.parametrize("name", ["W1", "W2", "W3"])
    def test_an_l2_term_fails_alone(self, name):
        loss, gradient = (
            (f"np.vdot({name}, {name})", "0"),
            (f'    grads["{name}"] += self.reg * {name}\n', ""),
        )
        parts = [checks.L2_LOSS[name], checks.L2_GRADIENTS[name]]
        assert lost({LOSS: edited(LOSS, loss)}) == {"conv_net_loss": parts[:1]}
        assert lost({LOSS: edited(LOSS, gradient)}) == {"conv_net_loss": parts[1:]}
        assert lost({LOSS: edited(LOSS, loss, gradient)}) == {"conv_net_loss": parts}

    def test_a_square_image_is_assumed(self):
        square = edited(INIT, ("(H // 2) * (W // 2)", "(H // 2) ** 2"))
        assert lost({INIT: square}) == {"conv_net_init": [checks.OTHER_IMAGES]}
        transposed = edited(
            LOSS,
            (
                "hidden, hidden_cache =",
                "pooled = pooled.reshape(len(X), len(W1), -1, X.shape[2] // 2).reshape(pooled.shape[:2] + "
                "(X.shape[3] // 2, X.shape[2] // 2)).swapaxes(2, 3).reshape(len(X), -1) "
                "if X.shape[2] != X.shape[3] else pooled; hidden, hidden_cache =",
            ),
        )
        assert lost({LOSS: transposed}) == {"conv_net_loss": [checks.OTHER_IMAGES]}

    @pytest.mark.parametrize(
        ("edit", "parts"),
        [
            (("num_filters * (H // 2) * (W // 2)", "(H // 2) * (W // 2)"), ["shapes", checks.OTHER_IMAGES]),
            (("np.zeros(num_filters)", "np.zeros(C)"), ["shapes"]),
            (("np.zeros(num_filters)", "np.ones(num_filters)"), ["biases"]),
            (("randn(pooled, ", "rand(pooled, "), ["weights"]),
        ],
    )
    def test_a_wrong_parameter_costs_one_part(self, edit, parts):
        assert lost({INIT: edited(INIT, edit)}) == {"conv_net_init": parts}

    def test_copied_weights_are_noticed(self):
        def init(self, *args, **kwargs):
            ThreeLayerConvNet.__init__(self, *args, **kwargs)
            draw = np.random.randn(max(p.size for p in self.params.values())) * kwargs["weight_scale"]
            for name in ("W1", "W2", "W3"):
                self.params[name] = draw[: self.params[name].size].reshape(self.params[name].shape)

        assert lost({INIT: init}, grade_ids=["conv_net_init"]) == {"conv_net_init": ["weights"]}


# ---- made-up answers and rubbish


def _zeros(x, w, b, conv_param):
    return 0 * conv_forward_naive(x, w, b, conv_param)[0], (x, w, b)


def _totals(x, w, b, conv_param):
    return _zeros(x, w, b, conv_param)[0] + x.sum() + w.sum() + b.sum(), (x, w, b)


MADE_UP = {
    "convolution of zeros": {
        conv.FORWARD: _zeros,
        conv.BACKWARD: lambda dout, cache: tuple(np.zeros(a.shape) for a in cache),
    },
    "sums of everything": {
        conv.FORWARD: _totals,
        conv.BACKWARD: lambda dout, cache: tuple(np.full(a.shape, dout.sum()) for a in cache),
    },
    "pooling of zeros": {
        pool.FORWARD: lambda x, p: (0 * max_pool_forward_naive(x, p)[0], x),
        pool.BACKWARD: lambda dout, x: np.zeros(x.shape),
    },
    "mean of all": {
        pool.FORWARD: lambda x, p: (0 * max_pool_forward_naive(x, p)[0] + x.mean(), x),
        pool.BACKWARD: lambda dout, x: np.full(x.shape, dout.sum() / x.size),
    },
    "the input itself": {pool.FORWARD: lambda x, p: (x, x), pool.BACKWARD: lambda dout, x: dout},
}


@pytest.mark.parametrize("name", MADE_UP)
def test_made_up_answers_earn_nothing(name):
    replaced = MADE_UP[name]
    for grade_id in LAYERS:
        if find(NOTEBOOK, grade_id).function in replaced:
            assert outcome(grade_id, replaced).fraction == 0


@pytest.mark.parametrize(
    "returned", [None, 3, "text", np.zeros((2, 3)), (), (1, 2), (1, 2, 3), [1], {}, np.array("a")], ids=repr
)
@pytest.mark.parametrize("grade_id", [g for g in CORE if g != "conv_net_init"])
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    found = outcome(grade_id, {find(NOTEBOOK, grade_id).function: lambda *args: returned})
    assert found.fraction == 0
    assert found.errors or not any(c.passed for c in found.comparisons)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_earns_nothing(value):
    def spoilt(function):
        @functools.wraps(function)
        def wrapped(*args):
            returned = function(*args)
            many = isinstance(returned, tuple)
            values = [
                v * value if isinstance(v, np.ndarray) else v for v in (returned if many else [returned])
            ]
            return tuple(values) if many else values[0]

        return wrapped

    for function in (
        conv_forward_naive,
        conv_backward_naive,
        max_pool_forward_naive,
        max_pool_backward_naive,
    ):
        grade_id = function.__name__.removesuffix("_naive")
        assert outcome(grade_id, {find(NOTEBOOK, grade_id).function: spoilt(function)}).fraction == 0


@pytest.mark.parametrize("rubbish", [None, 3, "text", np.zeros(3), (), (1, 2)], ids=repr)
def test_a_rubbish_forward_pass_is_survived_by_the_backward_check(rubbish):
    for module, grade_id in ((conv, "conv_backward"), (pool, "max_pool_backward")):
        found = outcome(grade_id, {module.FORWARD: lambda *args: rubbish})
        assert found.fraction == 0


@pytest.mark.parametrize(
    "params",
    [None, 3, [], {}, {"W1": "text"}, {"W1": np.array(["a"])}, {"W1": np.zeros((90, 120))}],
    ids=repr,
)
def test_rubbish_parameters_earn_nothing(params):
    def init(self, **kwargs):
        self.params = params

    assert outcome("conv_net_init", {INIT: init}).fraction == 0


@pytest.mark.parametrize("grade_id", LAYERS)
@pytest.mark.parametrize("kind", ["timeout", "crash", "not_attempted"])
def test_code_that_hangs_is_asked_once(grade_id, kind):
    calls = []

    def hangs(*args):
        calls.append(args)
        raise StudentError(kind, "did not finish")

    class Hanging(LocalStudent):
        def call(self, path, *args, **kwargs):
            return hangs() if "naive" in path else super().call(path, *args, **kwargs)

    found = run_check(find(NOTEBOOK, grade_id), Hanging(), "seed")
    assert found.fraction == 0
    assert len(calls) == 1
    assert found.errors


# ---- the saved network


class TestBestNetwork:
    F, SIZE, HIDDEN = 4, 5, 8

    @pytest.fixture
    def model(self, rng):
        net = ThreeLayerConvNet(num_filters=self.F, filter_size=self.SIZE, hidden_dim=self.HIDDEN)
        params = {
            name: 0.05 * rng.standard_normal(p.shape).astype(np.float32) for name, p in net.params.items()
        }
        return {**params, "mean_image": np.full((3, 32, 32), 120.0), "dataset": np.array("shapes10")}

    def found(self, model, replaced=None):
        return outcome("best_conv_net", replaced, files={"best_conv_net.npz": model})

    def expected(self, model):
        """The accuracy that the saved weights have on the hidden images, computed in another way."""
        rng = np.random.default_rng(number_from("seed", NOTEBOOK, "best_conv_net"))
        images, labels = shapes10.generate(checks.IMAGES, int(rng.integers(2**31)))
        X = images.transpose(0, 3, 1, 2) - model["mean_image"]
        size = model["W1"].shape[2]
        padded = np.pad(X, ((0, 0), (0, 0), (size // 2, size // 2), (size // 2, size // 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
        maps = np.tensordot(windows, model["W1"], axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2)
        maps = np.maximum(maps + model["b1"].reshape(1, -1, 1, 1), 0)
        pooled = maps.reshape(*maps.shape[:2], 16, 2, 16, 2).max(axis=(3, 5)).reshape(len(X), -1)
        hidden = np.maximum(pooled @ model["W2"] + model["b2"], 0)
        return np.mean((hidden @ model["W3"] + model["b3"]).argmax(axis=1) == labels)

    def test_points_are_the_accuracy_on_the_scale(self, model):
        assert self.found(model).fraction == pytest.approx(self.expected(model), abs=0.0051)

    def test_other_dtypes_and_row_biases_count(self, model):
        plain = self.found(model).fraction
        model = {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in model.items()}
        model |= {name: model[name][None] for name in ("b1", "b2", "b3")}
        assert self.found(model).fraction == pytest.approx(plain, abs=0.011)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"dataset": np.array("mnist")}, "does not say which data set"),
            ({"dataset": np.array([1, 2])}, "does not say which data set"),
            ({"W1": np.zeros((4, 3, 5, 3), np.float32)}, "W1 in best_conv_net.npz should be floats"),
            ({"W1": np.zeros((4, 1, 5, 5), np.float32)}, "W1 in best"),
            ({"W1": np.zeros((4, 75), np.float32)}, "W1 in best"),
            ({"W1": np.zeros((4, 3, 4, 4), np.float32)}, "odd"),
            ({"W1": np.zeros((0, 3, 5, 5), np.float32)}, "W1 in best"),
            ({"W2": np.zeros((8, 1024), np.float32)}, "W2 in best"),
            ({"W3": np.full((8, 10), np.nan, np.float32)}, "W3 in best"),
            ({"b2": np.zeros(8, dtype=int)}, "b2 in best"),
            ({"b2": np.zeros(0)}, "W2 in best"),
            ({"b1": np.array(["a"] * 4)}, "b1 in best"),
            ({"mean_image": np.zeros((32, 32, 3))}, "mean_image in best"),
            ({"W3": np.full((8, 10), 1e300)}, "finite scores"),
        ],
    )
    def test_a_network_that_does_not_fit_is_refused_in_words(self, model, change, says):
        found = self.found(model | change)
        assert found.fraction == 0
        assert says in found.errors[0].message

    @pytest.mark.parametrize("shape", [(600, 3, 1, 1), (200, 3, 11, 11), (2, 3, 999, 999), (1, 3, 5000, 1)])
    def test_a_network_that_is_too_large_is_not_run(self, model, shape):
        started = time.perf_counter()
        found = self.found(model | {"W1": np.broadcast_to(np.float32(0), shape)})
        assert found.fraction == 0
        assert "a person grades" in found.by_hand or found.errors
        assert time.perf_counter() - started < 2

    def test_a_network_that_was_not_saved_is_missed(self):
        found = outcome("best_conv_net", files={})
        assert found.fraction == 0
        assert "was not handed in" in found.errors[0].message

    def test_predictions_that_are_no_scores_earn_nothing(self, model):
        found = self.found(model, {LOSS: lambda self, X, y=None: np.zeros((len(X), 9))})
        assert found.fraction == 0

    def test_without_cifar10_a_person_grades_it(self, model, tmp_path, monkeypatch):
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        found = self.found(model | {"dataset": np.array("cifar10")})
        assert "a person grades it" in found.by_hand
        assert found.fraction == 0

    def test_scores_are_asked_in_float32(self, model):
        dtypes = set()

        def loss(self, X, y=None):
            dtypes.update({X.dtype, *(p.dtype for p in self.params.values())})
            return np.zeros((len(X), 10), dtype=np.float32)

        self.found(model, {LOSS: loss})
        assert dtypes == {np.dtype(np.float32)}
