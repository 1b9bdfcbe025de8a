"""What a notebook defines is taken without running it; what is broken is skipped and named."""

import json
import textwrap

import pytest

from autograder.sandbox.notebook import Missing, code_cells, definitions, without_magics


def collect(*sources, **names):
    cells = [(str(number), textwrap.dedent(source)) for number, source in enumerate(sources, 1)]
    return definitions(cells, names, "/submission/n.ipynb")


def test_functions_classes_imports_and_plain_assignments_are_taken():
    found = collect(
        "import math\nfrom os import path as p",
        "rate, sizes = 1e-3 * 2, [n**2 for n in range(3)]\nhalf = lambda x: x / 2",
        """
        class Net:
            size = 3

        def area(r: "Unknown", other: AlsoUnknown = 1):
            return math.pi * half(r) * len(p.join("a", "b"))
        """,
    )
    assert found.names["rate"] == 0.002
    assert found.names["sizes"] == [0, 1, 4]
    assert found["area"](2) == pytest.approx(9.42477796)
    assert found["Net"].size == 3
    assert found.skipped == []


def test_nothing_else_runs():
    ran = []
    found = collect(
        "train(3)\nfor i in range(3):\n    train(i)\nwhile True:\n    pass",
        "with open('x', 'w') as f:\n    train(f)",
        "x = train(1)\ny = [train(2)]\nz = (lambda: train(3))()\nw = 'a'.join(train(4))\nprint(train(5))",
        "assert train(6)\ndel train\nobject.a = 3\n[a, *b] = train(7)",
        train=ran.append,
    )
    assert ran == []
    assert not {"i", "f", "x", "y", "z", "w", "a", "b"} & found.names.keys()


def test_imports_that_no_definition_uses_are_left_out():
    found = collect("import antigravity\nimport json, sys\nfrom this import *", "def f(): return json")
    assert "json" in found.names
    assert "antigravity" not in found.names


def test_what_is_defined_later_wins():
    assert collect("def f(): return 1", "def f(): return 2")["f"]() == 2
    assert collect("n = 1", "n += 2", "m: int = n")["m"] == 3


def test_conditions_and_attempts_are_followed():
    found = collect(
        "if 2 > 1:\n    a = 1\nelse:\n    a = 2\nif unknown():\n    a = 3",
        "try:\n    import not_there\n    b = 0\nexcept ImportError:\n    b = 1\nelse:\n    b = 2",
        "try:\n    pass\nfinally:\n    c = 3",
        "def f(): return not_there",
    )
    assert (found["a"], found["c"]) == (1, 3)
    assert found.names["b"] == 0  # on its own: the failed import before it is skipped
    assert "ModuleNotFoundError" in found.skipped[0]


def test_a_broken_cell_is_skipped_and_named():
    found = collect("def f(:\n    pass\ndef g(): pass", "def h(): return 1", "k = 1 / 0\nl = 2")
    assert found["h"]() == 1
    assert found["l"] == 2
    for name, why in (
        ("f", "the cell 1, line 1, is not Python"),
        ("g", "the cell 1"),
        ("k", "ZeroDivisionError"),
    ):
        with pytest.raises(Missing, match=rf"does not define {name}: .*{why}"):
            found[name]
    with pytest.raises(Missing, match=r"does not define never$"):
        found["never"]


@pytest.mark.parametrize(
    "statement",
    [
        "class A(exit()): pass",
        "class A:\n    raise SystemExit",
        "def f(x=[1][3]): pass",
        "a = [0][1]",
        "a = 10 ** undefined",
    ],
)
def test_a_statement_that_raises_is_skipped(statement):
    found = collect(statement + "\nb = 1")
    assert found["b"] == 1
    assert len(found.skipped) == 1


def test_an_exception_that_cannot_be_printed_is_named():
    found = collect("class E(Exception):\n    def __str__(self): raise self", "class B:\n    raise E")
    assert found.skipped == ["the cell 2, line 1, raises E"]


def test_magics_and_other_languages_are_dropped():
    found = collect(
        "%matplotlib inline\n!pip install x\na = 1\nfiles = !ls\nt = %time f()",
        "if a == 1:\n    %load_ext y\nf?",
        "%%time\nb = 17 \\\n% 10",
        "%%bash\necho a = 3",
        "%%timeit -n 1\nc = 4",
        "# is this a comment?\nd = (17\n% 10)",
    )
    assert [found.names.get(name) for name in "abcd"] == [1, None, 4, 7]
    assert without_magics("%%html\n<b>") == ""


def test_future_imports_and_dataclasses_work():
    found = collect(
        "from __future__ import annotations\nfrom dataclasses import dataclass",
        "@dataclass\nclass Settings:\n    rate: float = 1e-3\n    net: Net | None = None",
    )
    assert found["Settings"]().rate == 1e-3


@pytest.mark.parametrize("source", ["(" * 5000, "\0", "x = " + "-" * 100_000 + "1", "é = '\ud800'"])
def test_sources_that_no_parser_likes_are_skipped(source):
    assert collect(source, "b = 1")["b"] == 1


def test_cells_are_called_by_grade_id_and_tests_are_left_out(tmp_path):
    def cell(source, **about):
        return {"cell_type": "code", "source": source, "metadata": {"nbgrader": about} if about else {}}

    cells = [
        {"cell_type": "markdown", "source": "text", "metadata": {}},
        cell(["a = 1\n", "b = 2"]),
        cell("c = 3", grade_id="code", grade=False, solution=True),
        cell("d = 4", grade_id="test", grade=True, solution=False),
        cell("e = 5", grade_id="both", grade=True, solution=True),
    ]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert code_cells(str(path)) == [("2", "a = 1\nb = 2"), ("code", "c = 3"), ("both", "e = 5")]
