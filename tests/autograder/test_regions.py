"""Solution regions: what students get is valid Python and has nothing of the solution."""

import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handgrad
from autograder import regions
from autograder.course import CourseError

PACKAGE = Path(handgrad.__file__).parent
MODULE = textwrap.dedent('''
    """A module whose text mentions ### BEGIN SOLUTION (a1) in a string."""


    def double(x):
        """Twice x."""
        # Your task.
        ### BEGIN SOLUTION (a1)
        secret = 2 * x
        return secret
        ### END SOLUTION


    class Net:
        def loss(self, x):
            if x:
                ### BEGIN SOLUTION (a2)
                return double(x)
                ### END SOLUTION
            return 0
''')


def test_regions_have_the_name_of_their_function():
    found = regions.solutions(MODULE)
    assert [(r.name, r.assignment) for r in found] == [("double", "a1"), ("Net.loss", "a2")]
    assert found[0].lines == ("    secret = 2 * x", "    return secret")
    assert MODULE.split("\n")[found[0].start - 1].strip() == "### BEGIN SOLUTION (a1)"
    assert MODULE.split("\n")[found[0].end - 1].strip() == "### END SOLUTION"


def test_only_what_is_wanted_keeps_its_solution_and_what_it_uses():
    def has_solutions(text):
        return "secret" in text, "return double" in text

    assert has_solutions(regions.only(MODULE, ["double"], "some.py")) == (True, False)
    assert has_solutions(regions.only(MODULE, ["Net"], "some.py")) == (True, True)
    assert has_solutions(regions.only(MODULE, ["unknown"], "some.py")) == (False, False)


def test_stub_names_function_and_file():
    names: dict = {}
    exec(regions.strip(MODULE, "a1", "handgrad/some.py"), names)
    with pytest.raises(
        NotImplementedError, match=r"^double is not written yet: write it in handgrad/some\.py$"
    ):
        names["double"](1)
    with pytest.raises(
        NotImplementedError, match=r"^Net\.loss is not written yet: write it in handgrad/some\.py$"
    ):
        names["Net"]().loss(1)
    assert names["Net"]().loss(0) == 0


def test_earlier_assignments_stay_and_later_ones_go():
    second = regions.strip(MODULE, "a2", "m.py")
    assert "secret = 2 * x" in second
    assert "return double(x)" not in second
    third = regions.strip(MODULE, "a3", "m.py")
    assert "secret = 2 * x" in third
    assert "return double(x)" in third
    for text in (second, third):
        assert "###" not in text.replace("### BEGIN SOLUTION (a1) in a string", "")


def test_solve_keeps_this_assignment_and_stubs_later_ones():
    text = regions.solve(MODULE, "a1", "m.py")
    assert "secret = 2 * x" in text
    assert "return double(x)" not in text


def test_module_without_regions_stays_as_it_is():
    text = "x = 1\r\n# no region\n"
    assert regions.strip(text, "a1", "m.py") == text


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("### BEGIN SOLUTION (a1)\nx = 1", r"m\.py:2: BEGIN SOLUTION without an END"),
        ("x = 1\n### END SOLUTION", r"m\.py:3: END SOLUTION without a BEGIN"),
        (
            "### BEGIN SOLUTION (a1)\nx = 1\n### BEGIN SOLUTION (a1)\nx = 2\n### END SOLUTION",
            r"m\.py:4: a region begins inside the one that began in line 2",
        ),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", r"m\.py:2: a marker is .*got `### BEGIN SOLUTION`"),
        ("### BEGIN SOLUTION (first)\nx = 1\n### END SOLUTION", r"m\.py:2: a marker is .*\(first\)`"),
        ("x = 1  ### BEGIN SOLUTION (a1)\n### END SOLUTION", r"m\.py:2: a marker is a line of its own"),
        ("# BEGIN SOLUTION (a1)\nx = 1\n### END SOLUTION", r"m\.py:2: a marker is a line of its own"),
        (
            "### BEGIN SOLUTION (a1)\nif x:\n    ### END SOLUTION\n    x = 1",
            r"m\.py: without its solutions the module is not valid Python .*f \(line 2\)",
        ),
        ("x = = 1  ### END SOLUTION", r"m\.py:2: not valid Python"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(body, complaint):
    module = "def f(x):\n" + textwrap.indent(body, "    ")
    with pytest.raises(CourseError, match=complaint):
        regions.strip(module, "a1", "m.py")


def test_region_outside_a_function_is_refused():
    with pytest.raises(CourseError, match=r"m\.py:1: a region must hold statements inside a function"):
        regions.strip("### BEGIN SOLUTION (a1)\nx = 1\n### END SOLUTION\n", "a1", "m.py")


def test_region_that_leaves_its_function_is_refused():
    module = "def f(x):\n    ### BEGIN SOLUTION (a1)\n    return x\n\ny = 1\n### END SOLUTION\n"
    with pytest.raises(
        CourseError, match=r"m\.py:2: the region goes on beyond the end of f, which is in line 3"
    ):
        regions.strip(module, "a1", "m.py")


statements = st.sampled_from(["x = 1", "if a:\n    x = 2", "x = '### END SOLUTION'", "# why\nreturn a"])
parts = st.lists(
    st.tuples(st.sampled_from(["a1", "a2", None]), st.lists(statements, min_size=1, max_size=3)),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=50)
@given(parts)
def test_any_mixture_of_regions_and_given_code(parts):
    body = []
    for owner, lines in parts:
        body += [f"### BEGIN SOLUTION ({owner})", *lines, "### END SOLUTION"] if owner else ["given = 0"]
    text = "def f(a):\n" + textwrap.indent("\n".join(body), "    ")
    owners = [owner for owner, _ in parts if owner]
    assert [region.assignment for region in regions.solutions(text)] == owners
    for assignment, stubs in (("a1", len(owners)), ("a2", owners.count("a2")), ("a3", 0)):
        stripped = regions.strip(text, assignment, "m.py")
        ast.parse(stripped)
        assert stripped.count("raise NotImplementedError") == stubs
        assert stripped.count("given = 0") == len(parts) - len(owners)
        assert regions.solutions(stripped) == []


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_the_package_can_be_released(path):
    text = path.read_text(encoding="utf-8")
    found = regions.solutions(text, path.name)
    stripped = regions.strip(text, "a1", path.name)
    added = stripped.count("is not written yet") - text.count("is not written yet")
    assert added == len(found)
    assert "SOLUTION" not in stripped
    assert "SOLUTION" not in regions.solve(text, "a3", path.name)
