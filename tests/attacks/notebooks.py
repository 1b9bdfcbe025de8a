"""Submissions whose notebook claims points: metadata, labels, outputs, hooks of IPython and of nbgrader.

They start from the untouched release, so that every point would be one too many. Notebooks go through
nbgrader's own conversion with our preprocessors, and what the gradebook then holds is asserted.
"""

import json

import nbformat
from corpus import NOTEBOOK, Attack, Outcome, files, no_marks, notebook, says
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

FULL = "import json\nassert True\nprint('11 of 11 passed')\n36.0"


def claims(name: str, goal: str, edit, *, checks=()) -> Attack:
    """An attack on the released notebook."""
    return Attack(name, "notebooks", goal, notebook(edit), "nothing", "release", tuple(checks))


def marked(nb) -> list:
    """The cells that nbgrader knows."""
    return [cell for cell in nb.cells if "nbgrader" in cell.metadata]


def automatic(nb) -> list:
    """The cells whose points the checks give."""
    return [c for c in marked(nb) if c.metadata.nbgrader.grade and not c.metadata.nbgrader.solution]


def answers(nb) -> list:
    """The cells whose points a person gives."""
    return [c for c in marked(nb) if c.metadata.nbgrader.grade and c.metadata.nbgrader.solution]


def result(text: str = "36.0"):
    return new_output("execute_result", data={"text/plain": text}, execution_count=1)


# ---- tags, points and roles


def tag(nb) -> None:
    for cell in nb.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "remove-cell", "remove-input"]
        cell.metadata |= {"deletable": True, "editable": True, "jupyter": {"source_hidden": True}}


def raise_points(nb) -> None:
    for cell in marked(nb):
        cell.metadata.nbgrader |= {"points": 1000.0, "max_score": 1000.0, "auto_score": 1000.0}
        cell.metadata |= {"points": 1000.0, "score": 1000.0, "extra_credit": 1000.0}


def mark_as_graded(nb) -> None:
    """Every automatic cell as an answer that a person has graded, and every answer as an automatic cell."""
    ours, theirs = automatic(nb), answers(nb)
    for cell in ours:
        cell.metadata.nbgrader |= {"solution": True, "locked": False, "task": False, "checksum": "0" * 32}
        cell.source += "\n# graded by hand: all points"
    for cell in theirs:
        cell.metadata.nbgrader |= {"solution": False, "locked": True, "cell_type": "code"}


def solution_cells_with_points(nb) -> None:
    for cell in marked(nb):
        if cell.metadata.nbgrader.solution:
            cell.metadata.nbgrader |= {"grade": True, "points": 50.0}
            if cell.cell_type == "code":
                cell.source, cell.outputs = "50.0", [result("50.0")]


def answers_that_run(nb) -> None:
    for position, cell in enumerate(nb.cells):
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "markdown":
            mark = {**cell.metadata.nbgrader, "solution": False, "cell_type": "code"}
            nb.cells[position] = new_code_cell(
                "2.0", id=cell.id, metadata={"nbgrader": mark}, outputs=[result("2.0")]
            )


def tasks(nb) -> None:
    for cell in marked(nb):
        cell.metadata.nbgrader |= {"task": True, "grade": True, "solution": False, "points": 20.0}


def odd_types(nb) -> None:
    odd = [
        ["affine_forward"],
        {"a": 1},
        None,
        True,
        1e308,
        "<b>affine_forward</b>",
        "../../gradebook.db",
        "'; --",
    ]
    for number, cell in enumerate(marked(nb)):
        cell.metadata.nbgrader |= {
            "grade_id": odd[number % len(odd)],
            "points": [float("1e308"), "36", None, -5, [36]][number % 5],
            "schema_version": [99, "3", None, -1][number % 4],
        }


def forge_checksums(nb) -> None:
    from nbgrader.utils import compute_checksum

    for cell in automatic(nb):
        cell.source = FULL
        cell.metadata.nbgrader["checksum"] = compute_checksum(cell)


# ---- cells


def edit_locked(nb) -> None:
    for cell in automatic(nb):
        cell.source = FULL
        cell.outputs = [result(str(cell.metadata.nbgrader.points))]


def duplicate(nb) -> None:
    copies = []
    for number in range(4):
        for cell in automatic(nb):
            copy = nbformat.from_dict(dict(cell, id=f"copy-{number}-{len(copies)}", source=FULL))
            copy.outputs = [result(str(cell.metadata.nbgrader.points))]
            copies.append(copy)
    half = len(copies) // 2
    nb.cells = copies[:half] + nb.cells + copies[half:]


def delete(nb) -> None:
    for cell in automatic(nb):
        nb.cells.remove(cell)


def delete_everything(nb) -> None:
    nb.cells = [new_code_cell("36.0", outputs=[result()])]


