"""Broken modules: what is broken in them is lost, and nothing else; hostile ones are not helped."""

import ast
import functools
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autograder import grading
from autograder.mending import Mended, _cause, mend_modules
from autograder.sandbox import Limits, StudentError
from autograder.sandbox.mending import Broken, mend, mend_text
from autograder.sandbox.session import Session
from autograder.sandbox.stand_ins import Absent

AFFINE, RELU = "handgrad/layers/affine.py", "handgrad/layers/activations.py"
LOSSES, NET = "handgrad/layers/losses.py", "handgrad/classifiers/fc_net.py"
SEED = "0123456789abcdef"

MODULE = '''"""Two functions and a class."""

from __future__ import annotations

import numpy as np


def first(x):
    """The first."""
    if x.any():
        x = x + 1
    return x


def second(x, y):
    """The second."""
    return np.dot(
        x,
        y,
    )


class Net(dict):
    """Three methods."""

    def __init__(self, size):
        self.size = size

    def forward(self, x):
        return x * self.size

    def backward(self, dout):
        return dout * self.size


def third(x):
    return -x
'''
NAMES = ["first", "second", "Net.__init__", "Net.forward", "Net.backward", "third"]


def functions(text: str) -> dict[str, tuple[str, int, int]]:
    """Each function's and method's tree, first and last line."""
    found = {}
    for outer in ast.parse(text).body:
        inner = (
            [(f"{outer.name}.", each) for each in outer.body]
            if isinstance(outer, ast.ClassDef)
            else [("", outer)]
        )
        for prefix, node in inner:
            if isinstance(node, ast.FunctionDef):
                found[prefix + node.name] = ast.dump(node), node.lineno, node.end_lineno
    return found


def lost_names(text: str | bytes) -> tuple[list[str], list[str]]:
    """Which functions of MODULE are not as they were after mending, and the notes."""
    content = text if isinstance(text, bytes) else text.encode()
    headers = {"names": NAMES, "imports": ["import numpy as np"], "headers": {"Net": "class Net(dict):"}}
    mended, notes = mend_text(content, "m.py", **headers)
    before, after = functions(MODULE), functions(mended)
    return [name for name in NAMES if after.get(name, "")[:1] != before[name][:1]], notes


def changed(old: str, new: str) -> str:
    assert MODULE.count(old) == 1
    return MODULE.replace(old, new)


BROKEN = {
    "bracket never closed": (changed("    if x.any():", "    if (x.any():"), ["first"]),
    "bracket too many": (changed("x = x + 1", "x = x + 1)"), ["first"]),
    "no colon": (changed("def first(x):", "def first(x)"), ["first"]),
    "a keyword misspelt": (changed("def second(x, y):", "df second(x, y):"), ["second"]),
    "junk before a function": (changed("def second(x, y):", ")) def second(x, y):"), ["second"]),
    "a string without end": (changed("    return -x", "    return '-x"), ["third"]),
    "a docstring without end": (changed('"""The first."""', '"""The first.'), ["first"]),
    "a docstring without beginning": (changed('"""The first."""', 'The first."""'), ["first"]),
    "indented too far": (changed("    return x\n", "      return x\n"), ["first"]),
    "return at the margin": (changed("    return x\n", "return x\n"), ["first"]),
    "a line at the margin": (changed("        x = x + 1\n    return", "x = x + 1\n    return"), ["first"]),
    "no body": (changed("    return -x", ""), ["third"]),
    "print of Python 2": (changed("    return -x", '    print "x", x\n    return -x'), ["third"]),
    "a function one level too deep": (changed("def second", "  def second"), ["second"]),
    "a method at the margin": (changed("    def forward(self", "def forward(self"), ["Net.forward"]),
    "a method indented too far": (changed("    def backward", "     def backward"), ["Net.backward"]),
    "a method's line at the margin": (
        changed("        self.size = size", "self.size = size"), ["Net.__init__"],
    ),
    "a class's first line": (changed("class Net(dict):", "clas Net(dict:"), []),
    "a method": (changed("return x * self.size", "return x * * self.size"), ["Net.forward"]),
    "truncated": (MODULE[: MODULE.index("        y,\n")], NAMES[1:]),
    "magics": ("%matplotlib inline\n!pip install torch\n" + MODULE, []),
    "print of Python 2 at the end": (MODULE + 'print "done"\n', []),
    "imports that are broken": (changed("import numpy as np", "import numpy as"), []),
    "line ends of Windows": (changed("return -x", "return -x)").replace("\n", "\r\n"), ["third"]),
    "a byte order mark": (b"\xef\xbb\xbf" + changed("return -x", "return -x)").encode(), ["third"]),
    "Latin-1": (changed("The first", "Die größte").encode("latin-1"), ["first"]),
    "UTF-16": (MODULE.encode("utf-16"), []),
    "spaces that do not break": (changed("x = x + 1", "x\u00a0= x + 1"), []),
    "bytes of zero": (MODULE + "\0\0", []),
    "tabs": (changed("        x = x + 1", "\tx = x + 1"), []),
    "a conflict inside": (
        changed("    return -x", "<<<<<<< HEAD\n    return -x\n=======\n    return x\n>>>>>>> b"), ["third"],
    ),
    "a conflict around": (
        changed("def third(x):\n    return -x\n", "<<<<<<<\ndef third(x):\n    return -x\n=======\n>>>>>>>"),
        NAMES[-1:],
    ),
    "two at once": (changed("-x", "-x)").replace("x = x + 1", "x = = x + 1"), ["first", "third"]),
}  # fmt: skip


