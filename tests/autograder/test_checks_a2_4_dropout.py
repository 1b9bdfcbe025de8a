"""The checks of a2/4_dropout pass what is right however it draws, and one bug costs one loss."""

import types

import numpy as np
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks import a2_4_dropout as checks
from autograder.checks.running import run_check
from autograder.course import REPOSITORY, Assignment, Course
from autograder.misconceptions import edited
from autograder.misconceptions.dropout import layer
from autograder.misconceptions.explain import recognise
from autograder.misconceptions.fc_net_dropout import BACKWARD as NET_BACKWARD
from autograder.misconceptions.fc_net_dropout import FORWARD as NET_FORWARD
from autograder.variants import a2_4_dropout as variants
from handgrad.classifiers.fc_net import FullyConnectedNet
from handgrad.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from handgrad.layers import dropout_backward, dropout_forward

NOTEBOOK = "a2/4_dropout"
CELLS = ["dropout_forward", "dropout_backward", "dropout_net"]
FORWARD, BACKWARD, LOSS = checks.FORWARD, checks.BACKWARD, checks.LOSS


def outcome(grade_id, replaced=None, seed="seed", own_seed=0):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced, seed=own_seed), seed)


def lost(replaced, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in CELLS}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def net_with(forward, backward=dropout_backward):
    """The reference's loss with another dropout layer."""
    loss = FullyConnectedNet.loss
    names = {**loss.__globals__, "dropout_forward": forward, "dropout_backward": backward}
    return types.FunctionType(loss.__code__, names, "loss", loss.__defaults__)


def by_mask(forward):
    """The layer of a forward pass whose cache is (shape, mask)."""
    return {FORWARD: forward, LOSS: net_with(forward)}


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a2").grade_cells
    assert [c.grade_id for c in cells if c.kind == "auto" and c.notebook == "4_dropout"] == CELLS
    assert all(find(NOTEBOOK, grade_id) for grade_id in CELLS)


@pytest.mark.parametrize("grade_id", CELLS)
def test_the_reference_passes_on_many_seeds(grade_id):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed), own_seed=seed).fraction == 1


@pytest.mark.parametrize("draw", [variants.binomial, variants.above, variants.weighted_choice])
def test_statistics_stay_in_their_tolerances(draw):
    """Chance fails no right solution: no statistic comes near eight standard deviations in these runs."""
    forward, backward = variants.mask_layer(draw)
    for seed in range(12):
        replaced = {FORWARD: forward, BACKWARD: backward}
        assert outcome("dropout_forward", replaced, str(seed), own_seed=seed).fraction == 1
        assert outcome("dropout_backward", replaced, str(seed), own_seed=seed).fraction == 1


class TestSecondOracle:
    """What the checks take for right is the numerical gradient."""

    @pytest.mark.parametrize("mode", ["train", "test"])
    def test_dropout(self, rng, mode):
        x, dout = checks._away_from_0(rng, (4, 3, 5)), rng.standard_normal((4, 3, 5))
        param = {"p": 0.4, "mode": mode, "seed": 3}
        out, cache = dropout_forward(x, param)
        numerical = eval_numerical_gradient_array(lambda x: dropout_forward(x, param)[0], x, dout)
        assert np.allclose(dropout_backward(dout, cache), numerical)
        assert np.allclose(dout * out / x, numerical)

    def test_network(self, rng):
        net = checks._Net(LocalStudent(), rng, (2, 3), (5, 4), 0.6, Unpacked)
        reference = net._net(dropout=0.6, seed=None)
        loss, grads = net.loss_and_gradients()
        for name, value in net.params.items():

            def changed(value, name=name):
                net.params[name] = value
                return net.loss_and_gradients()[0]

            assert np.allclose(grads[name], eval_numerical_gradient(changed, value.copy()), atol=1e-7)
            net.params[name] = value
        net_loss, handle = net.dropping.loss(net.X, net.y)
        assert loss == pytest.approx(net_loss)
        assert all(np.allclose(handle.value()[name], g) for name, g in grads.items())
        assert np.allclose(reference.loss(net.X), net.scores())
        assert net.own(loss)[0] == pytest.approx(loss)
        assert all(np.allclose(value, grads[name]) for name, value in net.own(loss)[1].items())


class Unpacked:
    """In the place of `expect`, to build the check's networks."""

    @staticmethod
    def unpack(returned, *names, of):
        return returned


