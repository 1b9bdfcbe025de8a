"""The images the course learns from: CIFAR-10 when it has been downloaded, Shapes-10 otherwise."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from . import shapes10

CIFAR10_FOLDER = "cifar-10-batches-py"
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPES10_SEEDS = {"train": 1, "val": 2, "test": 3}  # public; hidden test sets use other seeds
GET_CIFAR10 = (
    "Run `python datasets/get_datasets.py cifar10` to download it, or use load_data(dataset='shapes10')."
)


def data_folder() -> Path:
    """Where data sets lie: $HANDGRAD_DATA, else `datasets` beside the handgrad package, else ./datasets."""
    if folder := os.environ.get("HANDGRAD_DATA"):
        return Path(folder)
    beside = Path(__file__).resolve().parents[1] / "datasets"
    return beside if beside.is_dir() else Path("datasets")


def load_data(
    num_training: int | None = None,
    num_validation: int | None = None,
    num_test: int | None = None,
    dataset: str = "auto",
    subtract_mean: bool = True,
) -> dict[str, Any]:
    """The data of the notebooks.

    Args:
        num_training: images to train on; default 49,000 of CIFAR-10 or 10,000 of Shapes-10.
        num_validation: images to choose by; default 1,000.
        num_test: images for the last measurement; default 1,000.
        dataset: "cifar10", "shapes10", or "auto": CIFAR-10 if it has been downloaded, else Shapes-10.
        subtract_mean: subtract the mean of the training images from all images.
    Returns:
        X_train, X_val, X_test: (N, 3, 32, 32) float32 images, from 0 to 255 before the mean is subtracted.
        y_train, y_val, y_test: (N,) int64 labels from 0 to 9.
        mean_image: (3, 32, 32) float32, the mean of the training images.
        class_names: list of ten names.
        dataset: "cifar10" or "shapes10".
    Raises:
        ValueError: there is no such data set, or it does not hold so many images.
        FileNotFoundError: CIFAR-10 was asked for and is not there.
    """
    folder = data_folder() / CIFAR10_FOLDER
    if dataset == "auto":
        dataset = "cifar10" if folder.is_dir() else "shapes10"
    sizes = (num_training, num_validation, num_test)
    if dataset == "cifar10":
        counts = [d if n is None else n for n, d in zip(sizes, (49000, 1000, 1000), strict=True)]
        splits, class_names = _split_cifar10(_read_cifar10(folder), *counts), CIFAR10_CLASSES
    elif dataset == "shapes10":
        counts = [d if n is None else n for n, d in zip(sizes, (10000, 1000, 1000), strict=True)]
        splits = {
            s: shapes10.generate(n, SHAPES10_SEEDS[s]) for s, n in zip(SHAPES10_SEEDS, counts, strict=True)
        }
        splits = {s: (images.transpose(0, 3, 1, 2), labels) for s, (images, labels) in splits.items()}
        class_names = shapes10.CLASS_NAMES
    else:
        raise ValueError(f"dataset must be 'auto', 'cifar10' or 'shapes10', got {dataset!r}")
    return {**_prepare(splits, subtract_mean), "class_names": list(class_names), "dataset": dataset}


def get_CIFAR10_data(
    num_training: int = 49000, num_validation: int = 1000, num_test: int = 1000, subtract_mean: bool = True
) -> dict[str, np.ndarray]:
    """CIFAR-10 in the splits of the course, from the data folder.

    Args:
        num_training: the first images of the 50,000.
        num_validation: the images that follow them.
        num_test: the first images of the 10,000.
        subtract_mean: subtract the mean of the training images from all images.
    Returns:
        X_train y_train X_val y_val X_test y_test mean_image, as `load_data` returns them.
    Raises:
        FileNotFoundError: CIFAR-10 has not been downloaded.
    """
    data = load_data(num_training, num_validation, num_test, "cifar10", subtract_mean)
    return {name: value for name, value in data.items() if isinstance(value, np.ndarray)}


def load_CIFAR10(ROOT: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All of CIFAR-10.

    Args:
        ROOT: the folder cifar-10-batches-py.
    Returns:
        X_train: (50000, 32, 32, 3) float32 images from 0 to 255.
        y_train: (50000,) labels.
        X_test: (10000, 32, 32, 3).
        y_test: (10000,).
    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not what CIFAR-10 has.
    """
    (X_train, y_train), (X_test, y_test) = _read_cifar10(Path(ROOT))
    return _channels_last(X_train), y_train, _channels_last(X_test), y_test


