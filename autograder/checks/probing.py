"""What else can be found out about a function that failed, for the explanation: nothing here gives points."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..sandbox import StudentError


def ignored_arguments(function: str, student: Any) -> list[str]:
    """Arguments that the student's function does not use, and the reference does.

    The last call of the check is made again, with one argument changed at a time.

    Args:
        function: its dotted name; methods and cells of notebooks are not looked at.
        student: the student of the check, whose process still runs.
    Returns:
        their names; a setting of a dictionary as 'bn_param["momentum"]'.
    """
    reference = pkgutil.resolve_name(function) if function.startswith("handgrad.") else None
    call = student.last_calls.get(function.rpartition(".")[2])
    if not inspect.isfunction(reference) or "." in reference.__qualname__ or call is None:
        return []
    path, args, kwargs = call
    try:
        arguments = inspect.signature(reference).bind(*args, **kwargs).arguments
    except TypeError:
        return []

    def students(values: Mapping[str, Any]) -> list[np.ndarray] | None:
        return _arrays(student.call(path, *values.values()))

    def references(values: Mapping[str, Any]) -> list[np.ndarray] | None:
        return _arrays(reference(*(_copy(value) for value in values.values())))

    ours = all(_is_data(value) for value in arguments.values())  # no cache of the student's among them
    found = []
    try:
        before = students(arguments)
        for name, changed in _changes(arguments):
            if ours and _same(references(arguments), references(changed)):
                continue
            if before and _same(before, students(changed)):
                found.append(name)
    except (StudentError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError):
        pass
    return found


def _changes(arguments: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The arguments with one of them changed, for each that can be without making it invalid."""
    changes = []
    for name, value in arguments.items():
        if isinstance(value, dict):
            for key, setting in value.items():
                if _is_real(setting):
                    changes.append((f'{name}["{key}"]', {**arguments, name: {**value, key: _other(setting)}}))
        elif _is_real(value):
            changes.append((name, {**arguments, name: _other(value)}))
    return changes


def _is_real(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def _other(value: Any) -> Any:
    """Another number of the same sign, near and not proportional."""
    if isinstance(value, float):
        return 0.9 * value
    wave = np.sin(1 + np.arange(value.size)).reshape(value.shape)
    return (value * (1 + 0.3 * wave)).astype(value.dtype)


def _is_data(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_data, value.values()))
    return value is None or isinstance(value, bool | int | float | str | np.ndarray | np.generic)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value.copy() if isinstance(value, np.ndarray) else value


def _arrays(returned: Any) -> list[np.ndarray] | None:
    """The arrays and numbers among what a function returned; None when there is none."""
    values = returned if isinstance(returned, tuple) else (returned,)
    arrays = [np.asarray(v) for v in values if isinstance(v, np.ndarray | float | np.floating)]
    return arrays or None


def _same(a: list[np.ndarray] | None, b: list[np.ndarray] | None) -> bool:
    if a is None or b is None or len(a) != len(b):
        return False
    return all(x.shape == y.shape and np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))
