"""Feed random and mutated inputs to everything that reads what students or their code have made.

    python benchmarks/fuzz.py                                   all targets, 10 minutes together
    python benchmarks/fuzz.py --target frames --minutes 10      one of them
    python benchmarks/fuzz.py --target archives --seed 3 --first 4711 --count 1    one input again

The targets: frames (the channel's reader, through pipes too, and what a session makes of forged replies),
archives (zips and folders), npz, safetensors, notebooks (a submission is staged, and the notebook is read for
the person who grades it). An input must give data or the refusal that is documented; what comes out must be
data that a report can hold; more than 10 s of CPU time or 512 MiB of memory for one input, or a file outside
the destination, is a finding too. Each input depends on target, seed and number alone; one that finds
something is written to build/fuzz, its seed and number are printed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import stat
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from autograder.course import Course
from autograder.nbgrader.reading import Unreadable
from autograder.nbgrader.reading import read as read_notebook
from autograder.sandbox import Limits, Session, StudentError, protocol
from autograder.sandbox.npz import read_npz
from autograder.sandbox.process import Sandbox, SandboxDied
from autograder.sandbox.protocol import ProtocolError, Reference
from autograder.sandbox.session import Handle
from autograder.sandbox.tensor_file import read_safetensors
from autograder.staging import stage, submission_hash
from autograder.untrusted import MiB, Refused, open_submission

MOST_SECONDS = 10.0  # of CPU time
MOST_MEMORY = 512 * MiB
MOST_ADDRESSES = 8 << 30  # where the machine itself is protected
OUT = Path(__file__).resolve().parents[1] / "build" / "fuzz"


class Finding(Exception):
    """An outcome that is neither data nor a documented refusal."""


# ---- values and texts that readers trip over

NUMBERS = [0, 1, -1, 2, 3, 127, 255, 65_535, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64]
NUMBERS += [-(2**31), -(2**63), -(2**64), 10**30, 0.0, -0.0, 0.5, 1e308, 5e-324]
TEXTS = ["", "a", "é", "\0", "\x1b[31m", "\ud800", "\udfff", "\U0010ffff", "../x", "/etc/passwd", "<script>"]
TEXTS += ["nan", "__proto__", "__class__", "%s%n", "x" * 300, "\u202e", "\n"]
RAW = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 4301, "0" * 9, "1" * 40, "tru", '"\\ud800"']
RAW += [
    '"\\u0000"',
    '"',
    "[",
    "{",
    "]",
    "}",
    ",",
    "[" * 2000,
    '{"a":' * 2000,
    "null",
    "true",
    "",
    "'x'",
    "\\",
]


def any_value(rng: random.Random, depth: int = 0):
    """A value of JSON, of any kind."""
    kind = rng.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind <= 2:
        return rng.choice(NUMBERS)
    if kind <= 4:
        return rng.choice(TEXTS)
    if kind == 5:
        return [any_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(TEXTS): any_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def mangled(rng: random.Random, value, rate: float) -> str:
    """The value as JSON in which, at this rate, parts are replaced, dropped, doubled, wrapped or broken."""
    if rng.random() < rate:
        how = rng.randrange(5)
        if how == 0:
            return rng.choice(RAW)
        if how == 1:
            return json.dumps(any_value(rng))
        if how == 2:
            depth = rng.choice([1, 2, 11, 12, 13, 300, 3000])
            return "[" * depth + mangled(rng, value, rate) + "]" * depth
        if how == 3 and isinstance(value, (int, float)):
            return json.dumps(rng.choice(NUMBERS))
        if how == 4 and isinstance(value, (list, dict)):
            return "{}" if isinstance(value, list) else "[]"
    if isinstance(value, (list, tuple)):
        items = [mangled(rng, item, rate) for item in value]
    elif isinstance(value, dict):
        items = [f"{json.dumps(key)}:{mangled(rng, item, rate)}" for key, item in value.items()]
        if items and rng.random() < rate:
            items.append(rng.choice(items).partition(":")[0] + ":" + rng.choice(["1", "null", "[]", '"x"']))
    else:
        return json.dumps(value)
    if items and rng.random() < rate:
        del items[rng.randrange(len(items))]
    if items and rng.random() < rate:
        items *= rng.choice([2, 3])
    separator = "," if rng.random() > rate / 4 else rng.choice([",,", " ", ";"])
    return ("[%s]" if isinstance(value, (list, tuple)) else "{%s}") % separator.join(items)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The bytes with some of them changed, cut out, doubled or replaced by lengths that lie."""
    found = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = rng.randrange(len(found) + 1)
        how = rng.randrange(6)
        if how == 0 and at < len(found):
            found[at] = rng.randrange(256)
        elif how == 1 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            del found[at : at + rng.choice([1, 2, 4, 40, 4000])]
        elif how == 3:
            found[at:at] = rng.randbytes(rng.choice([1, 2, 4, 40]))
        elif how == 4:
            found[at:at] = found[at : at + rng.choice([1, 8, 46, 300])]
        else:
            size = rng.choice([1, 2, 4, 8])
            found[at : at + size] = number(rng, 8 * size).to_bytes(size, "little")
    return bytes(found)


