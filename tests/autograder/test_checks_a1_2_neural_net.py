"""The checks of a1/2_neural_net pass what is right, and one bug costs one loss."""

import numpy as np
import pytest

from autograder import variants
from autograder.checks import LocalStudent, find
from autograder.checks import a1_2_neural_net as checks
from autograder.checks.running import number_from, run_check
from autograder.course import REPOSITORY, Assignment, Course, Scale
from autograder.misconceptions import edited
from autograder.misconceptions import neural_net as mistakes
from autograder.misconceptions.neural_net import LOSS, PREDICT, TRAIN
from handgrad.classifiers.neural_net import TURNED, TwoLayerNet
from handgrad.gradient_check import eval_numerical_gradient

NOTEBOOK = "a1/2_neural_net"
SCALES = {"shapes10": Scale(zero=0.0, full=1.0), "cifar10": Scale(zero=0.0, full=1.0)}
CELLS = {
    "neural_net_scores": LOSS,
    "neural_net_loss": LOSS,
    "neural_net_gradients": LOSS,
    "neural_net_predict": PREDICT,
    "neural_net_train": TRAIN,
}
GRADIENTS = [checks.GRADIENTS[name] for name in ("W2", "b2", "W1", "b1")]
L2_TERMS = [checks.L2_TERMS[name] for name in ("W2", "W1")]


def outcome(grade_id, replaced=None, seed="seed", files=None):
    student = LocalStudent(replaced, number_from(seed, grade_id), files=files)
    return run_check(find(NOTEBOOK, grade_id), student, seed, SCALES)


def lost(replaced, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in CELLS}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def lost_by(function, *edits):
    return lost({function: edited(function, *edits)})


def test_every_automatic_grade_cell_has_a_check_about_its_function():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a1").grade_cells
    automatic = {c.grade_id for c in cells if c.kind == "auto" and c.notebook == "2_neural_net"}
    known = {grade_id: find(NOTEBOOK, grade_id).function for grade_id in automatic}
    assert known == CELLS | {"best_neural_net": "neural_net_search"}


@pytest.mark.parametrize("grade_id", CELLS)
def test_the_reference_passes_on_twenty_seeds(grade_id):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed)).fraction == 1


def test_each_function_is_written_in_several_styles():
    known = variants.of_functions(CELLS.values())
    assert len(known) >= 12
    for function in (LOSS, PREDICT, TRAIN):
        assert sum(function in replaced for replaced in known.values()) >= 4


# ---- one bug, one loss


@pytest.mark.parametrize(
    "edits",
    [
        [(mistakes.SCORES, "scores = np.maximum(0, hidden @ W2 + b2)"), ("/= N", "*= (scores > 0) / N")],
        [(mistakes.HIDDEN, "hidden = X @ W1 + b1"), (mistakes.MASK, "")],
        [("hidden @ W2 + b2", "hidden @ W2 - b2"), ("dscores.sum(axis=0)", "-dscores.sum(axis=0)")],
    ],
    ids=["ReLU on scores", "no ReLU", "bias subtracted"],
)  # fmt: skip
@pytest.mark.parametrize("seed", "abc")
def test_wrong_scores_with_their_own_gradients_cost_the_scores(edits, seed):
    found = lost({LOSS: edited(LOSS, *edits)}, seed)
    assert found.pop("neural_net_scores") == ["scores"]
    # A gradient that points the other way is no longer like the right one.
    assert found in ({}, {"neural_net_gradients": [checks.GRADIENTS["b2"]]})


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([("].mean() +", "].sum() +"), ("dscores /= N", "")], {"neural_net_loss": ["loss"]}),
        ([("].mean() +", "].sum() +")], {"neural_net_loss": ["loss"]}),
        ([("dscores /= N", "")], {"neural_net_gradients": GRADIENTS}),
        ([("scores.max(axis=1, keepdims=True)", "0")], {"neural_net_loss": ["large scores"]}),
        ([(mistakes.DB1, "dhidden.sum()")], {"neural_net_gradients": [checks.GRADIENTS["b1"]]}),
        ([(f'"b2": {mistakes.DB2},', "")], {"neural_net_gradients": [checks.GRADIENTS["b2"]]}),
        ([(mistakes.MASK, "")], {"neural_net_gradients": GRADIENTS[2:]}),
    ],
)
def test_a_mistake_costs_what_it_breaks(edits, expected):
    assert lost_by(LOSS, *edits) == expected


