"""The checks of a1/1_written_gradients pass what is right, and one bug costs one loss."""

import numpy as np
import pytest

from autograder import variants
from autograder.checks import LocalStudent, find
from autograder.checks import a1_1_written_gradients as checks
from autograder.checks.running import run_check
from autograder.course import REPOSITORY, Assignment, Course
from autograder.misconceptions import edited
from autograder.misconceptions.written_gradients import AUTOENCODER, BACKWARD, FORWARD, NET
from handgrad.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from handgrad.layers import swish_backward, swish_forward
from handgrad.written_gradients import autoencoder_loss, swish_net_loss

NOTEBOOK = "a1/1_written_gradients"
CELLS = {
    "autoencoder_loss": AUTOENCODER,
    "swish_forward": FORWARD,
    "swish_backward": BACKWARD,
    "swish_net_loss": NET,
}


def outcome(grade_id, replaced=None, seed="seed"):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced), seed)


def lost(replaced, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in CELLS}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def test_every_automatic_grade_cell_has_a_check_about_its_function():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a1").grade_cells
    automatic = {c.grade_id for c in cells if c.kind == "auto" and c.notebook == "1_written_gradients"}
    assert {grade_id: find(NOTEBOOK, grade_id).function for grade_id in automatic} == CELLS


@pytest.mark.parametrize("grade_id", CELLS)
def test_the_reference_passes_on_twenty_seeds(grade_id):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed)).fraction == 1


def test_each_function_is_written_in_several_styles():
    known = variants.of_functions(CELLS.values())
    assert len(known) >= 12
    for function in CELLS.values():
        assert sum(function in replaced for replaced in known.values()) >= 4


# ---- one bug, one loss


def test_an_autoencoder_that_means_another_multiple_of_the_loss():
    doubled = {AUTOENCODER: lambda W, x: tuple(2 * v for v in autoencoder_loss(W, x))}
    assert lost(doubled) == {"autoencoder_loss": ["loss"]}
    assert lost({AUTOENCODER: lambda W, x: (autoencoder_loss(W, x)[0], W)}) == {"autoencoder_loss": ["dW"]}


@pytest.mark.parametrize("slope", [1.5, 2.0])
def test_swish_that_is_steeper_both_ways(slope):
    wrong = {
        FORWARD: lambda x: (swish_forward(slope * x)[0], slope * x),
        BACKWARD: lambda dout, cache: slope * swish_backward(dout, swish_forward(cache)[1]),
    }
    assert lost(wrong) == {"swish_forward": ["out", "large inputs"]}


def test_swish_that_overflows_pays_in_the_forward_pass():
    def forward(x):
        e = np.exp(x)
        return x * (e / (e + 1)), (x, e / (e + 1))

    assert lost({FORWARD: forward}) == {"swish_forward": ["large inputs"]}


def test_an_overflow_that_is_only_warned_of_costs_nothing():
    assert lost({FORWARD: lambda x: (x / (1 + np.exp(-x)), (x, 1 / (1 + np.exp(-x))))}) == {}


@pytest.mark.parametrize("name", checks.NAMES)
def test_one_wrong_gradient_of_the_network_costs_its_part(name):
    def wrong(X, y, W1, b1, W2, b2):
        loss, grads = swish_net_loss(X, y, W1, b1, W2, b2)
        return loss, grads | {name: 1.1 * grads[name]}

    found = lost({NET: wrong})["swish_net_loss"]
    assert [part for part in found if part != "large scores"] == [name]


@pytest.mark.parametrize(
    ("edits", "parts"),
    [
        ([("log_probs[examples, y].mean()", "log_probs[examples, y].sum()"), ("dz2 /= N", "")], ["loss"]),
        ([("log_probs[examples, y].mean()", "log_probs[examples, y].sum()")], ["loss"]),
        ([("z2.max(axis=1, keepdims=True)", "0")], ["large scores"]),
        ([("dz1 = swish_backward(dh1, cache)", "dz1 = dh1")], ["W1", "b1"]),
        ([("dz2.T @ h1", "h1.T @ dz2")], ["W2"]),
    ],
)
def test_a_mistake_in_the_network_costs_what_it_breaks(edits, parts):
    found = lost({NET: edited(NET, *edits)})
    assert [part for part in found["swish_net_loss"] if part not in ("large scores", *parts)] == []
    assert set(parts) <= set(found["swish_net_loss"])
    assert found.keys() == {"swish_net_loss"}


def test_a_loss_without_gradients_earns_the_loss():
    found = lost({NET: lambda *args, **p: (swish_net_loss(*args, **p)[0], {})})
    assert found["swish_net_loss"] == [*checks.NAMES, "large scores"]


