"""Makes importable what can be graded of modules that cannot be imported, in a copy of the submission.

A module is mended until the next import of all of them gets through: first where it is not Python, then where
a statement raises (see sandbox/mending.py, which does it inside). What hangs or kills its process at the
import, and what cannot be mended, is left: the release's version stands in its place.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .sandbox import Session, StudentError

ROUNDS = 100  # imports that may fail before what still fails is given up


@dataclass
class Mended:
    """The copy; the modules whose release's version lies in it, and why; and what was repaired."""

    tree: Path
    broken: dict[str, StudentError] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def mend_modules(
    tree: Path,
    dest: Path,
    released: Path,
    modules: Mapping[str, str],
    open_session: Callable[[Path], Session],
) -> Mended:
    """Mend the modules that cannot be imported.

    Args:
        tree: the staged submission.
        dest: a folder that does not exist yet, for the copy.
        released: the assignment's release.
        modules: the modules that students edit, by dotted name, and their files.
        open_session: makes the session of a folder, with limits and deadline of the submission.
    """
    found = Mended(shutil.copytree(tree, dest))
    with open_session(dest) as session:
        for left in reversed(range(ROUNDS)):
            failure: Any = None
            try:
                with session.student(seed=0) as student:
                    failure = student.failed_import(modules)
                if failure is None:
                    return found
                if left and _mend(session, found, released, modules, failure):
                    continue
            except StudentError as error:
                failure = error
            given_up = _given_up(found, released, modules, open_session, not isinstance(failure, dict))
            if not given_up:
                return found
            for module, error in given_up.items():
                shutil.copyfile(released / modules[module], dest / modules[module])
                found.broken[module] = error
                found.notes = [note for note in found.notes if not note.startswith(modules[module])]
    return found


def _mend(session: Session, found: Mended, released: Path, modules: Mapping[str, str], failure: Any) -> bool:
    """Mend the module that made an import fail; whether that changed anything."""
    try:
        path, cause = _cause(failure, modules)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return False  # an answer that a student's code has forged
    if not path:
        return False
    try:
        with session.student(seed=0) as student:
            content, notes = student.mend(path, cause, _given(released / path))
    except StudentError:
        return False
    target = found.tree / path
    if content == target.read_bytes():
        return False
    target.write_bytes(content)
    found.notes += [note for note in notes if note not in found.notes]
    return True


def _cause(failure: Any, modules: Mapping[str, str]) -> tuple[str, dict]:
    """Which file to mend, and what for; "" where none of the student's is to blame."""
    files = set(modules.values())
    if failure["syntax"] in files:
        return failure["syntax"], {}
    frames = [(str(file), int(line), str(scope)) for file, line, scope in failure["frames"]]
    last = max((number for number, frame in enumerate(frames) if frame[2] == "<module>"), default=None)
    if failure["missing"] and last is not None and frames[last][0] not in files:
        module, name = map(str, failure["missing"])
        if module in modules and name.isidentifier():
            return modules[module], {"missing": name}
    ours = [number for number, (file, _, scope) in enumerate(frames) if scope == "<module>" and file in files]
    if not ours:
        return modules.get(failure["module"], ""), {}
    file, line, _ = frames[ours[-1]]
    inner = frames[ours[-1] + 1] if ours[-1] + 1 < len(frames) else ("", 0, "")
    cause = {"line": line, "scope": inner[2], "inner": inner[1] if inner[0] == file else 0}
    return file, cause | {"type": str(failure["type"])[:80], "message": _line(failure["message"])}


def _line(text: Any) -> str:
    return " ".join(str(text).split())[:200]


def _given(path: Path) -> dict[str, Any]:
    """What mending may know of a released module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imports = [
        ast.unparse(node)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__"
    ]
    headers = {
        node.name: f"class {node.name}({', '.join(map(ast.unparse, node.bases))}):"
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    return {"names": sorted(names), "imports": imports, "headers": headers}


def _given_up(
    found: Mended,
    released: Path,
    modules: Mapping[str, str],
    open_session: Callable[[Path], Session],
    died: bool,
) -> dict[str, StudentError]:
    """The modules that cannot be imported among released ones: one that fails may fail for another.

    Where an import ended its process, those that do so; the others may still be mended.
    """
    failed = {}
    for module, path in modules.items():
        if module in found.broken:
            continue
        alone = found.tree.with_name(f"only-{module}")
        shutil.rmtree(alone, ignore_errors=True)
        shutil.copytree(found.tree, alone)
        for other in modules.values():
            if other != path:
                shutil.copyfile(released / other, alone / other)
        with open_session(alone) as session:
            if error := _import_error(session, module):
                failed[module] = error
    ended = {
        module: error
        for module, error in failed.items()
        if error.kind in ("timeout", "crash", "memory", "invalid")
    }
    return ended if died and ended else failed


def _import_error(session: Session, module: str) -> StudentError | None:
    try:
        with session.student(seed=0) as student:
            student.call(f"{module}.__name__.upper")
    except StudentError as error:
        error.call = f"The import of {module}"
        return error
    return None