def number(rng: random.Random, bits: int) -> int:
    """A number of so many bits, without sign, near one at which something overflows."""
    return int(rng.choice(NUMBERS[:20])) % 2**bits


def text_bytes(rng: random.Random, text: str) -> bytes:
    """Text as the bytes of some encoding, mostly the one that is expected."""
    encoding = "utf-8" if rng.random() < 0.95 else rng.choice(["utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
    return text.encode(encoding, "surrogatepass")


# ---- what may come out


def require_text(text: str) -> None:
    """Raise Finding for text that no file in UTF-8 can hold, and so no report."""
    if type(text) is not str:
        raise Finding(f"a {type(text)} for text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Finding(f"text that is none: {text[:50]!r}") from None


def require_array(array: np.ndarray) -> None:
    """Raise Finding for an array that is not plain, writable and readable."""
    if type(array) is not np.ndarray or array.dtype.kind not in protocol.DTYPE_KINDS:
        raise Finding(f"an array of {array.dtype}")
    if not array.flags.writeable or array.ndim > protocol.MAX_DIMENSIONS:
        raise Finding("an array that is read-only, or of too many dimensions")
    if array.dtype.kind == "b" and array.size and int(array.view(np.uint8).max()) > 1:
        raise Finding("a truth value that is neither 0 nor 1")
    if array.size <= 1000 and array.itemsize <= 1000:
        str(array)
        if array.dtype.kind == "U":
            for text in array.ravel().tolist():
                require_text(text)


def require_data(value, depth: int = 0) -> int:
    """Raise Finding for anything but data; returns the bytes of the arrays in it."""
    if depth > protocol.MAX_DEPTH + 1:
        raise Finding("values that are nested too deeply")
    if value is None or type(value) in (bool, float, Reference, Handle):
        return 0
    if type(value) is int and abs(value) < 1 << 63:
        return 0
    if type(value) is str:
        require_text(value)
        return 0
    if isinstance(value, np.ndarray):
        require_array(value)
        return value.nbytes
    if type(value) in (tuple, list):
        return sum(require_data(item, depth + 1) for item in value)
    if type(value) is dict:
        return sum(
            require_data(key, depth + 1) + require_data(item, depth + 1) for key, item in value.items()
        )
    raise Finding(f"a {type(value).__name__} for data")


# ---- frames

DTYPES = ["<f8", "<f4", "<f2", "<f16", ">f8", "<i8", "<i4", "|i1", "|u1", "|b1", "<c8", "<c16", "<U1", "<U3"]
DTYPES += [
    ">U2",
    "<U0",
    "<U999999",
    "|O",
    "<M8[s]",
    "|S3",
    "|V8",
    "f8",
    "<f8,<f8",
    "(2,)<f8",
    "<i0",
    "=f8",
    "<f3",
]
SHAPES = [
    [],
    [0],
    [1],
    [3],
    [2, 3],
    [1, 2, 0],
    [2] * 4,
    [1] * 16,
    [1] * 17,
    [0, 2**62],
    [2**32, 2**32],
    [-1, 3],
]
SHAPES += [[10**9], [2**63], [1.0], [True], ["2"], "", "1", {}, None, [[1]], [0] * 3, [2**31, 0]]


def node(rng: random.Random, blobs: list[bytes], depth: int = 0):
    """A value as it travels in a header; the bytes of its arrays are appended to `blobs`."""
    kind = rng.randrange(12 if depth < 5 else 6)
    if kind < 3:
        return rng.choice([None, True, rng.choice(NUMBERS), rng.random(), rng.choice(TEXTS)])
    if kind < 5:
        return array_node(rng, blobs)
    if kind == 5:
        return {"handle": [rng.choice([1, 2, rng.choice(NUMBERS)]), rng.choice(["Net", rng.choice(TEXTS)])]}
    inner = [node(rng, blobs, depth + 1) for _ in range(rng.randrange(4))]
    if kind < 8:
        return {rng.choice(["tuple", "list"]): inner}
    if kind < 10:
        return {"dict": [[rng.choice(["W", "b", 3, item]), item] for item in inner]}
    return {rng.choice(["tuple", "list", "dict", "array", "handle", "what"]): any_value(rng)}


def array_node(rng: random.Random, blobs: list[bytes]):
    """An array, mostly one whose bytes follow."""
    dtype, shape = rng.choice(DTYPES[:14]), rng.choice(SHAPES[:8])
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if rng.random() < 0.2:
        dtype = rng.choice(DTYPES)
    if rng.random() < 0.2:
        shape = rng.choice(SHAPES)
    if rng.random() < 0.1:
        size += rng.choice([-8, -1, 1, 8])
    plain = rng.random() < 0.5  # zeros are characters, truths and numbers
    blobs.append(bytes(max(size, 0)) if plain else rng.randbytes(max(size, 0)))
    return {"array": [dtype, shape, rng.choice(["C", "F", "S", "C", "F", "S", rng.choice(TEXTS)])]}


def body_of(rng: random.Random, header: dict, blobs: list[bytes]) -> bytes:
    """A frame's body, in most cases with something wrong."""
    text = text_bytes(rng, mangled(rng, header, rng.choice([0.0, 0.02, 0.1])))
    length = len(text) if rng.random() < 0.95 else number(rng, 32)
    body = protocol.HEADER_LENGTH.pack(length) + text + b"".join(blobs)
    return damaged(rng, body) if rng.random() < 0.2 else body


def make_frame(rng: random.Random) -> bytes:
    """The body of a reply."""
    if rng.random() < 0.03:
        return rng.randbytes(rng.randrange(200))
    blobs: list[bytes] = []
    header = {key: node(rng, blobs) for key in rng.sample(["id", "result", "notes", "error", "died"], 2)}
    return body_of(rng, header, blobs)


def read_frame(body: bytes, scratch: Path, rng: random.Random) -> str:
    """Decode it; one in sixteen comes through a pipe in pieces, one in sixteen answers a session."""
    way = rng.randrange(16)
    try:
        if way == 0:
            with Forged(rng, lambda request: framed(rng, body)) as peer:
                peer._send(b"", 0.0)
                value = peer._receive(0.0)
        elif way == 1:
            return answer_session(rng, body)
        else:
            value = protocol.decode(body)
    except (ProtocolError, SandboxDied):
        return "refused"
    if type(value) is not dict:
        raise Finding(f"a {type(value)} for a frame")
    if sum(map(require_data, value.values())) > 2 * len(body):
        raise Finding("arrays of more bytes than came")
    return "data"


def framed(rng: random.Random, body: bytes) -> bytes:
    """The body with its prefix, which may lie."""
    length = len(body) if rng.random() < 0.9 else number(rng, 64)
    magic = protocol.MAGIC if rng.random() < 0.95 else rng.randbytes(4)
    return protocol.PREFIX.pack(magic, length) + body + (rng.randbytes(9) if rng.random() < 0.1 else b"")


class Forged(Sandbox):
    """The trusted end of a channel whose other end sends what it likes, cut into pieces anywhere."""

    def __init__(self, rng: random.Random, answer: Callable[[bytes], bytes]):
        self.limits = Limits(reply=MiB)
        self.process = SimpleNamespace(pid=0)  # nothing runs
        self._rng, self._answer = rng, answer
        self._buffer = bytearray()
        self._source, self._other = os.pipe()
        self._readable = None
        self._waiting = b""

    def _send(self, frame: bytes, deadline: float) -> None:
        self._waiting = self._answer(frame)

    def _wait(self, pipe, deadline: float) -> None:
        if not self._waiting:
            self._hang_up()
            return
        size = self._rng.choice([1, 2, 5, 11, 12, 13, 100, 4096, 65_536])
        piece, self._waiting = self._waiting[:size], self._waiting[size:]
        os.write(self._other, piece)

    def _hang_up(self) -> None:
        if self._other >= 0:
            os.close(self._other)
            self._other = -1

    def close(self) -> None:
        self._hang_up()
        if self._source >= 0:
            os.close(self._source)
            self._source = -1

    def __enter__(self) -> Forged:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answer_session(rng: random.Random, body: bytes) -> str:
    """Let a session ask something, and answer with a frame that mostly knows the number of the question."""

    def answer(request: bytes) -> bytes:
        asked = protocol.decode(request[protocol.PREFIX.size :])["id"]
        if rng.random() < 0.2:
            return framed(rng, body)
        blobs: list[bytes] = []
        reply = {"id": asked if rng.random() < 0.9 else node(rng, blobs)}
        kind = rng.choice(["result", "result", "error", "error", "died"])
        reply[kind] = node(rng, blobs)
        if kind == "error" and rng.random() < 0.8:
            keys = [key for key in ("kind", "type", "message", "where") if rng.random() < 0.95]
            values = [
                rng.choice([text, text, text, node(rng, blobs)]) for text in rng.sample(TEXTS, len(keys))
            ]
            reply[kind] = {"dict": [[key, value] for key, value in zip(keys, values, strict=True)]}
        if rng.random() < 0.5:
            notes = [
                ["changed", {"list": [node(rng, blobs), rng.choice(TEXTS)]}],
                ["warning", node(rng, blobs)],
            ]
            reply["notes"] = {"dict": notes}
        return framed(rng, body_of(rng, reply, blobs) if rng.random() < 0.3 else plain_body(reply, blobs))

    session = Session(Path("nothing"), isolation="none", limits=Limits(total=1e9))
    session.modules = ["handgrad.layers"]
    with Forged(rng, answer) as peer:
        session._sandbox = peer
        try:
            value = session._exchange({"op": "value", "target": "x"}, 1e9, "f")
        except StudentError as error:
            require_text(error.message)
            if len(error.message) > 2000:
                raise Finding("a message without end") from None
            return "refused"
        require_data(value)
    for text in (session.warning, *(name for names in session.changed.values() for name in names)):
        require_text(text)
    return "data"


def plain_body(header: dict, blobs: list[bytes]) -> bytes:
    text = json.dumps(header).encode()
    return protocol.HEADER_LENGTH.pack(len(text)) + text + b"".join(blobs)


# ---- archives

NAMES = [
    "a1/3_two_layer_net.ipynb",
    "handgrad/layers/affine.py",
    "x",
    "X",
    "x/",
    "x/y",
    "a\\b",
    "../x",
    "/x",
    "C:/x",
]
NAMES += [
    "./x",
    "x//y",
    "..",
    ".",
    "",
    "\0",
    "x\0y",
    "n" * 300,
    "n" * 70_000,
    "d/" * 20 + "x",
    "d/" * 9000,
    "ß",
    "SS",
]
NAMES += ["é", "é", "\ud800", "__MACOSX/../../x", ".hidden/x", "CON", "x\ny", "\x1b[2J", "a/b", "a", "A/b"]


@dataclass
class Member:
    """An entry of a zip, with what its two headers say."""

    name: bytes
    content: bytes
    method: int
    local: dict[str, int]
    central: dict[str, int]
    extra: bytes = b""


def make_archive(rng: random.Random) -> bytes:
    """A zip whose headers may say anything; one in twelve is a nested one, one in twenty random bytes."""
    if rng.random() < 0.05:
        return rng.choice([b"", b"PK\3\4", b"PK\5\6" + bytes(18)]) + rng.randbytes(rng.randrange(200))
    content = make_archive(rng) if rng.random() < 0.08 else None
    members = [make_member(rng, content) for _ in range(rng.choice([0, 1, 2, 3, 3, 8]))]
    data = packed(rng, members)
    if rng.random() < 0.1:
        data = rng.choice([b"#!/bin/sh\n", b"MZ" + bytes(200), rng.randbytes(50)]) + data
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data) + 1)]
    return damaged(rng, data) if rng.random() < 0.4 else data


