"""How long `autograder verify` takes, and how much memory, for classes of several sizes.

    python benchmarks/verify.py [200 2000]

The course is a1 with the notebook 3_two_layer_net alone. One submission is received, reported on and written
into the gradebook in the usual way; everybody else's folders are links to its files, their reports and
rows in the gradebook copies with other names. Everything has to match. Each size is measured in a process of
its own: CPU seconds, and how much the process grows after its imports.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autograder import grading, staging
from autograder.course import Course
from autograder.demo.show import course_of_one_notebook
from autograder.nbgrader import writer
from autograder.release import release_hash
from autograder.report import LOG, Question, Report
from autograder.student_folder import build
from autograder.verify import verify

FIRST = "s00000"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", type=int, nargs="*", default=[200, 2_000])
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return measure(options.child)
    table = Table(title=f"autograder verify; Python {platform.python_version()}")
    for column in ("students", "CPU s", "ms a student", "memory, MiB", "KiB a student"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="handgrad-verify-") as folder:
        course = make_course(Path(folder) / "course")
        for size in sorted(options.sizes):
            fill(course, size)
            command = [sys.executable, __file__, "--child", str(course.root)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            assert (found["students"], found["differences"]) == (size, []), found
            seconds, grown = found["seconds"], found["grown"]
            table.add_row(
                f"{size:,}",
                f"{seconds:.2f}",
                f"{1_000 * seconds / size:.2f}",
                f"{grown / 1024:.1f}",
                f"{grown / size:.2f}",
            )
    return Console(width=100).print(table)


def measure(root: Path) -> None:
    """Verify a course in this process, and print the figures as JSON."""
    assignment = Course(root).assignment("a1")
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = verify(assignment)
    seconds, after = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "students": found.reports,
                "differences": found.differences[:3],
                "seconds": seconds,
                "grown": after - before,
            }
        )
    )


def make_course(root: Path) -> Course:
    """A course in which one student handed in the release, and got full points."""
    course = course_of_one_notebook(root)
    assignment = course.assignment("a1")
    build(assignment, course.release("a1"), record=course)
    inbox = shutil.copytree(course.release("a1"), root / "inbox" / FIRST)
    submission = staging.collect(staging.Arrival(FIRST, inbox), course, assignment)
    hashes, seed = (submission, release_hash(assignment), grading.checks_hash()), course.seed("a1")
    questions = [
        Question(
            notebook=cell.notebook,
            grade_id=cell.grade_id,
            kind=cell.kind,
            points=cell.points if cell.kind == "auto" else None,
            max_points=cell.points,
            status="passed" if cell.kind == "auto" else "manual",
            explanation="A sentence of the length that explanations have, which is about so long. " * 2,
        )
        for cell in assignment.grade_cells
    ]
    report = Report(
        assignment="a1",
        student=FIRST,
        key=grading.report_key(*hashes, seed, "none"),
        seed=seed,
        submission_hash=hashes[0],
        release_hash=hashes[1],
        checks_hash=hashes[2],
        isolation="none",
        questions=questions,
    )
    report.write(course.report("a1", FIRST))
    writer.write(course, "a1", FIRST)
    return course


def fill(course: Course, size: int) -> None:
    """Add students who did the same until there are so many."""
    first = Report.read(course.report("a1", FIRST))
    there = {path.parent.name for path in (course.root / "submitted").glob("*/a1")}
    new = [name for i in range(size) if (name := f"s{i:05}") not in there]
    for student in new:
        for folder in (course.submitted, course.received):
            shutil.copytree(folder("a1", FIRST), folder("a1", student), copy_function=os.link)
    with (course.report("a1", "_").parent / LOG).open("a") as log:
        for student in new:
            report = first.model_copy(update={"student": student})
            content = (report.model_dump_json(indent=1) + "\n").encode()
            course.report("a1", student).write_bytes(content)
            log.write(json.dumps({"student": student, "sha256": sha256(content).hexdigest()}) + "\n")
    database = sqlite3.connect(course.root / "gradebook.db")
    with database:
        for student in new:
            copy_rows(database, "student", "id = ?", FIRST, student, {"id": student})
            copy_rows(
                database, "submitted_assignment", "student_id = ?", FIRST, student, {"student_id": student}
            )
            for table, query in _ROWS.items():
                copy_rows(database, table, query, FIRST, student, {})
    database.close()


_OF = "(SELECT id FROM submitted_assignment WHERE student_id = ?)"
_ROWS = {
    "submitted_notebook": f"assignment_id IN {_OF}",
    "grade": f"notebook_id IN (SELECT id FROM submitted_notebook WHERE assignment_id IN {_OF})",
}


def copy_rows(
    database: sqlite3.Connection, table: str, query: str, first: str, student: str, changed: dict[str, str]
) -> None:
    """Copy the first student's rows of a table; what refers to rows of theirs refers to the copies."""
    cursor = database.execute(f"SELECT * FROM {table} WHERE {query}", [first])
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    for row in rows:
        for name in ("id", _REFERS.get(table)):
            if name:
                row[name] = f"{row[name]}-{student}"
        row |= changed
    marks = ", ".join("?" * len(names))
    database.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(row.values()) for row in rows])


_REFERS = {"submitted_notebook": "assignment_id", "grade": "notebook_id"}


if __name__ == "__main__":
    main()
