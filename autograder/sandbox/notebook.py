"""What a notebook defines, without running it: imports, functions, classes, and plain assignments.

This file lies beside the runner in every sandbox and imports the standard library alone.

Of each code cell, in order, these statements run, each on its own:
- definitions of functions and classes;
- imports of which some definition uses a name;
- assignments to names and their items whose right side is plain: constants, names, attributes, items,
  arithmetic, comparisons, containers, comprehensions, lambdas, and calls of some builtins or of functions of
  math, np, torch, nn and functools;
- what stands in a `try`, and in an `if` whose condition is plain, under the same rules.

Everything else is left out: loops, calls, training. What is defined again later in the notebook wins. A cell
that is not Python, or a statement that raises, is skipped and remembered. Magics and shell lines are dropped.
"""

import __future__

import ast
import json
import re
from functools import lru_cache

BUILTINS = {"dict", "float", "int", "list", "tuple", "range", "min", "max", "round", "len", "sum", "set"}
BUILTINS |= {"zip", "enumerate", "sorted", "abs", "bool", "str", "partial"}
MODULES = {"math", "np", "numpy", "torch", "nn", "functools"}
_PLAIN = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Starred, ast.UnaryOp, ast.BinOp,
    ast.BoolOp, ast.Compare, ast.IfExp, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.JoinedStr, ast.FormattedValue, ast.Call,
    ast.keyword, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_MAGIC = re.compile(r"(\s*)(?:[%!?]|[\w., ]+=\s*[%!](?!=)|.*[\w\])]\?{1,2}\s*$)")
_PYTHON_MAGICS = {"time", "timeit", "capture", "prun"}


class Missing(Exception):
    """The submission has no such module, function or attribute."""


class Definitions:
    """Names that a notebook defines.

    Public attributes: `names`, the dictionary in which its functions look for each other; and `skipped`, a
    sentence about each cell or statement that could not be used.
    """

    def __init__(self, names: dict):
        self.names = names
        self.skipped = []
        self._broken = {}  # names that a skipped statement or cell would have defined, and the sentence

    def __getitem__(self, name):
        if name in self.names:
            return self.names[name]
        why = self._broken.get(name)
        raise Missing(f"the notebook does not define {name}" + (f": {why}" if why else ""))

    def __setitem__(self, name, value):
        self.names[name] = value

    def skip(self, where: str, error: Exception, names) -> None:
        """Remember what could not be used."""
        kind = "is not Python" if isinstance(error, SyntaxError) else f"raises {type(error).__name__}"
        message = error.msg if isinstance(error, SyntaxError) else error
        try:
            why = f"{where} {kind}: {' '.join(str(message).split())[:200]}"
        except Exception:  # an exception of the student's own, which cannot be printed
            why = f"{where} {kind}"
        self.skipped.append(why)
        self._broken.update(dict.fromkeys(names, why))


def code_cells(path: str) -> list:
    """The code cells of a notebook: (label, source); the label is the grade_id or the number of the cell."""
    with open(path, encoding="utf-8") as file:
        notebook = json.load(file)
    found = []
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            label = cell["metadata"].get("nbgrader", {}).get("grade_id") or str(number)
            found.append((label, "".join(cell["source"])))
    return found


def definitions(cells: list, names: dict, path: str = "") -> Definitions:
    """Collect what a notebook's code cells define.

    Args:
        cells: (label, source) of each, as `code_cells` reads them.
        names: what is defined before; the definitions are added to it.
        path: of the notebook, for tracebacks.
    """
    found = Definitions(names)
    parsed = []
    used = set()
    for label, source in cells:
        statements, error, mentioned = _parse(source)
        if error is not None:
            found.skip(f"the cell {label}, line {error.lineno or 1},", error, mentioned)
        else:
            used |= mentioned
            parsed.append((label, statements))
    names.setdefault("__name__", "__main__")  # as in a kernel
    for label, statements in parsed:
        _run(statements, f"{path} cell {label}", label, found, used)
    return found


