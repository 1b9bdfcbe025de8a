"""Temporary folders that no killed process leaves for good.

They lie where the system wants temporary files, under names that nobody can foresee, and belong to one
process, which holds a lock on each: the system drops it when that process ends in whatever way. The next
grader on the same machine removes those of this account that nobody holds any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PREFIX = "handgrad-run-"


class Folder:
    """A new folder, which goes when it is closed, when nobody refers to it, or with this process.

    Args:
        passable: the users that sandboxes run as must get through to what is in it, when root is grading.
    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, passable: bool = False):
        self.path, lock = _make()
        self._close = weakref.finalize(self, _remove, self.path, lock, os.getpid())
        if passable and os.geteuid() == 0:
            self.path.chmod(0o711)

    def close(self) -> None:
        """Remove it with everything in it. Safe to call twice."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sweep() -> None:
    """Remove the folders that killed processes of this account left."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = _open(left)
        except OSError:  # it has just gone, or is no folder of ours
            continue
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        except OSError:  # somebody works in it
            continue
        finally:
            os.close(lock)


def _make() -> tuple[Path, int]:
    """A folder and the descriptor that holds its lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))  # new, with mode 0700
        with suppress(FileNotFoundError):  # somebody swept before the lock was there
            lock = _open(path)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _remove(path: Path, lock: int, owner: int) -> None:
    if os.getpid() == owner:  # and not a child that it forked
        shutil.rmtree(path, ignore_errors=True)
    os.close(lock)