def make_member(rng: random.Random, content: bytes | None) -> Member:
    lie = rng.random() < 0.4
    name = rng.choice(NAMES).encode(rng.choice(["utf-8", "utf-8", "utf-16"]), "surrogatepass")[:65_535]
    if content is None:
        content = rng.choice([b"", b"x = 1\n", bytes(2000), rng.randbytes(300), bytes(3 * MiB)])
    method = rng.choice([0, 8, 8]) if rng.random() < 0.9 else rng.choice([1, 9, 12, 14, 93, 99, 65_535])
    compressor = zlib.compressobj(wbits=-15)
    stored = compressor.compress(content) + compressor.flush() if method == 8 else content
    about = {"flags": 0x800, "method": method, "crc": zlib.crc32(content)}
    about |= {"packed": len(stored), "size": len(content), "version": 20, "made": 0x31E}
    about |= {"attributes": (stat.S_IFREG | 0o644) << 16, "offset": -1, "disk": 0, "date": 0x21, "time": 0}
    local, central = dict(about), dict(about)
    for header in (local, central):
        while lie and rng.random() < 0.6:
            key = rng.choice(list(header))
            header[key] = rng.choice([number(rng, 32), header[key] + rng.choice([-1, 1]), 0xFFFFFFFF])
            if key == "flags":
                header[key] = rng.choice([0, 1, 8, 9, 0x20, 0x40, 0x41, 0x800, 0x2000, rng.randrange(65_536)])
            if key == "attributes":
                kind = rng.choice([stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, 0])
                header[key] = (kind | 0o777) << 16
    return Member(name, stored, method, local, central, extra_of(rng) if rng.random() < 0.2 else b"")


