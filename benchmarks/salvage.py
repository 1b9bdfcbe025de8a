"""What becomes of broken notebooks: how many are graded, repaired, sent to a person, and how many go wrong.

    python benchmarks/salvage.py [--count 1000] [--seed 0]

The solved notebooks of the course are broken by machine in one to three ways each (those of the tests, in
tests/autograder/broken_notebooks.py), salvaged, and compared cell by cell with what they were. "Wrong" is
work that has vanished without a word, or stands where another's belongs. The course must be released.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autograder.course import REPOSITORY, Course
from autograder.salvage import Unsalvageable, salvage

sys.path.insert(0, str(REPOSITORY / "tests" / "autograder"))
from broken_notebooks import break_notebook, judge, solved

NOTEBOOKS = {
    "a1": ["1_written_gradients", "2_neural_net", "3_two_layer_net"],
    "a2": ["1_convolution_arithmetic", "6_pytorch"],
    "a3": ["2_classification"],
}
OUTCOMES = {
    "graded": "fully graded: nothing had to be repaired",
    "repaired": "repaired: all work is where it belongs",
    "person": "sent to a person: part of it, with a note",
    "refused": "not taken: no notebook can be made of it",
    "wrong": "wrong",
    "crash": "crash",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--course", type=Path, default=None)
    options = parser.parse_args()
    course = Course.find(options.course)
    notebooks = [
        solved(course.source / name / f"{notebook}.ipynb", course.release(name) / f"{notebook}.ipynb")
        for name, names in NOTEBOOKS.items()
        for notebook in names
    ]
    outcomes: Counter[str] = Counter()
    by_way: dict[str, Counter[str]] = {}
    seconds = []
    for number in range(options.count):
        random_numbers = random.Random(f"{options.seed}-{number}")
        notebook = notebooks[number % len(notebooks)]
        data, ways, gone = break_notebook(notebook, random_numbers, random_numbers.randrange(1, 4))
        start = time.process_time()
        outcome, why = outcome_of(notebook, data, gone)
        seconds.append(time.process_time() - start)
        outcomes[outcome] += 1
        for way in ways:
            by_way.setdefault(way, Counter())[outcome] += 1
        if outcome in ("wrong", "crash"):
            print(f"{number}: {notebook.name}, {', '.join(ways)}: {'; '.join(why)}", file=sys.stderr)
    show(outcomes, by_way, seconds)
    sys.exit(bool(outcomes["wrong"] or outcomes["crash"]))


def outcome_of(notebook, data: bytes, gone: set[str]) -> tuple[str, list[str]]:
    """Salvage a file twice, and judge the result; the second time must change nothing."""
    try:
        result = salvage(data, notebook.released, "n.ipynb")
        again = salvage(result.content, notebook.released, "n.ipynb")
    except Unsalvageable as error:
        return "refused", [str(error)]
    except Exception:
        return "crash", [traceback.format_exc()]
    if (again.content, again.person) != (result.content, result.person):
        return "wrong", ["salvaged twice, it is another notebook"]
    return judge(notebook, result, gone)


def show(outcomes: Counter[str], by_way: dict[str, Counter[str]], seconds: list[float]) -> None:
    count = outcomes.total()
    median = 1_000 * statistics.median(seconds)
    table = Table(
        title=f"{count} broken notebooks; {median:.0f} ms of CPU each; Python {platform.python_version()}"
    )
    for column in ("outcome", "notebooks", "share"):
        table.add_column(column, justify="left" if column == "outcome" else "right")
    for outcome, words in OUTCOMES.items():
        table.add_row(words, str(outcomes[outcome]), f"{outcomes[outcome] / max(count, 1):.1%}")
    console = Console(width=100)
    console.print(table)
    table = Table(title="by what was done to them, alone or with others")
    for column in ("breakage", *OUTCOMES):
        table.add_column(column, justify="left" if column == "breakage" else "right")
    for way in sorted(by_way):
        table.add_row(way, *(str(by_way[way][outcome]) for outcome in OUTCOMES))
    console.print(table)


if __name__ == "__main__":
    main()
