"""Submissions that want to use up what others need: time, memory, processes, disk, descriptors, output."""

import json
import tempfile
from pathlib import Path

from corpus import AFFINE, NOTEBOOK, Attack, Outcome, below, never_says, patch, says

from autograder.sandbox import Limits

# They shorten the wait and no more: with the usual ones a call may take ten seconds.
HASTY = Limits(call=3.0, memory=1 << 30)
LOST = {"relu_forward": 0.0, "relu_backward": 0.0}  # itself and its cache, and none of its neighbours


def relu(body: str):
    """A ReLU that does this before it answers rightly."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return patch(f"def relu_forward(x):\n{lines}\n    return np.maximum(x, 0), x\n")


def nothing_is_left(outcome: Outcome) -> None:
    """What it wrote to /tmp and /dev/shm has never been in the host's."""
    for folder in {Path("/dev/shm"), Path("/tmp"), Path(tempfile.gettempdir())}:
        assert not list(folder.glob(f"{outcome.student}-*"))


def many_cells(tree, world) -> None:
    path = tree / f"{NOTEBOOK}.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    more = {"cell_type": "code", "metadata": {}, "source": "x", "outputs": [], "execution_count": None}
    content["cells"] += [dict(more, id=f"more-{number}") for number in range(100_000)]
    path.write_text(json.dumps(content), encoding="utf-8")


SURVIVOR = """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True:
            raise SystemExit
    except BaseException:
        continue
"""
MAPS = """
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, 1 << 26))
    kept[-1].write(bytes(1 << 26))
"""
FORKS = """
import os, time
for _ in range(30):
    try:
        if os.fork() == 0:
            os.setsid()
            kept = bytearray(1 << 28)
            time.sleep(1e6)
    except OSError:
        pass
"""
THREADS = """
import threading, time
while True:
    try:
        threading.Thread(target=time.sleep, args=(1e6,)).start()
    except RuntimeError:
        pass
"""
DISK = """
import os
for folder in ("/tmp", "/dev/shm"):
    if os.path.exists(f"{folder}/fills-the-disk-1"):
        continue
    number = 0
    try:
        while True:
            number += 1
            with open(f"{folder}/fills-the-disk-{number}", "wb") as file:
                file.write(bytes(8 << 20))
    except OSError:
        pass
"""
INODES = """
import os
for number in range(20_000):
    if os.path.exists("/tmp/uses-up-inodes-19999"):
        break
    os.close(os.open(f"/tmp/uses-up-inodes-{number}", os.O_CREAT))
"""
DESCRIPTORS = """
import os, socket
kept = []
while len(kept) < 1_000_000:
    try:
        kept += [*os.pipe(), *socket.socketpair()]
    except OSError:
        break
"""
OUTPUT = """
import os, sys
sys.stdout = sys.__stdout__
while True:
    print("spam " * 10_000)
    print("spam " * 10_000, file=sys.__stderr__)
    os.write(1, b"spam " * 10_000)
    os.write(2, b"spam " * 10_000)
"""
MESSAGE = """
class Long(Exception):
    def __str__(self): return "spam " * (1 << 26)
raise Long
"""
CYCLE = """
cycle = {}
cycle["self"] = [cycle, cycle]
nested = []
for _ in range(100_000):
    nested = [nested]
return cycle, nested
"""
LIAR = """
class Liar(np.ndarray):
    shape = (1 << 20, 1 << 20)
    size = nbytes = 1 << 43
    def tobytes(self, order="C"): return b""
return np.zeros(x.shape).view(Liar), x
"""
GENERATOR = """
def endless():
    while True:
        yield x
class Endless:
    def __iter__(self): return endless()
    def __len__(self): return 1 << 62
    def __getattr__(self, name):
        while True: pass
return endless(), Endless()
"""
WARNINGS = """
import warnings
while True:
    warnings.warn(str(x) + "spam " * 100_000, RuntimeWarning)
"""
SLOW = """
import time as _time


def _slow(function):
    def slow(*args, **kwargs):
        _time.sleep(2.5)
        return function(*args, **kwargs)
    return slow


affine_forward, affine_backward = _slow(affine_forward), _slow(affine_backward)
"""


def hog(name: str, goal: str, body: str, points=LOST, limits: Limits | None = HASTY, checks=()) -> Attack:
    """An attack that stands in a ReLU."""
    return Attack(name, "exhaustion", goal, relu(body), points, checks=tuple(checks), limits=limits)


TIMED_OUT = says("did not finish within")

ATTACKS: list[Attack] = [
    hog(
        "loops-for-ever",
        "Computes without end, so that the class waits.",
        "while True: pass",
        checks=[TIMED_OUT],
    ),
    hog(
        "survives-signals",
        "Loops, ignores signals and catches every exception.",
        SURVIVOR,
        checks=[TIMED_OUT],
    ),
    hog(
        "hoards-objects",
        "Fills the memory with objects.",
        "kept = []\nwhile True: kept.append(bytearray(1 << 24))",
    ),
    hog(
        "maps-memory",
        "Fills the memory by mmap, which no allocator counts.",
        MAPS,
    ),
    hog("forks-and-stays", "Starts processes that leave the session and hold memory.", FORKS, "all", None),
    hog("starts-threads", "Starts threads without end.", THREADS),
    hog("fills-the-disk", "Fills /tmp and /dev/shm.", DISK, "all", None, [nothing_is_left]),
    hog("uses-up-inodes", "Makes 20,000 empty files.", INODES, "all", None, [nothing_is_left]),
    hog(
        "opens-descriptors", "Opens pipes and sockets without end, and keeps them.", DESCRIPTORS, "all", None
    ),
    hog(
        "prints-without-end",
        "Prints to stdout and stderr without end.",
        OUTPUT,
        checks=[never_says("spam spam")],
    ),
    hog(
        "recurses-through-the-stack",
        "Recurses with Python's own limit lifted.",
        "import sys; sys.setrecursionlimit(1 << 30); return relu_forward(x)",
        limits=None,
    ),
    hog(
        "raises-a-long-story",
        "Raises an exception with a message of 300 MB.",
        MESSAGE,
        limits=None,
        checks=[never_says("spam " * 300)],
    ),
    hog("returns-a-cycle", "Returns what contains itself, and 100,000 lists in lists.", CYCLE, limits=None),
    hog(
        "promises-terabytes", "Returns an array whose header promises more than it brings.", LIAR, limits=None
    ),
    hog("yields-without-end", "Returns generators and attributes that never end.", GENERATOR),
    hog("warns-without-end", "Warns without end, each time with a long text.", WARNINGS),
    Attack(
        "stays-just-below-the-limit",
        "exhaustion",
        "Answers late, but never too late, so that only the sum counts.",
        below(AFFINE, SLOW),
        "nothing",
        limits=Limits(call=4.0, total=6.0),
        checks=(says("whole submission"),),
    ),
    Attack(
        "imports-for-ever",
        "exhaustion",
        "Hangs when its module is imported.",
        below(AFFINE, "while True: pass"),
        {"affine_forward": 0.0, "affine_backward": 0.0},
        limits=HASTY,
    ),
    Attack(
        "upsets-the-compiler",
        "exhaustion",
        "Hands in an expression of 900,000 signs.",
        below(AFFINE, "x = " + "-" * 900_000 + "1"),
        {"affine_forward": 0.0, "affine_backward": 0.0},
    ),
    Attack(
        "notebook-of-100000-cells",
        "exhaustion",
        "Hands in a notebook of 100,000 cells.",
        many_cells,
    ),
]
