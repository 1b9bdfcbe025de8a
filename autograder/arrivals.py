"""What arrived of a student, and when: a log that only grows, beside the copies of what came.

received/<assignment>/<student>/arrivals.jsonl has a line for each arrival, with this machine's time in UTC,
and one for each version that came to count. The order of the lines decides, not their times: a clock can be
set back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from autograder import durable
from autograder.student_folder import tree_hash

LOG = "arrivals.jsonl"


class Entry(BaseModel):
    """One line of the log."""

    model_config = ConfigDict(extra="forbid")
    at: str  # when, by this machine's clock
    what: Literal["arrived", "arrived again", "counts"]
    name: str = ""  # of the file or folder that came
    modified: int = 0  # its own date, in seconds since 1970: whoever packed it chose that
    files: int = 0
    bytes: int = 0
    sha256: str = ""  # of what came; "" when it was too large to keep
    kept: str = ""  # the folder beside the log that holds it
    nbgrader: bool = False  # it lay in nbgrader's layout, so that its timestamp.txt counts
    submission_hash: str = ""  # of the files that count, as they are graded
    # Of the same as they came, which `handgrad pack` prints; "" when there are none.
    handed_in: str | None = None


def read(folder: Path) -> list[Entry]:
    """A student's arrivals, oldest first."""
    return list(_entries(folder / LOG))


def _entries(log: Path) -> Iterator[Entry]:
    for line in durable.entries(log):
        try:
            yield Entry.model_validate(line)
        except ValidationError:
            continue


def counting(log: list[Entry]) -> Entry | None:
    """The version that counts; None when nothing came to count yet."""
    return next((entry for entry in reversed(log) if entry.what == "counts"), None)


def counted(log: list[Entry], submission_hash: str) -> tuple[Entry | None, Entry | None]:
    """When a version came to count last, and the arrival that it came with; None for what is not in the log.

    Args:
        log: as `read` gives it.
        submission_hash: of the files as they were graded.
    """
    latest: dict[str, Entry] = {}
    found: tuple[Entry | None, Entry | None] = (None, None)
    for entry in log:
        if entry.what != "counts":
            latest[entry.sha256] = entry
        elif entry.submission_hash == submission_hash:
            found = entry, latest.get(entry.sha256)
    return found


def pending(log: list[Entry]) -> Entry | None:
    """What arrived and did not come to count, because the run that received it was killed."""
    last, now = log[-1] if log else None, counting(log)
    if last is None or last.what == "counts" or not last.kept or (now and now.sha256 == last.sha256):
        return None
    return last


def note_arrival(folder: Path, raw: Path | None, path: Path, nbgrader: bool) -> Entry:
    """Keep what came, and note that it did.

    Args:
        folder: where the student's arrivals are kept.
        raw: a copy of what came, which is moved there if it is new; None when it was too large to copy.
        path: where it came from.
        nbgrader: whether it lay in nbgrader's layout.
    """
    log = read(folder)
    sizes = [p.stat().st_size for p in raw.rglob("*") if p.is_file()] if raw else []
    digest = tree_hash(raw) if raw else ""
    entry = Entry(
        at=_now(),
        what="arrived again" if digest and any(e.sha256 == digest for e in log) else "arrived",
        name=path.name.encode(errors="backslashreplace").decode(),
        modified=int(os.lstat(path).st_mtime),
        files=len(sizes),
        bytes=sum(sizes),
        sha256=digest,
        kept=_keep(folder, raw, digest) if raw else "",
        nbgrader=nbgrader,
    )
    last = next((e for e in reversed(log) if e.what != "counts"), None)
    if last is None or _identity(last) != _identity(entry):  # a run that is repeated is no second arrival
        durable.append(folder / LOG, entry.model_dump(exclude_defaults=True))
    return entry


def note_counting(folder: Path, arrived: Entry, submission_hash: str, handed_in: str) -> None:
    """Note which version counts from now on, unless the log says so already.

    Args:
        folder: where the student's arrivals are kept.
        arrived: the arrival that it came with.
        submission_hash: of the files that count, as they are graded.
        handed_in: of the same files as they came; "" when none of them did.
    """
    now = counting(read(folder))
    if now and (now.sha256, now.submission_hash) == (arrived.sha256, submission_hash):
        return
    entry = Entry(
        at=_now(),
        what="counts",
        sha256=arrived.sha256,
        kept=arrived.kept,
        submission_hash=submission_hash,
        handed_in=handed_in,
    )
    durable.append(folder / LOG, entry.model_dump(exclude_defaults=True))


def _identity(entry: Entry) -> tuple[str, str, int]:
    return entry.sha256, entry.name, entry.modified


def _keep(folder: Path, raw: Path, digest: str) -> str:
    """Move a copy to where versions are kept, unless it is there; returns the folder's name."""
    for name in (digest[:12], digest):  # twelve digits can be made to clash, or the copy there be damaged
        kept = folder / name
        if not kept.exists():
            durable.sync_tree(raw)
            durable.put_in_place(raw, kept)
            return name
        if tree_hash(kept) == digest:
            return name
    return digest


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
