"""The checks of a1/4_features pass what is right, and one bug costs one loss."""

import functools
import pickle

import numpy as np
import pytest

from autograder import variants
from autograder.checks import LocalStudent, find
from autograder.checks import a1_4_features as checks
from autograder.checks.running import number_from, run_check
from autograder.course import REPOSITORY, Assignment, Course, Scale
from autograder.misconceptions.linear_classifier import LINEAR, LOSSES, classifier
from handgrad import shapes10
from handgrad.classifiers import LinearSVM, Softmax, TwoLayerNet
from handgrad.features import color_histogram_hsv, extract_features, hog_feature
from handgrad.gradient_check import eval_numerical_gradient

NOTEBOOK = "a1/4_features"
SCALES = {"shapes10": Scale(zero=0.0, full=1.0), "cifar10": Scale(zero=0.0, full=1.0)}
CELLS = {"linear_svm_loss": "LinearSVM", "linear_softmax_loss": "Softmax"}
BOTH = pytest.mark.parametrize(("grade_id", "name"), CELLS.items())


def outcome(grade_id, replaced=None, seed="seed", files=None):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced, files=files), seed, SCALES)


def lost(name, loss, seed="seed"):
    """The failed parts of the check of this classifier."""
    (grade_id,) = (grade_id for grade_id, other in CELLS.items() if other == name)
    return outcome(grade_id, {f"{LINEAR}{name}.loss": loss}, seed).failed_parts


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a1").grade_cells
    automatic = {cell.grade_id for cell in cells if cell.kind == "auto" and cell.notebook == "4_features"}
    assert automatic == {*CELLS, "best_svm_features", "best_features_net"}
    assert all(find(NOTEBOOK, grade_id) for grade_id in automatic)


@BOTH
def test_the_reference_passes_on_twenty_seeds(grade_id, name):
    for seed in range(20):
        assert outcome(grade_id, seed=str(seed)).fraction == 1


@BOTH
def test_the_loss_is_written_in_several_styles(grade_id, name):
    function = f"{LINEAR}{name}.loss"
    known = variants.of_functions([function])
    assert sum(function in replaced for replaced in known.values()) >= 12


@BOTH
class TestOneBugOneLoss:
    @pytest.mark.parametrize(
        ("spoilt", "parts"),
        [
            ({"l2": lambda W, reg, N: 0.0, "dl2": lambda W, reg, N: 0.0}, ["loss", "gradient"]),
            ({"l2": lambda W, reg, N: 0.5 * reg * np.sum(W**2)}, ["loss"]),
            ({"dl2": lambda W, reg, N: reg * W}, ["gradient"]),
            # The same mistake in both: the gradient is that of the loss.
            (
                {"l2": lambda W, reg, N: 0.5 * reg * np.sum(W**2), "dl2": lambda W, reg, N: reg * W},
                ["loss"],
            ),
            (
                {
                    "l2": lambda W, reg, N: reg * np.sum(W**2) / N,
                    "dl2": lambda W, reg, N: 2 * reg * W / N,
                },
                ["loss"],
            ),
        ],
    )
    def test_the_l2_term_costs_its_own_parts(self, grade_id, name, spoilt, parts):
        expected = [f"L2 term in the {part}" for part in parts]
        assert lost(name, classifier(LOSSES[name], **spoilt)) == expected

    def test_summed_both_ways(self, grade_id, name):
        def data(scores, y):
            return tuple(len(y) * value for value in LOSSES[name](scores, y))

        assert lost(name, classifier(data)) == ["loss"]

    def test_gradient_alone(self, grade_id, name):
        wrong = classifier(LOSSES[name], of_gradient=lambda X, dscores, W: len(X) * X.T @ dscores)
        assert lost(name, wrong) == ["gradient"]

    @pytest.mark.parametrize("step", [0.0, 1e-3])
    def test_changed_weights(self, grade_id, name, step):
        def wrong(self, X_batch, y_batch, reg):
            loss, dW = classifier(LOSSES[name])(self, X_batch, y_batch, reg)
            self.W -= step * (1 + reg) * dW
            return loss, dW

        assert lost(name, wrong) == (["gradient"] if step else [])

    def test_a_loss_without_regularisation_that_breaks_costs_only_that(self, grade_id, name):
        def wrong(self, X_batch, y_batch, reg):
            if reg:
                raise ZeroDivisionError
            return classifier(LOSSES[name])(self, X_batch, y_batch, reg)

        assert lost(name, wrong) == ["L2 term in the loss", "L2 term in the gradient"]


def test_large_scores_cost_only_what_they_break():
    def naive(scores, y):
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        p[np.arange(len(y)), y] -= 1
        return loss, p / len(y)

    assert lost("Softmax", classifier(naive)) == ["large scores"]


