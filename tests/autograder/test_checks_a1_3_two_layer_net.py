"""The checks of a1/3_two_layer_net pass what is right, and one bug costs one loss."""

import pickle

import numpy as np
import pytest

from autograder import variants
from autograder.checks import LocalStudent, find
from autograder.checks import a1_3_two_layer_net as checks
from autograder.checks.running import run_check
from autograder.course import REPOSITORY, Assignment, Course, Scale
from autograder.misconceptions.two_layer_net import network, squares
from autograder.variants.a1_3_two_layer_net import AFFINE, LOSS, NET, RELU
from handgrad.classifiers import TwoLayerNet
from handgrad.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from handgrad.layers import relu_backward, relu_forward

NOTEBOOK = "a1/3_two_layer_net"
SCALES = {"shapes10": Scale(zero=0.0, full=1.0), "cifar10": Scale(zero=0.0, full=1.0)}
CORE = [
    "affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss", "svm_loss",
    "two_layer_net_init", "two_layer_net_scores", "two_layer_net_loss",
]  # fmt: skip


def outcome(grade_id, replaced=None, seed="seed", files=None):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced, files=files), seed, SCALES)


def lost(replaced, seed="seed"):
    """The failed parts of each check that is not passed."""
    found = {grade_id: outcome(grade_id, replaced, seed).failed_parts for grade_id in CORE}
    return {grade_id: parts for grade_id, parts in found.items() if parts}


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a1").grade_cells
    automatic = {
        cell.grade_id for cell in cells if cell.kind == "auto" and cell.notebook == "3_two_layer_net"
    }
    assert automatic == {*CORE, "two_layer_net_training", "best_model"}
    assert all(find(NOTEBOOK, grade_id) for grade_id in automatic)


@pytest.mark.parametrize("grade_id", [*CORE, "two_layer_net_training"])
def test_the_reference_passes_on_twenty_seeds(grade_id):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed)).fraction == 1


def test_each_function_is_written_in_several_styles():
    functions = {find(NOTEBOOK, grade_id).function for grade_id in CORE}
    known = variants.of_functions(functions)
    assert len(known) >= 12
    for function in functions:
        assert sum(function in replaced for replaced in known.values()) >= 4


def learns_one_layer(self, X, y=None):
    result = TwoLayerNet.loss(self, X, y)
    if y is not None:
        result[1]["W1"] *= 0
    return result


def learns_nothing(self, X, y=None):
    return np.zeros((len(X), 10)) if y is None else (0.0, {name: 0 * p for name, p in self.params.items()})


@pytest.mark.parametrize("loss", [learns_one_layer, learns_nothing, lambda self, X, y=None: "scores"])
def test_a_network_that_does_not_learn_fails_in_training(loss):
    for seed in "12":
        assert outcome("two_layer_net_training", {NET + "loss": loss}, seed).fraction == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {NET + "loss": network(last=(relu_forward, relu_backward))},
        {NET + "loss": network(data=lambda grads, p, N: {name: g / N for name, g in grads.items()})},
        {NET + "loss": network(data=lambda grads, p, N: {name: N * g for name, g in grads.items()})},
        {NET + "loss": network(l2=lambda p, reg: 0.0, dl2=lambda p, reg: {})},
        {NET + "__init__": lambda self, **kw: self.__dict__.update(reg=0.1, params={"W1": np.zeros(3)})},
    ],
    ids=["ReLU on the scores", "averaged again", "summed", "no L2", "wrong weights at first"],
)
def test_what_other_cells_have_cost_costs_nothing_in_training(wrong):
    for seed in "12":
        assert outcome("two_layer_net_training", wrong, seed).fraction == 1


