"""Reads the shapes that a docstring promises, and holds a call of the function against them.

A line of Args or Returns such as `w: (F, C, HH, WW) filters.` promises a shape. A letter stands for one size
in the whole docstring; `num_images: N >= 1` says that it is the value of an argument, and an equation in the
text, `H_out = 1 + (H - HH) // stride`, defines it by others. `D = d_1 * ... * d_k` is the product of sizes
that the dots stand for.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

_ENTRY = re.compile(r"^(?P<names>\w+(?:, \w+)*): (?P<text>.*)$")
_SHAPE = re.compile(r"\((?P<axes>[\w *+/.,-]*)\)")
_LIKE = re.compile(r"(?:in )?the shape of (\w+)")
_SYMBOL = re.compile(r"([A-Z]\w*)(?: >=|,)")
_EQUATION = re.compile(r"\b([A-Z]\w*) = ((?:[\w()]+|[ *+/-])+)(?=[,.;\n]|$)")


class ShapeError(AssertionError):
    """A call does not do what the docstring says."""


def sections(doc: str) -> dict[str, dict[str, str]]:
    """{"Args": {"x": "(N, D) rows"}, "Returns": {...}}; the text of an entry may go on in further lines."""
    found: dict[str, dict[str, str]] = {}
    section, entries, indent = None, [], 0
    for line in inspect.cleandoc(doc).splitlines():
        depth = len(line) - len(line.lstrip())
        if re.fullmatch(r"(Args|Returns|Raises):", line):
            section, entries, indent = line[:-1], [], 4
            found[section] = {}
        elif section and line.strip() and depth == 0:
            section = None
        elif section and depth == indent and (match := _ENTRY.match(line.strip())):
            entries = match["names"].split(", ")
            for name in entries:
                found[section][name] = match["text"]
        elif section and depth > indent:
            for name in entries:
                found[section][name] += " " + line.strip()
    return found


def check_call(function: Any, arguments: dict[str, Any], result: Any, known: dict[str, Any]) -> int:
    """Hold arguments and result against the docstring.

    Args:
        function: has the docstring.
        arguments: by name.
        result: what the call gave: a value or a tuple of them, in the docstring's order.
        known: sizes and arrays of calls that went before, by name, and numbers that equations use, such as
            stride. What this call teaches is added.
    Returns:
        how many shapes were compared.
    Raises:
        ShapeError: names the entry, the promise and the shape.
    """
    doc = inspect.getdoc(function) or ""
    parts = sections(doc)
    compared = 0
    for name, text in parts.get("Args", {}).items():
        if isinstance(arguments.get(name), np.ndarray):
            known[name] = arguments[name]
            compared += _compare(name, text, arguments[name], known)
        elif isinstance(arguments.get(name), int):
            known[name] = arguments[name]
            if symbol := _SYMBOL.match(text):
                known[symbol[1]] = arguments[name]
    _define(doc, known)
    results = result if isinstance(result, tuple) else (result,)
    promised = parts.get("Returns", {})
    if len(promised) != len(results):
        raise ShapeError(
            f"{function.__qualname__} returns {len(results)} values, its docstring names {list(promised)}"
        )
    for name, value in zip(promised, results, strict=True):
        if isinstance(value, np.ndarray):
            known[name] = value
            compared += _compare(name, promised[name], value, known)
    return compared


def _compare(name: str, text: str, array: np.ndarray, sizes: dict[str, Any]) -> int:
    shape, like = _SHAPE.search(text), _LIKE.search(text)
    if like and (not shape or like.start() < shape.start()):
        expected = sizes[like[1]].shape
        if array.shape != expected:
            raise ShapeError(f"{name} has shape {array.shape}; promised: that of {like[1]}, {expected}")
        return 1
    if not shape or not text.startswith(shape[0]):
        return 0
    axes = [axis.strip() for axis in shape["axes"].split(",") if axis.strip()]
    if "..." in axes:
        axes = _spread(axes, array.shape, sizes)
    if len(axes) != array.ndim:
        raise ShapeError(f"{name} has shape {array.shape}; promised: {shape[0]}")
    for axis, size in zip(axes, array.shape, strict=True):
        if axis.isidentifier() and axis not in sizes:
            sizes[axis] = size
        if (value := _value(axis, sizes)) != size:
            raise ShapeError(f"{name} has shape {array.shape}; promised: {shape[0]}, and {axis} is {value}")
    return 1


def _spread(axes: list[str], shape: tuple[int, ...], sizes: dict) -> list[str]:
    """(N, d_1, ..., d_k) for an array of any rank: the axes that the dots stand for get their sizes."""
    first = axes.index("...") - 1  # where d_1 stands
    last = len(axes) - axes.index("...") - 2  # axes after d_k
    inner = shape[first : len(shape) - last]
    sizes.setdefault("d", inner)
    return [*axes[:first], *(str(size) for size in sizes["d"]), *axes[len(axes) - last :]]


def _define(doc: str, sizes: dict) -> None:
    """Sizes that the text defines by equations."""
    if "d" in sizes and (
        product := re.search(r"\b([A-Z]) = d_1 \* \.\.\. \* d_k|d_1 \* \.\.\. \* d_k = ([A-Z])", doc)
    ):
        symbol = product[1] or product[2]
        value = int(np.prod(sizes["d"]))
        if sizes.setdefault(symbol, value) != value:
            raise ShapeError(f"{symbol} is {sizes[symbol]}, but d_1 * ... * d_k is {value}")
    for symbol, expression in _EQUATION.findall(doc.replace("\n", " ").replace("  ", " ")):
        try:
            value = _value(expression, sizes)
        except (NameError, SyntaxError):  # it speaks of something else
            continue
        if isinstance(value, int) and sizes.setdefault(symbol, value) != value:
            raise ShapeError(f"{symbol} is {sizes[symbol]}, but the docstring says {symbol} = {expression}")


def _value(expression: str, sizes: dict) -> Any:
    return eval(expression, {"__builtins__": {}}, sizes)
