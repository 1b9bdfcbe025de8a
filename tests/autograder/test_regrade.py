"""Grading again: what would change is said before it does, and what was is kept."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import nbformat
import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from autograder import regrade, run
from autograder.cli import app
from autograder.course import REPOSITORY, Course, CourseError
from autograder.demo.show import course_of_one_notebook
from autograder.history import folder_of, former_reports, keep_former
from autograder.nbgrader.writer import course_config
from autograder.release import release
from autograder.report import Report
from autograder.scores import read_scores
from autograder.student_folder import solve_modules

# nbgrader and Jupyter warn about their own future.
WARNINGS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
pytestmark = [WARNINGS, pytest.mark.usefixtures("needs_sandbox")]

NOTEBOOK = "3_two_layer_net"
KEPT = ("affine_forward", "affine_backward", "relu_forward", "inline_question_1")
CHECKS = "autograder/checks/a1_3_two_layer_net.py"
MISTAKES = "autograder/misconceptions/activations.py"
# What an instructor changes: db weighs more, and an explanation is said better.
PARTS = '"affine_backward", parts={{"dx": {0}, "dw": {0}, "db": {1}}}'
EDITS = {
    CHECKS: (PARTS.format(2, 1), PARTS.format(1, 2)),
    MISTAKES: ("Negative numbers become positive; ReLU makes them 0.", "That is the absolute value."),
}
WRONG = {
    "bob": ("affine.py", "db = dout.sum(axis=0)", "db = dout.mean(axis=0)"),
    "cyd": ("affine.py", "dw = rows.T @ dout", "dw = 2 * rows.T @ dout"),
    "dan": ("activations.py", "out = np.maximum(x, 0)", "out = np.abs(x)"),
}
EVERYBODY = ["ada", "bob", "cyd", "dan"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class of four, of whom three have a mistake each, graded with today's checks."""
    course = course_of_one_notebook(tmp_path_factory.mktemp("course"))
    path = course.root / "source" / "a1" / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if _kept(cell.metadata.get("nbgrader", {}))]
    nbformat.write(notebook, path)
    release(course, "a1", prove=False)
    for student in EVERYBODY:
        folder = course.root / "inbox" / student
        shutil.copytree(course.release("a1"), folder)
        solve_modules(course.assignment("a1"), folder)
        if student in WRONG:
            file, right, wrong = WRONG[student]
            _edit(folder / "handgrad" / "layers" / file, right, wrong)
    with _cluster() as scheduler:
        result = run.grade_class(course, "a1", course.root / "inbox", scheduler=scheduler)
    assert (len(result.graded), result.failures) == (4, {})
    return course.root


def _kept(mark: dict) -> bool:
    return not mark.get("grade") or mark["grade_id"] in KEPT


