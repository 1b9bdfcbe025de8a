"""Salvage: a notebook that came broken is aligned with the released one, so that the work in it counts.

A notebook in which each exercise has one cell, with its label, is left as it is, byte for byte. Otherwise
`salvage` writes one in which it has, and says what was repaired:
- `text` finds the notebook in the file, whatever encoding, merge or accident made of it;
- `cells` mends its cells' fields;
- `align` decides which cell is which.

It is a function of the file and the release alone, and salvaging its result changes nothing. No text of a
student's is thrown away: what counts for nothing stays as a cell without a label, or a raw one that nothing
runs. Where it is not clear what counts, the question goes to a person.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .align import Piece, Release, Slot, align, left_over, pieces_of, unmerge
from .cells import bound, cells_of, is_kept, kept, key_of, label_of, mark_of, parsed
from .names import same_notebook
from .text import Unsalvageable, find

__all__ = ["FOR_A_PERSON", "Salvaged", "Unsalvageable", "all_questions", "choose", "salvage", "same_notebook"]

FOR_A_PERSON = (
    "The notebook came damaged or changed, and it is not certain which code belongs to this question: "
    "a person grades it."
)
MOST_TURNS = 5
MOST_NAMES = 6  # of cells in a note
_ROLE = ("grade_id", "grade", "solution")


@dataclass(frozen=True)
class Salvaged:
    """A notebook that can be graded.

    `person` has the grade_ids of automatic questions that a person grades if they do not earn everything.
    """

    content: bytes
    notes: tuple[str, ...] = ()
    person: tuple[str, ...] = ()


def salvage(content: bytes, released: bytes, name: str, others: Sequence[bytes] = ()) -> Salvaged:
    """Make a notebook that can be graded of what was handed in.

    Args:
        content: the file as it came.
        released: the notebook that students got.
        name: of the file, for the notes.
        others: other versions of the file: what differs in them is kept for a person.
    Returns:
        the same bytes when there is nothing to repair.
    Raises:
        Unsalvageable: there is no notebook in the file.
    """
    try:
        return _salvage(content, released, name, others)
    except RecursionError:
        raise Unsalvageable("It is nested too deeply.") from None


def _salvage(content: bytes, released: bytes, name: str, others: Sequence[bytes]) -> Salvaged:
    release = _release(released)
    found = find(content)
    notes = list(found.notes)
    cells, same = cells_of(found.notebooks[0], notes)
    metadata = found.notebooks[0].get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    doubts = _former_doubts(metadata, release)
    work = _Rebuilding(release, cells, found.damaged, notes, set(doubts))
    if work.cells != cells:
        work = work.settled(notes)
    for version in [*found.notebooks[1:], *_readable(others)]:
        work.add_version(version)
    if same and not found.notes and work.cells == cells and work.doubts == doubts:
        return Salvaged(content, _told(notes, name), _questions(doubts, release))
    metadata = metadata or json.loads(released)["metadata"]
    metadata.pop("handgrad", None)
    if work.doubts:
        metadata["handgrad"] = {"person": sorted(work.doubts)}
    notebook = {
        "cells": _with_ids(work.cells, release),
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=True) + "\n"
    return Salvaged(text.encode("utf-8", "replace"), _told(notes, name), _questions(work.doubts, release))


def _readable(files: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """The notebooks in those files that hold one."""
    for content in files:
        with suppress(Unsalvageable):
            yield from find(content).notebooks


def choose(
    cells: list[dict[str, Any]], released: dict[str, dict[str, Any]], given: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Which cell of a submission is which of the released cells with labels, by grade_id.

    This is how `salvage` decides, for a notebook that did not go through it.

    Args:
        cells: of the submission.
        released: the released cells, by grade_id.
        given: all cells of the source notebook; those without a label are prose and code that students got.
    """
    whole = [released.get(label_of(cell)) or cell for cell in given if label_of(cell) in {None, *released}]
    absent = [cell for name, cell in released.items() if name not in {label_of(c) for c in given}]
    release = Release([*whole, *absent])
    pieces = pieces_of(cells, release)
    chosen = align(pieces, release).chosen
    return {name: piece.cell for name, piece in chosen.items() if piece in pieces}


