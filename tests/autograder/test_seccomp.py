"""The filter of system calls: its program does what its tables say, and the kernel what the program says."""

import ctypes
import errno
import os
import platform
import re
import struct
from pathlib import Path

import pytest

from autograder.sandbox import Limits, Session, check_available, seccomp
from autograder.sandbox.seccomp import ALLOW, ARCHITECTURES, ERRNO, KILL_PROCESS, NEWEST, REFUSED, X32

MACHINES = sorted(ARCHITECTURES)
NEVER = {  # what Python, NumPy and PyTorch cannot do without
    "read", "write", "close", "openat", "fstat", "lseek", "mmap", "mprotect", "munmap", "mremap", "madvise",
    "brk", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "ioctl", "pread64", "clone", "execve", "wait4",
    "exit_group", "futex", "set_robust_list", "rseq", "prlimit64", "getrandom", "sched_getaffinity",
    "pipe2", "clock_gettime", "clock_nanosleep", "kill", "tgkill", "getdents64", "socketpair", "eventfd2",
}  # fmt: skip


def run(program: bytes, number: int, *args: int, architecture: int) -> int:
    """What the kernel's interpreter returns for a call, by an interpreter of our own."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *args, *[0] * (6 - len(args)))
    lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    tests = {0x15: lambda a, k: a == k, 0x25: lambda a, k: a > k, 0x45: lambda a, k: bool(a & k)}
    at = loaded = 0
    while True:
        operation, true, false, constant = lines[at]
        at += 1
        if operation == 0x20:
            assert constant % 4 == 0
            (loaded,) = struct.unpack_from("=I", data, constant)
        elif operation == 0x06:
            return constant
        else:
            at += true if tests[operation](loaded, constant) else false


def verdict(machine: str, number: int, *args: int) -> int:
    return run(seccomp.program(machine), number, *args, architecture=ARCHITECTURES[machine])


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_gets_what_the_tables_say(machine):
    refused = seccomp.refused(machine)
    conditional = {table[machine] for table in (seccomp.CLONE, seccomp.IOCTL, seccomp.SOCKETPAIR)}
    for number in range(NEWEST + 1):
        if number not in conditional:
            expected = ERRNO | refused[number] if number in refused else ALLOW
            assert verdict(machine, number) == expected, number
    assert not conditional.intersection(refused)


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_from_the_future_do_not_exist(machine):
    for number in (NEWEST + 1, NEWEST + 2, 512, 547, 1 << 20, X32 - 1):
        assert verdict(machine, number) == ERRNO | errno.ENOSYS, number


def test_calls_in_another_numbering_end_the_process():
    i386, arm = 0x40000003, 0x40000028
    for number in (0, 1, 59, 63, 1 << 29):
        assert verdict("x86_64", X32 | number) == KILL_PROCESS
        assert run(seccomp.program("x86_64"), number, architecture=i386) == KILL_PROCESS
        assert run(seccomp.program("aarch64"), number, architecture=arm) == KILL_PROCESS
    assert verdict("x86_64", (1 << 32) - 1) == KILL_PROCESS  # -1


@pytest.mark.parametrize("machine", MACHINES)
def test_clone_makes_threads_and_processes_but_no_namespaces(machine):
    clone, namespaces = seccomp.CLONE[machine], [1 << bit for bit in (17, 25, 26, 27, 28, 29, 30)]
    threads, fork = 0x3D0F00, 0x1200011  # what glibc asks for
    assert verdict(machine, clone, threads) == verdict(machine, clone, fork) == ALLOW
    for flag in namespaces:
        assert verdict(machine, clone, flag | fork) == ERRNO | errno.EPERM
        assert verdict(machine, clone, flag | 1 << 32) == ERRNO | errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_ioctl_and_socketpair_do_what_python_needs_and_no_more(machine):
    ioctl, socketpair = seccomp.IOCTL[machine], seccomp.SOCKETPAIR[machine]
    for request in range(0x5400, 0x5500):
        expected = ALLOW if request in seccomp.REQUESTS.values() else ERRNO | errno.ENOTTY
        assert verdict(machine, ioctl, 0, request) == expected, hex(request)
        assert verdict(machine, ioctl, 0, request | 1 << 32) == expected  # the kernel drops the upper half
    assert 0x5412 not in seccomp.REQUESTS.values()  # TIOCSTI
    for family in range(48):
        expected = ALLOW if family == seccomp.AF_UNIX else ERRNO | errno.EPERM
        assert verdict(machine, socketpair, family) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_programs_are_whole(machine):
    program = seccomp.program(machine)
    lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    assert len(lines) < 4096  # the kernel's limit
    assert lines[-1][0] == 0x06
    for at, (operation, true, false, _) in enumerate(lines):
        assert operation in (0x06, 0x20) or at + 1 + max(true, false) < len(lines)


def test_no_call_is_in_two_groups_and_none_is_needed():
    for machine in MACHINES:
        names = [name for group in REFUSED for name in group.numbers(machine)]
        assert len(names) == len(set(names)) == len(seccomp.refused(machine))
        assert not NEVER.intersection(names)


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_numbers_are_the_kernels(machine, header):
    if not Path(header).is_file():
        pytest.skip(f"no {header} here")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", Path(header).read_text())
    known = {name: int(number) for name, number in found}
    for group in REFUSED:
        for name, number in group.numbers(machine).items():
            assert known[name] == number, name
    for name, table in (
        ("clone", seccomp.CLONE),
        ("ioctl", seccomp.IOCTL),
        ("socketpair", seccomp.SOCKETPAIR),
    ):
        assert known[name] == table[machine]


def test_a_machine_with_other_numbers_has_no_filter():
    assert seccomp.program("riscv64") == b""


CALLS = """
import ctypes, os
syscall = ctypes.CDLL(None, use_errno=True).syscall
def f(number, *args):
    values = [ctypes.c_long(value) for value in args]
    return syscall(ctypes.c_long(number), *values) == -1 and ctypes.get_errno()
