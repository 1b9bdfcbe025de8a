"""Through nbgrader's own converters: the report's scores, the release's cells, and people's work is kept."""

import json
import math
import os
import shutil

import nbformat
import pytest
import tiny_course as tiny
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import determine_grade
from payloads import DO, PAGES

from autograder.course import Course
from autograder.nbgrader import writer
from autograder.nbgrader.verdicts import earned
from autograder.report import Question

pytestmark = pytest.mark.filterwarnings("ignore:Object of type .* not in session:sqlalchemy.exc.SAWarning")


@pytest.fixture
def course(tiny_release, tmp_path):
    return Course(shutil.copytree(tiny_release.root, tmp_path / "course"))


def test_the_release_is_the_whole_student_folder(course):
    names = {path.name for path in course.release("a1").iterdir()}
    assert {f"{tiny.NOTEBOOK}.ipynb", "handgrad", "manifest.toml", "README.md", "requirements.txt"} <= names
    notebook = nbformat.read(course.release("a1") / f"{tiny.NOTEBOOK}.ipynb", as_version=4)
    assert "HIDDEN" not in tiny.cell(notebook, "affine_forward").source
    assert tiny.cell(notebook, "train").source.startswith("raise NotImplementedError")
    assert "Write your answer" in tiny.cell(notebook, "question").source


def test_a_release_that_fails_leaves_nothing_and_says_why(course):
    manifest = course.source / "a1" / "manifest.toml"
    manifest.write_text('title = "t"\neditable = ["handgrad/none.py"]\n')
    with pytest.raises(SystemExit, match=r"a1 was not written: .*manifest\.toml"):
        tiny.convert(course, GenerateAssignment, force=True)
    assert not course.release("a1").exists()


def test_scores_are_the_reports_whatever_the_cells_show(course):
    def forge(notebook):
        shown = [
            new_output("execute_result", data={"text/plain": "2.75"}),
            new_output("stream", name="stderr", text="boom"),
            new_output("error", ename="E", evalue="e", traceback=["no"]),
        ]
        for grade_id, output in zip(["affine_forward", "relu_forward"], shown, strict=False):
            tiny.cell(notebook, grade_id).outputs = [output]

    tiny.submit(course, "ann", forge)
    tiny.grade(course, "ann")
    tiny.autograde(course)
    found = tiny.scores(course, "ann")
    assert [found[name]["score"] for name in ("affine_forward", "relu_forward", "question")] == [
        1.5,
        2.0,
        0.0,
    ]
    assert not any(found[name]["pending"] for name in found)  # nothing was written in the answer


def test_an_untouched_release_comes_back_as_it_is_without_remarks(course):
    tiny.submit(course, "ann")
    tiny.grade(course, "ann")
    tiny.autograde(course)
    release = nbformat.read(course.release("a1") / f"{tiny.NOTEBOOK}.ipynb", as_version=4)
    graded = tiny.graded(course, "ann")
    assert [c.source.removesuffix(tiny.SCHEME) for c in graded.cells] == [c.source for c in release.cells]
    assert [c.id for c in graded.cells] == [c.id for c in release.cells]


def test_graders_see_the_marking_notes_and_students_do_not(course):
    tiny.submit(course, "ann", lambda n: n.cells.append(new_markdown_cell("BEGIN MARK SCHEME of mine")))
    tiny.grade(course, "ann")
    tiny.autograde(course)
    assert tiny.SCHEME in tiny.cell(tiny.graded(course, "ann"), "question_text").source
    page = tiny.feedback(course, "ann")
    assert "One point for each reason" not in page
    assert "BEGIN MARK SCHEME of mine" in page


def delete(notebook):
    notebook.cells = []


def duplicate(notebook):
    notebook.cells += [nbformat.from_dict(dict(cell, id=f"copy{i}")) for i, cell in enumerate(notebook.cells)]