def load_CIFAR_batch(filename: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """One of CIFAR-10's files.

    Args:
        filename: such as cifar-10-batches-py/data_batch_1.
    Returns:
        X: (10000, 32, 32, 3) float32 images from 0 to 255.
        y: (10000,) labels.
    """
    X, y = _read_batch(Path(filename))
    return _channels_last(X), y


def _prepare(splits: dict[str, tuple[np.ndarray, np.ndarray]], subtract_mean: bool) -> dict[str, np.ndarray]:
    """Turn uint8 images into the float32 arrays of the notebooks."""
    mean_image = splits["train"][0].mean(axis=0, dtype=np.float64).astype(np.float32)
    data: dict[str, np.ndarray] = {}
    for split, (images, labels) in splits.items():
        data[f"X_{split}"] = np.ascontiguousarray(images, dtype=np.float32)
        data[f"y_{split}"] = labels
        if subtract_mean:
            data[f"X_{split}"] -= mean_image
    return {**data, "mean_image": mean_image}


def _split_cifar10(parts: tuple, num_training: int, num_validation: int, num_test: int) -> dict[str, tuple]:
    (X, y), (X_test, y_test) = parts
    if min(num_training, num_validation, num_test) < 1:
        raise ValueError(f"every split needs an image, got {num_training}, {num_validation} and {num_test}")
    if num_training + num_validation > len(X) or num_test > len(X_test):
        raise ValueError(
            f"CIFAR-10 has {len(X)} images for training and validation and {len(X_test)} for testing, "
            f"got {num_training} + {num_validation} and {num_test}"
        )
    val = slice(num_training, num_training + num_validation)
    return {
        "train": (X[:num_training], y[:num_training]),
        "val": (X[val], y[val]),
        "test": (X_test[:num_test], y_test[:num_test]),
    }


def _channels_last(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1), dtype=np.float32)


def _read_cifar10(root: Path) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """((images, labels) for training, the same for testing), images uint8 (N, 3, 32, 32)."""
    batches = [_read_batch(root / f"data_batch_{i}") for i in range(1, 6)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return (images, labels), _read_batch(root / "test_batch")


def _read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images (N, 3, 32, 32) and int64 labels (N,) of one file, checked."""
    if not path.is_file():
        raise FileNotFoundError(f"CIFAR-10 is not in {path.parent}: there is no {path.name}. {GET_CIFAR10}")
    with path.open("rb") as file:
        try:
            batch = _CIFARUnpickler(file, encoding="latin1").load()
        except Exception as error:
            raise ValueError(f"{path} is not a CIFAR-10 file ({error}). Delete it. {GET_CIFAR10}") from None
    batch = batch if isinstance(batch, dict) else {}
    batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
    images, labels = batch.get("data"), np.asarray(batch.get("labels"))
    good_images = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (3072,)
    if not good_images or labels.dtype.kind not in "iu" or labels.shape != (len(images),):
        raise ValueError(f"{path} is not a CIFAR-10 file: expected 'data' (N, 3072) of uint8 and N 'labels'")
    if len(labels) and not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError(f"{path} has labels from {labels.min()} to {labels.max()}, expected 0 to 9")
    return images.reshape(-1, 3, 32, 32), labels.astype(np.int64)


class _CIFARUnpickler(pickle.Unpickler):
    """Admits NumPy arrays and plain data, which is all CIFAR-10 has; a pickle can ask for any code."""

    ADMITTED = frozenset(
        {
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core", "numpy._core")  # renamed in NumPy 2
        if (module, name) not in self.ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)
