"""Submissions that want to upset whoever unpacks them: paths, links, bombs, odd names and encodings."""

import io
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from corpus import (
    LOSSES,
    RELU,
    SAVED,
    Attack,
    Outcome,
    World,
    archive,
    never_says,
    no_marks,
    says,
)

MiB = 1 << 20
NO_RELU = {"relu_forward": 0.0, "relu_backward": 0.0, "best_model": 0.0}  # the released module in its place


def honest(out: zipfile.ZipFile, tree: Path, but: tuple[str, ...] = ()) -> None:
    """Put the whole submission into the zip."""
    for path in sorted(tree.rglob("*")):
        if path.is_file() and path.relative_to(tree).as_posix() not in but:
            out.write(path, path.relative_to(tree))


def with_members(*members: tuple[str | zipfile.ZipInfo, bytes]) -> Callable[[Path, World], None]:
    """The whole submission, and these members after it."""

    def change(tree: Path, world: World) -> None:
        def fill(out: zipfile.ZipFile, tree: Path) -> None:
            honest(out, tree)
            with warnings.catch_warnings(action="ignore"):  # of names that are there twice
                for name, content in members:
                    out.writestr(world.fill(name) if isinstance(name, str) else name, content)

        archive(fill)(tree, world)

    return change


def bytewise(edit: Callable[[bytes], bytes]) -> Callable[[Path, World], None]:
    """The whole submission as a zip whose bytes are edited."""

    def change(tree: Path, world: World) -> None:
        archive(honest)(tree, world)
        path = world.zip_of(tree)
        path.write_bytes(edit(path.read_bytes()))

    return change


def member(name: str, mode: int) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.create_system, found.external_attr = 3, mode << 16
    return found


def listed(data: bytes, name: str) -> int:
    """Where the zip's list speaks of a member."""
    at = -1
    while (at := data.index(b"PK\1\2", at + 1)) >= 0:
        if data[at + 46 : at + 46 + len(name)] == name.encode():
            return at
    raise ValueError(name)


def wrong_checksum(data: bytes) -> bytes:
    at = listed(data, RELU) + 16
    return data[:at] + b"\xde\xad\xbe\xef" + data[at + 4 :]


def one_content_for_two(data: bytes) -> bytes:
    """The list says that the ReLUs lie where the losses lie."""
    here, there = listed(data, RELU) + 42, listed(data, LOSSES) + 42
    return data[:here] + data[there : there + 4] + data[here + 4 :]


def encrypted(data: bytes) -> bytes:
    at = listed(data, RELU) + 8
    return data[:at] + bytes([data[at] | 1]) + data[at + 1 :]


def not_utf8(data: bytes) -> bytes:
    at = listed(data, RELU)
    data = data[: at + 9] + bytes([data[at + 9] | 8]) + data[at + 10 :]
    return data[: at + 46] + b"\xff\xfe" + data[at + 48 :]


def long_list(data: bytes) -> bytes:
    """A list of 150,000 members."""
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    members = data[start : data.index(b"PK\1\2", start + 4)] * 150_000
    ending = bytearray(data[end:])
    ending[12:16] = len(members).to_bytes(4, "little")
    return data[:start] + members + ending


def bomb(levels: int) -> bytes:
    """A zip in a zip in a zip, and at the bottom of it zeros."""
    content = bytes(50 * MiB)
    for _ in range(levels):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("bomb.zip", content)
        content = out.getvalue()
    return content


def large_by_its_list(tree: Path, world: World) -> None:
    """Six members of which both headers say that they have 60 MB."""
    for number in range(6):
        (tree / f"data-{number}").write_bytes(b"small")
    archive(honest)(tree, world)
    path = world.zip_of(tree)
    data = bytearray(path.read_bytes())
    for number in range(6):
        at = listed(data, f"data-{number}")
        data[at + 20 : at + 28] = struct.pack("<2L", 60_000_000, 60_000_000)
    path.write_bytes(data)


def odd_method(tree: Path, world: World) -> None:
    archive(lambda out, tree: honest(out, tree, but=(RELU,)))(tree, world)
    with zipfile.ZipFile(world.zip_of(tree), "a", zipfile.ZIP_LZMA) as out:
        out.writestr(RELU, "x = 1")