L2_LOSS = ["L2 term of W1", "L2 term of W2"]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"loss": "0"}, {"neural_net_loss": L2_LOSS}),
        ({"W1": "0", "W2": "0"}, {"neural_net_gradients": L2_TERMS}),
        ({"W2": "0"}, {"neural_net_gradients": L2_TERMS[:1]}),
        ({"loss": "l2 * np.sum(W1**2)"}, {"neural_net_loss": L2_LOSS[1:]}),
        (
            {"loss": "l2 * np.sum(W1**2)", "W2": "0"},
            {"neural_net_loss": L2_LOSS[1:], "neural_net_gradients": L2_TERMS[:1]},
        ),
        # Half of it, or twice, with the gradients that belong to it.
        (
            {"loss": "0.5 * l2 * (np.sum(W1**2) + np.sum(W2**2))", "W1": "l2 * W1", "W2": "l2 * W2"},
            {"neural_net_loss": L2_LOSS},
        ),
        (
            {"loss": "reg * (np.sum(W1**2) + np.sum(W2**2))", "W1": "2 * reg * W1", "W2": "2 * reg * W2"},
            {"neural_net_loss": L2_LOSS},
        ),
        ({"W1": "l2 * W1", "W2": "l2 * W2"}, {"neural_net_gradients": L2_TERMS}),
    ],
)
def test_a_mistake_in_the_l2_term_costs_its_points_alone(terms, expected):
    assert lost_by(LOSS, *mistakes._terms(**terms)) == expected


def test_l2_that_is_right_in_one_convention_is_said_to_be():
    found = outcome("neural_net_gradients", {LOSS: edited(LOSS, *mistakes._terms(W1="2 * reg * W1"))})
    assert found.failed_parts == L2_TERMS[1:]
    assert found.pattern() == f"{L2_TERMS[1]} is wrong only in the convention UCLA."


@pytest.mark.parametrize("loss", [None, "text", np.array([[1.0]])])
def test_predictions_and_training_do_not_depend_on_the_loss(loss):
    """Nor on scores: whoever calls self.loss gets points where only that was to be done."""
    assert lost({LOSS: lambda self, X, y=None, reg=0.0: loss}).keys() == set(CELLS) - {
        "neural_net_predict",
        "neural_net_train",
    }


def test_training_does_not_depend_on_predictions():
    def predict(self, X):
        raise IndexError("axis 2")

    assert lost({PREDICT: predict}) == {"neural_net_predict": ["classes", "whole numbers"]}


@pytest.mark.parametrize(
    ("edits", "parts"),
    [
        ([(mistakes.STEP, mistakes.STEP.replace("w -", "w +"))], ["steps"]),
        ([(mistakes.CALL, "loss, grads = self.loss(X_batch, y_batch)")], ["steps"]),
        ([(mistakes.BATCH, "X_batch, y_batch = X, y")], ["batches"]),
        ([(mistakes.BATCH, "X_batch, y_batch = X[chosen], y[chosen[::-1]]")], ["labels"]),
        ([(mistakes.CHOSEN, mistakes.CHOSEN.replace("batch_size", "batch_size, False"))], ["few examples"]),
        ([(mistakes.CHOSEN, "chosen = np.random.permutation(len(X))[:batch_size]")], []),
        ([(mistakes.STEP, "grads[name] *= learning_rate; w -= grads[name]")], []),
        ([(mistakes.CALL, "loss, grads = self.loss(y=y_batch, reg=reg, X=X_batch)")], []),
    ],
)
def test_a_mistake_in_training_costs_what_it_breaks(edits, parts):
    for seed in "abc":
        found = lost({TRAIN: edited(TRAIN, *edits)}, seed)
        assert found == ({"neural_net_train": parts} if parts else {})


# ---- what earns nothing


def zeros(self, X, y=None, reg=0.0):
    C = len(self.params["b2"])
    if y is None:
        return np.zeros((len(X), C))
    return 0.0, {name: np.zeros(p.shape) for name, p in self.params.items()}


def squares(self, X, y=None, reg=0.0):
    if y is None:
        return np.ones((len(X), len(self.params["b2"])))
    return sum(np.sum(p**2) for p in self.params.values()), {n: 2 * p for n, p in self.params.items()}


@pytest.mark.parametrize("loss", [zeros, squares])
@pytest.mark.parametrize("grade_id", ["neural_net_scores", "neural_net_loss", "neural_net_gradients"])
def test_made_up_losses_earn_nothing(grade_id, loss):
    for seed in "abc":
        assert outcome(grade_id, {LOSS: loss}, seed).fraction == 0


@pytest.mark.parametrize(
    "predict",
    [
        lambda self, X: np.zeros(len(X), dtype=int),
        lambda self, X: np.arange(len(X)) % len(self.params["b2"]),
        lambda self, X: np.random.randint(0, len(self.params["b2"]), len(X)),
    ],
)
def test_made_up_predictions_earn_nothing(predict):
    for loss in ({}, {LOSS: zeros}, {LOSS: squares}):
        assert outcome("neural_net_predict", {PREDICT: predict, **loss}).fraction == 0


def test_training_that_does_nothing_earns_nothing():
    for train in (
        lambda self, *args, **kwargs: {},
        lambda self, *args, **kwargs: self.loss(args[0], args[1]),
    ):
        assert outcome("neural_net_train", {TRAIN: train}).share("steps") == 0
    assert outcome("neural_net_train", {TRAIN: lambda self, *args, **kwargs: {}}).fraction == 0


