"""Whole submissions with one bug, in the sandbox: it costs the points of its own cell, and of no other."""

import shutil

import pytest

from autograder import grading
from autograder.course import REPOSITORY, Course
from autograder.misconceptions import registered
from autograder.solved import _solve_notebook
from autograder.student_folder import build, solve_modules

SEED = "b0b"


@pytest.fixture(scope="module")
def solved(needs_sandbox, tmp_path_factory):
    """Solved submissions by assignment, without saved weights; and the assignments."""
    root = tmp_path_factory.mktemp("bugs")
    shutil.copytree(
        REPOSITORY / "assignments", root / "course", ignore=shutil.ignore_patterns("release", ".*", "*.npz")
    )
    made = {}

    def solve(name):
        if name not in made:
            assignment = Course.find(root / "course").assignment(name)
            build(assignment, assignment.course.release(name))
            tree = shutil.copytree(assignment.course.release(name), root / name)
            solve_modules(assignment, tree)
            for notebook in assignment.notebooks:
                _solve_notebook(assignment, notebook, tree)
            made[name] = assignment, tree
        return made[name]

    return solve


def lost(solved, tmp_path, name, edits):
    """The cells that lose points when the solved submission is edited: file -> (old, new)."""
    assignment, tree = solved(name)
    tree = shutil.copytree(tree, tmp_path / "submission")
    for file, (old, new) in edits.items():
        path = tree / "handgrad" / file
        source = path.read_text(encoding="utf-8")
        assert source.count(old) == 1, f"{file} has {source.count(old)} times {old!r}"
        path.write_text(source.replace(old, new), encoding="utf-8")
    report = grading.grade_submission(tree, assignment, "ada", SEED)
    saved = {check.grade_id for check in grading.checks_of(assignment).values() if check.saved}
    return {
        question.grade_id: question
        for question in report.questions
        if question.kind == "auto"
        and question.points != question.max_points
        and question.grade_id not in saved
    }


@pytest.mark.parametrize("name", ["a1", "a2", "a3"])
def test_the_solution_loses_nothing(solved, tmp_path, name):
    assert lost(solved, tmp_path, name, {}) == {}


NORM, FC = "layers/norm.py", "classifiers/fc_net.py"
BUGS = {
    "affine, bias subtracted": ("a1", "layers/affine.py", "+ b", "- b", {"affine_forward"}),
    "relu backward, the wrong half": (
        "a1", "layers/activations.py", "dx = dout * (x > 0)", "dx = dout * (x < 0)", {"relu_backward"},
    ),
    "softmax loss summed": (
        "a1", "layers/losses.py", "-log_probs[examples, y].mean()", "-log_probs[examples, y].sum()",
        {"softmax_loss"},
    ),
    "l2 of W1 missing in the gradient": (
        "a1", FC, 'grads["W1"] += self.reg * W1', "pass", {"two_layer_net_loss"},
    ),
    "linear svm, half of the l2 term": (
        "a1", "classifiers/linear_classifier.py",
        "= svm_loss(X_batch @ self.W, y_batch)\n",
        "= svm_loss(X_batch @ self.W, y_batch)\n        loss -= 0.5 * reg * np.sum(self.W**2)\n",
        {"linear_svm_loss"},
    ),
    "running variance weighted the wrong way round": (
        "a2", NORM, "(momentum * running_var + (1 - momentum) * var)",
        "((1 - momentum) * running_var + momentum * var)", {"batchnorm_test_mode"},
    ),
    "batch norm, variance taken as constant": (
        "a2", NORM, "dcentred += dvar * 2 * centred / N", "dcentred += 0 * dvar", {"batchnorm_backward"},
    ),
    "batch norm, the other formula wrong": (
        "a2", NORM, "dx = gamma * inv_std * (dout - dbeta / N - normalized * (dgamma / N))",
        "dx = gamma * inv_std * (dout - normalized * (dgamma / N))", {"batchnorm_backward_alt"},
    ),
    "layer norm, wrong axis in one term": (
        "a2", NORM, "shared = dnormalized.mean(axis=1, keepdims=True)",
        "shared = dnormalized.mean(axis=0, keepdims=True)", {"layernorm_backward"},
    ),
    "dropout not divided by p": (
        "a2", "layers/dropout.py", "mask = np.asarray(kept, dtype=x.dtype) / p",
        "mask = np.asarray(kept, dtype=x.dtype)", {"dropout_forward"},
    ),
    "l2 skips the last layer": (
        "a2", FC, "for i in range(1, L + 1):", "for i in range(1, L):", {"fc_net_loss", "fc_net_gradients"},
    ),
    "group norm, dgamma without the outputs' gradient": (
        "a2", NORM, "dgamma = (dout * normalized).sum(axis=(0, 2, 3), keepdims=True)",
        "dgamma = normalized.sum(axis=(0, 2, 3), keepdims=True)", {"group_norm_backward"},
    ),
    "pooling, overlaps assigned": (
        "a2", "layers/pool.py", "left + column] += dout", "left + column] = dout", {"max_pool_backward"},
    ),
    "convolution, stride ignored on the way back": (
        "a2", "layers/conv.py", "dout_here = dout[:, :, i, j]  # (N, F)\n",
        "dout_here = dout[:, :, i, j]\n            top, left = i, j\n", {"conv_backward"},
    ),
    "adam without correction": (
        "a2", "optim.py", "m_unbiased = m / (1 - beta1**t)", "m_unbiased = m", {"optim_adam"},
    ),
    "linear module, mean of the bias gradients": (
        "a3", "modules/linear.py", "self.bias.grad = dout.sum(axis=0)", "self.bias.grad = dout.mean(axis=0)",
        {"linear_backward"},
    ),
    "sequential backward in the order of forward": (
        "a3", "modules/sequential.py", "reversed(self.modules)", "self.modules", {"sequential_backward"},
    ),
    "weight decay subtracted": (
        "a3", "modules/optim.py", "direction + self.weight_decay", "direction - self.weight_decay",
        {"sgd_step"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "file", "old", "new", "cells"), BUGS.values(), ids=BUGS)
def test_a_bug_costs_its_own_cell(solved, tmp_path, name, file, old, new, cells):
    questions = lost(solved, tmp_path, name, {file: (old, new)})
    assert set(questions) == cells
    for question in questions.values():
        assert question.explanation
        assert question.misconception is None or question.misconception in registered()