def links_to_secrets(tree: Path, world: World) -> None:
    """The ReLUs are a link to the gradebook, the losses a hard link to it; a folder leads to the course."""
    secret = world.course / "gradebook.db"
    (tree / RELU).unlink()
    (tree / RELU).symlink_to(secret)
    (tree / LOSSES).unlink()
    os.link(secret, tree / LOSSES)
    (tree / "course").symlink_to(world.course)
    (tree / "passwords").symlink_to("/etc/passwd")


def pipes_and_devices(tree: Path, world: World) -> None:
    """The ReLUs are a FIFO, which would keep a reader waiting; the losses a device where that is allowed."""
    (tree / RELU).unlink()
    os.mkfifo(tree / RELU)
    with suppress(PermissionError):
        os.mknod(tree / "zero", 0o20666, os.makedev(1, 5))


def thousands_of_links(tree: Path, world: World) -> None:
    for folder in range(3):
        (tree / f"links-{folder}").mkdir()
        for number in range(4_000):
            (tree / f"links-{folder}" / f"{number}").symlink_to(world.course)


def folder_for_a_file(tree: Path, world: World) -> None:
    """A folder where the ReLUs should be."""
    (tree / RELU).unlink()
    (tree / RELU).mkdir()
    (tree / RELU / "__init__.py").write_text("def relu_forward(x): return x, x\n")


def hostile_weights(write: Callable[[zipfile.ZipFile], None], method: int = zipfile.ZIP_DEFLATED):
    """The submission with other weights."""

    def change(tree: Path, world: World) -> None:
        with zipfile.ZipFile(tree / SAVED, "w", method) as out:
            write(out)

    return change


def npy(description: str, shape: tuple, content: bytes) -> bytes:
    header = f"{{'descr': {description!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content


def impossible_text(out: zipfile.ZipFile) -> None:
    out.writestr("dataset.npy", npy("<U1", (), b"\xff\xff\xff\xff"))
    for name in ("W1", "b1", "W2", "b2", "mean_image"):
        out.writestr(f"{name}.npy", npy("<U0", (1 << 33,), b""))


def nothing_of_the_course(outcome: Outcome) -> None:
    """Neither the feedback nor what is kept holds a file of the host."""
    kept = outcome.course.root / "received" / outcome.report.assignment / outcome.student
    kept = [kept, outcome.course.submitted(outcome.report.assignment, outcome.student)]
    for folder in kept:
        for path in folder.rglob("*"):
            assert not path.is_symlink()
            assert path.is_dir() or b"SQLite format" not in path.read_bytes()[:100]


def refused(name: str, goal: str, change: Callable[[Path, World], None], *texts: str) -> Attack:
    """A zip that is not taken at all."""
    return Attack(name, "archives", goal, change, "nothing", checks=(no_marks, says(*texts)))


def taken(name: str, goal: str, change: Callable[[Path, World], None], points="all", *checks) -> Attack:
    """A submission whose other files count."""
    return Attack(name, "archives", goal, change, points, checks=(no_marks, *checks))


LEADS_OUT = "leads out of its folder"
LINK = "has a link or a special file"

