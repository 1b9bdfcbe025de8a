"""The channel's language: frames of JSON and the bytes of arrays, and nothing that runs code when it is read.

    frame = b"HGF2", body length (uint64), body
    body  = header length (uint32), header (JSON), the arrays' bytes one after the other

In the header, numbers, strings, booleans and null stand for themselves; everything else is an object with
one key: {"tuple": [..]}, {"list": [..]}, {"dict": [[key, value], ..]}, {"handle": [number, type name]},
{"array": [dtype, shape, order]}. The dtype is as in `numpy.dtype.str`; the order of the bytes is "C", "F", or
"S" for C's in an array that is to have gaps in memory. Arrays come in the order of their bytes. Both sides
use this file; it imports the standard library and NumPy alone.
"""

import json
import math
import re
import struct
from functools import lru_cache

import numpy as np

MAGIC = b"HGF2"
PREFIX = struct.Struct("<4sQ")
HEADER_LENGTH = struct.Struct("<I")

MAX_HEADER = 4 << 20  # bytes of JSON
MAX_STRING = 1 << 16  # characters
MAX_DEPTH = 12
MAX_NODES = 50_000
MAX_DIMENSIONS = 16
MAX_EMPTY = 1 << 20  # product of the lengths of an empty array's other axes
DTYPE_KINDS = "biufcU"
_DTYPE = re.compile(rf"[<>|=][{DTYPE_KINDS}][0-9]{{1,6}}")


class ProtocolError(Exception):
    """Bytes that are not a frame, or a value that may not travel."""


class Reference:
    """The number of an object that stays on the other side, and the name of its type."""

    def __init__(self, number: int, type_name: str):
        self.number = number
        self.type_name = type_name


def encode(header: dict, refer=None) -> bytes:
    """Make a frame.

    Args:
        header: JSON-like values that may hold arrays, tuples and NumPy scalars at any depth.
        refer: called with each object that is no data; returns its `Reference` or raises.
    Returns:
        The whole frame.
    Raises:
        ProtocolError: a value that may not travel.
    """
    blobs = []
    nodes = 0

    def tree(value, depth):
        nonlocal nodes
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise ProtocolError("too many or too deeply nested values")
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if isinstance(value, str):
            if len(value) > MAX_STRING:
                raise ProtocolError("a string of more than 65,536 characters")
            return str(value)
        if isinstance(value, np.ndarray):
            return array(value)
        if isinstance(value, dict):
            return {"dict": [[tree(key, depth + 1), tree(item, depth + 1)] for key, item in value.items()]}
        if isinstance(value, tuple):
            return {"tuple": [tree(item, depth + 1) for item in value]}
        if isinstance(value, list):
            return {"list": [tree(item, depth + 1) for item in value]}
        if isinstance(value, np.bool_):
            return bool(value)
        if isinstance(value, (int, np.integer)):
            number = int(value)
            if abs(number) >= 1 << 63:
                raise ProtocolError("an integer beyond 64 bits")
            return number
        if isinstance(value, (float, np.floating)):
            return float(value)
        if refer is not None:
            value = refer(value)
        if isinstance(value, Reference):
            return {"handle": [value.number, value.type_name[:200]]}
        raise ProtocolError(f"a {kind.__name__} object is not data")

    def array(value):
        if value.dtype.kind not in DTYPE_KINDS:
            raise ProtocolError(f"an array of dtype {value.dtype} is not data")
        flags = value.flags
        order = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "S"
        blobs.append(value.tobytes("F" if order == "F" else "C"))
        return {"array": [value.dtype.str, value.shape, order]}

    content = {key: tree(value, 0) for key, value in header.items()}
    text = json.dumps(content).encode()
    if len(text) > MAX_HEADER:
        raise ProtocolError("too many values")
    length = HEADER_LENGTH.size + len(text) + sum(map(len, blobs))
    return b"".join([PREFIX.pack(MAGIC, length), HEADER_LENGTH.pack(len(text)), text, *blobs])


def body_length(prefix: bytes, limit: int) -> int:
    """Length of the body that follows these 12 bytes. Raises ProtocolError beyond `limit`."""
    magic, length = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError("not a frame")
    if not HEADER_LENGTH.size <= length <= limit:
        raise ProtocolError(f"a frame of {length:,} bytes; the limit is {limit:,}")
    return length


def decode(body: bytes, find=Reference) -> dict:
    """Read a frame's body. Whatever the bytes are, the result is data or a ProtocolError.

    Args:
        body: what follows the prefix.
        find: makes of the number and the type name of a handle what stands for it here.
    """
    try:
        return _decode(memoryview(body), find)
    except ProtocolError:
        raise
    except Exception as error:  # json, struct and NumPy each have their own ways to say no
        raise ProtocolError(f"unreadable frame: {type(error).__name__}") from error