def test_a_wrong_loss_that_stands_large_scores_keeps_these_points():
    def summed(scores, y):
        return tuple(len(y) * value for value in LOSSES["Softmax"](scores, y))

    assert lost("Softmax", classifier(summed)) == ["loss"]


@BOTH
@pytest.mark.parametrize(
    "returned",
    [None, 3, "text", (), (1,), (None, None), (np.nan, np.nan), (1, 2, 3), [1, 2], {}, np.zeros((2, 3))],
    ids=str,
)
def test_rubbish_earns_nothing_and_is_survived(grade_id, name, returned):
    found = outcome(grade_id, {f"{LINEAR}{name}.loss": lambda *args: returned})
    assert found.fraction == 0


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        lambda X, W: (0.0, np.zeros_like(W)),
        lambda X, W: (1.0, np.ones_like(W)),
        lambda X, W: (np.sum(W**2), 2 * W),
        lambda X, W: (np.sum(X @ W), np.full(W.shape, X.sum())),
    ],
    ids=["zeros", "ones", "squares", "sums"],
)
def test_made_up_answers_earn_nothing(grade_id, name, answer):
    assert not outcome(grade_id, {f"{LINEAR}{name}.loss": lambda self, X, y, reg: answer(X, self.W)}).fraction


class TestSecondOracle:
    """The reference, on inputs as the checks draw them, against sums by hand and numerical gradients."""

    @pytest.mark.parametrize("make", [LinearSVM, Softmax])
    @pytest.mark.parametrize(("N", "D", "C"), [(9, 6, 4), (5, 7, 8)])
    @pytest.mark.parametrize("reg", [0.0, 0.7])
    def test_loss_and_gradient(self, rng, make, N, D, C, reg):
        X, y, W = checks._examples(rng, N, D, C)
        assert not X.flags.c_contiguous
        terms = {
            Softmax: lambda s, c: np.log(np.exp(s).sum()) - s[c],
            LinearSVM: lambda s, c: sum(max(0, s[j] - s[c] + 1) for j in range(C) if j != c),
        }
        by_hand = np.mean([terms[make](x @ W, c) for x, c in zip(X, y, strict=True)])
        loss, dW = checks._loss(make(), W, X, y, reg)
        assert loss == pytest.approx(by_hand + reg * sum(w * w for w in W.flat))
        numerical = eval_numerical_gradient(lambda W: checks._loss(make(), W, X, y, reg)[0], W.copy())
        np.testing.assert_allclose(dW, numerical, atol=1e-7)


@functools.cache
def training_features():
    images, labels = shapes10.generate(400, 0)
    return extract_features(images, [hog_feature, color_histogram_hsv]), labels


def hidden_features(seed, grade_id, count=1000):
    rng = np.random.default_rng(number_from(seed, NOTEBOOK, grade_id))
    images, labels = shapes10.generate(count, int(rng.integers(2**31)))
    return extract_features(images, [hog_feature, color_histogram_hsv]), labels


def ridge_regression(features, labels):
    """A W (155, 10), weights and biases."""
    rows = np.hstack([features, np.ones((len(features), 1))])
    return np.linalg.solve(rows.T @ rows + 100 * np.eye(155), rows.T @ np.eye(10)[labels])


