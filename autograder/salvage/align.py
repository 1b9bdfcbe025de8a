"""Which cell of a submission is which cell of the release: by id, by label, by place, and by content.

A cell's id can hardly be edited, a label can; the place says to which question an answer belongs; the names
that a code cell defines say which exercise it solves. Each is evidence, and the cell goes where most of it
points. Locked cells and prose are known by their texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .cells import bound, is_kept, key_of, label_of, mark_of, parsed

ENOUGH = 1.0  # of evidence
MERGED_TEXT = 20  # characters of a released cell that are looked for inside of others
MAX_PARTS = 5  # into which one cell may have been split
_STUB = "raise NotImplementedError("


@dataclass(eq=False)
class Slot:
    """A cell of the release."""

    index: int
    cell: dict[str, Any]
    key: str = ""
    name: str | None = None
    solution: bool = False
    locked: bool = False
    own: frozenset[str] = frozenset()  # names that this code cell is to define, and no other one

    @property
    def is_code(self) -> bool:
        return self.cell["cell_type"] == "code"

    def answered(self, piece: Piece | None) -> bool:
        """Whether a cell holds more than was released."""
        return piece is not None and piece.key not in ("", self.key)


@dataclass(eq=False)
class Piece:
    """A cell of the submission, or a part of one."""

    cell: dict[str, Any]
    key: str = ""
    label: str | None = None
    id: str | None = None
    exact: Slot | None = None  # the released cell with this text
    near: Slot | None = None  # that one, or the one whose label or id it has though its text is another

    @property
    def source(self) -> str:
        return self.cell["source"]


class Release:
    """The released cells of one notebook."""

    def __init__(self, cells: list[dict[str, Any]]):
        self.slots = []
        for index, cell in enumerate(cells):
            mark = mark_of(cell)
            slot = Slot(index, cell, key_of(cell["source"]), label_of(cell))
            slot.solution = slot.name is not None and bool(mark.get("solution"))
            slot.locked = slot.name is not None and not slot.solution
            self.slots.append(slot)
        self.named = {slot.name: slot for slot in self.slots if slot.name is not None}
        self.solutions = [slot for slot in self.slots if slot.solution]
        self.by_id = {slot.cell["id"]: slot for slot in self.slots if "id" in slot.cell}
        self.by_key: dict[str, Slot] = {}
        for slot in self.slots:
            if not slot.solution and slot.key:
                self.by_key.setdefault(slot.key, slot)
        code = [slot for slot in self.solutions if slot.is_code]
        for slot in code:
            others = [bound(other.cell["source"]) for other in code if other is not slot]
            slot.own = bound(slot.cell["source"]).difference(*others)

    def after(self, slot: Slot) -> list[Slot]:
        """The solutions that stand directly below a released cell."""
        return _leading_solutions(self.slots[slot.index + 1 :])

    def before(self, slot: Slot) -> list[Slot]:
        """The solutions that stand directly above a released cell."""
        return _leading_solutions(self.slots[: slot.index][::-1])


def _leading_solutions(slots: list[Slot]) -> list[Slot]:
    found = []
    for slot in slots:
        if not slot.solution:
            break
        found.append(slot)
    return found


@dataclass
class Alignment:
    """Which cell counts for which released one, and what had to be decided for that.

    `joined` holds, by label, the cells that make one together; `spare` other cells that claim the same place;
    `doubts` the labels of those about which a person should decide.
    """

    pieces: list[Piece]
    chosen: dict[str, Piece] = field(default_factory=dict)
    joined: dict[str, list[Piece]] = field(default_factory=dict)
    spare: dict[str, list[Piece]] = field(default_factory=dict)
    doubts: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def used(self) -> set[int]:
        """The identities of the cells that count."""
        return {id(p) for p in [*self.chosen.values(), *(p for parts in self.joined.values() for p in parts)]}


def pieces_of(cells: list[dict[str, Any]], release: Release) -> list[Piece]:
    """The cells of a submission, each with what is known about it at once."""
    pieces = []
    for cell in cells:
        label = label_of(cell)
        piece = Piece(cell, key_of(cell["source"]), label if label in release.named else None, cell.get("id"))
        pieces.append(piece)
    _recognise(pieces, release)
    return pieces


def _recognise(pieces: list[Piece], release: Release) -> None:
    for piece in pieces:
        piece.exact = None if is_kept(piece.cell) else release.by_key.get(piece.key)
    present = {piece.exact for piece in pieces}
    for piece in pieces:
        claims = (release.named.get(piece.label), release.by_id.get(piece.id))
        changed = [slot for slot in claims if slot and not slot.solution and slot not in present]
        piece.near = piece.exact or (changed[0] if changed and not is_kept(piece.cell) else None)


def unmerge(pieces: list[Piece], release: Release) -> tuple[list[Piece], list[str]]:
    """Cut released cells out of those into which a student has merged them; returns the parts and notes."""
    present = {piece.exact for piece in pieces}
    missing = [
        slot
        for slot in release.slots
        if not slot.solution and len(slot.key) >= MERGED_TEXT and slot not in present
    ]
    notes, done = [], []
    waiting = pieces[::-1]
    while waiting:
        piece = waiting.pop()
        if piece.exact is None and not is_kept(piece.cell):
            for slot in missing:
                if (parts := _cut(piece, slot, release)) is not None:
                    missing.remove(slot)
                    first = slot.cell["source"].strip().split("\n")[0][:40]
                    notes.append(
                        f"The cell {slot.name or repr(first)} had become one with another; "
                        "they were taken apart."
                    )
                    waiting += parts[::-1]
                    break
            else:
                done.append(piece)
        else:
            done.append(piece)
    return done, notes


def _cut(piece: Piece, slot: Slot, release: Release) -> list[Piece] | None:
    """What stands before a released text in a cell, the released cell, and what stands after it."""
    at = piece.key.find(slot.key)
    end = at + len(slot.key)
    if at < 0 or (at > 0 and piece.key[at - 1] != "\n") or (end < len(piece.key) and piece.key[end] != "\n"):
        return None
    if not piece.key[:at].strip() and not piece.key[end:].strip():
        return None
    parts = []
    for side, text in ((-1, piece.key[:at]), (0, slot.key), (1, piece.key[end:])):
        if not text.strip():
            continue
        kind = piece.cell["cell_type"] if side else slot.cell["cell_type"]
        cell = {"cell_type": kind, "metadata": {}, "source": text.strip("\n")}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        part = Piece(cell, key_of(text), None if side else slot.name)
        # The label and the id go with the part on their side of the released cell.
        if _side(release.named.get(piece.label), slot) == side != 0:
            part.label = piece.label
        if _side(release.by_id.get(piece.id), slot) == side != 0:
            part.id = cell["id"] = piece.id
        parts.append(part)
    _recognise(parts, release)
    return parts


def _side(claimed: Slot | None, slot: Slot) -> int:
    """-1 for a cell above, 1 for one below, 0 for none or the same."""
    return 0 if claimed is None else (claimed.index > slot.index) - (claimed.index < slot.index)


def align(pieces: list[Piece], release: Release) -> Alignment:
    """Decide which cell counts for each released one that has a label."""
    found = Alignment(pieces)
    for slot in release.named.values():
        if slot.locked:
            _choose_locked(slot, found)
    best = _best_slots(pieces, release)
    for slot in release.solutions:
        _choose_solution(slot, [(p, strong) for p, s, strong in best if s is slot], found)
    taken = found.used()
    for slot in release.solutions:
        if slot.answered(found.chosen.get(slot.name)):
            continue
        left = [p for p in pieces if id(p) not in taken and slot.answered(p) and p.exact is None]
        labelled = [p for p in left if p.label == slot.name] or [p for p in left if _swapped(p, slot, found)]
        if labelled:
            _drop(slot, found)
            found.chosen[slot.name] = labelled[-1]
            taken.add(id(labelled[-1]))
        elif slot.is_code and slot.own:
            _look_elsewhere(slot, found, taken)
    return found


def _swapped(piece: Piece, slot: Slot, found: Alignment) -> bool:
    """Whether a cell bears the label of an exercise whose own cell bears this one's."""
    other = found.chosen.get(piece.label)
    return (
        other is not None
        and other.label == slot.name != piece.label
        and piece.cell["cell_type"] == slot.cell["cell_type"]
    )