def _edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@contextmanager
def _cluster():
    """The address of a scheduler whose only worker is a thread of this process."""
    from distributed import LocalCluster

    with LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def course(graded, tmp_path):
    shutil.copytree(graded, tmp_path / "course")
    return Course.find(tmp_path / "course")


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A copy of the programs in which the checks have changed: run it with this folder as PYTHONPATH."""
    root = tmp_path_factory.mktemp("changed")
    for folder in ("autograder", "handgrad", "assignments/source"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file, (old, new) in EDITS.items():
        _edit(root / file, old, new)
    return root


def _command(programs, course, *arguments):
    return {
        "args": [
            sys.executable,
            "-m",
            "autograder.cli",
            *arguments,
            "--course",
            str(course.root),
            "--jobs",
            "1",
        ],
        "cwd": programs,
        "env": os.environ | {"PYTHONPATH": str(programs)},
        "text": True,
    }


def _autograder(programs, course, *arguments):
    done = subprocess.run(**_command(programs, course, *arguments), capture_output=True)
    assert done.returncode == 0, done.stderr
    return done


def _state(course):
    """Everything that a preview must leave alone."""
    folders = [course.root / name for name in ("reports", "autograded", "submitted", "gradebook.db")]
    files = [p for f in folders for p in ([f] if f.is_file() else f.rglob("*")) if p.is_file()]
    return {path.relative_to(course.root): path.read_bytes() for path in files}


def _drafts(course):
    return {path.stem: path for path in (course.private / "regrade" / "a1").glob("[!.]*.json")}


def test_from_a_changed_check_to_the_grades(course, changed, tmp_path):
    former = {student: course.report("a1", student).read_bytes() for student in EVERYBODY}
    _by_hand(course, "bob")

    # A preview that is killed half way has changed nothing, and what it graded is not graded again.
    before = _state(course)
    first = subprocess.Popen(
        **_command(changed, course, "regrade", "a1", "--preview"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not _drafts(course):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    made = {student: path.stat().st_mtime_ns for student, path in _drafts(course).items()}
    table = tmp_path / "out" / "changes.csv"
    done = _autograder(changed, course, "regrade", "a1", "--preview", "--output", str(table))
    assert _state(course) == before
    assert set(_drafts(course)) == set(EVERYBODY)
    assert {student: _drafts(course)[student].stat().st_mtime_ns for student in made} == made

    # bob's db weighs more, but a person's points stand; cyd's wrong dw weighs less; dan's words alone change.
    text = done.stdout
    assert "3 change: 1 gain, 1 the same sum with other points in single" in text
    assert "1 only the explanation; 1 stay" in text
    assert text.index("cyd:") < text.index("bob:") < text.index("dan:")
    assert "(a person gave 4.5, which stands)" in text
    assert "Negative numbers become positive; ReLU makes them 0 → " in text
    assert "what is new: the checks" in text
    with table.open(newline="", encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(WRONG)
    old, new = (Report.model_validate_json(x) for x in (former["cyd"], _drafts(course)["cyd"].read_bytes()))
    assert float(rows["cyd"]["gain"]) == new.auto_points - old.auto_points > 0
    assert rows["dan"]["new_explanation"] == "That is the absolute value."

    # Taken over without grading: the drafts are what becomes the reports.
    drafts = {student: path.read_bytes() for student, path in _drafts(course).items()}
    _autograder(changed, course, "regrade", "a1")
    assert {student: course.report("a1", student).read_bytes() for student in EVERYBODY} == drafts
    assert _drafts(course) == {}
    for student in EVERYBODY:
        [kept] = folder_of(course, "a1", student).glob("*.json")
        assert kept.read_bytes() == former[student]
        assert kept.stem.endswith(Report.model_validate_json(former[student]).key[:12])
    sheets = read_scores(course, "a1")
    bob = sheets["bob"].cells[NOTEBOOK, "affine_backward"]
    assert (bob.points, bob.manual, bob.pending) == (4.5, 4.5, True)  # the checks say something else now
    answer = sheets["bob"].cells[NOTEBOOK, "inline_question_1"]
    assert (answer.points, answer.comment, answer.pending) == (1.5, "Nearly.", False)
    assert sheets["cyd"].points == new.auto_points


def _by_hand(course, student):
    """What a grader does in the formgrader: points for a checked cell, points and words for an answer."""
    config = course_config(course)
    with Gradebook(config.CourseDirectory.get("db_url", course.gradebook_url), "handgrad") as gradebook:
        for name, points in {"affine_backward": 4.5, "inline_question_1": 1.5}.items():
            grade = gradebook.find_grade(name, NOTEBOOK, "a1", student)
            grade.manual_score, grade.needs_manual_grade = points, False
        comment = gradebook.find_comment("inline_question_1", NOTEBOOK, "a1", student)
        comment.manual_comment = "Nearly."
        gradebook.db.commit()


# ---- without another process


@pytest.fixture
def stricter(course, monkeypatch):
    """Today's checks count as others than those that graded the class, and another grade is the result."""
    for student, points in {"ada": 1.0, "bob": 9.0}.items():
        report = Report.read(course.report("a1", student))
        report.questions[0].points += points
        report.checks_hash, report.key = "other", "f" * 64
        report.write(course.report("a1", student))
    return course


def test_grading_on_changes_nobodys_grade_and_says_so(stricter):
    before = _state(stricter)
    done = _invoke("grade", "a1", "--course", stricter.root)
    assert "0 graded now, 4 before" in done.output
    assert "2 of these reports were made by other checks" in " ".join(done.output.split())
    assert "autograder regrade a1 --preview" in " ".join(done.output.split())
    after = _state(stricter)
    assert {path: after[path] for path in after if path.suffix == ".json"} == {
        path: before[path] for path in before if path.suffix == ".json"
    }


def _invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_the_list_can_be_a_table(stricter, tmp_path):
    with _cluster() as scheduler:
        regrade.preview(stricter, "a1", scheduler=scheduler)
    options = ("regrade", "a1", "--preview", "--course", stricter.root)
    done = _invoke(*options, "--format", "csv")
    assert done.exit_code == 0, done.output
    assert [row["student"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["bob", "ada"]
    assert "2 change: 2 lose; 2 stay" in done.stderr
    done = _invoke(*options, "--students", "ada", "--output", tmp_path / "ada.csv")
    assert "1 change: 1 lose; 0 stay" in done.stdout
    assert len((tmp_path / "ada.csv").read_text().splitlines()) == 2
    (tmp_path / "file").touch()
    for wrong in (("--students", " ,"), ("--students", "zoe"), ("--output", tmp_path / "file" / "x.csv")):
        done = _invoke(*options, *wrong)
        assert (done.exit_code, done.output.count("error:"), "Traceback" in done.output) == (1, 1, False)


def test_who_loses_is_named_first_and_a_few_can_be_chosen(stricter):
    with _cluster() as scheduler:
        result = regrade.preview(stricter, "a1", ["bob"], scheduler=scheduler)
        assert [(c.student, c.gain, c.kind) for c in result.changes] == [("bob", -9.0, "lower")]
        result = regrade.preview(stricter, "a1", scheduler=scheduler)
    assert result.graded == ["ada"]
    assert [(c.student, c.gain, c.causes) for c in result.changes] == [
        ("bob", -9.0, ["the checks"]),
        ("ada", -1.0, ["the checks"]),
    ]
    assert result.summary == "2 change: 2 lose; 2 stay"
    assert next(regrade.lines(result)) == "Lower:"
    with pytest.raises(CourseError, match="no submission of a1 by zoe"):
        regrade.preview(stricter, "a1", ["zoe"])


def test_a_takeover_that_was_killed_goes_on_and_lists_everybody(stricter, monkeypatch):
    former = {student: course_report(stricter, student) for student in ("ada", "bob")}
    write = regrade.writer.write

    def killed(course, name, student):
        if student == "bob":
            raise KeyboardInterrupt
        return write(course, name, student)

    with _cluster() as scheduler:
        with monkeypatch.context() as patched:
            patched.setattr(regrade.writer, "write", killed)
            with pytest.raises(KeyboardInterrupt):
                regrade.regrade(stricter, "a1", scheduler=scheduler)
        result = regrade.regrade(stricter, "a1", scheduler=scheduler)
    assert result.graded == []
    assert [(c.student, c.gain) for c in result.changes] == [("bob", -9.0), ("ada", -1.0)]
    for student, report in former.items():
        assert former_reports(stricter, "a1", student) == [report]
        points = course_report(stricter, student).auto_points
        assert read_scores(stricter, "a1")[student].points == points < report.auto_points


def course_report(course, student):
    return Report.read(course.report("a1", student))


def test_a_grader_that_fails_changes_nobodys_grade(stricter, monkeypatch):
    def broken(*arguments):
        raise OSError("no space left on device")

    before = _state(stricter)
    monkeypatch.setattr(run, "grade_parcel", broken)
    with _cluster() as scheduler:
        result = regrade.regrade(stricter, "a1", scheduler=scheduler)
    assert set(result.failures) == {"ada", "bob"}
    assert "no space left on device" in result.failures["ada"]
    after = _state(stricter)
    assert {path: after[path] for path in after if path.suffix == ".json"} == {
        path: before[path] for path in before if path.suffix == ".json"
    }


def test_nothing_graded_is_a_sentence(course):
    shutil.rmtree(course.root / "reports")
    with pytest.raises(CourseError, match="autograder grade a1"):
        regrade.preview(course, "a1")


def test_a_resubmission_keeps_the_former_report(course):
    former = course_report(course, "ada")
    _edit(
        course.root / "inbox" / "ada" / "handgrad" / "layers" / "affine.py",
        "dw = rows.T @ dout",
        "dw = 0 * w",
    )
    with _cluster() as scheduler:
        result = run.grade_class(course, "a1", course.root / "inbox", scheduler=scheduler)
    assert result.graded == ["ada"]
    assert course_report(course, "ada").auto_points < former.auto_points
    assert former_reports(course, "a1", "ada") == [former]


def test_the_history_keeps_each_report_once_and_nobodys_failure(course):
    first = keep_former(course, "a1", "ada")
    assert keep_former(course, "a1", "ada") == first
    path = course.report("a1", "ada")
    path.write_text('{"schema_version": 2}')
    assert keep_former(course, "a1", "ada").read_text() == '{"schema_version": 2}'
    assert len(list(first.parent.iterdir())) == 2
    report = Report.read(first).model_copy(update={"key": ""})
    report.write(path)
    assert keep_former(course, "a1", "ada") is None
    assert keep_former(course, "a1", "nobody") is None


def test_the_table_holds_no_formula():
    file = io.StringIO()
    question = {"notebook": NOTEBOOK, "grade_id": "=q", "max_points": 1.0}
    old = regrade.Question(**question, status="failed", explanation="=cmd|'/c calc'!A0")
    new = regrade.Question(**question, status="passed", explanation="a;@SUM(1)")
    values = dict.fromkeys(("key", "seed", "submission_hash", "release_hash", "checks_hash"), "0")
    reports = [
        Report(assignment="a1", student="+ada", isolation="none", questions=[q], **values) for q in (old, new)
    ]
    change = regrade.Change(*reports, [regrade.Difference(NOTEBOOK, "=q", old, new)])
    regrade.write_csv(regrade.Result([change]), file)
    row = next(csv.DictReader(io.StringIO(file.getvalue())))
    assert (row["student"], row["question"]) == ("'+ada", "'=q")
    assert row["old_explanation"] == "'=cmd|'/c calc'!A0"
    assert row["new_explanation"] == "a;'@SUM(1)"