def extra_of(rng: random.Random) -> bytes:
    """Extra fields: zip64 sizes, Unicode names, and nonsense."""
    numbers = b"".join(struct.pack("<Q", number(rng, 64)) for _ in range(rng.randrange(4)))
    kind = rng.choice([1, 1, 0x7075, 0x5455, 0x9901, rng.randrange(65_536)])
    length = len(numbers) if rng.random() < 0.7 else rng.randrange(65_536)
    return struct.pack("<HH", kind, length) + numbers


def packed(rng: random.Random, members: list[Member]) -> bytes:
    """The bytes of the zip."""
    out, listed = bytearray(), bytearray()
    for member in members:
        at = len(out) if member.central["offset"] < 0 else member.central["offset"]
        m = {key: value % 2**32 for key, value in member.local.items()}
        out += struct.pack(
            "<4s5H3L2H", b"PK\3\4", m["version"] % 65_536, m["flags"] % 65_536, m["method"] % 65_536,
            m["time"] % 65_536, m["date"] % 65_536, m["crc"], m["packed"], m["size"], len(member.name),
            len(member.extra),
        ) + member.name + member.extra + member.content  # fmt: skip
        m = {key: value % 2**32 for key, value in member.central.items()}
        listed += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", m["made"] % 65_536, m["version"] % 65_536, m["flags"] % 65_536,
            m["method"] % 65_536, m["time"] % 65_536, m["date"] % 65_536, m["crc"], m["packed"], m["size"],
            len(member.name), len(member.extra), 0, m["disk"] % 65_536, 0, m["attributes"], at % 2**32,
        ) + member.name + member.extra  # fmt: skip
    count, size, offset = len(members), len(listed), len(out)
    if rng.random() < 0.1:
        count, size, offset = (rng.choice([n, number(rng, 64)]) for n in (count, size, offset))
    ending = b""
    if rng.random() < 0.15:  # zip64
        big = [rng.choice([n, n, number(rng, 64)]) for n in (count, count, size, offset)]
        ending += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *big)
        ending += struct.pack(
            "<4sLQL", b"PK\6\7", 0, rng.choice([(len(out) + size) % 2**64, number(rng, 64)]), 1
        )
        count, size, offset = rng.choice([(65_535, 2**32 - 1, 2**32 - 1), (count, size, offset)])
    comment = rng.randbytes(rng.choice([0, 0, 0, 30, 65_535]))
    ending += struct.pack(
        "<4s4H2LH",
        b"PK\5\6",
        0,
        0,
        count % 65_536,
        count % 65_536,
        size % 2**32,
        offset % 2**32,
        len(comment),
    )
    return bytes(out + listed) + ending + comment


