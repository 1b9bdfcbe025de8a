"""Salvage: what is broken by machine is graded, repaired or shown to a person, and never lost."""

import json
import random
import shutil
from pathlib import Path

import nbformat
import pytest
from broken_notebooks import CELLS, Solved, break_notebook, fields, judge, plain, solved, written
from broken_notebooks import Broken as Notebook
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import grading
from autograder.salvage import FOR_A_PERSON, Unsalvageable, salvage, same_notebook
from autograder.salvage.cells import mark_of
from autograder.sandbox.notebook import code_cells
from autograder.staging import Arrival, collect, stage

SOURCE = Path(__file__).parents[2] / "assignments" / "source"
NAME = "1_convolution_arithmetic"
STUB = 'raise NotImplementedError("This cell is not written yet: replace this line by your code.")'
TEXT_STUB = "*Write your answer here, in place of this line.*"


def released(path):
    """The released notebook, made without nbgrader: solutions and hidden tests are what it takes out."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        lines, kept, inside = cell.source.split("\n"), [], False
        for line in lines:
            if "### BEGIN SOLUTION" in line:
                kept.append(STUB)
            inside = inside or line.strip().startswith("### BEGIN") or "=== BEGIN MARK SCHEME" in line
            kept += [] if inside else [line]
            inside = inside and not (line.strip().startswith("### END") or "=== END MARK SCHEME" in line)
        cell.source = "\n".join(kept).rstrip()
        if mark.get("solution") and cell.cell_type == "markdown":
            cell.source = TEXT_STUB
    return nbformat.writes(notebook).encode() + b"\n"


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory):
    """Solved notebooks of several kinds: answers, small code cells that are run, functions, long searches."""
    folder = tmp_path_factory.mktemp("salvage")
    found = []
    for path in ("a2/1_convolution_arithmetic", "a1/3_two_layer_net", "a2/6_pytorch", "a3/2_classification"):
        (folder / f"{Path(path).name}.ipynb").write_bytes(released(SOURCE / f"{path}.ipynb"))
        found.append(solved(SOURCE / f"{path}.ipynb", folder / f"{Path(path).name}.ipynb"))
    return found


@pytest.fixture
def work(notebooks) -> Solved:
    return notebooks[0]


def fresh(work: Solved) -> Notebook:
    return Notebook(json.loads(json.dumps(work.cells)), dict(work.metadata))


def cell_of(notebook: Notebook, name: str) -> dict:
    return next(c for c in notebook.cells if mark_of(c).get("grade_id") == name)


def repaired(
    work: Solved, notebook: Notebook | bytes
) -> tuple[dict[str, dict], tuple[str, ...], tuple[str, ...]]:
    """The salvaged cells by label, the notes, and the questions for a person."""
    data = notebook if isinstance(notebook, bytes) else written(notebook)
    result = salvage(data, work.released, "n.ipynb")
    again = salvage(result.content, work.released, "n.ipynb")
    assert (again.content, again.person) == (result.content, result.person)
    cells = json.loads(result.content)["cells"]
    nbformat.validate(json.loads(result.content))
    return {mark_of(c).get("grade_id"): c for c in cells if mark_of(c)}, result.notes, result.person


def stub_of(work: Solved, name: str) -> dict:
    return next(c for c in json.loads(work.released)["cells"] if mark_of(c).get("grade_id") == name)


def text(cell: dict) -> str:
    return "".join(cell["source"])


def test_what_is_not_broken_is_not_touched(notebooks):
    for work in notebooks:
        for content in (work.released, written(fresh(work))):
            assert salvage(content, work.released, "n.ipynb").content == content
            assert salvage(content, work.released, "n.ipynb").notes == ()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9), st.integers(1, 3), st.integers(0, 3))
def test_nothing_breaks_it_and_nothing_is_lost(notebooks, seed, count, which):
    work = notebooks[which]
    data, ways, gone = break_notebook(work, random.Random(seed), count)
    try:
        result = salvage(data, work.released, "n.ipynb")
    except Unsalvageable:
        assert "cut" in ways
        return
    assert judge(work, result, gone)[1] == [], (ways, result.notes)
    again = salvage(result.content, work.released, "n.ipynb")
    assert (again.content, again.person) == (result.content, result.person)
    assert salvage(data, work.released, "n.ipynb") == result
    if result.content != data:
        nbformat.validate(json.loads(result.content))


FIELDS = "cells nbformat metadata source cell_type worksheets id outputs nbgrader grade_id person handgrad"
SCALARS = st.none() | st.booleans() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_a_notebook_or_a_sentence(notebooks, data):
    try:
        content = salvage(data, notebooks[0].released, "n.ipynb").content
    except Unsalvageable as error:
        content, said = notebooks[0].released, str(error)
    else:
        said = "It was salvaged."
    assert said.startswith("It ")
    assert salvage(content, notebooks[0].released, "n.ipynb").content == content


def test_the_judge_finds_what_is_wrong(work):
    """A salvage that lost, exchanged or invented something would be called wrong."""
    good = fresh(work)
    swapped, lost = fresh(work), fresh(work)
    one, two = (cell_of(swapped, f"arithmetic_question_{n}") for n in (1, 2))
    one["source"], two["source"] = two["source"], one["source"]
    cell_of(lost, "arithmetic_part_1")["source"] = "answers_1 = {}"
    result = salvage(written(good), work.released, "n.ipynb")
    assert judge(work, result, set()) == ("graded", [])
    for bad in (swapped, lost):
        assert judge(work, type(result)(written(bad)), set())[0] == "wrong"


@pytest.mark.parametrize("depth", [300, 900, 20_000])
def test_deep_nesting_is_no_crash(work, depth):
    deep = "[" * depth + "NaN" + "]" * depth
    data = written(fresh(work)).replace(b'"metadata": {}', b'"metadata": {"deep": ' + deep.encode() + b"}", 1)
    for content in (data, data[:-50], data + data):
        try:
            result = salvage(content, work.released, "n.ipynb").content
        except Unsalvageable:
            result = work.released
        json.loads(result)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(work, encoding):
    cells, notes, person = repaired(work, written(fresh(work)).decode().encode(encoding))
    assert {name: text(cells[name]) for name in work.work} == work.work
    assert len(notes) == 1
    assert person == ()


def test_latin_1_keeps_its_letters(work):
    notebook = fresh(work)
    cell_of(notebook, "arithmetic_question_1")["source"] = "Größe, café"
    data = written(notebook).decode().encode("cp1252", "replace")
    cells, notes, _ = repaired(work, data)
    assert text(cells["arithmetic_question_1"]) == "Größe, café"
    assert "n.ipynb was saved in Latin-1." in notes


def test_of_two_sides_of_a_merge_ours_counts_and_theirs_is_kept_for_a_person(work):
    lines = written(fresh(work)).decode().split("\n")
    place = next(n for n, line in enumerate(lines) if "answers_1 = {" in line)
    theirs = lines[place].replace("{", "{  # theirs")
    lines[place : place + 1] = ["<<<<<<< HEAD", lines[place], "=======", theirs, ">>>>>>> feature"]
    data = "\n".join(lines).encode()
    cells, notes, person = repaired(work, data)
    assert text(cells["arithmetic_part_1"]) == work.work["arithmetic_part_1"]
    assert "marks of an unfinished merge" in notes[0]
    assert person == ("arithmetic_answers_1",)
    result = json.loads(salvage(data, work.released, "n.ipynb").content)
    assert [c["cell_type"] for c in result["cells"] if "# theirs" in text(c)] == ["raw"]


def test_work_that_only_theirs_has_counts(work):
    ours, theirs = (written(n).decode().split("\n") for n in (fresh(work), fresh(work)))
    begin = next(n for n, line in enumerate(ours) if "answers_1 = {" in line)
    end = next(n for n, line in enumerate(ours) if n > begin and line.strip() in ("]", "],"))
    old = stub_of(work, "arithmetic_part_1")
    lines = [json.dumps(line) + "," for line in text(old).splitlines(keepends=True)]
    lines[-1] = lines[-1].removesuffix(",")
    ours[begin:end] = ["<<<<<<< HEAD", *lines, "=======", *theirs[begin:end], ">>>>>>> feature"]
    cells, notes, _ = repaired(work, "\n".join(ours).encode())
    assert text(cells["arithmetic_part_1"]) == work.work["arithmetic_part_1"]
    assert any("only worked on in the other version" in note for note in notes)


def test_what_was_cut_off_goes_to_a_person_and_is_no_empty_answer(work):
    data = written(fresh(work))
    cells, notes, person = repaired(work, data[: data.index(b"answers_2 = {") + 40])
    assert text(cells["arithmetic_part_1"]) == work.work["arithmetic_part_1"]
    assert text(cells["arithmetic_part_2"]).endswith('print(f"{name}: {answer}")')
    assert person == ("arithmetic_answers_2",)
    assert "n.ipynb: What stood in arithmetic_part_2 could not be read: a person decides." in notes
    cells, _, _ = repaired(work, data[: data.index(b"## Question 1")])
    assert text(cells["arithmetic_question_1"]) == ""  # what is as released would get 0 points from nbgrader


def test_an_untouched_cell_of_a_damaged_notebook_goes_to_a_person(work):
    notebook = fresh(work)
    cell_of(notebook, "arithmetic_part_1")["source"] = text(stub_of(work, "arithmetic_part_1"))
    data = written(notebook)
    assert repaired(work, data)[2] == ()
    _, notes, person = repaired(work, data[:-200])
    assert "arithmetic_answers_1" in person
    assert any("arithmetic_part_1 is as released, but work may have stood" in note for note in notes)


def test_work_in_an_unlabelled_cell_below_goes_to_a_person(work):
    notebook = fresh(work)
    place = notebook.cells.index(cell_of(notebook, "arithmetic_part_1"))
    notebook.cells.insert(place + 1, plain({"cell_type": "code"}, 'answers_1["width"] = 7') | {"id": "more"})
    assert repaired(work, notebook)[2] == ()
    notebook.cells[place + 1]["source"] = "answers_1 = dict(answers_1, width=7)"
    _, notes, person = repaired(work, notebook)
    assert person == ("arithmetic_answers_1",)
    assert any("arithmetic_part_1 may stand in a cell without a label" in note for note in notes)


def test_a_deleted_answer_is_as_released(work):
    notebook = fresh(work)
    notebook.cells.remove(cell_of(notebook, "arithmetic_question_1"))
    cells, notes, person = repaired(work, notebook)
    assert text(cells["arithmetic_question_1"]) == TEXT_STUB
    assert notes == ("n.ipynb: The cell arithmetic_question_1 was missing, and is there as released.",)
    assert person == ()


def test_the_last_copy_that_was_worked_on_counts(work):
    notebook = fresh(work)
    place = notebook.cells.index(cell_of(notebook, "arithmetic_part_1"))
    older, stub = (json.loads(json.dumps(notebook.cells[place])) for _ in range(2))
    older["source"], stub["source"] = "answers_1 = {}", text(stub_of(work, "arithmetic_part_1"))
    notebook.cells[place : place + 1] = [older, notebook.cells[place], stub]
    data = written(notebook)
    cells, notes, _ = repaired(work, data)
    assert text(cells["arithmetic_part_1"]) == work.work["arithmetic_part_1"]
    assert any("was there 2 times with different texts: the last one counts" in note for note in notes)
    everything = salvage(data, work.released, "n.ipynb").content.decode()
    assert "answers_1 = {}" in everything


def test_a_copy_in_scratch_code_does_not_count_where_the_cell_itself_was_answered(work):
    notebook = fresh(work)
    notebook.cells.append(plain({"cell_type": "code"}, "answers_1 = {}"))
    data = written(notebook)
    assert salvage(data, work.released, "n.ipynb").content == data


def test_labels_swapped_between_an_answer_and_code_are_put_back(work):
    notebook = fresh(work)
    code, answer = (cell_of(notebook, name) for name in ("arithmetic_part_1", "arithmetic_question_1"))
    code["metadata"], answer["metadata"] = answer["metadata"], code["metadata"]
    for cell in notebook.cells:
        del cell["id"]
    notebook.cells.remove(answer)
    notebook.cells.insert(1, answer)  # so that its place says nothing either
    cells, notes, person = repaired(work, notebook)
    for name in ("arithmetic_part_1", "arithmetic_question_1"):
        assert text(cells[name]) == work.work[name]
    assert person == ()
    assert any("had lost or changed the label, which was put back" in note for note in notes)


def test_labels_swapped_between_answers_are_put_back_by_the_place_of_one(notebooks):
    work = notebooks[1]
    notebook = fresh(work)
    names = ("inline_question_1", "inline_question_2")
    one, two = (cell_of(notebook, name) for name in names)
    one["metadata"], two["metadata"] = two["metadata"], one["metadata"]
    for cell in notebook.cells:
        del cell["id"]
    notebook.cells.remove(two)
    notebook.cells.insert(1, two)
    cells, _, person = repaired(work, notebook)
    assert {name: text(cells[name]) for name in names} == {name: work.work[name] for name in names}
    assert person == ()


def test_work_far_from_the_rest_of_a_stub_goes_to_a_person(notebooks):
    work = notebooks[-1]
    notebook = fresh(work)
    cell = cell_of(notebook, "modules_default_training")
    place = notebook.cells.index(cell)
    notebook.cells.insert(place + 1, plain(cell, cell["source"].partition("\n\n")[2]))
    cell["source"] = text(stub_of(work, "modules_default_training")).partition("\n\nraise")[0]
    notebook.cells.insert(0, notebook.cells.pop(place))
    _, notes, person = repaired(work, notebook)
    assert person == ("modules_default_check",)
    assert any("modules_default_training may stand in a cell without a label" in note for note in notes)


def test_a_part_of_the_work_beside_an_untouched_cell_goes_to_a_person(notebooks):
    work = notebooks[-1]
    notebook = fresh(work)
    cell = cell_of(notebook, "modules_default_training")
    cell["source"] = text(stub_of(work, "modules_default_training"))
    notebook.cells.append(plain(cell, "default_net = Sequential([Linear(3072, 10), Softmax()])"))
    assert repaired(work, notebook)[2] == ("modules_default_check",)


def test_code_that_stops_in_the_middle_beside_a_cell_without_label_goes_to_a_person(notebooks):
    work = notebooks[-1]
    notebook = fresh(work)
    cell = cell_of(notebook, "modules_search")
    lines = cell["source"].split("\n")
    end = next(n for n, line in enumerate(lines) if line.startswith("for "))
    rest = next(n for n, line in enumerate(lines) if line.startswith("best_net.save("))
    notebook.cells.insert(notebook.cells.index(cell) + 1, plain(cell, "\n".join(lines[rest:])))
    cell["source"] = "\n".join(lines[: end + 1])  # the loop's body and what follows it are in neither
    assert repaired(work, notebook)[2] == ("best_modules_net",)


def test_a_function_in_a_cell_without_label_elsewhere_goes_to_a_person(notebooks):
    work = notebooks[2]
    notebook = fresh(work)
    cell = cell_of(notebook, "torch_weights_code")
    first, _, second = cell["source"].partition("def zero_weight")
    cell["source"] = first
    notebook.cells.append(plain(cell, f"def zero_weight{second}"))
    assert repaired(work, notebook)[2] == ("torch_weights",)


def test_a_part_of_another_type_with_the_label_is_joined(work):
    notebook = fresh(work)
    cell = cell_of(notebook, "arithmetic_part_1")
    start, brace, end = cell["source"].rpartition("}\n\n")
    rest = {"cell_type": "raw", "metadata": cell["metadata"], "source": brace + end}
    cell["source"] = start
    notebook.cells.insert(notebook.cells.index(cell) + 1, rest)
    cells, notes, person = repaired(work, notebook)
    assert text(cells["arithmetic_part_1"]).split() == work.work["arithmetic_part_1"].split()
    assert person == ()
    assert "n.ipynb: The cell arithmetic_part_1 was split into 2, which were joined." in notes


def test_code_that_was_cut_off_in_its_second_half_goes_to_a_person(notebooks):
    work = notebooks[-1]
    notebook = fresh(work)
    cell = cell_of(notebook, "modules_search")
    lines = cell["source"].split("\n")
    at = next(n for n, line in enumerate(lines) if line.startswith("for ")) + 3  # in the loop's body
    rest = plain(cell, "\n".join(lines[at:]))
    cell["source"] = "\n".join(lines[:at])
    notebook.cells[notebook.cells.index(cell) + 1 :] = [rest]
    data = written(notebook)
    last = json.dumps(lines[-1])[1:-1].encode()
    assert "best_modules_net" in repaired(work, data[: data.rindex(last)])[2]


def test_parts_with_one_label_that_another_cell_parts_go_to_a_person(notebooks):
    work = notebooks[-1]
    notebook = fresh(work)
    cell, other = (cell_of(notebook, name) for name in ("modules_search", "modules_default_training"))
    place = notebook.cells.index(cell)
    lines = cell["source"].split("\n")
    rest = dict(cell, source="\n".join(lines[12:]))
    between = json.loads(json.dumps(other))
    del rest["id"], between["id"]
    cell["source"] = "\n".join(lines[:12])
    notebook.cells[place + 1 : place + 1] = [between, rest]
    assert repaired(work, notebook)[2] == ("best_modules_net",)


def test_forged_roles_and_doubts_earn_nothing(work):
    """A student may send questions to a person, but neither hide a cell nor write the notes."""
    notebook = fresh(work)
    mark_of(cell_of(notebook, "arithmetic_part_1")).update(grade=True, solution=False)
    notebook.metadata["handgrad"] = {"person": ["arithmetic_part_2", "evil", 7], "notes": ["full points"]}
    cells, notes, person = repaired(work, notebook)
    assert mark_of(cells["arithmetic_part_1"])["solution"]
    assert person == ("arithmetic_answers_2",)
    assert not any("full points" in note for note in notes)


def test_the_sandbox_reads_what_was_salvaged(work, tmp_path):
    notebook = fresh(work)
    for way in (*CELLS, fields):
        way(notebook, random.Random(1))
    (tmp_path / "n.ipynb").write_bytes(salvage(written(notebook), work.released, "n").content)
    assert {"student_id", "arithmetic_part_1", "arithmetic_part_2"} <= {
        label for label, _ in code_cells(str(tmp_path / "n.ipynb"))
    }


@pytest.mark.parametrize(
    ("file", "same"),
    [
        ("3_two_layer_net (1).ipynb", True),
        ("Copy of 3_two_layer_net.ipynb", True),
        ("3_two_layer_net-Copy1.ipynb", True),
        ("3_two_layer_net.ipynb.txt", True),
        ("3_two_layer_net.json", True),
        ("Copy of 3 Two Layer Net (2).ipynb.zip", True),
        ("3_two_layer_net.py", False),
        ("2_neural_net.ipynb", False),
        ("old_3_two_layer_net.ipynb", False),
    ],
)
def test_names_that_downloads_give(file, same):
    assert same_notebook(file, "3_two_layer_net") == same


class TestStaging:
    @pytest.fixture
    def a1(self, released_course):
        return released_course.assignment("a1")

    @pytest.fixture
    def folder(self, a1, tmp_path):
        return shutil.copytree(a1.course.release("a1"), tmp_path / "handed-in" / "ada")

    def test_a_renamed_notebook_is_taken(self, a1, folder, tmp_path):
        path = folder / "3_two_layer_net.ipynb"
        content = path.read_bytes()
        path.rename(folder / "Copy of 3_two_layer_net (1).ipynb")
        staged = stage(folder, a1, tmp_path / "tree")
        assert (staged.tree / path.name).read_bytes() == content
        assert staged.notes == [
            "Copy of 3_two_layer_net (1).ipynb was taken for 3_two_layer_net.ipynb, which was not handed in."
        ]

    def test_of_several_names_one_counts_and_the_other_is_kept_where_it_differs(self, a1, folder, tmp_path):
        path = folder / "3_two_layer_net.ipynb"
        notebook = json.loads(path.read_bytes())
        cells = {mark_of(cell).get("grade_id"): cell for cell in notebook["cells"]}
        for number, answer in ((1, "Older."), (2, "Newer.")):
            cells["inline_question_1"]["source"] = answer
            (folder / f"3_two_layer_net ({number}).ipynb").write_text(json.dumps(notebook))
        path.unlink()
        staged = stage(folder, a1, tmp_path / "tree")
        found = json.loads((staged.tree / path.name).read_bytes())["cells"]
        assert [text(c) for c in found if text(c) in ("Older.", "Newer.")] == ["Newer.", "Older."]
        assert len([c for c in found if text(c) == "Newer." and mark_of(c)]) == 1
        assert "came as 3_two_layer_net (1).ipynb too, which is kept where it differs" in staged.notes[1]

    def test_salvaged_when_it_comes_and_the_same_ever_after(self, a1, folder, tmp_path):
        path = folder / "3_two_layer_net.ipynb"
        path.write_bytes(path.read_bytes()[:-9_000])
        first = stage(folder, a1, tmp_path / "1")
        found = collect(Arrival("ada", folder), a1.course, a1)
        submitted = a1.course.submitted("a1", "ada")
        second = stage(submitted, a1, tmp_path / "2")
        assert found == first.submission_hash == second.submission_hash
        assert (first.notes, first.person) == (second.notes, second.person)
        assert "is damaged or was cut off" in first.notes[0]
        (raw,) = a1.course.received("a1", "ada").glob(f"*/{path.name}")
        assert raw.read_bytes() == path.read_bytes()

    def test_doubt_sends_a_failing_question_to_a_person(self, a1, folder):
        path = folder / "3_two_layer_net.ipynb"
        notebook = json.loads(path.read_bytes())
        notebook["metadata"]["handgrad"] = {"person": ["hyperparameter_search"]}
        path.write_text(json.dumps(notebook))
        report = grading.grade_submission(folder, a1, "ada", "0" * 32, isolation="none")
        question = next(q for q in report.questions if q.grade_id == "best_model")
        assert (question.points, question.status, question.explanation) == (None, "manual", FOR_A_PERSON)
        assert report.auto_points == 0
