"""A stand-in for the sandboxed student that runs our own code: the reference and versions of it.

It behaves as `autograder.sandbox.Student` does: names are looked up at the call, arguments are fresh copies,
caches and other objects come back as handles, failures as StudentError. Student code never runs here.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import random
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..course import REPOSITORY
from ..sandbox import StudentError
from ..sandbox.notebook import Missing, code_cells, definitions


class LocalStudent:
    """The reference package, with some of its functions replaced.

    Args:
        replaced: functions by dotted name, such as "handgrad.layers.affine.affine_forward" or
            "handgrad.classifiers.fc_net.TwoLayerNet.loss".
        seed: of random and numpy.random, as in the sandbox.
        files: arrays of the `.npz` files "handed in", by file name.
    """

    def __init__(
        self,
        replaced: Mapping[str, Callable] | None = None,
        seed: int = 0,
        files: Mapping[str, dict[str, np.ndarray]] | None = None,
    ):
        self._replaced = dict(replaced or {})
        # A wrong backward pass may need another cache than the reference's forward pass makes.
        for function in list(self._replaced.values()):
            self._replaced |= getattr(function, "together_with", {})
        self._files = dict(files or {})
        self.last_calls: dict[str, tuple[str, tuple, dict]] = {}
        random.seed(seed)
        np.random.seed(seed % 2**32)

    def __getattr__(self, name: str) -> _Name:
        return _Name(self, f"handgrad.{name}")

    def call(self, path: str, *args: Any, limit: float | None = None, **kwargs: Any) -> Any:
        """Call a dotted name; there is no time limit here."""
        self.last_calls[path.rpartition(".")[2]] = (path, args, kwargs)
        return _perform(self._find(path), args, kwargs, opaque="_forward" in path)

    def run_cells(self, notebook: str, cells: list[str], names: Mapping[str, Any] | None = None) -> _Handle:
        """Run cells of a source notebook; `replaced` may have other source under a cell's grade_id."""
        (path,) = (REPOSITORY / "assignments" / "source").glob(f"*/{notebook}.ipynb")
        sources = dict(code_cells(str(path)))

        def run() -> dict[str, Any]:
            namespace = {key: _import(value) for key, value in (names or {}).items()}
            for cell in cells:
                exec(self._replaced.get(cell, sources[cell]), namespace)
            return namespace

        return _perform(run, (), {}, opaque=False)

    def definitions(self, notebook: str, names: Mapping[str, Any] | None = None) -> _Handle:
        """Collect the definitions of a source notebook; `replaced` may have other source for some cells."""
        (path,) = (REPOSITORY / "assignments" / "source").glob(f"*/{notebook}.ipynb")
        cells = [(label, self._replaced.get(label, source)) for label, source in code_cells(str(path))]
        names = {key: _import(value) for key, value in (names or {}).items()}
        return _perform(lambda: definitions(cells, names, str(path)), (), {}, opaque=False)

    def helpers(self, source: str) -> _Handle:
        """What a source text of ours defines."""

        def run() -> dict[str, Any]:
            namespace: dict[str, Any] = {"__name__": "helpers"}
            exec(compile(source, "<helpers>", "exec"), namespace)
            return namespace

        return _perform(run, (), {}, opaque=False)

    def saved_tensors(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The arrays and the metadata of a file: in `files` under ("arrays", "metadata")."""
        found = self.saved(name)
        return found["arrays"], found["metadata"]

    def saved(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a file."""
        if name not in self._files:
            raise StudentError("missing", f"{name} was not handed in")
        return self._files[name]

    def _find(self, path: str) -> Callable:
        owner, _, name = path.rpartition(".")
        found = getattr(importlib.import_module(owner), name)
        dotted = f"{found.__module__}.{found.__qualname__}"
        if not isinstance(found, type):
            return self._replaced.get(dotted, found)
        methods = {key.removeprefix(dotted + "."): new for key, new in self._replaced.items()}
        methods = {key: new for key, new in methods.items() if "." not in key}
        return type(found.__name__, (found,), methods) if methods else found


class _Name:
    def __init__(self, student: LocalStudent, path: str):
        self._student, self._path = student, path

    def __getattr__(self, name: str) -> _Name:
        return _Name(self._student, f"{self._path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student.call(self._path, *args, **kwargs)


class _Handle:
    """An object that checks must not look into, except by attribute, item and call."""

    def __init__(self, held: Any):
        self.__dict__["_held"] = held

    def value(self) -> Any:
        return copy.deepcopy(self._held)

    def __getattr__(self, name: str) -> Any:
        return _export(getattr(self._held, name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._held, name, _import(value))

    def __getitem__(self, key: str | int) -> Any:
        try:
            return _export(self._held[key])
        except Missing as error:
            raise StudentError("missing", str(error)) from error

    def __setitem__(self, key: str | int, value: Any) -> None:
        self._held[key] = _import(value)

    def __call__(self, *args: Any, limit: float | None = None, **kwargs: Any) -> Any:
        return _perform(self._held, args, kwargs, opaque=False)


def _perform(function: Callable, args: tuple, kwargs: dict, opaque: bool) -> Any:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            result = function(*map(_import, args), **{key: _import(value) for key, value in kwargs.items()})
    except NotImplementedError as error:
        raise StudentError("not_attempted", str(error)) from error
    except Exception as error:
        raise StudentError("exception", f"raised {type(error).__name__}: {error}") from error
    if type(result) is tuple:
        return tuple(
            _Handle(item) if opaque and position == 1 else _export(item)
            for position, item in enumerate(result)
        )
    return _export(result)


def _import(value: Any) -> Any:
    if isinstance(value, _Handle):
        return value._held
    if isinstance(value, np.ndarray):
        return value.copy(order="K")
    if isinstance(value, dict):
        return {key: _import(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_import(item) for item in value)
    return value


def _export(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.copy() if type(value) is np.ndarray else _Handle(value)