def read_archive(data: bytes, scratch: Path, rng: random.Random) -> str:
    """Open, read and keep a zip; one in eight is a folder in its place."""
    if rng.randrange(8) == 0:
        path = scratch / "work"
        make_folder(rng, path, data, scratch / "outside")
    else:
        path = scratch / "work.zip"
        path.write_bytes(data)
    before = listing(scratch)
    try:
        with open_submission(path) as source:
            for note in source.notes:
                require_note(note)
            for name in source.entries:
                inside = os.path.normpath(os.path.join("/in", name))
                if not inside.startswith("/in/") or name.startswith("/") or "\0" in name:
                    raise Finding(f"a name that leads out: {name!r}")
                with refusals_allowed():
                    if len(source.read(name, 4 * MiB)) > 4 * MiB:
                        raise Finding("more bytes than the limit")
            source.copy_to(scratch / "kept")
    except Refused as error:
        require_note(str(error))
        result = "refused"
    else:
        result = "data"
    if secret := [
        p for p in (scratch / "kept").rglob("*") if p.is_file() and b"SECRET" in p.read_bytes()[:6]
    ]:
        raise Finding(f"a file from outside in {secret}")
    if any(not stat.S_ISREG(p.lstat().st_mode) for p in (scratch / "kept").rglob("*") if not p.is_dir()):
        raise Finding("something kept that is no regular file")
    if listing(scratch) != before:
        raise Finding("files written outside the destination")
    return result


