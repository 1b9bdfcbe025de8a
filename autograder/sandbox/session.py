"""What a check sees of a submission: `student.layers.affine_forward(x, w, b)`, computed in the sandbox.

Names are looked up inside; arrays go in and come out; objects of the student's own (caches, networks) stay
inside and are known here as handles. Whatever goes wrong there arrives as a StudentError.
"""

from __future__ import annotations

import builtins
import importlib.util
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from autograder.regions import only
from autograder.sandbox import protocol
from autograder.sandbox.npz import read_npz
from autograder.sandbox.process import Limits, Sandbox, SandboxDied, SandboxTimeout, SandboxUnavailable
from autograder.sandbox.protocol import ProtocolError, Reference
from autograder.sandbox.tensor_file import read_safetensors

PACKAGE = "handgrad"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


class StudentError(Exception):
    """A call that brought no result.

    Args:
        kind: "missing", "not_attempted", "exception", "timeout", "crash", "memory" or "invalid".
        message: a sentence for the student. It may quote the student's own exception and nothing else.

    `call` is the name of the function or method that was called, such as "TwoLayerNet.loss"; "" for the rest.
    """

    call = ""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message


class Session:
    """A submission that can be called. Each `student()` is a fresh process in one sandbox.

    Args:
        tree: the staged submission: a folder with `handgrad` in it.
        isolation: "bubblewrap" or "none".
        limits: what the submission may use.
        substitutes: names of reference functions, by module, that replace the student's. What an exception
            says is then withheld, since it could quote the reference.
        modules: the student's modules, imported once and not by each process again.
        packages: installed packages that are imported before them.
        deadline: until when it may run, by `time.monotonic`; else `limits.total` counts from its first use.

    Public attributes: `import_errors`, of the modules that could not be imported; `changed`, the array
    arguments that each called function has changed in place, by its name; `warning`, the first warning of
    NumPy's in the running process, with the line it came from; and `last_calls`, by the function's name.
    """

    def __init__(
        self,
        tree: Path,
        isolation: str = "bubblewrap",
        limits: Limits | None = None,
        substitutes: Mapping[str, set[str]] | None = None,
        modules: Iterable[str] = (),
        packages: Iterable[str] = (),
        deadline: float | None = None,
    ):
        self.tree = Path(tree)
        self.isolation = isolation
        self.limits = limits or Limits()
        self.substitutes = {module: sorted(names) for module, names in sorted((substitutes or {}).items())}
        self.modules, self.packages = list(modules), list(packages)
        self.import_errors: dict[str, StudentError] = {}
        self.changed: dict[str, set[str]] = {}
        self.warning = ""
        self.last_calls: dict[str, tuple[str, tuple, dict]] = {}
        self._sources = {module: _source(module, names) for module, names in self.substitutes.items()}
        self._sandbox: Sandbox | None = None
        self._deadline = deadline
        self._ended: StudentError | None = None  # why the running process's sandbox was ended

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox. The next `student()` would start another."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def open(self) -> None:
        """Start the sandbox, if it is not running, and import the modules in it.

        Where that hangs or kills the sandbox, the next one imports nothing before it has to.

        Raises:
            SandboxUnavailable: the machine cannot isolate.
            StudentError: the submission has no time left.
        """
        while self._sandbox is None:
            remaining = self._remaining()
            self._sandbox = Sandbox(self.tree, self.isolation, self.limits)
            request = {"packages": self.packages, "modules": self.modules}
            request |= {"sources": self._sources, "names": self.substitutes}
            seconds = self.limits.call + (60 if self.packages else 0)
            try:
                failed = self._ask({"op": "prepare", "target": "", **request}, min(seconds, remaining))
                if type(failed) is not dict:
                    raise ProtocolError("no table of modules")
                self.import_errors |= {str(name): self._error(error) for name, error in failed.items()}
            except (StudentError, ProtocolError) as error:
                self.close()
                if not self.modules and seconds <= remaining:
                    raise SandboxUnavailable(f"The sandbox cannot import {self.packages}: {error}") from error
                self.import_errors = dict.fromkeys(self.modules, StudentError("crash", str(error)))
                self.modules = []

    @contextmanager
    def student(self, seed: int) -> Iterator[Student]:
        """A fresh process with the student's package; `random` and `numpy.random` are seeded in it.

        Raises:
            SandboxUnavailable: the machine cannot isolate.
        """
        self.changed, self.warning, self.last_calls = {}, "", {}
        self._ended = None
        self._exchange({"op": "start", "seed": seed}, self.limits.call)
        try:
            yield Student(self)
        finally:
            if self._sandbox is not None:
                try:
                    reply = self._sandbox.exchange(protocol.encode({"op": "end", "target": "", "id": 0}), 5.0)
                    if "died" not in reply:
                        self.close()
                except (SandboxTimeout, SandboxDied, ProtocolError):
                    self.close()

    def _exchange(self, request: dict, seconds: float, name: str = "") -> Any:
        """Ask and get the answer, or a StudentError. A sandbox that failed to answer is ended.

        Args:
            request: what to do.
            seconds: how long that may take.
            name: of the function that is called, for notes about it.
        """
        if self._ended is not None:  # there is no process any more that could answer
            raise self._ended
        self.open()
        try:
            return self._ask(request, min(seconds, self._remaining()), name)
        except StudentError as error:
            if self._sandbox is None:
                self._ended = error
            raise

    def _remaining(self) -> float:
        """The seconds that are left. Raises StudentError when there are none."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self.limits.total
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise StudentError("timeout", f"the whole submission took longer than {self.limits.total:g} s")
        return remaining

    def _ask(self, request: dict, seconds: float, name: str = "") -> Any:
        request |= {"id": secrets.randbits(62)}
        try:
            frame = protocol.encode(request, self._refer)
            reply = self._sandbox.exchange(frame, seconds, self._handle)
            if "died" in reply:
                raise self._died(reply["died"])
            if type(reply.get("id")) is not int or reply["id"] != request["id"]:
                raise ProtocolError("an answer to another question")
            self._note(reply.get("notes"), name)
            if "error" in reply:
                raise self._error(reply["error"])
            return reply["result"]
        except SandboxTimeout:
            self.close()
            raise StudentError("timeout", f"did not finish within {seconds:g} s") from None
        except SandboxDied:
            self.close()
            raise StudentError("crash", "the process that ran it ended without an answer") from None
        except (ProtocolError, KeyError) as error:
            self.close()
            why = "" if self.substitutes else f": {error}"  # it could quote the reference
            raise StudentError("invalid", f"returned what cannot be read{why}") from None

    def _refer(self, value: Any) -> Any:
        """The reference of a handle. One into a process that is gone is a StudentError."""
        if not isinstance(value, Handle):
            return value
        if value._sandbox is not self._sandbox:
            raise StudentError("crash", "the process that held the object has ended")
        return value._reference

    def _handle(self, number: int, type_name: str) -> Handle:
        return Handle(self, Reference(number, type_name))

    def _note(self, notes: Any, name: str) -> None:
        """Keep what the runner says about a call. Nothing depends on it but advice."""
        if not isinstance(notes, dict) or self.substitutes:  # these could quote the reference
            return
        changed, warning = notes.get("changed"), notes.get("warning")
        if isinstance(changed, list):
            names = {arg for arg in changed[:8] if isinstance(arg, str) and arg.isidentifier()}
            self.changed.setdefault(name, set()).update(names)
        if isinstance(warning, str) and not self.warning:
            self.warning = _ADDRESS.sub("0x…", " ".join(warning.split()))[:300]

    def _died(self, status: Any) -> StudentError:
        self.close()
        if isinstance(status, int) and status < 0:
            try:
                name = signal.Signals(-status).name
            except ValueError:
                name = f"signal {-status}"
            return StudentError("crash", f"the process that ran it was ended by {name}")
        return StudentError("crash", "the process that ran it ended itself")

    def _error(self, error: Any) -> StudentError:
        """What the runner says about an exception. Raises ProtocolError when that is not text."""
        # A handle, for one, would ask the sandbox again for each of these, and so on without end.
        given = error if type(error) is dict else {}
        parts = [given.get(key) for key in ("kind", "type", "message", "where")]
        if not all(isinstance(part, str) for part in parts):
            raise ProtocolError("an error without description")
        kind, name, message, where = parts
        name, message, where = name[:80], " ".join(message.split())[:300], where[:120]
        message = _ADDRESS.sub("0x…", message)
        if kind not in ("missing", "not_attempted", "memory", "invalid"):
            kind = "exception"
        if self.substitutes:
            return StudentError(kind, f"raised {name if hasattr(builtins, name) else 'an exception'}")
        if kind == "missing":
            return StudentError(kind, message)
        if kind == "invalid":
            return StudentError(kind, f"returned what is not data: {message}")
        if kind == "not_attempted":
            return StudentError(kind, message or "is not written yet")
        text = f"raised {name}" + (f": {message}" if message else "")
        return StudentError(kind, text + (f" ({where})" if where else ""))


class Student:
    """One process with the student's package. Attributes are names below `handgrad`."""

    def __init__(self, session: Session):
        self._session = session

    def __getattr__(self, name: str) -> RemoteName:
        if name.startswith("_"):
            raise AttributeError(name)
        return RemoteName(self._session, f"{PACKAGE}.{name}")

    @property
    def last_calls(self) -> dict[str, tuple[str, tuple, dict]]:
        """The path and the arguments of each function's last call in this process, by the function's name."""
        return self._session.last_calls

    def call(self, path: str, *args: Any, limit: float | None = None, **kwargs: Any) -> Any:
        """Call `path` (dotted, with the package) with a time limit of its own, in seconds of wall-clock."""
        return _call(self._session, path, args, kwargs, limit)

    def run_cells(self, notebook: str, cells: list[str], names: Mapping[str, Any] | None = None) -> Handle:
        """Run code cells of a notebook that was handed in, and none of the others.

        Args:
            notebook: its name, without .ipynb.
            cells: grade_ids, in the order in which they run.
            names: what is defined before; data and handles.
        Returns:
            a handle of the dictionary of all names that are defined afterwards.
        """
        request = {"cells": list(cells), "names": dict(names or {})}
        try:
            return _ask(self._session, f"{notebook}.ipynb", op="run_cells", **request)
        except StudentError as error:
            error.call = f"The cell {cells[-1]}"
            raise

    def definitions(self, notebook: str, names: Mapping[str, Any] | None = None) -> Handle:
        """Collect what a notebook that was handed in defines, without running it.

        Args:
            notebook: its name, without .ipynb.
            names: what is defined before; data or handles.
        Returns:
            a handle of the definitions (see sandbox/notebook.py): items by name, which may be replaced.
            A name that is not there, or whose cell is broken, is a StudentError that says so.
        """
        return _ask(self._session, f"{notebook}.ipynb", op="definitions", names=dict(names or {}))

    def failed_import(self, modules: Iterable[str]) -> Any:
        """Import modules; returns what the runner says of the first that fails, None when all are there."""
        return _ask(self._session, "", op="imports", modules=list(modules))

    def mend(self, path: str, failure: dict, given: dict) -> tuple[bytes, list[str]]:
        """Mend a module; see `mend` in mending.py. To be asked of a process that has imported none.

        Args:
            path: its file.
            failure: what made the import fail.
            given: what is known of the released module.
        Returns:
            the file's new content, and sentences about what was done.
        """
        found = _ask(self._session, path, op="mend", failure=failure, given=given)
        try:
            notes = [_ADDRESS.sub("0x…", " ".join(str(note).split()))[:300] for note in found["notes"]]
            return bytes(found["content"].astype(np.uint8)), notes
        except (KeyError, TypeError, AttributeError) as error:
            raise StudentError("invalid", "the mended module cannot be read") from error

    def helpers(self, source: str) -> Handle:
        """Run a source text of ours in the sandbox, for what cannot travel; nothing is trusted to it.

        Returns:
            a handle of the dictionary of what it defines.
        """
        return _ask(self._session, "", op="helpers", source=source)

    def saved(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a `.npz` file that was handed in, read on this side."""
        return self._read(name, read_npz)

    def saved_tensors(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The arrays of a `.safetensors` file that was handed in, read on this side, and its metadata."""
        return self._read(name, read_safetensors)

    def _read(self, name: str, reader: Callable[[Path], Any]) -> Any:
        try:
            return reader(self._session.tree / name)
        except FileNotFoundError:
            raise StudentError("missing", f"{name} was not handed in") from None
        except ProtocolError as error:
            raise StudentError("invalid", f"{name} cannot be read: {error}") from None


class RemoteName:
    """A dotted name inside the sandbox; nothing is looked up there before it is called."""

    def __init__(self, session: Session, path: str):
        self._session = session
        self._path = path

    def __getattr__(self, name: str) -> RemoteName:
        if name.startswith("_"):
            raise AttributeError(name)
        return RemoteName(self._session, f"{self._path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _call(self._session, self._path, args, kwargs, None)


class Handle:
    """An object that stays in the sandbox: its attributes, items and methods work from here."""

    def __init__(self, session: Session, reference: Reference):
        self.__dict__.update(_session=session, _sandbox=session._sandbox, _reference=reference, _name="")

    def __repr__(self) -> str:
        return f"<a {self._reference.type_name} of the student's>"

    def value(self) -> Any:
        """The object itself, if it is data: numbers, strings, arrays, and tuples, lists and dicts of them."""
        return _ask(self._session, self, op="value")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = _ask(self._session, self, op="get", name=name)
        if isinstance(value, Handle):
            value.__dict__["_name"] = f"{self._reference.type_name}.{name}"
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self._session, self, op="set", name=name, value=value)

    def __getitem__(self, key: str | int) -> Any:
        return _ask(self._session, self, op="get_item", key=key)

    def __setitem__(self, key: str | int, value: Any) -> None:
        _ask(self._session, self, op="set_item", key=key, value=value)

    def __call__(self, *args: Any, limit: float | None = None, **kwargs: Any) -> Any:
        return _call(self._session, self, args, kwargs, limit)


def _call(session: Session, target: Any, args: tuple, kwargs: dict, limit: float | None) -> Any:
    # The second value of every forward pass is its cache, and caches are opaque.
    name = target.rpartition(".")[2] if isinstance(target, str) else target._name
    opaque = isinstance(target, str) and "_forward" in name
    if isinstance(target, str):
        session.last_calls[name] = (target, args, kwargs)
    try:
        return _ask(session, target, limit, op="call", args=args, kwargs=kwargs, opaque=opaque)
    except StudentError as error:
        error.call = error.call or name
        raise


def _ask(session: Session, target: Any, limit: float | None = None, **request: Any) -> Any:
    request = {"target": target, **request}
    name = target.rpartition(".")[2] if isinstance(target, str) else getattr(target, "_name", "")
    return session._exchange(request, limit or session.limits.call, name)


def _source(module: str, names: Iterable[str]) -> str:
    """The reference's source text of a module, with these functions and classes solved and no others.

    The student's code stands beside it and could read it, or call what else it defines.
    """
    path = Path(importlib.util.find_spec(module).origin)
    return only(path.read_text(encoding="utf-8"), names, path.name)
