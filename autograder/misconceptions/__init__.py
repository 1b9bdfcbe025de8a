"""Named wrong implementations: the explanation of a failure, and the test of the checks.

Each is a short function that makes one mistake real students make. When a student's numbers equal the numbers
of one of them on the same inputs, the feedback says which mistake it is; and the tests prove that the check
of the function fails for every one of them. An explanation says what is wrong, the advice where to think
again; neither gives the solution.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Misconception:
    """One way of getting a function wrong."""

    id: str
    function: str  # dotted name of the function it replaces
    explanation: str
    advice: str
    versions: list[Callable] = field(default_factory=list)  # wrong implementations of the same mistake


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


def registered() -> dict[str, Misconception]:
    """All misconceptions by id."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _registry


def of_function(function: str) -> list[Misconception]:
    """The misconceptions about one function."""
    return [m for m in registered().values() if m.function == function]
