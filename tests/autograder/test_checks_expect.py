"""Comparisons fail closed, tell no secrets, and know a gradient of the student's own forward pass."""

import numpy as np
import pytest

from autograder.checks import Expect
from autograder.checks.expect import is_right
from autograder.course import Scale
from autograder.sandbox import StudentError


@pytest.fixture
def expect():
    return Expect({"a": 3, "b": 1})


@pytest.fixture
def right(rng):
    return rng.standard_normal((4, 3))


def test_what_is_right_earns_its_weight(expect, right):
    assert expect.array("a", right.astype(np.float32), right)
    assert expect.number("b", 2, 2.0)
    assert expect.fraction == 1


@pytest.mark.parametrize("scale", [2.001, 1.01, 0.999, -1.0, 0.0])
def test_what_is_nearly_right_is_wrong(expect, right, scale):
    assert not expect.array("a", scale * right, right)


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        (np.ones(3, np.float32), np.ones(3), True), (np.ones((1, 3)), np.ones(3), True), (2, 2.0, True),
        (np.array([[2.0]]), 2.0, True), (np.ones(3) + 1e-3, np.ones(3), False),
        (np.ones((3, 1)), np.ones(3), False), (np.ones(3, int), np.ones(3), False), (None, np.ones(3), False),
        (np.full(3, np.nan), np.ones(3), False), (np.ones(3), None, False), (2.0, True, False),
        ("2.0", 2.0, False), (np.ones(3), np.full(3, np.nan), False),
    ],
)  # fmt: skip
def test_is_right_is_what_expect_would_say(expect, got, expected, same):
    assert is_right(got, expected) is same
    if isinstance(expected, np.ndarray) and np.isfinite(expected).all():
        assert expect.array("a", got, expected) is same
    elif type(expected) is float:
        assert expect.number("a", got, expected) is same


def test_one_wrong_entry_is_found_and_placed(expect, right):
    got = right.copy()
    got[2, 1] += 0.01
    assert not expect.array("a", got, right)
    verdict = expect.comparisons[0]
    assert verdict.at == [2, 1]
    assert verdict.max_error == pytest.approx(0.01 / np.abs(right).max(), rel=1e-2)


@pytest.mark.parametrize(
    "got",
    [
        None, "text", True, 1.0, object, [[1.0]], (1.0,), {"a": 1}, np.empty((4, 3), dtype="U3"),
        np.zeros((4, 3), dtype=int), np.zeros((4, 3), dtype=complex), np.zeros((4, 3), dtype=bool),
        np.zeros((3, 4)), np.zeros((1, 4, 3)), np.zeros((0, 3)), np.full((4, 3), np.nan),
        np.full((4, 3), np.inf),
        np.ma.masked_array(np.zeros((4, 3))), np.zeros(()),
    ],
    ids=repr,
)  # fmt: skip
def test_whatever_is_no_right_array_fails(expect, right, got):
    assert not expect.array("a", got, right)
    assert expect.share("a") == 0
    assert expect.comparisons[0].message


@pytest.mark.parametrize(
    "got", [None, True, "2.0", 2.1, np.array([2.0, 2.0]), np.array(2j), np.nan, (2.0,)], ids=repr
)
def test_whatever_is_no_right_number_fails(expect, got):
    assert not expect.number("a", got, 2.0)


@pytest.mark.parametrize(
    "got", [2, 2.0, np.float32(2), np.array(2.0), np.array([2.0]), np.int64(2)], ids=repr
)
def test_numbers_of_every_kind_pass(expect, got):
    assert expect.number("a", got, 2.0)


def test_a_row_passes_for_a_vector(expect, rng):
    vector = rng.standard_normal(5)
    assert expect.array("a", vector[None], vector)
    assert not expect.array("b", vector[:, None], vector)


def test_a_part_without_comparison_earns_nothing(expect, right):
    expect.array("a", right, right)
    assert expect.fraction == 0.75
    assert expect.failed_parts == ["b"]
    assert [(c.part, c.passed) for c in expect.finished()] == [("a", True), ("b", False)]


def test_one_wrong_comparison_costs_the_part(expect, right):
    expect.array("a", right, right)
    expect.array("a", 2 * right, right)
    expect.array("a", right, right)
    assert expect.share("a") == 0


def test_a_failure_costs_its_parts_and_no_others(expect, right):
    expect.array("a", right, right)
    with expect.attempt("b"):
        raise StudentError("exception", "raised ValueError: no")
    assert expect.fraction == 0.75
    assert expect.comparisons[-1].message == "Your code raised ValueError: no."


