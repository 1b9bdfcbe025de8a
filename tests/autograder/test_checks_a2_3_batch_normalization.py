"""The checks of a2/3_batch_normalization: one bug costs one loss, made-up answers earn nothing."""

import numpy as np
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks import a2_3_batch_normalization as checks
from autograder.checks.running import run_check
from autograder.course import REPOSITORY, Assignment, Course
from autograder.misconceptions import edited
from autograder.misconceptions import registered as misconceptions
from handgrad.layers import batchnorm_backward, batchnorm_forward, layernorm_backward, layernorm_forward

NOTEBOOK = "a2/3_batch_normalization"
BATCH = "handgrad.layers.norm.batchnorm_"
LAYER = "handgrad.layers.norm.layernorm_"
NET = "handgrad.classifiers.fc_net.FullyConnectedNet."
LAYERS = [
    "batchnorm_forward", "batchnorm_test_mode", "batchnorm_backward", "batchnorm_backward_alt",
    "layernorm_forward", "layernorm_backward",
]  # fmt: skip
NETS = ["batchnorm_net", "layernorm_net"]


def outcome(grade_id, replaced=None, seed="seed"):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced), seed)


def lost(replaced, grade_ids, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in grade_ids}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a2").grade_cells
    mine = {c.grade_id for c in cells if c.kind == "auto" and c.notebook == "3_batch_normalization"}
    assert mine == {*LAYERS, *NETS}
    assert all(find(NOTEBOOK, grade_id) for grade_id in mine)


@pytest.mark.parametrize("grade_id", LAYERS + NETS)
def test_the_reference_passes_on_twenty_seeds(grade_id):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed)).fraction == 1


@pytest.mark.parametrize("grade_id", LAYERS + NETS)
def test_core_behaviour_carries_four_fifths(grade_id):
    parts = find(NOTEBOOK, grade_id).parts
    unusual = ["eps", "other eps", "test mode", "statistics unchanged"]
    assert sum(parts.get(name, 0) for name in unusual) <= 0.2 * sum(parts.values()) + 1e-9


# ---- one bug, one loss


def doubled_forward(x, gamma, beta, param):
    return batchnorm_forward(x, 2 * gamma, beta, param)


def doubled_backward(dout, cache):
    dx, dgamma, dbeta = batchnorm_backward(dout, cache)
    return dx, 2 * dgamma, dbeta


def test_a_scale_too_large_both_ways_costs_the_forward_pass():
    backward = {BATCH + "backward": doubled_backward, BATCH + "backward_alt": doubled_backward}
    wrong = {BATCH + "forward": doubled_forward} | backward
    assert lost(wrong, LAYERS) == {"batchnorm_forward": ["out"]}


def test_layer_norm_with_a_scale_too_large_both_ways_costs_the_forward_pass():
    def backward(dout, cache):
        dx, dgamma, dbeta = layernorm_backward(dout, cache)
        return dx, 2 * dgamma, dbeta

    wrong = {
        LAYER + "forward": lambda x, gamma, beta, param: layernorm_forward(x, 2 * gamma, beta, param),
        LAYER + "backward": backward,
    }
    assert lost(wrong, LAYERS) == {"layernorm_forward": ["out"]}


@pytest.mark.parametrize("seed", ["1", "2", "3"])
@pytest.mark.parametrize(
    ("id", "version", "cells"),
    [
        ("bn_without_beta", 0, {"batchnorm_forward": ["out"]}),
        ("bn_without_gamma_and_beta", 0, {"batchnorm_forward": ["out"]}),
        ("bn_gamma_beta_swapped", 0, {"batchnorm_forward": ["out"]}),
        ("bn_variance_unbiased", 0, {"batchnorm_forward": ["out"]}),
        ("bn_variance_unbiased", 1, {"batchnorm_test_mode": ["running_var"]}),
        ("bn_eps_missing", 0, {"batchnorm_forward": ["eps"]}),
        ("bn_eps_fixed", 0, {"batchnorm_forward": ["eps"]}),
        ("bn_running_deviation", 0, {"batchnorm_test_mode": ["running_var"]}),
        ("bn_running_deviation", 1, {"batchnorm_test_mode": ["running_var"]}),
        ("bn_running_overwritten", 0, {"batchnorm_test_mode": ["running_mean", "running_var"]}),
        ("bn_test_batch_statistics", 0, {"batchnorm_test_mode": ["out"]}),
        ("bn_test_without_gamma_and_beta", 0, {"batchnorm_test_mode": ["out"]}),
        ("bn_test_averages_on", 0, {"batchnorm_test_mode": ["statistics unchanged"]}),
        ("bn_back_constants", 0, {"batchnorm_backward": ["dx"]}),
        ("bn_back_sums_averaged", 1, {"batchnorm_backward": ["dgamma"]}),
        ("bn_back_sums_averaged", 2, {"batchnorm_backward": ["dbeta"]}),
        ("bn_back_test_as_training", 0, {"batchnorm_backward": ["test mode"]}),
        ("bn_back_eps_fixed", 0, {"batchnorm_backward": ["other eps"]}),
        ("bn_alt_n_missing", 0, {"batchnorm_backward_alt": ["dx"]}),
        ("bn_alt_test_as_training", 0, {"batchnorm_backward_alt": ["test mode"]}),
        ("ln_without_gamma", 0, {"layernorm_forward": ["out"]}),
        ("ln_eps_missing", 0, {"layernorm_forward": ["eps"]}),
        ("ln_eps_fixed", 0, {"layernorm_forward": ["eps"]}),
        ("ln_back_divided_by_n", 0, {"layernorm_backward": ["dx"]}),
        ("ln_back_sums_over_features", 1, {"layernorm_backward": ["dgamma"]}),
    ],
)
def test_a_layers_mistake_costs_its_own_parts(id, version, cells, seed):
    known = misconceptions()[id]
    found = lost({known.function: known.versions[version]}, LAYERS, seed)
    assert {cell: [part for part in parts if part != "other eps" or parts == ["other eps"]]
            for cell, parts in found.items()} == cells  # fmt: skip


