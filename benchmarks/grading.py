"""What grading a whole submission costs: in the sandbox, and the same checks without one.

    python benchmarks/grading.py [--assignment a2] [--without 6_pytorch] [--rounds 5]

The submission is the solved one, so that every check runs to its end. Contenders take turns:

- warm process: the checks on functions that one process has imported once. No grader can do that for a class,
  for two submissions bring modules of the same names; it is the cost of the checks alone.
- new process: the same and a Python that starts for this submission and imports its modules, as graders
  without a sandbox work. The grader's own imports are not counted, and the hidden images are given to it.
- sandbox: `grade_submission`, with staging, explaining and reporting.

CPU seconds are those of all processes of a sample. "first" has the start of Python, imports and everything
that a class shares; "each" is the median of two further submissions.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from autograder.checks import LocalStudent, accuracy, checks_of
from autograder.checks.running import number_from, run_check
from autograder.course import REPOSITORY, Assignment, Course
from autograder.grading import grade_submission
from autograder.release import release, solved_tree
from autograder.sandbox.npz import read_npz
from autograder.sandbox.process import Sandbox
from autograder.sandbox.tensor_file import read_safetensors

SEED = "5eed"
WARM, NEW, SANDBOX = CONTENDERS = ("warm process", "new process", "sandbox")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assignment", default="a2")
    parser.add_argument("--without", action="append", default=[], metavar="NOTEBOOK")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sample", choices=CONTENDERS, help="one sample, as JSON; for the script itself")
    options = parser.parse_args()
    assignment, tree = _solved(options.assignment, options.without)
    if options.sample:
        print(json.dumps(_sample(options.sample, assignment, tree)))
        return

    samples: dict[str, list[list[float]]] = {name: [] for name in CONTENDERS}
    _measured(NEW)  # makes the images
    for _ in range(options.rounds):
        for name in CONTENDERS:
            samples[name].append(_measured(name))
    first = {name: statistics.median(sample[0][0] for sample in samples[name]) for name in CONTENDERS}
    each = {name: [cost for sample in samples[name] for cost in sample[-2:]] for name in CONTENDERS}
    cpu = {name: statistics.median(cost[0] for cost in costs) for name, costs in each.items()}
    wall = {name: statistics.median(cost[1] for cost in costs) for name, costs in each.items()}
    table = Table(title=f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores")
    for column in ("contender", "first, CPU s", "each, CPU s", f"to {WARM}", f"to {NEW}", "each, s"):
        table.add_column(column, justify="left" if column == "contender" else "right")
    for name in CONTENDERS:
        ratios = (cpu[name] / cpu[WARM], cpu[name] / cpu[NEW])
        table.add_row(name, *(f"{value:.2f}" for value in (first[name], cpu[name], *ratios, wall[name])))
    Console(width=100).print(table)


def _measured(contender: str) -> list[list[float]]:
    command = [sys.executable, *sys.argv, "--sample", contender]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _solved(name: str, without: Iterable[str]) -> tuple[Assignment, Path]:
    """A course of this assignment, released, and its solved submission; made when they are not there yet."""
    root = REPOSITORY / "build" / "-".join(["grading", name, *without])
    course_files = REPOSITORY / "assignments"
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(course_files / "nbgrader_config.py", root)
    left_out = shutil.ignore_patterns(".*", "*.npz", *(f"{notebook}.ipynb" for notebook in without))
    shutil.copytree(course_files / "source", root / "source", ignore=left_out, dirs_exist_ok=True)
    assignment = Course.find(root).assignment(name)
    tree = root / "solved"
    if not tree.is_dir():
        release(assignment.course, name, prove=False, force=True)
        solved_tree(assignment, tree)
    return assignment, tree


def _sample(contender: str, assignment: Assignment, tree: Path) -> list[tuple[float, float]]:
    """CPU and wall-clock seconds of three gradings, or one; the first has all CPU since the process began."""
    Sandbox.close = _counted(Sandbox.close)
    if contender == NEW:
        accuracy._shapes10 = _kept(accuracy._shapes10, tree.parent)
        accuracy._described = _kept(accuracy._described, tree.parent)
    costs, before = [], 0.0
    if contender == NEW:
        before = time.process_time() - _start_of_python(assignment)
    for _ in range(1 if contender == NEW else 3):
        started = time.perf_counter()
        if contender == SANDBOX:
            report = grade_submission(tree, assignment, "student-id", SEED)
            wrong = [q.grade_id for q in report.questions if q.kind == "auto" and q.points != q.max_points]
        else:
            wrong = _in_process(assignment, tree)
        if wrong:
            sys.exit(f"{contender}: the solution loses points on {', '.join(wrong)}")
        total = time.process_time() + sum(_in_sandboxes)
        costs.append((total - before, time.perf_counter() - started))
        before = total
    return costs


def _start_of_python(assignment: Assignment) -> float:
    """CPU seconds of a Python that imports the modules that students edit, and nothing else."""
    paths = [path for path in assignment.manifest.editable if path.endswith(".py")]
    modules = ", ".join(path.removesuffix(".py").replace("/", ".") for path in paths)
    subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _in_process(assignment: Assignment, tree: Path) -> list[str]:
    """Run the checks on the reference in this process; the cells of which points are missing."""
    wrong, files = [], {path.name: read_npz(path) for path in tree.glob("*.npz")}
    for path in tree.glob("*.safetensors"):
        arrays, metadata = read_safetensors(path)
        files[path.name] = {"arrays": arrays, "metadata": metadata}
    for cell, check in checks_of(assignment).items():
        student = LocalStudent(seed=number_from(SEED, cell.grade_id), files=files)
        scales = assignment.manifest.accuracy.get(cell.grade_id, {})
        if run_check(check, student, SEED, scales, "student-id").fraction < 1:
            wrong.append(cell.grade_id)
    return wrong


def _kept(make: Callable, folder: Path) -> Callable:
    """Read from a file what the same call has made before."""

    def kept(*arguments: object) -> object:
        names = [getattr(argument, "__name__", str(argument)) for argument in arguments]
        file = folder / f"{'-'.join([make.__name__, *names])}.pickle"
        if not file.exists():
            file.write_bytes(pickle.dumps(make(*arguments)))
        return pickle.loads(file.read_bytes())

    return kept


_in_sandboxes: list[float] = []  # CPU seconds of each that has ended


def _counted(close: Callable[[Sandbox], None]) -> Callable[[Sandbox], None]:
    """Note the CPU seconds of a sandbox before it is killed: nobody waits for the processes inside."""

    def counted(sandbox: Sandbox) -> None:
        if sandbox.process.returncode is None:
            outer = psutil.Process(sandbox.process.pid)
            times = [process.cpu_times() for process in (outer, *outer.children(recursive=True))]
            _in_sandboxes.append(sum(t.user + t.system + t.children_user + t.children_system for t in times))
        close(sandbox)

    return counted


if __name__ == "__main__":
    main()
