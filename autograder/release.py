"""`autograder release`: build the student's folder and zip, prove them, and only then put them in place."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from autograder import durable, proof
from autograder.checks import checks_of
from autograder.course import Assignment, Course, CourseError
from autograder.proof import Proof
from autograder.solved import solved_tree
from autograder.student_folder import build, released_files, student_tree, tree_hash

PLACEHOLDER = "student-id"
__all__ = ["ReleaseResult", "release", "release_hash", "solved_tree", "student_tree"]


@dataclass(frozen=True)
class ReleaseResult:
    """What `release` made."""

    folder: Path
    zip: Path
    exercises: int
    auto_points: float
    manual_points: float
    unchecked: list[str]  # automatic cells that have no check: their points are manual
    proof: Proof | None
    seconds: float


def release(
    course: Course, name: str, *, prove: bool = True, force: bool = False, isolation: str = "bubblewrap"
) -> ReleaseResult:
    """Write release/<name>/ and release/<name>.zip, and record the assignment in the gradebook.

    Everything is built and proved in the course's private folder first. When anything fails, the former
    release and the gradebook stay as they were.

    Args:
        course: the course.
        name: the assignment.
        prove: grade the untouched and the solved release too. Without it only the search for leaks is made.
        force: change a release although students have handed in work on the former one.
        isolation: how the proof runs the package, "bubblewrap" or "none".
    Raises:
        CourseError: says what is wrong with the source, or why the former release cannot be replaced.
    """
    start = time.monotonic()
    assignment = course.assignment(name)
    durable.sweep(course.private)
    with durable.scratch(course.private) as scratch:
        draft = _draft(course, assignment, scratch)
        folder = draft.course.release(name)
        build(draft, folder)
        _refuse_a_silent_change(course, name, folder, force)
        secrets = proof.nothing_leaks(draft, folder)
        shown = _grade_both(draft, assignment, scratch, secrets, isolation) if prove else None
        archive = _zip(folder, scratch / f"{name}.zip")
        build(draft, scratch / "recorded", record=course)
        durable.sync_tree(folder)
        durable.put_in_place(folder, course.release(name))
        target = course.release(name).with_name(f"{name}.zip")
        os.replace(archive, target)
    cells = assignment.grade_cells
    checks = checks_of(assignment)
    auto_points = sum(cell.points for cell in checks)
    return ReleaseResult(
        folder=course.release(name),
        zip=target,
        exercises=len(cells),
        auto_points=auto_points,
        manual_points=sum(cell.points for cell in cells) - auto_points,
        unchecked=[cell.grade_id for cell in cells if cell.kind == "auto" and cell not in checks],
        proof=shown,
        seconds=time.monotonic() - start,
    )


def release_hash(assignment: Assignment) -> str:
    """SHA-256 of everything in the released folder.

    Raises:
        CourseError: the assignment has not been released.
    """
    return tree_hash(released_folder(assignment))


def released_folder(assignment: Assignment) -> Path:
    """The folder that students got. Raises CourseError when there is none, or only a part of one."""
    folder = assignment.course.release(assignment.name)
    needed = [f"{name}.ipynb" for name in assignment.notebooks] + assignment.manifest.editable
    if absent := [path for path in needed if not (folder / path).is_file()]:
        raise CourseError(
            f"{assignment.name} is not released: {folder} has no {absent[0]}. Run `autograder release "
            f"{assignment.name}` first."
        )
    return folder


def _draft(course: Course, assignment: Assignment, scratch: Path) -> Assignment:
    """The assignment in a course of its own, with nothing in it but the source and the settings."""
    made = shutil.ignore_patterns(*assignment.saved)  # by notebooks that somebody tried out in place
    shutil.copytree(course.source, scratch / "course" / "source", ignore=made)
    shutil.copy(course.root / "nbgrader_config.py", scratch / "course")
    return Assignment(Course(scratch / "course"), assignment.name)


def _refuse_a_silent_change(course: Course, name: str, folder: Path, force: bool) -> None:
    """Students' work is graded on the release they got; a new one needs the instructor's word."""
    former = course.release(name)
    if force or not former.is_dir() or tree_hash(former) == tree_hash(folder):
        return
    students = {path.parent.name for path in (course.root / "submitted").glob(f"*/{name}")}
    if students:
        raise CourseError(
            f"{len(students)} of your students handed in {name}, and this release differs from the former "
            f"one. What they earned stands until you run `autograder regrade {name}`; what comes from now on "
            f"is graded on the new one. If that is what you want: autograder release {name} --force"
        )


def _grade_both(
    draft: Assignment, assignment: Assignment, scratch: Path, secrets: int, isolation: str
) -> Proof:
    from autograder.grading import grade_submission

    seed = draft.course.seed(draft.name)
    untouched = grade_submission(
        draft.course.release(draft.name), draft, "untouched", seed, isolation=isolation
    )
    untouched_points = proof.nothing_is_free(untouched)
    solved_tree(assignment, scratch / "solved")
    # Numbers that are drawn for each student are those of the placeholder in the source.
    solved = grade_submission(scratch / "solved", draft, PLACEHOLDER, seed, isolation=isolation)
    solved_points = proof.everything_can_be_earned(solved)
    return Proof(secrets, untouched_points, solved_points, solved.max_auto_points)


def _zip(folder: Path, archive: Path) -> Path:
    """A zip that unpacks to one folder; the same files always give the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in released_files(folder):
            member = zipfile.ZipInfo(
                f"{folder.name}/{path.relative_to(folder).as_posix()}", (1980, 1, 1, 0, 0, 0)
            )
            member.external_attr = 0o100644 << 16
            member.create_system = 3
            file.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive
