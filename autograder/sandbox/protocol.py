"""The channel's language: frames of JSON and NPY, and nothing that runs code when it is read.

    frame = b"HGF1", body length (uint64), body
    body  = header length (uint32), header (JSON), array blobs (NPY 3.0, no pickle) one after the other

In the header, numbers, strings, booleans and null stand for themselves; everything else is an object with
one key: {"tuple": [..]}, {"list": [..]}, {"dict": [[key, value], ..]}, {"array": blob index},
{"handle": [number, type name]}. Both sides use this file; it imports the standard library and NumPy alone.
"""

import io
import json
import math
import struct

import numpy as np

MAGIC = b"HGF1"
PREFIX = struct.Struct("<4sQ")
HEADER_LENGTH = struct.Struct("<I")

MAX_HEADER = 4 << 20  # bytes of JSON
MAX_STRING = 1 << 16  # characters
MAX_DEPTH = 12
MAX_NODES = 50_000
MAX_DIMENSIONS = 16
DTYPE_KINDS = "biufcU"


class ProtocolError(Exception):
    """Bytes that are not a frame, or a value that may not travel."""


class Reference:
    """What `decode` makes of a handle: the number of an object that stays on the other side."""

    def __init__(self, number: int, type_name: str):
        self.number = number
        self.type_name = type_name


def encode(header: dict, encode_object=None) -> bytes:
    """Make a frame.

    Args:
        header: JSON-like values that may hold arrays, tuples and NumPy scalars at any depth.
        encode_object: called with each object that has no encoding; returns a `Reference` or raises.
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
        if value is None or type(value) is bool:
            return value
        if isinstance(value, np.bool_):
            return bool(value)
        if isinstance(value, (int, np.integer)):
            number = int(value)
            if abs(number) >= 1 << 63:
                raise ProtocolError("an integer beyond 64 bits")
            return number
        if isinstance(value, (float, np.floating)):
            return float(value)
        if isinstance(value, str):
            if len(value) > MAX_STRING:
                raise ProtocolError("a string of more than 65,536 characters")
            return str(value)
        if isinstance(value, np.ndarray):
            return {
                "array": array(value),
                "strided": not (value.flags.c_contiguous or value.flags.f_contiguous),
            }
        if isinstance(value, tuple):
            return {"tuple": [tree(item, depth + 1) for item in value]}
        if isinstance(value, list):
            return {"list": [tree(item, depth + 1) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[tree(key, depth + 1), tree(item, depth + 1)] for key, item in value.items()]}
        if isinstance(value, Reference):
            return {"handle": [value.number, value.type_name[:200]]}
        if encode_object is not None:
            return tree(encode_object(value), depth + 1)
        raise ProtocolError(f"a {type(value).__name__} object is not data")

    def array(value):
        if value.dtype.kind not in DTYPE_KINDS:
            raise ProtocolError(f"an array of dtype {value.dtype} is not data")
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, value.view(np.ndarray), version=(3, 0), allow_pickle=False)
        blobs.append(buffer.getvalue())
        return len(blobs) - 1

    content = {key: tree(value, 0) for key, value in header.items()}
    text = json.dumps({"content": content, "blobs": [len(blob) for blob in blobs]}).encode()
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


def decode(body: bytes) -> dict:
    """Read a frame's body. Whatever the bytes are, the result is data or a ProtocolError."""
    try:
        return _decode(memoryview(body))
    except ProtocolError:
        raise
    except Exception as error:  # json, struct and NumPy each have their own ways to say no
        raise ProtocolError(f"unreadable frame: {type(error).__name__}") from error


def _decode(body: memoryview) -> dict:
    (header_length,) = HEADER_LENGTH.unpack(body[: HEADER_LENGTH.size])
    if header_length > MAX_HEADER:
        raise ProtocolError("too many values")
    start = HEADER_LENGTH.size + header_length
    header = json.loads(bytes(body[HEADER_LENGTH.size : start]))
    blobs = []
    for length in header["blobs"]:
        if type(length) is not int or length < 0 or start + length > len(body):
            raise ProtocolError("a blob reaches beyond the frame")
        blobs.append(body[start : start + length])
        start += length
    if start != len(body):
        raise ProtocolError("bytes left over after the last blob")
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
        if "tuple" in node:
            return tuple(value(item, depth + 1) for item in node["tuple"])
        if "list" in node:
            return [value(item, depth + 1) for item in node["list"]]
        if "dict" in node:
            return {_key(value(key, depth + 1)): value(item, depth + 1) for key, item in node["dict"]}
        if "array" in node:
            array = read_array(blobs[node["array"]])
            return strided(array) if node.get("strided") is True else array
        number, type_name = node["handle"]
        if type(number) is not int or not isinstance(type_name, str):
            raise ProtocolError("a malformed handle")
        return Reference(number, type_name[:200].encode("utf-8", "replace").decode())

    content = header["content"]
    if not isinstance(content, dict):
        raise ProtocolError("the content is not an object")
    return {key: value(node, 0) for key, node in content.items()}


def _key(key):
    if not isinstance(key, (str, int)):
        raise ProtocolError("a dictionary key that is neither a string nor an integer")
    return key


def read_array(blob) -> np.ndarray:
    """Read NPY 3.0 bytes into a new, writable array.

    Raises:
        ProtocolError: another version, an object dtype, or a header that promises other than it brings.
    """
    stream = io.BytesIO(blob)
    if np.lib.format.read_magic(stream) != (3, 0):
        raise ProtocolError("an array in another version of NPY")
    # NumPy has public readers for the headers of versions 1 and 2 alone; version 3 is version 2 in UTF-8.
    shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(stream, max_header_size=10_000)
    return checked_array(stream.read(), shape, fortran_order, dtype)


def checked_array(data: bytes, shape: tuple, fortran_order: bool, dtype: np.dtype) -> np.ndarray:
    """An array of these bytes, if a header's shape and dtype describe exactly these. Raises ProtocolError."""
    if dtype.hasobject or dtype.kind not in DTYPE_KINDS or dtype.names or dtype.subdtype:
        raise ProtocolError(f"an array of dtype {dtype} is not data")
    if len(shape) > MAX_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise ProtocolError("an array of impossible shape")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ProtocolError(f"an array header promises {shape} {dtype} and {len(data):,} bytes follow")
    flat = np.frombuffer(data, dtype=dtype, count=math.prod(shape)) if data else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran_order else "C").copy(order="F" if fortran_order else "C")


def strided(array: np.ndarray) -> np.ndarray:
    """The same values in memory with gaps: neither C- nor Fortran-contiguous (from two elements on)."""
    if array.ndim == 0:
        return array
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]