@pytest.mark.parametrize(
    ("id", "version", "cells"),
    [
        ("fc_norm_fresh_bn_param", 0, {"batchnorm_net": ["scores in test mode"]}),
        ("fc_norm_fresh_bn_param", 1, {"batchnorm_net": ["scores in test mode"]}),
        ("fc_norm_always_training", 0, {"batchnorm_net": ["scores in test mode"]}),
        ("fc_norm_decayed", 0, {"batchnorm_net": [checks.DECAY]}),
        ("fc_norm_decayed", 1, {"batchnorm_net": [checks.DECAY]}),
        ("fc_norm_decayed", 2, {"batchnorm_net": [checks.DECAY]}),
        ("fc_norm_init_missing", 0, {"batchnorm_net": [checks.START]}),
        ("fc_norm_init_sized_by_inputs", 0, {"batchnorm_net": [checks.START]}),
        ("fc_norm_init_batchnorm_only", 0, {"layernorm_net": [checks.START]}),
        ("fc_norm_init_last_layer_too", 0, {"batchnorm_net": [checks.START]}),
        ("fc_norm_gradients_swapped", 0, {cell: [checks.DATA[0]] for cell in NETS}),
    ],
)
def test_a_networks_mistake_costs_its_own_parts(id, version, cells):
    known = misconceptions()[id]
    assert lost({known.function: known.versions[version]}, NETS) == cells


RELU = "hidden, relu_cache = relu_forward(hidden)"
SCORES = 'scores, scores_cache = affine_forward(hidden, self.params[f"W{L}"], self.params[f"b{L}"])'
RELU_BACK = "dhidden = relu_backward(dhidden, relu_cache)"
LOSS = "loss, dscores = softmax_loss(scores, y)"
RETURN = "\n    return loss, grads\n"
L2 = "loss += 0.5 * self.reg * np.sum(W**2)"
DL2 = 'grads[f"W{i}"] += self.reg * W'
WRONG_WITHOUT_NORMALISATION = {
    "relu on the scores": [
        (SCORES, SCORES + "\n    scores, last = relu_forward(scores)"),
        (LOSS, LOSS + "; dscores *= last > 0"),
    ],
    "relu on the scores, forward alone": [(SCORES, SCORES + "\n    scores, _ = relu_forward(scores)")],
    "no hidden relu": [
        (RELU, ""),
        ("caches.append((affine_cache, norm_cache, relu_cache, dropout_cache))",
         "caches.append((affine_cache, norm_cache, None, dropout_cache))"),
        (RELU_BACK, ""),
    ],
    "no relu in the backward pass": [(RELU_BACK, "")],
    "relu in the first layer alone": [
        (RELU, "if i == 1: " + RELU),
        (RELU_BACK, "if i == 1: " + RELU_BACK),
    ],
    "loss averaged again": [(RETURN, RETURN.replace("loss,", "loss / len(X),"))],
    "gradients averaged again": [
        (RETURN, RETURN.replace("grads", "{name: g / len(X) for name, g in grads.items()}"))
    ],
    "no bias in the last layer": [(SCORES, SCORES.replace('self.params[f"b', '0 * self.params[f"b'))],
    "L2 of all parameters": [
        (L2, "loss += 0.5 * self.reg * sum(np.sum(p**2) for p in self.params.values()) / self.num_layers"),
        (DL2, "if i == 1:\n            grads = {n: g + self.reg * self.params[n] for n, g in grads.items()}"),
    ],
    "L2 of no parameters": [(L2, ""), (DL2, "")],
    "L2 of the first layer": [(L2, "loss += 0.5 * self.reg * np.sum(W**2) * (i == 1)")],
    "L2 of the square of the sum": [(L2, "loss += 0.5 * self.reg * np.sum(W) ** 2")],
    "L2 of the sum": [(DL2, 'grads[f"W{i}"] += self.reg * W.sum()')],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_WITHOUT_NORMALISATION)
