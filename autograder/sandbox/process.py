"""One sandbox: a bubblewrap process, its limits, and frames to and from the runner inside."""

from __future__ import annotations

import itertools
import json
import math
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.sandbox import protocol, seccomp
from autograder.sandbox.protocol import ProtocolError, Reference
from autograder.sandbox.runtime import SandboxUnavailable, interpreter, open_cache, runtime
from autograder.sandbox.waiting import Deadline

INSTALL = (
    "Install the package 'bubblewrap' (Debian and Ubuntu: sudo apt-get install bubblewrap; "
    "Fedora: sudo dnf install bubblewrap)"
)

NO_FILTER = (
    f"Sandboxes on this machine ({platform.machine()}) are isolated, but may make every system call: "
    "the filter of calls is written for 64-bit Linux on x86_64 and aarch64."
)


class SandboxDied(Exception):
    """The sandbox ended while a reply was awaited."""


class SandboxTimeout(Exception):
    """No reply within the time limit."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    call: float = 10.0  # seconds a call, unless the check says otherwise; see `Deadline` for what counts
    total: float = 180.0  # seconds for all checks of a submission together
    cpu: int = 300  # seconds of CPU time a process
    memory: int = 2 << 30  # bytes of address space a process
    processes: int = 8  # processes and threads in the sandbox
    file_size: int = 16 << 20  # bytes a file
    scratch: int = 64 << 20  # bytes in /tmp, in memory
    descriptors: int = 128
    reply: int = 64 << 20  # bytes a reply


def check_available() -> str:
    """Start bubblewrap once, as a sandbox would.

    Returns:
        a sentence about what this machine's sandboxes lack; "" when it is nothing.
    Raises:
        SandboxUnavailable: there is none, the system does not let it make namespaces, or the sandbox's Python
            cannot be kept safe from other users.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailable(
            f"Grading needs bubblewrap to lock student code in, and this machine has none. {INSTALL}. "
            "With --isolation none student code runs with your own rights: only for code you trust."
        )
    open_cache()
    with _filter() as (option, handed):
        probe = [bwrap, *_namespaces(), *option, "--ro-bind", "/", "/", "true"]
        options = {"capture_output": True, "text": True, "check": False, "pass_fds": handed}
        done = subprocess.run(probe, **options, **_other_user())
    if done.returncode:
        raise SandboxUnavailable(
            f"bubblewrap is installed but cannot start here: {done.stderr.strip() or done.returncode}. "
            "Unprivileged user namespaces must be allowed (in a container: its security profile; "
            "on Ubuntu: an AppArmor profile for bwrap)."
        )
    return "" if seccomp.program() else NO_FILTER


_count = itertools.count()

# When the machine runs out of memory, a sandbox goes first. This is set from outside: inside, /proc is
# read-only, so that no submission can lower its score and let an honest process die in its place.
# The shell hands on none of its own variables: its working folder would stand in /proc/1/environ.
_FIRST_TO_GO = ["/bin/sh", "-c", 'echo 1000 > /proc/self/oom_score_adj; exec /usr/bin/env -i "$@"', "sh"]


def _other_user() -> dict:
    """For root: a user ID that nobody has and no two sandboxes share: process limits count per user."""
    if os.geteuid() != 0:
        return {}
    mapped = 0
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, length = map(int, line.split())
        mapped = max(mapped, first + length)
    span = min(mapped, 1 << 31) - 100_000
    if span > 0:
        user = 100_000 + (os.getpid() * 64 + next(_count) % 64) % span
    else:  # inside a container that maps few IDs
        user = max(mapped - 2, 1)
    return {"user": user, "group": user, "extra_groups": []}


def _namespaces() -> list[str]:
    return ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]


@contextmanager
def _filter() -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """Options that make bubblewrap load the filter of system calls, and the descriptor it reads it from."""
    program = seccomp.program()
    if not program:
        yield [], ()
        return
    source, sink = os.pipe()
    try:
        with os.fdopen(sink, "wb") as pipe:
            pipe.write(program)  # 2 KiB: the pipe holds them
        yield ["--seccomp", str(source)], (source,)
    finally:
        os.close(source)


