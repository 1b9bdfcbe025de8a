"""Machine-made mistakes: small changes of the reference's solutions, each of which a check must catch.

Notable:
- The changes are those that array code suffers: a term dropped, an axis, a sign, a sum for a mean, a
  transpose, a bound of a slice, `=` for `+=`.
- A mutant that no check catches has to stand in `equivalent_mutants.toml`, with the reason why nobody could.
"""

from __future__ import annotations
import __future__

import ast
import copy
import importlib
import inspect
import os
import pkgutil
import re
import signal
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.table import Table

from .checks import LocalStudent, registered
from .checks.running import number_from, run_check

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
SECONDS = 10  # a mutant may loop for ever: grading stops it, and so does this
_BEGIN, _END = "### BEGIN SOLUTION", "### END SOLUTION"

_OPERATORS: dict[type, list[type]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Div, ast.Mult],
    ast.Pow: [ast.Mult],
    ast.Mod: [ast.FloorDiv],
    ast.BitAnd: [ast.BitOr],
}
_COMPARISONS: dict[type, list[type]] = {
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
}
_NAMES = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "argmax": "argmin",
    "maximum": "minimum",
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "var": "std",
    "sqrt": "abs",
    "exp": "abs",
    "randn": "rand",
    "rand": "randn",
    "arange": "zeros",
}

_SYMMETRIC = {"maximum", "minimum", "vdot", "result_type"}


def functions() -> list[str]:
    """Dotted names of the functions and methods that have a solution region and a check."""
    found = dict.fromkeys(
        function
        for _, check in sorted(registered().items())
        for function in check.functions
        if function.startswith("handgrad.")
    )
    return [function for function in found if _BEGIN in inspect.getsource(pkgutil.resolve_name(function))]


def mutants(function: str) -> dict[str, Callable]:
    """The mutants of a function of the reference, by what was changed: "old statement -> new statement"."""
    original = pkgutil.resolve_name(function)
    source = textwrap.dedent(inspect.getsource(original))
    lines = source.splitlines()
    begins, ends = ([n for n, line in enumerate(lines, 1) if mark in line] for mark in (_BEGIN, _END))
    inside = {n for begin, end in zip(begins, ends, strict=True) for n in range(begin, end)}
    tree = ast.parse(source)
    found: dict[str, Callable] = {}
    for statement in _statements(tree):
        if statement.lineno not in inside:
            continue
        for node in _own_nodes(statement):
            for new in _alternatives(node):
                label = f"{_head(statement)} -> {_head(_replaced(statement, node, new))}"
                while label in found:
                    label += " (again)"
                found[label] = _compiled(_replaced(tree, node, new), original)
    return found


def _compiled(tree: ast.AST, original: Callable) -> Callable:
    namespace = dict(vars(importlib.import_module(original.__module__)))
    exec(compile(tree, "<mutant>", "exec", flags=__future__.annotations.compiler_flag), namespace)
    return namespace[original.__name__]


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, without those of the statements inside it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            continue  # a negative number is one number
        waiting.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt))


def _head(node: ast.AST) -> str:
    """A statement as one line, without its body."""
    return ast.unparse(node).splitlines()[0]