def test_what_is_wrong_without_normalisation_has_cost_points_elsewhere(name):
    wrong = {NET + "loss": edited(NET + "loss", *WRONG_WITHOUT_NORMALISATION[name])}
    for seed in "123":
        assert lost(wrong, NETS, seed) == {}


def test_a_network_wrong_in_both_ways_loses_points_for_normalisation():
    known = misconceptions()["fc_norm_missing"]
    relu_on_scores = edited(NET + "loss", *WRONG_WITHOUT_NORMALISATION["relu on the scores"])
    assert known.versions

    def wrong(self, X, y=None):
        kept, self.normalization = self.normalization, None
        result = relu_on_scores(self, X, y)
        self.normalization = kept
        return result

    assert set(lost({NET + "loss": wrong}, NETS)) == set(NETS)


# ---- nothing for nothing


MADE_UP = {
    "zeros": lambda x: np.zeros(x.shape),
    "ones": lambda x: np.ones(x.shape),
    "x itself": lambda x: x,
}


@pytest.mark.parametrize("name", MADE_UP)
def test_made_up_layers_earn_nothing(name):
    def forward(x, gamma, beta, param):
        return MADE_UP[name](x), (x, gamma)

    def backward(dout, cache):
        _, gamma = cache
        return MADE_UP[name](dout), 0 * gamma + (name == "ones"), 0 * gamma + (name == "ones")

    functions = {BATCH + "forward": forward, LAYER + "forward": forward}
    functions |= dict.fromkeys((BATCH + "backward", BATCH + "backward_alt", LAYER + "backward"), backward)
    for grade_id in LAYERS:
        assert outcome(grade_id, functions).fraction == 0, grade_id


def zero_net(self, X, y=None):
    return np.zeros((len(X), 5)) if y is None else (0.0, {n: 0 * p for n, p in self.params.items()})


def constant_net(self, X, y=None):
    return np.ones((len(X), 5)) if y is None else (1.6, {n: np.ones_like(p) for n, p in self.params.items()})


@pytest.mark.parametrize("loss", [zero_net, constant_net])
def test_made_up_networks_earn_nothing_but_for_right_parameters(loss):
    earned = {
        grade_id: [part for part in found.parts if found.share(part)]
        for grade_id in NETS
        if (found := outcome(grade_id, {NET + "loss": loss}))
    }
    assert set(earned["batchnorm_net"]) <= {checks.START, checks.DECAY}
    assert set(earned["layernorm_net"]) <= {checks.START}


RUBBISH = [None, 3, "text", np.zeros((2, 3)), (), (1, 2), (1, 2, 3), (1, 2, 3, 4), [1], {}, object]
RUBBISH += [(np.full((5, 5), np.nan), None), (np.zeros((5, 5), dtype=int), None), (["a"], {})]


@pytest.mark.parametrize("returned", RUBBISH, ids=repr)
@pytest.mark.parametrize("grade_id", LAYERS)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    found = outcome(grade_id, {find(NOTEBOOK, grade_id).function: lambda *args: returned})
    assert found.fraction == 0
    assert found.errors or not any(c.passed for c in found.comparisons)


@pytest.mark.parametrize("returned", RUBBISH, ids=repr)
def test_a_network_of_rubbish_has_its_parameters_at_most(returned):
    for grade_id in NETS:
        found = outcome(grade_id, {NET + "loss": lambda self, X, y=None: returned})
        assert [part for part in found.parts if found.share(part)] == [checks.START]


@pytest.mark.parametrize("params", [None, 3, [], {}, {"gamma1": "text"}, {"gamma1": np.array(["a"])}])
def test_rubbish_parameters_earn_nothing_and_are_survived(params):
    def init(self, *args, **kwargs):
        self.params, self.bn_params = params, []

    for grade_id in NETS:
        assert outcome(grade_id, {NET + "__init__": init}).fraction == 0


@pytest.mark.parametrize("kept", [None, "text", 3, [1], {"a": 1}, np.full(5, np.nan), np.zeros((5, 5))])
def test_rubbish_as_running_averages_costs_these(kept):
    def forward(x, gamma, beta, bn_param):
        out, cache = batchnorm_forward(x, gamma, beta, {"mode": "train"} | bn_param)
        if bn_param["mode"] == "train":
            bn_param["running_mean"] = bn_param["running_var"] = kept
        return out, cache

    failed = outcome("batchnorm_test_mode", {BATCH + "forward": forward}).failed_parts
    assert failed[:2] == ["running_mean", "running_var"]