def all_questions(released: bytes) -> tuple[str, ...]:
    """The automatic questions that code in the notebook may decide, for one that cannot be read at all."""
    release = _release(released)
    return _questions({slot.name for slot in release.solutions}, release)


@lru_cache(maxsize=64)
def _release(content: bytes) -> Release:
    return Release(cells_of(json.loads(content), [])[0])


def _told(notes: list[str], name: str) -> tuple[str, ...]:
    return tuple(f"{name} {note}" if note[0].islower() else f"{name}: {note}" for note in notes)


def _former_doubts(metadata: dict[str, Any], release: Release) -> set[str]:
    """Doubts that an earlier salvage wrote into the notebook; what else stands there means nothing."""
    about = metadata.get("handgrad")
    names = about.get("person") if isinstance(about, dict) else None
    names = names if isinstance(names, list) else []
    return {name for name in names if isinstance(name, str) and name in release.named}


def _questions(doubts: set[str], release: Release) -> tuple[str, ...]:
    """The automatic questions that the solutions in doubt may decide: those up to the next solution."""
    found = []
    for name in sorted(doubts):
        mine: list[str] = []
        for slot in release.slots[release.named[name].index + 1 :]:
            if slot.locked and mark_of(slot.cell).get("grade"):
                mine.append(slot.name)
            elif slot.solution and slot.is_code and mine:
                break
        found += mine if release.named[name].is_code else []
    return tuple(dict.fromkeys(found))


