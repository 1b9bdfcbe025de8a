"""From the bytes of a notebook to what they hold: encodings, merge conflicts, damaged JSON.

What comes out are notebooks as they stand in the file, of any format: usually one; several where the file is
two documents, or has the two sides of a merge. The first is the one that counts.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any

from autograder.untrusted import TOO_MUCH, holds_too_much

MAX_INNER_BYTES = 40 * 2**20  # of a notebook inside a zip
MAX_ATTEMPTS = 2_000  # to find the beginning of a cell after damage
MAX_DIGITS = 4_000  # of a number; Python refuses to read longer ones
KEPT = "kept"  # in a cell's metadata.handgrad: text that a person should see and nothing else looks at

_CONFLICT = re.compile(r"^(?:<{7}|>{7}|={7}|\|{7})(?:[ \r].*)?$", re.MULTILINE)
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]++|\\.)*+")|,(?:\s*,)+|,(?=\s*[}\]])|(?<=[\[{])(\s*),', re.DOTALL)
_CELLS = re.compile(r'"cells"\s*:\s*\[')
_FIELDS = "attachments|cell_type|collapsed|execution_count|id|input|language|metadata|outputs|source"
_CELL = re.compile(rf'\{{\s*"(?:{_FIELDS})"\s*:')
_SOURCE = re.compile(r'"(?:source|input)"\s*:\s*')
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)("?)', re.DOTALL)
_HUGE = re.compile(rf"\d[eE]\+?\d{{3}}|\d{{{MAX_DIGITS}}}")
_LONG = re.compile(rf"[:,\[]\s*-?\d{{{MAX_DIGITS}}}")
_GAP = re.compile(r"[\s,\[]*")
_LABEL = re.compile(r'"grade_id"\s*:\s*"([^"\\]+)"')


class Unsalvageable(ValueError):
    """There is no notebook in the file; the message is a sentence that says why."""


@dataclass
class Found:
    """Notebooks in a file, what was repaired, in a sentence each after the file's name, and what was cut.

    `damaged` holds the labels of cells that could not be read whole, and is None where all could.
    """

    notebooks: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)
    damaged: set[str] | None = None


def find(content: bytes) -> Found:
    """The notebooks in a file.

    Args:
        content: the file, which anybody may have made.
    Returns:
        at least one notebook; without notes when the file is plain JSON in UTF-8.
    Raises:
        Unsalvageable: there is none.
    """
    notes: list[str] = []
    if content.startswith(b"PK\x03\x04"):
        content = _unzip(content)
        notes.append("was a zip with the notebook in it.")
    if holds_too_much(content):
        raise Unsalvageable(TOO_MUCH)
    text = _decode(content, notes)
    versions = [text]
    if "<<<<<<<" in text and (sides := _sides(text)):
        versions = sides
    found: list[dict[str, Any]] = []
    damaged: set[str] | None = None
    reasons = []
    readings = [_read(version) for version in versions]
    # A side that is JSON as it stands comes before one that has to be pieced together.
    for reading in sorted(readings, key=lambda reading: reading.damaged is not None):
        if reading.notebooks:
            damaged = reading.damaged if not found else damaged
            notes += [line for line in reading.notes if line not in notes and not found]
            found += reading.notebooks
        reasons += reading.notes
    if not found:
        raise Unsalvageable(reasons[0] if reasons else "It is not JSON.")
    if len(versions) > 1:
        which = "the first" if readings[0].notebooks and readings[0].damaged is None else "the readable one"
        notes.append(
            f"had the marks of an unfinished merge in it: of its two versions {which} was taken, and "
            "what differs in the other is kept beside it."
        )
    return Found(found, notes, damaged)


def _unzip(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [
                info
                for info in archive.infolist()
                if info.filename.endswith(".ipynb") and "__MACOSX" not in info.filename
            ]
            if len(names) != 1:
                raise Unsalvageable(
                    f"It is a zip with {len(names)} notebooks in it, and should be one notebook."
                )
            with archive.open(names[0]) as file:
                inner = file.read(MAX_INNER_BYTES + 1)
    except Unsalvageable:
        raise
    except Exception as error:  # zipfile lets through zlib.error, struct.error and others
        raise Unsalvageable("It is a zip that cannot be read.") from error
    if len(inner) > MAX_INNER_BYTES:
        raise Unsalvageable("It is a zip with a notebook that is too large.")
    return inner


def _decode(content: bytes, notes: list[str]) -> str:
    """The text of a file, in whatever encoding an editor may have saved it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.append("was saved in UTF-16.")
        text = content.decode("utf-16", "replace")
    elif content[:2] in (b"{\0", b"[\0") or content[:2] in (b"\0{", b"\0["):
        notes.append("was saved in UTF-16.")
        text = content.decode("utf-16-le" if content[1] == 0 else "utf-16-be", "replace")
    else:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = _other_encoding(content, notes)
        if text.startswith("\ufeff"):
            text = text.lstrip("\ufeff")
            notes.append("began with a byte-order mark.")
    if "\0" in text:
        text = text.replace("\0", "")
        notes.append("had NUL bytes in it, which were taken out.")
    return text


