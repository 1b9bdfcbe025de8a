"""A small nbgrader course with every kind of cell, and hand-made reports on submissions to it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory

from autograder import grading, staging
from autograder.course import Course
from autograder.nbgrader.writer import course_config
from autograder.release import release_hash
from autograder.report import Comparison, Question, Report

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOK = "3_two_layer_net"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HIDDEN = "### BEGIN HIDDEN TESTS\n# checked elsewhere\n### END HIDDEN TESTS"
SCHEME = "\n=== BEGIN MARK SCHEME ===\nOne point for each reason.\n=== END MARK SCHEME ==="
POINTS = {"affine_forward": 3.0, "relu_forward": 2.0}


def mark(grade_id: str, points: float | None = None, *, solution: bool = False, locked: bool = False) -> dict:
    """The metadata that nbgrader's cell toolbar would write."""
    label = {"grade": points is not None, "grade_id": grade_id, "locked": locked, "schema_version": 3}
    label |= {"solution": solution, "task": False} | ({} if points is None else {"points": points})
    return {"nbgrader": label}


def source_notebook() -> NotebookNode:
    """Prose with HTML of our own, two automatic cells, a solution cell, a locked text and an answer."""
    cells = [
        new_markdown_cell("# Networks <details open><summary>why</summary>because</details>", id="title"),
        new_code_cell("x = 1", id="setup"),
        new_code_cell(
            f"assert x\n{HIDDEN}",
            id="affine-forward",
            metadata=mark("affine_forward", POINTS["affine_forward"], locked=True),
        ),
        new_code_cell(
            "### BEGIN SOLUTION\ny = 2\n### END SOLUTION", id="train", metadata=mark("train", solution=True)
        ),
        new_code_cell(
            "assert y", id="relu-forward", metadata=mark("relu_forward", POINTS["relu_forward"], locked=True)
        ),
        new_markdown_cell(
            f"Why does it <b>vanish</b>?{SCHEME}", id="q-text", metadata=mark("question_text", locked=True)
        ),
        new_markdown_cell("Because.", id="question", metadata=mark("question", 2.0, solution=True)),
    ]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": spec, "language_info": {"name": "python"}})


def make_course(root: Path) -> Course:
    """A course whose assignment a1 is released, as `nbgrader generate_assignment a1` does it."""
    (root / "source" / "a1").mkdir(parents=True)
    shutil.copy(REPOSITORY / "assignments" / "source" / "a1" / "manifest.toml", root / "source" / "a1")
    shutil.copy(REPOSITORY / "assignments" / "nbgrader_config.py", root)
    nbformat.write(source_notebook(), root / "source" / "a1" / f"{NOTEBOOK}.ipynb")
    course = Course(root)
    convert(course, GenerateAssignment)
    return course


def convert(course: Course, converter: type, *, force: bool = False) -> None:
    """What the nbgrader command of the same name does, for all students."""
    config = course_config(course)
    coursedir = CourseDirectory(config=config, assignment_id="a1", log=logging.Logger("quiet"))
    run = converter(coursedir=coursedir, config=config, log=logging.Logger("quiet"))
    run.force = force
    run.start()


def autograde(course: Course) -> None:
    """`nbgrader autograde a1 --force`."""
    convert(course, Autograde, force=True)


def feedback(course: Course, student: str) -> str:
    """`nbgrader generate_feedback a1 --force`, and the student's page."""
    convert(course, GenerateFeedback, force=True)
    return (course.feedback("a1", student) / f"{NOTEBOOK}.html").read_text(encoding="utf-8")


def submit(course: Course, student: str, change=lambda notebook: None) -> Path:
    """Hand in the release after `change` was made to its notebook."""
    folder = course.submitted("a1", student)
    shutil.copytree(course.release("a1"), folder, dirs_exist_ok=True)
    path = folder / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    path.write_text(nbformat.writes(notebook, version=nbformat.NO_CONVERT), encoding="utf-8")
    return path


def grade(course: Course, student: str, points: dict[str, float | None] | None = None, **fields) -> Report:
    """Put a report where the grader would have put it, with the key that makes it current."""
    assignment = course.assignment("a1")
    seed = course.seed("a1")
    values = {"affine_forward": 1.5, "relu_forward": 2.0} if points is None else points
    questions = [question(grade_id, value) for grade_id, value in values.items()]
    questions.append(
        Question(notebook=NOTEBOOK, grade_id="question", kind="manual", max_points=2.0, status="manual")
    )
    hashes = {
        "submission_hash": staging.submission_hash(course.submitted("a1", student), assignment),
        "release_hash": release_hash(assignment),
        "checks_hash": grading.checks_hash(),
    }
    key = grading.report_key(*hashes.values(), seed, "bubblewrap")
    report = Report(
        assignment="a1",
        student=student,
        key=key,
        seed=seed,
        isolation="bubblewrap",
        questions=questions,
        **hashes,
        **fields,
    )
    report.write(course.report("a1", student))
    return report


def question(grade_id: str, points: float | None) -> Question:
    """A verdict that compared something, with text that a page must escape."""
    return Question(
        notebook=NOTEBOOK,
        grade_id=grade_id,
        points=points,
        max_points=POINTS.get(grade_id, 1.0),
        status="passed" if points == POINTS.get(grade_id) else "partial",
        explanation=f"About {grade_id}: <script>document.title = 'pwned'</script>",
        comparisons=[
            Comparison(
                part="out",
                what="out on a batch",
                passed=points == POINTS.get(grade_id),
                expected_shape=[4, 3],
                got_shape=[4, 1],
                max_error=0.125,
                tolerance=1e-7,
                at=[1, 2],
            )
        ],
    )


def scores(course: Course, student: str) -> dict[str, dict]:
    """What the gradebook says of a student's cells, by grade_id."""
    with Gradebook(course.gradebook_url) as gradebook:
        submission = gradebook.find_submission("a1", student)
        return {
            grade.name: {
                "auto": grade.auto_score,
                "manual": grade.manual_score,
                "extra": grade.extra_credit,
                "score": grade.score,
                "pending": grade.needs_manual_grade,
            }
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def graded(course: Course, student: str) -> NotebookNode:
    """The notebook that graders see."""
    return nbformat.read(course.root / "autograded" / student / "a1" / f"{NOTEBOOK}.ipynb", as_version=4)


def cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    """The one cell with this label."""
    found = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id]
    assert len(found) == 1, f"{len(found)} cells are labelled {grade_id}"
    return found[0]


def show(notebook: NotebookNode, **data: str) -> None:
    """Add a code cell whose output has these types (`text_html` for text/html)."""
    bundle = {kind.replace("_", "/", 1): value for kind, value in data.items()}
    notebook.cells.append(new_code_cell("plot()", outputs=[new_output("display_data", data=bundle)]))
