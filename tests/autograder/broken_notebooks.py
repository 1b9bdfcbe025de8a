"""Solved notebooks, and the ways in which they break: by machine, from a seed, and one on top of another.

Each breakage of `CELLS` changes a list of cells as a student, an editor or a service changes it; each of
`FILES` changes the bytes of the file. `judge` compares what salvage made of it with the unbroken solution.
"""

from __future__ import annotations

import ast
import copy
import io
import json
import random
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from autograder.salvage import Salvaged
from autograder.salvage.cells import key_of, mark_of

Cell = dict[str, Any]


@dataclass
class Solved:
    """A solved notebook, and the release it was made from."""

    name: str
    released: bytes = field(repr=False)
    cells: list[Cell] = field(repr=False)
    metadata: dict[str, Any] = field(repr=False)

    def label(self, cell: Cell) -> str | None:
        return mark_of(cell).get("grade_id")

    @property
    def work(self) -> dict[str, str]:
        """What the student wrote, by grade_id."""
        return {self.label(c): c["source"] for c in self.cells if mark_of(c).get("solution")}


def solved(source: Path, released: Path) -> Solved:
    """Fill the released notebook's exercises with the source notebook's solutions."""
    answers = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nbformat.read(source, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    content = released.read_bytes()
    notebook = json.loads(content)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if mark_of(cell).get("solution"):
            lines = answers[cell["metadata"]["nbgrader"]["grade_id"]].split("\n")
            kept = [line for line in lines if not line.strip().startswith(("### BEGIN", "### END"))]
            cell["source"] = "\n".join(kept)
    return Solved(source.stem, content, notebook["cells"], notebook["metadata"])


@dataclass
class Broken:
    """A broken notebook. `about` names the breakages; `gone` the exercises whose text they took away."""

    cells: list[Cell]
    metadata: dict[str, Any]
    about: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    format: tuple[int, int] = (4, 5)
    indent: int | None = 1
    lists: bool = True  # sources as lists of lines
    other: bytes | None = None
    prose: frozenset[str] = frozenset()  # texts of the released cells without labels


def exercises(broken: Broken, code: bool | None = None) -> list[int]:
    """Where cells with work in them are."""
    return [
        n
        for n, c in enumerate(broken.cells)
        if mark_of(c).get("solution") and code in (None, c["cell_type"] == "code")
    ]


def tests(broken: Broken) -> list[int]:
    return [n for n, c in enumerate(broken.cells) if mark_of(c) and not mark_of(c).get("solution")]


def plain(cell: Cell, source: str) -> Cell:
    """A cell without label or id, as an editor makes it."""
    new = {"cell_type": cell["cell_type"], "metadata": {}, "source": source}
    return new | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})


def split(broken: Broken, r: random.Random) -> None:
    places = [n for n in exercises(broken) if len(broken.cells[n]["source"].split("\n")) > 2]
    if not places:
        return
    place = r.choice(places)
    lines = broken.cells[place]["source"].split("\n")
    at = r.randrange(1, len(lines))
    broken.cells[place]["source"] = "\n".join(lines[:at])
    rest = plain(broken.cells[place], "\n".join(lines[at:]))
    if r.random() < 0.2:
        rest["metadata"] = copy.deepcopy(broken.cells[place]["metadata"])
    broken.cells.insert(place + 1, rest)


def merge(broken: Broken, r: random.Random) -> None:
    places = [
        n
        for n in exercises(broken)
        for m in (n + 1,)
        if m < len(broken.cells) and broken.cells[m]["cell_type"] == broken.cells[n]["cell_type"]
    ]
    before = [
        n - 1
        for n in exercises(broken)
        if n and broken.cells[n - 1]["cell_type"] == broken.cells[n]["cell_type"]
    ]
    if places + before:
        place = r.choice(places + before)
        first, second = broken.cells[place], broken.cells.pop(place + 1)
        first["source"] = f"{first['source']}{r.choice([chr(10), 2 * chr(10)])}{second['source']}"


def move(broken: Broken, r: random.Random) -> None:
    place = r.choice(exercises(broken) + tests(broken) or [0])
    cell = broken.cells.pop(place)
    broken.cells.insert(r.randrange(len(broken.cells) + 1), cell)