def test_a_failure_after_right_comparisons_costs_the_part(expect, right):
    with expect.attempt("a", "b"):
        expect.array("a", right, right)
        raise StudentError("timeout", "did not finish within 10 s")
    assert expect.fraction == 0


def test_a_part_that_does_not_exist_is_a_mistake_of_the_check(expect, right):
    with pytest.raises(ValueError, match="'c' is not a part"):
        expect.array("c", right, right)


@pytest.mark.parametrize(
    "returned", [1.0, None, (1.0,), (1.0, 2.0, 3.0), np.zeros((2, 3)), [1.0, 2.0]], ids=repr
)
def test_only_a_tuple_of_the_right_length_unpacks(expect, returned):
    with pytest.raises(StudentError, match=r"softmax_loss must return loss, dx; it returned") as caught:
        expect.unpack(returned, "loss", "dx", of="softmax_loss")
    assert caught.value.kind == "invalid"


def test_messages_hold_no_right_values(expect, right):
    expect.array("a", right + np.random.default_rng(1).standard_normal(right.shape), right)
    expect.number("b", 1.0, 123.456)
    text = " ".join(c.model_dump_json() for c in expect.comparisons)
    assert "123" not in text
    assert not any(f"{abs(value):.3f}" in text for value in right.ravel())


def test_accuracy_earns_a_share(expect):
    expect.accuracy("a", 0.38, Scale(zero=0.28, full=0.48), "on 10 images")
    assert expect.share("a") == 0.5
    expect.fail(StudentError("crash", "ended"), "a")
    assert expect.share("a") == 0


def gradients(expect, forward, got, x, cotangent, right, right_out=None):
    try:
        out = forward(x)
    except StudentError:
        out = None
    expect.gradients(
        {"a": got},
        reference={"a": right},
        forward=forward,
        at={"a": x},
        out=out,
        right_out=np.zeros(x.shape) if right_out is None else right_out,
        cotangent=cotangent,
    )
    return expect.share("a") == 1


def test_the_gradient_of_ones_own_wrong_forward_passes(expect, rng):
    x, cotangent = rng.standard_normal((2, 5, 4))
    right = cotangent * 2 * x  # of x**2
    assert gradients(expect, lambda a: 1.5 * a**2, 3 * x * cotangent, x, cotangent, right, x**2)
    assert "gradient of your forward pass" in expect.comparisons[0].message


def test_a_right_forward_pass_that_knows_when_it_is_differentiated_excuses_nothing(expect, rng):
    x, cotangent = rng.standard_normal((2, 5, 4))

    def forward(a):
        return x**2 + 3 * x * (a - x)  # whose gradient at x is made to fit a wrong one

    assert not gradients(expect, forward, 3 * x * cotangent, x, cotangent, 2 * x * cotangent, x**2)
    gradients(expect, lambda a: forward(a) + 1, 3 * x * cotangent, x, cotangent, 2 * x * cotangent, x**2)
    assert [c.passed for c in expect.comparisons] == [False, True]  # one whose forward pass has cost points


def test_a_wrong_gradient_of_a_wrong_forward_fails(expect, rng):
    x, cotangent = rng.standard_normal((2, 5, 4))
    right = cotangent * 2 * x
    assert not gradients(expect, lambda a: 1.5 * a**2, 3.1 * x * cotangent, x, cotangent, right)


@pytest.mark.parametrize("name", ["identity", "zero", "other"])
def test_a_forward_that_does_something_else_vouches_for_nothing(expect, rng, name):
    x, cotangent = rng.standard_normal((2, 8, 4))
    right = cotangent * (x > 0)
    forward, got = {
        "identity": (lambda a: a, cotangent),
        "zero": (lambda a: 0 * a, 0 * x),
        "other": (lambda a: -(a**2), -2 * x * cotangent),
    }[name]
    assert not gradients(expect, forward, got, x, cotangent, right)


@pytest.mark.parametrize("returned", [None, "text", np.zeros(3), np.array(["a"])], ids=repr)
def test_a_forward_that_returns_rubbish_vouches_for_nothing(expect, rng, returned):
    x, cotangent = rng.standard_normal((2, 5, 4))
    assert not gradients(expect, lambda a: returned, 3 * x * cotangent, x, cotangent, 2 * x * cotangent)


def test_a_forward_that_fails_vouches_for_nothing(expect, rng):
    def forward(a):
        raise StudentError("exception", "raised ValueError")

    x, cotangent = rng.standard_normal((2, 5, 4))
    assert not gradients(expect, forward, 3 * x * cotangent, x, cotangent, 2 * x * cotangent)
    assert expect.errors == []
