"""Misconceptions are recognised by their numbers, and are well worded."""

import re

import numpy as np
import pytest

from autograder.checks import LocalStudent, find, registered
from autograder.checks.running import run_check
from autograder.misconceptions import misconception
from autograder.misconceptions import registered as misconceptions
from autograder.misconceptions.explain import recognise
from handgrad.layers import affine_backward

AFFINE_BACKWARD = "handgrad.layers.affine.affine_backward"


def test_there_are_many_and_each_has_a_version():
    """That each loses points and is named is in test_prove.py."""
    known = misconceptions()
    assert len(known) >= 80
    assert all(one.versions for one in known.values())


def test_there_is_something_to_say_about_every_function_to_write():
    """Cells of a notebook that hold numbers are no functions: nothing is recognised in those."""
    functions = {
        function
        for c in registered().values()
        for function in c.functions
        if function.startswith("handgrad.")
    }
    counts = {
        function: sum(m.function == function for m in misconceptions().values()) for function in functions
    }
    assert min(counts.values()) >= 5
    assert sum(counts.values()) >= 25


def test_words_are_sentences_and_no_solutions():
    for known in misconceptions().values():
        for text in (known.explanation, known.advice):
            assert re.fullmatch(r"[A-Za-z0(].*[.?]", text), text
            assert len(text) < 250
        assert "reshape(" not in known.advice
        assert "np.sum(" not in known.advice


def test_two_mistakes_in_two_parts_are_told_one_at_a_time():
    def wrong(dout, cache):
        dx, dw, db = affine_backward(dout, cache)
        return dx.reshape(len(dx), -1), dw, db / len(dout)

    check = find("a1/3_two_layer_net", "affine_backward")
    found = run_check(check, LocalStudent({AFFINE_BACKWARD: wrong}), "seed")
    assert found.failed_parts == ["dx", "db"]
    assert recognise(check, found, "seed").id in ("affine_db_mean", "affine_dx_not_reshaped")


@pytest.mark.parametrize("factor", [1.01, 3.0, -0.3])
def test_a_mistake_of_nobodys_is_not_named(factor):
    def wrong(dout, cache):
        dx, dw, db = affine_backward(dout, cache)
        return dx, dw + factor * np.roll(dw, 1, axis=0), db

    check = find("a1/3_two_layer_net", "affine_backward")
    found = run_check(check, LocalStudent({AFFINE_BACKWARD: wrong}), "seed")
    assert found.failed_parts == ["dw"]
    assert recognise(check, found, "seed") is None


def test_a_misconception_in_float32_is_named():
    def wrong(dout, cache):
        dx, dw, db = affine_backward(dout.astype(np.float32), tuple(c.astype(np.float32) for c in cache))
        return dx, dw, db / len(dout)

    check = find("a1/3_two_layer_net", "affine_backward")
    found = run_check(check, LocalStudent({AFFINE_BACKWARD: wrong}), "seed")
    assert recognise(check, found, "seed").id == "affine_db_mean"


def test_names_are_unique():
    with pytest.raises(ValueError, match="two misconceptions"):
        misconception("affine_db_mean", function="f", explanation="", advice="")
