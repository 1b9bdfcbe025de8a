"""Texts of strangers obey nobody: not on a terminal, not in a spreadsheet, not in a report."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import FORMULAS, TERMINAL
from rich.table import Table
from sample_reports import sample_assignment, sample_report, unhappy

from autograder.class_report import write_class_report
from autograder.class_table import class_table
from autograder.course import CourseError
from autograder.nbgrader.reading import note
from autograder.plain import PlainConsole, harmless, plain
from autograder.progress import progress
from autograder.report import Report
from autograder.staging import check_student_id

ACTING = {*map(chr, range(32)), *map(chr, range(127, 160)), *"\u061c\u200e\u200f\u2028\u2029"} - {"\n", "\t"}
ACTING |= {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\ud800"}


@pytest.mark.parametrize("text", TERMINAL, ids=ascii)
def test_no_payload_acts_on_a_terminal(text):
    assert ACTING & set(text)
    assert not ACTING & set(plain(text))


@pytest.mark.parametrize("text", ["größer → 3 × 4 ≤ ∞", "नमस्ते", "👩‍💻", "a\nb\tc", "سلام", "a b"])
def test_what_is_there_to_be_read_stays(text):
    assert plain(text) == text


@given(st.text())
def test_plain_text_is_printable_in_any_encoding_and_stays(text):
    clean = plain(text)
    assert not ACTING & set(clean)
    assert len(clean) == len(text)
    assert plain(clean) == clean
    clean.encode()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_console_obeys_the_program_alone(terminal):
    out = io.StringIO()
    colours = "standard" if terminal else None
    console = PlainConsole(
        file=out, force_terminal=terminal, width=100, color_system=colours, no_color=not terminal
    )
    hostile = "".join(TERMINAL)
    table = Table("[bold]head")
    table.add_row(hostile)
    console.print(hostile, table, style="red", markup=False)
    console.print(class_table([sample_report("ada", notes=[hostile])]))
    with progress(console, 1) as advance:
        advance(hostile, hostile, failed=True)
    text = out.getvalue()
    assert ("\x1b[31m" in text) == terminal  # the style that the program asked for
    assert "\x1b]" not in text
    assert "\x1b[32m100" not in text
    assert "pwned" in text
    assert not ({"\x07", "\x9b", "\u202e", "\u2066", "\ud800"} & set(text))


def test_a_reports_texts_are_plain_however_they_come_in(tmp_path):
    hostile = "".join(TERMINAL)
    question = unhappy("relu_forward", "error", hostile)
    question.advice = hostile
    report = sample_report("ada", question, notes=[hostile])
    report.write(tmp_path / "ada.json")
    assert not ACTING & set((tmp_path / "ada.json").read_text(encoding="utf-8"))
    again = Report.read(tmp_path / "ada.json")
    assert again == report
    [relu] = [q for q in again.questions if q.grade_id == "relu_forward"]
    assert relu.explanation == relu.advice == again.notes[0] == relu.comparisons[0].message == plain(hostile)


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_no_cell_is_a_formula(text):
    cell = harmless(text)
    for part in cell.replace("\n", ";").replace("\t", ";").split(";"):
        assert not part.strip().startswith(("=", "+", "-", "@", "＝"))
    assert cell.replace("'", "") == plain(text).replace("'", "")


@pytest.mark.parametrize("text", ["ada", "1.5", "a-b", "a = b", "it's; fine", ""])
def test_a_harmless_cell_stays(text):
    assert harmless(text) == text


def test_the_class_reports_table_holds_no_formula(tmp_path):
    assignment = sample_assignment(tmp_path)
    sample_report("+ada").write(assignment.course.report("a1", "+ada"))
    page = write_class_report(assignment)
    with (page.parent / "class_report.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["student"] == "'+ada"


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "../a", "a\x1b[31m", "=1", "", "a" * 65, "-a"]
)
def test_what_is_no_student_id_goes_no_further(name):
    with pytest.raises(CourseError, match="not a student id") as refused:
        check_student_id(name)
    assert "\x1b" not in str(refused.value)


def test_a_note_quotes_names_without_tex_and_escapes():
    source = note([r"Left out: $\href{javascript:x}{y}$ \(z\)", "".join(TERMINAL[:-1])]).source
    assert "href" in source
    assert "$" not in source
    assert not ACTING & set(source)