def duplicate(broken: Broken, r: random.Random) -> None:
    """A copy with the label, as it was, or as it was released, before or after."""
    place = r.choice(exercises(broken) + tests(broken) or [0])
    twin = copy.deepcopy(broken.cells[place])
    if r.random() < 0.5:
        twin.pop("id", None)
    broken.cells.insert(r.randrange(len(broken.cells) + 1), twin)


def duplicate_stub(broken: Broken, r: random.Random) -> None:
    """The released cell once more, before or after the solved one."""
    place = r.choice(exercises(broken) or [-1])
    if place < 0:
        return
    twin = copy.deepcopy(broken.cells[place])
    twin["source"] = RELEASED.get(mark_of(twin).get("grade_id"), "")
    twin.pop("id", None)
    broken.cells.insert(r.randrange(len(broken.cells) + 1), twin)


def delete(broken: Broken, r: random.Random) -> None:
    place = r.choice(exercises(broken) + tests(broken) or [0])
    cell = broken.cells.pop(place)
    name = mark_of(cell).get("grade_id")
    others = [c["source"] for c in broken.cells if mark_of(c).get("grade_id") == name]
    if name and any(source not in (RELEASED.get(name), cell["source"]) for source in others):
        broken.cells.insert(place, cell)  # a part of an answer: nobody could know that it is missing
    elif name and all(source == RELEASED.get(name) for source in others):
        broken.gone.add(name)


def relabel(broken: Broken, r: random.Random) -> None:
    place = r.choice(exercises(broken) + tests(broken) or [0])
    mark = mark_of(broken.cells[place])
    if mark:
        mark["grade_id"] = r.choice(["cell-1234567", "", "my_answer", 7])


def swap_labels(broken: Broken, r: random.Random) -> None:
    places = exercises(broken) if r.random() < 0.7 else exercises(broken) + tests(broken)
    if len(places) > 1:
        a, b = (broken.cells[n]["metadata"] for n in r.sample(places, 2))
        a["nbgrader"], b["nbgrader"] = b["nbgrader"], a["nbgrader"]


def change_roles(broken: Broken, r: random.Random) -> None:
    place = r.choice(exercises(broken) or [0])
    mark = mark_of(broken.cells[place])
    if mark:
        mark |= {"grade": True, "solution": False, "locked": True}


def lose_labels(broken: Broken, r: random.Random) -> None:
    """Through Colab or cell by cell into a new notebook: neither labels nor ids."""
    for number, cell in enumerate(broken.cells):
        cell["metadata"] = {"id": f"x{number:03}"} if r.random() < 0.5 else {}
        cell.pop("id", None)
    broken.format = (4, 0)


def lose_some_labels(broken: Broken, r: random.Random) -> None:
    for cell in broken.cells:
        if r.random() < 0.3:
            cell["metadata"].pop("nbgrader", None)
            cell.pop("id", None)


def change_type(broken: Broken, r: random.Random) -> None:
    place = r.choice(exercises(broken) + tests(broken) or [0])
    cell = broken.cells[place]
    cell["cell_type"] = r.choice([t for t in ("code", "markdown", "raw") if t != cell["cell_type"]])
    if cell["cell_type"] == "code":
        cell |= {"outputs": [], "execution_count": None}
    elif r.random() < 0.5:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def into_the_test(broken: Broken, r: random.Random) -> None:
    """The work is written into the locked cell beside it, and its own cell is as it was released."""
    places = [n for n in exercises(broken) if n + 1 < len(broken.cells)]
    places = [
        (n, m)
        for n in places
        for m in ((n + 1) if broken.cells[n]["cell_type"] == "code" else n - 1,)
        if m >= 0 and mark_of(broken.cells[m]).get("locked")
    ]
    if places:
        n, m = r.choice(places)
        work, other = broken.cells[n], broken.cells[m]
        texts = [work["source"], other["source"]]
        other["source"] = "\n".join(texts if m > n else texts[::-1])
        work["source"] = RELEASED.get(mark_of(work).get("grade_id"), "")


