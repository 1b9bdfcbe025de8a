"""The release: what is in it, that the proof finds what must not be, and that a failure changes nothing."""

import json
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from tiny_course import convert

from autograder import proof, student_folder
from autograder.course import REPOSITORY, CourseError
from autograder.demo.show import course_of_one_notebook
from autograder.proof import nothing_leaks
from autograder.release import release, release_hash, solved_tree
from autograder.report import Comparison, Question, Report
from autograder.student_folder import build, student_tree, tree_hash

NOTEBOOK = "3_two_layer_net"
AFFINE = "handgrad/layers/affine.py"


@pytest.fixture
def course(tmp_path):
    """The real source of a1 with one notebook, not released yet."""
    return course_of_one_notebook(tmp_path / "course")


def edit(path, change):
    """Change a notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


class TestStudentFolder:
    def test_holds_all_that_students_need_and_no_build_products(self, released_course):
        folder = released_course.release("a1")
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert names >= {f"{NOTEBOOK}.ipynb", "manifest.toml", "README.md", "requirements.txt", AFFINE}
        assert names >= {"datasets/get_datasets.py", "datasets/registry.toml", "handgrad/solver.py"}
        assert names >= {"handgrad/fast_layers/_compiled.pyx", "handgrad/fast_layers/kernels/kernels.c"}
        assert not [
            name
            for name in names
            if re.search(r"__pycache__|_compiled\.c|\.(so|pyd|pyc|npz)$|^autograder", name)
        ]

    def test_unpacked_anywhere_it_works_up_to_the_first_stub(self, released_course, tmp_path):
        folder = shutil.copytree(released_course.release("a1"), tmp_path / "über all" / "a1")
        code = (
            "import handgrad, numpy as np; from handgrad.layers import affine_forward;"
            "print(handgrad.__file__); affine_forward(np.ones((2, 3)), np.ones((3, 4)), np.ones(4))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
        assert done.stdout.strip() == str(folder / "handgrad" / "__init__.py")
        assert done.stderr.strip().endswith(
            f"NotImplementedError: affine_forward is not written yet: write it in {AFFINE}"
        )

    def test_requirements_are_the_students_pinned(self, released_course):
        lines = (released_course.release("a1") / "requirements.txt").read_text().splitlines()
        assert {line.split("==")[0] for line in lines} == {
            "numpy",
            "matplotlib",
            "jupyterlab",
            "ipykernel",
            "tqdm",
        }
        assert set(lines) <= set((REPOSITORY / "constraints.txt").read_text().splitlines())

    def test_readme_names_each_function_and_file(self, released_course):
        text = (released_course.release("a1") / "README.md").read_text()
        assert "| `handgrad/layers/affine.py` | `affine_forward`, `affine_backward` |" in text
        assert "`TwoLayerNet.loss`" in text
        assert "- `best_two_layer_net.npz`" in text
        assert "{" not in text

    def test_plain_nbgrader_makes_the_same_folder(self, released_course):
        shutil.copytree(released_course.release("a1"), released_course.root / "ours")
        convert(released_course, GenerateAssignment, force=True)
        assert tree_hash(released_course.release("a1")) == tree_hash(released_course.root / "ours")

    def test_task_in_a_file_that_students_may_not_edit(self, course, tmp_path):
        manifest = course.source / "a1" / "manifest.toml"
        manifest.write_text(manifest.read_text().replace(f'    "{AFFINE}",\n', ""))
        with pytest.raises(
            CourseError, match=rf"students write code in {AFFINE}, which `editable` does not list"
        ):
            student_tree(course.assignment("a1"), tmp_path / "out")

    def test_editable_file_that_does_not_exist(self, course, tmp_path):
        manifest = course.source / "a1" / "manifest.toml"
        manifest.write_text(
            manifest.read_text().replace(f'"{AFFINE}",', f'"{AFFINE}", "handgrad/absent.py",')
        )
        with pytest.raises(CourseError, match=r"`editable` lists handgrad/absent\.py: no such file"):
            student_tree(course.assignment("a1"), tmp_path / "out")

    def test_without_the_repository_it_says_what_to_do(self, course, tmp_path, monkeypatch):
        monkeypatch.setattr(student_folder, "REPOSITORY", tmp_path)
        with pytest.raises(CourseError, match=r"Release from a clone of the repository"):
            student_tree(course.assignment("a1"), tmp_path / "out")

    def test_what_nbgrader_refuses_is_told(self, course, tmp_path):
        edit(
            course.source / "a1" / f"{NOTEBOOK}.ipynb",
            lambda nb: nb.cells.append(new_code_cell("### BEGIN SOLUTION")),
        )
        with pytest.raises(
            CourseError, match=r"nbgrader did not make the release of a1: .*no end solution statement"
        ):
            build(course.assignment("a1"), tmp_path / "out")


class TestProof:
    def test_nothing_of_the_solutions_is_in_the_release(self, released_course):
        assert nothing_leaks(released_course.assignment("a1"), released_course.release("a1")) > 30

    @pytest.mark.parametrize(
        "text", ["# dw = rows.T   @ dout", "x = 1; dw = rows.T @ dout  # (D, N) (N, M) -> (D, M)"]
    )
    def test_solution_line_in_a_module_is_found(self, released_course, text):
        secret = "dw = rows.T @ dout  # (D, N) (N, M) -> (D, M)"
        assert secret in (REPOSITORY / AFFINE).read_text(), "the example must be a line of the solution"
        path = released_course.release("a1") / "handgrad" / "solver.py"
        path.write_text(f"{path.read_text()}\n{secret if text.startswith('#') else text}\n")
        with pytest.raises(
            CourseError, match=r"handgrad/solver\.py has `dw = rows\.T @ dout .*\(handgrad/layers/affine"
        ):
            nothing_leaks(released_course.assignment("a1"), released_course.release("a1"))

    @pytest.mark.parametrize("place", ["source", "output", "metadata", "notebook metadata", "attachment"])
    def test_solution_line_anywhere_in_a_notebook_is_found(self, released_course, place):
        secret = 'cache = "b\\u00e4" # what ([{'

        def put_into_source(nb):
            mark = {
                "grade": False,
                "grade_id": "extra",
                "locked": False,
                "schema_version": 3,
                "solution": True,
            }
            nb.cells.append(
                new_code_cell(f"### BEGIN SOLUTION\n{secret}\n### END SOLUTION", metadata={"nbgrader": mark})
            )

        def put_into_release(nb):
            if place == "source":
                nb.cells.append(new_markdown_cell(f"see\n   {secret}"))
            elif place == "output":
                nb.cells.append(
                    new_code_cell("x", outputs=[nbformat.v4.new_output("stream", text=f"a\n{secret}\nb")])
                )
            elif place == "metadata":
                nb.cells[0].metadata["note"] = secret
            elif place == "notebook metadata":
                nb.metadata[secret] = 1
            else:
                nb.cells.append(new_markdown_cell("x", attachments={"a": {"text/plain": secret}}))

        edit(released_course.source / "a1" / f"{NOTEBOOK}.ipynb", put_into_source)
        a1 = released_course.assignment("a1")
        nothing_leaks(a1, released_course.release("a1"))
        edit(released_course.release("a1") / f"{NOTEBOOK}.ipynb", put_into_release)
        with pytest.raises(CourseError, match=rf"{NOTEBOOK}\.ipynb has `cache = "):
            nothing_leaks(a1, released_course.release("a1"))

    @pytest.mark.parametrize("kind", ["HIDDEN TESTS", "MARK SCHEME"])
    def test_hidden_tests_and_mark_schemes_are_secrets_too(self, released_course, kind):
        secret = "half a point for the sign alone"
        edit(
            released_course.source / "a1" / f"{NOTEBOOK}.ipynb",
            lambda nb: nb.cells.append(
                new_markdown_cell(f"open\n### BEGIN {kind}\n{secret}\n### END {kind}")
            ),
        )
        a1, folder = released_course.assignment("a1"), released_course.release("a1")
        nothing_leaks(a1, folder)
        (folder / "README.md").write_text(f"**{secret}**")
        with pytest.raises(CourseError, match=r"README\.md has `half a point"):
            nothing_leaks(a1, folder)

    def test_unmarked_solution_cell_is_a_secret_from_end_to_end(self, released_course):
        edit(
            released_course.source / "a1" / f"{NOTEBOOK}.ipynb",
            lambda nb: nb.cells.append(
                new_markdown_cell(
                    "Because of the slope.", metadata={"nbgrader": {"solution": True, "grade_id": "q"}}
                )
            ),
        )
        (released_course.release("a1") / "README.md").write_text("Because of the slope.")
        with pytest.raises(CourseError, match=r"README\.md has `Because of the slope\.`"):
            nothing_leaks(released_course.assignment("a1"), released_course.release("a1"))

    def test_marker_is_found(self, released_course):
        (released_course.release("a1") / "handgrad" / "optim.py").write_text("### END SOLUTION\n")
        with pytest.raises(CourseError, match=r"handgrad/optim\.py has the marker `END SOLUTION`"):
            nothing_leaks(released_course.assignment("a1"), released_course.release("a1"))

    def test_saved_weights_are_found(self, released_course):
        np.savez(released_course.release("a1") / "best_two_layer_net.npz", W1=np.ones(3))
        with pytest.raises(
            CourseError, match=r"The release holds best_two_layer_net\.npz, which students make"
        ):
            nothing_leaks(released_course.assignment("a1"), released_course.release("a1"))

    def test_points_of_the_untouched_release(self):
        assert proof.nothing_is_free(_report([("a", 0, 3), ("b", None, 2)])) == 0
        with pytest.raises(
            CourseError, match=r"untouched release earns points, and it must not: b \(0\.5\)\."
        ):
            proof.nothing_is_free(_report([("a", 0, 3), ("b", 0.5, 2)]))

    def test_points_of_the_solved_release(self):
        assert proof.everything_can_be_earned(_report([("a", 3, 3), ("b", 2, 2)])) == 5
        with pytest.raises(CourseError, match=r"earns 1\.5 of 2 points on b: b is off by 1\."):
            proof.everything_can_be_earned(_report([("a", 3, 3), ("b", 1.5, 2)]))

    def test_no_question_is_no_proof(self):
        for show in (proof.nothing_is_free, proof.everything_can_be_earned):
            with pytest.raises(CourseError, match="no graded cell"):
                show(_report([]))


def _report(points):
    questions = [
        Question(
            notebook=NOTEBOOK,
            grade_id=name,
            points=got,
            max_points=most,
            status="failed",
            comparisons=[Comparison(part="x", what="x", passed=False, message=f"{name} is off by 1.")],
        )
        for name, got, most in points
    ]
    hashes = dict.fromkeys(("key", "seed", "submission_hash", "release_hash", "checks_hash"), "0")
    return Report(assignment="a1", student="s", isolation="none", questions=questions, **hashes)


class TestRelease:
    def test_folder_zip_and_gradebook(self, course, tmp_path):
        result = release(course, "a1", prove=False)
        assert (result.exercises, result.auto_points, result.manual_points) == (13, 36, 4)
        with zipfile.ZipFile(result.zip) as file:
            assert file.namelist() == sorted(file.namelist())
            file.extractall(tmp_path / "unpacked")
        assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["a1"]
        assert tree_hash(tmp_path / "unpacked" / "a1") == release_hash(course.assignment("a1"))
        with Gradebook(course.gradebook_url) as gradebook:
            assert gradebook.find_assignment("a1").max_score == 40

        before = result.zip.read_bytes()
        release(course, "a1", prove=False)
        assert result.zip.read_bytes() == before

    def test_cell_without_a_check_is_for_a_person(self, course):
        def call_it_otherwise(nb):
            cell = next(c for c in nb.cells if c.id == "svm-loss")
            cell.metadata.nbgrader.grade_id = "hinge"

        edit(course.source / "a1" / f"{NOTEBOOK}.ipynb", call_it_otherwise)
        result = release(course, "a1", prove=False)
        assert (result.auto_points, result.manual_points, result.unchecked) == (32, 8, ["hinge"])

    def test_weights_left_by_a_trial_are_not_released(self, course):
        np.savez(course.source / "a1" / "best_two_layer_net.npz", W1=np.ones(3))
        assert not (release(course, "a1", prove=False).folder / "best_two_layer_net.npz").exists()

    def test_failure_leaves_the_former_release_and_the_gradebook(self, released_course):
        folder = released_course.release("a1")
        before = (
            release_hash(released_course.assignment("a1")),
            (released_course.root / "gradebook.db").read_bytes(),
        )

        def give_away(nb):
            answer = next(cell for cell in nb.cells if "BEGIN MARK SCHEME" in cell.source).source
            nb.cells[0].source = answer.split("BEGIN MARK SCHEME")[1].split("\n")[2]

        path = released_course.source / "a1" / f"{NOTEBOOK}.ipynb"
        edit(path, give_away)
        edit(path, lambda nb: nb.cells.append(new_markdown_cell("### BEGIN SOLUTION")))
        with pytest.raises(CourseError):
            release(released_course, "a1", prove=False)
        assert tree_hash(folder) == before[0]
        assert (released_course.root / "gradebook.db").read_bytes() == before[1]
        assert not list(released_course.private.glob("tmp*"))

    def test_change_after_submissions_needs_force(self, released_course):
        released_course.submitted("a1", "alice").mkdir(parents=True)
        release(released_course, "a1", prove=False)  # nothing changed
        edit(
            released_course.source / "a1" / f"{NOTEBOOK}.ipynb",
            lambda nb: nb.cells.append(new_markdown_cell("One more thing.")),
        )
        with pytest.raises(
            CourseError, match=r"1 of your students handed in a1, .* autograder release a1 --force"
        ):
            release(released_course, "a1", prove=False)
        release(released_course, "a1", prove=False, force=True)
        assert "One more thing." in (released_course.release("a1") / f"{NOTEBOOK}.ipynb").read_text()

    @pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own add_submission
    def test_cells_with_graded_submissions_cannot_change(self, released_course):
        with Gradebook(released_course.gradebook_url) as gradebook:
            gradebook.add_student("alice")
            gradebook.add_submission("a1", "alice")
        before = release_hash(released_course.assignment("a1"))
        path = released_course.source / "a1" / f"{NOTEBOOK}.ipynb"
        edit(
            path,
            lambda nb: nb.cells.remove(
                next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade"))
            ),
        )
        with pytest.raises(
            CourseError, match=r"Cannot add or remove cells for notebook '3_two_layer_net' because"
        ):
            release(released_course, "a1", prove=False, force=True)
        assert release_hash(released_course.assignment("a1")) == before

    @pytest.mark.slow
    def test_real_source_is_proved(self, course):
        result = release(course, "a1")
        assert result.proof is not None
        assert (result.proof.untouched_points, result.proof.solved_points, result.proof.max_points) == (
            0,
            36,
            36,
        )


class TestSolvedTree:
    @pytest.fixture
    def quick(self, course):
        """The course with a small notebook in the real one's place."""
        mark = {
            "grade": False,
            "grade_id": "work",
            "locked": False,
            "schema_version": 3,
            "solution": True,
            "task": False,
        }
        solution = (
            "### BEGIN SOLUTION\n"
            "import os, sys, uuid, numpy as np, handgrad\n"
            "from handgrad.layers import affine_forward\n"
            "affine_forward(np.ones((2, 3)), np.ones((3, 4)), np.ones(4))\n"
            "np.savez('best_two_layer_net.npz', W1=np.ones(3))\n"
            "fast = os.environ['HANDGRAD_FAST_NOTEBOOKS']\n"
            "print([sys.executable, handgrad.__file__, fast, uuid.uuid4().hex])\n"
            "### END SOLUTION"
        )
        cells = [
            new_code_cell("given = 1", id="given"),
            new_code_cell(solution, id="work", metadata={"nbgrader": mark}),
        ]
        path = course.source / "a1" / f"{NOTEBOOK}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return course

    def test_runs_in_this_python_with_the_students_package(self, quick, tmp_path, monkeypatch):
        wrong = tmp_path / "jupyter" / "kernels" / "python3"
        wrong.mkdir(parents=True)
        (wrong / "kernel.json").write_text(
            json.dumps({"argv": ["/bin/false"], "display_name": "", "language": ""})
        )
        monkeypatch.setenv("JUPYTER_PATH", str(wrong.parents[1]))
        monkeypatch.setenv("HANDGRAD_DATA", "/nowhere")
        a1 = quick.assignment("a1")
        solved_tree(a1, tmp_path / "solved")
        cell = nbformat.read(tmp_path / "solved" / f"{NOTEBOOK}.ipynb", as_version=4).cells[1]
        python, package, fast, token = json.loads(cell.outputs[0].text.replace("'", '"'))
        assert python == sys.executable
        assert package.endswith("/a1/handgrad/__init__.py")
        assert str(quick.private) in package
        assert fast == "1"
        assert "SOLUTION" not in cell.source
        assert (tmp_path / "solved" / "best_two_layer_net.npz").is_file()
        assert "out = rows @ w + b" in (tmp_path / "solved" / AFFINE).read_text()

        solved_tree(a1, tmp_path / "again")
        assert token in (tmp_path / "again" / f"{NOTEBOOK}.ipynb").read_text()  # kept, not run again
        assert tree_hash(tmp_path / "again") == tree_hash(tmp_path / "solved")

    def test_change_makes_it_run_again(self, quick, tmp_path):
        solved_tree(quick.assignment("a1"), tmp_path / "solved")
        edit(quick.source / "a1" / f"{NOTEBOOK}.ipynb", lambda nb: nb.cells[0].update(source="given = 2"))
        solved_tree(quick.assignment("a1"), tmp_path / "again")
        assert "given = 2" in (tmp_path / "again" / f"{NOTEBOOK}.ipynb").read_text()
        assert len(list((quick.private / "cache").iterdir())) == 1

    def test_failing_solution_is_told_with_its_cell(self, quick, tmp_path):
        edit(quick.source / "a1" / f"{NOTEBOOK}.ipynb", lambda nb: nb.cells[0].update(source="given = 1 / 0"))
        with pytest.raises(
            CourseError, match=r"cell 0 \(`given = 1 / 0`\) raised ZeroDivisionError: division by zero"
        ):
            solved_tree(quick.assignment("a1"), tmp_path / "solved")
        assert not (tmp_path / "solved").exists()
        assert not list((quick.private / "cache").iterdir())

    def test_notebook_that_does_not_save_its_weights(self, quick, tmp_path):
        path = quick.source / "a1" / f"{NOTEBOOK}.ipynb"
        edit(path, lambda nb: nb.cells[1].update(source=nb.cells[1].source.replace("best_two", "worst_two")))
        with pytest.raises(CourseError, match=r"did not save best_two_layer_net\.npz"):
            solved_tree(quick.assignment("a1"), tmp_path / "solved")