class TestSavedModels:
    @pytest.fixture
    def svm(self):
        features, labels = training_features()
        mean, std = features.mean(axis=0), features.std(axis=0) + 1e-3
        model = {"W": ridge_regression((features - mean) / std, labels)}
        return {**model, "feature_mean": mean, "feature_std": std, "dataset": np.array("shapes10")}

    @pytest.fixture
    def net(self, svm):
        """One hidden unit for each sign of the SVM's scores: the network's scores are the same."""
        W, b = svm["W"][:-1], svm["W"][-1]
        arrays = {"W1": np.hstack([W, -W]), "b1": np.concatenate([b, -b])}
        arrays |= {"W2": np.vstack([np.eye(10), -np.eye(10)]), "b2": np.zeros(10)}
        return {**{name: value for name, value in svm.items() if name != "W"}, **arrays}

    def expected(self, svm, grade_id):
        features, labels = hidden_features("seed", grade_id)
        rows = (features - svm["feature_mean"]) / svm["feature_std"]
        return np.mean((rows @ svm["W"][:-1] + svm["W"][-1]).argmax(axis=1) == labels)

    def found(self, grade_id, model, replaced=None):
        return outcome(grade_id, replaced, files={f"{grade_id}.npz": model})

    def test_points_are_the_accuracy_on_the_scale(self, svm, net):
        for grade_id, model in (("best_svm_features", svm), ("best_features_net", net)):
            right = self.expected(svm, grade_id)
            assert right > 0.15
            assert self.found(grade_id, model).fraction == pytest.approx(right, abs=0.0051)

    def test_float32_counts(self, svm, net):
        for grade_id, model in (("best_svm_features", svm), ("best_features_net", net)):
            plain = self.found(grade_id, model).fraction
            small = {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in model.items()}
            small["feature_mean"] = small["feature_mean"][None]
            assert self.found(grade_id, small).fraction == pytest.approx(plain, abs=0.011)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"dataset": np.array("mnist")}, "does not say which data set"),
            ({"W": np.zeros((154, 10))}, "W in best_svm_features.npz should be floats of shape (155, 10)"),
            ({"W": np.full((155, 10), np.nan)}, "W in best"),
            ({"feature_mean": np.zeros(3072)}, "feature_mean in best"),
            ({"feature_std": np.zeros(154)}, "feature_std in best_svm_features.npz has a number that is not"),
            ({"feature_std": np.array(["a"] * 154)}, "feature_std in best"),
        ],
    )
    def test_an_svm_that_does_not_fit_is_refused_in_words(self, svm, change, says):
        found = self.found("best_svm_features", svm | change)
        assert found.fraction == 0
        assert says in found.errors[0].message

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"W1": np.zeros((3072, 20))}, "W1 in best_features_net.npz should be floats of shape (154, 20)"),
            ({"b1": np.zeros(0)}, "W1 in best"),
            ({"W2": np.zeros((10, 20))}, "W2 in best"),
            ({"b2": np.zeros(10, dtype=int)}, "b2 in best"),
            ({"feature_std": -np.ones(154)}, "feature_std in best"),
        ],
    )
    def test_a_network_that_does_not_fit_is_refused_in_words(self, net, change, says):
        found = self.found("best_features_net", net | change)
        assert found.fraction == 0
        assert says in found.errors[0].message

    @pytest.mark.parametrize("grade_id", ["best_svm_features", "best_features_net"])
    def test_a_model_that_was_not_saved_is_missed(self, grade_id):
        found = outcome(grade_id, files={})
        assert found.fraction == 0
        assert "was not handed in" in found.errors[0].message

    @pytest.mark.parametrize(
        "predicted",
        [None, 3, np.zeros(3, dtype=int), np.full(100, 10), np.full(100, -1), np.full(100, 0.5), [0] * 100],
        ids=["None", "3", "too few", "10", "-1", "0.5", "list"],
    )
    def test_predictions_that_are_no_labels_earn_nothing(self, svm, predicted):
        found = self.found("best_svm_features", svm, {f"{LINEAR}LinearSVM.predict": lambda *_: predicted})
        assert found.fraction == 0

    def test_scores_that_are_none_earn_nothing(self, net):
        loss = {"handgrad.classifiers.fc_net.TwoLayerNet.loss": lambda self, X, y=None: X}
        assert self.found("best_features_net", net, loss).fraction == 0

    def test_the_students_network_makes_the_scores(self, net):
        def negated(self, X, y=None):
            return -TwoLayerNet.loss(self, X)

        plain = self.found("best_features_net", net).fraction
        loss = {"handgrad.classifiers.fc_net.TwoLayerNet.loss": negated}
        assert self.found("best_features_net", net, loss).fraction < plain

    def test_features_are_extracted_once_for_a_class(self, svm, monkeypatch):
        self.found("best_svm_features", svm)
        monkeypatch.setattr(checks, "extract_features", None)
        assert self.found("best_svm_features", svm).fraction > 0

    @pytest.mark.parametrize("grade_id", ["best_svm_features", "best_features_net"])
    def test_without_cifar10_a_person_grades_it(self, svm, net, grade_id, tmp_path, monkeypatch):
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        model = svm if grade_id == "best_svm_features" else net
        found = self.found(grade_id, model | {"dataset": np.array("cifar10")})
        assert "a person grades it" in found.by_hand
        assert found.fraction == 0

    def test_with_cifar10_its_test_images_are_used(self, svm, tmp_path, monkeypatch, rng):
        folder = tmp_path / "cifar-10-batches-py"
        folder.mkdir()
        for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
            labels = rng.permutation(np.arange(1000) % 10)
            # Images of one colour each, whose hue tells the label: feature 144 + label is 1.
            hue = (labels + 0.5) / 10 * 6
            colours = np.clip([abs(hue - 3) - 1, 2 - abs(hue - 2), 2 - abs(hue - 4)], 0, 1)
            images = np.repeat((255 * colours.T).astype(np.uint8), 1024, axis=1)
            (folder / name).write_bytes(pickle.dumps({"data": images, "labels": labels.tolist()}))
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        W = np.zeros((155, 10))
        W[144:154] = np.eye(10)
        model = {"W": W, "feature_mean": np.zeros(154), "feature_std": np.ones(154)}
        assert self.found("best_svm_features", model | {"dataset": np.array("cifar10")}).fraction == 1