def _run(statements, filename: str, label: str, found: Definitions, used) -> None:
    """Run each of these statements, and those inside of `try` and `if`."""
    for statement in statements:
        bound = _bound(statement)
        if isinstance(statement, _IMPORTS) and not (used & bound or "*" in bound):
            continue
        try:
            if isinstance(statement, ast.Try):
                before = len(found.skipped)
                _run(statement.body, filename, label, found, used)
                if len(found.skipped) == before:
                    _run(statement.orelse, filename, label, found, used)
                _run(statement.finalbody, filename, label, found, used)
            elif isinstance(statement, ast.If):
                holds = eval(_compiled(ast.Expression(statement.test), filename, "eval"), found.names)
                _run(statement.body if holds else statement.orelse, filename, label, found, used)
            else:
                tree = ast.Module([statement], type_ignores=[])
                exec(_compiled(tree, filename, "exec"), found.names)
        except (Exception, SystemExit) as error:
            found.skip(f"the cell {label}, line {statement.lineno},", error, bound)


def _compiled(tree, filename: str, mode: str):
    # Annotations are not evaluated: a name that only they need costs nothing.
    return compile(tree, filename, mode, flags=__future__.annotations.compiler_flag, dont_inherit=True)


@lru_cache(maxsize=512)
def _parse(source: str) -> tuple:
    """The statements of a cell that may run, or its syntax error; and names that it mentions or defines."""
    error = None
    for text in (source, without_magics(source)):
        try:
            body = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as found:
            error = error_of(found)
        else:
            kept = _taken(body)
            mentioned = {node.id for tree in kept for node in ast.walk(tree) if isinstance(node, ast.Name)}
            return kept, None, mentioned
    return [], error, set(re.findall(r"^\s*(?:def|class)\s+(\w+)", source, re.MULTILINE))


def error_of(error: Exception) -> SyntaxError:
    """Any failure to read a source as a syntax error."""
    return error if isinstance(error, SyntaxError) else SyntaxError(f"{type(error).__name__}: {error}")


def without_magics(source: str) -> str:
    """A cell without the lines that only IPython understands; nothing of a cell in another language."""
    first = source.lstrip()
    if first.startswith("%%") and re.match(r"%%(\w*)", first)[1] not in _PYTHON_MAGICS:
        return ""
    lines = []
    for line in source.split("\n"):
        magic = _MAGIC.match(line)
        lines.append(f"{magic[1]}pass" if magic and not line.lstrip().startswith("#") else line)
    return "\n".join(lines)


def _taken(body) -> list:
    """The statements that may run under the rules at the top of this file."""
    kept = []
    for statement in body:
        if isinstance(statement, (*_DEFINITIONS, *_IMPORTS)):
            kept.append(statement)
        elif isinstance(statement, ast.Assign):
            if is_plain(statement.value) and all(map(_is_name, statement.targets)):
                kept.append(statement)
        elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
            if statement.value is not None and is_plain(statement.value) and _is_name(statement.target):
                kept.append(statement)
        elif isinstance(statement, ast.Try):
            parts = {part: _taken(getattr(statement, part)) for part in ("body", "orelse", "finalbody")}
            kept.append(ast.copy_location(ast.Try(handlers=[], **parts), statement))
        elif isinstance(statement, ast.If) and is_plain(statement.test):
            parts = {part: _taken(getattr(statement, part)) for part in ("body", "orelse")}
            kept.append(ast.copy_location(ast.If(test=statement.test, **parts), statement))
    return kept


def _is_name(target) -> bool:
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(_is_name, target.elts))
    if isinstance(target, ast.Subscript):  # settings["rate"] = 1e-3
        return isinstance(target.value, ast.Name) and is_plain(target.slice)
    return isinstance(target, ast.Name)


def is_plain(value) -> bool:
    """Whether an expression only makes a small value, under the rules at the top of this file."""
    if isinstance(value, ast.Lambda):
        return True
    if not isinstance(value, _PLAIN):
        return False
    if isinstance(value, ast.Call):
        function = value.func
        while isinstance(function, ast.Attribute):
            function = function.value
        if not isinstance(function, ast.Name):
            return False
        if function.id not in (BUILTINS if function is value.func else MODULES):
            return False
    return all(map(is_plain, ast.iter_child_nodes(value)))


def _bound(statement) -> set:
    """The names that a statement defines."""
    if isinstance(statement, _DEFINITIONS):
        return {statement.name}
    if isinstance(statement, _IMPORTS):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    nodes = (node for node in ast.walk(statement) if isinstance(node, (*_DEFINITIONS, ast.Name)))
    return {
        node.name if isinstance(node, _DEFINITIONS) else node.id
        for node in nodes
        if isinstance(node, _DEFINITIONS) or isinstance(node.ctx, ast.Store)
    }
