"""Hidden checks of a3/2_classification: the default training on other images, and the saved network.

Notable:
- The cell with the default training runs again, on a few images that are learnt in a second. What it needs of
  earlier cells is made here.
- Mistakes in the modules have cost points in a3/1: here the reference stands in for those.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from handgrad.modules import ReLU, Sequential, Softmax

from ..sandbox import StudentError
from . import for_notebook
from .accuracy import accuracy, floats, measure
from .modules import (
    ACCURACY,
    DATA,
    FRAMEWORK,
    LAYERS_FORWARD,
    SEQUENTIAL,
    linear,
    numbers,
    reference_linear,
    value_of,
)

check = for_notebook("a3/2_classification")

FILE = "best_modules_net.npz"
SCALE = 64
SHAPES = [(3072, 50), (50,), (50, 10), (10,)]
SETTINGS = {"epoch": 10, "batch_size": 100, "validate_interval": 1}


@check(
    "modules_default_check",
    parts={"network": 2.4, "training": 4, "settings": 1.6},
    function="modules_default_training",
    uses=[*FRAMEWORK, f"{DATA}.batches", ACCURACY, "handgrad.modules.trainer.Trainer.step"],
    recognise=False,
)
def check_modules_default_check(student, rng, expect):
    """The network, its training on images that are easy to learn, and the settings."""
    images, labels = _easy_images(rng, 260)
    splits = {"train": slice(150), "val": slice(150, 200), "test": slice(200, 210)}
    hidden, hidden_labels = images[210:], labels[210:]
    earlier = _earlier_names(student, images, labels, splits)
    names = student.run_cells("2_classification", ["modules_default_training"], earlier)
    net = names["default_net"]
    with expect.attempt("network"):
        _check_network(student, net, hidden, expect)
    with expect.attempt("training"):
        for name in ("train_error", "validation_accuracy"):
            values = _numbers_of(names[name])
            epochs = SETTINGS["epoch"]
            count = "no" if values is None else len(values)
            message = f"There are {count} measurements; {epochs} are expected, one for each epoch."
            if expect.true("training", values is not None and len(values) == epochs, name, message):
                _check_course(name, values, net, images[splits["val"]], labels[splits["val"]], expect)
        share = accuracy(net.forward(hidden), hidden_labels)
        message = (
            f"On new images of the same kind it is right in {share or 0:.0%}; it should be 70 % and more."
        )
        expect.true("training", share is not None and share >= 0.7, "default_net after training", message)
    with expect.attempt("settings"):
        trainer = names["trainer"]
        optim = getattr(trainer, "optim", None)
        asked = {name: (getattr(trainer, name, None), right) for name, right in SETTINGS.items()}
        asked |= {"lr": (getattr(optim, "lr", None), 5e-3)}
        asked |= {"weight_decay": (getattr(optim, "weight_decay", None), 0.0)}
        for name, (got, right) in asked.items():
            expect.number("settings", got, right, what=name)


def _check_course(name, values, net, images, labels, expect):
    """The loss goes down; the network has the parameters with the best validation accuracy."""
    if name == "train_error":
        message = f"The loss does not go down as it should: from {values[0]:.3g} to {values[-1]:.3g}."
        expect.true("training", values[-1] < 0.5 * values[0], "loss of the training", message)
    else:
        share = accuracy(net.forward(images), labels)
        message = (
            f"default_net has the validation accuracy {share or 0:.3f}; the best was {values.max():.3f}."
        )
        kept = share is not None and abs(share - values.max()) < 1e-6
        expect.true("training", kept, "validation accuracy of default_net", message)


def _check_network(student, net, images, expect):
    """The shapes of the parameters, and what the network makes of images with these."""
    handles = net.parameters
    count = student.call("builtins.len", handles)
    values = [value_of(handles[i]) for i in range(min(count, 8))]
    shapes = [np.shape(value) for value in values]
    flat = [shape[1:] if shape[:1] == (1,) and len(shape) == 2 else shape for shape in shapes]
    message = f"They are {shapes}, expected {SHAPES}."
    if not expect.true("network", flat == SHAPES, "shapes of the parameters", message):
        return
    w1, b1, w2, b2 = (np.asarray(value, dtype=np.float64) for value in values)
    first, second = reference_linear(w1, b1.ravel()), reference_linear(w2, b2.ravel())
    right = Sequential([first, ReLU(), second, Softmax()]).forward(images)
    expect.array(
        "network", net.forward(images), right, what="probabilities that default_net gives", tolerance=1e-3
    )


def _numbers_of(measurements: Any) -> np.ndarray | None:
    """The measurements of a training, if they are numbers in a row."""
    value = measurements.value() if hasattr(measurements, "value") else measurements
    try:
        value = np.asarray(value)
    except ValueError:
        return None
    return numbers(value) if value.ndim == 1 else None


def _easy_images(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of ten random patterns with noise, and labels: a sound network learns them in 20 steps."""
    patterns = rng.standard_normal((10, 3, 32, 32), dtype=np.float32)
    labels = rng.permutation(np.arange(count) % 10)
    noise = rng.standard_normal((count, 3, 32, 32), dtype=np.float32)
    return 0.9 * patterns[labels] + 0.5 * noise, labels


def _earlier_names(student: Any, images: np.ndarray, labels: np.ndarray, splits: dict[str, slice]) -> dict:
    """What earlier cells have defined."""
    data = {"mean_image": np.zeros((3, 32, 32)), "dataset": "shapes10"}
    names: dict[str, Any] = {"SCALE": SCALE, "FAST": False, "data": data}
    arrays = []
    for name, part in splits.items():
        data |= {f"X_{name}": SCALE * images[part], f"y_{name}": labels[part]}
        names |= {f"x_{name}": images[part], f"y_{name}": labels[part]}
        arrays += [images[part], labels[part]]
    names["dataset"] = student.modules.DataLoader(*arrays)
    names["np"] = student.call("importlib.import_module", "numpy")
    names["plt"] = student.call("unittest.mock.MagicMock")
    return names


@check(
    "best_modules_net",
    parts={"accuracy": 1},
    function="modules_search",
    uses=[*LAYERS_FORWARD, f"{SEQUENTIAL}.forward"],
    recognise=False,
    saved=FILE,
)
def check_best_modules_net(student, rng, expect):
    """The saved parameters in the student's modules, on images that nobody has trained on."""
    arrays = student.saved(FILE)
    hidden = np.size(arrays.get("parameter_1_bias", np.empty(0)))
    shapes = {
        "parameter_0_weight": (3072, hidden),
        "parameter_1_bias": (hidden,),
        "parameter_2_weight": (hidden, 10),
        "parameter_3_bias": (10,),
        "mean_image": (3, 32, 32),
    }
    w1, b1, w2, b2, mean_image = floats(arrays, shapes, file=FILE).values()
    scale = numbers(np.asarray(arrays.get("scale", np.empty(0))))
    if scale is None or scale.size != 1 or scale.item() <= 0:
        raise StudentError(
            "invalid", f"scale in {FILE} should be the number by which the images were divided."
        )
    modules = [linear(student, w1, b1), student.modules.ReLU()]
    modules += [linear(student, w2, b2), student.modules.Softmax()]
    net = student.modules.Sequential(modules)

    def scores(images: np.ndarray) -> Any:
        return net.forward(((images - mean_image) / scale.item()).astype(np.float32))

    measure(expect, "accuracy", arrays, rng, scores, file=FILE)
