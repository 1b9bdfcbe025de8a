"""Reads `.npz` files that students hand in: arrays only, sizes checked before anything is unpacked."""

from __future__ import annotations

import io
import os
import stat
import warnings
import zipfile
from pathlib import Path

import numpy as np

from autograder.sandbox.protocol import ProtocolError, checked_array
from autograder.untrusted import LimitedReader

MAX_FILE = 64 << 20  # bytes, packed or unpacked
MAX_ARRAYS = 200
MAX_LIST_BYTES = 1 << 16  # a zip's own list of its members
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what np.savez uses; others need memory without bounds


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` file, by name.

    Raises:
        FileNotFoundError: there is no such regular file.
        ProtocolError: it is not an archive of plain arrays, or too large.
    """
    data = read_file(path)
    try:
        file = LimitedReader(io.BytesIO(data), MAX_LIST_BYTES)
        with zipfile.ZipFile(file) as archive:
            file.most = None
            members = archive.infolist()
            if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > MAX_FILE:
                raise ProtocolError(f"{path.name} holds too many or too large arrays")
            if any(member.compress_type not in _METHODS for member in members):
                raise ProtocolError(f"{path.name} is packed by another method than np.savez uses")
            arrays = {}
            for member in members:
                with archive.open(member) as stream:
                    content = stream.read(member.file_size + 1)
                arrays[member.filename.removesuffix(".npy")] = _read_npy(content)
            return arrays
    except ProtocolError:
        raise
    except Exception as error:  # zipfile and NumPy each have their own ways to say no
        raise ProtocolError(f"{path.name} is not an archive of plain arrays") from error


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most 64 MiB.

    Raises:
        FileNotFoundError: there is no such regular file; a link is none.
        ProtocolError: it is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise FileNotFoundError(path.name) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path.name)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(min(status.st_size, MAX_FILE) + 1)
    if len(data) > MAX_FILE:
        raise ProtocolError(f"{path.name} has more than {MAX_FILE >> 20} MiB")
    return data


def _read_npy(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with warnings.catch_warnings(action="ignore"):  # about what Python thinks of the header's syntax
        shape, fortran_order, dtype = readers[version](stream, max_header_size=10_000)
    return checked_array(stream.read(), shape, fortran_order, dtype)
