"""`python -m handgrad.pack a2`: look through an assignment, say what is missing, write the zip to hand in.

Nothing of the work runs: modules are parsed, notebooks are read as text. What counts stands in the file
assignment.json of the student's folder. The zip has a manifest with the SHA-256 of each file, and
its submission hash is the one that the feedback shows.

In a notebook: `from handgrad.pack import pack; pack()`.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import json
import os
import re
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from . import __version__

ASSIGNMENT_FILE = "assignment.json"
MANIFEST_FILE = "handgrad-manifest.json"
STUDENT = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9._@+-]{0,63}")
DIGITS = 12  # of the submission hash, for people
CLOSE = 2.0  # seconds between two files' dates that say nothing: unpacking takes as long

_BUNDLED = {"handgrad", "IPython"}  # importable wherever the course's requirements are installed
_STUB = re.compile(r"^[ \t]*raise\s+NotImplementedError\b", re.MULTILINE)
_STUB_MESSAGE = re.compile(r"([\w.]+) is not written yet: write it in")


class PackError(Exception):
    """There is nothing to look through; the message says what to do."""


@dataclass
class _Findings:
    """What a look through the folder found, in sentences.

    Args:
        files: what goes into the zip, contents by path.
        errors: what would cost points for sure.
        warnings: what may cost points, or may not.
        unwritten: functions and cells that nobody has written yet, by file.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unwritten: dict[str, list[str]] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """The submission hash."""
        return hash_of(self.files)


def hash_of(files: dict[str, bytes]) -> str:
    """SHA-256 over paths and contents, in the order of the paths: the submission hash.

    Args:
        files: contents by path, with "/" between folders.
    Returns:
        64 hex digits. The length of each part goes in before it, so no two sets of files give one text.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        for part in (path.encode("utf-8", "surrogateescape"), files[path]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def text_hash(text: str | bytes) -> str:
    """SHA-256 of a text in which any white space counts as one blank, so that line ends do not matter.

    Args:
        text: characters, or a file's bytes.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return hashlib.sha256(b" ".join(content.split())).hexdigest()


def manifest_of(assignment: str, files: dict[str, bytes]) -> dict[str, Any]:
    """What the zip says about itself: versions, the hash of each file, the submission hash.

    Args:
        assignment: such as "a2".
        files: contents by path.
    """
    return {
        "schema": 1,
        "handgrad": __version__,
        "assignment": assignment,
        "submission_hash": hash_of(files),
        "files": {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)},
    }


def labelled_cells(notebook: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The label, mark and source of each cell that nbgrader knows.

    Args:
        notebook: what is in the .ipynb, of format 4 or not.
    """
    for cell in _cells(notebook):
        metadata = cell.get("metadata")
        mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        if isinstance(mark, dict) and isinstance(mark.get("grade_id"), str):
            yield mark["grade_id"], {**mark, "cell_type": cell.get("cell_type")}, _source(cell)


def pack(
    assignment: str | None = None,
    *,
    folder: str | Path | None = None,
    student: str = "submission",
    out: str | Path | None = None,
    check: bool = False,
    anyway: bool = False,
) -> Path | None:
    """Look through the student's folder, print what is there and what is not, and write the zip.

    Args:
        assignment: such as "a2"; None takes the one whose folder this is.
        folder: the unpacked folder; None looks here, in the folders above, and in one named `assignment`.
        student: for the name of the zip.
        out: the zip; None means <assignment>-<student>.zip in the folder.
        check: write nothing.
        anyway: write the zip although something in it would not be graded.
    Returns:
        the zip, or None when none was written; what was printed says why.
    """
    try:
        return _pack(assignment, folder, student, out, check, anyway)[0]
    except PackError as error:
        print(error)
        return None


def command(arguments: list[str] | None = None) -> int:
    """The command `handgrad`, whose only sub-command is `pack`.

    Args:
        arguments: the command line without the program's name; None takes this process's.
    Returns:
        the exit status.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] != ["pack"]:
        print("usage: handgrad pack [ASSIGNMENT]; `handgrad pack --help` explains it")
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    return main(arguments[1:], "handgrad pack")


