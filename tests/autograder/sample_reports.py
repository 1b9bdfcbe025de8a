"""A small course with hand-made reports, for the tests of everything that is made from reports."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.course import Assignment, Course
from autograder.report import Comparison, Question, Report, Times

NOTEBOOK = "3_two_layer_net"
POINTS = {"affine_forward": 3.0, "affine_backward": 5.0, "relu_forward": 1.0, "best_model": 4.0}
SECRET = "5eed" * 8
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def sample_assignment(root: Path) -> Assignment:
    """A course folder with one notebook of four automatic questions and a manual one."""
    folder = root / "source" / "a1"
    folder.mkdir(parents=True)
    (root / "nbgrader_config.py").write_text("c = get_config()\n")
    (folder / "manifest.toml").write_text(
        'title = "Networks by hand"\neditable = ["handgrad/layers/affine.py"]\n'
    )
    cells = []
    for grade_id, points in POINTS.items():
        cells.append(new_markdown_cell(f"## {grade_id.replace('_', ' ').capitalize()}"))
        cells.append(_marked(new_code_cell("assert True"), grade_id, points, solution=False))
    cells.append(new_markdown_cell("## Vanishing gradients"))
    cells.append(_marked(new_markdown_cell("Your answer"), "inline_question_1", 2.0, solution=True))
    for index, cell in enumerate(cells):
        cell["id"] = f"cell-{index}"
    nbformat.write(new_notebook(cells=cells), folder / f"{NOTEBOOK}.ipynb")
    return Course(root.resolve()).assignment("a1")


def _marked(cell, grade_id: str, points: float, solution: bool):
    cell.metadata["nbgrader"] = {
        "grade": True,
        "grade_id": grade_id,
        "points": points,
        "solution": solution,
        "locked": not solution,
        "schema_version": 3,
        "task": False,
    }
    return cell


def sample_report(student: str, *replaced: Question, notes: list[str] | None = None, **fields) -> Report:
    """Everything passed, except the questions given."""
    questions = {
        grade_id: Question(
            notebook=NOTEBOOK,
            grade_id=grade_id,
            title=grade_id.replace("_", " ").capitalize(),
            points=points,
            max_points=points,
            status="passed",
            comparisons=[
                Comparison(
                    part="out",
                    what="the output, 5 examples of shape (4, 3)",
                    passed=True,
                    expected_shape=[5, 6],
                    got_shape=[5, 6],
                    expected_dtype="float64",
                    got_dtype="float64",
                    max_error=2.2e-16,
                    tolerance=1e-9,
                    at=[0, 3],
                )
            ],
        )
        for grade_id, points in POINTS.items()
    }
    questions["inline_question_1"] = Question(
        notebook=NOTEBOOK,
        grade_id="inline_question_1",
        title="Vanishing gradients",
        kind="manual",
        max_points=2.0,
        status="manual",
    )
    questions.update({q.grade_id: q for q in replaced})
    values = {
        "assignment": "a1",
        "student": student,
        "key": "0123456789abcdef" * 4,
        "seed": SECRET,
        "submission_hash": "a" * 64,
        "release_hash": "b" * 64,
        "checks_hash": "c" * 64,
        "isolation": "bubblewrap",
        "times": Times(graded_at="2026-01-05T10:00:00Z", seconds=4.2),
    }
    return Report(**{**values, **fields}, questions=list(questions.values()), notes=notes or [])


def wrong_db() -> Question:
    """db is the mean over the batch: dx and dw keep their points."""
    right = {"passed": True, "max_error": 1e-12, "tolerance": 1e-8}
    return Question(
        notebook=NOTEBOOK,
        grade_id="affine_backward",
        title="Affine backward",
        points=4.0,
        max_points=5.0,
        status="partial",
        explanation="db is the mean over the batch; the gradient of a sum is the sum.",
        advice="Every example adds b once, so add up their gradients: there is nothing to divide by.",
        misconception="affine_db_mean",
        comparisons=[
            Comparison(part="dx", what="gradient with respect to x", expected_shape=[5, 4, 3], **right),
            Comparison(part="dw", what="gradient with respect to w", expected_shape=[12, 6], **right),
            Comparison(
                part="db",
                what="gradient with respect to b",
                passed=False,
                message="The numbers differ.",
                expected_shape=[6],
                got_shape=[6],
                expected_dtype="float64",
                got_dtype="float64",
                max_error=3.17,
                tolerance=1e-8,
                at=[2],
            ),
        ],
    )


def unhappy(grade_id: str, status: str, explanation: str = "", points: float = 0.0) -> Question:
    """A question with a verdict and one comparison that failed."""
    return Question(
        notebook=NOTEBOOK,
        grade_id=grade_id,
        title=grade_id.replace("_", " ").capitalize(),
        points=points,
        max_points=POINTS[grade_id],
        status=status,
        explanation=explanation,
        comparisons=[Comparison(part="out", what="the output", passed=False, message=explanation)],
    )