@contextlib.contextmanager
def refusals_allowed():
    try:
        yield
    except Refused as error:
        require_note(str(error))


def require_note(text: str) -> None:
    """Raise Finding for a sentence that is too long for a page, or cannot be printed on one."""
    if len(text) > 700 or not text.isprintable():
        raise Finding(f"a sentence of {len(text)} characters: {text[:100]!r}")
    require_text(text)


def listing(scratch: Path) -> list:
    """Everything in the scratch folder but what was kept."""
    return sorted(
        (str(path), path.lstat().st_size)
        for path in scratch.rglob("*")
        if path.relative_to(scratch).parts[0] != "kept"
    )


def make_folder(rng: random.Random, root: Path, data: bytes, outside: Path) -> None:
    """A folder with links to a secret, hard links, FIFOs, odd names, and files among them."""
    outside.mkdir()
    (outside / "secret").write_bytes(b"SECRET")
    root.mkdir()
    for _ in range(rng.randrange(8)):
        name = os.fsencode(
            rng.choice(NAMES).replace("\0", "0").replace("\ud800", "\udcff").strip("/.")[:200] or "f"
        )
        path = os.path.join(os.fsencode(root), name)
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            kind = rng.randrange(7)
            if kind < 3:
                with open(path, "xb") as file:
                    file.write(data[:1000])
            elif kind == 3:
                os.symlink(
                    os.fsencode(rng.choice([outside, outside / "secret", "/etc/passwd", "..", "."])), path
                )
            elif kind == 4:
                os.link(outside / "secret", path)
            elif kind == 5:
                os.mkfifo(path)
            else:
                os.mkdir(path, rng.choice([0o755, 0]))


# ---- .npz and safetensors

DESCRIPTIONS = [
    "<f8",
    "|O",
    "<U2",
    "<U0",
    "|b1",
    [("a", "<f8")],
    ("<f8", (2,)),
    "<M8[s]",
    "V8",
    "<f8,<f8",
    3,
    None,
]
DESCRIPTIONS += ["<i4", "<f4", "S", "<U99999999999", ("<f8", {"a": 1}), {"names": ["a"], "formats": ["O"]}]


def make_npz(rng: random.Random) -> bytes:
    """A zip of .npy files whose headers may say anything."""
    if rng.random() < 0.2:
        return make_archive(rng)
    out = io.BytesIO()
    method = rng.choice([0, 8, 8]) if rng.random() < 0.95 else rng.choice([12, 14])
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w", method) as archive:
        for count in range(rng.choice([0, 1, 2, 4])):
            name = rng.choice(["W1.npy", "b1.npy", f"{count}", rng.choice(NAMES[:22])[:60_000] or "x"])
            archive.writestr(zipfile.ZipInfo(name), make_npy(rng), method)
    data = out.getvalue()
    return damaged(rng, data) if rng.random() < 0.3 else data


def make_npy(rng: random.Random) -> bytes:
    shape = tuple(rng.choice(SHAPES[:8]))
    size = 8 * int(np.prod(shape))
    header = {"descr": "<f8", "fortran_order": rng.random() < 0.3, "shape": shape}
    if rng.random() < 0.3:
        header["descr"] = rng.choice(DESCRIPTIONS)
    if rng.random() < 0.2:
        header["shape"] = rng.choice([rng.choice(SHAPES), (2**62,), 3, (3, "x"), (True,), (2.0,)])
    if rng.random() < 0.1:
        header[rng.choice(["fortran_order", "shape", "descr", "more"])] = any_value(rng)
    text = repr(header)
    if rng.random() < 0.2:
        text = rng.choice(
            [text[:-3], "(" * 3000 + text, text * 2, "-" * 9000 + "1", "1is 2", "{" * 90, "9" * 9000]
        )
    encoded = text.encode("latin1", "replace") + b"\n"
    magic, length = rng.choice([(b"\x93NUMPY\1\0", "<H"), (b"\x93NUMPY\2\0", "<I"), (b"\x93NUMPY\3\0", "<I")])
    claimed = len(encoded) if rng.random() < 0.95 else rng.randrange(65_536)
    data = (
        magic
        + struct.pack(length, claimed)
        + encoded
        + (bytes(size) if rng.random() < 0.5 else rng.randbytes(size))
    )
    return damaged(rng, data) if rng.random() < 0.2 else data