def main(arguments: list[str] | None = None, program: str = "python -m handgrad.pack") -> int:
    """The command line of `pack`.

    Args:
        arguments: the command line without the program's name; None takes this process's.
        program: its name, for the help.
    Returns:
        the exit status: 0, or 1 when something would not be graded.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Look through an assignment, say what is missing, and write the zip to hand in. "
        "Nothing of it is run.",
    )
    parser.add_argument("assignment", nargs="?", help="such as a2; default: the one whose folder this is")
    parser.add_argument("--check", action="store_true", help="only look, write nothing")
    parser.add_argument("--anyway", action="store_true", help="write the zip although files are not in order")
    parser.add_argument("--student", default="submission", metavar="ID", help="for the name of the zip")
    parser.add_argument("--folder", metavar="DIR", help="the unpacked folder; default: here")
    parser.add_argument("--out", metavar="FILE", help="default: <assignment>-<student>.zip in the folder")
    wanted = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal can show every file name
    try:
        _, in_order = _pack(
            wanted.assignment, wanted.folder, wanted.student, wanted.out, wanted.check, wanted.anyway
        )
    except PackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if in_order else 1


def look_through(folder: Path, about: dict[str, Any]) -> _Findings:
    """Read the files that count, and find what is missing or not in order.

    Args:
        folder: the student's folder.
        about: what assignment.json says.
    """
    found = _Findings()
    limits = about["limits"]
    for path in about["notebooks"]:
        if (content := _read(folder, path, limits["notebook"], found)) is not None:
            _look_at_notebook(path, content, about["cells"].get(path, {}), found)
    for path in about["editable"]:
        if (content := _read(folder, path, limits["module"], found)) is not None:
            _look_at_module(path, content, folder, about, found)
    for notebook, paths in about["saved"].items():
        for path in paths:
            _look_at_saved(folder, path, f"{notebook}.ipynb", about, found)
    _look_at_given(folder, about, found)
    _look_at_times(folder, about, found)
    if sum(map(len, found.files.values())) > limits["total"]:
        found.errors.append(f"All files together are larger than {_size(limits['total'])}, the most we take.")
    return found


def _pack(
    assignment: str | None,
    folder: str | Path | None,
    student: str,
    out: str | Path | None,
    check: bool,
    anyway: bool,
) -> tuple[Path | None, bool]:
    """As `pack`; returns also whether everything is in order."""
    place, about = _find(assignment, None if folder is None else Path(folder))
    name = about["assignment"]
    if not STUDENT.fullmatch(student):
        raise PackError(f"{student!r} cannot be part of the zip's name: use letters, digits and . _ @ + -")
    target = Path(out) if out is not None else place / f"{name}-{student}.zip"
    if target.suffix.lower() != ".zip" or target.is_dir():
        raise PackError(f"{target} is no name for a zip: end it with .zip, as in {name}-{student}.zip.")
    found = look_through(place, about)
    write = not check and bool(found.files) and (anyway or not found.errors)
    if write:
        _write_zip(target, name, found.files, about["limits"]["ratio"])
    print("\n".join(_receipt(about, found, target if write else None, check)))
    return target if write else None, not found.errors


def _find(assignment: str | None, folder: Path | None) -> tuple[Path, dict[str, Any]]:
    """The student's folder, and what its assignment.json says."""
    here = folder or Path.cwd()
    places = [here, *([here / assignment] if assignment else []), *([] if folder else here.parents)]
    place = next((p for p in places if (p / ASSIGNMENT_FILE).is_file()), None)
    if place is None:
        raise PackError(
            f"There is no {ASSIGNMENT_FILE} in {here}. Run this in the folder that you unpacked, or name it "
            f"with --folder."
        )
    try:
        about = json.loads((place / ASSIGNMENT_FILE).read_text(encoding="utf-8"))
        _must_fit(about)
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise PackError(
            f"{place / ASSIGNMENT_FILE} is damaged ({error}). Take that file from the zip that you got."
        ) from None
    if assignment not in (None, about["assignment"]):
        raise PackError(f"{place} is the folder of {about['assignment']}, not of {assignment}.")
    return place, about