def _choose_locked(slot: Slot, found: Alignment) -> None:
    """The cell with the released text; otherwise the one with the label or the id."""
    claims = [p for p in found.pieces if p.exact is slot] or [p for p in found.pieces if p.near is slot]
    if claims:
        named = [p for p in claims if p.label == slot.name] or claims
        found.chosen[slot.name] = max(named, key=lambda p: p.id == slot.cell.get("id"))
        found.spare[slot.name] = [
            p for p in found.pieces if p.near is slot and p is not found.chosen[slot.name]
        ]


def _best_slots(pieces: list[Piece], release: Release) -> list[tuple[Piece, Slot, bool]]:
    """For each cell that is not known by its text: the exercise for which most speaks, and if strongly."""
    found = []
    above = _nearest(pieces)
    below = _nearest(pieces[::-1])[::-1]
    for piece, over, under in zip(pieces, above, below, strict=True):
        if piece.near is not None or is_kept(piece.cell):
            continue
        first = release.slots[0] if release.slots else None
        runs = [
            (1.0, release.after(over) if over else [first] if first and first.solution else []),
            (0.5, release.before(under) if under else []),
        ]
        names = None
        scores = []
        for slot in release.solutions:
            score = 2.0 * (piece.id is not None and piece.id == slot.cell.get("id"))
            score += 1.0 * (piece.label == slot.name)
            if slot.own and piece.key != slot.key:
                names = bound(piece.source) if names is None else names
                score += 2.0 * (slot.own <= names)
            strong = score > 0
            score += sum(weight / (1 if len(run) == 1 else 2) for weight, run in runs if slot in run)
            score += 0.1 * (piece.cell["cell_type"] == slot.cell["cell_type"])
            scores.append((score, strong, -slot.index, slot))
        if scores:
            score, strong, _, slot = max(scores, key=lambda s: (s[0], s[2]))
            if score >= ENOUGH:
                found.append((piece, slot, strong))
    return found


