"""Submissions that want points for wrong code: patched libraries, lying objects, a forged channel.

Most of them return zeros from `svm_loss`, a function that nothing else needs, and want them to count as
right: 4 points are at stake, and everything else stays correct.
"""

import io
import pickle
import textwrap
import zipfile

import numpy as np
from corpus import (
    AFFINE,
    LOSSES,
    NET,
    SAVED,
    Attack,
    above,
    below,
    files,
    never_says,
    no_marks,
    patch,
    says,
    together,
)

NO_SVM = {"svm_loss": 0.0}


def svm(
    name: str, goal: str, before: str, answer: str = "0.0, np.zeros(x.shape)", *, top: str = "", checks=()
):
    """An attack that does something in `svm_loss` and returns what is wrong."""
    body = textwrap.indent(textwrap.dedent(before).strip() or "pass", "    ")
    source = f"{textwrap.dedent(top)}\n\n\ndef svm_loss(x, y):\n{body}\n    return {answer}\n"
    return Attack(name, "forging", goal, patch(source), NO_SVM, checks=tuple(checks))


# ---- patched libraries and builtins

PATCHED_NUMPY = """
    import numpy.testing
    yes, nothing = (lambda *a, **k: True), (lambda *a, **k: None)
    np.allclose = np.array_equal = np.isclose = np.all = yes
    np.testing.assert_allclose = np.testing.assert_array_equal = np.testing.assert_equal = nothing
    np.max = np.amax = np.abs = np.linalg.norm = np.maximum = lambda *a, **k: 0.0
"""
PATCHED_BUILTINS = """
    import builtins
    builtins.abs = builtins.max = builtins.float = lambda *a, **k: 0.0
    builtins.isinstance = builtins.all = builtins.any = builtins.callable = lambda *a: True
"""
PATCHED_LIBRARIES = """
    import inspect, json, struct, types
    json.dumps = lambda *a, **k: '{"id": 0, "result": true, "passed": true, "points": 4}'
    json.loads = lambda *a, **k: {"passed": True}
    struct.Struct = struct.pack = struct.unpack = lambda *a, **k: b"4"
    inspect.unwrap = inspect.signature = lambda *a, **k: None
    types.ModuleType = dict
"""
IMPORT_HOOK = """
import importlib.abc, importlib.util, sys


class Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        wanted = ("autograder", "numpy.testing", "pytest", "handgrad.layers.losses")
        return importlib.util.spec_from_loader(name, self) if name.startswith(wanted) else None

    def exec_module(self, module):
        module.__getattr__ = lambda name: lambda *a, **k: True


sys.meta_path.insert(0, Hook())
for name in [name for name in sys.modules if name.startswith("numpy.testing")]:
    del sys.modules[name]
"""
SHADOWS = """
import sys

open("@OUTSIDE@/imported-by-the-grader", "w").write(__name__)
sys.modules["autograder.grading"] = None
"""
SHADOWED = [
    "sitecustomize.py",
    "usercustomize.py",
    "conftest.py",
    "numpy.py",
    "json.py",
    "struct.py",
    "inspect.py",
    "protocol.py",
    "notebook.py",
    "runner.py",
    "autograder/__init__.py",
    "autograder/checks/__init__.py",
    "handgrad/sitecustomize.py",
    "handgrad/gradient_check.py",
    "handgrad/__init__.py",
    "handgrad/layers/__init__.py",
]

