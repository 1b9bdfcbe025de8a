"""Reads `.safetensors` files that students hand in: arrays and a table of text, all lengths checked first.

file = header length (uint64), header (JSON), bytes of all tensors
header = {name: {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {..}}
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from autograder.sandbox.npz import MAX_ARRAYS, read_file
from autograder.sandbox.protocol import ProtocolError, checked_array

MAX_HEADER = 1 << 20  # bytes
MAX_NAME = 200  # characters
MAX_TEXT = 10_000
DTYPES = {
    "BOOL": "?", "U8": "|u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "I8": "|i1", "I16": "<i2",
    "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
}  # fmt: skip


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All arrays of a `.safetensors` file by name, and its metadata. bfloat16 becomes float32.

    Raises:
        FileNotFoundError: there is no such regular file.
        ProtocolError: it is not in this format, or too large.
    """
    data = memoryview(read_file(path))
    try:
        return _read(data)
    except ProtocolError:
        raise
    except Exception as error:  # struct and json each have their own ways to say no
        raise ProtocolError(f"{path.name} is not in the format safetensors") from error


def _read(data: memoryview) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(MAX_HEADER, len(data) - 8):
        raise ProtocolError("the header is longer than the file, or than 1 MiB")
    header, content = json.loads(bytes(data[8 : 8 + length])), data[8 + length :]
    metadata = header.pop("__metadata__", {})
    texts = [*metadata.keys(), *metadata.values()]
    if not all(map(_is_short_text, texts)) or len(texts) > 100:
        raise ProtocolError("the metadata is no short table of text")
    if len(header) > MAX_ARRAYS:
        raise ProtocolError(f"there are more than {MAX_ARRAYS} tensors")
    arrays, end = {}, 0
    for name, about in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        (start, stop), shape = about["data_offsets"], about["shape"]
        # One after the other, without gaps: no byte counts twice.
        if (
            type(start) is not int
            or type(stop) is not int
            or start != end
            or not start <= stop <= len(content)
        ):
            raise ProtocolError("the tensors do not lie one after the other")
        if not _is_short_text(name, MAX_NAME) or about["dtype"] not in DTYPES:
            raise ProtocolError("a tensor has a name of more than 200 characters, or an unknown dtype")
        array = checked_array(
            bytes(content[start:stop]), tuple(shape), False, np.dtype(DTYPES[about["dtype"]])
        )
        if about["dtype"] == "BF16":  # the upper half of a float32
            wide = np.empty(array.shape, np.uint32)
            array = np.left_shift(array, 16, out=wide, dtype=np.uint32).view(np.float32)
        arrays[name], end = array, stop
    return arrays, metadata


def _is_short_text(text: object, most: int = MAX_TEXT) -> bool:
    """Whether it is text that a report can quote: JSON also knows halves of characters."""
    return isinstance(text, str) and len(text) <= most and text == text.encode("utf-8", "replace").decode()