def _replaced(tree: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """A copy of the tree with `new` in the place of the node `old`."""
    memo: dict[int, ast.AST] = {}
    duplicate = copy.deepcopy(tree, memo)

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is memo[id(old)] else self.generic_visit(node)

    return ast.fix_missing_locations(Replace().visit(duplicate))


def _alternatives(node: ast.AST) -> Iterator[ast.AST]:
    """What could stand in the place of a node by mistake."""
    node = copy.deepcopy(node)
    match node:
        case ast.BinOp(left, op, right):
            for other in _OPERATORS.get(type(op), ()):
                yield ast.BinOp(left, other(), right)
            if isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
                yield left
            if isinstance(op, ast.Add | ast.Mult):
                yield right
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.Compare(left, [op], [right]):
            for other in _COMPARISONS.get(type(op), ()):
                yield ast.Compare(left, [other()], [right])
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Attribute(value, "T"):
            yield value
        case ast.Slice(lower, upper, step):
            if lower is not None:
                yield ast.Slice(None, upper, step)
            if upper is not None:
                yield ast.Slice(lower, None, step)
        case ast.Call(function, args, keywords):
            for keyword in keywords:
                if keyword.arg != "dtype":
                    yield ast.Call(function, args, [k for k in keywords if k is not keyword])
            if isinstance(function, ast.Attribute) and function.attr in _NAMES:
                renamed = ast.Attribute(function.value, _NAMES[function.attr], ast.Load())
                yield ast.Call(renamed, args, keywords)
            if isinstance(function, ast.Name) and function.id == "range" and len(args) == 1:
                yield ast.Call(function, [ast.BinOp(args[0], ast.Sub(), ast.Constant(1))], [])
            if len(args) == 2 and getattr(function, "attr", "") not in _SYMMETRIC:
                yield ast.Call(function, args[::-1], keywords)
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If(test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.AugAssign(target, op, value):
            yield ast.Assign([target], value)
            for other in _OPERATORS.get(type(op), ()):
                yield ast.AugAssign(target, other(), value)
            yield ast.Pass()
        case ast.Assign([ast.Subscript() | ast.Attribute()], _):
            yield ast.Pass()


# ---- the proof


def equivalent() -> dict[str, dict[str, str]]:
    """Mutants that no check can catch, by function and change, and why."""
    return tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))


def unexplained(found: list[tuple[str, int, list[str]]]) -> list[str]:
    """Survivors that the list of equivalent mutants does not have, as lines for people."""
    known = equivalent()
    return [f"{f}: {label}" for f, _, labels in found for label in labels if label not in known.get(f, {})]


def table(found: list[tuple[str, int, list[str]]]) -> Table:
    """A row for each function."""
    known = equivalent()
    out = Table(title="Machine-made mutants", show_footer=True)
    out.add_column("function", f"{len(found)} functions")
    out.add_column("mutants", str(sum(count for _, count, _ in found)), justify="right")
    out.add_column("equivalent", justify="right")
    out.add_column("survivors", str(len(unexplained(found))))
    for function, count, labels in found:
        new = [label for label in labels if label not in known.get(function, {})]
        out.add_row(
            function.removeprefix("handgrad."), str(count), str(len(labels) - len(new)), "\n".join(new)
        )
    return out


def survivors(
    prefix: str = "", seeds: int = 2, jobs: int | None = None
) -> Iterator[tuple[str, int, list[str]]]:
    """For each function the number of its mutants, and those that no check catches.

    Args:
        prefix: of the names of notebooks whose functions are looked at.
        seeds: how many seeds of grading runs; one that fails is enough.
        jobs: processes; one per processor if left out.
    """
    checks = [check for (notebook, _), check in registered().items() if notebook.startswith(prefix)]
    wanted = {function for check in checks for function in check.functions}
    names = [function for function in functions() if function in wanted]
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        yield from pool.map(_survivors, names, [seeds] * len(names))


def _survivors(function: str, seeds: int) -> tuple[str, int, list[str]]:
    made = mutants(function)
    return (
        function,
        len(made),
        [label for label, wrong in made.items() if not _caught(function, wrong, seeds)],
    )


def _stem(function: str) -> str:
    """A name for a forward pass and its backward pass: what one keeps, the other shows."""
    return re.sub("(_|\\b)(forward|backward)", "", function)


class _TooLong(BaseException):
    """Not an Exception: those are taken for the mutant's own, and its next call would loop on."""


def _caught(function: str, wrong: Callable, seeds: int) -> bool:
    def stop(*_: object) -> None:
        raise _TooLong

    stem = _stem(function)
    checks = [c for c in registered().values() if stem in map(_stem, c.functions) and not c.saved]
    signal.signal(signal.SIGALRM, stop)
    for check in checks:
        for seed in map(str, range(seeds)):
            signal.alarm(SECONDS)
            try:
                student = LocalStudent({function: wrong}, number_from(seed, check.grade_id))
                if run_check(check, student, seed).fraction < 1:
                    return True
            except _TooLong:
                return True
            finally:
                signal.alarm(0)
    return False
