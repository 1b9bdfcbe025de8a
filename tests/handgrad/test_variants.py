"""The numbers drawn for each student: the same everywhere, in their ranges, and sound as a problem."""

import subprocess
import sys

import pytest

from handgrad.variants import variant

# low, high: both occur.
RANGES = {
    "height": (33, 116),
    "width": (33, 116),
    "channels": (3, 12),
    "filters": (16, 40),
    "kernel": (3, 7),
    "stride": (2, 3),
    "pad": (1, 2),
    "kernel_1": (3, 9),
    "kernel_2": (3, 9),
    "plane_height": (60, 180),
    "plane_width": (60, 180),
    "plane_kernel": (3, 6),
}


@pytest.fixture(scope="module")
def many():
    return [variant(f"student {i}") for i in range(20_000)]


def test_the_numbers_never_change():
    """Whoever changes them changes the problem of a course that is running."""
    assert variant("student-id") == {
        "height": 51,
        "width": 47,
        "channels": 7,
        "filters": 31,
        "kernel": 5,
        "stride": 2,
        "pad": 2,
        "kernel_1": 5,
        "kernel_2": 3,
        "plane_height": 122,
        "plane_width": 140,
        "plane_kernel": 5,
    }
    assert variant("abcd0123") == {
        "height": 79,
        "width": 109,
        "channels": 4,
        "filters": 23,
        "kernel": 5,
        "stride": 3,
        "pad": 2,
        "kernel_1": 9,
        "kernel_2": 5,
        "plane_height": 76,
        "plane_width": 69,
        "plane_kernel": 5,
    }


def test_spaces_and_capital_letters_do_not_count():
    assert variant("  Abcd0123\n") == variant("abcd0123")
    assert variant("abcd0123") != variant("abcd0124")


def test_another_process_draws_the_same():
    """No hash() with its seed of the process, no set order."""
    code = "from handgrad.variants import variant; print(variant('abcd0123'))"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True
        )
        assert run.stdout.strip() == str(variant("abcd0123")), run.stderr


def test_every_range_is_the_promised_one(many):
    for numbers in many:
        assert list(numbers) == list(RANGES)
        assert {type(number) for number in numbers.values()} == {int}
    for name, (low, high) in RANGES.items():
        drawn = {numbers[name] for numbers in many}
        assert (min(drawn), max(drawn)) == (low, high), name


def test_windows_cover_the_padded_image_exactly(many):
    for n in many:
        for side in ("height", "width"):
            assert (n[side] + 2 * n["pad"] - n["kernel"]) % n["stride"] == 0


def test_numbers_that_could_be_mistaken_for_each_other_differ(many):
    for n in many:
        assert n["height"] != n["width"]
        assert n["channels"] != n["filters"]
        assert n["kernel_1"] != n["kernel_2"]
        assert n["plane_height"] != n["plane_width"]


def test_two_students_hardly_ever_share_a_problem(many):
    assert len({tuple(numbers.values()) for numbers in many}) == len(many)


@pytest.mark.parametrize("student", ["", "   ", "\n"])
def test_an_empty_id_is_refused(student):
    with pytest.raises(ValueError, match="the student id is empty: put your own id between"):
        variant(student)


@pytest.mark.parametrize("student", [12345678, None, b"abcd0123"])
def test_an_id_without_quotation_marks_is_refused(student):
    with pytest.raises(ValueError, match="a student id is a text, between quotation marks: got"):
        variant(student)
