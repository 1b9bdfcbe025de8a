"""Courses that were released once, for tests that only read them: a1 with one notebook, and a tiny one."""

import shutil

import pytest

from autograder.course import Course
from autograder.demo.show import course_of_one_notebook
from autograder.student_folder import build


@pytest.fixture(scope="session")
def _released_once(tmp_path_factory):
    course = course_of_one_notebook(tmp_path_factory.mktemp("released") / "course")
    build(course.assignment("a1"), course.release("a1"), record=course)
    return course


@pytest.fixture
def released_course(_released_once, tmp_path):
    """A fresh course with the source, the release and the gradebook of a1, and no submission."""
    return Course(shutil.copytree(_released_once.root, tmp_path / "course"))


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory):
    """A released course with a notebook of seven cells; tests work on copies."""
    import tiny_course

    return tiny_course.make_course(tmp_path_factory.mktemp("tiny") / "course")
