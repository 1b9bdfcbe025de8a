"""Runs single cells of a source notebook in this process, with a function of the package edited if asked."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

SOURCE = Path(__file__).resolve().parents[2] / "assignments" / "source"


class Cells:
    """The cells of a source notebook by id.

    Args:
        name: such as "a2/4_dropout".
        before: cells to run before any other one, such as the imports of "gradients".
    """

    def __init__(self, name: str, before: tuple[str, ...] = ()):
        notebook = nbformat.read(SOURCE / f"{name}.ipynb", as_version=4)
        self.source = {cell.id: cell.source for cell in notebook.cells}
        self.before = before

    @property
    def graded(self) -> list[str]:
        """The ids of the automatic grade cells."""
        return [cell_id for cell_id, source in self.source.items() if "### BEGIN HIDDEN TESTS" in source]

    def run(self, *cell_ids: str, **names: Any) -> dict[str, Any]:
        """Run cells one after the other as plain Python, with `names` there before; returns all names."""
        namespace = {"np": np, **names}
        for cell_id in (*self.before, *cell_ids):
            exec(compile(self.source[cell_id], f"<{cell_id}>", "exec"), namespace)
        return namespace


def write(monkeypatch: Any, target: str, *edits: tuple[str, str]) -> None:
    """Put an edited version of a function or class of the package in its place, wherever it was imported.

    Args:
        monkeypatch: the fixture, which puts the original back.
        target: dotted name, such as "handgrad.layers.dropout.dropout_forward".
        edits: texts that the source has exactly once, and what to put there.
    """
    module_name, _, name = target.rpartition(".")
    module = importlib.import_module(module_name)
    original = getattr(module, name)
    source = inspect.getsource(original)
    for old, new in edits:
        assert source.count(old) == 1, f"{name} has {source.count(old)} times {old!r}"
        source = source.replace(old, new)
    namespace = dict(vars(module))
    exec("from __future__ import annotations\n" + source, namespace)
    for key, other in list(sys.modules.items()):
        if key.split(".")[0] == "handgrad" and vars(other).get(name) is original:
            monkeypatch.setattr(other, name, namespace[name])