def into_a_new_cell(broken: Broken, r: random.Random) -> None:
    places = exercises(broken)
    if places:
        place = r.choice(places)
        work = broken.cells[place]
        broken.cells.insert(place + 1, plain(work, work["source"]))
        work["source"] = RELEASED.get(mark_of(work).get("grade_id"), "")


def scratch(broken: Broken, r: random.Random) -> None:
    """Cells of the student's own, which belong to nothing."""
    for _ in range(r.randrange(1, 4)):
        kind = r.choice(["code", "markdown"])
        text = (
            r.choice(["print(1)", "x = 1\nx", "%timeit 1"]) if kind == "code" else "# My notes\n\nread again"
        )
        cell = plain({"cell_type": kind}, text)
        broken.cells.insert(r.randrange(len(broken.cells) + 1), cell)


def touch_tests(broken: Broken, r: random.Random) -> None:
    place = r.choice(tests(broken) or [0])
    lines = broken.cells[place]["source"].split("\n")
    lines.insert(r.randrange(len(lines) + 1), "print('here')")
    broken.cells[place]["source"] = "\n".join(lines)


def colab(broken: Broken, r: random.Random) -> None:
    for number, cell in enumerate(broken.cells):
        cell["metadata"] |= {
            "id": f"aB{number}",
            "colab": {"base_uri": "https://localhost"},
            "cellView": "form",
        }
        cell.pop("id", None)
    broken.metadata |= {"colab": {"provenance": [], "toc_visible": True}, "accelerator": "GPU"}
    broken.format, broken.indent = (4, 0), 2


def editors(broken: Broken, r: random.Random) -> None:
    for cell in broken.cells:
        cell["metadata"] |= {"vscode": {"languageId": "python"}, "jupyter": {"source_hidden": False}}
        cell["metadata"]["tags"] = ["graded"]
    broken.lists = r.random() < 0.5


def fields(broken: Broken, r: random.Random) -> None:
    """Missing and wrong fields."""
    for cell in broken.cells:
        if r.random() < 0.2:
            what = r.randrange(6)
            if what == 0 and not mark_of(cell):
                del cell["metadata"]
            elif what == 1 and cell["cell_type"] == "code":
                cell.pop("outputs", None)
            elif what == 2 and cell["cell_type"] == "code":
                cell["execution_count"] = r.choice(["3", "*", [], 2.5])
            elif what == 3:
                cell["id"] = r.choice(["", "no id!", 7, None, "x" * 99, "same"])
            elif what == 4:
                cell.pop("id", None)
            elif what == 5 and not mark_of(cell) and cell["source"] in broken.prose:
                cell["source"] = r.choice([None, 5, [None, "a"], {"a": 1}])
    if r.random() < 0.3:
        broken.cells.insert(r.randrange(len(broken.cells)), r.choice([None, 5, "text", [], {}]))
    for cell in broken.cells:
        if isinstance(cell, dict) and r.random() < 0.05:
            cell.pop("cell_type", None)


CELLS = [
    split, merge, move, duplicate, duplicate_stub, delete, relabel, swap_labels, change_roles, lose_labels,
    lose_some_labels, change_type, into_the_test, into_a_new_cell, scratch, touch_tests, colab, editors,
]  # fmt: skip
RELEASED: dict[str, str] = {}  # sources of the exercises as they were released, by grade_id


def written(broken: Broken) -> bytes:
    """The file that Jupyter would have written."""
    cells = copy.deepcopy(broken.cells)
    for cell in cells:
        if isinstance(cell, dict) and isinstance(cell.get("source"), str) and broken.lists:
            cell["source"] = cell["source"].splitlines(keepends=True)
    whole = {"cells": cells, "metadata": broken.metadata}
    whole |= {"nbformat": broken.format[0], "nbformat_minor": broken.format[1]}
    return (json.dumps(whole, indent=broken.indent, ensure_ascii=False, sort_keys=True) + "\n").encode()


def utf8_mark(data: bytes, r: random.Random) -> bytes:
    return b"\xef\xbb\xbf" + data


def utf16(data: bytes, r: random.Random) -> bytes:
    return data.decode("utf-8", "replace").encode(r.choice(["utf-16", "utf-16-le", "utf-16-be"]))


