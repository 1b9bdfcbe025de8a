"""The main job on a small class: release, hand in, grade, feedback, class report."""

from __future__ import annotations

import shutil
import time
import zipfile
from pathlib import Path

from rich.console import Console

from autograder.class_report import write_class_report
from autograder.class_table import class_table
from autograder.course import REPOSITORY, Assignment, Course
from autograder.feedback import write_feedback
from autograder.release import release, solved_tree
from autograder.run import grade_class
from autograder.sandbox import check_available

from .listener import Listener
from .patching import apply
from .roster import CLASS, MODULES, NOTEBOOK, Pupil, differences

NAME = "a1"


def run(build: Path, console: Console) -> int:
    """Build everything below `build`, show the class, and return 0 when each verdict is as it should be."""
    check_available()
    started = time.perf_counter()

    def step(text: str) -> None:
        console.print(f"[dim]{time.perf_counter() - started:5.1f} s[/]  {text}", highlight=False)

    course = _new_course(build / "course")
    assignment = course.assignment(NAME)
    step("Releasing a1, once the untouched folder scored 0 and the solved one everything")
    release(course, NAME)
    with Listener() as listener:
        step(f"{len(CLASS)} students hand in; {sum(p.name[:2] == 'x-' for p in CLASS)} are hostile or broken")
        inbox = _hand_in(assignment, build / "inbox", listener.port)
        step("Grading, each submission in its sandbox")
        result = grade_class(course, NAME, inbox, console=console)
        calls = listener.connections
    step("Feedback and class report")
    pages = {page.parent.parent.name: page for page in write_feedback(assignment)}
    report_page = write_class_report(assignment)
    step("Done")

    verdicts = {}
    reports = {report.student: report for report in result.reports}
    for pupil in CLASS:
        wrong = differences(pupil, reports[pupil.name]) if pupil.name in reports else ["there is no report"]
        if pupil.patch == "caller" and calls:
            wrong.append(f"{calls} connections reached this machine")
        if pupil.patch == "snoop":
            wrong += [f"left {mark}" for mark in [*build.rglob("snoop-was-here"), *_marks_elsewhere()]]
        verdicts[pupil.name] = f"{pupil.about}: " + ("as expected" if not wrong else "; ".join(wrong))
    console.print(class_table(result.reports, verdicts, heading="what it is"))
    for student, why in result.failures.items():
        console.print(f"{student}: {why}", style="red", markup=False)
    links = {
        "gradebook": course.root / "gradebook.db",
        "feedback page": pages["dan"],
        "class report": report_page,
    }
    for what, path in links.items():
        console.print(f"{what:14} {path}", markup=False, highlight=False, soft_wrap=True)
    surprises = sum(not text.endswith("as expected") for text in verdicts.values()) + len(result.failures)
    console.print(
        "[bold green]All as expected." if not surprises else f"[bold red]{surprises} not as expected."
    )
    return 1 if surprises else 0


def _marks_elsewhere() -> list[Path]:
    folders = [REPOSITORY, Path("/etc"), Path("/var/tmp")]
    return [mark for folder in folders if (mark := folder / "snoop-was-here").exists()]


def _new_course(root: Path) -> Course:
    """A course with one notebook of this repository, and of a former demo the solved notebook alone."""
    kept = root / ".handgrad" / "cache"
    for path in [*root.parent.glob("inbox"), *(root.iterdir() if root.is_dir() else ())]:
        if path != kept.parent:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for seed in kept.parent.glob("seed-*"):
        seed.unlink()
    return course_of_one_notebook(root)


def course_of_one_notebook(root: Path) -> Course:
    """A course, not released yet, whose assignment a1 is this repository's 3_two_layer_net alone."""
    ours = REPOSITORY / "assignments"
    for file in ("nbgrader_config.py", f"source/{NAME}/manifest.toml", f"source/{NAME}/{NOTEBOOK}.ipynb"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ours / file, root / file)
    return Course.find(root)


def _hand_in(assignment: Assignment, inbox: Path, port: int) -> Path:
    """Make everybody's submission."""
    texts = {"@COURSE@": str(assignment.course.root), "@REPOSITORY@": str(REPOSITORY), "@PORT@": str(port)}
    solved = inbox.parent / "solved"
    shutil.rmtree(solved, ignore_errors=True)
    solved_tree(assignment, solved)
    for pupil in CLASS:
        tree = inbox / pupil.name / NAME if pupil.packed == "nbgrader" else inbox / pupil.name
        shutil.copytree(solved if pupil.start == "solved" else assignment.course.release(NAME), tree)
        if pupil.patch:
            patch = Path(__file__).parent / "submissions" / f"{pupil.patch}.py"
            apply(patch.read_text(encoding="utf-8"), tree, MODULES, texts)
        if pupil.name == "x-notebook":
            for name in assignment.notebooks:
                (tree / f"{name}.ipynb").write_text("Traceback (most recent call last): I am no notebook")
        if pupil.packed == "zip":
            _zip(pupil, tree)
    return inbox


def _zip(pupil: Pupil, tree: Path) -> None:
    """<student>.zip with everything in one folder, as file managers make them."""
    with zipfile.ZipFile(tree.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                archive.write(path, f"{NAME}/{path.relative_to(tree).as_posix()}")
    shutil.rmtree(tree)
