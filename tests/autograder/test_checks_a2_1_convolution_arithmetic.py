"""The checks of a2/1_convolution_arithmetic: exact, for each student's own numbers."""

import shutil

import nbformat
import pytest

from autograder.checks import LocalStudent, find
from autograder.checks.running import run_check
from autograder.course import REPOSITORY
from autograder.grading import grade_submission
from autograder.student_folder import build

NOTEBOOK = "1_convolution_arithmetic"
SOURCE = REPOSITORY / "assignments" / "source" / "a2" / f"{NOTEBOOK}.ipynb"
ANSWERS = {
    mark["grade_id"]: cell.source
    for cell in nbformat.read(SOURCE, 4).cells
    if (mark := cell.metadata.get("nbgrader", {})) and mark["grade_id"].startswith("arithmetic_part")
}
CHECKS = [("arithmetic_answers_1", "arithmetic_part_1"), ("arithmetic_answers_2", "arithmetic_part_2")]


def share(grade_id, cell, source=None, student_id="ada"):
    """The share of the points that an answer cell earns."""
    replaced = {cell: source} if source is not None else {}
    check = find(f"a2/{NOTEBOOK}", grade_id)
    return run_check(check, LocalStudent(replaced), "seed", student_id=student_id)


@pytest.mark.parametrize(("grade_id", "cell"), CHECKS)
@pytest.mark.parametrize("student_id", ["ada", "Ben_7", "student-id", "x" * 60])
def test_formulas_of_the_solution_are_right_for_everybody(grade_id, cell, student_id):
    assert share(grade_id, cell, student_id=student_id).fraction == 1


@pytest.mark.parametrize(("grade_id", "cell"), CHECKS)
def test_somebody_elses_numbers_are_wrong(grade_id, cell):
    name = cell.replace("arithmetic_part", "answers")
    source = f"from handgrad.variants import variant\nnumbers = variant('ben')\n{ANSWERS[cell]}\n{name}"
    assert share(grade_id, cell, source, student_id="ben").fraction == 1
    assert share(grade_id, cell, source, student_id="ada").fraction < 0.5


@pytest.mark.parametrize(
    ("answer", "formula", "says"),
    [
        ("parameters", 'n["filters"] * n["channels"] * n["kernel"] ** 2', "leaves out the biases"),
        ("output height", '(n["height"] - n["kernel"]) // n["stride"] + 1', "leaves out the border"),
        ("combined kernel", 'n["kernel_1"] + n["kernel_2"]', "counted twice"),
        ("output width", "3", "not the number that your id asks for"),
    ],
)
def test_a_common_mistake_is_named(answer, formula, says):
    source = f"{ANSWERS['arithmetic_part_1']}\nanswers_1[{answer!r}] = {formula}"
    found = share("arithmetic_answers_1", "arithmetic_part_1", source)
    assert says in next(c.message for c in found.comparisons if c.part == answer)


@pytest.mark.parametrize(
    ("edit", "lost"),
    [
        (('n["stride"] + 1,\n    "output width"', 'n["stride"],\n    "output width"'), {"output height"}),
        (('n["channels"] + 1)', 'n["channels"])'), {"parameters"}),
        (('+ n["kernel_2"] - 1', '+ n["kernel_2"]'), {"combined kernel"}),
        (('"output channels": n["filters"]', '"output channels": str(n["filters"])'), {"output channels"}),
    ],
)
def test_one_wrong_number_costs_its_part(edit, lost):
    source = ANSWERS["arithmetic_part_1"]
    assert source.count(edit[0]) == 1
    found = share("arithmetic_answers_1", "arithmetic_part_1", source.replace(*edit))
    assert {c.part for c in found.comparisons if not c.passed} == lost


def test_whole_floats_and_numpy_numbers_are_numbers():
    source = ANSWERS["arithmetic_part_1"] + "\nanswers_1['parameters'] = float(answers_1['parameters'])"
    assert share("arithmetic_answers_1", "arithmetic_part_1", source).fraction == 1


@pytest.mark.parametrize(
    "source", ["answers_1 = None", "answers_1 = {}", "1 / 0", "raise NotImplementedError"]
)
def test_no_answers_no_points(source):
    assert share("arithmetic_answers_1", "arithmetic_part_1", source).fraction == 0


@pytest.fixture
def graded(needs_sandbox, released_course, tmp_path):
    """Grade a notebook with these cells in a sandbox; returns the questions by grade_id."""
    source = released_course.source / "a2"
    source.mkdir()
    shutil.copy(SOURCE, source)
    shutil.copy(SOURCE.parent / "manifest.toml", source)
    a2 = released_course.assignment("a2")
    build(a2, released_course.release("a2"))

    def grade(change):
        folder = shutil.copytree(released_course.release("a2"), tmp_path / "handed-in")
        notebook = nbformat.read(SOURCE, 4)
        change(notebook)
        nbformat.write(notebook, folder / SOURCE.name)
        report = grade_submission(folder, a2, "ada", "5eed")
        return {q.grade_id: q for q in report.questions}

    return grade


def test_in_the_sandbox_only_the_answer_cells_run(graded):
    def stop_elsewhere(notebook):
        for cell in notebook.cells:
            if cell.cell_type == "code" and not cell.id.startswith("arithmetic-part"):
                cell.source = "raise SystemExit('should not run')"

    questions = graded(stop_elsewhere)
    assert [questions[name].points for name, _ in CHECKS] == [3, 3]


def test_an_unsolved_cell_costs_its_own_points(graded):
    def leave_out(notebook):
        cell = next(cell for cell in notebook.cells if cell.id == "arithmetic-part-2")
        cell.source = "answers_2 = {}\nraise NotImplementedError()"

    questions = graded(leave_out)
    assert questions["arithmetic_answers_1"].status == "passed"
    assert questions["arithmetic_answers_2"].status == "not_attempted"
    assert questions["arithmetic_answers_2"].points == 0