def read_arrays(data: bytes, scratch: Path, rng: random.Random) -> str:
    """Read it as a file."""
    path = scratch / "weights.npz"
    path.write_bytes(data)
    try:
        arrays = read_npz(path)
    except ProtocolError:
        return "refused"
    for name, array in arrays.items():
        require_text(name)
        require_array(array)
    return "data"


def make_safetensors(rng: random.Random) -> bytes:
    """A file whose header may say anything."""
    header, end = {}, 0
    for count in range(rng.choice([0, 1, 2, 4])):
        dtype, width = rng.choice([("F64", 8), ("F32", 4), ("BF16", 2), ("BOOL", 1), ("I8", 1), ("F16", 2)])
        shape = rng.choice(SHAPES[:8])
        start, end = end, end + width * int(np.prod(shape))
        header[f"w{count}"] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
        if rng.random() < 0.1:
            header[f"w{count}"][rng.choice(["shape", "data_offsets"])] = rng.choice(SHAPES)
    if rng.random() < 0.5:
        header["__metadata__"] = {rng.choice(TEXTS): rng.choice([rng.choice(TEXTS), any_value(rng)])}
    text = text_bytes(rng, mangled(rng, header, rng.choice([0.0, 0.02, 0.1])))
    length = len(text) if rng.random() < 0.95 else number(rng, 64)
    data = struct.pack("<Q", length) + text + rng.randbytes(end)
    return damaged(rng, data) if rng.random() < 0.2 else data


def read_tensors(data: bytes, scratch: Path, rng: random.Random) -> str:
    """Read it as a file."""
    path = scratch / "model.safetensors"
    path.write_bytes(data)
    try:
        arrays, metadata = read_safetensors(path)
    except ProtocolError:
        return "refused"
    for name, array in arrays.items():
        require_text(name)
        require_array(array)
    for text in (*metadata, *metadata.values()):
        require_text(text)
    return "data"


# ---- notebooks


class Notebooks:
    """Mutates a released notebook, and stages submissions that hold it."""

    def __init__(self, folder: Path):
        from autograder.demo.show import course_of_one_notebook
        from autograder.student_folder import build

        course = course_of_one_notebook(folder / "course")
        self.assignment = Course(course.root).assignment("a1")
        build(self.assignment, course.release("a1"), record=course)
        [self.name] = [f"{name}.ipynb" for name in self.assignment.notebooks]
        self.notebook = json.loads((course.release("a1") / self.name).read_text(encoding="utf-8"))

    def make(self, rng: random.Random) -> bytes:
        """The notebook with some of its cells, in this format or an older one, in most cases broken."""
        cells = rng.sample(self.notebook["cells"], rng.randrange(6)) if rng.random() < 0.9 else []
        whole = dict(self.notebook, cells=[dict(cell, source=cell["source"][:9]) for cell in cells])
        if rng.random() < 0.2:
            whole = {"nbformat": rng.choice([1, 2, 3, 3, 5, True, 4.0]), "nbformat_minor": 0, "metadata": {}}
            old = [
                {"cell_type": "code", "language": "python", "input": "x", "outputs": [], "collapsed": False}
            ]
            whole["worksheets"] = [{"cells": old * rng.randrange(3), "metadata": {}}]
            whole["cells"] = old
        data = text_bytes(rng, mangled(rng, whole, rng.choice([0.0, 0.002, 0.01, 0.1])))
        if rng.random() < 0.1:
            data = data.replace(b"\n", b"\r\n")[: rng.randrange(len(data) + 1)]
        return damaged(rng, data) if rng.random() < 0.2 else data

    def read(self, data: bytes, scratch: Path, rng: random.Random) -> str:
        """Hash it as a submission; stage one in fifty; read it as it is read for a person."""
        work = scratch / "work"
        work.mkdir()
        (work / self.name).write_bytes(data)
        if rng.randrange(50):
            submission_hash(work, self.assignment)
        else:
            staged = stage(work, self.assignment, scratch / "staged")
            for note in staged.notes:
                require_note(note)
            json.loads((staged.tree / self.name).read_bytes())
        try:
            notebook = read_notebook(work / self.name)
        except Unreadable as error:
            require_note(str(error))
            return "refused"
        for cell in notebook.cells:
            require_text(cell.source)
        return "data"