class _Rebuilding:
    """Puts the cells of one submission in order. `cells` is the result, `doubts` the labels for a person."""

    def __init__(
        self,
        release: Release,
        cells: list[dict[str, Any]],
        damaged: set[str] | None,
        notes: list[str],
        doubts: set[str],
    ):
        self.release, self.notes, self.doubts = release, notes, set(doubts)
        pieces, cuts = unmerge(pieces_of(cells, release), release)
        self.alignment = align(pieces, release)
        notes += [*cuts, *self.alignment.notes]
        self.doubts |= self.alignment.doubts
        self.cells: list[dict[str, Any]] = []
        self._of_slot: dict[int, dict[str, Any]] = {}  # the cell of each released one, by its place there
        self._found_elsewhere: dict[str, str] = {}  # by label, work that stood in a locked cell
        self._below = {
            name: text
            for name, piece in self.alignment.chosen.items()
            if (text := self._changed(release.named[name], piece))
        }
        self._put_in_order(pieces)
        self._fill(damaged)
        unclear = left_over(self.alignment, release) - self.doubts
        if unclear:
            self.doubts |= unclear
            notes.append(
                f"Work of {_listed(sorted(unclear))} may stand in a cell without a label: a person decides."
            )

    def settled(self, notes: list[str]) -> _Rebuilding:
        """The same, put in order until nothing changes: what was put back tells where others belong."""
        work = self
        for _ in range(MOST_TURNS):
            cells = _with_ids(work.cells, self.release)  # two cells with one id are told apart from here on
            again = _Rebuilding(self.release, cells, None, notes, work.doubts)
            if again.cells == cells and again.doubts == work.doubts:
                break
            work = again
        return work

    def _changed(self, slot: Slot, piece: Piece) -> str:
        """What a student wrote into a cell that must not be changed; it may be the work of the next one."""
        if not slot.locked or piece.exact is slot:
            return ""
        given = {line.strip() for line in slot.key.split("\n")}
        added = "\n".join(line for line in piece.key.split("\n") if line.strip() not in given)
        if not added:
            self.notes.append(f"The cell {slot.name} must not be changed: it is as it was released.")
            return ""
        self.notes.append(
            f"The cell {slot.name} must not be changed: it is as it was released, and what stood there is "
            "kept below it."
        )
        for exercise in self.release.before(slot) if slot.is_code else self.release.after(slot):
            if exercise.answered(self.alignment.chosen.get(exercise.name)):
                continue
            if not exercise.is_code or (exercise.own <= bound(added) and parsed(added) is not None):
                self._found_elsewhere[exercise.name] = added
                self.notes.append(f"What was added in {slot.name} counts as the work of {exercise.name}.")
            else:
                self.doubts.add(exercise.name)
            break
        return piece.source

    def _put_in_order(self, pieces: list[Piece]) -> None:
        """The submission's cells in their order, those that count in their roles and the others without."""
        alignment, named = self.alignment, self.release.named
        roles = {id(piece): named[name] for name, piece in alignment.chosen.items()}
        left_out = {id(p) for parts in alignment.joined.values() for p in parts[1:]}
        for name, spare in alignment.spare.items():  # what says no more than was released
            left_out |= {id(p) for p in spare if not named[name].answered(p)} - roles.keys()
        relabelled, retyped, strange = [], [], False
        for piece in pieces:
            slot = roles.get(id(piece))
            if slot is not None:
                relabelled += [slot.name] if not _has_role(piece.cell, slot) else []
                retyped += [slot.name] if piece.cell["cell_type"] != slot.cell["cell_type"] else []
                cell = self._settled(piece, slot)
                self.cells.append(cell)
                if slot.name in self._below:
                    self.cells.append(kept(self._below[slot.name]))
            elif id(piece) not in left_out:
                cell, strange = _without_label(piece.cell), strange or _is_strange(piece)
                self.cells.append(cell)
            if (slot or piece.near) and id(piece) not in left_out:
                self._of_slot.setdefault((slot or piece.near).index, cell)
        if relabelled:
            self.notes.append(f"{_named(relabelled)} had lost or changed the label, which was put back.")
        if retyped:
            self.notes.append(f"{_named(retyped)} had become of another type, which was put back.")
        if any(id(p) in left_out and p.label is not None for s in alignment.spare.values() for p in s):
            self.notes.append("Cells that said no more than the released ones, a second time, were left out.")
        if strange:
            self.notes.append("Labels that are not this notebook's were taken off.")

    def _settled(self, piece: Piece, slot: Slot) -> dict[str, Any]:
        """A cell in its released role; what it says stays, unless it is locked."""
        cell, kind = dict(piece.cell), slot.cell["cell_type"]
        if not _has_role(cell, slot):
            cell["metadata"] = {**cell["metadata"], "nbgrader": copy.deepcopy(mark_of(slot.cell))}
        if slot.locked and piece.exact is not slot:
            cell["source"] = slot.cell["source"]
        if parts := self.alignment.joined.get(slot.name):
            cell["source"] = ("\n" if slot.is_code else "\n\n").join(part.source for part in parts)
        cell["source"] = self._found_elsewhere.get(slot.name, cell["source"])
        if cell["cell_type"] != kind:
            left = ("attachments",) if kind == "code" else ("outputs", "execution_count")
            cell = {key: value for key, value in cell.items() if key not in left} | {"cell_type": kind}
            cell |= {"execution_count": None, "outputs": []} if kind == "code" else {}
        return cell

    def _fill(self, damaged: set[str] | None) -> None:
        """Put in what is missing: as it was released, or nothing for an answer that cannot be read."""
        missing, lost, unwritten = [], [], []
        for name, slot in self.release.named.items():
            if slot.index in self._of_slot:
                untouched = key_of(self._of_slot[slot.index]["source"]) == slot.key
                if damaged is not None and slot.solution and untouched:
                    unwritten.append(name)
                continue
            cell = copy.deepcopy(slot.cell)
            cell.pop("id", None)
            if name in self._found_elsewhere:
                cell["source"] = self._found_elsewhere[name]
            elif name in self.alignment.chosen:
                cell["source"] = self.alignment.chosen[name].source
            elif damaged is not None and slot.solution:
                lost.append(name)
                cell["source"] = slot.cell["source"] if slot.is_code else ""
            else:
                missing.append(name)
            self._insert(slot, cell)
        if lost:
            self.doubts |= set(lost)
            self.notes.append(f"What stood in {_listed(lost)} could not be read: a person decides.")
        if unwritten:  # the work may have stood elsewhere, below a copy or in another cell
            self.doubts |= set(unwritten)
            self.notes.append(
                f"{_named(unwritten)} is as released, but work may have stood in what could not be read: "
                "a person decides."
            )
        if missing and damaged is None:
            verb = "was missing, and is" if len(missing) == 1 else "were missing, and are"
            self.notes.append(f"{_named(missing)} {verb} there as released.")

    def _insert(self, slot: Slot, cell: dict[str, Any]) -> None:
        """Put a cell below the nearest released one above it."""
        above = next((self._of_slot[i] for i in range(slot.index - 1, -1, -1) if i in self._of_slot), None)
        position = next((n + 1 for n, other in enumerate(self.cells) if other is above), 0)
        while position and position < len(self.cells) and is_kept(self.cells[position]):
            position += 1
        self.cells.insert(position, cell)
        self._of_slot[slot.index] = cell

    def add_version(self, notebook: dict[str, Any]) -> None:
        """Take from another version of the notebook what this one lacks; what differs is kept beside it."""
        try:
            cells, _ = cells_of(notebook, [])
        except Unsalvageable:
            return
        pieces, _ = unmerge(pieces_of(cells, self.release), self.release)
        theirs = align(pieces, self.release)
        here = {key_of(cell["source"]) for cell in self.cells}
        taken, differing = [], []
        for slot in self.release.solutions:
            piece = theirs.chosen.get(slot.name)
            if not slot.answered(piece):
                continue
            cell = self._of_slot[slot.index]
            parts = theirs.joined.get(slot.name, [piece])
            source = ("\n" if slot.is_code else "\n\n").join(part.source for part in parts)
            mine = key_of(cell["source"])
            if mine in ("", slot.key):
                cell["source"] = source
                taken.append(slot.name)
                here.update(part.key for part in parts)
                self.doubts.discard(slot.name)
            elif mine != key_of(source):
                position = next(n for n, other in enumerate(self.cells) if other is cell)
                self.cells.insert(position + 1, kept(source))
                differing.append(slot.name)
                here.update(part.key for part in parts)
        for piece in pieces:
            if piece.near is None and piece.key and piece.key not in here and not self._is_released(piece):
                self.cells.append(kept(piece.source))
                here.add(piece.key)
        if taken:
            self.notes.append(f"{_named(taken)} was only worked on in the other version, which counts there.")
        if differing:
            self.doubts |= set(differing)
            self.notes.append(
                f"{_named(differing)} differed in the other version, which is kept below: a person decides."
            )

    def _is_released(self, piece: Piece) -> bool:
        return any(piece.key == slot.key for slot in self.release.solutions)