@pytest.mark.parametrize("form", BROKEN)
def test_what_is_broken_is_lost_and_nothing_else(form):
    text, expected = BROKEN[form]
    lost, notes = lost_names(text)
    assert lost == expected
    assert notes
    assert all(note.startswith("m.py") for note in notes)


def test_a_lost_function_raises_its_line_and_error_when_it_is_called():
    mended, notes = mend_text(changed("    return -x", "    return -x)").encode(), "m.py")
    line = MODULE[: MODULE.index("return -x")].count("\n") + 1
    assert notes == [
        f"m.py, line {line}: third cannot be read (unmatched ')'); the rest of the module is graded."
    ]
    names = {"__name__": "m"}
    source = mended.replace("__import__('stand_ins').", "")
    exec(source, names | {"Absent": Absent})
    names["Absent"] = Absent
    exec(source, names)
    assert names["first"](np.zeros(2)).tolist() == [0, 0]
    with pytest.raises(SyntaxError, match=rf"unmatched '\)' \(m.py, line {line}\)"):
        names["third"](1)


def test_lines_keep_their_numbers():
    mended, _ = mend_text(changed("x = x + 1", "x = = x + 1").encode(), "m.py")
    assert functions(mended)["third"] == functions(MODULE)["third"]


def test_tabs_that_can_be_read_in_two_ways_are_not_repaired():
    text = changed(
        "    return -x", "    for i in x:\n        if i:\n            pass\n\tx = -x\n    return x"
    )
    assert lost_names(text)[0] == ["third"]


def test_a_truncated_function_does_not_pass_for_a_whole_one():
    text = changed("    if x.any():\n", "    y = 0\n  if x.any():\n")
    assert lost_names(text)[0] == ["first"]


def test_what_is_too_long_or_nothing_at_all():
    with pytest.raises(Broken, match="too long"):
        mend(b"x = 1\n" * 40_000, "m.py", {})
    with pytest.raises(Broken):
        mend(
            b"x = (" + b"(" * 5_000, "m.py", {"line": 1, "scope": "", "inner": 0, "type": "E", "message": ""}
        )
    assert mend_text(b"", "m.py") == ("", [])


def test_a_notebook_under_a_modules_name_is_read():
    notebook = b'{"cells": [{"cell_type": "code", "source": ["%cd x\\n", "def f(x):\\n", "    return x"]}]}'
    mended, notes = mend(notebook, "m.py", {"missing": "f"})
    assert "f" in functions(mended)
    assert notes[0] == "m.py is a notebook and no module: the code in its cells was read."


STATEMENTS = {
    "import torch": "import torch, numpy as np, os\n",
    "from turtle import forward, left as l": "from turtle import forward, left as l\n",
    "x, y = f()": "x, y = undefined()\n",
    "for": "for i in range(3):\n    print(undefined)\n",
}


@pytest.mark.parametrize("form", STATEMENTS)
def test_a_statement_that_raises_leaves_names_that_say_so(form):
    text = STATEMENTS[form] + "z = 1\n"
    raised = {
        "line": 1,
        "scope": "",
        "inner": 0,
        "type": "ModuleNotFoundError",
        "message": "No module named 'torch'",
    }
    mended, notes = mend(text.encode(), "m.py", raised)
    assert mended.count("\n") == text.count("\n")
    assert mended.splitlines()[-1] == "z = 1"
    assert [note.partition(":")[0] for note in notes] == ["m.py, line 1"]
    assert "No module named 'torch'" in notes[0]
    names = {}
    exec(
        mended.replace("__import__('stand_ins').", "").replace("Absent(", "absent("),
        {"absent": Absent},
        names,
    )
    expected = {"import torch": "torch", "x, y = f()": "x y", "for": "i"}.get(form, "forward l").split()
    assert [name for name, value in names.items() if isinstance(value, Absent)] == expected


