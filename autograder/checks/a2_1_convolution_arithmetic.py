"""Hidden checks of a2/1_convolution_arithmetic: the numbers that each student's id asks for.

Notable:
- The numbers are drawn here from the id under which the work was handed in, whatever id the notebook names.
- Of the notebook only the cell with the answers runs, in the sandbox: answers may be numbers or formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from handgrad.variants import variant

from . import for_notebook

check = for_notebook("a2/1_convolution_arithmetic")


def _answers_1(n: dict[str, int]) -> dict[str, int]:
    """Output shape and parameters of a convolution; two convolutions in a row as one."""
    return {
        "output height": (n["height"] + 2 * n["pad"] - n["kernel"]) // n["stride"] + 1,
        "output width": (n["width"] + 2 * n["pad"] - n["kernel"]) // n["stride"] + 1,
        "output channels": n["filters"],
        "parameters": n["filters"] * (n["channels"] * n["kernel"] ** 2 + 1),
        "combined kernel": n["kernel_1"] + n["kernel_2"] - 1,
    }


def _answers_2(n: dict[str, int]) -> dict[str, int]:
    """Shapes of a convolution of one channel and of its gradients, and the work of two of them."""
    H, W, k = n["plane_height"], n["plane_width"], n["plane_kernel"]
    outputs = (H - k + 1) * (W - k + 1)
    return {
        "x height": H - k + 1,
        "x width": W - k + 1,
        "e height": H - k + 1,
        "e width": W - k + 1,
        "g_z height": H,
        "g_z width": W,
        "g_w height": k,
        "g_w width": k,
        "forward multiplications": outputs * k**2,
        "forward additions": outputs * (k**2 - 1),
        "g_w multiplications": k**2 * outputs,
        "g_w additions": k**2 * (outputs - 1),
    }


SHAPE = "A gradient has the shape of what it is the gradient of."


def _mistakes(n: dict[str, int]) -> dict[str, dict[int, str]]:
    """Wrong answers that have a name, and what is wrong with each."""
    H, W, k, pk = n["plane_height"], n["plane_width"], n["plane_kernel"], n["kernel"]
    outputs = (H - k + 1) * (W - k + 1)
    right = _answers_1(n)
    found: dict[str, dict[int, str]] = {
        "output channels": {n["channels"]: "That is the number of channels that go in."},
        "parameters": {
            right["parameters"] - n["filters"]: "That leaves out the biases.",
            right["parameters"] - n["filters"] + 1: "Each filter has a bias of its own.",
            n["filters"] * (pk**2 + 1): "A filter reaches through all channels of its input.",
            n["channels"] * pk**2 + 1: "That is one filter's share.",
        },
        "combined kernel": {
            n["kernel_1"] + n["kernel_2"]: "One pixel is counted twice.",
            n["kernel_1"] * n["kernel_2"]: "The second filter adds a border to what the first one sees.",
            max(n["kernel_1"], n["kernel_2"]): "The second filter adds a border to what the first one sees.",
        },
        "forward multiplications": {outputs: "Each output needs one for every number of the filter."},
        "forward additions": {
            outputs * k**2: "To sum m numbers takes m - 1 additions.",
            outputs: "Each output needs as many as there are numbers to add, less one.",
        },
        "g_w multiplications": {
            k**2 * H * W: "The sum runs over the outputs, not over the inputs.",
            outputs: "That is the work for one number of the filter.",
        },
        "g_w additions": {
            k**2 * outputs: "To sum m numbers takes m - 1 additions.",
            outputs * (k**2 - 1): "How many numbers are summed for one number of g_w?",
        },
    }
    for side in ("height", "width"):
        size, plane = n[side], n[f"plane_{side}"]
        found[f"output {side}"] = {
            (size + 2 * n["pad"] - pk) // n["stride"]: "The first position counts too.",
            (size + n["pad"] - pk) // n["stride"] + 1: "The border is on both sides.",
            (size - pk) // n["stride"] + 1: "That leaves out the border.",
            size + 2 * n["pad"] - pk + 1: "That leaves out the stride.",
        }
        for array in ("x", "e"):
            found[f"{array} {side}"] = {
                plane: "The filter has to lie inside: without a border fewer positions are left.",
                plane - k: "The first position counts too.",
                plane + k - 1: "Nothing is padded here.",
            }
        inner = plane - k + 1
        found[f"g_z {side}"] = {inner: "A gradient has the shape of what it is the gradient of."}
        found[f"g_w {side}"] = dict.fromkeys(
            (inner, plane), "A gradient has the shape of what it is the gradient of."
        )
    return found


PARTS_1 = {"output height": 1, "output width": 1, "output channels": 1, "parameters": 2, "combined kernel": 1}
PARTS_2 = {
    **{f"{array} {side}": 0.25 for array in ("x", "e", "g_z", "g_w") for side in ("height", "width")},
    **{f"{of} {what}": 1 for of in ("forward", "g_w") for what in ("multiplications", "additions")},
}


@check("arithmetic_answers_1", parts=PARTS_1, function="arithmetic_part_1", recognise=False)
def check_arithmetic_answers_1(student, rng, expect):
    """The answers to the first problem, exactly."""
    _check_answers(student, expect, "arithmetic_part_1", "answers_1", _answers_1)


@check("arithmetic_answers_2", parts=PARTS_2, function="arithmetic_part_2", recognise=False)
def check_arithmetic_answers_2(student, rng, expect):
    """The answers to the second problem, exactly."""
    _check_answers(student, expect, "arithmetic_part_2", "answers_2", _answers_2)


def _check_answers(student: Any, expect: Any, cell: str, name: str, right: Callable) -> None:
    numbers = variant(expect.student_id)
    names = {"numbers": numbers, "n": numbers, "STUDENT": expect.student_id}
    answers = student.run_cells("1_convolution_arithmetic", [cell], names)[name].value()
    for answer, number in right(numbers).items():
        got = answers.get(answer)
        is_number = isinstance(got, int | float | np.number) and not isinstance(got, bool)
        message = "It is missing." if got is None else "It is not the number that your id asks for."
        if is_number and (named := _mistakes(numbers).get(answer, {}).get(got)):
            message = named
        expect.true(answer, is_number and got == number, answer, message)
