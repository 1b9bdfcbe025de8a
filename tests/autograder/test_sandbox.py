"""The sandbox: what students may do works, what they may not do fails and disturbs nobody."""

import os
import re
import socket
import textwrap
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from autograder.sandbox import Handle, Limits, Session, StudentError

QUICK = Limits(call=5.0)


pytestmark = pytest.mark.usefixtures("needs_sandbox")


@pytest.fixture
def session(tmp_path):
    """Sessions around a `handgrad` package whose only module is `layers`, with the given source."""
    opened = []

    def open_session(source: str, *, limits: Limits = QUICK, **options) -> Session:
        folder = tmp_path / f"submission{len(opened)}" / "handgrad"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "layers.py").write_text(textwrap.dedent(source))
        for path in [tmp_path, *tmp_path.parents]:
            if path.stat().st_uid == os.getuid() and path != path.parent:
                path.chmod(path.stat().st_mode | 0o755)
        opened.append(Session(folder.parent, limits=limits, **options))
        return opened[-1]

    yield open_session
    for one in opened:
        one.close()


def outcome(session: Session, *args, function: str = "f"):
    with session.student(seed=1) as student:
        return student.call(f"handgrad.layers.{function}", *args)


def failure(session: Session, *args, function: str = "f") -> StudentError:
    with pytest.raises(StudentError) as caught:
        outcome(session, *args, function=function)
    return caught.value


def test_values_travel_unchanged(session, rng):
    echo = session("def f(*values): return values")
    values = (
        None, True, -3, 1.5, float("inf"), "Grüße", np.zeros((2, 0, 3)), np.arange(6, dtype=np.int32),
        np.asfortranarray(rng.standard_normal((3, 4))), rng.standard_normal((4, 6)).astype("f4")[:, ::2],
    )  # fmt: skip
    for sent, got in zip(values, outcome(echo, *values), strict=True):
        if isinstance(sent, np.ndarray):
            assert got.dtype == sent.dtype
            assert got.shape == sent.shape
            np.testing.assert_array_equal(got, sent)
        else:
            assert got == sent
            assert type(got) is type(sent)


def test_memory_order_reaches_the_student(session, rng):
    flags = session("def f(x): return x.flags.c_contiguous, x.flags.f_contiguous, x.flags.writeable")
    x = rng.standard_normal((4, 6))
    assert outcome(flags, x) == (True, False, True)
    assert outcome(flags, np.asfortranarray(x)) == (False, True, True)
    assert outcome(flags, x[:, ::2]) == (False, False, True)


def test_the_cache_stays_inside_and_comes_back_as_the_same_object(session):
    layer = session(
        """
        class Cache: pass
        kept = []
        def layer_forward(x):
            kept.append(x)
            return x, x
        def layer_backward(dout, cache): return dout, any(cache is one for one in kept)
        """
    )
    with layer.student(seed=1) as student:
        out, cache = student.layers.layer_forward(np.ones(3))
        assert isinstance(out, np.ndarray)
        assert isinstance(cache, Handle)
        assert student.layers.layer_backward(out, cache)[1] is True


def test_objects_work_through_handles(session):
    net = session(
        """
        class Net:
            def __init__(self, size): self.params, self.reg = {"W": size * [0.0]}, 0.0
            def loss(self, x): return self.reg + self.params["W"] * x, {"W": x}
        """
    )
    with net.student(seed=1) as student:
        model = student.layers.Net(2)
        model.reg = 1.0
        model.params["W"] = 4.0
        loss, grads = model.loss(2)
        assert loss == 9.0
        assert grads.value() == {"W": 2}
        assert model.params.value() == {"W": 4.0}
        with pytest.raises(StudentError, match="Net has no bias"):
            _ = model.bias


