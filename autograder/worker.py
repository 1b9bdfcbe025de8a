"""What a Dask worker does: grade one submission, which it gets as bytes, so that it may be another machine.

A worker needs the clone of handgrad that the main process has, and bubblewrap; no shared file system. The key
of the report, which covers the checks, shows whether the versions agree.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from functools import lru_cache
from pathlib import Path

from . import temporary
from .course import Assignment, Course, CourseError
from .report import Question

MOST_BYTES = 256 << 20
MOST_FILES = 10_000


def pack(folder: Path, *parts: str) -> bytes:
    """A tar of the regular files below `folder`, or below these parts of it.

    Raises:
        CourseError: there is too much to send to a worker.
    """
    out, size, count = io.BytesIO(), 0, 0
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for part in parts or (".",):
            for path in sorted((folder / part).rglob("*")) if (folder / part).is_dir() else [folder / part]:
                if path.is_symlink() or not path.is_file():
                    continue
                size, count = size + path.stat().st_size, count + 1
                if size > MOST_BYTES or count > MOST_FILES:
                    raise CourseError(
                        f"{folder} holds more than {MOST_FILES} files or {MOST_BYTES >> 20} MiB: "
                        "too much to grade."
                    )
                tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
    return out.getvalue()


def unpack(parcel: bytes, folder: Path) -> None:
    """Write what `pack` took to `folder`."""
    with tarfile.open(fileobj=io.BytesIO(parcel), mode="r:gz") as tar:
        tar.extractall(folder, filter="data")


def pack_assignment(assignment: Assignment) -> bytes:
    """What grading needs of the course: configuration, sources, and the release."""
    return pack(assignment.course.root, "nbgrader_config.py", "source", f"release/{assignment.name}")


def pack_submission(assignment: Assignment, student: str) -> bytes:
    """What a student handed in, and what was noted when it came."""
    course = assignment.course
    notes = course.received(assignment.name, student) / "notes.json"
    parts = [
        path.relative_to(course.root).as_posix()
        for path in (course.submitted(assignment.name, student), notes)
    ]
    return pack(course.root, *parts)


@lru_cache(maxsize=1)
def _assignment(parcel: bytes, name: str) -> tuple[Assignment, temporary.Folder]:
    temporary.sweep()  # the worker whose place this one took may have been killed
    folder = temporary.Folder()
    unpack(parcel, folder.path)
    return Course.find(folder.path).assignment(name), folder  # the folder lives as long as the cache


def grade_parcel(course: bytes, name: str, submission: bytes, student: str, seed: str, isolation: str) -> str:
    """Grade a packed submission and return its report as JSON."""
    from .grading import grade_submission

    assignment, _ = _assignment(course, name)
    here = assignment.course
    try:
        unpack(submission, here.root)
        folder = here.submitted(name, student)
        report = grade_submission(folder, assignment, student, seed, isolation)
        if any(_lost(question) for question in report.questions):
            report = grade_submission(folder, assignment, student, seed, isolation)
        return report.model_dump_json()
    finally:
        shutil.rmtree(here.submitted(name, student).parent, ignore_errors=True)
        shutil.rmtree(here.received(name, student), ignore_errors=True)


def _lost(question: Question) -> bool:
    """Whether the sandbox may have been killed from outside, as a machine short of memory does.

    That must not cost points, so the submission is graded again: code that dies by itself does so again.
    """
    signs = ("ended by SIGKILL", "ended without an answer")
    return question.status == "crash" and any(sign in question.explanation for sign in signs)