def relabel(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id = f"my_{cell.metadata.nbgrader.grade_id}"


def swap_labels(notebook):
    a, b = tiny.cell(notebook, "affine_forward"), tiny.cell(notebook, "relu_forward")
    a.metadata.nbgrader.grade_id, b.metadata.nbgrader.grade_id = "relu_forward", "affine_forward"


def change_roles(notebook):
    for cell in notebook.cells:
        cell.metadata["tags"] = ["remove-cell"]
        cell.metadata["nbgrader"] = {
            "grade_id": cell.metadata.get("nbgrader", {}).get("grade_id", cell.id),
            "grade": False,
            "solution": True,
            "locked": False,
            "points": 1000,
            "schema_version": 99,
            "task": True,
        }


def break_metadata(notebook):
    for cell in notebook.cells:
        cell.metadata["nbgrader"] = {"grade_id": ["x"], "schema_version": "<b>"}


def change_types(notebook):
    for position, cell in enumerate(notebook.cells):
        text = cell.source
        new = new_markdown_cell(text) if cell.cell_type == "code" else new_code_cell(text)
        notebook.cells[position] = nbformat.from_dict(dict(new, id=cell.id, metadata=cell.metadata))


def add_cells(notebook):
    for name in ("affine_forward_2", "bonus"):
        notebook.cells.insert(0, new_code_cell("1", metadata=tiny.mark(name, 500.0, locked=True)))


def change_sources(notebook):
    for cell in notebook.cells:
        cell.source = "pass"


TAMPERINGS = [delete, duplicate, relabel, swap_labels, change_roles, break_metadata, change_types, add_cells]


@pytest.mark.parametrize("change", [*TAMPERINGS, change_sources])
def test_no_tampering_changes_a_verdict_or_a_locked_cell(course, change):
    tiny.submit(course, "ann", change)
    tiny.grade(course, "ann", {"affine_forward": 3.0, "relu_forward": 0.5})
    tiny.autograde(course)
    found = tiny.scores(course, "ann")
    assert set(found) == {"affine_forward", "relu_forward", "question"}
    assert [found["affine_forward"]["auto"], found["relu_forward"]["auto"]] == [3.0, 0.5]

    notebook = tiny.graded(course, "ann")
    nbformat.validate(notebook)
    release = nbformat.read(course.release("a1") / f"{tiny.NOTEBOOK}.ipynb", as_version=4)
    for name in ("affine_forward", "relu_forward", "question_text"):
        now, then = tiny.cell(notebook, name), tiny.cell(release, name)
        assert (now.source.removesuffix(tiny.SCHEME), now.cell_type) == (then.source, then.cell_type)
        assert now.metadata == then.metadata
    for name in ("train", "question"):
        assert tiny.cell(notebook, name).metadata == tiny.cell(release, name).metadata
    assert notebook.metadata == release.metadata
    assert not any(cell.metadata for cell in notebook.cells if "nbgrader" not in cell.metadata)


def test_missing_cells_return_to_their_places_and_the_grader_is_told(course):
    def cut(notebook):
        notebook.cells = [c for c in notebook.cells if c.id in ("title", "affine-forward", "question")]

    tiny.submit(course, "ann", cut)
    tiny.grade(course, "ann")
    tiny.autograde(course)
    notebook = tiny.graded(course, "ann")
    labels = [c.metadata.nbgrader.grade_id for c in notebook.cells if "nbgrader" in c.metadata]
    assert labels == ["affine_forward", "train", "relu_forward", "question_text", "question"]
    assert "relu\\_forward was missing" in notebook.cells[0].source


@pytest.mark.parametrize("answer", ["first", "copy"])
def test_of_several_answers_the_written_one_counts(course, answer):
    def copy(notebook):
        original = tiny.cell(notebook, "question")
        second = nbformat.from_dict(dict(original, id="other"))
        notebook.cells.insert(0 if answer == "copy" else len(notebook.cells), second)
        (second if answer == "copy" else original).source = "My answer."

    tiny.submit(course, "ann", copy)
    tiny.grade(course, "ann")
    tiny.autograde(course)
    assert tiny.cell(tiny.graded(course, "ann"), "question").source == "My answer."
    assert tiny.scores(course, "ann")["question"]["pending"]


def test_a_grade_cell_without_verdict_gets_nothing_and_a_person(course):
    tiny.submit(course, "ann")
    tiny.grade(course, "ann", {"relu_forward": None, "unknown": 1.0})
    tiny.autograde(course)
    found = tiny.scores(course, "ann")
    for name in ("affine_forward", "relu_forward"):
        assert (found[name]["auto"], found[name]["pending"]) == (0.0, True)
    assert (
        "No verdict" in tiny.cell(tiny.graded(course, "ann"), "affine_forward").outputs[0].data["text/plain"]
    )


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (-1.0, 0.0),
        (7.0, 3.0),
        (0.25, 0.25),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
    ],
)
def test_points_stay_between_nothing_and_everything(points, expected):
    question = Question(notebook="n", grade_id="g", points=points, max_points=3.0, status="partial")
    assert earned(question, 3.0) == expected