@pytest.mark.parametrize("grads", [{}, {"W1": 1}, {"W1": np.zeros(3)}, {"W1": np.full((192, 30), np.nan)}])
def test_without_gradients_nothing_is_learned(grads):
    def loss(self, X, y=None):
        return TwoLayerNet.loss(self, X) if y is None else (0.0, grads)

    found = outcome("two_layer_net_training", {NET + "loss": loss})
    assert found.fraction == 0
    assert "your network is right on" in found.comparisons[0].message


@pytest.mark.parametrize("returned", [None, 3.0, (0.0, "grads"), (0.0, None), (1, 2, 3)])
def test_rubbish_in_training_is_told_in_words(returned):
    found = outcome("two_layer_net_training", {NET + "loss": lambda self, X, y=None: returned})
    assert found.fraction == 0
    assert found.errors[0].kind == "invalid"


def spoilt_gradients(change):
    def loss(self, X, y=None):
        result = TwoLayerNet.loss(self, X, y)
        if y is not None:
            change(self, result[1])
        return result

    return {NET + "loss": loss}


@pytest.mark.parametrize(
    "change",
    [
        lambda net, grads: grads.pop("b1"),
        lambda net, grads: grads.update(b1=grads["b1"].sum()),
        lambda net, grads: grads.update(b1=grads["b1"][:, None]),
        lambda net, grads: grads.update(b1=list(grads["b1"])),
        lambda net, grads: grads.update(W1=2 * grads["W1"] - net.reg * net.params["W1"]),
        lambda net, grads: net.params.update(W1=0.9 * net.params["W1"]),
    ],
    ids=["missing", "summed", "column", "list", "doubled", "weights changed"],
)
def test_a_wrong_gradient_of_the_first_layer_costs_its_part(change):
    wrong = spoilt_gradients(change)
    assert lost(wrong) == {"two_layer_net_loss": ["gradients of W1 and b1"]}
    assert outcome("two_layer_net_training", wrong).fraction == 1


def scaled(function, factor, position):
    def wrapped(*args):
        values = list(function(*args))
        values[position] = values[position] * factor
        return tuple(values)

    return wrapped


@pytest.mark.parametrize(("position", "part"), list(enumerate(["dx", "dw", "db"])))
def test_one_wrong_gradient_costs_its_part(position, part):
    wrong = {AFFINE + "backward": scaled(checks.affine_backward, 2.001, position)}
    assert lost(wrong) == {"affine_backward": [part]}


def test_only_images_or_only_square_matrices():
    def rows_only(x, w, b):
        return x @ w + b, (x, w)

    assert outcome("affine_forward", {AFFINE + "forward": rows_only}).pattern() == (
        "out is wrong only for inputs of more than two axes."
    )

    def turned(dout, cache):
        x, w = cache
        return dout @ w, x.T @ dout, dout.sum(axis=0)

    found = outcome("affine_backward", {AFFINE + "backward": turned})
    assert found.failed_parts == ["dx", "dw", "db"]

    def by_class(x, y):
        loss, dx = checks.softmax_loss(x, y)
        return loss * len(x) / x.shape[1], dx

    found = outcome("softmax_loss", {LOSS + "softmax_loss": by_class})
    assert found.pattern() == "loss is right only for as many examples as classes."


