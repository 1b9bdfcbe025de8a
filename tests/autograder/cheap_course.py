"""A released course whose a1 is graded in seconds, for tests that grade a class again and again."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import tiny_course as tiny
from nbgrader.api import Gradebook

from autograder.course import Course
from autograder.report import Report
from autograder.student_folder import solve_modules

STUDENTS = ("ada", "bob", "cyd")


def make_course(root: Path) -> Course:
    """The tiny course with an inbox: ada solved it, bob nothing, cyd half of it in a zip."""
    course = tiny.make_course(root)
    release, inbox = course.release("a1"), root / "inbox"
    for student in STUDENTS:
        shutil.copytree(release, inbox / student)
    solve_modules(course.assignment("a1"), inbox / "ada")
    solve_modules(course.assignment("a1"), inbox / "cyd")
    shutil.copy(release / "handgrad" / "layers" / "activations.py", inbox / "cyd" / "handgrad" / "layers")
    answer(inbox / "ada")
    shutil.make_archive(str(inbox / "cyd"), "zip", inbox, "cyd")
    shutil.rmtree(inbox / "cyd")
    return course


def answer(folder: Path) -> None:
    """Write an answer, so that a person has something to grade."""
    path = folder / f"{tiny.NOTEBOOK}.ipynb"
    path.write_text(path.read_text().replace("*Write your answer here", "*It gets small"))


def grade_by_hand(course: Course) -> None:
    """What a person does in the formgrader: points, a comment, and other points than the checks gave."""
    with Gradebook(course.gradebook_url) as gradebook:
        names = (tiny.NOTEBOOK, "a1", "ada")
        gradebook.find_grade("question", *names).manual_score = 1.5
        gradebook.find_grade("relu_forward", *names).manual_score = 0.25
        gradebook.find_comment("question", *names).manual_comment = "Nearly: ümläuts <b>too</b>"
        gradebook.find_grade("affine_forward", tiny.NOTEBOOK, "a1", "bob").extra_credit = 0.5
        gradebook.db.commit()


def hand_in_again(course: Course) -> None:
    """New versions in the inbox: bob solved it now, ada changed her answer, and dan comes late."""
    inbox = course.root / "inbox"
    solve_modules(course.assignment("a1"), inbox / "bob")
    answer(inbox / "bob")
    path = inbox / "ada" / f"{tiny.NOTEBOOK}.ipynb"
    path.write_text(path.read_text().replace("It gets small", "It gets smaller"))
    shutil.copytree(course.release("a1"), inbox / "dan")


def state(course: Course) -> dict[str, object]:
    """All that a class's grades consist of, without the times: two equal states are one outcome."""
    found: dict[str, object] = {}
    for path in sorted((course.root / "reports" / "a1").glob("*")):
        if path.suffix == ".json":
            found[path.name] = Report.read(path).model_dump_json(exclude={"times"})
        elif path.suffix != ".jsonl":
            found[path.name] = path.read_bytes()
    for folder in ("submitted", "received", "autograded"):
        for path in sorted((course.root / folder).rglob("*")):
            if path.is_file() and path.name not in ("arrivals.jsonl", "timestamp.txt"):
                found[path.relative_to(course.root).as_posix()] = path.read_bytes()
    return found | {"gradebook": gradebook_rows(course)}


def gradebook_rows(course: Course) -> list[tuple]:
    """Each grade and comment in the gradebook, by what it is about."""
    query = """
        SELECT s.student_id, n.name, c.name, '{kind}', {columns} FROM {kind} g
        JOIN base_cell c ON g.cell_id = c.id JOIN submitted_notebook sn ON g.notebook_id = sn.id
        JOIN notebook n ON sn.notebook_id = n.id JOIN submitted_assignment s ON sn.assignment_id = s.id"""
    grade = query.format(
        kind="grade", columns="g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade"
    )
    comment = query.format(kind="comment", columns="g.auto_comment, g.manual_comment, '', ''")
    connection = sqlite3.connect(course.root / "gradebook.db")
    try:
        return sorted(connection.execute(f"{grade} UNION ALL {comment}").fetchall(), key=str)
    finally:
        connection.close()


def leftovers(course: Course) -> list[str]:
    """Unfinished files and folders anywhere in the course."""
    hidden = [path for path in course.root.rglob(".*") if path.name not in (".handgrad",)]
    scratch = list((course.root / ".handgrad").glob("scratch-*"))
    return sorted(path.relative_to(course.root).as_posix() for path in [*hidden, *scratch])
