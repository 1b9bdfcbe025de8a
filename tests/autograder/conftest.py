"""Courses that were released once, for tests that only read them: a1 with one notebook, and a tiny one."""

import shutil

import numpy as np
import pytest

from autograder.course import Course
from autograder.demo.show import course_of_one_notebook
from autograder.student_folder import build, solve_modules
from handgrad.classifiers import TwoLayerNet


@pytest.fixture(scope="session")
def _released_once(tmp_path_factory):
    course = course_of_one_notebook(tmp_path_factory.mktemp("released") / "course")
    build(course.assignment("a1"), course.release("a1"), record=course)
    return course


@pytest.fixture
def released_course(_released_once, tmp_path):
    """A fresh course with the source, the release and the gradebook of a1, and no submission."""
    return Course(shutil.copytree(_released_once.root, tmp_path / "course"))


@pytest.fixture
def assignment(needs_sandbox, released_course):
    """a1, released, on a machine that can grade it."""
    return released_course.assignment("a1")


@pytest.fixture
def submission(assignment, tmp_path):
    """A solved submission of a1; its saved model is guesswork."""
    folder = shutil.copytree(assignment.course.release("a1"), tmp_path / "submission")
    solve_modules(assignment, folder)
    np.random.seed(0)
    saved = folder / "best_two_layer_net.npz"
    TwoLayerNet(hidden_dim=5).save(saved, mean_image=np.zeros((3, 32, 32)), dataset=np.array("shapes10"))
    return folder


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory):
    """A released course with a notebook of seven cells; tests work on copies."""
    import tiny_course

    return tiny_course.make_course(tmp_path_factory.mktemp("tiny") / "course")