@pytest.mark.parametrize(
    "returned",
    [
        None, 3, "text", np.zeros((2, 3)), (), (1, 2), (1, 2, 3), [1], ["a"], {}, object, (np.nan, {}),
        (None, None), (0.5, {"W1": "text"}), (np.array(["a"]), [1]),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("grade_id", CELLS)
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    assert outcome(grade_id, {CELLS[grade_id]: lambda *args, **kwargs: returned}).fraction == 0


@pytest.mark.parametrize("params", [None, 3, [], {}, {"W1": "text"}, {"W1": np.array(["a"])}])
def test_rubbish_parameters_after_training_earn_no_steps(params):
    def train(self, X, y, *args, **kwargs):
        self.loss(X, y, 0.3)
        self.params = params

    assert outcome("neural_net_train", {TRAIN: train}).share("steps") == 0


# ---- the saved network


class TestBestNeuralNet:
    @pytest.fixture
    def model(self, rng):
        arrays = {"W1": rng.standard_normal((3072, 8)), "b1": np.zeros(8)}
        arrays |= {"W2": rng.standard_normal((8, 10)), "b2": np.zeros(10)}
        arrays["mean_image"] = np.full((3, 32, 32), 120.0)
        return {name: a.astype(np.float32) for name, a in arrays.items()} | {"dataset": np.array("shapes10")}

    def found(self, model, replaced=None):
        return outcome("best_neural_net", replaced, files={"best_neural_net.npz": model})

    def test_points_are_the_accuracy_on_the_scale(self, model):
        rng = np.random.default_rng(number_from("seed", NOTEBOOK, "best_neural_net"))
        from handgrad import shapes10

        images, labels = shapes10.generate(1000, int(rng.integers(2**31)))
        rows = (images.transpose(0, 3, 1, 2) - model["mean_image"]).reshape(1000, -1)
        scores = np.maximum(rows @ model["W1"] + model["b1"], 0) @ model["W2"] + model["b2"]
        accuracy = np.mean(scores.argmax(axis=1) == labels)
        assert self.found(model).fraction == pytest.approx(accuracy, abs=0.0051)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"dataset": np.array("mnist")}, "does not say which data set"),
            ({"W1": np.zeros((8, 3072))}, "W1 in best_neural_net.npz should be floats of shape (3072, 8)"),
            ({"W2": np.full((8, 10), np.nan)}, "W2 in best"),
            ({"b2": np.zeros(10, dtype=int)}, "b2 in best"),
            ({"mean_image": np.zeros((32, 32, 3))}, "mean_image in best"),
            ({"b1": np.zeros(0)}, "W1 in best"),
        ],
    )
    def test_a_network_that_does_not_fit_is_refused_in_words(self, model, change, says):
        found = self.found(model | change)
        assert found.fraction == 0
        assert says in found.errors[0].message

    def test_a_network_that_was_not_saved_is_missed(self):
        found = outcome("best_neural_net", files={})
        assert found.fraction == 0
        assert "was not handed in" in found.errors[0].message

    def test_predictions_that_are_no_scores_earn_nothing(self, model):
        assert self.found(model, {LOSS: lambda self, X, y=None, reg=0.0: np.zeros((len(X), 9))}).fraction == 0


# ---- a second oracle: the reference agrees with a numerical gradient and with PyTorch on the checks' inputs


@pytest.mark.parametrize("convention", TURNED)
def test_the_reference_is_right(rng, convention):
    torch = pytest.importorskip("torch")
    X, y, params = checks._inputs(rng, convention, 6, 5, 8, 4)
    net = TwoLayerNet(5, 8, 4, convention=convention)
    net.params = {name: value.copy() for name, value in params.items()}
    loss, grads = net.loss(X, y, checks.REG)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    W1, W2 = (leaves[name].T if TURNED[convention] else leaves[name] for name in ("W1", "W2"))
    scores = torch.relu(torch.tensor(X) @ W1 + leaves["b1"]) @ W2 + leaves["b2"]
    l2 = {"S19": 1.0, "UCLA": 0.5}[convention] * checks.REG
    right = torch.nn.functional.cross_entropy(scores, torch.tensor(y)) + l2 * ((W1**2).sum() + (W2**2).sum())
    right.backward()
    np.testing.assert_allclose(net.loss(X), scores.detach().numpy(), rtol=1e-10)
    assert loss == pytest.approx(right.item(), rel=1e-10)
    for name, value in net.params.items():
        np.testing.assert_allclose(grads[name], leaves[name].grad.numpy(), rtol=1e-9, atol=1e-12)
        numerical = eval_numerical_gradient(lambda _: net.loss(X, y, checks.REG)[0], value)
        np.testing.assert_allclose(grads[name], numerical, rtol=1e-5, atol=1e-7)
