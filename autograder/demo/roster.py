"""The demo's class: who hands in what, and what grading has to make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from autograder.report import Report

NOTEBOOK = "3_two_layer_net"
# What the submissions of the class change: the modules of 3_two_layer_net.
MODULES = [
    "handgrad/layers/affine.py",
    "handgrad/layers/activations.py",
    "handgrad/layers/losses.py",
    "handgrad/classifiers/fc_net.py",
]
EVERYTHING = "everything"


@dataclass(frozen=True)
class Pupil:
    """A submission of the demo and the verdict on it that is right."""

    name: str
    about: str
    patch: str | None = None  # a module of autograder/demo/submissions
    start: str = "solved"  # or "release": the untouched student folder
    packed: str = "folder"  # or "zip", or "nbgrader" for its layout
    lost: dict[str, float] | str = field(default_factory=dict)  # points by grade_id
    told: dict[str, str] = field(
        default_factory=dict
    )  # by grade_id, a pattern in the explanation of a misconception
    said: str = ""  # a pattern somewhere in the report
    unsaid: str = ""  # a pattern nowhere in it


CLASS = [
    Pupil("ada", "correct", packed="zip"),
    Pupil("ben", "correct, in loops", patch="loops"),
    Pupil("cleo", "the untouched release", start="release", packed="zip", lost=EVERYTHING),
    Pupil(
        "dan",
        "db is a mean",
        patch="bias_mean",
        lost={"affine_backward": 1},
        told={"affine_backward": "mean"},
    ),
    Pupil(
        "eve",
        "softmax gradient not divided by N",
        patch="softmax_sum",
        packed="nbgrader",
        lost={"softmax_loss": 2},
        told={"softmax_loss": "N|examples|batch"},
    ),
    Pupil(
        "fay",
        "SVM loss counts the true class",
        patch="svm_true_class",
        packed="zip",
        lost={"svm_loss": 2},
        told={"svm_loss": "true|correct|right"},
    ),
    Pupil(
        "gus",
        "regularisation without layer 2",
        patch="half_regularised",
        lost={"two_layer_net_loss": 1},
        told={"two_layer_net_loss": "W2|second"},
    ),
    Pupil(
        "hal",
        "ReLU's gradient masked by dout",
        patch="relu_mask",
        lost={"relu_backward": 2},
        told={"relu_backward": "dout"},
    ),
    Pupil(
        "x-endless",
        "a loop that never ends",
        patch="endless",
        packed="zip",
        lost={"relu_forward": 1, "relu_backward": 2},
    ),
    Pupil("x-crash", "dies at import", patch="import_crash", lost={"softmax_loss": 4, "svm_loss": 4}),
    Pupil("x-memory", "takes all memory", patch="hoarder", lost={"svm_loss": 4}),
    Pupil("x-forks", "a fork bomb", patch="fork_bomb", lost={"relu_backward": 2}),
    Pupil(
        "x-patches",
        "patches numpy.testing and numpy.allclose",
        patch="patched_numpy",
        packed="zip",
        lost={"affine_forward": 3, "affine_backward": 5},
    ),
    Pupil(
        "x-equal",
        "returns objects equal to everything",
        patch="equal_to_all",
        lost={"softmax_loss": 4, "svm_loss": 4},
    ),
    Pupil(
        "x-snoop",
        "reads the course and other submissions",
        patch="snoop",
        packed="nbgrader",
        lost={"relu_forward": 1, "relu_backward": 2},
        said=r"read \[\] and wrote to \[\]",
    ),
    Pupil("x-calls", "opens a network connection", patch="caller", lost={"svm_loss": 4}, unsaid="connected"),
    Pupil("x-notebook", "the notebook is not JSON", said="not JSON"),
]


def differences(pupil: Pupil, report: Report) -> list[str]:
    """What is not as expected in a report, in words; nothing when all is."""
    found = []
    text = report.model_dump_json()
    for q in report.questions:
        if q.kind == "manual":
            continue
        lost = q.max_points if pupil.lost == EVERYTHING else pupil.lost.get(q.grade_id, 0.0)
        if q.points is None or abs(q.max_points - lost - q.points) > 1e-9:
            found.append(f"{q.grade_id}: {q.points} instead of {q.max_points - lost:g} points")
        if pattern := pupil.told.get(q.grade_id):
            if q.misconception is None:
                found.append(f"{q.grade_id}: the mistake was not recognised")
            elif not re.search(pattern, q.explanation):
                found.append(f"{q.grade_id}: the explanation {q.explanation!r} does not mention {pattern}")
    if pupil.said and not re.search(pupil.said, text):
        found.append(f"the report does not say {pupil.said!r}")
    if pupil.unsaid and re.search(pupil.unsaid, text):
        found.append(f"the report says {pupil.unsaid!r}")
    return found
