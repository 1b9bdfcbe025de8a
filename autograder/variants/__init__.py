"""Right solutions in other styles: each must get full points on every seed.

A variant is a name, such as "loops" or "float32", and the functions written that way, of as many notebooks as
there are. Functions whose caches belong together are replaced together.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

_registry: dict[str, dict[str, Any]] = {}


def variant(name: str, function: str) -> Callable:
    """Name a right way of writing `function` (a dotted name, or the grade_id of a notebook's cell).

    Returns:
        a decorator for the function, or, called with it, its source for a cell.
    """

    def register(right: Any) -> Any:
        functions = _registry.setdefault(name, {})
        if function in functions:
            raise ValueError(f"the variant {name!r} has two versions of {function}")
        functions[function] = right
        return right

    return register


def registered() -> dict[str, dict[str, Any]]:
    """All variants by name: what each puts in the place of which functions, as `LocalStudent` takes it."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _registry


def of_functions(functions: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The variants that replace one of these functions, by name."""
    functions = set(functions)
    return {name: replaced for name, replaced in registered().items() if functions & replaced.keys()}
