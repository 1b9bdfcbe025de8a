"""The checks are proved: right solutions pass, wrong ones fail and are named; and the proof can fail."""

import numpy as np
import pytest
from typer.testing import CliRunner

from autograder import misconceptions, mutants, prove, variants
from autograder.cli import app
from autograder.course import REPOSITORY, Assignment, Course
from handgrad.layers import relu_backward, relu_forward

RELU = "handgrad.layers.activations.relu_forward"
SEEDS = 1  # `autograder prove --seeds 50` by hand
GROUPS = prove.groups()
NAMES = [f"{group[0].notebook} {group[0].function}" for group in GROUPS]


@pytest.fixture(scope="module")
def proofs():
    return dict(zip(NAMES, prove.prove(seeds=SEEDS), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_right_solutions_pass_and_wrong_ones_fail_and_are_named(proofs, name):
    assert prove.troubles([proofs[name]]) == {}


def test_every_automatic_grade_cell_has_a_check():
    course = Course(REPOSITORY / "assignments")
    cells = {
        (f"{name}/{cell.notebook}", cell.grade_id)
        for name in ("a1", "a2", "a3")
        for cell in Assignment(course, name).grade_cells
        if cell.kind == "auto"
    }
    assert cells == set(prove.registered())


def test_each_assignment_has_right_solutions_in_many_styles():
    for assignment in ("a1", "a2", "a3"):
        checks = [check for group in prove.groups(assignment) for check in group]
        functions = {function for check in checks for function in (check.function, *check.uses)}
        assert len(variants.of_functions(functions)) >= 12


@pytest.fixture(scope="module")
def survivors():
    return list(mutants.survivors(seeds=SEEDS))


def test_machine_made_mistakes_are_caught_or_known_to_be_none(survivors):
    assert mutants.unexplained(survivors) == []
    assert sum(count for _, count, _ in survivors) >= 300


def test_the_list_of_equivalent_mutants_has_no_other_entries(survivors):
    found = {function: set(labels) for function, _, labels in survivors}
    listed = {function: set(labels) for function, labels in mutants.equivalent().items()}
    assert {
        f: labels - found.get(f, set()) for f, labels in listed.items() if labels - found.get(f, set())
    } == {}


class TestTheProofCanFail:
    """On the ReLU's forward pass, with something planted."""

    @pytest.fixture(autouse=True)
    def _restored(self, monkeypatch):
        monkeypatch.setattr(variants, "_registry", dict(variants.registered()))
        monkeypatch.setattr(misconceptions, "_registry", dict(misconceptions.registered()))
        from autograder.misconceptions import explain

        explain.known_outcomes.cache_clear()
        yield
        explain.known_outcomes.cache_clear()

    def proof(self):
        (keys,) = [[(c.notebook, c.grade_id) for c in group] for group in GROUPS if group[0].function == RELU]
        return prove._prove(keys, "0")

    def plant(self, id, wrong):
        misconceptions.misconception(id, function=RELU, explanation="It.", advice="Think.")(wrong)

    def test_a_right_solution_that_loses_points(self):
        variants.variant("planted", RELU)(lambda x: (np.abs(x), x))
        assert "planted, seed 0: out for 2 axes" in prove.troubles([self.proof()])["False alarms"][0]

    def test_a_misconception_that_is_right(self):
        self.plant("planted", relu_forward)
        assert prove.troubles([self.proof()])["Survivors"] == ["planted 1, seed 0"]
        assert not prove.holds([self.proof()])

    def test_two_misconceptions_with_the_same_numbers(self):
        self.plant("planted", lambda x: (np.abs(x), x))
        self.plant("planted_again", lambda x: (np.abs(x), x))
        assert any(line.startswith("planted_again") for line in prove.troubles([self.proof()])["Not named"])

    def test_a_mutant_that_is_right_is_a_survivor(self):
        assert not mutants._caught(RELU, relu_forward, 1)
        assert mutants._caught(RELU, lambda x: (x, x), 1)

    def test_a_mutant_that_loops_for_ever_is_caught(self, monkeypatch):
        monkeypatch.setattr(mutants, "SECONDS", 1)

        def wrong(x):
            while True:
                pass

        assert mutants._caught(RELU, wrong, 1)


def test_mutants_are_small_changes_of_the_solution():
    made = mutants.mutants("handgrad.layers.activations.relu_backward")
    assert "dx = dout * (x > 0) -> dx = dout / (x > 0)" in made
    x, dout = np.array([-1.0, 2.0]), np.array([3.0, 4.0])
    wrong = made["dx = dout * (x > 0) -> dx = dout * (x < 0)"]
    np.testing.assert_array_equal(wrong(dout, x), [3.0, 0.0])
    np.testing.assert_array_equal(relu_backward(dout, x), [0.0, 4.0])


def test_the_command_prints_the_table_and_refuses_unknown_notebooks():
    result = CliRunner().invoke(app, ["prove", "a1/3", "--seeds", "1"])
    assert result.exit_code == 0, result.output
    assert "a1/3 affine_backward" in result.output
    assert CliRunner().invoke(app, ["prove", "a9"]).exit_code == 1