def _decode(body: memoryview, find) -> dict:
    (header_length,) = HEADER_LENGTH.unpack(body[: HEADER_LENGTH.size])
    if header_length > MAX_HEADER:
        raise ProtocolError("too many values")
    read = HEADER_LENGTH.size + header_length  # so many bytes of the body
    content = json.loads(bytes(body[HEADER_LENGTH.size : read]))
    nodes = 0

    def value(node, depth):
        nonlocal nodes
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise ProtocolError("too many or too deeply nested values")
        if node is None or isinstance(node, (bool, float)):
            return node
        if isinstance(node, int):
            if abs(node) >= 1 << 63:
                raise ProtocolError("an integer beyond 64 bits")
            return node
        if isinstance(node, str):
            if len(node) > MAX_STRING:
                raise ProtocolError("a string of more than 65,536 characters")
            return node.encode("utf-8", "replace").decode()
        if not isinstance(node, dict):
            raise ProtocolError("a bare list")
        if "array" in node:
            return array(*node["array"])
        if "tuple" in node:
            return tuple([value(item, depth + 1) for item in node["tuple"]])
        if "list" in node:
            return [value(item, depth + 1) for item in node["list"]]
        if "dict" in node:
            return {_key(value(key, depth + 1)): value(item, depth + 1) for key, item in node["dict"]}
        number, type_name = node["handle"]
        if type(number) is not int or not 0 < number < 1 << 63 or not isinstance(type_name, str):
            raise ProtocolError("a malformed handle")
        return find(number, type_name[:200].encode("utf-8", "replace").decode())

    def array(type_string, shape, order):
        nonlocal read
        dtype = _dtype(type_string)
        length = size_of(shape, dtype)
        if length > len(body) - read:
            raise ProtocolError("an array reaches beyond the frame")
        data = body[read : read + length]
        read += length
        found = checked_array(data, tuple(shape), order == "F", dtype)
        return strided(found) if order == "S" else found

    if not isinstance(content, dict):
        raise ProtocolError("the header is not an object")
    decoded = {key: value(node, 0) for key, node in content.items()}
    if read != len(body):
        raise ProtocolError("bytes left over after the last array")
    return decoded


def _key(key):
    if not isinstance(key, (str, int)):
        raise ProtocolError("a dictionary key that is neither a string nor an integer")
    return key


@lru_cache(maxsize=64)
def _dtype(text: str) -> np.dtype:
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        raise ProtocolError("an array of unknown dtype")
    return np.dtype(text)


def size_of(shape, dtype: np.dtype) -> int:
    """Bytes of an array. Raises ProtocolError for what is no shape."""
    if len(shape) > MAX_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise ProtocolError("an array of impossible shape")
    if 0 in shape and math.prod(n or 1 for n in shape) > MAX_EMPTY:  # shapes are told in reports
        raise ProtocolError("an empty array whose other axes are too long")
    return math.prod(shape) * dtype.itemsize


def checked_array(data: bytes, shape: tuple, fortran_order: bool, dtype: np.dtype) -> np.ndarray:
    """An array of these bytes, new and writable, if a header's shape and dtype describe exactly these.

    Raises:
        ProtocolError: they do not, or the dtype is of something else than plain data.
    """
    # An item of no bytes (<U0) would be no limit: NumPy makes room for one character of each of them.
    if dtype.kind not in DTYPE_KINDS or not dtype.itemsize:
        raise ProtocolError(f"an array of dtype {dtype} is not data")
    if size_of(shape, dtype) != len(data):
        raise ProtocolError(f"an array header promises {shape} {dtype} and {len(data):,} bytes follow")
    order = "F" if fortran_order else "C"
    found = np.empty(shape, dtype, order)
    if len(data):
        content = np.frombuffer(data, np.uint8)
        if dtype.kind == "b":
            content = content != 0  # a True of another byte than 1 is counted twice by some functions
        elif dtype.kind == "U":
            _check_characters(content.view(np.dtype("u4").newbyteorder(dtype.byteorder)))
        found.reshape(-1, order=order).view(np.uint8)[:] = content
    return found


def _check_characters(codes: np.ndarray) -> None:
    """Raise ProtocolError for what no Python string may hold, or no file in UTF-8."""
    if np.any((codes > 0x10FFFF) | (codes - np.uint32(0xD800) < 0x800)):
        raise ProtocolError("an array of impossible characters")


def strided(array: np.ndarray) -> np.ndarray:
    """The same values in memory with gaps: neither C- nor Fortran-contiguous (from two elements on)."""
    if array.ndim == 0:
        return array
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]
