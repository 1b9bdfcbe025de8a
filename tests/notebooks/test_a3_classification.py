"""The grade cells of a3/2_classification: what they accept, and what they say to usual mistakes."""

import numpy as np
import pytest
from cells import Cells, write

from handgrad import shapes10
from handgrad.modules import SGD, CrossEntropyLoss, DataLoader, Linear, ReLU, Sequential, Softmax, Trainer

CELLS = Cells("a3/2_classification")
SCALE = 64


@pytest.fixture(scope="module")
def data():
    """Sixty images in place of thousands; the same ones are validated on, so that it is easy."""
    images, labels = shapes10.generate(60, seed=1)
    X = images.transpose(0, 3, 1, 2).astype(np.float32)
    mean_image = X.mean(axis=0)
    X -= mean_image
    names = {f"X_{split}": X for split in ("train", "val", "test")}
    names |= {f"y_{split}": labels for split in ("train", "val", "test")}
    return {**names, "mean_image": mean_image, "dataset": "shapes10", "class_names": shapes10.CLASS_NAMES}


@pytest.fixture(scope="module")
def dataset(data):
    parts = ((data[f"X_{split}"] / SCALE, data[f"y_{split}"]) for split in ("train", "val", "test"))
    return DataLoader(*(array for part in parts for array in part))


def train(dataset, hidden=50, lr=2e-2, epochs=10, interval=1):
    """The names that a student's training cell leaves."""
    np.random.seed(1)
    net = Sequential([Linear(3072, hidden, np.float32), ReLU(), Linear(hidden, 10, np.float32), Softmax()])
    trainer = Trainer(
        dataset, SGD(net, lr), net, CrossEntropyLoss(), epochs, 10, interval, verbose=False, seed=1
    )
    errors, accuracy = trainer.train()
    return {"default_net": net, "train_error": errors, "validation_accuracy": accuracy, "dataset": dataset}


@pytest.fixture(scope="module")
def trained(dataset):
    return train(dataset)


def test_default_training_that_learns_is_accepted(trained, capsys):
    CELLS.run("modules-default-check", **trained)
    printed = capsys.readouterr()
    assert "accuracy 100%" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": 40}, r"shapes \[\(3072, 40\)"),
        ({"interval": 2}, "expected 10 of each"),
        ({"epochs": 9}, "expected 10 of each"),
        ({"lr": 1e-7}, "loss does not go down"),
    ],
    ids=str,
)
def test_default_training_with_other_settings_is_told_so(settings, message, dataset):
    with pytest.raises(AssertionError, match=message):
        CELLS.run("modules-default-check", **train(dataset, **settings))


def test_network_that_did_not_come_out_of_the_training_is_told_so(trained, dataset):
    fresh = train(dataset, epochs=1, lr=1e-7)["default_net"]
    with pytest.raises(AssertionError, match="has the validation accuracy"):
        CELLS.run("modules-default-check", **{**trained, "default_net": fresh})


MISTAKES = [
    # in a module, while the training of the cell above seemed to work
    ("handgrad.modules.optim.SGD", [("parameter.value - self.lr", "parameter.value + self.lr")]),
    ("handgrad.modules.linear.Linear", [("self.weight.grad = rows.T @ dout", "self.weight.grad *= 0")]),
    (
        "handgrad.modules.sequential.Sequential",
        [("            dout = module.backward(dout)\n", "            pass\n")],
    ),
    (
        "handgrad.modules.data.DataLoader",
        [("self.y_train[chosen]", "self.y_train[rng.permutation(len(order))[start : start + batch_size]]")],
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0])
def test_modules_that_do_not_learn_are_told_so(mistake, trained, monkeypatch):
    target, edits = mistake
    write(monkeypatch, target, *edits)
    with pytest.raises(AssertionError, match=r"50 images .*check your modules"):
        CELLS.run("modules-default-check", **trained)


def save(net, data, **other):
    extra = {"mean_image": data["mean_image"], "scale": np.array(SCALE), "dataset": np.array("shapes10")}
    extra = {name: value for name, value in (extra | other).items() if value is not None}
    net.save("best_modules_net.npz", **extra)


@pytest.mark.parametrize("hidden", [50, 7])
def test_saved_network_of_any_size_is_accepted(hidden, data, dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save(train(dataset, hidden=hidden, epochs=20)["default_net"], data)
    CELLS.run("best-modules-net", data=data, SCALE=SCALE)
    printed = capsys.readouterr()
    assert "the goal is more than 0.39" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"scale": None}, "lacks {'scale'}"),
        ({"mean_image": None}, "lacks {'mean_image'}"),
        ({"scale": np.array(1.0)}, "SCALE, by which"),
        ({"mean_image": np.zeros((3, 32, 32), np.float32)}, r"Save data\['mean_image'\]"),
        ({"dataset": np.array("cifar10")}, "trained on cifar10"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_incomplete_file_is_told_so(extra, message, trained, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(trained["default_net"], data, **extra)
    with pytest.raises(AssertionError, match=message):
        CELLS.run("best-modules-net", data=data, SCALE=SCALE)


def test_useless_network_is_told_so(data, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = train(dataset, epochs=1, lr=1e-7)["default_net"]
    save(net, data)
    with pytest.raises(AssertionError, match="hardly better than guessing"):
        CELLS.run("best-modules-net", data=data, SCALE=SCALE)
    net.parameters[0].value = np.full_like(net.parameters[0].value, np.nan)
    save(net, data)
    with pytest.raises(AssertionError, match="weight is not finite"):
        CELLS.run("best-modules-net", data=data, SCALE=SCALE)


def test_every_grade_cell_is_tested():
    assert CELLS.graded == ["modules-default-check", "best-modules-net"]
