"""The checks of a3/2_classification: the default training is there, and the saved network is measured."""

import numpy as np
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks.running import number_from, run_check
from autograder.course import REPOSITORY, Assignment, Course, Scale
from handgrad import shapes10
from handgrad.modules import Trainer

NOTEBOOK = "a3/2_classification"
SCALES = {"shapes10": Scale(zero=0.0, full=1.0), "cifar10": Scale(zero=0.0, full=1.0)}
CELL = "modules_default_training"
SOFTMAX = "handgrad.modules.activations.Softmax.forward"
RIGHT = """
from handgrad.modules import SGD, CrossEntropyLoss, Linear, ReLU, Sequential, Softmax, Trainer

np.random.seed(1)
f32 = np.float32
default_net = Sequential([Linear(3072, 50, dtype=f32), ReLU(), Linear(50, 10, dtype=f32), Softmax()])
optim = SGD(default_net, lr=5e-3)
trainer = Trainer(dataset, optim, default_net, CrossEntropyLoss(), 10, 100, seed=1, verbose=False)
train_error, validation_accuracy = trainer.train()
"""


def outcome(grade_id, replaced=None, seed="seed", files=None):
    return run_check(find(NOTEBOOK, grade_id), LocalStudent(replaced, files=files), seed, SCALES)


def test_every_automatic_grade_cell_has_a_check():
    cells = Assignment(Course(REPOSITORY / "assignments"), "a3").grade_cells
    automatic = {c.grade_id for c in cells if c.kind == "auto" and c.notebook == "2_classification"}
    assert automatic == {"modules_default_check", "best_modules_net"}
    assert all(find(NOTEBOOK, grade_id) for grade_id in automatic)


class TestDefaultTraining:
    @pytest.mark.parametrize("seed", range(4))
    def test_the_reference_passes(self, seed):
        assert outcome("modules_default_check", seed=str(seed)).fraction == 1
        assert outcome("modules_default_check", {CELL: RIGHT}, seed=str(seed)).fraction == 1

    @pytest.mark.parametrize(
        ("old", "new", "parts"),
        [
            ("lr=5e-3", "lr=2e-2", ["settings"]),
            ("lr=5e-3", "lr=5e-3, weight_decay=0.1", ["settings"]),
            ("10, 100,", "10, 50,", ["settings"]),
            ("10, 100,", "20, 100,", ["training", "settings"]),
            ("Linear(3072, 50, dtype=f32), ReLU()", "Linear(3072, 50, dtype=f32)", ["network"]),
            (
                "50, dtype=f32), ReLU(), Linear(50",
                "60, dtype=f32), ReLU(), Linear(60",
                ["network"],
            ),
            ("= trainer.train()", "= trainer.train()\ntrain_error = train_error[:5]", ["training"]),
            ("= trainer.train()", "= trainer.train()\ntrain_error = [1.0] * 10", ["training"]),
            ("= trainer.train()", "= trainer.train()\nvalidation_accuracy = ['a'] * 10", ["training"]),
            ("= trainer.train()", "= trainer.train()\ntrainer = 5", ["settings"]),
            ("= trainer.train()", "= [[3.0 - 0.2 * i for i in range(10)], [0.3] * 10]", ["training"]),
        ],
    )
    def test_a_mistake_costs_its_parts(self, old, new, parts):
        assert RIGHT.count(old) == 1
        assert outcome("modules_default_check", {CELL: RIGHT.replace(old, new)}).failed_parts == parts

    @pytest.mark.parametrize(
        "cell",
        [
            "default_net = trainer = train_error = validation_accuracy = None\nassert default_net",
            "default_net = trainer = train_error = validation_accuracy = None",
            "default_net, trainer, train_error, validation_accuracy = 1, 'text', [1] * 10, {}",
            "import sys\nraise KeyError('x')",
            "%time it",
            "",
        ],
    )
    def test_what_was_not_done_earns_nothing(self, cell):
        assert outcome("modules_default_check", {CELL: cell}).fraction == 0

    def test_nothing_of_it_stays_in_this_process(self):
        import builtins

        before = set(vars(builtins))
        outcome("modules_default_check", {CELL: "raise ValueError"})
        assert set(vars(builtins)) == before