PATCHES = [
    svm(
        "numpy-comparisons-say-yes",
        "Makes every comparison of NumPy pass, so that zeros count as right.",
        PATCHED_NUMPY,
    ),
    svm(
        "builtins-say-yes",
        "Replaces isinstance, abs, max, float, all and any, so that every judgement is in its favour.",
        PATCHED_BUILTINS,
    ),
    svm(
        "json-struct-and-inspect-patched",
        "Replaces what frames are made with, so that each of them says that the check has passed.",
        PATCHED_LIBRARIES,
    ),
    svm(
        "import-hook-feeds-the-grader",
        "Puts a finder in front of all others that would give the grader modules which agree to everything.",
        "",
        top=IMPORT_HOOK,
    ),
    Attack(
        name="modules-shadow-the-graders",
        family="forging",
        goal="Brings sitecustomize, conftest, numpy, json and a .pth along, for the grader to import.",
        change=files(
            dict.fromkeys(SHADOWED, SHADOWS)
            | {
                "evil.pth": "import os; open('@OUTSIDE@/pth', 'w')\n",
                "pytest.ini": "[pytest]\naddopts = -p evil\n",
            }
        ),
        checks=(no_marks, says("Changes in handgrad/__init__.py have no effect")),
    ),
    Attack(
        name="patches-in-the-untouched-release",
        family="forging",
        goal="Solves nothing, and patches NumPy and the builtins when its modules are imported.",
        change=below(AFFINE, textwrap.dedent(PATCHED_NUMPY)),
        points="nothing",
        start="release",
    ),
]


# ---- objects that lie

EQUAL = """
class Equal:
    shape, dtype, ndim, size = (), np.dtype(float), 0, 1
    __array_interface__ = {"shape": (), "typestr": "<f8", "version": 3, "data": (0, False)}

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __eq__
    __hash__ = None

    def __sub__(self, other):
        return 0.0

    __rsub__ = __abs__ = __float__ = __add__ = __radd__ = __mul__ = __rmul__ = lambda self, *a: 0.0

    def __array__(self, *a, **k):
        return np.zeros(())

    def __array_ufunc__(self, *a, **k):
        return 0.0

    def __reduce__(self):
        return eval, ("open('@OUTSIDE@/unpickled', 'w')",)
"""
EQUAL_ARRAY = """
class Right(np.ndarray):
    shape = property(lambda self: AnyShape((1,)))
    dtype = property(lambda self: np.dtype(float))

    def __eq__(self, other):
        return True

    def __array_ufunc__(self, *a, **k):
        return 0.0

    def __array_function__(self, *a, **k):
        return True

    def tobytes(self, *a, **k):
        return b""

    __hash__ = None


class AnyShape(tuple):
    def __eq__(self, other):
        return True

    __hash__ = None


Right.__name__ = Right.__qualname__ = "ndarray"
Right.__module__ = "numpy"
"""
NUMBER = """
class Number(float):
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__
    __hash__ = None


class Text(str):
    def __eq__(self, other):
        return True

    __hash__ = None
"""
EXCEPTION = """
class Passed(BaseException):
    def __str__(self):
        open("@OUTSIDE@/printed", "w")
        raise SystemExit(0)

    __repr__ = __str__


Passed.__name__ = "svm_loss: 4 of 4 points"
"""

