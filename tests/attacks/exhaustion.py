"""Submissions that want to use up what others need: time, memory, processes, disk, descriptors, output."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from corpus import (
    AFFINE,
    LOSSES,
    NET,
    NOTEBOOK,
    Attack,
    Outcome,
    World,
    below,
    never_says,
    patch,
    says,
)

from autograder.sandbox import Limits
from autograder.staging import MAX_MODULE_BYTES

# They shorten the wait and no more: with the usual ones a call may take ten seconds. An honest one here takes
# milliseconds, and what a busy machine makes it wait for a core does not count.
HASTY = Limits(call=2.0, memory=1 << 30)
NO_NETWORK = {f"two_layer_net_{part}": 0.0 for part in ("init", "scores", "loss", "training")}
LOST = {"svm_loss": 0.0}  # which nothing else uses: one check is enough to wait for


def relu(body: str):
    """A ReLU that does this before it answers rightly."""
    return patch(f"def relu_forward(x):\n{_indented(body)}\n    return np.maximum(x, 0), x\n")


def loss(body: str):
    """A loss that does this and does not come to an answer."""
    return patch(f"def svm_loss(x, y):\n{_indented(body)}\n")


def _indented(body: str) -> str:
    return "\n".join(f"    {line}" for line in body.strip().splitlines())


def nothing_is_left(outcome: Outcome) -> None:
    """What it wrote to /tmp and /dev/shm has never been in the host's."""
    for folder in {Path("/dev/shm"), Path("/tmp"), Path(tempfile.gettempdir())}:
        assert not list(folder.glob(f"{outcome.student}-*"))


def in_notebook(edit: Callable[[list], None]) -> Callable[[Path, World], None]:
    """Edit the notebook's cells, and write it without indentation; nbformat would take a minute."""

    def change(tree: Path, world: World) -> None:
        path = tree / f"{NOTEBOOK}.ipynb"
        content = json.loads(path.read_text(encoding="utf-8"))
        edit(content["cells"])
        path.write_text(json.dumps(content), encoding="utf-8")

    return change


def many_cells(cells: list) -> None:
    more = {"cell_type": "code", "metadata": {}, "source": "x", "outputs": [], "execution_count": None}
    cells += [dict(more, id=f"more-{number}") for number in range(100_000)]


def outputs(count: int, **output) -> Callable[[list], None]:
    """The first code cell gets so many outputs."""

    def edit(cells: list) -> None:
        next(cell for cell in cells if cell["cell_type"] == "code")["outputs"] = [output] * count

    return edit


def prints_in_notebook(megabytes: int) -> Callable[[Path, World], None]:
    """A change that leaves so much of one word as an output."""
    text = "spam spam " * (100_000 * megabytes)
    return in_notebook(outputs(1, output_type="stream", name="stdout", text=text))