def _nearest(pieces: list[Piece]) -> list[Slot | None]:
    """For each cell the released one that was met last."""
    last, found = None, []
    for piece in pieces:
        last = piece.near or last
        found.append(last)
    return found


def _choose_solution(slot: Slot, claims: list[tuple[Piece, bool]], found: Alignment) -> None:
    """Of the cells that claim a place: the last one with work in it, or those that make one together."""
    strong = [p for p, is_strong in claims if is_strong]
    weak = [p for p, is_strong in claims if not is_strong and slot.answered(p)]
    worked = [p for p in strong if slot.answered(p)]
    if slot.is_code and any(p.cell["cell_type"] == "code" and parsed(p.source) for p in worked):
        # Where there is whole code, prose under its label is another's.
        worked = [p for p in worked if p.cell["cell_type"] == "code" or parsed(p.source)]
    if not slot.is_code and not any(p.id and p.id == slot.cell.get("id") for p in worked):
        for piece in weak:  # an answer below its question, with another one's label
            if piece.label and all(p.key == piece.key for p in found.pieces if p.label == piece.label):
                found.chosen[slot.name] = piece
                return
    # Names alone do not make a cell the solution where another one bears the label.
    labelled = [p for p in worked if p.label == slot.name or (p.id and p.id == slot.cell.get("id"))]
    if labelled:
        _choose_of(slot, labelled, found)
        others = [p for p in strong if p is not found.chosen[slot.name]]
        found.spare[slot.name] = [p for p in others if p.label == slot.name or p in labelled]
    elif worked:
        _choose_of(slot, worked, found)
        found.spare[slot.name] = [p for p in strong if p is not found.chosen[slot.name]]
    elif not slot.is_code and (texts := _texts(weak, strong)):
        found.chosen[slot.name] = texts[0]
        if len(texts) > 1:
            found.joined[slot.name] = texts
        found.spare[slot.name] = strong
        found.notes.append(f"The answer {slot.name} had lost its label, and was found below its question.")
    elif slot.is_code and weak and not strong:
        code = [p for p in weak if p.cell["cell_type"] == "code"] or weak
        found.doubts.add(slot.name)
        if len(code) == 1:
            found.chosen[slot.name] = code[0]
            found.notes.append(f"The cell {slot.name} had lost its label; the cell in its place was taken.")
        else:
            found.notes.append(
                f"The cell {slot.name} had lost its label, and it is not clear which cell it was: "
                "a person decides."
            )
    elif strong:
        found.chosen[slot.name] = max(strong, key=lambda p: p.id == slot.cell.get("id"))
        found.spare[slot.name] = [p for p in strong if p is not found.chosen[slot.name]]
    if slot.is_code and slot.answered(found.chosen.get(slot.name)):
        _join_following(slot, found)


