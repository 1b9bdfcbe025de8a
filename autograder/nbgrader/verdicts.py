"""Verdicts from the report into the notebook and the gradebook, by grade_id and by nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment
from nbformat import NotebookNode
from nbgrader.api import Grade, SubmittedNotebook
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from nbgrader.utils import is_grade, is_solution

from autograder.course import Course
from autograder.pages import STATUS_WORDS, axes, number, prose, small
from autograder.report import Comparison, Question, Report

from .reading import note


def report_of(course: Course, assignment: str, student: str) -> Report:
    """The report on what a student handed in: the one on disk if it is about just this, else a new one.

    One that other checks made stands until `autograder regrade` replaces it.

    Raises:
        CourseError: the assignment, its checks or the student's id are not as they must be.
    """
    from autograder import (
        grading,
        history,
        staging,
    )  # they start sandboxes; showing a finished report needs none

    staging.check_student_id(student)
    wanted, path = course.assignment(assignment), course.report(assignment, student)
    submission, seed = course.submitted(assignment, student), course.seed(assignment)
    if path.is_file():
        report = Report.read(path)
        if report.key == grading.key_of(submission, wanted, seed, report.isolation):
            return report
        if history.about_this(report, submission, wanted, report.isolation):
            return report
    report = grading.grade_submission(submission, wanted, student, seed)
    history.replace(course, report)
    return report


def is_automatic(cell: NotebookNode) -> bool:
    """Whether the checks, and not a person, give this cell's points."""
    return is_grade(cell) and not is_solution(cell)


class _WithReport(NbGraderPreprocessor):
    def report(self, resources: Any) -> Report:
        names = resources["nbgrader"]
        if "handgrad_report" not in resources:
            course = Course(Path(self.parent.parent.coursedir.root))
            resources["handgrad_report"] = report_of(course, names["assignment"], names["student"])
        return resources["handgrad_report"]

    def questions(self, resources: Any, notebook: str) -> dict[str, Question]:
        """A notebook's automatic questions, by grade_id."""
        questions = self.report(resources).questions
        return {q.grade_id: q for q in questions if q.kind == "auto" and q.notebook == notebook}


class ShowVerdicts(_WithReport):
    """Put the verdict below each automatic cell, in place of the outputs that the student's run had left."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        questions = self.questions(resources, resources["nbgrader"]["notebook"])
        for cell in nb.cells:
            if is_automatic(cell) and cell.cell_type == "code":
                question = questions.get(cell.metadata.nbgrader.grade_id)
                cell.execution_count = None
                cell.outputs = [verdict(question)]
        if notes := self.report(resources).notes:
            nb.cells.insert(0, note(notes))
        return nb, resources


class SaveVerdicts(SaveAutoGrades, _WithReport):
    """Write the points of the automatic cells into the gradebook; answers are nbgrader's business as ever.

    Every automatic cell that the gradebook knows gets its points, whatever the notebook looks like. Like
    nbgrader's own, this never touches a person's score, extra credit or comment. Unlike it, it asks a person
    to look again at what a person has graded only where the submission or the checks' points have changed.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        from autograder import staging

        names = resources["nbgrader"]
        course = Course(Path(self.parent.parent.coursedir.root))
        submission = course.submitted(names["assignment"], names["student"])
        saved = course.private / "saved" / names["assignment"] / names["student"] / names["notebook"]
        now = staging.submission_hash(submission, course.assignment(names["assignment"]))
        self.unchanged = saved.is_file() and saved.read_text() == now
        done = super().preprocess(nb, resources)
        saved.parent.mkdir(parents=True, exist_ok=True)
        saved.write_text(now)  # half of it counts as another submission
        return done

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        if index == 0:  # once for the notebook, while nbgrader has the gradebook open
            self._record(resources)
        return (cell, resources) if is_automatic(cell) else super().preprocess_cell(cell, resources, index)

    def _record(self, resources: Any) -> None:
        """This notebook, and those not handed in, which nbgrader gives nothing: the modules may be right."""
        coursedir = self.parent.parent.coursedir
        names = resources["nbgrader"]
        folder = coursedir.format_path(coursedir.submitted_directory, names["student"], names["assignment"])
        for notebook in self.gradebook.find_submission(names["assignment"], names["student"]).notebooks:
            if notebook.name == names["notebook"] or not (Path(folder) / f"{notebook.name}.ipynb").exists():
                record(notebook, self.questions(resources, notebook.name), self.unchanged)
        self.gradebook.db.commit()

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        names = resources["nbgrader"]
        label = cell.metadata.nbgrader.grade_id
        grade = self.gradebook.find_grade(label, names["notebook"], names["assignment"], names["student"])
        settled, before = self.unchanged and _is_settled(grade), grade.auto_score
        super()._add_score(cell, resources)
        if settled and grade.auto_score == before:
            grade.needs_manual_grade = False
            self.gradebook.db.commit()