def test_what_people_gave_survives_grading_again(course):
    tiny.submit(course, "ann", lambda notebook: tiny.cell(notebook, "question").update(source="An answer."))
    tiny.grade(course, "ann")
    tiny.autograde(course)
    with Gradebook(course.gradebook_url) as gradebook:
        where = (tiny.NOTEBOOK, "a1", "ann")
        gradebook.find_grade("affine_forward", *where).manual_score = 2.75
        gradebook.find_grade("relu_forward", *where).extra_credit = 0.5
        gradebook.find_grade("question", *where).manual_score = 1.0
        gradebook.find_comment("question", *where).manual_comment = "Nearly."
        gradebook.db.commit()
    tiny.grade(course, "ann", {"affine_forward": 0.5, "relu_forward": 1.0})
    tiny.autograde(course)
    found = tiny.scores(course, "ann")
    assert [found[name]["score"] for name in ("affine_forward", "relu_forward", "question")] == [
        2.75,
        1.5,
        1.0,
    ]
    assert found["affine_forward"]["auto"] == 0.5
    assert "Nearly." in tiny.feedback(course, "ann")


def test_what_was_shown_survives_and_the_verdict_replaces_the_cells_own_output(course):
    def work(notebook):
        tiny.show(notebook, image_png=tiny.PNG, text_plain="<Figure>")
        tiny.cell(notebook, "train").outputs = [new_output("stream", name="stderr", text="loss 2.3")]
        tiny.cell(notebook, "affine_forward").outputs = [new_output("stream", text="all right!")]

    tiny.submit(course, "ann", work)
    tiny.grade(course, "ann", notes=["`x.py` was left out: <b>it</b> is not yours."])
    tiny.autograde(course)
    notebook = tiny.graded(course, "ann")
    assert notebook.cells[-1].outputs[0].data["image/png"] == tiny.PNG
    assert tiny.cell(notebook, "train").outputs[0].text == "loss 2.3"
    for name in ("affine_forward", "relu_forward"):
        cell = tiny.cell(notebook, name)
        assert [output.output_type for output in cell.outputs] == ["display_data"]
        assert (
            determine_grade(cell)[0] == cell.metadata.nbgrader.points
        )  # nothing that nbgrader takes for failed

    page = tiny.feedback(course, "ann")
    assert tiny.PNG in page
    assert "1.5 of 3 points: partly right" in page
    assert "2 of 2 points: right" in page
    assert "expected shape (4, 3), got (4, 1)" in page
    assert "largest error 0.125 at (1, 2), allowed 1e-07" in page
    assert "all right!" not in page
    assert "&lt;b&gt;it&lt;/b&gt; is not yours." in page
    assert f"<script>{DO}" not in page


def test_no_kernel_is_started(course, monkeypatch):
    import jupyter_client

    def refuse(*_, **__):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(jupyter_client.KernelManager, "start_kernel", refuse)
    monkeypatch.setattr(jupyter_client.AsyncKernelManager, "start_kernel", refuse)
    tiny.submit(course, "ann", lambda n: n.cells.append(new_code_cell("open('/tmp/executed', 'w')")))
    tiny.grade(course, "ann")
    tiny.autograde(course)
    assert tiny.graded(course, "ann").cells[-1].outputs == []


@pytest.mark.parametrize(
    "content", ["", "not JSON", '{"cells": 1}', json.dumps({"nbformat": 4, "cells": [1, None]})]
)
def test_an_unreadable_notebook_costs_its_answers_and_not_the_points_of_the_modules(course, content):
    tiny.submit(course, "ann").write_text(content)
    tiny.submit(course, "bob")
    tiny.grade(course, "ann")
    tiny.grade(course, "bob")
    tiny.autograde(course)
    assert [tiny.scores(course, name)["affine_forward"]["auto"] for name in ("ann", "bob")] == [1.5, 1.5]
    assert tiny.scores(course, "ann")["question"]["auto"] == 0.0