def latin1(data: bytes, r: random.Random) -> bytes:
    """What Latin-1 cannot hold is escaped, as JSON allows."""
    text = data.decode("utf-8", "replace")
    return "".join(c if c < "\xff" else json.dumps(c)[1:-1] for c in text).encode("latin-1")


def crlf(data: bytes, r: random.Random) -> bytes:
    data = data.replace(b"\n", b"\r\n")
    return data.replace(b"\\n", b"\\r\\n") if r.random() < 0.5 else data


def nuls(data: bytes, r: random.Random) -> bytes:
    at = r.randrange(len(data))
    while data[at] & 0xC0 == 0x80 or data[at - 1 : at] == b"\\":
        at -= 1
    return data[:at] + b"\0" * r.randrange(1, 50) + data[at:] + b"\0" * 100


def cut(data: bytes, r: random.Random) -> bytes:
    return data[: r.randrange(len(data) // 4, len(data))]


def garbage(data: bytes, r: random.Random) -> bytes:
    return data.rstrip() + r.choice([b"}", b"]}", b"\n\nuploaded by me\n", b", ", b'"', b"\xff" * 4, b"{}"])


def prefix(data: bytes, r: random.Random) -> bytes:
    return r.choice([b"\n\n", b"Here is my notebook:\n", b"\x1b[0m", b"// "]) + data


def commas(data: bytes, r: random.Random) -> bytes:
    text = data.decode()
    places = [m.start() for m in re.finditer(r"\n\s*[}\]]", text)]
    for place in sorted(r.sample(places, min(3, len(places))), reverse=True):
        text = text[:place] + "," + text[place:]
    return text.encode()


def not_a_number(data: bytes, r: random.Random) -> bytes:
    numbers = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5_000]
    return data.replace(b'"metadata": {}', b'"metadata": {"loss": ' + r.choice(numbers) + b"}")


def two_documents(data: bytes, r: random.Random) -> bytes:
    return data + r.choice([b"", b"\n", b","]) + data


def packed(data: bytes, r: random.Random) -> bytes:
    what = r.randrange(3)
    if what == 0:
        with zipfile.ZipFile(archive := io.BytesIO(), "w") as file:
            file.writestr("work/notebook.ipynb", data)
        return archive.getvalue()
    try:
        value = json.loads(data)
    except ValueError:
        return data
    wrapped = [value] if what == 1 else {"name": "x", "type": "notebook", "content": value}
    return json.dumps(wrapped).encode()


def old_format(data: bytes, r: random.Random) -> bytes:
    notebook = json.loads(data)
    version = r.choice([2, 3])
    for cell in notebook["cells"]:
        source = cell.pop("source", "")
        if version == 2 and isinstance(source, list):  # its lines had no ends
            source = [line.removesuffix("\n").removesuffix("\r") for line in source]
        if cell.get("cell_type") == "code":
            cell |= {"input": source, "language": "python", "collapsed": False, "outputs": []}
            cell["prompt_number"] = cell.pop("execution_count", None)
        else:
            cell["source"] = source
        cell.pop("id", None)
    if version == 2:
        for cell in notebook["cells"]:
            cell.pop("metadata", None)
    old = {"nbformat": version, "nbformat_minor": 0, "metadata": {"name": ""}}
    return json.dumps(old | {"worksheets": [{"cells": notebook["cells"]}]}, indent=1).encode()


def conflict(data: bytes, r: random.Random) -> bytes:
    """A merge that was not finished: one side has other texts in some cells."""
    lines = data.decode().split("\n")
    places = [n for n, line in enumerate(lines) if re.match(r'\s+"[^"]+\\n",$', line)]
    style = r.random() < 0.3
    for place in sorted(r.sample(places, min(r.randrange(1, 4), len(places))), reverse=True):
        mine, theirs = [lines[place]], [lines[place].replace('",', ' theirs",')]
        base = ["||||||| base", *mine] if style else []
        lines[place : place + 1] = ["<<<<<<< HEAD", *mine, *base, "=======", *theirs, ">>>>>>> theirs"]
    return "\n".join(lines).encode()


FILES = [  # in the order in which they are applied
    old_format, not_a_number, crlf, commas, conflict, two_documents, prefix, garbage, latin1, utf8_mark,
    utf16, cut, nuls, packed,
]  # fmt: skip


def break_notebook(notebook: Solved, r: random.Random, count: int) -> tuple[bytes, list[str], set[str]]:
    """Break a notebook in several ways; returns the file, the ways' names, and what was deleted."""
    RELEASED.clear()
    for cell in json.loads(notebook.released)["cells"]:
        if mark_of(cell).get("solution"):
            RELEASED[mark_of(cell)["grade_id"]] = "".join(cell["source"])
    prose = frozenset(c["source"] for c in notebook.cells if not mark_of(c))
    broken = Broken(copy.deepcopy(notebook.cells), dict(notebook.metadata), prose=prose)
    ways = r.sample([*CELLS, fields, *FILES], count)
    ways.sort(key=[*CELLS, fields, *FILES].index)
    for way in ways:
        if way in CELLS or way is fields:
            way(broken, r)
    data = written(broken)
    for way in ways:
        if way in FILES and not (way is old_format and fields in ways):
            data = way(data, r)
    return data, [way.__name__ for way in ways], broken.gone


def _tight(text: str) -> str:
    """A cell's text without blank lines, which merging and joining cells adds."""
    return "\n".join(line for line in key_of(text).split("\n") if line)


def _says(source: str) -> str:
    """What code does: its syntax tree, without comments."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def judge(notebook: Solved, salvaged: Salvaged, gone: set[str]) -> tuple[str, list[str]]:
    """What became of a broken notebook: "graded", "repaired", "person" or "wrong", and why it is wrong.

    Wrong is work of the student's that has vanished without a word, or stands where another's belongs.
    """
    result = json.loads(salvaged.content)
    by_label: dict[str, list[Cell]] = {}
    for cell in result["cells"]:
        by_label.setdefault(mark_of(cell).get("grade_id"), []).append(cell)
    everything = "\n".join(_tight("".join(c["source"])) for c in result["cells"])
    said = " ".join(salvaged.notes)
    doubts = set(result["metadata"].get("handgrad", {}).get("person", []))
    wrong, person = [], False
    released = {mark_of(c).get("grade_id"): c for c in json.loads(notebook.released)["cells"]}
    for cell in notebook.cells:
        name = notebook.label(cell)
        if name is None:
            continue
        found = by_label.get(name, [])
        if len(found) != 1:
            wrong.append(f"{name} is there {len(found)} times")
            continue
        if found[0]["cell_type"] != cell["cell_type"]:
            wrong.append(f"{name} is of type {found[0]['cell_type']}")
        text, right = _tight("".join(found[0]["source"])), _tight(cell["source"])
        if text == right or (cell["cell_type"] == "code" and _says(text) == _says(right)):
            continue
        if not mark_of(cell).get("solution"):
            if text != _tight("".join(released[name]["source"])):
                wrong.append(f"{name} is not as released")
            continue
        given = _tight("".join(released[name]["source"])).split("\n")
        end = right.removeprefix(text) if _says(text) != text else right
        if end != right and all(line in given for line in end.strip("\n").split("\n")):
            continue  # it is whole but for lines at its end that everybody got
        if name in gone and text in ("", _tight(RELEASED[name])):
            continue
        others = [n for n, w in notebook.work.items() if n != name and _tight(w) == text != right]
        if others and name not in doubts and (cell["cell_type"] == "code" or name not in said):
            wrong.append(f"{name} has the text of {others[0]}")
        lost = [line for line in right.split("\n") if line.strip() and line.strip() not in everything]
        if lost and name not in said and "could be read" not in said and "no text" not in said:
            wrong.append(f"{name} has lost {lost[0]!r} without a note")
        elif name not in doubts and name not in said and cell["cell_type"] == "code":
            wrong.append(f"{name} is not what it was, and nothing says so: {text!r}")
        person = True
    if wrong:
        return "wrong", wrong
    if person or doubts:
        return "person", []
    return ("repaired" if salvaged.notes else "graded"), []