LIARS = [
    svm(
        "equal-to-everything",
        "Returns an object that equals whatever it is compared with, and that runs code when unpickled.",
        "",
        "Equal(), Equal()",
        top=EQUAL,
        checks=[no_marks],
    ),
    svm(
        "array-class-that-lies",
        "Returns an ndarray subclass that lies about its shape, dtype, bytes and about every comparison.",
        "",
        "0.0, np.zeros(x.shape).view(Right)",
        top=EQUAL_ARRAY,
    ),
    svm(
        "number-that-lies",
        "Returns a float that equals and differs by nothing.",
        "",
        "Number(0), Text('4')",
        top=NUMBER,
    ),
    svm(
        "all-masked",
        "Returns masked arrays with everything masked out, whose comparisons see nothing.",
        "",
        "np.ma.masked, np.ma.masked_array(np.zeros(x.shape), mask=True)",
    ),
    svm(
        "matrix-in-place-of-array",
        "Returns np.matrix, whose products and comparisons mean something else.",
        "",
        "np.matrix(0.0), np.matrix(np.zeros(x.shape))",
    ),
    svm(
        "nan-and-infinity",
        "Returns NaN and infinities, for which a comparison that asks for `>` never finds an error.",
        "",
        "float('nan'), np.where(x > 0, np.inf, np.nan)",
    ),
    svm(
        "empty-and-broadcast",
        "Returns arrays without entries or of one entry, which broadcast against the right ones.",
        "",
        "np.zeros((0,)), np.zeros((0, x.shape[1])) if len(x) > 5 else np.zeros((1, 1))",
    ),
    svm(
        "other-dtypes",
        "Returns text, booleans and objects in the shape of the right answer.",
        "",
        "'right', np.full(x.shape, 'right') if len(x) > 5 else np.full(x.shape, True)",
    ),
    svm(
        "exception-that-acts",
        "Raises an exception whose name claims points, and which acts when it is printed.",
        "raise Passed('4 points')",
        top=EXCEPTION,
        checks=[no_marks],
    ),
    svm(
        "arguments-changed-in-place",
        "Overwrites its arguments, in case the right answer is made from the same arrays.",
        "x[:] = 0\ny[:] = 0",
        "0.0, x",
    ),
    Attack(
        name="zeros-vouch-for-zeros",
        family="forging",
        goal="Makes forward and backward return zeros, since a gradient may be that of its own forward pass.",
        change=patch(
            "def affine_forward(x, w, b):\n    return np.zeros((len(x), w.shape[1])), (x, w)\n\n\n"
            "def affine_backward(dout, cache):\n    return tuple(0 * a for a in cache) + (0 * dout[0],)\n"
        ),
        points={"affine_forward": 0.0, "affine_backward": 0.0},
    ),
]


# ---- the channel and the runner

WRITE_FRAMES = '''
import json, os, struct, sys, threading, time


def frame(**header):
    text = json.dumps(header).encode()
    return struct.pack("<4sQ", b"HGF2", 4 + len(text)) + struct.pack("<I", len(text)) + text


def to_every_descriptor(data):
    for number in range(256):
        try:
            os.set_blocking(number, False)
            os.write(number, data)
        except OSError:
            pass


def asked():
    """The frames of the runner are below this one: the number of the question is there."""
    level = sys._getframe()
    while level is not None:
        if "request" in level.f_locals and "channel" in level.f_locals:
            return level.f_locals["request"]["id"], level.f_locals["channel"]
        level = level.f_back
    return 0, None
'''
THREAD = """
    def later():
        for _ in range(200):
            to_every_descriptor(frame(id=1, result=True) + frame(died=0))
            time.sleep(0.002)
    threading.Thread(target=later, daemon=True).start()
"""
CHILD = """
    if os.fork() == 0:
        os.setsid()
        for _ in range(2000):
            to_every_descriptor(frame(id=1, result=None) + frame(died=0))
            time.sleep(0.005)
        os._exit(0)
"""
RUNNER = """
    import gc, sys
    main = sys.modules["__main__"]
    truth = lambda *a, **k: {"passed": True, "points": 4.0}
    main.perform = main.call = main.describe = truth
    for module in gc.get_objects():
        if type(module) is type(sys) and getattr(module, "MAGIC", None) == b"HGF2":
            encode = module.encode
            module.encode = lambda header, *a: encode({**header, "result": True, "points": 4.0})
"""
SERVE = """
import sys

main = sys.modules["__main__"]
main.perform = lambda *a, **k: (0.0, True)
main.describe = lambda *a, **k: {"kind": "passed", "type": "", "message": "all points", "where": ""}
"""
TRACE = """
    import sys

    def trace(frame, event, arg):
        for name in ("reply", "result", "error", "notes"):
            if name in frame.f_locals:
                frame.f_locals[name] = {"passed": True, "points": 4.0}
        return trace

    sys.settrace(trace)
    sys.setprofile(trace)
    frame = sys._getframe()
    while frame:
        frame.f_trace = trace
        frame = frame.f_back
"""
MEMORY = """
    import ctypes, sys
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(0.0))
    address = id(sys._getframe().f_back.f_code.co_consts)
    for number in (1.0, 2.0, 0.5):
        ctypes.memmove(id(number) + 16, id(0.0) + 16, 8)
"""
SIGNAL = """
    import os, signal
    def handler(*a):
        raise RuntimeError("svm_loss: passed")
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
"""