def test_each_check_starts_clean_and_seeded(session):
    counter = session(
        """
        import numpy as np
        calls = []
        def f():
            calls.append(1)
            np.sum = None
            return len(calls), np.random.rand()
        """
    )
    assert outcome(counter) == outcome(counter)
    assert outcome(counter)[0] == 1


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("def f(): raise ValueError('0x7f00aa11')", "exception", r"raised ValueError: 0x… \(handgrad"),
        ("def f(: pass", "exception", r"raised SyntaxError: .*handgrad/layers.py, line 1"),
        ("import nonsense_package", "exception", "No module named 'nonsense_package'"),
        ("def g(): pass", "missing", "there is no f in handgrad.layers"),
        ("def f(): raise NotImplementedError('f is not yet')", "not_attempted", "f is not yet"),
        ("def f():\n while True: pass", "timeout", "did not finish within 1 s"),
        ("import time\ndef f(): time.sleep(1000)", "timeout", "did not finish within 1 s"),
        ("def f():\n import os; os._exit(0)", "crash", "ended itself"),
        ("import os; os._exit(7)", "crash", "ended itself"),
        ("def f():\n import os; os.abort()", "crash", "ended by SIGABRT"),
        ("def f(): raise SystemExit(0)", "exception", "raised SystemExit"),
        ("def f(): return f()", "exception", "raised RecursionError"),
        ("def f():\n import numpy as np; return np.ones(1 << 34)", "memory", "raised"),
        ("def f():\n a = []\n while True: a.append(bytearray(1 << 24))", "memory", "raised MemoryError"),
        ("def f():\n import numpy as np; return np.zeros(1 << 24)", "invalid", "a frame of .* bytes; the"),
        ("def f(): return 'x' * 100_000", "invalid", "a string of more than"),
        ("def f(): return 1 << 100", "invalid", "an integer beyond 64 bits"),
    ],
)  # fmt: skip
def test_failures_are_sentences(session, source, kind, says):
    broken = session(source, limits=Limits(call=1.0 if kind == "timeout" else 20.0, memory=1 << 30))
    error = failure(broken)
    assert error.kind == kind
    assert re.search(says, error.message)


def test_the_session_survives_a_failure(session):
    mixed = session("import os\ndef f(): os._exit(1)\ndef g(): return 7")
    assert failure(mixed).kind == "crash"
    assert outcome(mixed, function="g") == 7


def test_objects_that_lie_stay_outside_the_verdict(session):
    liar = session(
        """
        class Equal:
            shape, dtype, ndim = (2, 3), "float64", 2
            def __eq__(self, other): return True
            def __array__(self, *args, **kwargs): raise RuntimeError
            def __getattr__(self, name): return self
            def __call__(self, *args): return self
        def f(): return Equal()
        """
    )
    with liar.student(seed=1) as student:
        thing = student.layers.f()
        assert isinstance(thing, Handle)
        assert thing != 1
        with pytest.raises(StudentError) as caught:
            thing.value()
        assert caught.value.kind == "invalid"


LOOK = """
import os
def f(path):
    try:
        if os.path.isdir(path): return "folder " + " ".join(sorted(os.listdir(path)))[:200]
        return "file " + open(path, "rb").read(100).decode("latin1")
    except OSError as error:
        return type(error).__name__
def environment(): return " ".join(sorted(os.environ))
def identity(): return os.getuid(), os.getgid()
def package():
    import handgrad
    return handgrad.__file__
def reference():
    from importlib.util import find_spec
    return [name for name in ("autograder", "nbgrader", "pydantic", "dask") if find_spec(name)]
"""