ATTACKS: list[Attack] = [
    refused(
        "zip-slip",
        "Writes a file to the host by a path with dots.",
        with_members((f"{'../' * 20}@OUTSIDE@/mark", b"x")),
        LEADS_OUT,
    ),
    refused(
        "zip-absolute-path",
        "Writes a file to the host by its absolute path.",
        with_members(("@OUTSIDE@/mark", b"x")),
        LEADS_OUT,
    ),
    refused(
        "zip-drives-and-backslashes",
        "Leads out of the folder as Windows writes it.",
        with_members(("..\\..\\mark", b"x"), ("C:\\mark", b"x")),
        LEADS_OUT,
    ),
    refused(
        "zip-name-with-an-end",
        "Hides dots behind a NUL in a name.",
        bytewise(lambda data: data.replace(RELU.encode(), f"x\0/../../{'y' * 99}".encode()[: len(RELU)])),
        LEADS_OUT,
    ),
    refused(
        "zip-link-to-the-course",
        "Makes a link to the course when it is unpacked.",
        with_members((member("course", 0o120777), b"@COURSE@")),
        LINK,
    ),
    refused(
        "zip-fifo-and-device",
        "Makes a FIFO and a device when it is unpacked.",
        with_members((member("fifo", 0o010666), b""), (member("sda", 0o060666), b"")),
        LINK,
    ),
    refused(
        "zip-bomb-by-ratio",
        "Unpacks 200 kB to 200 MB.",
        with_members(("zeros", bytes(60 * MiB))),
        "times its packed size",
    ),
    refused(
        "zip-bomb-by-size",
        "Unpacks to 360 MB in files that are small enough.",
        large_by_its_list,
        "add up to more than",
    ),
    refused(
        "zip-bomb-by-count",
        "Unpacks to 6,000 empty files.",
        with_members(*((f"files/{number}", b"") for number in range(6_000))),
        "files",
    ),
    refused(
        "zip-endless-list",
        "Lists 150,000 members, each of which costs memory.",
        bytewise(long_list),
        "lists too many files",
    ),
    taken(
        "zip-bomb-in-zips",
        "Hides a bomb in zips in a zip, for whoever unpacks them all.",
        with_members(("more.zip", bomb(4))),
    ),
    taken(
        "zip-quine",
        "Lets two entries of the list share one content.",
        bytewise(one_content_for_two),
        NO_RELU,
        says("is damaged"),
    ),
    refused("zip-encrypted", "Cannot be read without a password.", bytewise(encrypted), "is encrypted"),
    refused(
        "zip-name-without-encoding",
        "Has a name that is not what its flag says.",
        bytewise(not_utf8),
        "is not a zip that can be read",
    ),
    taken(
        "zip-odd-names",
        "Upsets terminals and pages by names with control characters and of great length.",
        with_members(
            ("n" * 300, b""), ("d/" * 200 + "x", b""), ("\x1b[2J\n\u202egpj.exe", b""), ("<b>é</b>", b"")
        ),
    ),
    refused(
        "zip-cases-collide",
        "Puts another file in a place by a name that differs in case.",
        with_members((RELU.upper(), b"x = 1")),
        "two files for one place",
    ),
    refused(
        "zip-one-name-twice",
        "Has a module twice under one name, with other content the second time.",
        with_members((RELU, b"def relu_forward(x): return x, x")),
        "two files for one place",
    ),
    refused(
        "zip-file-and-folder",
        "Has a file of the name of a folder that holds other files.",
        with_members(("handgrad", b"x = 1"), ("handgrad/x.py", b"x = 1")),
        "has a file and a folder of one name: handgrad",
    ),
    refused(
        "zip-folder-behind-a-file",
        "Has a folder below one of its modules.",
        with_members((f"{RELU}/x.py", b"x = 1"), ("notes", b""), ("notes/", b"")),
        "has a file and a folder of one name",
    ),
    taken(
        "folder-for-a-module",
        "Has a package of a module's name in the module's place.",
        folder_for_a_file,
        NO_RELU,
        says(f"{RELU} was not handed in"),
    ),
    refused(
        "zip-cut-off",
        "Hands in half a zip, as an upload that broke off.",
        bytewise(lambda data: data[: len(data) // 2]),
        "is not a zip that can be read",
    ),
    taken(
        "zip-behind-a-program",
        "Hands in a zip that is a program too.",
        bytewise(lambda data: b"#!/bin/sh\ntouch /tmp/mark\nexit\n" + data),
    ),
    taken(
        "zip-wrong-checksum",
        "Has a member that is not what its checksum says.",
        bytewise(wrong_checksum),
        NO_RELU,
        says("is damaged"),
    ),
    refused(
        "zip-odd-method",
        "Is packed by a method whose memory has no bounds.",
        odd_method,
        "packed by a method that few programs read",
    ),
    taken(
        "folder-of-links",
        "Has links to the gradebook where its modules should be.",
        links_to_secrets,
        NO_RELU | {"softmax_loss": 0.0, "svm_loss": 0.0},
        says("links and special files"),
        nothing_of_the_course,
        never_says("SQLite"),
    ),
    taken(
        "folder-with-pipes",
        "Has a FIFO and a device where its modules should be.",
        pipes_and_devices,
        NO_RELU,
        says("links and special files"),
    ),
    refused(
        "folder-of-12000-links",
        "Has so many links that looking at them takes the time.",
        thousands_of_links,
        "files and folders",
    ),
    taken(
        "weights-of-impossible-text",
        "Has text in its weights that no program can print, and items of no bytes.",
        hostile_weights(impossible_text),
        {"best_model": 0.0},
    ),
]
