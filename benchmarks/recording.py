"""What writing a student's verdicts into the gradebook takes, with compiled queries kept and not.

    python benchmarks/recording.py [--count 20]

The course is that of verify.py. The same student is written again and again, the two ways in turns: CPU
milliseconds in this process, medians and the ratio.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

from verify import FIRST, make_course

from autograder.nbgrader import writer

WAYS = {"an engine each time": nullcontext, "queries kept": writer._queries_kept}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    count = parser.parse_args().count
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory(prefix="handgrad-recording-") as folder:
        course = make_course(Path(folder) / "course")
        for _ in range(count):
            for name, way in WAYS.items():
                writer._queries_kept = way
                started = time.process_time()
                writer.write(course, "a1", FIRST, force=True)
                taken[name].append(1_000 * (time.process_time() - started))
    former, kept = (median(times) for times in taken.values())
    print(f"{' / '.join(WAYS)}: {former:.0f} / {kept:.0f} ms, {former / kept:.2f} times as long")


if __name__ == "__main__":
    main()
