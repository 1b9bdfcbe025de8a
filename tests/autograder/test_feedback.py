"""A feedback page says everything the report says, escapes what a student wrote, and shows no secret."""

from html.parser import HTMLParser

import pytest
from sample_reports import HOSTILE, NOTEBOOK, SECRET, sample_assignment, sample_report, unhappy, wrong_db

from autograder.feedback import feedback_page, write_feedback
from autograder.scores import Score, Sheet


class _Page(HTMLParser):
    """The text, the tags and the links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        if self.lasttag != "style":
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture
def assignment(tmp_path):
    return sample_assignment(tmp_path)


def _page(report, assignment, sheet=None, pages=None) -> _Page:
    return _Page(feedback_page(report, assignment, sheet, pages).read_text(encoding="utf-8"))


def test_page_tells_the_mistake_and_where_the_numbers_differ(assignment):
    text = _page(sample_report("ada", wrong_db()), assignment).text
    assert "db is the mean over the batch; the gradient of a sum is the sum." in text
    assert "there is nothing to divide by" in text
    assert "expected shape (6,) float64, got (6,) float64; largest error 3.17 at (2,), allowed 1e-08" in text
    assert "12 of 15 points" in text
    assert "2 more points are still to be given by a person" in text


def test_what_a_student_wrote_is_escaped(assignment):
    report = sample_report(
        "ada", unhappy("relu_forward", "error", f"`ValueError`: {HOSTILE}"), notes=[f"left out: {HOSTILE}"]
    )
    page = _page(report, assignment, pages=['3_"net".html'])
    assert not page.tags & {"script", "img", "iframe", "object"}
    assert page.text.count("<script>alert('x')</script>") == 2  # as text: the error, said once, and the note


def test_the_seed_stays_with_the_instructors(assignment):
    path = feedback_page(sample_report("ada", wrong_db()), assignment)
    assert SECRET not in path.read_text(encoding="utf-8")


def test_page_is_self_contained(assignment):
    page = _page(sample_report("ada"), assignment, pages=[f"{NOTEBOOK}.html"])
    assert [link for link in page.links if not link.startswith("#")] == [f"{NOTEBOOK}.html"]


def test_a_persons_score_and_comment_are_shown(assignment):
    cells = {
        (NOTEBOOK, "inline_question_1"): Score(
            1.5, 2.0, by_person=True, pending=False, comment=f"Good. {HOSTILE}"
        ),
        (NOTEBOOK, "affine_backward"): Score(5.0, 5.0, by_person=True, pending=False),
    }
    page = _page(
        sample_report("ada", wrong_db()), assignment, Sheet("ada", submitted=True, penalty=1, cells=cells)
    )
    assert "Good. <script>" in page.text
    assert "graded by a person" in page.text
    assert "The checks gave 4; a person changed it." in page.text
    assert "13.5 of 15 points" in page.text  # 13 of the checks, one of them given back, 1.5 by hand, 1 late
    assert "1 points were taken off" in page.text
    assert "script" not in page.tags


def test_pending_questions_and_missing_sandbox_are_said(assignment):
    text = _page(sample_report("ada", isolation="none"), assignment).text
    assert "waits for a person" in text
    assert "graded without a sandbox" in text


def test_everybody_with_a_report_gets_a_page(assignment):
    for student in ("ada", "bob"):
        sample_report(student).write(assignment.course.report("a1", student))
    pages = write_feedback(assignment)
    assert [page.parent.parent.name for page in pages] == ["ada", "bob"]
    assert write_feedback(assignment, ["bob"]) == pages[1:]
