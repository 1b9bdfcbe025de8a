"""Named wrong implementations: the explanation of a failure, and the test of the checks.

Each is a short function that makes one mistake real students make. When a student's numbers equal the numbers
of one of them on the same inputs, the feedback says which mistake it is; and the tests prove that the check
of the function fails for every one of them. An explanation says what is wrong, the advice where to think
again; neither gives the solution.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Misconception:
    """One way of getting a function wrong."""

    id: str
    function: str  # dotted name of the function it replaces
    explanation: str
    advice: str
    versions: list[Callable | str] = field(
        default_factory=list
    )  # wrong ways; for a notebook's cell its source


_registry: dict[str, Misconception] = {}


def misconception(id: str, *, function: str, explanation: str, advice: str) -> Callable:
    """Name a way of getting `function` (a dotted name) wrong.

    Returns:
        a decorator for the wrong version; use it more than once when the same mistake has several forms.
    """
    if id in _registry:
        raise ValueError(f"two misconceptions are called {id}")
    made = _registry[id] = Misconception(id, function, explanation, advice)

    def register(wrong: Callable) -> Callable:
        made.versions.append(wrong)
        return wrong

    return register


def edited(function: str, *edits: tuple[str, str]) -> Callable:
    """The reference's version of a function or method with some of its source replaced.

    Args:
        function: dotted name.
        edits: texts that its source has exactly once, and what stands there instead.
    Raises:
        ValueError: the source does not have a text exactly once.
    """
    original = pkgutil.resolve_name(function)
    source = _source(original)
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"{function} has {source.count(old)} times {old!r}")
        source = source.replace(old, new)
    namespace = dict(vars(importlib.import_module(original.__module__)))
    exec("from __future__ import annotations\n" + source, namespace)
    return namespace[original.__name__]


@functools.cache
def _source(function: Callable) -> str:
    """Its source text: to find its end takes longer than everything else here."""
    return textwrap.dedent(inspect.getsource(function))


def registered() -> dict[str, Misconception]:
    """All misconceptions by id."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _registry


def of_function(function: str) -> list[Misconception]:
    """The misconceptions about one function."""
    return [m for m in registered().values() if m.function == function]