class TestBestNetwork:
    @pytest.fixture
    def model(self, rng):
        arrays = {"parameter_0_weight": rng.standard_normal((3072, 8)) / 50, "parameter_1_bias": np.zeros(8)}
        arrays |= {"parameter_2_weight": rng.standard_normal((8, 10)), "parameter_3_bias": np.zeros(10)}
        extra = {"scale": np.array(64), "dataset": np.array("shapes10")}
        return {**arrays, "mean_image": np.full((3, 32, 32), 120.0), **extra}

    def found(self, model, replaced=None):
        return outcome("best_modules_net", replaced, files={"best_modules_net.npz": model})

    def expected(self, model, seed="seed"):
        """The accuracy that the saved weights have on the hidden images, computed here in another way."""
        rng = np.random.default_rng(number_from(seed, NOTEBOOK, "best_modules_net"))
        images, labels = shapes10.generate(1000, int(rng.integers(2**31)))
        rows = (images.transpose(0, 3, 1, 2) - model["mean_image"]).reshape(1000, -1) / model["scale"]
        hidden = np.maximum(rows @ model["parameter_0_weight"] + model["parameter_1_bias"], 0)
        scores = hidden @ model["parameter_2_weight"] + model["parameter_3_bias"]
        return np.mean(scores.argmax(axis=1) == labels)

    def test_points_are_the_accuracy_on_the_scale(self, model):
        assert self.found(model).fraction == pytest.approx(self.expected(model), abs=0.0051)

    def test_float32_row_biases_and_another_scale_count(self, model):
        plain = self.found(model).fraction
        model = {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in model.items()}
        model["parameter_1_bias"] = model["parameter_1_bias"][None]
        model["scale"] = np.array([64.0])
        assert self.found(model).fraction == pytest.approx(plain, abs=0.011)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"dataset": np.array("mnist")}, "does not say which data set"),
            ({"scale": np.array(0)}, "scale in best_modules_net.npz"),
            ({"scale": np.array("64")}, "scale in best_modules_net.npz"),
            ({"scale": np.array([1, 2])}, "scale in best_modules_net.npz"),
            ({"scale": np.array(np.nan)}, "scale in best_modules_net.npz"),
            (
                {"parameter_0_weight": np.zeros((8, 3072))},
                "parameter_0_weight in best_modules_net.npz should",
            ),
            ({"parameter_2_weight": np.full((8, 10), np.nan)}, "parameter_2_weight in best"),
            ({"parameter_3_bias": np.zeros(10, dtype=int)}, "parameter_3_bias in best"),
            ({"parameter_1_bias": np.zeros(0)}, "parameter_0_weight in best"),
            ({"mean_image": np.zeros((32, 32, 3))}, "mean_image in best"),
        ],
    )
    def test_a_model_that_does_not_fit_is_refused_in_words(self, model, change, says):
        found = self.found(model | change)
        assert found.fraction == 0
        assert says in found.errors[0].message

    @pytest.mark.parametrize(
        "name",
        ["parameter_0_weight", "parameter_1_bias", "parameter_3_bias", "mean_image", "scale", "dataset"],
    )
    def test_a_file_that_lacks_something_is_refused(self, model, name):
        assert self.found({key: value for key, value in model.items() if key != name}).fraction == 0

    def test_a_model_that_was_not_saved_is_missed(self):
        found = outcome("best_modules_net", files={})
        assert found.fraction == 0
        assert "was not handed in" in found.errors[0].message

    @pytest.mark.parametrize(
        "out", [lambda x: x[:, :9], lambda x: x * np.nan, lambda x: None, lambda x: "text"]
    )
    def test_outputs_that_are_no_scores_earn_nothing(self, model, out):
        assert self.found(model, {SOFTMAX: lambda self, x: out(x)}).fraction == 0

    def test_without_cifar10_a_person_grades_it(self, model, tmp_path, monkeypatch):
        monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
        found = self.found(model | {"dataset": np.array("cifar10")})
        assert "a person grades it" in found.by_hand
        assert found.fraction == 0


def test_the_settings_are_those_of_the_trainer():
    """The names that the check asks a trainer for exist."""
    names = Trainer.__init__.__code__.co_varnames
    assert {"epoch", "batch_size", "validate_interval"} <= set(names)
