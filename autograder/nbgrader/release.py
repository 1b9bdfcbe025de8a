"""What `nbgrader generate_assignment` adds to the notebooks: the rest of the student's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from autograder.course import Course
from autograder.student_folder import student_tree


def add_student_tree(assignment: str, **_: object) -> None:
    """nbgrader's post_convert_hook: write modules, data scripts and read-me beside the released notebooks.

    Raises:
        SystemExit: that failed, and the release was taken away. nbgrader swallows any other exception
            of a hook, and would leave a folder that looks complete.
    """
    course = Course(Path.cwd())  # nbgrader works in the course folder
    try:
        student_tree(course.assignment(assignment), course.release(assignment))
    except Exception as error:
        shutil.rmtree(course.release(assignment), ignore_errors=True)
        raise SystemExit(f"The release of {assignment} was not written: {error}") from error