def _other_encoding(content: bytes, notes: list[str]) -> str:
    text = content.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad < sum(c > "\x7f" for c in text) - bad:  # most of it is UTF-8
        notes.append("had bytes in it that are no text: each became a question mark in a diamond.")
        return text
    notes.append("was saved in Latin-1.")
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _sides(text: str) -> list[str]:
    """The two versions of a file with git's conflict markers; none when the markers are no such."""
    ours, theirs, state, conflicts = [], [], "", 0
    position = 0
    for mark in _CONFLICT.finditer(text):
        between = text[position : mark.start()]
        if state in ("", "ours"):
            ours.append(between)
        if state in ("", "theirs"):
            theirs.append(between)
        sign = mark[0][0]
        if sign == "=" and state not in ("ours", "base"):
            ours.append(mark[0])
            theirs.append(mark[0])
        else:
            state = {"<": "ours", "|": "base", "=": "theirs", ">": ""}[sign]
            conflicts += sign == "<"
        position = mark.end()
    rest = text[position:]
    if state in ("", "ours"):
        ours.append(rest)
    if state in ("", "theirs"):
        theirs.append(rest)
    return ["".join(ours), "".join(theirs)] if conflicts else []


def _read(text: str) -> Found:
    """The notebooks of a text, by what needs the least repair; or none, and why."""
    value, error = _loads(text)
    notes = []
    if error is not None:
        value, again = _loads(text, strict=False)
        if again is None:
            notes.append("had line breaks or tabs inside of its texts.")
        else:
            value, again = _loads(_without_spare_commas(text), strict=False)
            if again is None:
                notes.append("had commas too many in it, which were taken out.")
            else:
                if several := _documents(text)[::-1]:
                    what = "had text before or after the notebook in it, which was left out."
                    if len(several) > 1:
                        what = f"had {len(several)} notebooks in it: the last one counts."
                    return Found(several, [what])
                return _recover(text, error)
    if "NaN" in text or "Infinity" in text or _HUGE.search(text):
        value, changed = _finite(value)
        if changed or _LONG.search(text):
            notes.append("had numbers in it that JSON does not have, such as NaN.")
    notebook = _notebook_in(value)
    if notebook is None:
        return Found([], ["It is JSON, but not a notebook of format 4."])
    if notebook is not value:
        notes.append("was packed into other JSON.")
    return Found([notebook], notes)


def _without_spare_commas(text: str) -> str:
    one = _STRING_OR_COMMA.sub(lambda m: m[1] or m[2] or ("," if m[0].count(",") > 1 else ""), text)
    return _STRING_OR_COMMA.sub(lambda m: m[1] or m[2] or "", one)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) < MAX_DIGITS else None


def _loads(text: str, strict: bool = True) -> tuple[Any, ValueError | None]:
    try:
        return json.loads(text, strict=strict, parse_int=_integer), None
    except RecursionError:
        return None, ValueError("it is nested too deeply")
    except ValueError as error:
        return None, error


