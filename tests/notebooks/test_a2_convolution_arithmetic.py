"""The numbers of a2/1_convolution_arithmetic: the solutions are right, and the checks of form are fair."""

import contextlib
import io

import numpy as np
import pytest
from cells import Cells

CELLS = Cells("a2/1_convolution_arithmetic", before=("student-id",))
STUDENTS = ["student-id", "abcd0123", "  Abcd0123 ", "x", "student@example.org"]
IDS_LINE = 'STUDENT = "student-id"'


def solve(student):
    """All names after the solution cells have run for this student."""
    cells = Cells("a2/1_convolution_arithmetic")
    cells.source["student-id"] = cells.source["student-id"].replace(IDS_LINE, f"STUDENT = {student!r}")
    with contextlib.redirect_stdout(io.StringIO()):
        return cells.run("student-id", "problems", "arithmetic-part-1", "arithmetic-part-2")


@pytest.mark.parametrize("student", STUDENTS)
def test_solution_1_is_what_counting_gives(student):
    names = solve(student)
    n, answers = names["numbers"], names["answers_1"]

    image = np.zeros((n["channels"], n["height"], n["width"]))
    padded = np.pad(image, ((0, 0), (n["pad"], n["pad"]), (n["pad"], n["pad"])))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (n["kernel"], n["kernel"]), axis=(1, 2))
    windows = windows[:, :: n["stride"], :: n["stride"]]
    assert windows.shape[1:3] == (answers["output height"], answers["output width"])
    filters = np.zeros((n["filters"], n["channels"], n["kernel"], n["kernel"]))
    assert answers["output channels"] == len(filters)
    assert answers["parameters"] == filters.size + len(filters)

    combined = answers["combined kernel"]
    for length in (combined, combined + 3):  # as many places through both as through the one
        through_both = length - n["kernel_1"] + 1 - n["kernel_2"] + 1
        assert through_both == length - combined + 1


def test_two_kernels_in_a_row_are_one_of_the_size_that_is_said():
    """By numbers, not only by counting places."""
    names = solve("abcd0123")
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(names["numbers"][f"kernel_{i}"],) * 2) for i in (1, 2))
    size = names["answers_1"]["combined kernel"]
    combined = np.zeros((size, size))
    for (a, b), weight in np.ndenumerate(second):
        combined[a : a + len(first), b : b + len(first)] += weight * first
    image = rng.normal(size=(size + 4, size + 2))
    np.testing.assert_allclose(correlate(correlate(image, first), second), correlate(image, combined))


