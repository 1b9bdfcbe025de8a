"""From whatever stands in a notebook's list of cells to cells of format 4 that any program can read."""

from __future__ import annotations

import ast
import json
import re
import warnings
from functools import lru_cache
from typing import Any

import nbformat

from autograder.sandbox.notebook import without_magics

from .text import KEPT, Unsalvageable

MAX_CELLS = 5_000
MAX_PARSED = 50_000  # characters of a cell; what is longer is no code that somebody wrote
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_BOUND = re.compile(r"^(?:async\s+)?(?:def|class)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_TYPES = ("code", "markdown", "raw")


def cells_of(notebook: dict[str, Any], notes: list[str]) -> tuple[list[dict[str, Any]], bool]:
    """A notebook's cells in format 4, each with its type, text, metadata, outputs, and a valid id or none.

    Args:
        notebook: as it stands in the file, of any format; it is not changed.
        notes: gets a sentence, after the file's name, about each kind of repair.
    Returns:
        the cells, and whether they are what stands in the file.
    Raises:
        Unsalvageable: it is no notebook of a known format.
    """
    version = notebook.get("nbformat")
    if version in (1, 2, 3) or ("worksheets" in notebook and "cells" not in notebook):
        raw = _old_cells(notebook, version)
        notes.append(f"was converted from notebook format {version}.")
        converted = True
    else:
        raw, converted = notebook.get("cells"), False
        usable = isinstance(raw, list) and (version == 4 or any(_is_cell(cell) for cell in raw))
        if not usable:
            raise Unsalvageable("It is JSON, but not a notebook of format 4.")
    cells, faults = [], set()
    if version != 4 and not converted:
        faults.add("a format that there is not")
    if len(raw) > MAX_CELLS:
        raise Unsalvageable(f"It has more than {MAX_CELLS:,} cells.")
    for cell in raw:
        if isinstance(cell, str) and cell.strip():
            cell = {"cell_type": "raw", "source": cell}
            faults.add("text outside of cells")
        if isinstance(cell, dict):
            cells.append(_cell(cell, faults))
        else:
            faults.add("things that are no cells")
    seen: set[str] = set()
    for cell in cells:
        if "id" in cell and (not _is_id(cell["id"]) or cell["id"] in seen):
            faults.add("wrong ids")
            del cell["id"]
        seen.add(cell.get("id"))
    if faults:
        notes.append(f"did not keep to the format, which was mended: it had {_listed(sorted(faults))}.")
    return cells, not (faults or converted)


def key_of(text: str) -> str:
    """A cell's text without what editors change by themselves: line ends, and space at the ends of lines."""
    return "\n".join(
        line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ).strip()


@lru_cache(maxsize=2_048)
def bound(source: str) -> frozenset[str]:
    """The names that a code cell defines at its top level, as far as that can be told."""
    tree = parsed(source)
    if tree is None:
        return frozenset(name for pair in _BOUND.findall(source) for name in pair if name)
    names = set()
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            nodes = ast.walk(statement)
            names |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return frozenset(names)


def parsed(source: str) -> ast.Module | None:
    """A code cell's syntax tree, or None when it is not Python."""
    if len(source) > MAX_PARSED:
        return None
    for text in (source, without_magics(source)):
        try:
            with warnings.catch_warnings(action="ignore"):
                return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def is_kept(cell: dict[str, Any]) -> bool:
    """Whether salvage put this cell here so that a person sees its text."""
    about = cell["metadata"].get("handgrad")
    return isinstance(about, dict) and bool(about.get(KEPT))


def kept(text: str) -> dict[str, Any]:
    """A cell that shows a text of the student's to a person; nothing runs or grades it."""
    return {"cell_type": "raw", "metadata": {"handgrad": {KEPT: True}}, "source": text}


def mark_of(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell's nbgrader metadata; empty when it has none."""
    mark = cell["metadata"].get("nbgrader")
    return mark if isinstance(mark, dict) else {}


def label_of(cell: dict[str, Any]) -> str | None:
    """A cell's grade_id."""
    name = mark_of(cell).get("grade_id")
    return name if isinstance(name, str) else None


def _is_cell(cell: Any) -> bool:
    return isinstance(cell, dict) and ("cell_type" in cell or "source" in cell)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _cell(raw: dict[str, Any], faults: set[str]) -> dict[str, Any]:
    kind = raw.get("cell_type")
    if kind not in _TYPES:
        faults.add("cells without a type")
        code = "outputs" in raw or "execution_count" in raw
        kind = "markdown" if kind == "heading" else "code" if code else "raw"
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        faults.add("cells without metadata")
        metadata = {}
    if "nbgrader" in metadata and not isinstance(metadata["nbgrader"], dict):
        faults.add("labels that are none")
        metadata = {key: value for key, value in metadata.items() if key != "nbgrader"}
    cell = {"cell_type": kind, "metadata": metadata, "source": _source(raw, faults)}
    if "id" in raw:
        cell["id"] = raw["id"]
    if kind == "code":
        count = raw.get("execution_count")
        if isinstance(count, str) or type(count) not in (int, type(None)):
            faults.add("execution counts that are no numbers")
            count = int(count) if isinstance(count, str) and re.fullmatch(r"[0-9]{1,6}", count) else None
        outputs = raw.get("outputs")
        if not isinstance(outputs, list) or not all(map(_is_output, outputs)):
            faults.add("missing or wrong outputs")
            outputs = [o for o in outputs if _is_output(o)] if isinstance(outputs, list) else []
        cell |= {"execution_count": count, "outputs": outputs}
    elif isinstance(raw.get("attachments"), dict):
        cell["attachments"] = raw["attachments"]
    return cell


def _is_output(output: Any) -> bool:
    return isinstance(output, dict) and isinstance(output.get("output_type"), str)


def _source(raw: dict[str, Any], faults: set[str]) -> str:
    value = raw["source"] if "source" in raw else raw.get("input", raw.get("text"))
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and all(isinstance(line, str) for line in value):
        text = "".join(value)
    else:
        faults.add("texts that are none")
        lines = value if isinstance(value, list) else [] if value is None else [value]
        text = "".join(
            line if isinstance(line, str) else json.dumps(line) for line in lines if line is not None
        )
    if "\0" in text:
        faults.add("NUL characters")
        text = text.replace("\0", "")
    return text


def _old_cells(notebook: dict[str, Any], version: Any) -> list[Any]:
    """The cells of a notebook of format 1, 2 or 3, in format 4."""
    try:
        with warnings.catch_warnings(action="ignore"):
            text = json.dumps(notebook)
            converted = nbformat.convert(nbformat.reader.reads(text), 4)
        cells = json.loads(json.dumps(converted["cells"]))
        for cell in cells:
            cell.pop("id", None)  # the conversion draws them at random
        return cells
    except Exception:  # an old notebook that is invalid can upset the converter in any way
        sheets = notebook.get("worksheets", [notebook])
        cells = [
            cell
            for sheet in (sheets if isinstance(sheets, list) else [])
            if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
            for cell in sheet["cells"]
            if isinstance(cell, dict)
        ]
        if not cells:
            raise Unsalvageable(f"It is a damaged notebook of format {version}.") from None
        return [{k: v for k, v in cell.items() if k not in ("outputs", "id")} for cell in cells]