def _texts(weak: list[Piece], strong: list[Piece]) -> list[Piece]:
    """Cells without a label that may be a written answer; code only where the answer's own cell is gone."""
    return [p for p in weak if p.cell["cell_type"] != "code"] or ([] if strong else weak)


def _choose_of(slot: Slot, worked: list[Piece], found: Alignment) -> None:
    """Of several cells with work in them, those that follow each other and make one; otherwise the last."""
    found.chosen[slot.name] = worked[-1]
    if len({p.key for p in worked}) == 1:
        return
    start = found.pieces.index(worked[0])
    together = len(worked) <= MAX_PARTS and found.pieces[start : start + len(worked)] == worked
    if together and slot.is_code:
        for count in range(1, len(worked)):
            if continues(slot, worked[:count], worked[count]):
                found.chosen[slot.name] = worked[0]
                return
    elif together and not any(a.key in b.key or b.key in a.key for a in worked for b in worked if a is not b):
        found.chosen[slot.name], found.joined[slot.name] = worked[0], worked
        found.notes.append(f"The answer {slot.name} stood in {len(worked)} cells, which were joined.")
        return
    found.notes.append(
        f"The cell {slot.name} was there {len(worked)} times with different texts: the last one counts, "
        "and the others are kept."
    )


def continues(slot: Slot, parts: list[Piece], following: Piece) -> bool:
    """Whether a code cell goes on in the next one, as after a split."""
    first = "\n".join(p.source for p in parts)
    whole = f"{first}\n{following.source}"
    if parsed(whole) is None:
        return False
    if parsed(first) is None or parsed(following.source) is None:
        return True
    given = {line.strip() for line in slot.key.split("\n")}
    if all(line.strip() in given for line in first.split("\n")):
        return True  # the work begins in the next cell
    if slot.own and slot.own <= bound(following.source):
        return False
    if not slot.own <= bound(first) and slot.own <= bound(whole):
        return True
    tail = {line.strip() for line in slot.key.split("\n") if len(line.strip()) > 12 and _STUB not in line}
    here = {line.strip() for line in first.split("\n")}
    there = {line.strip() for line in following.source.split("\n")}
    return bool(tail & there) and not tail & there & here


def _join_following(slot: Slot, found: Alignment) -> None:
    """Join a code cell with those after it into which it was split."""
    start = found.pieces.index(found.chosen[slot.name])
    parts, waiting = [found.chosen[slot.name]], []
    given = {line.strip() for line in slot.key.split("\n")}
    labelled = parts[0].label is not None  # a split leaves the label on the first part
    while (
        start and not labelled and len(parts) < MAX_PARTS and _is_free(found.pieces[start - 1], slot, found)
    ):
        before = found.pieces[start - 1]
        if not all(line.strip() in given for line in before.key.split("\n")):
            break  # only the beginning of what was released is known to belong here
        parts.insert(0, before)
        start -= 1
    found.chosen[slot.name] = parts[0]
    start += len(parts) - 1
    for piece in found.pieces[start + 1 : start + MAX_PARTS]:
        if not _is_free(piece, slot, found):
            break
        if continues(slot, [*parts, *waiting], piece):
            parts += [*waiting, piece]
            waiting = []
        elif parsed("\n".join(p.source for p in [*parts, *waiting])) is None:
            waiting.append(piece)
        else:
            break
    if len(parts) > 1:
        found.joined[slot.name] = parts
        found.spare[slot.name] = [p for p in found.spare.get(slot.name, []) if p not in parts]
        found.notes.append(f"The cell {slot.name} was split into {len(parts)}, which were joined.")