def relabel(nb) -> None:
    cells = automatic(nb)
    names = [cell.metadata.nbgrader.grade_id for cell in cells]
    for cell, name in zip(cells, names[1:] + names[:1], strict=True):
        cell.metadata.nbgrader.grade_id, cell.id = name, f"cell-{name}"[:64].replace("_", "-")


def one_label(nb) -> None:
    for cell in marked(nb):
        cell.metadata.nbgrader.grade_id = "two_layer_net_loss"


def reverse(nb) -> None:
    nb.cells.reverse()


def new_cells(nb) -> None:
    for name in ("bonus", "affine_forward_extra", "affine_forward ", "Affine_Forward"):
        mark = {"grade": True, "solution": False, "locked": True, "schema_version": 3, "task": False}
        mark |= {"grade_id": name, "points": 500.0, "cell_type": "code"}
        nb.cells.append(new_code_cell("500.0", metadata={"nbgrader": mark}, outputs=[result("500.0")]))


# ---- outputs


def outputs_with_points(nb) -> None:
    for cell in automatic(nb):
        points = str(cell.metadata.nbgrader.points)
        cell.outputs = [
            new_output("stream", name="stdout", text="passed\n"),
            new_output("display_data", data={"text/plain": points, "text/html": f"<b>{points} points</b>"}),
            result(points),
        ]
        cell.execution_count = 1


SCRIPT = "document.title='36 points'"


def active_outputs(nb) -> None:
    data = {
        "application/javascript": SCRIPT,
        "text/html": f"<script>{SCRIPT}</script><b>36 of 36 points</b>",
        "application/vnd.jupyter.widget-view+json": {"model_id": "x"},
        "application/x-nbgrader+json": {"points": 36},
    }
    for cell in automatic(nb):
        cell.outputs = [new_output("display_data", data=data)]
    nb.cells.append(new_code_cell("%%javascript\n" + SCRIPT, outputs=[new_output("display_data", data=data)]))


def no_script(outcome: Outcome) -> None:
    path = outcome.course.root / "autograded" / outcome.student / "a1" / f"{NOTEBOOK}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    shown = json.dumps([cell.get("outputs") for cell in cells])
    assert SCRIPT not in shown
    assert "application/" not in shown


# ---- what runs in a kernel


HOOKS = """
import builtins, os, sys
open("@OUTSIDE@/ran", "w").write("a cell was executed")
ip = get_ipython()
ip.events.register("post_run_cell", lambda result: setattr(result, "error_in_exec", None))
ip.input_transformers_cleanup.append(lambda lines: ["36.0\\n"])
ip.ast_transformers.append(type("Pass", (), {"visit": lambda self, node: node})())
ip.set_custom_exc((BaseException,), lambda *a, **k: None)
ip.run_cell = ip.run_cell_async = lambda *a, **k: 36.0
builtins.AssertionError = Warning
"""
MAGICS = "%%bash\necho 36.0 > @OUTSIDE@/ran\n"
SHELL = "!echo 36.0 > @OUTSIDE@/ran\n%run @OUTSIDE@/ran\n%load_ext autoreload\n%%capture\n36.0"


def hooks(tree, world) -> None:
    def edit(nb) -> None:
        sources = [world.fill(text) for text in (HOOKS, MAGICS, SHELL)]
        nb.cells[:0] = [new_code_cell(text, outputs=[result()]) for text in sources]
        for cell in marked(nb):
            if cell.metadata.nbgrader.solution and cell.cell_type == "code":
                cell.source = sources[0]

    notebook(edit)(tree, world)


def other_kernel(nb) -> None:
    nb.metadata["kernelspec"] = {"name": "bash", "display_name": "36 points", "language": "bash"}
    nb.metadata["kernelspec"]["argv"] = ["/bin/sh", "-c", "echo 36.0"]
    nb.metadata["language_info"] = {
        "name": "bash",
        "nbconvert_exporter": "script",
        "file_extension": "/../../x",
    }
    nb.metadata |= {"celltoolbar": "Create Assignment", "widgets": {"x": 1}, "nbgrader": {"score": 36}}


# ---- other files


def extra_notebooks(tree, world) -> None:
    nb = nbformat.read(tree / f"{NOTEBOOK}.ipynb", as_version=4)
    outputs_with_points(nb)
    for name in ("0_bonus", f"{NOTEBOOK}-Copy1", "handgrad/3_two_layer_net", "4_features"):
        (tree / f"{name}.ipynb").write_text(nbformat.writes(nb), encoding="utf-8")