# ---- running


@dataclass(frozen=True)
class Target:
    """How inputs are made and read."""

    make: Callable[[random.Random], bytes]
    read: Callable[[bytes, Path, random.Random], str]


def targets(folder: Path, names: list[str]) -> dict[str, Target]:
    """The targets of these names; `folder` is for what they need."""
    found = {
        "frames": Target(make_frame, read_frame),
        "archives": Target(make_archive, read_archive),
        "npz": Target(make_npz, read_arrays),
        "safetensors": Target(make_safetensors, read_tensors),
    }
    if "notebooks" in names:
        notebooks = Notebooks(folder)
        found["notebooks"] = Target(notebooks.make, notebooks.read)
    return {name: found[name] for name in names}


def one(name: str, target: Target, seed: int, number: int, scratch: Path) -> tuple[str, bytes, str]:
    """Make and read an input: "data", "refused" or "finding", the input, and what was found."""
    rng = random.Random(f"{name} {seed} {number}")
    data = target.make(rng)
    before, seconds = highest_memory(), time.process_time()
    try:
        result, found = target.read(data, scratch, rng), ""
    except Exception:
        result, found = "finding", traceback.format_exc()
    seconds, memory = time.process_time() - seconds, highest_memory() - before
    empty(scratch)
    if seconds > MOST_SECONDS or memory > MOST_MEMORY:
        result, found = "finding", f"{seconds:.1f} s of CPU time, {memory >> 20} MiB of memory"
    return result, data, found


def empty(folder: Path) -> None:
    """Remove everything in a folder; no permission that an input has set stands against it."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            for path, _, _ in os.walk(entry.path):
                os.chmod(path, 0o700)
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def highest_memory() -> int:
    """The most memory, in bytes, that this process has had until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz(
    name: str, target: Target, seed: int, *, first: int = 0, count: int, seconds: float, scratch: Path
) -> tuple[Counter, list[str]]:
    """Read `count` inputs, or as many as `seconds` allow; how many gave what, and the findings."""
    deadline = time.monotonic() + seconds
    results: Counter[str] = Counter()
    findings = []
    for number in range(first, first + count):
        if time.monotonic() > deadline:
            break
        result, data, found = one(name, target, seed, number, scratch)
        results[result] += 1
        if result == "finding":
            findings.append(f"{name}, seed {seed}, number {number}:\n{found}")
            OUT.mkdir(parents=True, exist_ok=True)
            (OUT / f"{name}-{seed}-{number}").write_bytes(data)
            if len(findings) == 20:
                break
    return results, findings


NAMES_OF_TARGETS = ("frames", "archives", "npz", "safetensors", "notebooks")


def main() -> int:
    """Run the targets one after the other; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=NAMES_OF_TARGETS, action="append", help="default: all")
    parser.add_argument("--minutes", type=float, default=10.0, help="all targets together")
    parser.add_argument("--count", type=int, default=10**9, help="the most inputs of each target")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    names = options.target or list(NAMES_OF_TARGETS)
    fast = Path("/dev/shm")
    failed = False
    with tempfile.TemporaryDirectory(dir=fast if os.access(fast, os.W_OK) else None) as folder:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        for name, target in targets(Path(folder), names).items():
            started = time.monotonic()
            results, findings = fuzz(
                name, target, options.seed, first=options.first, count=options.count,
                seconds=60 * options.minutes / len(names), scratch=scratch,
            )  # fmt: skip
            counts = ", ".join(f"{count:,} {result}" for result, count in sorted(results.items()))
            print(
                f"{name}: {results.total():,} inputs in {time.monotonic() - started:.0f} s: {counts}",
                flush=True,
            )
            for found in findings:
                print(found, file=sys.stderr)
            if findings:
                print(f"The inputs are in {OUT}.", file=sys.stderr)
            failed |= bool(findings)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