def _must_fit(about: Any) -> None:
    """Raises ValueError or TypeError unless this is what a release writes into assignment.json."""
    kinds = {"assignment": str, "notebooks": list, "editable": list, "packages": list, "limits": dict}
    kinds |= {"saved": dict, "functions": dict, "cells": dict, "given": dict}
    for name, kind in kinds.items():
        if not isinstance(about, dict) or not isinstance(about.get(name), kind):
            raise ValueError(f"no {name} in it")
    texts = (*about["notebooks"], *about["editable"], *about["packages"])
    if not all(isinstance(each, str) for each in texts):
        raise ValueError("its lists have more than names in them")
    for lists in (*about["saved"].values(), *about["functions"].values()):
        if not isinstance(lists, list) or not all(isinstance(each, str) for each in lists):
            raise ValueError("its lists have more than names in them")
    for cell in (cell for cells in about["cells"].values() for cell in dict(cells).values()):
        if not isinstance(cell, dict) or not {"answer", "code", "sha256"} <= cell.keys():
            raise ValueError("its cells are not whole")
    limits = about["limits"]
    if not all(isinstance(limits.get(n), int) for n in ("module", "notebook", "saved", "total", "ratio")):
        raise ValueError("no whole limits in it")
    for path in [*about["notebooks"], *about["editable"], *(p for ps in about["saved"].values() for p in ps)]:
        if re.search(r"[\\:]|(^|/)(\.\.?)?(/|$)", path):
            raise ValueError(f"{path!r} is no path in this folder")


def _read(folder: Path, path: str, limit: int, found: _Findings, what: str = "") -> bytes | None:
    """A file that counts, which goes into the zip; None, and a sentence, when it cannot."""
    try:
        if (folder / path).is_dir():
            found.errors.append(f"{path} is a folder, and must be a file.")
            return None
        if (folder / path).stat().st_size > limit:
            found.errors.append(f"{path} is larger than {_size(limit)}, so it would be left out.{what}")
            return None
        content = (folder / path).read_bytes()
    except FileNotFoundError:
        found.errors.append(f"{path} is missing. Put it back; the zip that you got has the original.")
        return None
    except OSError as error:
        found.errors.append(f"{path} cannot be read: {error.strerror}.")
        return None
    found.files[path] = content
    return content


def _look_at_module(path: str, content: bytes, folder: Path, about: dict[str, Any], found: _Findings) -> None:
    tasks = about["functions"].get(path, [])
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(content)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        found.errors.append(f"{path}{line}: Python cannot read it ({error.msg}).")
        tree = None
    except (ValueError, RecursionError, MemoryError) as error:
        found.errors.append(f"{path}: Python cannot read it ({error or type(error).__name__}).")
        tree = None
    if tree is None:
        stubs = set(_STUB_MESSAGE.findall(content.decode("utf-8", "replace")))
        _add_unwritten(found, path, [name for name in tasks if name in stubs])
        return
    functions = dict(_functions(tree))
    gone = [name for name in tasks if name not in functions]
    if gone:
        found.errors.append(f"{path} has no {', '.join(gone)} any more. Give it its name back.")
    _add_unwritten(found, path, [n for n in tasks if n in functions and _stops(functions[n].body)])
    for sentence in dict.fromkeys(_bad_imports(path, tree, folder, about)):
        found.warnings.append(sentence)