def test_a_notebook_that_was_not_handed_in_costs_its_answers_alone(course):
    with Gradebook(course.gradebook_url, "handgrad") as gradebook:
        gradebook.add_notebook("4_more", "a1")
        gradebook.add_grade_cell("dropout", "4_more", "a1", max_score=2.0, cell_type="code")
    tiny.submit(course, "ann")
    report = tiny.grade(course, "ann")
    report.questions.append(tiny.question("dropout", 0.75).model_copy(update={"notebook": "4_more"}))
    report.write(course.report("a1", "ann"))
    tiny.autograde(course)
    assert tiny.scores(course, "ann")["dropout"]["score"] == 0.75


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_a_notebook_that_is_no_file_is_not_read(course, make):
    path = tiny.submit(course, "ann")
    path.unlink()
    make(path)
    tiny.grade(course, "ann")
    tiny.autograde(course)
    notebook = tiny.graded(course, "ann")
    assert "it is no regular file" in notebook.cells[0].source
    assert tiny.scores(course, "ann")["affine_forward"]["auto"] == 1.5


def test_files_that_were_not_asked_for_reach_no_grader_and_no_feedback(course):
    folder = tiny.submit(course, "ann").parent
    secret = course.root / "secret.txt"
    secret.write_text("the gradebook")
    (folder / "evil.html").write_text(PAGES[0])
    (folder / "handgrad" / "more.py").write_text("x = 1")
    (folder / "best_two_layer_net.npz").symlink_to(secret)
    (folder / "timestamp.txt").write_text("2026-01-05 10:00:00 UTC")
    tiny.grade(course, "ann")
    tiny.autograde(course)
    graded = course.root / "autograded" / "ann" / "a1"
    names = {path.relative_to(graded).as_posix() for path in graded.rglob("*") if path.is_file()}
    assert names == {
        f"{tiny.NOTEBOOK}.ipynb",
        "manifest.toml",
        "timestamp.txt",
        *course.assignment("a1").manifest.editable,
    }


def test_a_student_that_nbgrader_cannot_convert_does_not_stop_the_others(course):
    folder = tiny.submit(course, "ann").parent
    os.mkfifo(folder / "pipe")
    tiny.submit(course, "bob")
    tiny.grade(course, "bob")
    (folder / "timestamp.txt").write_text("2026-01-05 10:00:00 UTC")
    with pytest.raises(NbGraderException):
        tiny.autograde(course)
    assert tiny.scores(course, "bob")["affine_forward"]["auto"] == 1.5


def test_what_a_person_graded_stays_settled_until_it_changes(course):
    """The same submission is graded again: only where the checks say something else is a person asked."""
    tiny.submit(course, "ann")
    tiny.grade(course, "ann", {"affine_forward": 1.5, "relu_forward": 2.0})
    writer.write(course, "a1", "ann")
    with Gradebook(course.gradebook_url) as gradebook:
        for name in ("affine_forward", "relu_forward", "question"):
            grade = gradebook.find_grade(name, tiny.NOTEBOOK, "a1", "ann")
            grade.manual_score, grade.needs_manual_grade = 1.0, False
        gradebook.db.commit()
    tiny.grade(course, "ann", {"affine_forward": 3.0, "relu_forward": 2.0})
    writer.write(course, "a1", "ann", force=True)
    found = tiny.scores(course, "ann")
    assert {name: found[name]["pending"] for name in found} == {
        "affine_forward": True,
        "relu_forward": False,
        "question": False,
    }
    assert {found[name]["manual"] for name in found} == {1.0}
    tiny.submit(course, "ann", lambda n: tiny.cell(n, "question").update(source="Another answer."))
    tiny.grade(course, "ann", {"affine_forward": 3.0, "relu_forward": 2.0})
    writer.write(course, "a1", "ann")
    assert all(grade["pending"] for grade in tiny.scores(course, "ann").values())
