"""Read a notebook that anybody may have written: what comes out is valid, bounded and of known types.

Whatever a notebook should not hold is left out rather than refused, so that the student's text, code and
plots reach the grader. Only a file that is no notebook at all is `Unreadable`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode

from autograder.plain import plain

MAX_NOTEBOOK = 50_000_000  # characters of the file
MAX_CELLS = 1_000
MAX_SOURCE = 50_000  # characters of a cell
MAX_OUTPUTS = 100  # of a cell
MAX_TEXT = 100_000  # characters of an output
MAX_IMAGE = 8_000_000  # characters of an image in base64
CUT = "\n... the rest was left out ..."

TEXT_TYPES = ("text/plain", "text/html", "text/markdown", "text/latex")
_MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_NO_TEX = str.maketrans("$\\", "＄＼")  # MathJax reads what markdown has made of escaped signs
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Unreadable(ValueError):
    """The file is no notebook; the message says why."""


class SubmissionExporter(NotebookExporter):
    """nbgrader's way from file to file, with a reader that no notebook can upset.

    An unreadable notebook becomes the released one with a note on top: a broken notebook costs the
    answers in it, not the points of the modules.
    """

    def from_filename(self, filename: str, resources: Any = None, **kw: Any) -> Any:
        path, coursedir, names = Path(filename), self.parent.coursedir, resources["nbgrader"]
        first = coursedir.format_path(coursedir.autograded_directory, names["student"], names["assignment"])
        if path.parent == Path(first):  # nbgrader's second pass, over what the first one made
            return super().from_filename(filename, resources=resources, **kw)
        try:
            notebook = read(path)
        except Unreadable as error:
            self.log.warning("%s: %s", plain(str(path)), error)
            notebook = self._released(names)
            text = f"The notebook that was handed in could not be read: {error}. This is the released one."
            notebook.cells.insert(0, note([text]))
        return self.from_notebook_node(notebook, resources=resources, **kw)

    def _released(self, names: dict[str, str]) -> NotebookNode:
        coursedir = self.parent.coursedir
        folder = coursedir.format_path(coursedir.release_directory, ".", names["assignment"])
        path = Path(folder) / f"{names['notebook']}.ipynb"
        return read(path) if path.is_file() else _notebook([])


def read(path: Path) -> NotebookNode:
    """Read a notebook of Jupyter's format 4.

    Raises:
        Unreadable: the file is a link or a pipe, too large, not JSON, or no such notebook.
    """
    if path.is_symlink() or not path.is_file():
        raise Unreadable("it is no regular file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_NOTEBOOK + 1)
        if len(data) > MAX_NOTEBOOK:
            raise Unreadable(f"it is larger than {MAX_NOTEBOOK // 1_000_000} MB")
        raw = json.loads(data)
    except OSError as error:
        raise Unreadable(f"the file cannot be opened ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("it is not JSON") from error
    cells = raw.get("cells") if isinstance(raw, dict) else None
    if not isinstance(cells, list) or raw.get("nbformat") != 4:
        raise Unreadable("it is not a notebook of Jupyter's format 4")
    return _notebook(cells)


def note(lines: list[str]) -> NotebookNode:
    """A markdown cell for the top of a notebook; the lines are shown as they are."""
    lines = [" ".join(plain(line).translate(_NO_TEX).split()) for line in lines]
    items = [re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line) for line in lines]
    source = "**About this submission**\n\n" + "\n".join(f"- {item}" for item in items)
    return nbformat.from_dict({"cell_type": "markdown", "id": _id(None), "metadata": {}, "source": source})


def _notebook(cells: list[Any]) -> NotebookNode:
    readable = [_cell(cell) for cell in cells[:MAX_CELLS] if isinstance(cell, dict)]
    seen = set()
    for cell in readable:
        if cell["id"] in seen:
            cell["id"] = _id(None)
        seen.add(cell["id"])
    return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": readable})


def _cell(raw: dict[str, Any]) -> dict[str, Any]:
    kind = raw.get("cell_type")
    cell = {
        "cell_type": kind if kind in ("code", "markdown") else "raw",
        "id": _id(raw.get("id")),
        "metadata": _metadata(raw.get("metadata")),
        "source": _text(raw.get("source"), MAX_SOURCE),
    }
    if kind == "code":
        outputs = raw.get("outputs")
        outputs = (
            [_output(o) for o in outputs[:MAX_OUTPUTS] if isinstance(o, dict)]
            if isinstance(outputs, list)
            else []
        )
        cell |= {"execution_count": _count(raw.get("execution_count")), "outputs": [o for o in outputs if o]}
    elif kind == "markdown" and isinstance(raw.get("attachments"), dict):
        cell["attachments"] = {
            _text(name, 200): _images(bundle)
            for name, bundle in raw["attachments"].items()
            if _images(bundle)
        }
    return cell


def _metadata(raw: Any) -> dict[str, Any]:
    """Nothing but the label by which the gradebook knows the cell; `RestoreCells` adds the rest."""
    mark = raw.get("nbgrader") if isinstance(raw, dict) else None
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    return {"nbgrader": {"grade_id": name}} if isinstance(name, str) else {}


def _output(raw: dict[str, Any]) -> dict[str, Any] | None:
    kind = raw.get("output_type")
    if kind == "stream":
        name = "stderr" if raw.get("name") == "stderr" else "stdout"
        return {"output_type": kind, "name": name, "text": _text(raw.get("text"), MAX_TEXT)}
    if kind == "error":
        lines = raw.get("traceback")
        lines = [_text(line, 2_000) for line in lines[:200]] if isinstance(lines, list) else []
        names = {key: _text(raw.get(key), 2_000) for key in ("ename", "evalue")}
        return {"output_type": kind, "traceback": lines, **names}
    if kind not in ("display_data", "execute_result") or not isinstance(raw.get("data"), dict):
        return None
    data = {key: _text(raw["data"][key], MAX_TEXT) for key in TEXT_TYPES if key in raw["data"]}
    data |= _images(raw["data"])
    if not data:
        data = {"text/plain": "[an output that pages of plain text and pictures cannot show]"}
    sizes = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    output = {
        "output_type": kind,
        "data": data,
        "metadata": {key: _size(sizes.get(key)) for key in _MAGIC if key in data},
    }
    if kind == "execute_result":
        output["execution_count"] = _count(raw.get("execution_count"))
    return output


def _images(bundle: Any) -> dict[str, str]:
    """The pictures in a bundle of types: PNG and JPEG that begin as such, in clean base64."""
    images = {}
    for kind, magic in _MAGIC.items():
        value = bundle.get(kind) if isinstance(bundle, dict) else None
        if value is None:
            continue
        try:
            data = base64.b64decode("".join(_text(value, MAX_IMAGE).split()), validate=True)
        except (binascii.Error, ValueError):
            continue
        if data.startswith(magic):
            images[kind] = base64.b64encode(data).decode()
    return images


def _size(raw: Any) -> dict[str, int]:
    """Width and height of a picture on the page, where they are sensible."""
    if not isinstance(raw, dict):
        return {}
    return {k: v for k in ("width", "height") if type(v := raw.get(k)) is int and 0 < v < 10_000}


def _count(raw: Any) -> int | None:
    return raw if type(raw) is int and 0 <= raw < 1_000_000 else None


def _id(raw: Any) -> str:
    return raw if isinstance(raw, str) and _CELL_ID.fullmatch(raw) else uuid.uuid4().hex[:8]


def _text(raw: Any, limit: int) -> str:
    """A string or list of strings as one string that can be encoded, cut at the limit."""
    lines = [line for line in raw if isinstance(line, str)] if isinstance(raw, list) else [raw]
    text = "".join(lines) if all(isinstance(line, str) for line in lines) else ""
    text = text if len(text) <= limit else text[:limit] + CUT
    return text.encode("utf-8", "replace").decode()