def test_feedback_tells_squares_from_others():
    found = outcome("autoencoder_loss", {AUTOENCODER: lambda W, x: autoencoder_loss(W.T.copy(), x)})
    assert found.failed_parts == ["loss", "dW"]
    turned = edited(AUTOENCODER, ("np.outer(dcode, x)", "np.outer(x, dcode)"))
    assert outcome("autoencoder_loss", {AUTOENCODER: turned}).fraction == 0


# ---- what earns nothing


@pytest.mark.parametrize(
    ("grade_id", "made_up"),
    [
        ("autoencoder_loss", lambda W, x: (0.0, np.zeros(W.shape))),
        ("autoencoder_loss", lambda W, x: (np.sum(W**2), 2 * W)),
        ("autoencoder_loss", lambda W, x: (1.0, np.ones(W.shape))),
        ("swish_forward", lambda x: (x, x)),
        ("swish_forward", lambda x: (np.zeros(x.shape), x)),
        ("swish_backward", lambda dout, cache: dout),
        ("swish_backward", lambda dout, cache: np.zeros(dout.shape)),
        ("swish_net_loss", lambda X, y, **p: (0.0, {name: np.zeros(v.shape) for name, v in p.items()})),
        ("swish_net_loss", lambda X, y, **p: (1.0, {name: np.ones(v.shape) for name, v in p.items()})),
        (
            "swish_net_loss",
            lambda X, y, **p: (sum(np.sum(v**2) for v in p.values()), {name: 2 * v for name, v in p.items()}),
        ),
    ],
)
def test_made_up_answers_earn_nothing(grade_id, made_up):
    for seed in "abc":
        assert outcome(grade_id, {CELLS[grade_id]: made_up}, seed).fraction == 0


def test_swish_that_hands_through_both_ways_earns_nothing():
    replaced = {FORWARD: lambda x: (x.copy(), x), BACKWARD: lambda dout, cache: dout.copy()}
    assert outcome("swish_forward", replaced).fraction == 0
    assert outcome("swish_backward", replaced).share("dx") == 0


@pytest.mark.parametrize(
    "returned",
    [
        None, 3, "text", np.zeros((2, 3)), (), (1, 2), (1, 2, 3), [1], {}, object, (np.nan, {}),
        (None, None), (0.5, {"W1": "text"}), (np.array(["a"]), [1]),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("grade_id", CELLS)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    assert outcome(grade_id, {CELLS[grade_id]: lambda *args, **kwargs: returned}).fraction == 0


# ---- a second oracle: the reference agrees with numerical gradients on the checks' own kind of inputs


def test_the_autoencoder_of_the_reference_is_right(rng):
    W, x = np.asfortranarray(rng.standard_normal((3, 7))), rng.standard_normal(7)
    loss, dW = autoencoder_loss(W, x)
    assert loss == pytest.approx(sum((W.T @ (W @ x) - x) ** 2) / 2)
    np.testing.assert_allclose(
        dW, eval_numerical_gradient(lambda W: autoencoder_loss(W, x)[0], W), rtol=1e-6, atol=1e-7
    )


def test_swish_of_the_reference_is_right(rng):
    torch = pytest.importorskip("torch")
    inputs = [*checks._swish_inputs(rng), *(x for _, x in checks._large_inputs(rng))]
    for x in inputs:
        dout = rng.standard_normal(x.shape)
        out, cache = swish_forward(x)
        leaf = torch.tensor(x, requires_grad=True)
        right = torch.nn.functional.silu(leaf)
        right.backward(torch.tensor(dout))
        np.testing.assert_allclose(out, right.detach().numpy(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(swish_backward(dout, cache), leaf.grad.numpy(), rtol=1e-9, atol=1e-12)
        if np.abs(x).max() < 100:
            numerical = eval_numerical_gradient_array(lambda x: swish_forward(x)[0], x, dout)
            np.testing.assert_allclose(swish_backward(dout, cache), numerical, rtol=1e-6, atol=1e-7)


def test_the_network_of_the_reference_is_right(rng):
    torch = pytest.importorskip("torch")
    X, y, params = checks._net_inputs(rng, 7, 5, 3, 9)
    loss, grads = swish_net_loss(X, y, **params)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    hidden = torch.nn.functional.silu(torch.tensor(X) @ leaves["W1"].T + leaves["b1"])
    right = torch.nn.functional.cross_entropy(hidden @ leaves["W2"].T + leaves["b2"], torch.tensor(y))
    right.backward()
    assert loss == pytest.approx(right.item(), rel=1e-10)
    for name, leaf in leaves.items():
        np.testing.assert_allclose(grads[name], leaf.grad.numpy(), rtol=1e-9, atol=1e-12)
