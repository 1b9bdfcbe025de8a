"""Files in the format safetensors are read as their library reads them, and hostile ones are refused."""

import json
import os
import struct

import numpy as np
import pytest

from autograder.sandbox import tensor_file
from autograder.sandbox.protocol import ProtocolError
from autograder.sandbox.tensor_file import read_safetensors


def written(path, header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_what_the_library_writes_is_read(tmp_path, rng):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    arrays = {
        "weight": rng.standard_normal((3, 4)).astype(np.float32),
        "double": rng.standard_normal(5),
        "half": rng.standard_normal(3).astype(np.float16),
        "count": np.array(7),
        "flags": np.array([True, False]),
        "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "none": np.zeros((0, 3), dtype=np.float32),
    }
    save_file(arrays, tmp_path / "a.safetensors", metadata={"dataset": "shapes10"})
    found, about = read_safetensors(tmp_path / "a.safetensors")
    assert about == {"dataset": "shapes10"}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_bfloat16_becomes_float32(tmp_path):
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file({"w": torch.tensor([1.5, -2.25]).bfloat16()}, tmp_path / "b.safetensors")
    found, about = read_safetensors(tmp_path / "b.safetensors")
    assert (found["w"].dtype, found["w"].tolist(), about) == (np.float32, [1.5, -2.25], {})


@pytest.mark.parametrize(
    "header",
    [
        b"", b"[]", b"3", b"{", b"null", b"[" * 100_000, b'{"a": ' * 10_000,
        {"w": 3}, {"w": {}}, {"w": []},
        {"w": tensor(dtype="F8_E4M3")}, {"w": tensor(dtype="O")}, {"w": tensor(dtype=["F32"])},
        {"w": tensor(shape=(3,))}, {"w": tensor(shape=(-1, -2))}, {"w": tensor(shape=(1.0, 2))},
        {"w": tensor(shape=("2",))}, {"w": tensor(shape=(1,) * 40 + (2,))}, {"w": tensor(shape=(True, 2))},
        {"w": tensor(offsets=(0, 80), shape=(20,))}, {"w": tensor(offsets=(8, 0))},
        {"w": tensor(offsets=(-8, 0))}, {"w": tensor(offsets=(0, 8.0))}, {"w": tensor(offsets=(0,))},
        {"w": tensor(), "v": tensor()}, {"w": tensor(offsets=(4, 8), shape=(1,))},
        {"w" * 1000: tensor()},
        {"__metadata__": {"a": 3}}, {"__metadata__": ["a"]}, {"__metadata__": {"a": "b" * 100_000}},
        {"\ud800": tensor()}, {"__metadata__": {"dataset": "\udfff"}},  # no report could quote them
        {"__metadata__": {str(i): "" for i in range(1000)}},
        {str(i): tensor(shape=(0,), offsets=(0, 0)) for i in range(1000)},
    ],
)  # fmt: skip
def test_hostile_headers_are_refused(tmp_path, header):
    with pytest.raises(ProtocolError):
        read_safetensors(written(tmp_path / "h.safetensors", header, bytes(8)))


@pytest.mark.parametrize("data", [b"", b"1234567", struct.pack("<Q", 2**63), struct.pack("<Q", 100) + b"{}"])
def test_files_that_end_early_are_refused(tmp_path, data):
    (tmp_path / "h.safetensors").write_bytes(data)
    with pytest.raises(ProtocolError):
        read_safetensors(tmp_path / "h.safetensors")


def test_sizes_are_checked_first(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_file, "MAX_HEADER", 50)
    with pytest.raises(ProtocolError, match="header"):
        read_safetensors(written(tmp_path / "h.safetensors", {"a" * 100: tensor()}, bytes(8)))
    with open(tmp_path / "large.safetensors", "wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ProtocolError, match="64 MiB"):
        read_safetensors(tmp_path / "large.safetensors")


def test_links_and_pipes_are_no_files(tmp_path):
    target = written(tmp_path / "w.safetensors", {"w": tensor()}, bytes(8))
    assert read_safetensors(target)[0]["w"].tolist() == [0, 0]
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "nothing", "."):
        with pytest.raises(FileNotFoundError):
            read_safetensors(tmp_path / name)