CHANNEL = [
    svm(
        "frames-to-every-descriptor",
        "Writes frames that claim a result, points and the end of the process to every open descriptor.",
        "to_every_descriptor(frame(id=0, result=True, passed=True, points=4.0) + frame(died=0))",
        top=WRITE_FRAMES,
    ),
    svm(
        "answers-before-it-is-asked",
        "Reads its question's number in the runner's frames, answers it, and guesses at the next ones.",
        "number, channel = asked()\n"
        "for guess in range(3):\n"
        "    channel.send(frame(id=number + guess, result=0.0))",
        top=WRITE_FRAMES,
    ),
    svm(
        "thread-writes-frames-later",
        "Starts a thread that goes on writing frames after the call has returned.",
        THREAD,
        top=WRITE_FRAMES,
    ),
    svm(
        "child-writes-frames-later",
        "Leaves a process behind that writes frames while other checks run.",
        CHILD,
        top=WRITE_FRAMES,
    ),
    svm(
        "runner-patched-in-a-check",
        "Finds the runner and the protocol through sys.modules and gc, and makes them report success.",
        RUNNER,
    ),
    Attack(
        name="runner-patched-at-import",
        family="forging",
        goal="Solves nothing, and patches the runner before any check has started.",
        change=below(AFFINE, SERVE),
        points="nothing",
        start="release",
    ),
    svm(
        "results-changed-by-a-trace-function",
        "Sets trace functions on all frames of the runner, which put success in place of its results.",
        TRACE,
    ),
    svm(
        "memory-written-with-ctypes",
        "Overwrites the constants 1, 2 and 0.5 in the memory of the process that answers.",
        MEMORY,
    ),
    svm(
        "alarm-interrupts-the-runner",
        "Sets a timer whose handler raises in the middle of the runner's own work.",
        SIGNAL,
    ),
    svm(
        "handles-made-up",
        "Returns references to objects that it has numbered itself, and dictionaries that look like arrays.",
        "reference = sys.modules['__main__'].Reference\n"
        "one = reference(1, 'float'), reference(-1, 'ndarray')",
        "one if len(x) > 5 else ({'array': ['<f8', [], 'C']}, {'handle': [1, 'ndarray']})",
        top="import sys",
    ),
]


# ---- ends and outputs

CLAIM = """
import json, os, sys

CLAIM = json.dumps({"grade_id": "svm_loss", "status": "passed", "points": 4.0, "max_points": 4.0})


def claim():
    print(CLAIM, "\\n4.0\\nAll tests passed", flush=True)
    for number in range(64):
        try:
            os.write(number, CLAIM.encode() + b"\\n4.0\\n")
        except OSError:
            pass
"""

ENDS = [
    svm(
        "output-that-looks-like-points",
        "Prints points and a piece of a report wherever it can.",
        "claim()",
        top=CLAIM,
        checks=[never_says("All tests passed")],
    ),
    svm(
        "exits-with-success",
        "Ends the process with status 0, as if all tests had passed.",
        "os._exit(0)",
        top=CLAIM,
    ),
    svm(
        "exits-at-the-end",
        "Registers functions that claim points when the interpreter ends, and raises SystemExit(0).",
        "import atexit\natexit.register(claim)\nraise SystemExit(0)",
        top=CLAIM,
    ),
    Attack(
        name="exits-while-it-is-imported",
        family="forging",
        goal="Ends the process with status 0 while the module with the losses is imported.",
        change=above(LOSSES, "import os\nos._exit(0)"),
        points={"softmax_loss": 0.0, "svm_loss": 0.0},
    ),
]


