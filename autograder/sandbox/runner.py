"""The sandbox's own side of the channel: the only process that imports student code.

Started once per sandbox, it imports NumPy, then the submission's modules, and waits. For each check it forks:
the child answers calls until the check ends, and is gone with whatever it had changed. Nothing here decides
anything; student code may tamper with all of it and gain nothing.
"""

import gc
import importlib
import importlib.abc
import importlib.util
import inspect
import json
import os
import random
import re
import signal
import sys
import types
import warnings

settings = json.loads(sys.argv[1])
sys.path.extend(settings["site"])

import notebook  # noqa: E402
import numpy as np  # noqa: E402
import numpy.random  # noqa: E402  (NumPy would import it in each process that seeds it)
import protocol  # noqa: E402
import stand_ins  # noqa: E402, F401  (mended modules take it from sys.modules)
from notebook import Missing  # noqa: E402
from protocol import Reference  # noqa: E402

MAX_REQUEST = 1 << 30
MAX_FRAMES = 20
MAX_WATCHED = 1 << 20  # bytes of arguments that are compared with themselves after a call


class Channel:
    def __init__(self, source: int, sink: int):
        self.source, self.sink = source, sink

    def receive(self, find=Reference) -> dict | None:
        """The next request, where `find` makes objects of handles; None when the other side has hung up."""
        prefix = self._read(protocol.PREFIX.size)
        if prefix is None:
            return None
        body = self._read(protocol.body_length(prefix, MAX_REQUEST))
        return None if body is None else protocol.decode(body, find)

    def _read(self, size: int) -> bytes | None:
        parts = []
        while size:
            part = os.read(self.source, min(size, 1 << 20))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def send(self, frame: bytes) -> None:
        view = memoryview(frame)
        while view:
            view = view[os.write(self.sink, view) :]