def _is_free(piece: Piece, slot: Slot, found: Alignment) -> bool:
    """Whether a code cell may be a part of this exercise's, and is nothing else."""
    other = piece.label not in (None, slot.name) or piece.near is not None or is_kept(piece.cell)
    chosen = any(piece is cell for cell in found.chosen.values())
    code = piece.cell["cell_type"] == "code" or piece.label == slot.name  # which became of another type
    return not (other or chosen) and code and slot.answered(piece)


def _look_elsewhere(slot: Slot, found: Alignment, taken: set[int]) -> None:
    """Find the work of an exercise whose own cell is untouched or gone, by the names that it defines."""
    there = [
        p
        for p in found.pieces
        if p.near is None and not is_kept(p.cell) and p.cell["cell_type"] == "code" and p.key != slot.key
        if slot.own <= bound(p.source) and parsed(p.source) is not None
    ]
    if not there:
        return
    piece = there[-1]
    _drop(slot, found)
    if id(piece) in taken:  # it stays what it is, and its text counts here too
        claims = [*found.chosen.items(), *((n, p) for n, parts in found.joined.items() for p in parts)]
        former = next(name for name, chosen in claims if chosen is piece)
        found.chosen[slot.name] = Piece({**piece.cell, "metadata": {}}, piece.key)
        found.chosen[slot.name].cell.pop("id", None)
        found.notes.append(f"The solution {slot.name} stands in the cell {former}, and was found there.")
        return
    found.chosen[slot.name] = piece
    taken.add(id(piece))
    found.notes.append(f"The solution {slot.name} stood in another cell, and was found there.")


def _drop(slot: Slot, found: Alignment) -> None:
    """An untouched cell gives way to one with work in it."""
    former = found.chosen.pop(slot.name, None)
    if former is not None:
        found.spare.setdefault(slot.name, []).append(former)


def left_over(found: Alignment, release: Release) -> set[str]:
    """The labels of code cells of which a part may be among the cells that counted for nothing."""
    used = found.used() | {id(p) for spare in found.spare.values() for p in spare}
    free = [
        number
        for number, p in enumerate(found.pieces)
        if id(p) not in used and p.near is None and p.key and p.cell["cell_type"] == "code"
        if not is_kept(p.cell)
    ]
    places = {id(p): number for number, p in enumerate(found.pieces)}
    unclear = set()
    for slot in release.solutions:
        piece = found.chosen.get(slot.name)
        if not slot.is_code:
            continue
        if piece is None or not slot.answered(piece):
            if any(slot.own & bound(found.pieces[number].source) for number in free):
                unclear.add(slot.name)
            continue
        parts = found.joined.get(slot.name, [piece])
        first, last = (places.get(id(part), -2) for part in (parts[0], parts[-1]))
        source = "\n".join(part.source for part in parts)
        given = {line.strip() for line in slot.key.split("\n")}
        fragment = all(line.strip() in given for line in source.split("\n"))
        defined, whole = bound(source), parsed(source) is not None
        following = found.pieces[last + 1] if 0 <= last < len(found.pieces) - 1 else None
        if following is not None and is_kept(following.cell) and following.source[:1] in (" ", "\t"):
            unclear.add(slot.name)  # the rest of it could not be read whole
        for number in free:
            other = found.pieces[number].source
            named = slot.own & bound(other)
            below, beside = number == last + 1, number in (first - 1, last + 1)
            if (
                named - defined
                or (named and (fragment or below))
                or (beside and (fragment or not whole))
                or (not whole and parsed(f"{other}\n{source}"))
                or (parsed(other) is None and parsed(f"{source}\n{other}"))
            ):
                unclear.add(slot.name)
                break
    return unclear
