"""Machine-broken modules of the solved assignment a2: what mending saves.

    python benchmarks/mending.py [--count 500] [--seed 0]

Each sample breaks one module of the seven: a random character, bracket, word or line is deleted, doubled or
inserted, indentation is changed, the file is truncated, an import of a missing package is put in, or a
statement that raises is appended. Counted are those that cannot be imported then. A function is undamaged if
the break touched none of its lines; it is saved if it can be imported with its code unchanged.
"""

from __future__ import annotations

import argparse
import ast
import functools
import os
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autograder import regions
from autograder.course import REPOSITORY, Course
from autograder.mending import mend_modules
from autograder.sandbox import Session, check_available

JUNK = [*"()[]{}", " = ", "%", " return ", '"""', "'", "\\", ":", "@", " def ", "print x"]
IMPORTS = ["from turtle import forward", "import torch_geometric as pyg", "from google.colab import drive"]
LEFT = ["print(undefined)", "assert 1 == 2", "open('cifar.npz')", "name = input()", "plt.show()"]
OUTCOMES = ("all undamaged functions saved", "some saved", "module lost", "crash")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--isolation", choices=("bubblewrap", "none"), default="bubblewrap")
    options = parser.parse_args()
    if options.isolation == "bubblewrap":
        check_available()
    rng = random.Random(options.seed)
    counts: dict[str, Counter] = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        solved, released, modules = _trees(Path(scratch))
        for number in range(options.count):
            tree = Path(shutil.copytree(solved, Path(scratch) / f"broken-{number}"))
            found = None
            while found is None:
                kind, path, text = _break(rng, solved, modules)
                (tree / path).write_text(text, encoding="utf-8")
                with Session(tree, options.isolation, modules=modules) as session:
                    session.open()
                    found = path if session.import_errors else None
                if found is None:  # Python can still import it: no case for mending
                    shutil.copyfile(solved / path, tree / path)
            outcome = _outcome(tree, solved, released, modules, found, options.isolation)
            counts.setdefault(kind, Counter())[outcome] += 1
            for left in Path(scratch).glob("*-*"):
                shutil.rmtree(left, ignore_errors=True)
    _show(counts)


def _trees(scratch: Path) -> tuple[Path, Path, dict[str, str]]:
    """The package with a2 solved, as it is released, and the modules that students edit."""
    editable = Course(REPOSITORY / "assignments").assignment("a2").manifest.editable
    for name, rewrite in (("solved", regions.solve), ("released", regions.strip)):
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "build")
        shutil.copytree(REPOSITORY / "handgrad", scratch / name / "handgrad", ignore=ignored)
        for path in (scratch / name / "handgrad").rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            path.write_text(rewrite(text, "a2", path.name), encoding="utf-8")
    modules = {path.removesuffix(".py").replace("/", "."): path for path in editable}
    return scratch / "solved", scratch / "released", modules


def _break(rng: random.Random, solved: Path, modules: dict[str, str]) -> tuple[str, str, str]:
    """One way to break a module: its name, the file and the new text."""
    path = rng.choice(sorted(modules.values()))
    lines = (solved / path).read_text(encoding="utf-8").split("\n")
    number = rng.choice([n for n, line in enumerate(lines) if line.strip()])
    line, kinds = lines[number], ("character", "junk", "line", "doubled line", "indentation", "truncated")
    kind = rng.choice((*kinds, "import", "statement"))
    at = rng.randrange(len(line))
    if kind == "character":
        lines[number] = line[:at] + line[at + 1 :]
    elif kind == "junk":
        lines[number] = line[:at] + rng.choice(JUNK) + line[at:]
    elif kind == "line":
        lines[number : number + 1] = []
    elif kind == "doubled line":
        lines[number:number] = [line]
    elif kind == "indentation":
        step = rng.choice((1, 2, 4, 8))
        lines[number] = line.removeprefix(" " * step) if line[:step].isspace() else " " * step + line
    elif kind == "truncated":
        lines[number:] = [line[:at]]
    elif kind == "import":
        first = next(n for n, text in enumerate(lines) if text.startswith("import numpy"))
        lines.insert(first, rng.choice(IMPORTS))
    else:
        lines += ["", rng.choice(LEFT), ""]
    return kind, path, "\n".join(lines)


def _outcome(
    tree: Path, solved: Path, released: Path, modules: dict[str, str], path: str, isolation: str
) -> str:
    before, broken = _functions((solved / path).read_text()), (tree / path).read_text().split("\n")
    whole = {name for name, (_, source) in before.items() if f"\n{source}\n" in "\n".join(["", *broken, ""])}
    try:
        open_session = functools.partial(Session, isolation=isolation)
        found = mend_modules(tree, tree.with_name("mended-tree"), released, modules, open_session)
        if found.broken:
            return "module lost"
        after = _functions((found.tree / path).read_text())
    except Exception as error:
        Console().print(f"{path}: {error!r}", markup=False)
        return "crash"
    saved = {name for name in whole if name in after and after[name][0] == before[name][0]}
    return "all undamaged functions saved" if saved == whole else "some saved" if saved else "module lost"


def _functions(text: str) -> dict[str, tuple[str, str]]:
    """Each function's and method's tree and source lines."""
    found = {}
    for outer in ast.parse(text).body:
        for node in outer.body if isinstance(outer, ast.ClassDef) else [outer]:
            if isinstance(node, ast.FunctionDef):
                lines = text.split("\n")[node.lineno - 1 : node.end_lineno]
                name = node.name if node is outer else f"{outer.name}.{node.name}"
                found[name] = ast.dump(node), "\n".join(lines)
    return found


def _show(counts: dict[str, Counter]) -> None:
    table = Table(title=f"{sum(c.total() for c in counts.values())} modules that cannot be imported")
    table.add_column("broken by")
    for name in ("modules", *OUTCOMES):
        table.add_column(name, justify="right")
    rows = {**dict(sorted(counts.items())), "all": sum(counts.values(), Counter())}
    for kind, found in rows.items():
        shares = (f"{found[name]} ({found[name] / found.total():.1%})" for name in OUTCOMES)
        table.add_row(kind, str(found.total()), *shares)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