class Given(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a student's module with some of its functions replaced by given ones.

    When the student's module cannot be imported at all, everything given by that name stands in for it.
    """

    def __init__(self, root: str, sources: dict[str, str], names: dict[str, list[str]]):
        self.root, self.sources, self.names = root, sources, names

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name in self.sources else None

    def exec_module(self, module):
        name = module.__name__
        given = types.ModuleType(name)
        given.__package__ = module.__package__
        exec(compile(self.sources[name], f"<given {name}>", "exec"), given.__dict__)
        names = self.names[name]
        path = os.path.join(self.root, *name.split(".")) + ".py"
        try:
            with open(path, "rb") as file:
                exec(compile(file.read(), path, "exec"), module.__dict__)
        except Exception:
            names = [key for key in given.__dict__ if not key.startswith("__")]
        for key in names:
            setattr(module, key, getattr(given, key))


class Objects:
    """What stays inside, by number."""

    def __init__(self):
        self.table = {}

    def keep(self, value) -> Reference:
        number = len(self.table) + 1
        self.table[number] = value
        return Reference(number, type(value).__name__)

    def find(self, number: int, type_name: str):
        return self.table[number]

    def export(self, value, opaque: bool):
        """What leaves: numbers, strings, arrays; references to the rest. `opaque` keeps item 1 of a tuple."""
        if type(value) is tuple:
            return tuple(
                self.keep(item) if opaque and position == 1 else self.export_one(item)
                for position, item in enumerate(value)
            )
        return self.export_one(value)

    def export_one(self, value):
        if value is None or isinstance(value, (bool, int, float, str, np.bool_, np.integer, np.floating)):
            return value
        if isinstance(value, np.ndarray) and value.dtype.kind in protocol.DTYPE_KINDS:
            return value
        return self.keep(value)


def resolve(path: str):
    """The object at a dotted path: modules, and then attributes."""
    parts = path.split(".")
    found, importable = None, True
    for count, part in enumerate(parts, 1):
        name = ".".join(parts[:count])
        if importable and name in sys.modules:
            found = sys.modules[name]
            continue
        try:
            found = getattr(found, part)
            importable = False
            continue
        except AttributeError:
            pass
        try:
            if importable:
                found = importlib.import_module(name)
                continue
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        where = ".".join(parts[: count - 1])
        raise Missing(f"there is no {part} in {where}" if where else f"there is no module {part}")
    return found


def run_cells(path: str, cells: list[str], names: dict) -> dict:
    """Run some cells of a notebook in the submission, and nothing else of it; returns what they define."""
    sources = dict(notebook.code_cells(path))
    for name in cells:
        if name not in sources:
            raise Missing(f"the notebook has no cell {name}")
        try:
            code = compile(sources[name], path, "exec")
        except SyntaxError:
            code = compile(notebook.without_magics(sources[name]), path, "exec")
        exec(code, names)
    return names


def positional(subject) -> tuple:
    """Names of the arguments that may be given by position; none where they cannot be told cheaply."""
    try:
        function = inspect.unwrap(subject)
        code = getattr(function, "__func__", function).__code__
        return code.co_varnames[hasattr(function, "__func__") : code.co_argcount]
    except Exception:
        return ()


def call(subject, args: tuple, kwargs: dict, root: str, notes: dict):
    """Call, and note which arrays among the arguments were changed and where NumPy warned first."""
    named = dict(zip(positional(subject), args, strict=False)) | kwargs
    watched = {name: value for name, value in named.items() if type(value) is np.ndarray}
    if sum(array.nbytes for array in watched.values()) > MAX_WATCHED:
        watched = {}
    before = [array.tobytes() for array in watched.values()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = subject(*args, **kwargs)
    changed = [name for name, old in zip(watched, before, strict=True) if watched[name].tobytes() != old]
    if changed:
        notes["changed"] = changed
    for warning in caught:
        if issubclass(warning.category, RuntimeWarning):
            notes["warning"] = str(warning.message)[:200]
            if warning.filename.startswith(root + os.sep):
                notes["warning"] += f" in {os.path.relpath(warning.filename, root)}, line {warning.lineno}"
            break
    return result


def perform(request: dict, objects: Objects, root: str, notes: dict):
    """Do one operation on the student's objects and return what leaves the sandbox."""
    op = request["op"]
    target = request["target"]
    if op == "run_cells":
        return objects.keep(run_cells(os.path.join(root, target), request["cells"], request["names"]))
    if op == "definitions":
        path = os.path.join(root, target)
        return objects.keep(notebook.definitions(notebook.code_cells(path), request["names"], path))
    if op == "helpers":
        helpers = {"__name__": "helpers"}
        exec(compile(request["source"], "<helpers>", "exec"), helpers)
        return objects.keep(helpers)
    if op == "imports":
        return failed_import(request["modules"], root)
    if op == "mend":
        return mended(target, request, root)
    subject = resolve(target) if isinstance(target, str) else target
    if op == "call":
        result = call(subject, request["args"], request["kwargs"], root, notes)
        return objects.export(result, request["opaque"])
    if op == "get":
        return objects.export(resolve_attribute(subject, request["name"]), False)
    if op == "set":
        return setattr(subject, request["name"], request["value"])
    if op == "get_item":
        return objects.export(subject[request["key"]], False)
    if op == "set_item":
        subject[request["key"]] = request["value"]
        return None
    if op == "value":
        return subject
    raise ValueError(f"unknown operation {op!r}")


def resolve_attribute(subject, name: str):
    try:
        return getattr(subject, name)
    except AttributeError:
        raise Missing(f"a {type(subject).__name__} has no {name}") from None


def describe(error: BaseException, root: str) -> dict:
    """An exception as data; hostile exceptions included."""
    if isinstance(error, Missing):
        kind = "missing"
    elif isinstance(error, NotImplementedError):
        kind = "not_attempted"
    elif isinstance(error, MemoryError):
        kind = "memory"
    elif isinstance(error, protocol.ProtocolError):
        kind = "invalid"
    else:
        kind = "exception"
    try:
        message = str(error)[:1000]
    except BaseException:
        message = ""
    where, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if isinstance(file, str) and file.startswith(root + os.sep):
            where = f"{os.path.relpath(file, root)}, line {trace.tb_lineno}"
        trace = trace.tb_next
    if (
        isinstance(error, SyntaxError)
        and isinstance(error.filename, str)
        and error.filename.startswith(root + os.sep)
    ):
        where = f"{os.path.relpath(error.filename, root)}, line {error.lineno}"
        message = str(error.msg)[:1000]
    return {"kind": kind, "type": type(error).__name__, "message": message, "where": where}


def prepare(request: dict, root: str) -> dict:
    """Import packages and the submission's modules, so that no check has to; what failed, by module."""
    for name in request["packages"]:
        if name == "torch":
            import_torch()
        else:
            importlib.import_module(name)
    sys.path.insert(0, root)
    if request["sources"]:
        sys.meta_path.insert(0, Given(root, request["sources"], request["names"]))
    failed = {}
    for name in request["modules"]:
        try:
            importlib.import_module(name)
        except BaseException as error:
            failed[name] = describe(error, root)
    return failed


def failed_import(names: list[str], root: str) -> dict | None:
    """Import modules until one fails; why it failed and where, which mending starts from."""
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:
            found = {"module": name, **describe(error, root), "syntax": "", "missing": []}
            found["frames"] = frames_of(error, root)
            try:
                if isinstance(error, SyntaxError) and str(error.filename).startswith(root + os.sep):
                    found["syntax"] = os.path.relpath(error.filename, root)
                name = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
                found["missing"] = [name[2], name[1]] if isinstance(error, ImportError) and name else []
            except BaseException:  # of an exception of the student's own
                pass
            return found
    return None


def frames_of(error: BaseException, root: str) -> list:
    """Where the submission's code was, outermost first: file, line, and the name of the function or class."""
    found, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if isinstance(code.co_filename, str) and code.co_filename.startswith(root + os.sep):
            found.append([os.path.relpath(code.co_filename, root), trace.tb_lineno, code.co_name])
        trace = trace.tb_next
    return found[-MAX_FRAMES:]


def mended(path: str, request: dict, root: str) -> dict:
    """A module's mended text, as bytes, and notes. Imported here, for the few submissions that need it."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import mending

    with open(os.path.join(root, path), "rb") as file:
        content = file.read()
    text, notes = mending.mend(content, path, request["failure"], **request["given"])
    content = text.encode("utf-8", "replace")
    return {"content": np.frombuffer(content, np.uint8), "notes": [note[:500] for note in notes[:50]]}


class NoCompiler(types.ModuleType):
    """Stands for torch._dynamo, which every optimizer imports for 2 seconds and does not need.

    Whoever asks for more of it than optimizers do gets the real one.
    """

    @staticmethod
    def disable(function=None, *args, **kwargs):
        return function

    @staticmethod
    def graph_break(*args, **kwargs):
        return None

    def __getattr__(self, name):
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        for stand_in in ("torch._meta_registrations", "torch._dynamo"):
            if not hasattr(sys.modules[stand_in], "__file__"):
                del sys.modules[stand_in]
            importlib.import_module(stand_in)
        return getattr(sys.modules["torch._dynamo"], name)


def import_torch() -> None:
    """Import PyTorch with one thread, so that forks are safe, and without what only its compiler needs."""
    # It says what shapes all functions return, for tensors without numbers: a quarter of the import.
    sys.modules.setdefault("torch._meta_registrations", types.ModuleType("torch._meta_registrations"))
    import torch

    torch.set_num_threads(1)
    if "torch._dynamo" not in sys.modules:
        torch._dynamo = sys.modules["torch._dynamo"] = NoCompiler("torch._dynamo")
    torch.compile = not_compiled


def not_compiled(model=None, **options):
    """What stands for torch.compile: it would take longer than all the checks."""
    return not_compiled if model is None else model


def serve(channel: Channel, start: dict, root: str) -> None:
    """Answer one check's requests, in a process of its own."""
    random.seed(start["seed"])
    np.random.seed(start["seed"] % 2**32)
    objects = Objects()
    channel.send(protocol.encode({"id": start["id"], "result": None}))
    while (request := channel.receive(objects.find)) is not None:
        notes = {}
        try:
            if request["op"] == "end":
                return
            # Only `value` sends containers whole; what cannot travel is refused there with its type.
            result = perform(request, objects, root, notes)
            reply = protocol.encode({"id": request["id"], "result": result, "notes": notes})
        except BaseException as error:
            reply = protocol.encode({"id": request["id"], "error": describe(error, root), "notes": notes})
        channel.send(reply)


def set_limits(limits: dict) -> None:
    import resource

    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            hard = resource.getrlimit(number)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(number, (value, value))


def main() -> None:
    root, isolated = settings["root"], settings["isolated"]
    # The channel moves away from the standard streams: what student code prints goes nowhere.
    channel = Channel(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    set_limits(settings["limits"])
    sys.path[0:1] = []  # this folder: a student's module may be called `protocol`
    del sys.modules["protocol"], sys.modules["notebook"]
    channel.send(protocol.encode({"id": 0, "result": "ready"}))

    while (request := channel.receive()) is not None:
        if request["op"] == "prepare":
            channel.send(protocol.encode({"id": request["id"], "result": prepare(request, root)}))
            gc.freeze()  # what the children share with this process is not looked through by each of them
            continue
        child = os.fork()
        if child == 0:
            status = 1
            try:
                serve(channel, request, root)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if isolated:  # whatever the child started ends with it
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                pass
        channel.send(protocol.encode({"id": request["id"], "died": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    main()
