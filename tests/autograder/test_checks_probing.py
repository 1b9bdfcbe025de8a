"""What an explanation says besides the numbers: arguments that are not used, or changed, and cases."""

import numpy as np
import pytest

from autograder.checks import Expect, LocalStudent, find
from autograder.checks.probing import ignored_arguments
from autograder.checks.running import run_check

AFFINE = "handgrad.layers.affine.affine_forward"
BATCHNORM = "handgrad.layers.norm.batchnorm_forward"


def ignored(function, wrong, call):
    student = LocalStudent({function: wrong})
    call(student)
    return ignored_arguments(function, student)


def affine(student):
    rng = np.random.default_rng(0)
    student.layers.affine_forward(rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), rng.normal(size=2))


def batchnorm(student):
    rng = np.random.default_rng(0)
    param = {"mode": "train", "eps": 0.1, "momentum": 0.8}
    student.layers.batchnorm_forward(rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=3), param)


def test_an_argument_that_is_not_used():
    assert ignored(AFFINE, lambda x, w, b: (x @ w, None), affine) == ["b"]
    assert ignored(AFFINE, lambda x, w, b: (np.ones((len(x), len(b))), None), affine) == ["x", "w", "b"]
    assert ignored(AFFINE, lambda x, w, b: (2 * x @ w - b, None), affine) == []


def test_a_setting_that_is_not_used():
    def wrong(x, gamma, beta, bn_param):
        return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5) + beta, None

    # momentum changes the running averages alone, not what is returned, in the reference either
    assert ignored(BATCHNORM, wrong, batchnorm) == ['bn_param["eps"]']


@pytest.mark.parametrize(
    "wrong", [lambda x, w, b: None, lambda x, w, b: 1 / 0, lambda *args: (np.random.rand(), None)]
)
def test_nothing_is_claimed_about_failures_and_chance(wrong):
    student = LocalStudent({AFFINE: wrong})
    run_check(find("a1/3_two_layer_net", "affine_forward"), student, "seed")
    assert ignored_arguments(AFFINE, student) == []


def test_methods_cells_and_functions_that_were_not_called_are_not_looked_at():
    student = LocalStudent()
    for function in (AFFINE, "handgrad.classifiers.fc_net.TwoLayerNet.loss", "torch_fc_code"):
        assert ignored_arguments(function, student) == []


class TestPattern:
    def compared(self, outcomes):
        expect = Expect({"out": 1})
        for traits, passed in outcomes:
            with expect.case(*traits):
                expect.true("out", passed, "out", "wrong")
        return expect.pattern()

    def test_wrong_only_in_a_case(self):
        outcomes = [(["in test mode"], False), ([], True), (["in test mode", "for rows"], False)]
        assert self.compared(outcomes) == "out is wrong only in test mode."

    def test_right_only_in_a_case(self):
        outcomes = [(["for square images"], True), ([], False), (["with padding"], False)]
        assert self.compared(outcomes) == "out is right only for square images."

    @pytest.mark.parametrize(
        "outcomes",
        [
            [([], False), ([], True)],
            [(["a"], False), (["b"], False)],
            [(["a"], True), (["b"], True)],
            [(["a"], False), (["a"], True), ([], True)],
        ],
    )
    def test_no_simple_pattern(self, outcomes):
        assert self.compared(outcomes) == ""