def _is_settled(grade: Grade) -> bool:
    """Whether a person has given the points, and nothing has happened since."""
    return grade.manual_score is not None and not grade.needs_manual_grade


def record(submitted: SubmittedNotebook, questions: dict[str, Question], unchanged: bool = False) -> None:
    """Give each automatic grade of a submitted notebook its points.

    Where a person gave others, somebody has to look again, unless it is the `unchanged` submission and the
    checks say the same.
    """
    answers = {cell.name for cell in [*submitted.notebook.solution_cells, *submitted.notebook.task_cells]}
    for grade in submitted.grades:
        if grade.name not in answers:
            points = earned(questions.get(grade.name), grade.max_score)
            settled = unchanged and _is_settled(grade) and grade.auto_score == points
            grade.auto_score = points or 0.0
            grade.needs_manual_grade = points is None or (grade.manual_score is not None and not settled)


def earned(question: Question | None, max_points: float) -> float | None:
    """The points of a verdict, between 0 and the maximum; None if there is no verdict to rely on."""
    if question is None or question.points is None or not math.isfinite(question.points):
        return None
    return min(max(question.points, 0.0), max_points)


_environment = Environment(autoescape=True)
_environment.filters["prose"] = prose
_VERDICT = _environment.from_string(
    '<div class="tex2jax_ignore"><p><strong>{{ head }}</strong></p>'
    "{% for line in lines %}<p>{{ line | prose }}</p>{% endfor %}"
    "{% if parts %}<ul>{% for part in parts %}<li>{{ part | prose }}</li>{% endfor %}</ul>{% endif %}</div>"
)


def verdict(question: Question | None) -> NotebookNode:
    """What stands below an automatic cell: a display, as nbgrader takes errors and results for points."""
    if question is None:
        head, lines, parts = "No verdict: a person will look at this.", [], []
    else:
        points = f"{number(question.points)} of {number(question.max_points)} points"
        head = f"{points}: {STATUS_WORDS[question.status]}"
        lines = [line for line in (question.explanation, question.advice) if line]
        if question.substituted:
            lines.append(f"Checked with correct versions of {', '.join(question.substituted)}.")
        parts = [_compared(comparison, question) for comparison in question.comparisons]
    text = "\n".join([head, *lines, *(f"  {part}" for part in parts)])
    page = _VERDICT.render(head=head, lines=lines, parts=parts)
    return nbformat.from_dict(
        {"output_type": "display_data", "metadata": {}, "data": {"text/plain": text, "text/html": page}}
    )


def _compared(comparison: Comparison, question: Question) -> str:
    """One comparison as a line."""
    words = [f"{'✓' if comparison.passed else '✗'} {comparison.what or comparison.part}"]
    if comparison.message and comparison.message != question.explanation:
        words.append(comparison.message)
    if not comparison.passed and comparison.expected_shape is not None:
        words.append(f"expected shape {axes(comparison.expected_shape)}, got {axes(comparison.got_shape)}")
    if comparison.max_error is not None:
        place = f" at {axes(comparison.at)}" if comparison.at else ""
        words.append(
            f"largest error {small(comparison.max_error)}{place}, allowed {small(comparison.tolerance)}"
        )
    return "; ".join(words)
