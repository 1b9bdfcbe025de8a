"""The checks of spatial batch norm and group norm pass what is right in any style; one bug costs one loss."""

import numpy as np
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks import a2_5_spatial_norms as checks
from autograder.checks.running import run_check
from autograder.course import REPOSITORY, Assignment, Course
from autograder.misconceptions import edited
from autograder.misconceptions import spatial_norms as wrong
from handgrad.layers import (
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)

NOTEBOOK = "a2/5_convolutional_networks"
BATCH, GROUP = CELLS = (
    ["spatial_batchnorm_forward", "spatial_batchnorm_backward"],
    ["group_norm_forward", "group_norm_backward"],
)
BATCH_FORWARD, BATCH_BACKWARD = wrong.BATCH_FORWARD, wrong.BATCH_BACKWARD
GROUP_FORWARD, GROUP_BACKWARD = wrong.GROUP_FORWARD, wrong.GROUP_BACKWARD


def outcome(grade_id, replaced=None, seed="seed"):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced), seed)


def lost(replaced, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in BATCH + GROUP}
    if "out" in found["group_norm_forward"]:  # then images of one colour are not compared
        found["group_norm_forward"].remove("images of one colour")
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def test_every_cell_of_this_half_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a2").grade_cells
    norms = {
        c.grade_id for c in cells if c.kind == "auto" and c.notebook in NOTEBOOK and "norm" in c.grade_id
    }
    assert norms == {*BATCH, *GROUP}
    assert all(find(NOTEBOOK, grade_id) for grade_id in norms)


@pytest.mark.parametrize("grade_id", BATCH + GROUP)
def test_the_reference_passes_on_many_seeds(grade_id):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed)).fraction == 1


class TestSecondOracle:
    """The reference agrees with PyTorch on the checks' inputs, in both modes."""

    def compare(self, torch, x, dout, gamma, beta, forward, out, grads):
        leaves = [torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in (x, gamma, beta)]
        expected = forward(*leaves)
        expected.backward(torch.tensor(dout))
        assert np.allclose(out, expected.detach().numpy())
        for got, leaf in zip(grads, leaves, strict=True):
            assert np.allclose(got, leaf.grad.numpy())

    @pytest.mark.parametrize("mode", ["train", "test"])
    @pytest.mark.parametrize("shape", [shape for _, shape in checks.BATCHES])
    def test_spatial_batchnorm(self, rng, shape, mode):
        torch = pytest.importorskip("torch")
        x, gamma, beta = checks._images(rng, shape), *checks._channels(rng, shape[1])
        dout, running = rng.standard_normal(shape), checks._running(rng, shape[1])
        param = {"mode": mode, **running}
        out, cache = spatial_batchnorm_forward(x, gamma, beta, param)
        mean, var = (torch.tensor(running[key]) for key in ("running_mean", "running_var"))
        if mode == "train":
            new_mean = 0.9 * running["running_mean"] + 0.1 * x.mean(axis=(0, 2, 3))
            new_var = 0.9 * running["running_var"] + 0.1 * x.var(axis=(0, 2, 3))
            assert np.allclose(param["running_mean"], new_mean)
            assert np.allclose(param["running_var"], new_var)

        def forward(x, gamma, beta):
            train = mode == "train"
            return torch.nn.functional.batch_norm(x, mean, var, gamma, beta, training=train, eps=1e-5)

        grads = spatial_batchnorm_backward(dout, cache)
        self.compare(torch, x, dout, gamma, beta, forward, out, grads)

    @pytest.mark.parametrize(("shape", "G"), [(shape, G) for _, shape, G in checks.GROUPS])
    def test_group_norm(self, rng, shape, G):
        torch = pytest.importorskip("torch")
        x, gamma, beta = checks._images(rng, shape), *checks._channels(rng, shape[1], images=True)
        dout = rng.standard_normal(shape)
        out, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})

        def forward(x, gamma, beta):
            return torch.nn.functional.group_norm(x, G, gamma.ravel(), beta.ravel(), eps=1e-5)

        grads = spatial_groupnorm_backward(dout, cache)
        self.compare(torch, x, dout, gamma, beta, forward, out, grads)