def filled(module: str, size: int) -> Callable[[Path, World], None]:
    """A right module that has this size in bytes, by empty lines at its end."""

    def change(tree: Path, world: World) -> None:
        path = tree / module
        path.write_bytes(path.read_bytes().ljust(size, b"\n"))

    return change


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
return 1.0, np.zeros(x.shape).view(Liar)
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
ENDLESS = """
class Endless:
    def __init__(self, *args): pass
    def __getattr__(self, name): return Endless()
    def __getitem__(self, key): return Endless()
    def __call__(self, *args, **kwargs): return Endless()
    def __iter__(self): return self
    def __next__(self): return Endless()
    def __len__(self): return 10
svm_loss = Endless()
"""
ENDLESS_NETWORK = """
class Endless:
    def __getattr__(self, name): return Endless()
    def __getitem__(self, key): return Endless()
    def __setitem__(self, key, value): pass
    def __call__(self, *args, **kwargs): return Endless()
    def __contains__(self, key): return True
    def __iter__(self): return self
    def __next__(self): return Endless()
    def __len__(self): return 10
    def keys(self): return Endless()
TwoLayerNet.__init__ = lambda self, *args, **kwargs: None
TwoLayerNet.__getattr__ = lambda self, name: Endless()
TwoLayerNet.__getitem__ = lambda self, key: Endless()
TwoLayerNet.loss = Endless()
"""
REPRESENTATIONS = """
class Endless:
    def __repr__(self): return repr(self)
    def __str__(self): return str(self)
class Long:
    def __repr__(self): return "spam " * 60_000_000
    __str__ = __repr__
return Endless(), Long()
"""
NAMES = """
class EndlessName(type):
    @property
    def __name__(cls): return cls.__name__
class Endless(metaclass=EndlessName): pass
return type("spam" * 75_000_000, (), {})(), Endless()
"""
RAISES_ENDLESS = """
class Endless(Exception):
    def __str__(self): return str(self)
    __repr__ = __str__
raise type("spam" * 75_000_000, (Endless,), {})
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
    """An attack that stands in a loss, or in a ReLU where it loses something else or nothing."""
    change = loss(body) if points == LOST else relu(body)
    return Attack(name, "exhaustion", goal, change, points, checks=tuple(checks), limits=limits)


NOTEBOOK_REPLACED = f"{NOTEBOOK}.ipynb was not taken. The released one is in its place."
TIMED_OUT = says("did not finish within")

ATTACKS: list[Attack] = [
    hog(
        "loops-for-ever",
        "Computes without end, so that the class waits.",
        "while True: pass",
        {"relu_forward": 0.0, "relu_backward": 0.0},  # itself and its cache, and none of its neighbours
        checks=[TIMED_OUT],
    ),
    hog(
        "sleeps-for-ever",
        "Sleeps without end, which costs no CPU time that a limit could count.",
        "import time\nwhile True: time.sleep(1e6)",
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
        "import sys; sys.setrecursionlimit(1 << 30); return svm_loss(x, y)",
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
    Attack(
        "endless-results",
        "exhaustion",
        "Puts an object in a loss's place whose attributes, items and results are such objects again.",
        below(LOSSES, ENDLESS),
        LOST,
    ),
    Attack(
        "endless-network",
        "exhaustion",
        "Makes a network whose attributes, parameters and results lead from one to the next without end.",
        below(NET, ENDLESS_NETWORK),
        NO_NETWORK,
    ),
    hog(
        "represents-itself-without-end",
        "Returns objects whose repr calls itself, or is 300 MB long.",
        REPRESENTATIONS,
        limits=None,
        checks=[never_says("spam spam")],
    ),
    hog(
        "names-of-300-mb",
        "Returns objects whose types have a name of 300 MB, or one that never ends.",
        NAMES,
        limits=None,
        checks=[never_says("spam" * 100)],
    ),
    hog(
        "raises-what-cannot-be-told",
        "Raises an exception of a type with a name of 300 MB, whose message calls itself.",
        RAISES_ENDLESS,
        limits=None,
        checks=[never_says("spam" * 100)],
    ),
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
        "module-of-a-million-lines",
        "exhaustion",
        "Hands in a right module of a million lines, as large as one may be.",
        filled(AFFINE, MAX_MODULE_BYTES),
    ),
    Attack(
        "module-of-too-many-lines",
        "exhaustion",
        "Hands in a right module that is a byte larger than one may be.",
        filled(AFFINE, MAX_MODULE_BYTES + 1),
        {"affine_forward": 0.0, "affine_backward": 0.0, "best_model": 0.0},
        checks=(says(f"{AFFINE} was not taken. The released one is in its place.", "is larger than 1 MiB"),),
    ),
    Attack(
        "notebook-of-100000-cells",
        "exhaustion",
        "Hands in a notebook of 100,000 cells.",
        in_notebook(many_cells),  # the modules, in which the points are, are as good as ever
        checks=(says("has more than 5,000 cells", NOTEBOOK_REPLACED),),
    ),
    Attack(
        "notebook-with-39-mb-of-output",
        "exhaustion",
        "Leaves an output of 39 MB in the notebook, just below the limit.",
        prints_in_notebook(39),
        checks=(never_says("spam", NOTEBOOK_REPLACED),),
    ),
    Attack(
        "notebook-with-41-mb-of-output",
        "exhaustion",
        "Leaves an output in the notebook that is larger than a notebook may be.",
        prints_in_notebook(42),
        checks=(never_says("spam"), says("is larger than 40 MiB", NOTEBOOK_REPLACED)),
    ),
    Attack(
        "notebook-with-a-million-outputs",
        "exhaustion",
        "Leaves a million outputs below one cell, each of which costs memory.",
        in_notebook(outputs(1_000_000, a="")),
        checks=(says("holds too many values", NOTEBOOK_REPLACED),),
    ),
    Attack(
        "notebook-with-700000-empty-outputs",
        "exhaustion",
        "Leaves as many outputs below one cell as JSON may hold values, none of which is one.",
        in_notebook(outputs(700_000)),
        checks=(never_says(NOTEBOOK_REPLACED), says("missing or wrong outputs")),
    ),
]