def _finite(value: Any) -> tuple[Any, bool]:
    """A JSON value with None for the numbers that JSON does not have, and whether there was one."""
    if isinstance(value, dict):
        parts = {key: _finite(inner) for key, inner in value.items()}
        return {key: inner for key, (inner, _) in parts.items()}, any(bad for _, bad in parts.values())
    if isinstance(value, list):
        items = [_finite(inner) for inner in value]
        return [inner for inner, _ in items], any(bad for _, bad in items)
    bad = isinstance(value, float) and not math.isfinite(value)
    return (None if bad else value), bad


def _notebook_in(value: Any, depth: int = 3) -> dict[str, Any] | None:
    """A notebook, or the one inside of a list of one, of Jupyter's answer about a file, or of a string."""
    if isinstance(value, dict):
        if isinstance(value.get("cells"), list) or "worksheets" in value:
            return value
        inner = value.get("content", value.get("notebook"))
    elif isinstance(value, list) and len(value) == 1:
        inner = value[0]
    else:
        inner = _loads(value, strict=False)[0] if isinstance(value, str) and value[:1] in "{[" else None
    return _notebook_in(inner, depth - 1) if inner is not None and depth else None


def _documents(text: str) -> list[dict[str, Any]]:
    """The notebooks in a text that has something before, between or after them."""
    decoder = json.JSONDecoder(strict=False, parse_int=_integer)
    found, position = [], text.find("{")
    for _ in range(20):
        if position < 0:
            break
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            break
        if (notebook := _notebook_in(value)) is not None:
            found.append(_finite(notebook)[0])
        position = text.find("{", end)
    return found


def _recover(text: str, error: ValueError) -> Found:
    """The complete cells of a damaged notebook, and in their places the texts of those that are not."""
    begin = _CELLS.search(text)
    if begin is None:
        reason = "".join(c if c.isprintable() else "?" for c in str(error))[:80]
        return Found([], [f"It is not JSON: {reason}"])
    decoder = json.JSONDecoder(strict=False, parse_int=_integer)
    cells: list[Any] = []
    labels: set[str] = set()
    position, attempts, budget = begin.end(), 0, 20 * len(text) + 1_000_000
    whole = 0
    while (start := _CELL.search(text, position)) and attempts < MAX_ATTEMPTS and budget > 0:
        attempts += 1
        try:
            value, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError) as failed:
            budget -= max(getattr(failed, "pos", len(text)) - start.start(), 0)
            after = _next_cell(text, start.end(), decoder)
            labels |= _fragment(text[start.start() : after], cells)
            position = after
            continue
        if isinstance(value, dict) and "cell_type" in value:
            cells.append(_finite(value)[0])
            whole += 1
        position = end
    if not whole:
        return Found([], ["It is not JSON, and no whole cell is in it."])
    many = "one cell" if whole == 1 else f"{whole} cells"
    note = f"is damaged or was cut off: {many} could be read, and the rest is as it was released."
    version = 3 if '"worksheets"' in text[: begin.start()] else 4
    return Found([{"nbformat": version, "nbformat_minor": 4, "metadata": {}, "cells": cells}], [note], labels)


def _next_cell(text: str, position: int, decoder: json.JSONDecoder) -> int:
    """Where the next whole cell begins, or the end of the text."""
    for attempts, start in enumerate(_CELL.finditer(text, position)):
        if attempts > MAX_ATTEMPTS:
            break
        if '"cell_type"' not in text[start.start() : start.start() + 3_000_000]:
            break
        try:
            value, _ = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and "cell_type" in value:
            return start.start()
    return len(text)


def _fragment(text: str, cells: list[Any]) -> set[str]:
    """Keep the text of a damaged cell in a raw cell; returns the labels in it."""
    source = _SOURCE.search(text)
    lines = _strings(text[source.end() :]) if source else []
    if any(line.strip() for line in lines):
        cells.append({"cell_type": "raw", "metadata": {"handgrad": {KEPT: True}}, "source": "".join(lines)})
    return set(_LABEL.findall(text))


def _strings(text: str) -> list[str]:
    """The string, or the list of strings, with which a piece of JSON begins that may break off anywhere."""
    found, position = [], 0
    while literal := _STRING.match(text, _GAP.match(text, position).end()):
        line, error = _loads(f'"{literal[1]}"', strict=False)
        found.append(line if error is None else literal[1])
        position = literal.end()
        if not text.startswith("["):
            break
    return found
