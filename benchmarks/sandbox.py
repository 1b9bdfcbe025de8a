"""What the sandbox costs: start-up, a check's process, a call, and a whole submission against no isolation.

    python benchmarks/sandbox.py [--rounds 7] [--course assignments]

Contenders take turns in one run; the table shows medians, and ratios to the first row of each group. The
submission is the release with everything solved, so `autograder release a1` must have run in the course.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from autograder.course import Course
from autograder.grading import grade_submission
from autograder.release import solved_tree
from autograder.sandbox import Limits, Session
from autograder.sandbox.process import Sandbox


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--course", type=Path, default=None)
    options = parser.parse_args()
    assignment = Course.find(options.course).assignment("a1")

    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        tree = Path(scratch) / "solved"
        solved_tree(assignment, tree)
        sessions = {isolation: Session(tree, isolation) for isolation in ("none", "bubblewrap")}
        groups = {
            "start": {
                "python, importing NumPy": import_numpy,
                "sandbox without isolation": lambda: Sandbox(tree, "none", Limits()).close(),
                "sandbox": lambda: Sandbox(tree, "bubblewrap", Limits()).close(),
            },
            "a check's process and one small call": {
                isolation: lambda session=session: one_call(session)
                for isolation, session in sessions.items()
            },
            "a whole submission, 11 checks": {
                isolation: lambda isolation=isolation: grade_submission(
                    tree, assignment, "solved", "0" * 32, isolation
                )
                for isolation in sessions
            },
        }
        medians = {group: take_turns(contenders, options.rounds) for group, contenders in groups.items()}
        for session in sessions.values():
            session.close()

    table = Table(title=f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores")
    for column in ("what", "contender", "median, ms", "ratio"):
        table.add_column(column, justify="left" if column in ("what", "contender") else "right")
    for group, times in medians.items():
        first = next(iter(times.values()))
        for contender, seconds in times.items():
            table.add_row(group, contender, f"{1000 * seconds:.0f}", f"{seconds / first:.2f}")
    Console(width=100).print(table)


def take_turns(contenders: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Median seconds of each contender; one round of all of them is not counted."""
    times = {name: [] for name in contenders}
    for round_number in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if round_number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def import_numpy() -> None:
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)


def one_call(session: Session) -> None:
    with session.student(seed=1) as student:
        student.layers.relu_forward(np.ones((3, 4)))


if __name__ == "__main__":
    main()