class TestOneBugOneLoss:
    """A backward pass that is the gradient of a wrong forward pass keeps its points."""

    def test_relu_leaky_both_ways(self):
        wrong = {
            RELU + "forward": lambda x: (np.where(x > 0, x, 0.1 * x), x),
            RELU + "backward": lambda dout, x: dout * np.where(x > 0, 1.0, 0.1),
        }
        assert lost(wrong) == {"relu_forward": ["out"]}

    def test_affine_with_doubled_weights(self):
        wrong = {
            AFFINE + "forward": lambda x, w, b: (2 * x.reshape(len(x), -1) @ w + b, (x, w)),
            AFFINE + "backward": lambda dout, cache: (
                2 * (dout @ cache[1].T).reshape(cache[0].shape),
                2 * cache[0].reshape(len(dout), -1).T @ dout,
                dout.sum(axis=0),
            ),
        }
        assert lost(wrong) == {"affine_forward": ["out"]}

    def test_softmax_summed_both_ways(self):
        wrong = {LOSS + "softmax_loss": lambda x, y: tuple(len(x) * v for v in checks.softmax_loss(x, y))}
        assert lost(wrong) == {"softmax_loss": ["loss"]}

    def test_large_scores_cost_only_what_they_break(self):
        def naive(x, y):
            p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
            loss = -np.log(p[np.arange(len(x)), y]).mean()
            p[np.arange(len(x)), y] -= 1
            return loss, p / len(x)

        assert lost({LOSS + "softmax_loss": naive}) == {"softmax_loss": ["large scores"]}

    def test_svm_that_counts_the_true_class(self):
        wrong = {LOSS + "svm_loss": lambda x, y: (checks.svm_loss(x, y)[0] + 1, checks.svm_loss(x, y)[1])}
        assert lost(wrong) == {"svm_loss": ["loss"]}

    @pytest.mark.parametrize("slope", [0.0, 0.3, 0.5, 1.0])
    def test_any_slope_of_the_relu_at_0(self, slope):
        # Nothing is lost; and the inputs of the check keep away from 0.
        right = {RELU + "backward": lambda dout, x: np.where(x == 0, slope, x > 0) * dout}
        assert lost(right) == {}

    @pytest.mark.parametrize("seed", "abcdefgh")
    def test_relu_on_the_scores_both_ways(self, seed):
        wrong = {NET + "loss": network(last=(relu_forward, relu_backward))}
        assert lost(wrong, seed) == {"two_layer_net_scores": ["scores"]}

    def test_another_reg(self):
        def init(self, *args, **kwargs):
            TwoLayerNet.__init__(self, *args, **kwargs)
            self.reg /= 2

        assert lost({NET + "__init__": init}) == {"two_layer_net_init": ["shapes"]}

    def test_l2_of_one_layer_forgotten(self):
        forgetful = network(
            l2=lambda p, reg: 0.5 * reg * squares(p, "W1"), dl2=lambda p, reg: {"W1": reg * p["W1"]}
        )
        parts = ["L2 term of W2 in the loss", "L2 term in the gradients of the second layer"]
        assert lost({NET + "loss": forgetful}) == {"two_layer_net_loss": parts}

    def test_l2_without_half_both_ways(self):
        doubled = network(
            l2=lambda p, reg: reg * squares(p, "W1", "W2"),
            dl2=lambda p, reg: {name: 2 * reg * p[name] for name in ("W1", "W2")},
        )
        parts = ["L2 term of W1 in the loss", "L2 term of W2 in the loss"]
        assert lost({NET + "loss": doubled}) == {"two_layer_net_loss": parts}


@pytest.mark.parametrize(
    "replaced",
    [
        {
            AFFINE + "forward": lambda x, w, b: (np.zeros((len(x), len(b))), (x, w, b)),
            AFFINE + "backward": lambda dout, cache: tuple(np.zeros(a.shape) for a in cache),
        },
        {RELU + "forward": lambda x: (x, x), RELU + "backward": lambda dout, cache: dout},
        {LOSS + "softmax_loss": lambda x, y: (0.0, np.zeros(x.shape))},
        {LOSS + "softmax_loss": lambda x, y: (1.0, np.ones(x.shape))},
        {LOSS + "softmax_loss": lambda x, y: (np.sum(x**2), 2 * x)},
        {LOSS + "svm_loss": lambda x, y: (0.0, np.zeros(x.shape))},
    ],
    ids=["affine zeros", "relu identity", "softmax zeros", "softmax ones", "softmax of squares", "svm zeros"],
)
def test_made_up_answers_earn_nothing(replaced):
    grade_ids = {dotted.rpartition(".")[2] for dotted in replaced}
    for grade_id in grade_ids:
        assert outcome(grade_id, replaced).fraction == 0