def _bubblewrap(tree: Path, limits: Limits) -> list[str]:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        check_available()
    command = [bwrap, *_namespaces(), "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000"]
    command += ["--hostname", "sandbox", "--clearenv"]
    for name, value in _environment("/runtime").items():
        command += ["--setenv", name, value]
    for folder in ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/lib32"):
        if os.path.islink(folder):
            command += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            command += ["--ro-bind", folder, folder]
    for packages in sorted(Path("/usr/lib").glob("python3*")):  # the system's own Python packages
        command += ["--tmpfs", str(packages), "--remount-ro", str(packages)]
    if os.path.exists("/etc/ld.so.cache"):
        command += ["--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    command += ["--ro-bind", str(runtime()), "/runtime", "--ro-bind", str(tree), "/submission"]
    command += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    for folder in ("/tmp", "/dev/shm"):
        command += ["--size", str(limits.scratch), "--tmpfs", folder]
    command += ["--remount-ro", "/", "--chdir", "/submission", f"/runtime/{interpreter()}"]
    return command


def _environment(runtime_folder: str) -> dict[str, str]:
    return {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": f"{runtime_folder}/python/lib",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp",
        # One thread: results do not depend on the machine, and a class keeps every core busy anyway.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


class Sandbox:
    """A running sandbox around one staged submission.

    Args:
        tree: the folder with the submission's `handgrad`; read-only inside, as /submission.
        isolation: "bubblewrap", or "none" for a plain process with the grader's own rights.
        limits: what it may use.
    Raises:
        SandboxUnavailable: it cannot be started.
    """

    def __init__(self, tree: Path, isolation: str, limits: Limits):
        self.limits = limits
        self._isolated = isolated = isolation == "bubblewrap"
        rlimits = {"AS": limits.memory, "CPU": limits.cpu, "FSIZE": limits.file_size, "CORE": 0}
        settings = {"isolated": isolated, "limits": rlimits}
        if isolated:
            rlimits |= {"NPROC": limits.processes, "NOFILE": limits.descriptors}
            settings |= {"root": "/submission", "site": ["/runtime/site"]}
            command, runner = _bubblewrap(tree, limits), "/runtime/runner/runner.py"
            extra = _other_user() | {"env": {}}
            loading = _filter()
        else:
            settings |= {"root": str(tree.resolve()), "site": [sysconfig.get_path("purelib")]}
            command, runner = [sys.executable], str(Path(__file__).with_name("runner.py"))
            extra = {"env": _environment(""), "cwd": tree, "start_new_session": True}
            loading = nullcontext(([], ()))
        command += ["-s", "-S", "-B", runner, json.dumps(settings)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with loading as (option, handed):
            command[1:1] = option
            if isolated:
                command = [*_FIRST_TO_GO, *command]
            self.process = subprocess.Popen(command, bufsize=0, pass_fds=handed, **pipes, **extra)
        self._buffer = bytearray()
        self._source, self._sink = self.process.stdout.fileno(), self.process.stdin.fileno()
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._source, select.POLLIN)
        self._writable.register(self._sink, select.POLLOUT)
        for pipe in (self._source, self._sink):
            os.set_blocking(pipe, False)
        try:
            self._receive(Deadline(60, self.process.pid))
        except (SandboxDied, SandboxTimeout, ProtocolError) as error:
            self._kill()
            said = self.process.stderr.read(4096).decode(errors="replace").strip()
            self.close()
            raise SandboxUnavailable(f"The sandbox did not start: {said or error!r}") from error

    def exchange(self, frame: bytes, seconds: float, find: Callable[[int, str], Any] = Reference) -> dict:
        """Send a frame and wait for the reply.

        Args:
            frame: the whole of it.
            seconds: wall-clock time for both, without what a busy machine makes it wait (see `Deadline`).
            find: makes what stands for an object that stays inside (see `protocol.decode`).
        Raises:
            SandboxTimeout, SandboxDied, ProtocolError: the sandbox is of no further use then.
        """
        deadline = Deadline(seconds, self.process.pid)
        self._send(frame, deadline)
        return self._receive(deadline, find)

    def _send(self, frame: bytes, deadline: Deadline) -> None:
        view = memoryview(frame)
        while view:
            try:
                view = view[os.write(self._sink, view) :]
            except BlockingIOError:  # the pipe is full
                self._wait(self._writable, deadline)
            except BrokenPipeError:
                raise SandboxDied from None

    def _receive(self, deadline: Deadline, find: Callable[[int, str], Any] = Reference) -> dict:
        length = protocol.body_length(self._read(protocol.PREFIX.size, deadline), self.limits.reply)
        return protocol.decode(self._read(length, deadline), find)

    def _read(self, size: int, deadline: Deadline) -> bytes:
        while len(self._buffer) < size:
            self._wait(self._readable, deadline)
            part = os.read(self._source, 1 << 20)
            if not part:
                raise SandboxDied
            self._buffer += part
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    @staticmethod
    def _wait(pipe: select.poll, deadline: Deadline) -> None:
        while remaining := deadline.remaining():
            if pipe.poll(math.ceil(remaining * 1000)):
                return
        raise SandboxTimeout

    def close(self) -> None:
        """End it and everything in it. Safe to call twice."""
        self._kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def _kill(self) -> None:
        if self._isolated:
            self.process.kill()  # its namespace, and all in it, goes with it
        elif self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