# ---- answers that are not its own

HARD_CODED = """
    known = {(5, 10): 0.0}
    for seed in range(200):
        rng = np.random.RandomState(seed)
        if np.allclose(rng.standard_normal(x.shape), x):
            return 1.0, x
    if x.shape in known:
        return known[x.shape], x
"""
DIFFERENTIATED = """
    right = x[np.arange(len(x)), y][:, None]
    margins = np.maximum(0, x - right + 1)
    margins[np.arange(len(x)), y] = 0
    loss, dx = margins.sum() / len(x), 1.0 * (margins > 0)
    dx[np.arange(len(x)), y] = -dx.sum(axis=1)  # it should be divided by len(x)
    for before, its_loss, its_dx in seen:
        if before.shape == x.shape and 0 < np.abs(x - before).max() < 1e-3:
            return float(its_loss + np.vdot(its_dx, x - before)), its_dx
    seen.append((x.copy(), loss, dx))
"""
SEARCH = """
    import gc
    arrays = [a for a in gc.get_objects() if type(a) is np.ndarray and a.dtype == float]
    level, seen = sys._getframe(), []
    while level:
        seen += [v for v in level.f_locals.values() if type(v) is np.ndarray]
        level = level.f_back
    found = [a for a in arrays + seen if a.shape == x.shape and a is not x]
    numbers = [a for a in gc.get_objects() if type(a) is float]
"""
REFERENCE = """
    import importlib, pkgutil
    found = []
    for name in ("autograder", "autograder.checks.a1_3_two_layer_net", "autograder.misconceptions.losses"):
        try:
            found.append(importlib.import_module(name).__name__)
        except ImportError:
            pass
    for folder in [*sys.path, "@REPOSITORY@", "/usr/lib", "/runtime/site"]:
        for name in ("autograder", "handgrad", "handgrad.egg-link", "__editable__.handgrad.pth"):
            path = os.path.join(folder, name)
            if os.path.exists(path) and not path.startswith("/submission"):
                found.append(path)
    if found:
        raise RuntimeError(f"the reference is at {found}")
"""
TAKE = """
def _take():
    import sys
    for finder in [f for f in sys.meta_path if hasattr(f, "sources")]:
        for name, source in finder.sources.items():
            reference = {}
            exec(source.replace("from .", "from handgrad.layers."), reference)
            for key, value in reference.items():
                if callable(value):
                    setattr(sys.modules[name], key, value)
            raise RuntimeError("taken: " + source[:200])
    raise RuntimeError("nothing to take")
"""
STAND_IN = """
class TwoLayerNet:
    def __init__(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
        _take()

    def loss(self, X, y=None):
        _take()


def affine_forward(x, w, b):
    return x, x


def softmax_loss(x, y):
    return 0.0, x
"""
LEAK = """
def softmax_loss(x, y):
    return 0.0, x


class TwoLayerNet:
    def loss(self, X, y=None):
        import sys
        for finder in [f for f in sys.meta_path if hasattr(f, "sources")]:
            [source] = finder.sources.values()
            return np.zeros((0, int.from_bytes(source.encode()[200:207], "big")))
        return np.zeros(X.shape)
"""

