"""Attacks that are lists of attempts: each says what it got, in the exception that ends up in the report."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

from corpus import Attack, Outcome, World, no_marks, patch, says

from autograder.sandbox import seccomp

SHM = Path("/dev/shm")

# What stands around the attempts, which are functions of x and y called try_...
FRAME = """
import ctypes
import os
import sys

import numpy as np

HOST = {host!r}
NUMBERS = {numbers!r}


def seed():
    return "@DEES@"[::-1]  # backwards, so that this file is not where it is found


def syscall(number, *args):
    if isinstance(number, str):
        number = NUMBERS[number]
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    return function(ctypes.c_long(number), *(ctypes.c_long(a) if type(a) is int else a for a in args)) >= 0


def read(path, size=1 << 20):
    with open(path, "rb") as file:
        return file.read(size)


def readable(*paths):
    got = []
    for path in paths:
        try:
            got.append(os.listdir(path) if os.path.isdir(path) else read(path, 64))
        except OSError:
            pass
    return got


{attempts}

def svm_loss(x, y):
    tries = sorted(name for name in globals() if name.startswith("try_"))
    got = []
    for name in tries:
        try:
            if globals()[name](x, y):
                got.append(name)
        except Exception:
            pass
    raise RuntimeError(f"tried {{len(tries)}}, got {{got}}")
"""


def trying(name: str, goal: str, attempts: str, *checks: Callable[[Outcome], None], family: str, **options):
    """An attack whose attempts all fail; svm_loss, which makes them, gets nothing and all else its points.

    Args:
        attempts: functions try_...(x, y) that return something true if they got what they are after.
        checks: what else has to hold afterwards.
    """
    numbers = {n: k for group in seccomp.REFUSED for n, k in _numbers(group).items()}
    numbers["clone"] = seccomp.CLONE.get(platform.machine(), -1)
    source = FRAME.format(host=socket.gethostname(), numbers=numbers, attempts=attempts)
    count = attempts.count("def try_")

    def change(tree: Path, world: World) -> None:
        secret = next((world.course / ".handgrad").glob("seed-*"), None)
        seed = secret.read_text().strip() if secret else "no seed yet"
        patch(source.replace("@DEES@", seed[::-1]))(tree, world)

    said = says(f"svm_loss raised RuntimeError: tried {count}, got [] (")
    options = {"points": {"svm_loss": 0.0}, **options}
    return Attack(name, family, goal, change, checks=(said, no_marks, *checks), **options)


def _numbers(group: seccomp.Group) -> dict[str, int]:
    return group.numbers(platform.machine()) if platform.machine() in seccomp.ARCHITECTURES else {}


class Receivers:
    """Sockets of this machine that wait for a first byte: TCP, UDP and Unix ones.

    Public attribute: `addresses`, where they are, by name.
    """

    def __enter__(self) -> Receivers:
        self._opened = ExitStack()
        folder = self._opened.enter_context(tempfile.TemporaryDirectory(prefix="handgrad-sockets-"))
        os.chmod(folder, 0o755)
        self._sockets, self.addresses = {}, {}
        places = {
            "tcp4": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp4": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
            "udp6": (socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 0)),
            "unix": (socket.AF_UNIX, socket.SOCK_STREAM, f"{folder}/socket"),
            "abstract": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0handgrad-attacks-{os.getpid()}"),
        }
        for name, (family, kind, address) in places.items():
            try:
                receiver = self._opened.enter_context(socket.socket(family, kind))
                receiver.bind(address)
            except OSError:  # a machine without IPv6
                continue
            if kind == socket.SOCK_STREAM:
                receiver.listen()
            if name == "unix":
                os.chmod(address, 0o777)
            receiver.setblocking(False)
            where = receiver.getsockname()
            self.addresses[name] = where[:2] if isinstance(where, tuple) else address
            self._sockets[name] = receiver
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def reached(self) -> list[str]:
        """Those that somebody has spoken to."""
        return [name for name, receiver in self._sockets.items() if _heard(receiver)]


def _heard(receiver: socket.socket) -> bool:
    try:
        if receiver.type == socket.SOCK_STREAM:
            receiver.accept()[0].close()
        else:
            receiver.recv(1)
    except BlockingIOError:
        return False
    return True


class Shared:
    """Memory, semaphores and queues of this machine, System V's and POSIX's, that anybody may find and use.

    Public attributes: `name` and `key`, by which they are found. What an attack leaves has the name with
    "-left" behind it, or the next key.
    """

    CREATE = 0o1666  # IPC_CREAT, for everybody
    REMOVE = 0  # IPC_RMID

    def __enter__(self) -> Shared:
        self.name, self.key = f"handgrad-attacks-{os.getpid()}", 0x68670000 + 2 * (os.getpid() % 30_000)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._memory = SharedMemory(self.name, create=True, size=4096)
        (SHM / self.name).chmod(0o666)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(f"\0{self.name}")
        self._socket.listen()
        self._socket.setblocking(False)
        self._numbers = self._found(self.key, self.CREATE)
        assert len(self._numbers) == 3, os.strerror(ctypes.get_errno())
        message = ctypes.create_string_buffer((1).to_bytes(8, sys.byteorder) + b"mark")
        assert self._libc.msgsnd(self._numbers["queue"], message, 4, 0) == 0
        return self

    def __exit__(self, *_: object) -> None:
        for numbers in (self._numbers, self._found(self.key + 1)):
            self._remove(numbers)
        self._memory.close()
        self._memory.unlink()
        self._socket.close()

    def changes(self) -> list[str]:
        """What somebody has done to it, or left beside it."""
        found = [f"made a {kind}" for kind in self._found(self.key + 1)]
        found += [path.name for path in SHM.glob(f"*{self.name}-left*")]
        found += ["wrote into memory"] if bytes(self._memory.buf[:4]) != bytes(4) else []
        found += ["called"] if _heard(self._socket) else []
        message = ctypes.create_string_buffer(64)
        received = self._libc.msgrcv(self._numbers["queue"], message, 4, 0, 0o4000)
        return found + (["took the message"] if received != 4 else [])

    def _found(self, key: int, flags: int = 0) -> dict[str, int]:
        """The numbers of what has this key, by kind."""
        made = {
            "segment": self._libc.shmget(key, 4096, flags),
            "semaphore": self._libc.semget(key, 1, flags),
            "queue": self._libc.msgget(key, flags),
        }
        return {kind: number for kind, number in made.items() if number >= 0}

    def _remove(self, numbers: dict[str, int]) -> None:
        for kind, number in numbers.items():
            if kind == "segment":
                self._libc.shmctl(number, self.REMOVE, None)
            elif kind == "semaphore":
                self._libc.semctl(number, 0, self.REMOVE)
            else:
                self._libc.msgctl(number, self.REMOVE, None)


def processes_named(name: str) -> list[int]:
    """The processes of this machine that have called themselves so."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "comm").read_text().strip() == name[:15]:
                found.append(int(folder.name))
        except OSError:  # it has just ended
            pass
    return found