def test_annotations_go_before_the_function_does():
    text = "@decorated\ndef f(x: Tensor, *, y: 'list[\\nü]' = 2) -> Tensor:\n    return x\n"
    raised = {
        "line": 2,
        "scope": "",
        "inner": 0,
        "type": "NameError",
        "message": "name 'Tensor' is not defined",
    }
    mended, _ = mend(text.encode(), "m.py", raised)
    function = ast.parse(mended).body[0]
    assert ast.unparse(function) == "@decorated\ndef f(x, *, y=2):\n    return x"
    mended, _ = mend(mended.encode(), "m.py", raised)
    assert mended.startswith("f = __import__")


USES = [
    lambda x: x(), lambda x: x.shape, lambda x: x[0], lambda x: x + 1, lambda x: 2.0 * x, lambda x: -x, bool,
    len, iter, list, float, np.asarray, lambda x: x < x, lambda x: x == x, lambda x: x.__enter__(),
]  # fmt: skip


def test_a_stand_in_cannot_be_used_at_all():
    for use in USES:
        with pytest.raises(NameError, match=r"^gone$"):
            use(Absent("NameError", "gone"))
    for kind in ("NotImplementedError", "SystemExit", "KeyboardInterrupt", "MemoryError", "Mine"):
        with pytest.raises(RuntimeError, match=kind):
            Absent(kind, "gone")()


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_damaged_line_of_a_body_costs_its_own_function(data):
    lines = MODULE.split("\n")
    before = functions(MODULE)
    name = data.draw(st.sampled_from(NAMES))
    _, first, last = before[name]
    number = data.draw(st.integers(first + 1, last)) - 1
    line = lines[number]
    at = data.draw(st.integers(0, len(line)))
    junk = data.draw(
        st.sampled_from(["(", ")", "]", "{", '"', '"""', "'", " = ", ":", "@", "\\", "$", " def ", "\t"])
    )
    lines[number] = data.draw(
        st.sampled_from([line[:at] + junk + line[at:], line[:at], line[at:], "    " + line])
    )
    assume(lines[number].strip())  # nobody can see that a line is gone
    lost, _ = lost_names("\n".join(lines))
    assert set(lost) <= {name}


@given(st.binary(max_size=200), st.integers(0, len(MODULE)))
@settings(deadline=None, max_examples=50)
def test_no_bytes_upset_it(junk, at):
    content = MODULE.encode()
    try:
        mended, _ = mend_text(content[:at] + junk + content[at:], "m.py", NAMES, ["import numpy as np"])
    except Broken:
        return
    compile(mended, "m.py", "exec")


# ---- in the sandbox


def edit(path, old: str, new: str) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{path} has {source.count(old)} times {old!r}"
    path.write_text(source.replace(old, new), encoding="utf-8")