class TestOneBugOneLoss:
    def test_no_scale_both_ways(self):
        assert lost(by_mask(layer(factor=lambda p: 1))) == {"dropout_forward": ["scale"]}

    def test_normal_draws(self):
        normal = layer(lambda random, x, p: random.randn(*x.shape) < p)
        assert lost(by_mask(normal)) == {"dropout_forward": ["choice"]}

    def test_one_mask_row(self):
        row = layer(lambda random, x, p: np.broadcast_to(random.rand(*x.shape[1:]) < p, x.shape))
        assert lost(by_mask(row)) == {"dropout_forward": ["choice"]}

    def test_p_drops(self):
        drops = layer(lambda random, x, p: random.rand(*x.shape) >= p, lambda p: np.divide(1.0, 1 - p))
        assert lost(by_mask(drops)) == {"dropout_forward": ["choice", "scale"]}

    def test_for_rows_only(self):
        def rows(x, dropout_param):
            assert x.ndim == 2 or dropout_param["mode"] == "test"
            return dropout_forward(x, dropout_param)

        assert lost(by_mask(rows)) == {"dropout_forward": ["choice"]}

    def test_scaled_at_test_time_both_ways(self):
        def forward(x, dropout_param):
            if dropout_param["mode"] == "test":
                return x * dropout_param["p"], dropout_param["p"]
            return layer(factor=lambda p: 1)(x, dropout_param)

        def backward(dout, cache):
            return dout * (cache if isinstance(cache, float) else cache[1])

        found = lost({FORWARD: forward, BACKWARD: backward, LOSS: net_with(forward, backward)})
        # Grading puts the reference's layer into the network: then nothing is left of the last.
        assert found.pop("dropout_net") == ["scores in test mode"]
        assert found == {"dropout_forward": ["scale", "test mode"]}

    def test_seed_ignored(self):
        found = lost(by_mask(edited(FORWARD, ("kept = random.rand(", "kept = np.random.rand("))))
        # Grading puts the reference's layer into the network: then nothing is left of the last.
        assert found.pop("dropout_net") == ["loss", "gradients"]
        assert found == {"dropout_forward": ["seeds"]}

    def test_no_scale_in_the_backward_pass(self):
        def backward(dout, cache):
            return dout if cache[1] is None else dout * (cache[1] > 0)

        assert lost({BACKWARD: backward}) == {"dropout_backward": ["dx"]}

    def test_backward_without_test_mode(self):
        assert lost({BACKWARD: lambda dout, cache: dout * cache[1]}) == {
            "dropout_backward": ["dx in test mode"]
        }

    @pytest.mark.parametrize(
        "edits",
        [
            [
                ("hidden, relu_cache = relu_forward(hidden)", "relu_cache = None"),
                ("dhidden = relu_backward(dhidden, relu_cache)", "pass"),
            ],
            [("dhidden = relu_backward(dhidden, relu_cache)", "pass")],
            [("\n    return loss, grads", "\n    return loss, {n: g / len(X) for n, g in grads.items()}")],
            [("\n    return loss, grads", "\n    return 2 * loss, grads")],
            [("loss += 0.5 * self.reg", "loss += self.reg"), ("+= self.reg * W", "+= 0")],
        ],
        ids=["no ReLU", "ReLU not in backward", "gradients / N", "loss twice", "L2 half missing"],
    )
    def test_what_is_wrong_without_dropout_costs_nothing_here(self, edits):
        for seed in "ab":
            assert outcome("dropout_net", {LOSS: edited(LOSS, *edits)}, seed).fraction == 1

    def test_only_one_layer_dropped_both_ways(self):
        wrong = edited(
            LOSS,
            (NET_FORWARD, NET_FORWARD.replace("self.use_dropout", "self.use_dropout and i == 1")),
            (NET_BACKWARD, NET_BACKWARD.replace("self.use_dropout", "self.use_dropout and i == 1")),
        )
        assert lost({LOSS: wrong}) == {"dropout_net": ["loss"]}

    def test_dropout_not_in_the_backward_pass(self):
        assert lost({LOSS: edited(LOSS, (NET_BACKWARD, ""))}) == {"dropout_net": ["gradients"]}


@pytest.mark.parametrize(
    ("replaced", "grade_ids"),
    [
        ({FORWARD: lambda x, d: (x, d), BACKWARD: lambda dout, d: dout}, CELLS[:2]),
        ({FORWARD: lambda x, d: (x / d["p"], d["p"]), BACKWARD: lambda dout, p: dout / p}, CELLS[:2]),
        ({FORWARD: lambda x, d: (0 * x, d), BACKWARD: lambda dout, d: 0 * dout}, CELLS[:2]),
        ({FORWARD: lambda x, d: (0 * x + 1, d), BACKWARD: lambda dout, d: 0 * dout + 1}, CELLS[:2]),
        ({LOSS: edited(LOSS, (NET_FORWARD, ""), (NET_BACKWARD, ""))}, CELLS[2:]),
        (
            {LOSS: lambda self, X, y=None: np.ones((len(X), 4)) if y is None else (1.0, dict(self.params))},
            CELLS[2:],
        ),
    ],
    ids=["identity", "scaled", "zeros", "ones", "no dropout", "constant loss"],
)
def test_made_up_answers_earn_nothing(replaced, grade_ids):
    for grade_id in grade_ids:
        assert outcome(grade_id, replaced).fraction == 0


@pytest.mark.parametrize(
    "returned", [None, 3, "text", np.zeros((2, 3)), (), (1, 2), (np.nan, 2), [1], {}, object], ids=repr
)
@pytest.mark.parametrize("grade_id", CELLS)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    found = outcome(grade_id, {find(NOTEBOOK, grade_id).function: lambda *args: returned})
    assert found.fraction == 0


@pytest.mark.parametrize(
    ("draw", "id"),
    [
        (
            lambda seed, p, shape: np.random.default_rng(seed).standard_normal(shape) < p,
            "dropout_normal_draw",
        ),
        (lambda seed, p, shape: np.random.default_rng(seed).random(shape) > p, "dropout_keeps_1_minus_p"),
        (lambda seed, p, shape: p * (np.random.default_rng(seed).random(shape) < p), "dropout_no_scale"),
        (lambda seed, p, shape: np.random.default_rng(seed).random(shape[1:]) < p, "dropout_one_row"),
    ],
)
def test_a_mistake_is_named_whatever_it_draws_with(draw, id):
    for own_seed in range(3):
        found = outcome("dropout_forward", {FORWARD: variants.mask_layer(draw)[0]}, own_seed=own_seed)
        assert recognise(find(NOTEBOOK, "dropout_forward"), found, "seed").id == id


def test_a_wrong_backward_pass_is_named_whatever_the_layer_draws_with():
    forward, backward = variants.mask_layer(variants.binomial)
    wrong = {FORWARD: forward, BACKWARD: lambda dout, m: backward(dout, m if m is None else m > 0)}
    found = outcome("dropout_backward", wrong)
    assert recognise(find(NOTEBOOK, "dropout_backward"), found, "seed").id == "dropout_backward_no_scale"
