"""The class report's figures are those of the reports, and its page shows them."""

import csv
import io
import re

import pytest
from rich.console import Console
from sample_reports import HOSTILE, POINTS, sample_assignment, sample_report, unhappy, wrong_db

from autograder.class_report import read_reports, summarise, write_class_report
from autograder.class_table import class_table, what_happened
from autograder.course import CourseError

CLASS = [
    sample_report("ada"),
    sample_report("bob", wrong_db()),
    sample_report("cyd", wrong_db(), unhappy("best_model", "timeout", "`loss` took longer than 10 s.")),
    sample_report("dee", *(unhappy(name, "not_attempted") for name in POINTS)),
]


@pytest.fixture
def assignment(tmp_path):
    assignment = sample_assignment(tmp_path)
    for report in CLASS:
        report.write(assignment.course.report("a1", report.student))
    return assignment


def test_figures():
    summary = summarise(CLASS)
    assert summary.totals == {"ada": 13, "bob": 12, "cyd": 8, "dee": 0}
    assert (summary.mean, summary.median, summary.max_points) == (8.25, 10, 13)
    assert summary.hardest == "best_model"
    backward = summary.questions[1]
    assert (backward.full, backward.part, backward.none, backward.mean) == (1, 2, 1, 3.25)
    assert backward.statuses == {"passed": 1, "partial": 2, "not_attempted": 1}
    [mistake] = summary.mistakes
    assert (mistake.name, mistake.count, mistake.share) == ("affine_db_mean", 2, 0.5)
    assert summary.needs_a_person == {"cyd": ["was too slow in best_model"]}


def test_page_shows_the_plots_and_the_mistakes(assignment):
    html = write_class_report(assignment).read_text(encoding="utf-8")
    assert html.count("<svg") == 2
    assert "db is the mean over the batch" in html
    assert "50 %" in html
    assert "#010203" not in html  # every text of a plot follows the page's colour


def test_page_escapes(assignment):
    report = sample_report("eve", unhappy("relu_forward", "crash", HOSTILE), notes=[HOSTILE])
    report.write(assignment.course.report("a1", "eve"))
    html = write_class_report(assignment).read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_csv_has_everybodys_points(assignment):
    page = write_class_report(assignment)
    with (page.parent / "class_report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["student"] for row in rows] == ["ada", "bob", "cyd", "dee"]
    assert [float(row["points"]) for row in rows] == [13, 12, 8, 0]
    assert float(rows[1]["affine_backward"]) == 4


def test_no_reports_is_a_sentence(tmp_path):
    with pytest.raises(CourseError, match="autograder grade a1"):
        read_reports(sample_assignment(tmp_path))


def test_a_damaged_report_is_named(assignment):
    assignment.course.report("a1", "bob").write_text("{}")
    with pytest.raises(CourseError, match=r"bob\.json is not a report"):
        read_reports(assignment)


def test_what_happened_says_each_mistake_once():
    assert what_happened(CLASS[0]) == "all right"
    assert what_happened(CLASS[3]) == "4 of 4 questions: not attempted"
    said = what_happened(CLASS[2])
    assert said.count("db is the mean over the batch") == 1
    assert "best_model" in said


def test_many_questions_have_a_column_a_notebook():
    """What happened, the repairs too, must fit a terminal beside them."""
    ann = sample_report("ann", notes=["1_a.ipynb was cut off"])
    (question, *_) = ann.questions
    ann.questions = [
        question.model_copy(update={"notebook": notebook, "grade_id": f"{notebook}_{n}", "points": points})
        for notebook, points in (("1_a", 1.5), ("2_b", 0.0))
        for n in range(9)
    ]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(class_table([ann]))
    text = console.export_text()
    assert "1 1_a (27)  2 2_b (27)" in text
    assert re.search(r"ann +13\.5 +0 +13\.5/54 .*1_a\.ipynb was cut off", text)


def test_table_has_a_line_per_student_and_ignores_markup():
    console = Console(width=160, record=True, file=io.StringIO())
    reports = [*CLASS, sample_report("[red]eve", notes=["[bold]not markup"])]
    console.print(class_table(reports, {"bob": "as expected"}, "verdict"))
    text = console.export_text()
    assert "12/13" in text
    assert "as expected" in text
    assert "[red]eve" in text
    assert "[bold]not markup" in text
