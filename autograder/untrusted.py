"""Read files out of folders and zips that anybody may have made.

A `Folder` and an `Archive` look the same from outside: `entries` maps the paths of regular files to their
sizes, and `read` gives one file's bytes. Links, FIFOs and devices are never opened. Nothing is extracted:
what is not asked for stays where it is. A submission that breaks a limit or cannot be read raises `Refused`,
whose message is for the student.
"""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any, Self

MiB = 2**20
MAX_FILES = 5_000
MAX_BYTES = 256 * MiB  # all files together, and the zip itself
MAX_FILE_BYTES = 64 * MiB  # larger files are left out
MAX_DEPTH = 12  # folders in folders
MAX_RATIO = 200  # unpacked to packed, of files over 1 MiB
MAX_LIST_BYTES = 4 * MiB  # a zip's own list of its members
MAX_JSON_VALUES = 4_000_000  # a Python object takes up to fifty times the memory of its text
TOO_MUCH = f"It holds too many values: more than {MAX_JSON_VALUES:,}."

_IGNORED = {
    "__MACOSX",
    "__pycache__",
    "node_modules",
    "venv",
    "env",
    "Thumbs.db",
    "desktop.ini",
    "cifar-10-batches-py",
}


class Refused(Exception):
    """Something of a student's cannot be taken; the message is a sentence that says why."""


def ignored(name: str) -> bool:
    """Whether a file or folder is what an operating system, an editor or Python leaves behind."""
    return name.startswith(".") or name in _IGNORED


def shown(name: str) -> str:
    """A student's file name, fit for a message: printable, and no longer than 80 characters."""
    name = "".join(c if c.isprintable() else "?" for c in name)
    return name if len(name) <= 80 else f"{name[:77]}..."