def _functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Dotted names and definitions; of two with one name the later one counts, as in Python."""
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{prefix}{child.name}."
        if isinstance(child, ast.FunctionDef):
            yield inner[:-1], child
        yield from _functions(child, inner)


def _stops(body: list[ast.stmt]) -> bool:
    """Whether these statements have a `raise NotImplementedError` that no return stands before."""
    for statement in body:
        if isinstance(statement, ast.Raise):
            what = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
            return isinstance(what, ast.Name) and what.id == "NotImplementedError"
        if isinstance(statement, ast.Return):
            return False
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
        blocks += [part.body for name in ("handlers", "cases") for part in getattr(statement, name, [])]
        if any(_stops(block) for block in blocks):
            return True
    return False


def _bad_imports(path: str, tree: ast.Module, folder: Path, about: dict[str, Any]) -> Iterator[str]:
    """Imports that will fail where the work is graded, or may."""
    ours = {*about["given"], *about["editable"]}
    for line, name in _imports(path, tree):
        root = name.split(".")[0]
        where = f"{path}, line {line}"
        if root == "handgrad":
            file = name.replace(".", "/")
            if not ours.intersection((f"{file}.py", f"{file}/__init__.py")):
                yield f"{where}: imports {name}, which is not part of the course's package."
        elif root in sys.stdlib_module_names or root in _BUNDLED or root in about["packages"]:
            continue
        elif (folder / f"{root}.py").is_file() or (folder / root).is_dir():
            yield f"{where}: imports {root}, which is not handed in: move what you need into {path}."
        elif not _installed(root):
            yield f"{where}: imports {root}, which is not installed. Did your editor write that line?"
        else:
            yield f"{where}: imports {root}, which is not among the course's packages (requirements.txt)."


def _imports(path: str, node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and absolute name of each import, but for those inside a `try`, which may fail."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((child.lineno, alias.name) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            parents = PurePosixPath(path).parts[: -child.level] if child.level else ()
            yield child.lineno, ".".join([*parents, *([child.module] if child.module else [])])
        elif not isinstance(child, ast.Try):
            yield from _imports(path, child)


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _look_at_notebook(path: str, content: bytes, released: dict[str, Any], found: _Findings) -> None:
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        markers = b"<<<<<<< " in content and b">>>>>>> " in content
        why = "It has conflict markers of git." if markers else str(error)
        found.errors.append(f"{path} is not readable as a notebook. {why} Open it in Jupyter, and save it.")
        return
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not _cells(notebook):
        found.errors.append(f"{path} is no notebook of Jupyter's format 4. Open it in Jupyter, and save it.")
        return
    cells: dict[str, list[str]] = {}
    for label, _, source in labelled_cells(notebook):
        cells.setdefault(label, []).append(source)
    given = {label: each for label, each in released.items() if not each["answer"]}
    answers = {label: each for label, each in released.items() if each["answer"]}
    changed = [n for n, each in given.items() if n in cells and text_hash(cells[n][0]) != each["sha256"]]
    if changed:
        found.warnings.append(
            f"{path}: changed, but graded from our copy: {_list(changed)}. Put your own tests into new cells."
        )
    if gone := [label for label in released if label not in cells]:
        found.warnings.append(f"{path}: deleted, or without its label: {_list(gone)}.")
    if twice := [label for label, sources in cells.items() if label in released and len(sources) > 1]:
        found.warnings.append(f"{path}: there more than once, and one of them counts: {_list(twice)}.")
    _add_unwritten(
        found,
        path,
        [
            label
            for label, each in answers.items()
            if label in cells
            and (
                text_hash(cells[label][0]) == each["sha256"]
                or (each["code"] and _STUB.search(cells[label][0]))
            )
        ],
    )
    _look_at_runs(path, notebook, found)


def _look_at_runs(path: str, notebook: dict[str, Any], found: _Findings) -> None:
    """Warn of cells that never ran, ran out of order or stopped."""
    code = [c for c in _cells(notebook) if c.get("cell_type") == "code" and _source(c).strip()]
    counts = [c.get("execution_count") for c in code]
    ran = [count for count in counts if isinstance(count, int)]
    again = "Restart the kernel, run all cells, save, and pack again."
    if not ran:
        if code:
            found.warnings.append(f"{path}: saved without having been run. {again}")
        return
    if len(ran) < len(code):
        found.warnings.append(
            f"{path}: {len(code) - len(ran)} of {len(code)} code cells were not run. {again}"
        )
    if ran != sorted(ran):
        found.warnings.append(f"{path}: cells were run out of order. {again}")
    stopped = [
        str(output.get("ename") or "an error")
        for cell in code
        for output in (cell.get("outputs") if isinstance(cell.get("outputs"), list) else [])
        if isinstance(output, dict) and output.get("output_type") == "error"
    ]
    if stopped:
        found.warnings.append(
            f"{path}: {len(stopped)} cells stopped with an error: {_list(sorted(set(stopped)))}."
        )


def _look_at_saved(folder: Path, path: str, notebook: str, about: dict[str, Any], found: _Findings) -> None:
    """A saved model: there, readable, of finite numbers, and no older than the code it needs."""
    if not (folder / path).exists():
        found.warnings.append(f"{path} is not there yet: {notebook} writes it, and its accuracy counts.")
        return
    content = _read(folder, path, about["limits"]["saved"], found, " Save the weights alone.")
    if content is None:
        return
    try:
        trouble = _tensors(content) if path.endswith(".safetensors") else _arrays(content)
    except Exception as error:  # zipfile and NumPy let through nearly anything
        trouble = f"cannot be read ({str(error) or type(error).__name__})"
    if trouble:
        found.warnings.append(f"{path} {trouble}. Run {notebook} again, which writes it.")


def _arrays(content: bytes) -> str:
    import numpy as np  # the only part that needs it

    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        for name in file.files:
            array = file[name]
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                return f"has numbers in {name} that are not finite"
    return ""


def _tensors(content: bytes) -> str:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
    return "" if 8 + length + max(ends, default=0) == len(content) else "is not complete"


def _look_at_given(folder: Path, about: dict[str, Any], found: _Findings) -> None:
    """Changes in files that do not count have no effect: better to know before than after."""
    for path, expected in about["given"].items():
        try:
            same = text_hash((folder / path).read_bytes()) == expected
        except OSError:
            continue  # whoever deletes a given file gets ours when graded
        if not same:
            found.warnings.append(f"{path} was changed, which has no effect: it is not among what counts.")


def _look_at_times(folder: Path, about: dict[str, Any], found: _Findings) -> None:
    """By the files' dates, which copying may change: a hint, never more."""
    dates = {path: (folder / path).stat().st_mtime for path in found.files}
    code = [path for path in about["editable"] if path in dates]
    if not code:
        return
    newest = max(code, key=dates.__getitem__)
    limit = dates[newest] - CLOSE
    saved = [path for paths in about["saved"].values() for path in paths]
    if old := [path for path in saved if path in dates and dates[path] < limit]:
        found.warnings.append(
            f"Older than {newest}: {_list(old)}. If your last change matters to it, run its notebook again."
        )
    if old := [path for path in about["notebooks"] if path in dates and dates[path] < limit]:
        found.warnings.append(
            f"Saved before {newest} was: {_list(old)}. The results in it may be of older code; functions "
            f"are graded as they are now."
        )


