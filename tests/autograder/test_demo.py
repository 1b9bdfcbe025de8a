"""The demo's submissions are what they say, and its expectations can fail."""

import ast
from pathlib import Path

import pytest

from autograder.demo import roster
from autograder.demo.listener import Listener
from autograder.demo.patching import apply
from autograder.demo.roster import CLASS, EVERYTHING, MODULES, Pupil, differences
from autograder.demo.show import course_of_one_notebook
from autograder.release import release
from autograder.report import Question, Report
from autograder.student_folder import solve_modules

SUBMISSIONS = Path(roster.__file__).parent / "submissions"


@pytest.fixture(scope="module")
def a1(tmp_path_factory):
    return course_of_one_notebook(tmp_path_factory.mktemp("course")).assignment("a1")


def _report(a1, **points) -> Report:
    questions = [
        Question(
            notebook=cell.notebook,
            grade_id=cell.grade_id,
            kind=cell.kind,
            points=points.get(cell.grade_id, cell.points) if cell.kind == "auto" else None,
            max_points=cell.points,
            status="passed" if cell.kind == "auto" else "manual",
        )
        for cell in a1.grade_cells
    ]
    hashes = dict.fromkeys(("key", "seed", "submission_hash", "release_hash", "checks_hash"), "0")
    return Report(assignment="a1", student="ada", isolation="bubblewrap", questions=questions, **hashes)


def _functions(text: str) -> dict[str, str]:
    """Functions and methods of a module, by dotted name."""
    tree = ast.parse(text)
    owners = [("", tree), *((f"{c.name}.", c) for c in tree.body if isinstance(c, ast.ClassDef))]
    return {
        prefix + node.name: ast.dump(node)
        for prefix, owner in owners
        for node in owner.body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("name", [pupil.patch for pupil in CLASS if pupil.patch])
def test_a_patch_changes_just_the_functions_it_defines(a1, tmp_path, name):
    solve_modules(a1, tmp_path)
    before = {m: _functions((tmp_path / m).read_text()) for m in MODULES}
    patch = (SUBMISSIONS / f"{name}.py").read_text()
    replaced = apply(patch, tmp_path, MODULES, {"@PORT@": "1"})
    assert replaced
    for module in MODULES:
        after = _functions((tmp_path / module).read_text())
        assert before[module].keys() <= after.keys()
        for function, node in before[module].items():
            assert (node == after[function]) == (function not in replaced)


def test_the_changed_modules_are_the_students_to_edit(a1):
    assert set(MODULES) <= set(a1.manifest.editable)


def test_every_submission_file_is_in_the_class():
    assert {path.stem for path in SUBMISSIONS.glob("*.py")} == {p.patch for p in CLASS if p.patch}


def test_a_patch_that_fits_nowhere_is_refused(a1, tmp_path):
    solve_modules(a1, tmp_path)
    with pytest.raises(ValueError, match="no_such_function"):
        apply("def no_such_function():\n    pass\n", tmp_path, MODULES)


def test_a_helper_is_in_each_module_that_a_patch_changes(a1, tmp_path):
    solve_modules(a1, tmp_path)
    patch = "def twice(x):\n    return 2 * x\n\n\n"
    for name in ("affine_forward(x, w, b)", "relu_forward(x)"):
        patch += f"def {name}:\n    return twice(x), x\n\n\n"
    apply(patch, tmp_path, MODULES)
    for name in ("affine", "activations"):
        assert "twice" in _functions((tmp_path / f"handgrad/layers/{name}.py").read_text())


def test_expected_losses_are_points_of_the_notebook(a1):
    points = {cell.grade_id: cell.points for cell in a1.grade_cells if cell.kind == "auto"}
    for pupil in CLASS:
        if pupil.lost != EVERYTHING:
            assert all(0 < lost <= points[grade_id] for grade_id, lost in pupil.lost.items())


def test_differences_are_found(a1):
    dan = Pupil(
        "dan",
        "",
        lost={"affine_backward": 1},
        told={"affine_backward": "mean"},
        said="batch size",
        unsaid="reached",
    )
    report = _report(a1, affine_backward=4)
    backward = next(q for q in report.questions if q.grade_id == "affine_backward")
    backward.misconception, backward.explanation = "affine_db_mean", "db is a mean over the batch size"
    assert differences(dan, report) == []
    backward.points, backward.explanation = 5, "reached"
    assert len(differences(dan, report)) == 4
    backward.misconception = None
    assert "not recognised" in " ".join(differences(dan, report))
    assert len(differences(Pupil("all", "", lost=EVERYTHING), _report(a1))) == 11
    assert differences(Pupil("none", ""), _report(a1)) == []
    assert differences(Pupil("none", ""), _report(a1, relu_forward=None))


def test_listener_counts_connections():
    import socket

    with Listener() as listener:
        socket.create_connection(("127.0.0.1", listener.port)).close()
        for _ in range(50):
            if listener.connections:
                break
            listener._thread.join(0.05)
        assert listener.connections == 1


def test_a_course_at_a_relative_path_is_released(tmp_path, monkeypatch):
    """The demo's folder is build/demo below the present one, and nbgrader works in folders of its own."""
    monkeypatch.chdir(tmp_path)
    course = course_of_one_notebook(Path("course"))
    assert release(course, "a1", prove=False).folder == tmp_path / "course" / "release" / "a1"