def _has_role(cell: dict[str, Any], slot: Slot) -> bool:
    mark, released = mark_of(cell), mark_of(slot.cell)
    return all(mark.get(key) == released.get(key) for key in _ROLE)


def _without_label(cell: dict[str, Any]) -> dict[str, Any]:
    if "nbgrader" not in cell["metadata"]:
        return cell
    return {**cell, "metadata": {key: v for key, v in cell["metadata"].items() if key != "nbgrader"}}


def _is_strange(piece: Piece) -> bool:
    return piece.label is None and "nbgrader" in piece.cell["metadata"]


def _listed(names: list[str]) -> str:
    if len(names) > MOST_NAMES:
        names = [*names[: MOST_NAMES - 1], f"{len(names) - MOST_NAMES + 1} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _named(names: list[str]) -> str:
    return f"The cell {names[0]}" if len(names) == 1 else f"Each of the cells {_listed(names)}"


def _with_ids(cells: list[dict[str, Any]], release: Release) -> list[dict[str, Any]]:
    """The cells with an id each: the released one where it belongs, its own, or one made of its number."""
    ids: dict[int, str] = {}
    used: set[str | None] = {None}

    def claim(number: int, wanted: str | None) -> None:
        if number not in ids and wanted not in used:
            ids[number] = wanted
            used.add(wanted)

    for number, cell in enumerate(cells):
        slot = release.named.get(label_of(cell)) or release.by_key.get(key_of(cell["source"]))
        if slot is not None and not is_kept(cell):
            claim(number, slot.cell.get("id"))
    for number, cell in enumerate(cells):
        claim(number, cell.get("id"))
    for number in range(len(cells)):
        made = f"cell-{number}"
        while number not in ids:
            claim(number, made)
            made = f"{made}-a"
    return [{**cell, "id": ids[number]} for number, cell in enumerate(cells)]