def _write_zip(target: Path, name: str, files: dict[str, bytes], ratio: int) -> None:
    """The files in a folder of the assignment's name, with the manifest; the same files, the same bytes."""
    manifest = json.dumps(manifest_of(name, files), indent=1) + "\n"
    temporary = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for path, content in sorted({**files, MANIFEST_FILE: manifest.encode()}.items()):
                member = zipfile.ZipInfo(f"{name}/{path}", (1980, 1, 1, 0, 0, 0))
                member.external_attr = 0o100644 << 16
                member.create_system = 3
                # What packs too well looks like a bomb to whoever unpacks it; weights hardly pack at all.
                well = path.endswith((".npz", ".safetensors")) or (
                    len(content) > ratio * len(zlib.compress(content, 6)) // 2
                )
                archive.writestr(member, content, zipfile.ZIP_STORED if well else zipfile.ZIP_DEFLATED)
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PackError(f"{target} was not written: {error.strerror}.") from None


def _receipt(about: dict[str, Any], found: _Findings, target: Path | None, check: bool) -> list[str]:
    """What pack prints."""
    expected = [*about["notebooks"], *about["editable"], *(p for ps in about["saved"].values() for p in ps)]
    size = _size(sum(map(len, found.files.values())))
    lines = [f"{about['assignment']}: {len(found.files)} of {len(expected)} files, {size}"]
    lines += [f"  {'+' if path in found.files else '-'} {path}" for path in expected]
    if found.unwritten:
        lines.append("Not written yet:")
        lines += [f"  {path}: {', '.join(names)}" for path, names in found.unwritten.items()]
    else:
        lines.append("Every exercise has been written.")
    for title, sentences in (("Worth a look:", found.warnings), ("Not in order:", found.errors)):
        lines += [title, *(f"  {sentence}" for sentence in sentences)] if sentences else []
    if target:
        lines.append(f"Written: {target}. Hand this in.")
    elif check:
        lines.append("Only checked: no zip was written.")
    else:
        lines.append("No zip was written. To hand it in as it is, add --anyway, or pack(anyway=True).")
    lines.append(f"Submission hash: {found.hash[:DIGITS]}")
    if set(about["notebooks"]) <= found.files.keys():
        lines.append("The feedback shows the same when exactly these files were handed in.")
    else:
        lines.append("The feedback shows the same. Our copy of a missing notebook is graded with the rest.")
    return lines


def _add_unwritten(found: _Findings, path: str, names: list[str]) -> None:
    if names:
        found.unwritten[path] = names


def _cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    cells = notebook.get("cells")
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _list(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{-(-count // 2**10)} KiB"


if __name__ == "__main__":
    sys.exit(main())