def open_submission(path: Path) -> Folder | Archive:
    """Open a folder or a zip, without following a link. Raises Refused."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            return Folder(path)
        if stat.S_ISREG(mode):
            return Archive(path)
    except OSError as error:
        raise Refused(f"{shown(path.name)} cannot be read: {error.strerror}.") from error
    raise Refused(f"{shown(path.name)} is neither a folder nor a zip.")


def holds_too_much(content: bytes) -> bool:
    """Whether JSON may have more values in it than memory should be spent on."""
    return content.count(b",") + 4 * (content.count(b"[") + content.count(b"{")) > MAX_JSON_VALUES


def load_json(content: bytes) -> Any:
    """What `json.loads` makes of it, within bounds of depth and memory. Raises Refused."""
    if holds_too_much(content):
        raise Refused(TOO_MUCH)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(f"It is not JSON: {shown(str(error))}") from error


class _Source:
    """What folders and archives have in common."""

    def __init__(self) -> None:
        self.entries: dict[str, int] = {}
        self._left_out: dict[str, list[str]] = {}
        self._bytes = 0
        self._seen = 0

    @property
    def notes(self) -> list[str]:
        """What was left out, by reason, in a line each."""
        return [
            f"{reason}: {', '.join(shown(name) for name in names[:3])}"
            + (f" and {len(names) - 3} more." if len(names) > 3 else ".")
            for reason, names in sorted(self._left_out.items())
        ]

    def _leave_out(self, reason: str, path: str) -> None:
        self._left_out.setdefault(reason, []).append(path)

    def _enter(self, path: str, size: int) -> None:
        if size > MAX_FILE_BYTES:
            self._leave_out(f"Left out, larger than {MAX_FILE_BYTES // MiB} MiB", path)
            return
        self.entries[path] = size
        if len(self.entries) > MAX_FILES:
            raise Refused(f"The submission has more than {MAX_FILES} files.")
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise Refused(f"The files of the submission add up to more than {MAX_BYTES // MiB} MiB.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError


class Folder(_Source):
    """A folder, held open: paths are looked up from there, step by step, and no step follows a link."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._scan(self._root, "", 0)
        except BaseException:
            self.close()
            raise

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a regular file of at most `limit` bytes. Raises Refused."""
        *folders, name = path.split("/")
        opened: list[int] = []
        try:
            parent = self._root
            for folder in folders:
                parent = os.open(
                    folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent
                )
                opened.append(parent)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            opened.append(os.open(name, flags, dir_fd=parent))
            status = os.fstat(opened[-1])
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                raise Refused(f"{shown(path)} is a link or a special file.")
            with open(opened[-1], "rb", closefd=False) as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise Refused(f"{shown(path)} cannot be read: {error.strerror}.") from error
        finally:
            for descriptor in opened:
                os.close(descriptor)
        return _bounded(content, path, limit)

    def copy_to(self, dest: Path) -> None:
        """Write all entries into a new folder."""
        dest.mkdir()
        for path in self.entries:
            target = dest / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.read(path, MAX_FILE_BYTES))

    def close(self) -> None:
        os.close(self._root)

    def _scan(self, folder: int, prefix: str, depth: int) -> None:
        with os.scandir(folder) as items:
            names = sorted(item.name for item in islice(items, MAX_FILES + 1))
        if len(names) > MAX_FILES:
            raise Refused(f"The submission has more than {MAX_FILES} files.")
        names = [name for name in names if not ignored(name)]
        self._seen += len(names)  # folders and links count too: looking at millions of them takes minutes
        if self._seen > 2 * MAX_FILES:
            raise Refused(f"The submission has more than {2 * MAX_FILES} files and folders.")
        for name in names:
            path = prefix + name
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    self._descend(folder, name, path, depth)
                elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    self._enter(path, status.st_size)
                else:
                    self._leave_out("Left out, links and special files", path)
            except OSError as error:
                self._leave_out(f"Left out, cannot be read ({error.strerror})", path)

    def _descend(self, folder: int, name: str, path: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            self._leave_out(f"Left out, more than {MAX_DEPTH} folders deep", path)
            return
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            self._scan(inner, f"{path}/", depth + 1)
        finally:
            os.close(inner)


class Archive(_Source):
    """A zip. One hostile member refuses the whole of it: no tool that packs homework makes such members."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._name = shown(path.name)
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._zip: zipfile.ZipFile | None = None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._file = LimitedReader(io.FileIO(os.open(path, flags), "rb"), MAX_LIST_BYTES)
        try:
            if os.fstat(self._file.fileno()).st_size > MAX_BYTES:
                raise Refused(f"{self._name} is larger than {MAX_BYTES // MiB} MiB.")
            try:
                self._zip = zipfile.ZipFile(self._file)
            except Exception as error:  # zipfile lets through struct.error, ValueError and others
                raise Refused(f"{self._name} is not a zip that can be read: {shown(str(error))}.") from error
            self._file.most = None
            self._scan(self._zip.infolist())
        except BaseException:
            self.close()
            raise

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a member of at most `limit` bytes. Raises Refused."""
        assert self._zip is not None
        try:
            with self._zip.open(self._members[path]) as file:
                content = file.read(limit + 1)
        except Exception as error:  # as above, and zlib.error, EOFError, NotImplementedError
            raise Refused(f"{shown(path)} in {self._name} is damaged: {shown(str(error))}.") from error
        return _bounded(content, path, limit)

    def copy_to(self, dest: Path) -> None:
        """Write the zip as it came, into a new folder."""
        dest.mkdir()
        self._file.seek(0)
        (dest / "submission.zip").write_bytes(io.FileIO.readall(self._file.raw))

    def close(self) -> None:
        if self._zip:
            self._zip.close()
        self._file.close()

    def _scan(self, members: list[zipfile.ZipInfo]) -> None:
        if len(members) > MAX_FILES:
            raise Refused(f"{self._name} has more than {MAX_FILES} files.")
        folders: set[str] = set()
        taken: dict[str, str] = {}
        for member in sorted(members, key=lambda member: member.filename):
            path = self._path(member)
            if not path or any(ignored(part) for part in path.split("/")):
                continue
            is_folder = member.orig_filename.endswith(("/", "\\"))
            parents = path.split("/")[: None if is_folder else -1]
            if len(parents) > MAX_DEPTH:
                self._leave_out(f"Left out, more than {MAX_DEPTH} folders deep", path)
                continue
            folders.update("/".join(parents[: n + 1]).casefold() for n in range(len(parents)))
            if is_folder:
                continue
            if (other := taken.setdefault(path.casefold(), path)) != path or path in self.entries:
                raise Refused(f"{self._name} has two files for one place: {shown(other)} and {shown(path)}.")
            if member.file_size > MiB and member.file_size > MAX_RATIO * member.compress_size:
                raise Refused(
                    f"{self._name} unpacks {shown(path)} to more than {MAX_RATIO} times its packed size."
                )
            self._members[path] = member
            self._enter(path, member.file_size)
        if clash := sorted(folders & taken.keys()):
            raise Refused(f"{self._name} has a file and a folder of one name: {shown(clash[0])}.")

    def _path(self, member: zipfile.ZipInfo) -> str:
        """The member's path, made plain; Refused when it leads out of the folder or is no file's."""
        name = member.orig_filename.replace("\\", "/")
        label = shown(member.orig_filename)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or name[1:2] == ":" or ".." in parts or "\0" in name:
            raise Refused(f"{self._name} has a path that leads out of its folder: {label}.")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Refused(f"{self._name} has a link or a special file: {label}.")
        if member.flag_bits & 0x1:
            raise Refused(f"{self._name} is encrypted.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused(
                f"{self._name} is packed by a method that few programs read; use the usual one (deflate)."
            )
        return "/".join(parts)


class LimitedReader(io.BufferedReader):
    """Limits what `zipfile` loads at once, so that a list of millions of members is not even read.

    Public attribute: `most`, in bytes; None, once the list is read, means no limit.
    """

    def __init__(self, raw: io.FileIO | io.BytesIO, most: int) -> None:
        super().__init__(raw)
        self.most: int | None = most

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise Refused("it lists too many files")
        return super().read(size)


def _bounded(content: bytes, path: str, limit: int) -> bytes:
    if len(content) > limit:
        raise Refused(f"{shown(path)} is larger than {limit // MiB} MiB.")
    return content