def append(path, source: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\n\n" + source, encoding="utf-8")


def prepend(path, source: str) -> None:
    path.write_text(source + path.read_text(encoding="utf-8"), encoding="utf-8")


@pytest.fixture
def salvaged(submission, assignment):
    """Salvages the submission, in a folder that the sandbox's user may read."""
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        modules = {path.removesuffix(".py").replace("/", "."): path for path in assignment.manifest.editable}
        release = assignment.course.release("a1")

        def run(**limits) -> Mended:
            dest = Path(scratch) / "mended"
            open_session = functools.partial(Session, isolation="bubblewrap", limits=Limits(**limits))
            return mend_modules(submission, dest, release, modules, open_session)

        yield run


def error_of(tree, function: str, *arguments) -> str:
    """What calling a function says; "" when it works."""
    with Session(tree) as session, session.student(seed=0) as student:
        try:
            student.call(f"handgrad.{function}", *arguments)
        except StudentError as error:
            return error.message
    return ""


def test_what_the_import_shows_is_mended(submission, salvaged):
    prepend(
        submission / AFFINE,
        "from turtle import forward\nfrom tkinter import W\nimport sklearn.svm, numpy as np\n"
        "from google.colab import drive\nfrom handgrad.layers import svm_loss, relu_forward\n",
    )
    append(
        submission / LOSSES,
        "print(undefined)\nimport sys\nname = input()\nassert softmax_loss is None, 'no'\nopen('not there')\n"
        "scores, _ = svm_loss(np.ones((2, 3)), [0, 9])\nsys.exit()\n"
        "@jit\ndef fast(x: Tensor) -> Tensor:\n    return scores\n"
        "def typed(x: Tensor) -> Tensor:\n    return x\ndef late(x):\n    return scores\n",
    )
    edit(submission / RELU, "def swish_backward", "def swish_backwards")
    found = salvaged()
    assert found.broken == {}
    assert (
        error_of(found.tree, "layers.affine.affine_forward", np.ones((2, 3)), np.ones((3, 2)), np.ones(2))
        == ""
    )
    assert error_of(found.tree, "layers.affine.drive", 1) == (
        "raised ModuleNotFoundError: No module named 'google', in line 4"
    )
    assert "circular import" in error_of(found.tree, "layers.affine.svm_loss", 1)
    assert error_of(found.tree, "layers.affine.relu_forward", np.ones(2)) == ""
    assert error_of(found.tree, "layers.losses.typed", 1) == ""
    assert "'jit' is not defined" in error_of(found.tree, "layers.losses.fast", 1)
    assert "ValueError" in error_of(found.tree, "layers.losses.scores.any")
    assert error_of(found.tree, "layers.swish_backward", 1) == (
        f"raised NameError: {RELU} does not define swish_backward"
    )
    assert error_of(found.tree, "layers.relu_forward", np.ones(2)) == ""
    said = "\n".join(found.notes)
    for cause in ("sklearn", "google", "undefined", "EOFError", "AssertionError", "not there"):
        assert cause in said
    assert "SystemExit" in said


def test_whom_no_mending_helps(submission, assignment, salvaged):
    append(submission / RELU, "import os\nos._exit(0)\n")
    append(submission / LOSSES, "while True:\n    pass\n")
    append(submission / AFFINE, "def affine_backward(:\n")
    found = salvaged(call=2.0)
    assert sorted(found.broken) == ["handgrad.layers.activations", "handgrad.layers.losses"]
    assert {error.kind for error in found.broken.values()} == {"crash", "timeout"}
    assert (found.tree / RELU).read_bytes() == (assignment.course.release("a1") / RELU).read_bytes()
    assert [note.partition(",")[0] for note in found.notes] == [AFFINE]


def test_a_forged_answer_chooses_no_file():
    answers = [
        {"syntax": "../../etc/passwd", "frames": [], "missing": [], "module": "os"},
        {
            "syntax": "",
            "frames": [["/etc/passwd", 1, "<module>"]],
            "missing": ["os", "x"],
            "module": ["x"][0],
        },
    ]
    for answer in answers:
        assert _cause(answer, {"handgrad.layers.affine": AFFINE}) == ("", {})


def grade(submission, assignment) -> tuple[dict, list[str]]:
    report = grading.grade_submission(submission, assignment, "ada", SEED)
    automatic = {q.grade_id: q for q in report.questions if q.kind == "auto" and q.grade_id != "best_model"}
    return automatic, report.notes


def lost(questions: dict) -> dict[str, float]:
    return {
        name: round(q.max_points - q.points, 2) for name, q in questions.items() if q.points != q.max_points
    }


def test_a_submission_with_a_break_in_each_module(submission, assignment):
    """A bracket, an auto-import and a magic, leftovers that raise, a line of a method indented too far."""
    edit(submission / LOSSES, "def svm_loss(x: np.ndarray,", "def svm_loss((x: np.ndarray,")
    prepend(submission / AFFINE, "from no_such_package import forward\n%matplotlib inline\n")
    append(submission / RELU, "print(relu_forward(undefined))\nimport no_such_geometry as geometry\n")
    edit(submission / NET, "        return loss, grads", "         return loss, grads")
    questions, notes = grade(submission, assignment)
    assert lost(questions) == {
        "svm_loss": 4, "two_layer_net_scores": 3, "two_layer_net_loss": 5, "two_layer_net_training": 3,
    }  # fmt: skip
    assert re.fullmatch(
        rf"svm_loss raised SyntaxError: .+ \({LOSSES}, line \d+\)\.",
        questions["svm_loss"].explanation,
    )
    assert "raised IndentationError" in questions["two_layer_net_loss"].explanation
    for path, cause in ((LOSSES, "svm_loss"), (AFFINE, "forward"), (AFFINE, "line 2"), (RELU, "geometry")):
        assert any(note.startswith(path) and cause in note for note in notes)


def test_cut_and_renamed(submission, assignment):
    source = (submission / LOSSES).read_text()
    (submission / LOSSES).write_text(source[: source.index("def svm_loss") + 40])
    edit(submission / RELU, "def relu_backward", "def relu_backwards")
    questions, notes = grade(submission, assignment)
    assert lost(questions) == {"svm_loss": 4, "relu_backward": 2}
    assert f"{RELU} does not define relu_backward; only what uses relu_backward fails for it." in notes
    assert questions["relu_backward"].explanation == (
        f"relu_backward raised NameError: {RELU} does not define relu_backward."
    )
