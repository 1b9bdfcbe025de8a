"""Grading whole submissions in the sandbox: points, reasons, and the same report every time."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import grading
from autograder.report import Report, Times
from autograder.sandbox import Limits

AFFINE, RELU = "handgrad/layers/affine.py", "handgrad/layers/activations.py"
LOSSES, NET = "handgrad/layers/losses.py", "handgrad/classifiers/fc_net.py"
SEED = "0123456789abcdef"


pytestmark = pytest.mark.usefixtures("needs_sandbox")


def append(path: Path, source: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\n\n" + source, encoding="utf-8")


def grade(submission, assignment, **options) -> dict:
    """Questions by grade_id; best_model is left out, since nothing here has learnt."""
    report = grading.grade_submission(submission, assignment, "ada", SEED, **options)
    return {q.grade_id: q for q in report.questions if q.kind == "auto" and q.grade_id != "best_model"}


def lost(questions: dict) -> dict[str, float]:
    return {
        name: round(q.max_points - q.points, 2) for name, q in questions.items() if q.points != q.max_points
    }


def without_times(report: Report) -> str:
    return report.model_copy(update={"times": Times()}).model_dump_json()


def test_a_solution_gets_all_points_and_the_release_none(submission, assignment):
    assert lost(grade(submission, assignment)) == {}
    report = grading.grade_submission(assignment.course.release("a1"), assignment, "cleo", SEED)
    assert report.auto_points == 0
    assert report.max_auto_points == 36
    automatic = [q for q in report.questions if q.kind == "auto" and q.grade_id != "best_model"]
    assert {q.status for q in automatic} == {"not_attempted"}
    assert automatic[0].explanation == (
        "affine_forward is not written yet: write it in handgrad/layers/affine.py."
    )
    manual = [q for q in report.questions if q.kind == "manual"]
    assert [(q.points, q.status) for q in manual] == [(None, "manual")] * 2


def test_the_same_submission_gives_the_same_report_and_key(submission, assignment):
    append(
        submission / AFFINE,
        "right_backward = affine_backward\n"
        "def affine_backward(dout, cache):\n"
        "    dx, dw, db = right_backward(dout, cache)\n"
        "    return dx, dw, db / len(dout)\n",
    )
    first, second = (grading.grade_submission(submission, assignment, "dan", SEED) for _ in range(2))
    assert without_times(first) == without_times(second)
    assert first.key == grading.key_of(submission, assignment, SEED, "bubblewrap")
    assert first.key != grading.key_of(submission, assignment, "another seed", "bubblewrap")
    assert first.key != grading.key_of(submission, assignment, SEED, "none")
    question = next(q for q in first.questions if q.grade_id == "affine_backward")
    assert (question.points, question.status, question.misconception) == (4, "partial", "affine_db_mean")
    assert question.explanation == "db is the mean over the batch; the gradient of a sum is the sum."
    append(submission / AFFINE, "# changed\n")
    assert first.key != grading.key_of(submission, assignment, SEED, "bubblewrap")


def test_a_network_is_not_blamed_for_its_layers(submission, assignment):
    append(submission / LOSSES, "def softmax_loss(x, y):\n    raise ValueError('my own words')\n")
    questions = grade(submission, assignment)
    assert lost(questions) == {"softmax_loss": 4}
    assert questions["softmax_loss"].status == "error"
    assert "softmax_loss raised ValueError: my own words (handgrad/layers/losses.py, line" in (
        questions["softmax_loss"].explanation
    )
    assert questions["two_layer_net_loss"].substituted == ["softmax_loss"]
    assert questions["two_layer_net_scores"].substituted == []


def test_caches_of_substituted_layers_have_one_author(submission, assignment):
    append(submission / AFFINE, "def affine_forward(x, w, b):\n    return x.reshape(len(x), -1) @ w, None\n")
    questions = grade(submission, assignment)
    assert lost(questions) == {"affine_forward": 3, "affine_backward": 5}
    assert questions["affine_forward"].misconception == "affine_without_bias"


def test_a_function_that_cannot_be_read_costs_its_own_points(submission, assignment):
    append(submission / LOSSES, "def svm_loss(x, y:\n")
    append(submission / RELU, "def relu_forward(x):\n    return abs(x), x\n")
    questions = grade(submission, assignment)
    assert lost(questions) == {"svm_loss": 4, "relu_forward": 1}
    assert "svm_loss raised SyntaxError: '(' was never closed" in questions["svm_loss"].explanation
    assert questions["relu_forward"].misconception == "relu_absolute_value"


def test_a_loop_without_end_and_a_crash_cost_their_own_points(submission, assignment):
    append(submission / RELU, "def relu_forward(x):\n    while True:\n        pass\n")
    append(submission / LOSSES, "def svm_loss(x, y):\n    import os\n    os._exit(0)\n")
    questions = grade(submission, assignment, limits=Limits(call=3.0))
    assert lost(questions) == {"relu_forward": 1, "relu_backward": 2, "svm_loss": 4}
    assert questions["relu_forward"].status == "timeout"
    assert questions["relu_forward"].explanation == "relu_forward did not finish within 3 s."
    assert questions["svm_loss"].status == "crash"


def test_the_time_of_a_submission_is_bounded(submission, assignment):
    append(submission / NET, "import time\ntime.sleep(1000)\n")
    report = grading.grade_submission(submission, assignment, "eve", SEED, limits=Limits(call=1.0, total=4.0))
    assert report.times.seconds < 60
    assert {q.status for q in report.questions if "net" in q.grade_id} <= {"timeout", "error", "crash"}


@pytest.mark.parametrize("end", ["", "import time\ntime.sleep(1000)\n", "1 / 0\n"])
def test_without_time_nothing_is_earned(submission, assignment, end):
    append(submission / NET, end)
    report = grading.grade_submission(submission, assignment, "eve", SEED, limits=Limits(total=0.0))
    assert report.auto_points == 0
    assert {q.status for q in report.questions if q.kind == "auto"} == {"timeout"}


def test_objects_that_equal_everything_earn_nothing(submission, assignment):
    append(
        submission / LOSSES,
        "class Equal(np.ndarray):\n"
        "    __eq__ = __le__ = __ge__ = lambda self, other: True\n"
        "    __array_ufunc__ = lambda self, *args, **kwargs: 0.0\n"
        "class Yes:\n"
        "    __eq__ = lambda self, other: True\n"
        "    __float__ = lambda self: 0.0\n"
        "def svm_loss(x, y):\n"
        "    return Yes(), np.zeros(x.shape).view(Equal)\n"
        "np.allclose = np.array_equal = lambda *args, **kwargs: True\n",
    )
    questions = grade(submission, assignment)
    assert lost(questions) == {"svm_loss": 4}


def test_no_hidden_number_is_in_a_report(submission, assignment):
    append(submission / LOSSES, "def svm_loss(x, y):\n    return 0.5, x\n")
    report = grading.grade_submission(submission, assignment, "fay", SEED)
    question = next(q for q in report.questions if q.grade_id == "svm_loss")
    assert question.points == 0
    assert all(c.message for c in question.comparisons)
    for comparison in question.comparisons:
        data = comparison.model_dump()
        assert set(data) == {
            "part", "what", "passed", "message", "expected_shape", "got_shape", "expected_dtype", "got_dtype",
            "max_error", "tolerance", "at",
        }  # fmt: skip


def test_the_best_model_counts_on_its_scale(submission, assignment):
    report = grading.grade_submission(submission, assignment, "gil", SEED)
    question = next(q for q in report.questions if q.grade_id == "best_model")
    assert question.status == "failed"
    assert "on 1000 hidden images" in question.explanation
    (submission / "best_two_layer_net.npz").write_bytes(b"no archive")
    report = grading.grade_submission(submission, assignment, "gil", SEED)
    question = next(q for q in report.questions if q.grade_id == "best_model")
    assert (question.points, question.status) == (0, "error")
    assert "cannot be read" in question.explanation


def test_the_best_model_counts_beside_a_module_that_stays_broken(submission, assignment):
    append(submission / AFFINE, "#" * 300_000 + "\ndef f(:\n")  # too long to be mended
    report = grading.grade_submission(submission, assignment, "gil", SEED)
    questions = {q.grade_id: q for q in report.questions}
    assert "raised SyntaxError" in questions["affine_forward"].explanation
    assert "on 1000 hidden images" in questions["best_model"].explanation


def test_a_grade_cell_without_check_is_for_a_person(submission, assignment):
    source = assignment.folder / "3_two_layer_net.ipynb"
    source.write_text(source.read_text().replace('"grade_id": "svm_loss"', '"grade_id": "svm_lost"'))
    assert '"svm_lost"' in source.read_text()
    report = grading.grade_submission(submission, assignment.course.assignment("a1"), "ada", SEED)
    question = next(q for q in report.questions if q.grade_id == "svm_lost")
    assert (question.kind, question.points) == ("manual", None)
    assert "no hidden check" in question.explanation
    assert report.max_auto_points == 32


def test_without_isolation_the_report_says_so(submission, assignment):
    report = grading.grade_submission(submission, assignment, "ada", SEED, isolation="none")
    assert report.isolation == "none"
    assert report.auto_points == report.max_auto_points - 4


def test_a_failure_that_nobody_has_named_is_described(submission, assignment):
    layers = submission / "handgrad" / "layers"
    append(
        layers / "affine.py", "def affine_forward(x, w, b):\n    return x.reshape(len(x), -1) @ w * 1.7, x"
    )
    append(layers / "losses.py", "def svm_loss(x, y):\n    x -= 1\n    return np.log(-np.ones(()))[()], x")
    questions = grade(submission, assignment)
    assert questions["affine_forward"].misconception is None
    assert "The result does not depend on b, and it should." in questions["affine_forward"].explanation
    said = questions["svm_loss"].explanation
    assert re.search(
        r"NumPy warned: invalid value encountered in log in handgrad/layers/losses.py, line \d+", said
    )


def test_work_in_place_costs_nothing_and_earns_advice(submission, assignment):
    append(
        submission / "handgrad" / "layers" / "activations.py",
        "def relu_backward(dout, cache):\n    dout[cache <= 0] = 0\n    return dout",
    )
    question = grade(submission, assignment)["relu_backward"]
    assert question.status == "passed"
    assert question.advice.startswith("relu_backward changes dout in place.")


def test_without_a_package_that_a_check_needs_a_person_grades_it(submission, assignment, monkeypatch):
    check = next(c for c in grading.checks_of(assignment).values() if c.grade_id == "relu_forward")
    needing = {cell: replace(c, needs=("no_such_package",)) if c is check else c
               for cell, c in grading.checks_of(assignment).items()}  # fmt: skip
    monkeypatch.setattr(grading, "checks_of", lambda assignment: needing)
    questions = grade(submission, assignment)
    assert questions["relu_forward"].status == "manual"
    assert "no package no_such_package" in questions["relu_forward"].explanation
    assert questions["affine_forward"].status == "passed"
