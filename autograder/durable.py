"""Files that last: written whole or not at all, and still there when the power fails right afterwards.

A process can be killed between any two lines here. What it leaves is the former state or the new one, and at
most a scratch folder, which `sweep` removes once its owner is gone.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PREFIX = "scratch-"
_LOCK = "scratch.lock"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2

_MEND = {
    errno.ENOSPC: "The disk is full: free some space",
    errno.EDQUOT: "Your disk quota is used up: free some space",
    errno.EFBIG: "A file would become larger than this account may write: raise the limit (ulimit -f)",
    errno.EROFS: "The disk can only be read: mount it for writing",
    errno.EACCES: "You may not read or write there: ask for the right to",
    errno.EPERM: "You may not read or write there: ask for the right to",
    errno.EIO: "The disk reports an error: check it",
}


def lasting_trouble(error: OSError) -> str | None:
    """Why this error will meet all else that is written there, and what mends it; None if it will not."""
    mend = _MEND.get(error.errno or 0)
    return mend and mend + (f" ({error.filename})" if error.filename else "")


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace a file, atomically, and return when the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append(path: Path, entry: dict[str, Any]) -> None:
    """Add a line to a log of JSON lines, and return when the disk has it.

    After a line that a kill or a full disk cut off, the entry begins a line of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("ab+") as file:
        torn = file.tell() > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
        file.write(b"\n" * torn + json.dumps(entry).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a log, oldest first. A line that was cut off never counted, and is passed over."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def sync_folder(folder: Path) -> None:
    """Make the disk have a folder's list of names."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks know no such thing
            raise
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make the disk have everything in a folder that we made ourselves."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def put_in_place(fresh: Path, target: Path) -> None:
    """Put a new folder where a former one may be: anybody who looks sees one of them, whole.

    Args:
        fresh: the new folder, on the same disk; afterwards the former one is there, if there was one.
        target: its place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    restore(target)
    if not os.path.lexists(target):
        fresh.rename(target)
    elif not _exchange(fresh, target):
        former = _former(target)
        target.rename(former)
        fresh.rename(target)
        former.rename(fresh)
    sync_folder(target.parent)


def restore(target: Path) -> None:
    """Bring back the folder that a killed `put_in_place` had moved away, where disks cannot exchange two."""
    former = _former(target)
    if former.exists():
        if target.exists():
            shutil.rmtree(former)
        else:
            former.rename(target)


def _former(target: Path) -> Path:
    return target.with_name(f".{target.name}.former")


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where the system or the disk has no such step."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A new folder inside `folder`, which goes with the block; `sweep` knows it as ours while we live."""
    with alone(folder):  # nobody sweeps before it is marked as ours
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
        owned = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(owned, fcntl.LOCK_EX)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(owned)


def sweep(folder: Path) -> None:
    """Remove the scratch folders of processes that are gone."""
    with alone(folder):
        for left in folder.glob(f"{_PREFIX}*"):
            try:
                descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # its owner has just removed it
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)


def sweep_temporaries(folder: Path) -> None:
    """Remove the unfinished files that killed calls of `write` left in a folder."""
    for left in folder.glob(".*.*"):
        owner = left.name.rpartition(".")[2]
        if owner.isdecimal() and not _alive(int(owner)):
            left.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time; of the others, each waits for its turn."""
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
