"""Accuracy checks: saved weights in the student's model, on images that nobody has trained on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handgrad import data_utils, shapes10

from ..sandbox import StudentError
from .expect import Expect

IMAGES = 1000  # the share of right predictions is then known to about 1.5 percentage points
BATCH = 100


def measure(
    expect: Expect,
    part: str,
    arrays: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    scores: Callable[[np.ndarray], Any],
    *,
    file: str,
    count: int = IMAGES,
    features: Callable[[np.ndarray], np.ndarray] | None = None,
) -> None:
    """Give the share of the part's points that the accuracy on hidden images is worth.

    The images are new ones of Shapes-10, or some of CIFAR-10's test images; without these on this machine, a
    person grades the check.

    Args:
        expect: has the scale of each data set.
        part: the part of the check.
        arrays: what was saved; "dataset" says on what the model was trained.
        rng: from which the images come.
        scores: the student's scores (n, 10) of images (n, 3, 32, 32), float64 from 0 to 255.
        file: the name of the saved file, for messages.
        count: how many images.
        features: a function of the images; `scores` then gets its rows in their place. It is called once for
            a whole class.
    Raises:
        StudentError: the data set is unknown, or there are no scores for each image.
    """
    name = arrays.get("dataset", "")
    dataset = str(name) if np.ndim(name) == 0 else ""
    if dataset not in expect.scales:
        raise StudentError(
            "invalid",
            f"{file} does not say which data set it was trained on: dataset should be one of "
            f"{', '.join(sorted(expect.scales))}. Run the notebook's last cells again.",
        )
    seed = int(rng.integers(2**31))
    hidden = hidden_images(dataset, seed, count)
    if hidden is None:
        expect.person(
            "This model was trained on CIFAR-10, whose test images are not here: a person grades it."
        )
        return
    inputs, labels = hidden
    if features is not None:
        inputs = _described(features, dataset, seed, count)
    right = []
    for start in range(0, count, BATCH):
        batch = slice(start, start + BATCH)
        share = accuracy(scores(inputs[batch]), labels[batch])
        if share is None:
            raise StudentError(
                "invalid", "the network did not return one row of 10 finite scores for each image"
            )
        right.append(share * len(labels[batch]))
    share = round(float(np.sum(right)) / count, 4)
    expect.accuracy(part, share, expect.scales[dataset], f"on {count} hidden images")


def floats(
    arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], *, file: str
) -> dict[str, np.ndarray]:
    """Saved arrays in float64, after a look at their shapes, dtypes and numbers.

    Args:
        arrays: what was saved.
        shapes: the shape that each array must have, by name; (1, D) passes for (D,).
        file: the name of the file, for messages.
    Raises:
        StudentError: one is missing, or has another shape, no floating-point numbers, or some that are NaN or
            infinite.
    """
    found = {}
    for name, shape in shapes.items():
        array = np.asarray(arrays.get(name, np.empty(0)))
        if len(shape) == 1 and array.shape == (1, *shape):
            array = array[0]
        if array.shape != shape or 0 in shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise StudentError(
                "invalid",
                f"{name} in {file} should be floats of shape {shape}, all finite; "
                f"its shape is {array.shape}, its dtype {array.dtype}.",
            )
        found[name] = array.astype(np.float64)
    return found


def hidden_images(dataset: str, seed: int, count: int = IMAGES) -> tuple[np.ndarray, np.ndarray] | None:
    """Images (count, 3, 32, 32), float64 from 0 to 255, and labels; None when CIFAR-10 is not here."""
    if dataset == "shapes10":
        images, labels = _shapes10(seed, count)
        return images.transpose(0, 3, 1, 2).astype(np.float64), labels
    folder = data_utils.data_folder() / data_utils.CIFAR10_FOLDER
    if not folder.is_dir():
        return None
    _, _, images, labels = data_utils.load_CIFAR10(folder)
    chosen = np.random.default_rng(seed).choice(len(images), count, replace=False)
    return images[chosen].transpose(0, 3, 1, 2).astype(np.float64), labels[chosen]


@functools.lru_cache(maxsize=8)
def _shapes10(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    return shapes10.generate(count, seed)  # takes a second, and is the same for a whole class


@functools.lru_cache(maxsize=8)
def _described(
    features: Callable[[np.ndarray], np.ndarray], dataset: str, seed: int, count: int
) -> np.ndarray:
    images, _ = hidden_images(dataset, seed, count)
    return features(images)


def accuracy(scores: Any, labels: np.ndarray, classes: int = 10) -> float | None:
    """The share of right predictions; None for what is not a row of finite scores for each label."""
    if not isinstance(scores, np.ndarray) or scores.shape != (len(labels), classes):
        return None
    if scores.dtype.kind not in "fiu" or not np.isfinite(scores).all():
        return None
    return float(np.mean(scores.argmax(axis=1) == labels))