@pytest.mark.parametrize(
    "returned", [None, 3, "text", np.zeros((2, 3)), (), (1, 2), (1, 2, 3, 4), [1], {}, object], ids=repr
)
@pytest.mark.parametrize("grade_id", [g for g in CORE if g != "two_layer_net_init"])
def test_rubbish_earns_nothing_and_is_survived(grade_id, returned):
    found = outcome(grade_id, {find(NOTEBOOK, grade_id).function: lambda *args: returned})
    assert found.fraction == 0
    assert found.errors or not any(c.passed for c in found.comparisons)


@pytest.mark.parametrize(
    "params", [None, 3, [], {}, {"W1": "text"}, {"W1": np.array(["a"])}, {"W1": np.zeros((90, 120))}]
)
def test_rubbish_parameters_earn_nothing(params):
    def init(self, **kwargs):
        self.reg, self.params = 0.25, params

    assert outcome("two_layer_net_init", {NET + "__init__": init}).fraction == 0


class TestSecondOracle:
    """The reference, on inputs as the checks draw them, against numerical gradients."""

    @pytest.mark.parametrize("number", range(4))
    def test_affine(self, rng, number):
        _, x, w, b = list(checks._affine_inputs(rng))[number]
        dout = rng.standard_normal((len(x), w.shape[1]))
        out, cache = checks.affine_forward(x, w, b)
        by_hand = [[np.vdot(row, column) for column in w.T] for row in x.reshape(len(x), -1)] + b
        np.testing.assert_allclose(out, by_hand)
        for position, gradient in enumerate(checks.affine_backward(dout, cache)):

            def forward(array, position=position):
                return checks.affine_forward(*[*(x, w, b)[:position], array, *(x, w, b)[position + 1 :]])[0]

            numerical = eval_numerical_gradient_array(forward, np.array((x, w, b)[position]), dout)
            np.testing.assert_allclose(gradient, numerical, atol=1e-7)

    def test_relu(self, rng):
        for x in checks._relu_inputs(rng):
            assert np.abs(x).min() >= 0.05
            dout = rng.standard_normal(x.shape)
            numerical = eval_numerical_gradient_array(lambda x: checks.relu_forward(x)[0], np.array(x), dout)
            np.testing.assert_allclose(
                checks.relu_backward(dout, checks.relu_forward(x)[1]), numerical, atol=1e-7
            )

    @pytest.mark.parametrize("loss", [checks.softmax_loss, checks.svm_loss])
    @pytest.mark.parametrize(("N", "C"), [(7, 5), (6, 9)])
    def test_losses(self, rng, loss, N, C):
        x, y = checks._scores(rng, N, C)
        assert len(set(y)) == min(N, C)
        numerical = eval_numerical_gradient(lambda x: loss(x, y)[0], x.copy())
        np.testing.assert_allclose(loss(x, y)[1], numerical, atol=1e-7)
        terms = {
            checks.softmax_loss: lambda s, c: np.log(np.exp(s).sum()) - s[c],
            checks.svm_loss: lambda s, c: sum(max(0, s[j] - s[c] + 1) for j in range(C) if j != c),
        }
        by_hand = np.mean([terms[loss](s, c) for s, c in zip(x, y, strict=True)])
        assert loss(x, y)[0] == pytest.approx(by_hand)

    @pytest.mark.parametrize("reg", [0.0, 0.7])
    def test_network(self, rng, reg):
        X, y, params = checks._net_inputs(rng, (3, 4), 6, 8, 5)
        net = checks._reference(params, reg)
        _, grads = net.loss(X, y)
        for name in params:
            numerical = eval_numerical_gradient(lambda _: net.loss(X, y)[0], net.params[name])
            np.testing.assert_allclose(grads[name], numerical, atol=1e-7)


