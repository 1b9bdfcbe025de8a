"""Loading CIFAR-10 and Shapes-10, and refusing pickles that hold anything else."""

import io
import os
import pickle
import struct

import numpy as np
import pytest

from handgrad import data_utils, shapes10
from handgrad.data_utils import get_CIFAR10_data, load_CIFAR10, load_CIFAR_batch, load_data


def python2_pickle(value):
    """The opcodes of Python 2's protocol 2: every string and every byte string is a BINSTRING."""

    class Pickler(pickle._Pickler):
        def save_string(self, value):
            data = value.encode() if isinstance(value, str) else value
            self.write(pickle.BINSTRING + struct.pack("<I", len(data)) + data)
            self.memoize(value)

        dispatch = {**pickle._Pickler.dispatch, bytes: save_string, str: save_string}  # noqa: RUF012

    out = io.BytesIO()
    Pickler(out, protocol=2).dump(value)
    return out.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def batch(rng, n=20):
    return {
        "batch_label": "training batch",
        "labels": rng.integers(10, size=n).tolist(),
        "data": rng.integers(256, size=(n, 3072), dtype=np.uint8),
        "filenames": [f"{i}.png" for i in range(n)],
    }


@pytest.fixture
def cifar(tmp_path, rng, monkeypatch):
    """A data folder with a small CIFAR-10; the batches by file name."""
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    batches = {name: batch(rng) for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]}
    for name, content in batches.items():
        (folder / name).write_bytes(python2_pickle(content))
    return folder, batches


WRITERS = {
    "python 2": python2_pickle,
    **{f"protocol {p}": lambda value, p=p: pickle.dumps(value, protocol=p) for p in range(2, 6)},
}


@pytest.mark.parametrize("writer", WRITERS)
def test_batches_of_any_writer_are_read(tmp_path, rng, writer):
    content = batch(rng)
    path = tmp_path / "data_batch_1"
    path.write_bytes(WRITERS[writer](content))
    X, y = load_CIFAR_batch(path)
    assert X.dtype == np.float32
    assert y.dtype == np.int64
    np.testing.assert_array_equal(X, content["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(y, content["labels"])


def test_keys_may_be_bytes(tmp_path, rng):
    content = {key.encode(): value for key, value in batch(rng).items()}
    path = tmp_path / "b"
    path.write_bytes(pickle.dumps(content))
    assert load_CIFAR_batch(path)[0].shape == (20, 32, 32, 3)


def test_all_batches_come_in_order(cifar):
    folder, batches = cifar
    X_train, y_train, X_test, y_test = load_CIFAR10(folder)
    assert X_train.shape == (100, 32, 32, 3)
    assert X_test.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(
        y_train, np.concatenate([batches[f"data_batch_{i}"]["labels"] for i in range(1, 6)])
    )
    np.testing.assert_array_equal(y_test, batches["test_batch"]["labels"])
    np.testing.assert_array_equal(X_test[3, :, :, 1].ravel(), batches["test_batch"]["data"][3, 1024:2048])


def test_splits_follow_each_other_and_lose_the_training_mean(cifar):
    _, batches = cifar
    pixels = np.concatenate([batches[f"data_batch_{i}"]["data"] for i in range(1, 6)]).reshape(-1, 3, 32, 32)
    data = load_data(num_training=70, num_validation=30, num_test=10)
    assert data["dataset"] == "cifar10"
    assert data["class_names"][3] == "cat"
    assert [data[f"X_{s}"].shape for s in ("train", "val", "test")] == [(n, 3, 32, 32) for n in (70, 30, 10)]
    assert data["X_train"].dtype == data["mean_image"].dtype == np.float32
    np.testing.assert_allclose(data["mean_image"], pixels[:70].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(data["X_val"], pixels[70:] - pixels[:70].mean(axis=0), atol=1e-4)
    raw = get_CIFAR10_data(70, 30, 10, subtract_mean=False)
    assert raw.keys() == {"X_train", "y_train", "X_val", "y_val", "X_test", "y_test", "mean_image"}
    np.testing.assert_array_equal(raw["X_train"], pixels[:70])


def test_more_images_than_there_are_is_refused(cifar):
    with pytest.raises(ValueError, match=r"has 100 images for training.*20 for testing, got 80 \+ 30 and 10"):
        load_data(80, 30, 10)
    with pytest.raises(ValueError, match="every split needs an image"):
        load_data(80, 0, 10)


def test_without_cifar10_the_data_are_shapes10(tmp_path, monkeypatch):
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
    data = load_data(num_training=60, num_validation=20, num_test=30, subtract_mean=False)
    assert data["dataset"] == "shapes10"
    assert data["class_names"] == list(shapes10.CLASS_NAMES)
    assert data["X_test"].shape == (30, 3, 32, 32)
    assert data["X_train"].flags.c_contiguous
    images, labels = shapes10.generate(60, data_utils.SHAPES10_SEEDS["train"])
    np.testing.assert_array_equal(data["X_train"].transpose(0, 2, 3, 1), images)
    np.testing.assert_array_equal(data["y_train"], labels)
    centred = load_data(60, 20, 30)
    np.testing.assert_allclose(centred["X_train"].mean(axis=0), 0, atol=1e-3)


def test_asking_for_cifar10_without_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"python datasets/get_datasets.py cifar10.*shapes10"):
        load_data(dataset="cifar10")
    with pytest.raises(ValueError, match="'auto', 'cifar10' or 'shapes10', got 'mnist'"):
        load_data(dataset="mnist")


class Hostile:
    """A pickle that runs a command when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_code_in_a_pickle_does_not_run(tmp_path, protocol):
    path, trace = tmp_path / "data_batch_1", tmp_path / "trace"
    path.write_bytes(pickle.dumps({"data": Hostile(trace)}, protocol=protocol))
    with pytest.raises(ValueError, match=r"not a CIFAR-10 file \(it asks for \w+.system\)"):
        load_CIFAR_batch(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "name", [b"cnumpy\nload\n", b"cnumpy.core.multiarray\nfromfile\n", b"cbuiltins\neval\n"]
)
def test_other_functions_are_not_admitted(tmp_path, name):
    path = tmp_path / "b"
    path.write_bytes(b"\x80\x02" + name + b".")
    with pytest.raises(ValueError, match="it asks for"):
        load_CIFAR_batch(path)


@pytest.mark.parametrize(
    "change",
    [
        {"data": np.zeros((20, 3071), np.uint8)},
        {"data": np.zeros((20, 3072))},
        {"data": [[0] * 3072] * 20},
        {"labels": [0] * 19},
        {"labels": [10] * 20},
        {"labels": [0.5] * 20},
        {"labels": None},
    ],
)
def test_other_content_is_refused(tmp_path, rng, change):
    path = tmp_path / "b"
    path.write_bytes(pickle.dumps({**batch(rng), **change}))
    with pytest.raises(ValueError, match=r"b (is not a CIFAR-10 file|has labels)"):
        load_CIFAR_batch(path)


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2])])
def test_broken_files_are_refused_with_their_name(tmp_path, content):
    path = tmp_path / "data_batch_2"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="data_batch_2 is not a CIFAR-10 file"):
        load_CIFAR_batch(path)