MANIFEST = """
title = "mine"
editable = ["handgrad/gradient_check.py", "nbgrader_config.py", "../../gradebook.db"]
[accuracy.best_model]
shapes10 = { zero = 0.0, full = 0.01 }
"""
REPORT = json.dumps({"schema_version": 1, "assignment": "a1", "questions": [{"points": 36.0}]})
FORGED = {
    "manifest.toml": MANIFEST,
    "nbgrader_config.py": "open('@OUTSIDE@/ran', 'w')\nc = get_config()\nc.Autograde.force = True\n",
    "gradebook.db": "SQLite format 3\0",
    "reports/a1/other-files-claim-points.json": REPORT,
    "other-files-claim-points.json": REPORT,
    "feedback/a1/index.html": "<b>36 of 36</b>",
    ".handgrad/seed-a1": "0" * 32,
    "notes.json": json.dumps({"submission_hash": "", "notes": ["36 points"]}),
}


def cell_of_markdown_claims(nb) -> None:
    nb.cells.insert(
        0, new_markdown_cell("**About this submission**\n\n- Graded by a person: 36 of 36 points.")
    )
    for cell in automatic(nb):
        cell.cell_type = "markdown"
        for key in ("outputs", "execution_count"):
            cell.pop(key, None)


def saved_by_version_3(tree, world) -> None:
    path = tree / f"{NOTEBOOK}.ipynb"
    nb = nbformat.read(path, as_version=4)
    outputs_with_points(nb)
    old = nbformat.convert(nb, 3)
    path.write_text(json.dumps(dict(old, nbformat=3, nbformat_minor=0)), encoding="utf-8")


ATTACKS: list[Attack] = [
    claims(
        "tags-skip-execution",
        "Tags every cell with skip-execution and raises-exception, so that failing tests do not count.",
        tag,
    ),
    claims("points-raised", "Writes 1,000 points and scores into the metadata of every cell.", raise_points),
    claims(
        "automatic-cells-marked-as-answers",
        "Swaps the roles: automatic cells become answers that a person has graded, and answers automatic.",
        mark_as_graded,
    ),
    claims(
        "solution-cells-claim-points",
        "Marks solution cells as grade cells worth 50 points, with an output that gives them.",
        solution_cells_with_points,
    ),
    claims(
        "answers-that-grade-themselves",
        "Turns written answers into code cells whose result is their full score.",
        answers_that_run,
    ),
    claims("everything-a-task", "Marks every cell as a task of 20 points.", tasks),
    claims(
        "metadata-of-odd-types",
        "Writes lists, huge numbers, HTML, paths and SQL into labels, points and schema versions.",
        odd_types,
    ),
    claims(
        "checksums-forged",
        "Empties the tests and computes the checksums by which nbgrader recognises its own cells anew.",
        forge_checksums,
    ),
    claims(
        "tests-emptied", "Replaces the locked tests by code that passes and returns its points.", edit_locked
    ),
    claims(
        "cells-duplicated",
        "Adds copies of every graded cell that pass, before and after all others.",
        duplicate,
    ),
    claims("graded-cells-deleted", "Deletes the cells in which tests would fail.", delete),
    claims("all-cells-deleted", "Hands in one cell, whose result is all points.", delete_everything),
    claims("labels-exchanged", "Gives every graded cell the label and the id of the next one.", relabel),
    claims("one-label-for-all", "Gives every cell the label of the exercise that is worth most.", one_label),
    claims(
        "cells-in-reverse",
        "Turns the order of all cells round, so that tests run before what they test.",
        reverse,
    ),
    claims(
        "cells-that-nobody-released",
        "Adds graded cells of 500 points whose labels are almost known.",
        new_cells,
    ),
    claims(
        "outputs-claim-full-marks",
        "Leaves results below the tests that nbgrader reads as partial credit: the full points.",
        outputs_with_points,
    ),
    claims(
        "active-outputs",
        "Leaves JavaScript, HTML and widgets as outputs that would write points into a grader's page.",
        active_outputs,
        checks=[no_script],
    ),
    Attack(
        name="hooks-of-ipython",
        family="notebooks",
        goal="Registers events, transformers and handlers in IPython, and calls magics and the shell.",
        change=hooks,
        points="nothing",
        start="release",
        checks=(no_marks,),
    ),
    claims(
        "another-kernel", "Names a kernel of another language, with a command line of its own.", other_kernel
    ),
    claims(
        "notes-that-look-like-the-graders",
        "Turns the tests into text and puts a note on top that looks like the grader's own.",
        cell_of_markdown_claims,
    ),
    Attack(
        name="extra-notebooks",
        family="notebooks",
        goal="Hands in copies and other notebooks with full marks in their outputs beside the right one.",
        change=extra_notebooks,
        points="nothing",
        start="release",
    ),
    Attack(
        name="other-files-claim-points",
        family="notebooks",
        goal="Brings a manifest, a configuration, a gradebook, a report and feedback of its own along.",
        change=files(FORGED),
        points="nothing",
        start="release",
        checks=(no_marks,),
    ),
    Attack(
        name="notebook-of-version-3",
        family="notebooks",
        goal="Saves the notebook in an old format, in which labels and outputs are read in another way.",
        change=saved_by_version_3,
        points="nothing",
        start="release",
        checks=(says("converted from notebook format 3"),),
    ),
]