class TestBestModel:
    @pytest.fixture
    def model(self, rng):
        arrays = {"W1": rng.standard_normal((3072, 8)), "b1": np.zeros(8)}
        arrays |= {"W2": rng.standard_normal((8, 10)), "b2": np.zeros(10)}
        return {**arrays, "mean_image": np.full((3, 32, 32), 120.0), "dataset": np.array("shapes10")}

    def found(self, model, replaced=None):
        return outcome("best_model", replaced, files={"best_two_layer_net.npz": model})

    def expected(self, model, seed="seed"):
        """The accuracy that the saved weights have on the hidden images, computed here in another way."""
        grade_id = "best_model"
        from autograder.checks.running import number_from

        rng = np.random.default_rng(number_from(seed, NOTEBOOK, grade_id))
        images, labels = checks.shapes10.generate(1000, int(rng.integers(2**31)))
        rows = (images.transpose(0, 3, 1, 2) - model["mean_image"]).reshape(1000, -1)
        scores = np.maximum(rows @ model["W1"] + model["b1"], 0) @ model["W2"] + model["b2"]
        return np.mean(scores.argmax(axis=1) == labels)

    def test_points_are_the_accuracy_on_the_scale(self, model):
        assert self.found(model).fraction == pytest.approx(self.expected(model), abs=0.0051)

    def test_float32_and_row_biases_count(self, model):
        plain = self.found(model).fraction
        model = {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in model.items()}
        model["b1"] = model["b1"][None]
        assert self.found(model).fraction == pytest.approx(plain, abs=0.011)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"dataset": np.array("mnist")}, "does not say which data set"),
            ({"dataset": np.array([1, 2])}, "does not say which data set"),
            ({"W1": np.zeros((8, 3072))}, "W1 in best_two_layer_net.npz should be floats of shape (3072, 8)"),
            ({"W2": np.full((8, 10), np.nan)}, "W2 in best"),
            ({"b2": np.zeros(10, dtype=int)}, "b2 in best"),
            ({"mean_image": np.zeros((32, 32, 3))}, "mean_image in best"),
            ({"b1": np.array(["a"] * 8)}, "b1 in best"),
            ({"b1": np.zeros(0)}, "W1 in best"),
        ],
    )
    def test_a_model_that_does_not_fit_is_refused_in_words(self, model, change, says):
        found = self.found(model | change)
        assert found.fraction == 0
        assert says in found.errors[0].message

    def test_a_model_that_was_not_saved_is_missed(self):
        found = outcome("best_model", files={})
        assert found.fraction == 0
        assert "was not handed in" in found.errors[0].message

    def test_predictions_that_are_no_scores_earn_nothing(self, model):
        found = self.found(model, {NET + "loss": lambda self, X, y=None: np.zeros((len(X), 9))})
        assert found.fraction == 0

    def test_without_cifar10_a_person_grades_it(self, model, tmp_path, monkeypatch):
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        found = self.found(model | {"dataset": np.array("cifar10")})
        assert "a person grades it" in found.by_hand
        assert found.fraction == 0

    def test_with_cifar10_its_test_images_are_used(self, model, tmp_path, monkeypatch, rng):
        folder = tmp_path / "cifar-10-batches-py"
        folder.mkdir()
        for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
            images = rng.integers(0, 256, (1000, 3072), dtype=np.uint8)
            batch = {"data": images, "labels": [int(pixels[0]) // 26 for pixels in images]}
            (folder / name).write_bytes(pickle.dumps(batch))
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        # One hidden unit holds the first pixel; the highest score changes every 26 steps of it.
        steps = 26 * np.arange(10) - 0.5
        steps[0] = 0.0
        model = {
            "W1": np.eye(3072, 1),
            "b1": np.zeros(1),
            "W2": np.arange(10.0)[None],
            "b2": -np.cumsum(steps),
        }
        model |= {"mean_image": np.zeros((3, 32, 32)), "dataset": np.array("cifar10")}
        assert self.found(model).fraction == 1
