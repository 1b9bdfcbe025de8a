"""The command line: help that helps, and errors that are one sentence."""

import pytest
from sample_reports import sample_assignment, sample_report, wrong_db
from typer.testing import CliRunner

from autograder.cli import app


def _run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "100", "NO_COLOR": "1"})


@pytest.fixture
def course(tmp_path):
    assignment = sample_assignment(tmp_path)
    (tmp_path / "nbgrader_config.py").write_text(
        "from autograder.nbgrader import configure\n\nconfigure(get_config())\n"
    )
    return assignment.course


@pytest.mark.parametrize("command", ["release", "grade", "feedback", "report", "export", "receipt", "demo"])
def test_every_command_explains_itself_with_an_example(command):
    done = _run(command, "--help")
    assert done.exit_code == 0
    assert f"autograder {command}" in done.output.split("Example")[-1]
    assert command in _run("--help").output


def test_no_course_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = _run("report", "a1")
    assert done.exit_code == 1
    assert "--course" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "command", [("report",), ("feedback",), ("export",), ("grade",), ("grade", "--submitted", "/nowhere")]
)
def test_nothing_there_yet_is_a_sentence(course, command):
    name, *options = command
    done = _run(name, "a1", "--course", course.root, *options)
    assert (done.exit_code, done.output.count("error:")) == (1, 1)
    assert "Traceback" not in done.output


def test_unknown_assignment_names_those_there_are(course):
    done = _run("grade", "a7", "--course", course.root)
    assert done.exit_code == 1
    assert "there are: a1" in done.output


@pytest.mark.parametrize(
    "arguments", [("export", "a1", "--format", "excel"), ("grade",), ("grade", "a1", "--jobs", "0")]
)
def test_a_wrong_command_line_is_status_2(arguments):
    assert _run(*arguments).exit_code == 2


def test_reports_and_feedback(course):
    sample_report("ada", wrong_db()).write(course.report("a1", "ada"))
    done = _run("report", "a1", "--course", course.root)
    assert done.exit_code == 0
    assert (course.root / "reports" / "a1" / "class_report.html").is_file()
    done = _run("feedback", "a1", "--course", course.root)
    assert done.exit_code == 0
    assert str(course.feedback("a1", "ada") / "feedback.html") in done.output
    done = _run("feedback", "a1", "--student", "bob", "--course", course.root)
    assert (done.exit_code, "bob" in done.output) == (1, True)


def test_without_bubblewrap_grading_refuses_and_says_how_to_get_it(course, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    done = _run("grade", "a1", "--course", course.root)
    assert done.exit_code == 1
    assert "apt-get install bubblewrap" in done.output
    assert "--isolation none" in done.output
