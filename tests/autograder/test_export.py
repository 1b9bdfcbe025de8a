"""Exports carry the gradebook's numbers and no spreadsheet formulas."""

import csv

import pytest
from nbgrader.api import Gradebook
from sample_reports import NOTEBOOK, POINTS, sample_assignment

from autograder.course import CourseError
from autograder.export import export
from autograder.nbgrader.writer import course_config
from autograder.scores import read_scores

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's add_submission


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    """A gradebook in which ada has all but one point and a pending answer, and '=cmd()' handed in nothing."""
    assignment = sample_assignment(tmp_path_factory.mktemp("course"))
    config = "from autograder.nbgrader import configure\n\nconfigure(get_config())\n"
    (assignment.course.root / "nbgrader_config.py").write_text(config)
    course_config(assignment.course)  # so that nbgrader finds its tools
    with Gradebook(assignment.course.gradebook_url, "handgrad") as book:
        book.add_assignment("a1")
        book.add_notebook(NOTEBOOK, "a1")
        for name, points in POINTS.items():
            book.add_grade_cell(name, NOTEBOOK, "a1", max_score=points, cell_type="code")
        book.add_grade_cell("inline_question_1", NOTEBOOK, "a1", max_score=2, cell_type="markdown")
        book.add_solution_cell("inline_question_1", NOTEBOOK, "a1")
        book.add_student("ada", first_name="Ada", last_name="@Lovelace", email="+ada@x.org")
        book.add_student("=cmd()")
        submission = book.add_submission("a1", "ada")
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                grade.auto_score = POINTS.get(grade.name)
                grade.needs_manual_grade = grade.name == "inline_question_1"
                if grade.name == "affine_backward":
                    grade.manual_score = 4.0
        book.db.commit()
        book.engine.dispose()
    return assignment


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_scores_are_the_gradebooks(assignment):
    sheets = read_scores(assignment.course, "a1")
    assert set(sheets) == {"ada", "=cmd()"}
    ada = sheets["ada"]
    assert (ada.points, ada.total, ada.max_points, ada.pending) == (12, 12, 15, 1)
    assert ada.cells[NOTEBOOK, "affine_backward"].by_person
    assert not sheets["=cmd()"].submitted


def test_csv(assignment, tmp_path):
    export(assignment, "csv", tmp_path / "out" / "a1.csv")
    header, nobody, ada = _rows(tmp_path / "out" / "a1.csv")
    ada = dict(zip(header, ada, strict=True))
    assert (ada["score"], ada["max_score"], ada["affine_backward"], ada["inline_question_1"]) == (
        "12.0",
        "15.0",
        "4.0",
        "",
    )
    assert (ada["last_name"], ada["email"]) == ("'@Lovelace", "'+ada@x.org")
    assert nobody[0] == "'=cmd()"


@pytest.mark.parametrize(("layout", "user", "points"), [("canvas", 3, 5), ("moodle", 0, 2)])
def test_learning_platforms(assignment, tmp_path, layout, user, points):
    export(assignment, layout, tmp_path / "a1.csv")
    rows = {row[user]: row[points] for row in _rows(tmp_path / "a1.csv")}
    assert rows["ada"] == "12.0"
    assert rows["'=cmd()"] == "0.0"


def test_an_empty_gradebook_is_a_sentence(tmp_path):
    assignment = sample_assignment(tmp_path)
    with pytest.raises(CourseError, match="autograder grade a1"):
        export(assignment, "csv", tmp_path / "a1.csv")
    assert not (tmp_path / "gradebook.db").exists()