def correlate(image, kernel):
    """F of question 2."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("ijab,ab->ij", windows, kernel)


@pytest.mark.parametrize("student", STUDENTS)
def test_solution_2_is_what_counting_gives(student):
    names = solve(student)
    n, answers = names["numbers"], names["answers_2"]
    z, w = np.ones((n["plane_height"], n["plane_width"])), np.ones((n["plane_kernel"],) * 2)
    x = correlate(z, w)  # of ones: the number of products in each sum
    g_w = correlate(z, np.ones_like(x))
    for name, array in {"x": x, "e": x, "g_z": z, "g_w": g_w}.items():
        assert array.shape == (answers[f"{name} height"], answers[f"{name} width"])
    assert g_w.shape == w.shape
    for name, sums in {"forward": x, "g_w": g_w}.items():
        assert answers[f"{name} multiplications"] == sums.sum()
        assert answers[f"{name} additions"] == (sums - 1).sum()


def test_formulas_of_the_model_answer_are_the_gradients():
    rng = np.random.default_rng(1)
    z, w, e = rng.normal(size=(7, 9)), rng.normal(size=(3, 3)), rng.normal(size=(5, 7))
    g_w = correlate(z, e)
    g_z = correlate(np.pad(e, 2), w[::-1, ::-1])
    for array, gradient in ((z, g_z), (w, g_w)):
        assert gradient.shape == array.shape
        for index in np.ndindex(array.shape):
            one = np.zeros_like(array)
            one[index] = 1  # F is linear in each argument: its derivative is its value at a unit
            moved = correlate(one, w) if array is z else correlate(z, one)
            assert gradient[index] == pytest.approx(np.sum(e * moved))


def test_problems_are_printed_in_full(capsys):
    names = CELLS.run("problems")
    printed = capsys.readouterr().out
    for number in names["numbers"].values():
        assert str(number) in printed
    assert "Put your own id" in printed
    cells = Cells("a2/1_convolution_arithmetic")
    cells.run("problems", STUDENT="abcd0123")
    assert "Put your own id" not in capsys.readouterr().out


def test_an_empty_id_is_refused():
    cells = Cells("a2/1_convolution_arithmetic")
    with pytest.raises(ValueError, match="the student id is empty"):
        cells.run("problems", STUDENT=" ")


WRONG = [
    # part, entry, answer, what the message must contain
    (1, "output height", None, "output height: there is no answer yet"),
    (1, "output width", 24.0, r"got 24\.0\. Divide with //"),
    (1, "output channels", "31", "whole number, got '31'"),
    (1, "output channels", True, "whole number, got True"),
    (1, "parameters", (31, 7, 5, 5), "whole number, got"),
    (1, "parameters", 31, "more parameters than filters"),
    (1, "output height", 0, "not positive"),
    (1, "output width", 47, "smaller than the image. What is divided"),
    (1, "combined kernel", 5, "see more than the larger"),
    (1, "combined kernel", ..., "answers_1 has no entry 'combined kernel'"),
    (2, "x height", None, "x height: there is no answer yet"),
    (2, "e width", np.float64(136), "Divide with //"),
    (2, "g_w height", -5, "not positive"),
    (2, "g_z width", 144, "Nothing here is larger than the image, whose width is 140"),
    (2, "forward additions", 401200, "fewer additions than multiplications"),
    (2, "g_w additions", 401200, "fewer additions than multiplications"),
    (2, "g_w multiplications", ..., "answers_2 has no entry 'g_w multiplications'"),
]


@pytest.mark.parametrize(("part", "entry", "answer", "message"), WRONG)
def test_answer_of_the_wrong_form_fails_with_a_helpful_message(part, entry, answer, message):
    names = solve("student-id")
    names[f"answers_{part}"][entry] = answer
    if answer is ...:
        del names[f"answers_{part}"][entry]
    with pytest.raises(AssertionError, match=message):
        exec(CELLS.source[f"arithmetic-answers-{part}"], names)


@pytest.mark.parametrize("part", [1, 2])
@pytest.mark.parametrize("student", STUDENTS)
def test_right_answers_pass_and_say_so(part, student, capsys):
    names = solve(student)
    answers = names[f"answers_{part}"]
    names[f"answers_{part}"] = {name: np.int64(answer) for name, answer in answers.items()} | {"more": None}
    exec(CELLS.source[f"arithmetic-answers-{part}"], names)
    assert capsys.readouterr().out.startswith(f"answers {part}: passed the check of their form")


SLIPS = [
    # part, entry, a usual slip that has the right form
    (1, "output height", lambda n, right: right - 1),
    (1, "parameters", lambda n, right: right - n["filters"]),
    (1, "combined kernel", lambda n, right: right + 1),
    (2, "forward additions", lambda n, right: right - 1),
    (2, "g_z height", lambda n, right: right - n["plane_kernel"] + 1),
    (2, "g_w additions", lambda n, right: right - 1),
]


@pytest.mark.parametrize(("part", "entry", "slip"), SLIPS)
def test_the_check_of_form_gives_no_answer_away(part, entry, slip):
    names = solve("student-id")
    answers = names[f"answers_{part}"]
    answers[entry] = slip(names["numbers"], answers[entry])
    exec(CELLS.source[f"arithmetic-answers-{part}"], names)