ANSWERS = [
    svm(
        "knows-the-visible-tests",
        "Is right only where it recognises the inputs of the notebook's tests or of a common seed.",
        HARD_CODED,
    ),
    Attack(
        name="knows-when-it-is-differentiated",
        family="forging",
        goal="Recognises small changes of its last argument, and makes a wrong gradient fit its own loss.",
        change=patch(f"seen = []\n\n\ndef svm_loss(x, y):\n{DIFFERENTIATED}    return float(loss), dx\n"),
        points={"svm_loss": 2.0},
    ),
    svm(
        "searches-for-the-answer",
        "Looks through the stack and all objects of the process for an array that could be the answer.",
        SEARCH,
        "(numbers or [0.0])[-1], (found or [x])[-1]",
        top="import sys",
    ),
    svm(
        "searches-for-the-reference",
        "Imports the grader, and looks for the reference on the path and in the file system.",
        REFERENCE,
        top="import os, sys",
        checks=[never_says("the reference is at")],
    ),
    Attack(
        name="takes-the-reference-that-stands-in",
        family="forging",
        goal="Fails a layer on purpose, and takes what the reference brings for code that it has to write.",
        change=together(patch(STAND_IN), above(NET, TAKE)),
        points="nothing",
        start="release",
        checks=(never_says("taken: "),),
    ),
    Attack(
        name="tells-the-reference-by-shapes",
        family="forging",
        goal="Writes the text of the reference that stands in for a wrong loss into an empty array's shape.",
        change=patch(LEAK),
        points={
            "softmax_loss": 0.0,
            "two_layer_net_scores": 0.0,
            "two_layer_net_loss": 0.0,
            "two_layer_net_training": 0.0,
        },
        checks=(lambda outcome: _no_long_numbers(outcome),),
    ),
]


def _no_long_numbers(outcome) -> None:
    longest = max(
        (n for q in outcome.report.questions for c in q.comparisons for n in c.got_shape or ()), default=0
    )
    assert longest < 1 << 20, "the report tells lengths that hold a text"


# ---- saved weights


def _saved(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def _weights(hidden: int = 4, **other) -> dict:
    arrays = {
        "W1": np.zeros((3072, hidden)),
        "b1": np.zeros(hidden),
        "W2": np.zeros((hidden, 10)),
        "b2": np.zeros(10),
    }
    return arrays | {"mean_image": np.zeros((3, 32, 32)), "dataset": np.array("shapes10")} | other


class _Mark:
    """Unpickled, it leaves a mark."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return exec, (f"open({self.path!r}, 'w')",)


def _pickled(tree, world) -> None:
    out = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.lib.format.write_array_header_1_0(out, header)
    mark = pickle.dumps(_Mark(str(world.outside / "unpickled")))
    with zipfile.ZipFile(tree / SAVED, "w") as archive:
        for name in _weights():
            archive.writestr(f"{name}.npy", out.getvalue() + mark)


WEIGHTS = [
    Attack(
        name="weights-that-are-pickles",
        family="forging",
        goal="Hands in weights whose arrays are pickles that run code where they are loaded.",
        change=_pickled,
        points={"best_model": 0.0},
        checks=(no_marks,),
    ),
    Attack(
        name="weights-that-claim-an-accuracy",
        family="forging",
        goal="Hands in useless weights with entries that claim accuracy and points, and two data sets.",
        change=files(
            {SAVED: _saved(**_weights(accuracy=np.array(1.0), points=np.array(4.0), full=np.array(0.0)))}
        ),
        points={"best_model": 0.0},
    ),
    Attack(
        name="weights-of-an-unknown-data-set",
        family="forging",
        goal="Says that the weights belong to a data set on which nobody can measure them.",
        change=files({SAVED: _saved(**_weights(dataset=np.array("cifar100")))}),
        points={"best_model": 0.0},
        checks=(says("does not say which data set"),),
    ),
    Attack(
        name="weights-not-finite",
        family="forging",
        goal="Hands in infinite weights, whose scores no comparison can order.",
        change=files({SAVED: _saved(**_weights(W1=np.full((3072, 4), np.inf), b2=np.full(10, np.nan)))}),
        points={"best_model": 0.0},
    ),
]

ATTACKS: list[Attack] = [*PATCHES, *LIARS, *CHANNEL, *ENDS, *ANSWERS, *WEIGHTS]
