"""Solution regions of Python modules.

    ### BEGIN SOLUTION (a1)
    out = rows @ w + b
    ### END SOLUTION

A region stands in the body of a function and belongs to the assignment it names. The release of an
assignment has a stub in place of each region of this assignment and of later ones; the regions of earlier
assignments stay, as given code. Notebooks use the same directive; nbgrader itself handles those.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autograder.course import CourseError

_MARKER = re.compile(r"### (?:BEGIN SOLUTION \((?P<assignment>[a-z]+[0-9]+)\)|END SOLUTION)")
_LOOKS_LIKE_A_MARKER = re.compile(r"(BEGIN|END)\s+SOLUTION")


@dataclass(frozen=True)
class Region:
    """One solution region; `start` and `end` are the line numbers of its markers, counted from 1."""

    name: str
    start: int
    end: int
    assignment: str
    lines: tuple[str, ...]


def strip(text: str, assignment: str, path: str) -> str:
    """The module as students get it with `assignment`: its own and later regions become stubs.

    Args:
        text: the module.
        assignment: such as "a1". Assignments follow each other in the order of their names.
        path: the module's path in the student's folder, for the stubs and for error messages.
    Raises:
        CourseError: a marker or region is not as it must be; the message names file and line.
    """
    return _rewrite(text, path, lambda region: region.assignment >= assignment)


def solve(text: str, assignment: str, path: str) -> str:
    """The module with `assignment` solved: only later regions become stubs. Errors as in `strip`."""
    return _rewrite(text, path, lambda region: region.assignment > assignment)


def only(text: str, names: Iterable[str], path: str) -> str:
    """The module with these functions and classes solved, and those that they use; all else becomes stubs.

    Args:
        text: the module.
        names: top-level names of it.
        path: the module's path, for the stubs and for error messages.
    Raises:
        CourseError: as in `strip`.
    """
    uses = {
        node.name: {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    kept: set[str] = set()
    waiting = set(names)
    while waiting:
        kept |= waiting
        waiting = set().union(*(uses.get(name, set()) for name in waiting)).intersection(uses) - kept
    return _rewrite(text, path, lambda region: region.name.split(".")[0] not in kept)


def solutions(text: str, path: str = "the module") -> list[Region]:
    """The regions of a module, from top to bottom. Errors as in `strip`."""
    if not _LOOKS_LIKE_A_MARKER.search(text):
        return []
    functions = _functions(text, path)
    rows = text.split("\n")
    regions: list[Region] = []
    begun: tuple[int, str] | None = None
    for line, assignment in _markers(text, path):
        if assignment:
            if begun:
                raise CourseError(
                    f"{path}:{line}: a region begins inside the one that began in line {begun[0]}."
                )
            begun = (line, assignment)
            continue
        if not begun:
            raise CourseError(f"{path}:{line}: END SOLUTION without a BEGIN SOLUTION above it.")
        start, owner = begun
        begun = None
        name = _enclosing(functions, rows, start, line, path)
        regions.append(Region(name, start, line, owner, tuple(rows[start : line - 1])))
    if begun:
        raise CourseError(f"{path}:{begun[0]}: BEGIN SOLUTION without an END SOLUTION below it.")
    return regions


def _rewrite(text: str, path: str, stub: Callable[[Region], bool]) -> str:
    """The text without markers, and with a stub for each region that `stub` chooses."""
    regions = solutions(text, path)
    if not regions:
        return text
    rows = text.split("\n")
    for region in reversed(regions):
        begin = rows[region.start - 1]
        indent = begin[: len(begin) - len(begin.lstrip())]
        rows[region.start - 1 : region.end] = _stub(region, path, indent) if stub(region) else region.lines
    result = "\n".join(rows)
    try:
        ast.parse(result)
    except SyntaxError as error:
        places = ", ".join(f"{region.name} (line {region.start})" for region in regions)
        raise CourseError(
            f"{path}: without its solutions the module is not valid Python ({error.msg}, line {error.lineno} "
            f"of the result). A region must hold whole statements, at its markers' indentation; the regions "
            f"are {places}."
        ) from error
    return result


def _stub(region: Region, path: str, indent: str) -> list[str]:
    message = f"{region.name} is not written yet: write it in {path}"
    return [
        f"{indent}# Your code here, in place of the next line.",
        f'{indent}raise NotImplementedError("{message}")',
    ]


def _markers(text: str, path: str) -> list[tuple[int, str | None]]:
    """Line and assignment of each BEGIN, line and None of each END. Markers are comments, never strings."""
    found: list[tuple[int, str | None]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or not _LOOKS_LIKE_A_MARKER.search(token.string):
            continue
        match = _MARKER.fullmatch(token.string.rstrip())
        if not match or token.line.strip() != token.string.strip():
            raise CourseError(
                f"{path}:{token.start[0]}: a marker is a line of its own, `### BEGIN SOLUTION (a1)` with an "
                f"assignment in the parentheses or `### END SOLUTION`; got `{token.line.strip()}`."
            )
        found.append((token.start[0], match["assignment"]))
    return found


def _functions(text: str, path: str) -> list[tuple[str, int, int]]:
    """Dotted name, first and last line of every function, outer ones first."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise CourseError(f"{path}:{error.lineno}: not valid Python: {error.msg}.") from error
    found: list[tuple[str, int, int]] = []

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{prefix}{child.name}."
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                assert child.end_lineno is not None
                found.append((inner[:-1], child.lineno, child.end_lineno))
            visit(child, inner)

    visit(tree, "")
    return found


def _enclosing(
    functions: list[tuple[str, int, int]], rows: list[str], start: int, end: int, path: str
) -> str:
    """Name of the innermost function in whose body the lines from `start` to `end` lie.

    A function ends with its last statement; below that, only comments may come before the END marker.
    """
    inner = [(first, last, name) for name, first, last in functions if first < start <= last]
    if not inner:
        raise CourseError(
            f"{path}:{start}: a region must hold statements inside a function, and this one does not."
        )
    _, last, name = max(inner)
    if any(row.strip() and not row.lstrip().startswith("#") for row in rows[last : end - 1]):
        raise CourseError(
            f"{path}:{start}: the region goes on beyond the end of {name}, which is in line {last}."
        )
    return name