def group_norm_of(shape, axes):
    """Group norm, both ways, of x in another shape and with statistics over these axes of it."""

    def forward(x, gamma, beta, G, gn_param):
        parts = x.reshape(shape(*x.shape, G))
        std = np.sqrt(parts.var(axis=axes, keepdims=True) + 1e-5)
        z = (parts - parts.mean(axis=axes, keepdims=True)) / std
        return gamma * z.reshape(x.shape) + beta, (z, std, gamma)

    def backward(dout, cache):
        z, std, gamma = cache
        dz = (dout * gamma).reshape(z.shape)
        shared, along = (a.mean(axis=axes, keepdims=True) for a in (dz, dz * z))
        dgamma, dbeta = (a.sum(axis=(0, 2, 3)) for a in (dout * z.reshape(dout.shape), dout))
        return ((dz - shared - z * along) / std).reshape(dout.shape), dgamma, dbeta

    return {GROUP_FORWARD: forward, GROUP_BACKWARD: backward}


class TestOneBugOneLoss:
    """A backward pass that is the gradient of a wrong forward pass keeps its points."""

    @pytest.mark.parametrize(
        ("shape", "axes"),
        [
            (lambda N, C, H, W, G: (N, G, C // G, H, W), 2),
            (lambda N, C, H, W, G: (N, G, C // G, H, W), (3, 4)),
            (lambda N, C, H, W, G: (N, G, C // G, H, W), (1, 2, 3, 4)),
            (lambda N, C, H, W, G: (N, C // G, G, H, W), (2, 3, 4)),
            (lambda N, C, H, W, G: (N, H, W, G, C // G), (1, 2, 4)),
        ],
        ids=["by pixel", "by channel", "one group", "group size", "scrambled"],
    )
    def test_group_norm_over_the_wrong_numbers_both_ways(self, shape, axes):
        for seed in "abcde":
            assert lost(group_norm_of(shape, axes), seed) == {"group_norm_forward": ["out"]}

    def test_spatial_batchnorm_not_moved_both_ways(self):
        not_moved = {
            BATCH_FORWARD: edited(
                BATCH_FORWARD,
                (wrong.ROWS, "rows = x.reshape(-1, C)"),
                (wrong.BACK, "out.reshape(N, C, H, W), cache"),
            ),
            BATCH_BACKWARD: edited(
                BATCH_BACKWARD,
                (wrong.DROWS, "rows = dout.reshape(-1, C)"),
                (wrong.DBACK, "return dx.reshape(N, C, H, W), dgamma, dbeta"),
            ),
        }
        parts = ["out in train mode", "out in test mode", "running averages"]
        for seed in "abcde":
            assert lost(not_moved, seed) == {"spatial_batchnorm_forward": parts}

    def test_running_averages_lost(self):
        copied = edited(BATCH_FORWARD, (wrong.CALL, "batchnorm_forward(rows, gamma, beta, dict(bn_param))"))
        assert lost({BATCH_FORWARD: copied}) == {"spatial_batchnorm_forward": ["running averages"]}

    def test_test_mode_forgotten(self):
        always = "batchnorm_forward(rows, gamma, beta, {**bn_param, 'mode': 'train'})"
        found = lost({BATCH_FORWARD: edited(BATCH_FORWARD, (wrong.CALL, always))})
        assert found == {"spatial_batchnorm_forward": ["out in test mode", "running averages"]}

    def test_test_mode_forgotten_in_the_backward_pass(self):
        always = edited(
            BATCH_BACKWARD, (wrong.DCALL, f"rows_cache = ('train', *rows_cache[1:])\n    {wrong.DCALL}")
        )
        assert lost({BATCH_BACKWARD: always}) == {"spatial_batchnorm_backward": ["test mode"]}

    @pytest.mark.parametrize("name", ["dgamma", "dbeta"])
    def test_one_wrong_gradient_costs_its_part(self, name):
        def backward(dout, cache):
            grads = dict(zip(checks.NAMES, spatial_groupnorm_backward(dout, cache), strict=True))
            grads[name] = grads[name] * 1.01
            return tuple(grads.values())

        assert lost({GROUP_BACKWARD: backward}) == {"group_norm_backward": [name]}


def test_explanations_tell_in_which_cases():
    """Height and width swapped on one way: only square images hide a part of it."""
    interleaved = wrong.grouped((1, 3, 4), shape=lambda N, C, H, W, G: (N, C // G, G, H, W))
    assert outcome("group_norm_forward", {GROUP_FORWARD: interleaved}).fraction == 0
    single = wrong.grouped((2, 3, 4), shape=lambda N, C, H, W, G: (N, max(G, 2), -1, H, W))
    assert outcome("group_norm_forward", {GROUP_FORWARD: single}).fraction == 0
    one_image = wrong.grouped((1, 2, 3, 4))
    found = outcome("group_norm_forward", {GROUP_FORWARD: one_image})
    assert found.pattern() == "out is right only with a single group."


def pattern(x):
    """Numbers with mean 0 and variance 1 that do not depend on x."""
    return np.where(np.arange(x.size).reshape(x.shape) % 2, 1.0, -1.0)


@pytest.mark.parametrize(
    ("replaced", "worth"),
    [
        ({GROUP_FORWARD: lambda x, g, b, G, p: (x, None)}, 0),
        ({GROUP_FORWARD: lambda x, g, b, G, p: (g * x + b, None)}, 0),
        ({GROUP_FORWARD: lambda x, g, b, G, p: (0 * x + b, None)}, 0),
        ({GROUP_FORWARD: lambda x, g, b, G, p: (g * pattern(x) + b, None)}, 0),
        ({GROUP_BACKWARD: lambda dout, cache: (dout, 0 * cache[2], 0 * cache[2])}, 0),
        ({GROUP_BACKWARD: lambda dout, cache: (0 * dout, cache[2], cache[2])}, 0),
        ({BATCH_FORWARD: lambda x, g, b, p: (x, None)}, 0),
        ({BATCH_BACKWARD: lambda dout, cache: (dout, dout[0, :, 0, 0], dout[1, :, 0, 0])}, 0),
        (
            {
                GROUP_FORWARD: lambda x, g, b, G, p: (g * pattern(x) + b, (x, g)),
                GROUP_BACKWARD: lambda dout, cache: (0 * dout, 0 * cache[1], 0 * cache[1]),
            },
            0,
        ),
    ],
)
def test_made_up_answers_earn_nothing(replaced, worth):
    for function in replaced:
        grade_id = function.rpartition(".")[2].replace("spatial_groupnorm", "group_norm")
        assert outcome(grade_id, replaced).fraction == worth


@pytest.mark.parametrize(
    "returned",
    [None, 3, "text", np.zeros((2, 3)), (), (1, 2), (1, 2, 3), (np.zeros(3),) * 2, (np.nan,) * 3, [1], {}],
    ids=repr,
)
@pytest.mark.parametrize("grade_id", BATCH + GROUP)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    found = outcome(grade_id, {find(NOTEBOOK, grade_id).function: lambda *args: returned})
    assert found.fraction == 0
    assert found.errors or not any(c.passed for c in found.comparisons)


@pytest.mark.parametrize("kept", [None, 3, "text", {}, {"running_mean": "text"}, np.zeros(7), [1.0]])
def test_rubbish_running_averages_earn_nothing(kept):
    def forward(x, gamma, beta, bn_param):
        out, cache = spatial_batchnorm_forward(x, gamma, beta, dict(bn_param))
        for name in ("running_mean", "running_var"):
            if bn_param["mode"] == "train":
                bn_param[name] = kept
        return out, cache

    assert lost({BATCH_FORWARD: forward}) == {"spatial_batchnorm_forward": ["running averages"]}


def test_no_channel_varies_so_little_that_the_place_of_eps_shows():
    for seed in range(50):
        images = checks._images(np.random.default_rng(seed), (4, 3, 4, 2))
        deviation = images.std(axis=(2, 3))
        assert np.allclose(np.sqrt(deviation**2 + 1e-5), deviation + 1e-5, rtol=5e-5)
