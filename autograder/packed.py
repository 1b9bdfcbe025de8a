"""What a submission's own manifest, written by `handgrad pack`, says about the files that arrived.

A manifest is a student's word, so it decides nothing: it only tells a person that a file is no longer the one
that was packed. Without one a submission is as good.
"""

from __future__ import annotations

import hashlib
import json

from autograder.untrusted import MAX_FILE_BYTES, Archive, Folder, MiB, Refused, shown
from handgrad.pack import DIGITS, MANIFEST_FILE

MAX_MANIFEST_BYTES = 1 * MiB


def manifest_notes(source: Folder | Archive, root: str, assignment: str, expected: list[str]) -> list[str]:
    """Compare the manifest in a submission, if there is one, with the files beside it.

    Args:
        source: the submission.
        root: the folder in it that holds the assignment's files, as "" or "path/".
        assignment: the assignment's name.
        expected: the paths of the files that count.
    Returns:
        sentences about what does not match; none when everything does.
    """
    if root + MANIFEST_FILE not in source.entries:
        return []
    try:
        manifest = json.loads(source.read(root + MANIFEST_FILE, MAX_MANIFEST_BYTES))
        named, listed, total = manifest["assignment"], dict(manifest["files"]), manifest["submission_hash"]
        if not all(isinstance(text, str) for text in (named, total, *listed.values())):
            raise ValueError
    except (Refused, KeyError, TypeError, ValueError, RecursionError):
        return [f"{MANIFEST_FILE} is damaged, so nothing was compared with it."]
    notes = []
    if named != assignment:
        notes.append(f"{MANIFEST_FILE} is of {shown(named)}, not of {assignment}.")
    found = {path: _hash(source, root + path) for path in expected if root + path in source.entries}
    changed = sorted(path for path in found if path in listed and found[path] != listed[path])
    lost = sorted(path for path in listed if path in expected and path not in found)
    added = sorted(path for path in found if path not in listed)
    for paths, what in ((changed, "changed"), (lost, "taken away"), (added, "added")):
        if paths:
            notes.append(f"{', '.join(paths)}: {what} after `handgrad pack` printed {shown(total[:DIGITS])}.")
    return notes


def _hash(source: Folder | Archive, path: str) -> str | None:
    try:
        return hashlib.sha256(source.read(path, MAX_FILE_BYTES)).hexdigest()
    except Refused:
        return None  # staging says why
