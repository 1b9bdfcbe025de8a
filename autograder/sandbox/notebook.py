"""What a notebook defines, without running it: imports, functions, classes, and plain assignments.

This file lies beside the runner in every sandbox and imports the standard library alone.

Of each code cell but the tests, in order, these statements run, each on its own:
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
    """The code cells of a notebook but its tests: (label, source); the label is a grade_id or a number."""
    with open(path, encoding="utf-8") as file:
        notebook = json.load(file)
    found = []
    for number, cell in enumerate(notebook["cells"], 1):
        about = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and not (about.get("grade") and not about.get("solution")):
            found.append((about.get("grade_id") or str(number), "".join(cell["source"])))
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
        steps, error, mentioned = _parse(source, f"{path} cell {label}")
        if error is not None:
            found.skip(f"the cell {label}, line {error.lineno or 1},", error, mentioned)
        else:
            used |= mentioned
            parsed.append((label, steps))
    names.setdefault("__name__", "__main__")  # as in a kernel
    for label, steps in parsed:
        _run(steps, label, found, used)
    return found


class Step:
    """A statement that may run: its code, or the steps inside of it."""

    def __init__(self, statement, filename: str):
        self.statement, self.filename = statement, filename
        self.parts = {}  # of a `try` or an `if`
        if isinstance(statement, ast.Try):
            self.code = None
        elif isinstance(statement, ast.If):
            self.code = self.compiled(ast.Expression(statement.test), "eval")
        else:
            self.code = self.compiled(ast.Module([statement], type_ignores=[]), "exec")

    def compiled(self, tree, mode: str):
        # Annotations are not evaluated: a name that only they need costs nothing.
        flags = __future__.annotations.compiler_flag
        return compile(tree, self.filename, mode, flags=flags, dont_inherit=True)

    def is_import(self) -> bool:
        return isinstance(self.statement, _IMPORTS)

    def uses(self) -> set:
        """The names that it, and what it defines, look up; imports look up none."""
        found = set() if self.is_import() or self.code is None else _names(self.code)
        return found.union(*(step.uses() for part in self.parts.values() for step in part))


def _names(code) -> set:
    inner = [constant for constant in code.co_consts if hasattr(constant, "co_names")]
    return set(code.co_names).union(*map(_names, inner))


def _run(steps, label: str, found: Definitions, used) -> None:
    """Run each of these steps, and those inside of `try` and `if`."""
    for step in steps:
        try:
            if step.is_import() and not (bound := _bound(step.statement)) & used and "*" not in bound:
                continue
            if isinstance(step.statement, ast.Try):
                before = len(found.skipped)
                _run(step.parts["body"], label, found, used)
                if len(found.skipped) == before:
                    _run(step.parts["orelse"], label, found, used)
                _run(step.parts["finalbody"], label, found, used)
            elif isinstance(step.statement, ast.If):
                holds = eval(step.code, found.names)
                _run(step.parts["body" if holds else "orelse"], label, found, used)
            else:
                exec(step.code, found.names)
        except (Exception, SystemExit) as error:
            where = f"the cell {label}, line {step.statement.lineno},"
            found.skip(where, error, _bound(step.statement))


@lru_cache(maxsize=512)
def _parse(source: str, filename: str) -> tuple:
    """The steps of a cell, or its syntax error; and the names that it uses, or that it would define."""
    error = None
    for text in (source, without_magics(source)):
        try:
            steps = _taken(ast.parse(text).body, filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as found:
            error = error_of(found)
        else:
            return steps, None, set().union(*(step.uses() for step in steps))
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


def _taken(body, filename: str) -> list:
    """The statements that may run under the rules at the top of this file."""
    steps = []
    for statement in body:
        inside = ()
        if isinstance(statement, (*_DEFINITIONS, *_IMPORTS)):
            taken = True
        elif isinstance(statement, ast.Assign):
            taken = is_plain(statement.value) and all(map(_is_name, statement.targets))
        elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
            taken = statement.value is not None and is_plain(statement.value) and _is_name(statement.target)
        elif isinstance(statement, ast.Try):
            taken, inside = True, ("body", "orelse", "finalbody")
        else:
            taken = isinstance(statement, ast.If) and is_plain(statement.test)
            inside = ("body", "orelse")
        if taken:
            step = Step(statement, filename)
            step.parts = {part: _taken(getattr(statement, part), filename) for part in inside}
            steps.append(step)
    return steps


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