def all_of(numbers):
    return ",".join(str(f(int(number), *[0] * 6)) for number in numbers.split(","))
def mode():
    lines = [line.split() for line in open("/proc/self/status")]
    return " ".join(line[1] for line in lines if line[0] in ("Seccomp:", "NoNewPrivs:"))
def descriptors():
    return len(os.listdir("/proc/self/fd"))
def stay():
    import asyncio, multiprocessing, subprocess, sys, tempfile, threading
    import numpy as np
    told = []
    async def tell(): told.append(1)
    asyncio.run(tell())
    thread = threading.Thread(target=told.append, args=(2,)); thread.start(); thread.join()
    receiver, sender = multiprocessing.Pipe(False)
    child = multiprocessing.get_context("fork").Process(target=sender.send, args=(3,))
    child.start(); told.append(receiver.recv()); child.join()
    with tempfile.TemporaryFile() as file:
        np.save(file, np.ones(3)); file.seek(0); told.append(int(np.load(file).sum()) + 1)
    run = subprocess.run([sys.executable, "-S", "-c", "print(5)"], capture_output=True, text=True)
    told.append(int(run.stdout))
    return ",".join(map(str, told))
"""


@pytest.fixture(scope="module")
def session(needs_sandbox, tmp_path_factory):
    """A sandbox whose `handgrad.layers` makes system calls by number."""
    if not seccomp.program():
        pytest.skip("no filter for this machine")
    folder = tmp_path_factory.mktemp("calls") / "handgrad"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "layers.py").write_text(CALLS)
    for path in [folder, *folder.parents]:
        if path.stat().st_uid == os.getuid() and path != path.parent:
            path.chmod(path.stat().st_mode | 0o755)
    with Session(folder.parent, limits=Limits(call=20.0), modules=["handgrad.layers"]) as opened:
        yield opened


def ask(session: Session, function: str, *args):
    with session.student(seed=1) as student:
        return student.call(f"handgrad.layers.{function}", *args)


def test_the_kernel_refuses_what_the_tables_name(session):
    refused = seccomp.refused(platform.machine())
    got = ask(session, "all_of", ",".join(map(str, refused)))
    assert dict(zip(refused, map(int, got.split(",")), strict=True)) == refused


def test_the_filter_is_loaded_and_its_descriptor_is_not_left(session):
    assert ask(session, "mode") == "1 2"  # no new privileges, a filter
    assert ask(session, "descriptors") == 6  # three of nowhere, the channel's two, and the folder itself


def test_arguments_decide_in_the_kernel_too(session):
    machine = platform.machine()
    assert ask(session, "f", seccomp.CLONE[machine], 0x10000000 | 17, 0, 0, 0, 0) == errno.EPERM
    assert ask(session, "f", seccomp.IOCTL[machine], 0, 0x5412, 0) == errno.ENOTTY
    assert ask(session, "f", seccomp.SOCKETPAIR[machine], 16, 2, 0, 0) == errno.EPERM
    assert ask(session, "f", NEWEST + 1, 0) == errno.ENOSYS


def test_what_computations_need_still_works(session):
    assert ask(session, "stay") == "1,2,3,4,5"


def test_the_errno_here_is_the_kernels():
    """The tables are made on this machine for others: both architectures number errors alike."""
    assert (errno.EPERM, errno.ENOSYS, errno.ENOTTY) == (1, 38, 25)
    assert ctypes.sizeof(ctypes.c_long) == 8


def test_a_machine_without_a_filter_says_so(session, monkeypatch):
    assert check_available() == ""
    monkeypatch.setattr(seccomp, "program", lambda machine="": b"")
    assert "may make every system call" in check_available()
    with Session(session.tree) as bare:
        assert ask(bare, "mode") == "1 0"