# ---- the second oracle


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def tensors(torch, *arrays):
    return [torch.tensor(np.ascontiguousarray(array), requires_grad=True) for array in arrays]


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("eps", [1e-5, 0.25])
def test_batch_norm_is_that_of_pytorch(torch, rng, mode, eps):
    for x, gamma, beta in checks._layer_inputs(rng, axis=0):
        param = {"mode": mode, "eps": eps, "momentum": 0.7, **checks._statistics(rng, x.shape[1])}
        running = [torch.tensor(param[name]) for name in ("running_mean", "running_var")]
        inputs = tensors(torch, x, gamma, beta)
        expected = torch.nn.functional.batch_norm(
            inputs[0], *running, *inputs[1:], training=mode == "train", momentum=0.3, eps=eps
        )
        dout = rng.standard_normal(x.shape)
        expected.backward(torch.tensor(dout))
        old = param["running_var"]
        out, cache = batchnorm_forward(x, gamma, beta, param)
        np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-9, atol=1e-9)
        for got, right in zip(batchnorm_backward(dout, cache), inputs, strict=True):
            np.testing.assert_allclose(got, right.grad.numpy(), rtol=1e-9, atol=1e-9)
        for got, right in zip(checks.batchnorm_backward_alt(dout, cache), inputs, strict=True):
            np.testing.assert_allclose(got, right.grad.numpy(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(param["running_mean"], running[0].numpy(), rtol=1e-9)
        variance = running[1].numpy()
        if mode == "train":  # PyTorch's running variance divides by N - 1
            variance = 0.7 * old + (variance - 0.7 * old) * (len(x) - 1) / len(x)
        np.testing.assert_allclose(param["running_var"], variance, rtol=1e-9)


@pytest.mark.parametrize("eps", [1e-5, 0.25])
def test_layer_norm_is_that_of_pytorch(torch, rng, eps):
    for x, gamma, beta in checks._layer_inputs(rng, axis=1):
        inputs = tensors(torch, x, gamma, beta)
        expected = torch.nn.functional.layer_norm(inputs[0], x.shape[1:], *inputs[1:], eps=eps)
        dout = rng.standard_normal(x.shape)
        expected.backward(torch.tensor(dout))
        out, cache = layernorm_forward(x, gamma, beta, {"eps": eps})
        np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-9, atol=1e-9)
        for got, right in zip(layernorm_backward(dout, cache), inputs, strict=True):
            np.testing.assert_allclose(got, right.grad.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("normalization", ["batchnorm", "layernorm"])
def test_networks_are_those_of_pytorch(torch, rng, normalization):
    task = checks._Task.draw(rng, normalization)
    params = dict(zip(task.params, tensors(torch, *task.params.values()), strict=True))

    def scores(X, training):
        hidden = torch.tensor(X)
        for i in range(1, task.layers):
            hidden = hidden @ params[f"W{i}"] + params[f"b{i}"]
            scale, shift = params[f"gamma{i}"], params[f"beta{i}"]
            if normalization == "layernorm":
                hidden = torch.nn.functional.layer_norm(hidden, hidden.shape[1:], scale, shift)
            else:
                hidden = torch.nn.functional.batch_norm(hidden, *running[i], scale, shift, training)
            hidden = torch.relu(hidden)
        return hidden @ params[f"W{task.layers}"] + params[f"b{task.layers}"]

    running = dict.fromkeys(range(1, task.layers), (None, None))
    loss = torch.nn.functional.cross_entropy(scores(task.X, True), torch.tensor(task.y))
    loss.backward()
    net = checks._reference(task)
    own_loss, grads = net.loss(task.X, task.y)
    assert own_loss == pytest.approx(loss.item(), rel=1e-9)
    for name, value in params.items():
        np.testing.assert_allclose(grads[name], value.grad.numpy(), rtol=1e-8, atol=1e-10)
    for i, bn_param in enumerate(net.bn_params, 1):
        running[i] = tuple(torch.tensor(bn_param[f"running_{name}"]) for name in ("mean", "var"))
    X = rng.standard_normal((4, task.X.shape[1]))
    np.testing.assert_allclose(net.loss(X), scores(X, False).detach().numpy(), rtol=1e-9, atol=1e-9)


def test_both_places_of_eps_give_the_same_where_another_eps_counts():
    d = checks.DEVIATION
    assert np.sqrt(d**2 + checks.EPS) == pytest.approx(d + checks.EPS, rel=1e-12)