def test_nothing_of_the_grader_is_visible(session, tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_text("grades")
    secret.chmod(0o644)
    look = session(LOOK)
    import autograder

    for path in [
        secret,
        tmp_path,
        Path(autograder.__file__),
        Path.home(),
        Path("/etc/passwd"),
        Path("/home"),
    ]:
        assert outcome(look, str(path)) == "FileNotFoundError", path
    assert outcome(look, "/submission") == "folder handgrad"
    assert outcome(look, function="package") == "/submission/handgrad/__init__.py"
    with look.student(seed=1) as student:
        assert student.layers.reference().value() == []
    names = outcome(look, function="environment").split()
    assert set(names) <= {
        "HOME", "LANG", "LC_CTYPE", "LD_LIBRARY_PATH", "MKL_NUM_THREADS", "MPLBACKEND", "MPLCONFIGDIR",
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PWD", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED",
    }  # fmt: skip
    assert outcome(look, function="identity") == (1000, 1000)


@pytest.mark.parametrize(
    "path", ["/submission/x", "/x", "/usr/x", "/dev/x", "/runtime/site/x", "/runtime/runner/runner.py"]
)
def test_nothing_can_be_written_outside_the_scratch_folder(session, path):
    writer = session(
        """
        def f(path):
            try:
                open(path, "w").write("x")
            except OSError as error:
                return type(error).__name__
            return "written"
        """
    )
    assert outcome(writer, path) in ("OSError", "PermissionError")
    assert outcome(writer, "/tmp/x") == "written"


def test_scratch_space_files_and_descriptors_are_limited(session):
    filler = session(
        """
        import os
        def f():
            total = 0
            try:
                for number in range(100):
                    with open(f"/tmp/{number}", "wb") as file:
                        total += file.write(bytes(1 << 20))
            except OSError: pass
            return total >> 20
        def g():
            kept = []
            try:
                while len(kept) < 10_000: kept.append(os.open("/dev/null", os.O_RDONLY))
            except OSError: pass
            return len(kept)
        """
    )
    assert 32 <= outcome(filler) <= 64
    assert outcome(filler, function="g") < 128


def test_a_fork_bomb_stays_small_and_leaves_nothing(session):
    bomb = session(
        """
        import os, time
        def f():
            forks = 0
            for _ in range(1000):
                try:
                    if os.fork() == 0:
                        os.setsid()
                        time.sleep(1000)
                    forks += 1
                except OSError: break
            return forks
        def g(): return len([name for name in os.listdir("/proc") if name.isdigit()])
        """
    )
    assert outcome(bomb) < 8
    assert outcome(bomb, function="g") <= 4


def test_other_sandboxes_are_not_disturbed_by_a_fork_bomb(session):
    bomb = session(
        "import os, time\ndef f():\n try:\n  while os.fork(): pass\n except OSError: pass\n time.sleep(3)"
    )
    honest = session(
        "import threading\ndef f():\n t = threading.Thread(target=print); t.start(); t.join(); return 1"
    )
    thread = threading.Thread(target=failure_or_value, args=(bomb,))
    thread.start()
    time.sleep(1)
    assert outcome(honest) == 1
    thread.join()


def failure_or_value(session: Session):
    try:
        return outcome(session)
    except StudentError as error:
        return error


def test_there_is_no_network(session):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        caller = session(
            """
            import socket
            def f(port):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                except OSError as error:
                    return "refused"
                return "connected"
            """
        )
        assert outcome(caller, server.getsockname()[1]) == "refused"
        with pytest.raises(TimeoutError):
            server.accept()


def test_forged_frames_are_refused(session):
    forger = session(
        """
        import os
        def f():
            for descriptor in range(3, 64):
                try: os.write(descriptor, b"HGF1" + (20).to_bytes(8, "little") + bytes(20))
                except OSError: pass
            return 1
        def g(): return 2
        """
    )
    assert failure(forger).kind == "invalid"
    assert outcome(forger, function="g") == 2


@pytest.mark.parametrize(
    "reply",
    [
        "id=np.arange(3), result=1",
        "id=True, result=1",
        "id=number, error={}",
        "id=number, error=[1]",
        "id=number, error=Reference(1, 'x')",  # looking into it would ask again, and so on
        "id=number, error={'kind': Reference(1, 'x'), 'type': 'E', 'message': '', 'where': ''}",
        "id=number, notes={'changed': [np.zeros(3), Reference(1, 'x')], 'warning': 3}",
    ],
)
def test_forged_replies_are_refused(session, reply):
    forger = session(
        f"""
        import os, sys
        import numpy as np
        def f():
            frame = sys._getframe()
            while "channel" not in frame.f_locals: frame = frame.f_back
            runner, channel = sys.modules["__main__"], frame.f_locals["channel"]
            Reference, number = runner.Reference, frame.f_locals["request"]["id"]
            channel.send(runner.protocol.encode(dict({reply})))
            while (request := channel.receive(lambda *found: None)) is not None:
                number = request["id"]
                channel.send(runner.protocol.encode(dict({reply})))
            os._exit(0)
        def g(): return 2
        """
    )
    assert failure(forger).kind == "invalid"
    assert outcome(forger, function="g") == 2


def test_killing_the_runner_costs_only_the_check(session):
    killer = session("import os, signal\ndef f(): os.kill(os.getppid(), signal.SIGKILL)\ndef g(): return 2")
    failure_or_value(killer)
    assert outcome(killer, function="g") == 2


def test_output_goes_nowhere_and_stops_nothing(session, capfd):
    noisy = session(
        """
        import sys
        def f():
            for _ in range(1000):
                print("x" * 10_000)
                print("y", file=sys.stderr)
            return 3
        """
    )
    assert outcome(noisy) == 3
    assert capfd.readouterr() == ("", "")


def test_the_whole_submission_has_a_time_limit(session):
    slow = session("import time\ndef f(n): time.sleep(n); return n", limits=Limits(call=60.0, total=2.0))
    assert failure(slow, 600).kind == "timeout"
    assert failure(slow, 0).message == "the whole submission took longer than 2 s"


WRONG = """
def affine_forward(x, w, b): return None, None
def affine_backward(dout, cache): raise ValueError("secret")
"""


def substituted(session, module: str, source: str, given: str, other: str) -> Session:
    """A package whose one layer's module has this source, with the reference in the place of `given`."""
    found = session("", substitutes={f"handgrad.layers.{module}": {given}})
    reference = Path(find_spec("handgrad.layers").origin).parent
    layers = found.tree / "handgrad" / "layers"
    layers.with_suffix(".py").unlink()
    layers.mkdir()
    (layers / "__init__.py").write_text(f"from .{module} import {given}, {other}\n")
    (layers / "_validate.py").write_text((reference / "_validate.py").read_text())
    (layers / f"{module}.py").write_text(source)
    return found


@pytest.mark.parametrize("source", [WRONG, "import nothing_of_the_kind"])
def test_reference_functions_stand_in_for_named_ones(session, source):
    mended = substituted(session, "affine", source, "affine_forward", "affine_backward")
    x, w, b = np.ones((2, 3)), np.ones((3, 4)), np.zeros(4)
    with mended.student(seed=1) as student:
        out, cache = student.layers.affine_forward(x, w, b)
        np.testing.assert_array_equal(out, x @ w)
        if source == WRONG:  # what the student's exception says is withheld: it could quote the reference
            with pytest.raises(StudentError, match=r"^raised ValueError$"):
                student.layers.affine_backward(out, cache)


THIEF = """
import sys, types
def found():
    given = types.ModuleType("handgrad.layers.norm")
    given.__package__ = "handgrad.layers"
    for finder in sys.meta_path:
        for source in getattr(finder, "sources", {}).values(): exec(source, given.__dict__)
    return given
def batchnorm_forward(x, gamma, beta, bn_param): raise ValueError("wrong")
def spatial_groupnorm_forward(*args): return found().spatial_groupnorm_forward(*args)
"""
HIDES = 'if type(sys.meta_path[0]).__name__ == "Given": raise ImportError'


@pytest.mark.parametrize("source", [THIEF, f"import sys\n{HIDES}\n{THIEF}"])
def test_reference_functions_bring_no_others_with_them(session, source):
    mended = substituted(session, "norm", source, "batchnorm_forward", "spatial_groupnorm_forward")
    ones = np.ones(4)
    with mended.student(seed=1) as student:
        out, _ = student.layers.batchnorm_forward(np.ones((3, 4)), ones, ones, {"mode": "train"})
        np.testing.assert_array_equal(out, np.ones((3, 4)))
        with pytest.raises(StudentError) as caught:
            student.layers.spatial_groupnorm_forward(
                np.ones((2, 4, 3, 3)), np.ones((1, 4, 1, 1)), np.zeros((1, 4, 1, 1)), 2, {}
            )
    assert caught.value.kind == "not_attempted"


def test_without_isolation_the_same_calls_work(session):
    open_air = session("def f(x): return x + 1", isolation="none")
    assert outcome(open_air, 1) == 2


def test_the_modules_are_imported_once_for_all_checks(session):
    counting = session("count = []\ndef f(): count.append(1); return len(count)", modules=["handgrad.layers"])
    assert [outcome(counting), outcome(counting)] == [1, 1]  # what a check changes, the next does not see
    assert counting.import_errors == {}


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("import nothing_like_this", "exception", "raised ModuleNotFoundError: No module named"),
        ("def f(:", "exception", "raised SyntaxError"),
        ("while True: pass", "crash", "did not finish within"),
        ("import os; os._exit(3)", "crash", "ended without an answer"),
        ("raise SystemExit(0)", "exception", "raised SystemExit"),
    ],
)
def test_a_module_that_cannot_be_imported_is_reported_by_itself(session, source, kind, says):
    broken = session(source, modules=["handgrad.layers"])
    broken.open()
    assert broken.import_errors["handgrad.layers"].kind == kind
    assert says in broken.import_errors["handgrad.layers"].message
    assert failure(broken).kind in ("exception", "timeout", "crash")  # the sandbox goes on


def test_arguments_changed_in_place_are_noted(session):
    layer = session("def f(x, y): x += y; return x\ndef g(x, y): return x + y")
    with layer.student(seed=1) as student:
        student.layers.f(np.ones(3), np.ones(3))
        student.layers.g(np.ones(3), np.ones(3))
    assert layer.changed == {"f": {"x"}}


def test_where_numpy_warned_is_noted(session):
    layer = session("import numpy as np\ndef f(x):\n    return np.log(x)")
    with layer.student(seed=1) as student:
        student.layers.f(np.zeros(3))
    assert layer.warning == "divide by zero encountered in log in handgrad/layers.py, line 3"


def test_notes_of_a_liar_are_data_of_limited_size(session):
    liar = session(
        """
        import sys, warnings
        def f(x):
            runner = sys.modules["__main__"]
            runner.call = lambda subject, args, kwargs, root, notes: notes.update(
                changed=["x", "<script>", 3, None], warning="w" * 10_000)
            return x
        """
    )
    with liar.student(seed=1) as student:
        student.layers.f(np.ones(3))
        student.layers.f(np.ones(3))
    assert liar.changed == {"f": {"x"}}
    assert len(liar.warning) == 300
