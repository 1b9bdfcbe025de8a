"""Turn the solved folder into another submission: a patch is a module that redefines functions of it."""

from __future__ import annotations

import ast
from pathlib import Path


def apply(patch: str, tree: Path, modules: list[str], replace: dict[str, str] | None = None) -> list[str]:
    """Put the functions of a patch in place of those with the same name; methods in the class of that name.

    All else in the patch, such as imports and helpers, goes above the first function of each changed module.

    Args:
        patch: Python source.
        tree: a submission.
        modules: the paths in it that may be changed.
        replace: texts in the patch, such as "@PORT@", and what to put there.
    Returns:
        the names that were replaced.
    Raises:
        ValueError: the patch replaces nothing.
    """
    for text, value in (replace or {}).items():
        patch = patch.replace(text, value)
    theirs = _functions(ast.parse(patch))
    rest = _rest(patch, set(_known(modules, tree)))  # before a helper of the patch is in one of the modules
    replaced = []
    for module in modules:
        path = tree / module
        source = path.read_text(encoding="utf-8")
        ours = _functions(ast.parse(source))
        shared = sorted(ours.keys() & theirs.keys(), key=lambda name: -ours[name].lineno)
        if not shared:
            continue
        lines = source.splitlines()
        for name in shared:  # from the bottom up, so that line numbers above stay right
            node = ours[name]
            lines[node.lineno - 1 : node.end_lineno] = _lines(patch, theirs[name])
        first = min(node.lineno for node in ast.parse(source).body if _defines(node)) - 1
        lines[first:first] = [*rest, "", ""]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        replaced += shared
    if not replaced:
        raise ValueError(
            f"The patch defines {', '.join(theirs) or 'nothing'}; none of it is in {', '.join(modules)}."
        )
    return replaced


def _defines(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Functions by name, methods as Class.method."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{m.name}": m for m in node.body if isinstance(m, ast.FunctionDef)}
    return found


def _known(modules: list[str], tree: Path) -> list[str]:
    """Names of the functions and classes that the modules define."""
    sources = [(tree / module).read_text(encoding="utf-8") for module in modules]
    return [node.name for source in sources for node in ast.parse(source).body if _defines(node)]


def _rest(patch: str, known: set[str]) -> list[str]:
    """The lines of the patch's other statements, without its docstring."""
    body = ast.parse(patch).body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    keep = [node for node in body if not (_defines(node) and node.name in known)]
    return [line for node in keep for line in _lines(patch, node)]


def _lines(source: str, node: ast.stmt) -> list[str]:
    return source.splitlines()[node.lineno - 1 : node.end_lineno]
