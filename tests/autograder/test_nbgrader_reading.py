"""Whatever a student's notebook holds, what is read from it is a valid notebook of known types."""

import json

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_course import PNG

from autograder.nbgrader import reading
from autograder.nbgrader.reading import Unreadable, note, read

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=8) | st.just(PNG)
NAMES = (
    "cell_type source outputs output_type data metadata nbgrader grade_id attachments id text name traceback"
)
KEYS = st.sampled_from([*NAMES.split(), "execution_count", "text/html", "image/png"]) | st.text(max_size=3)
WORDS = st.sampled_from(
    ["code", "markdown", "raw", "stream", "display_data", "execute_result", "error", "stderr"]
)
JUNK = st.recursive(
    LEAVES | WORDS, lambda x: st.lists(x, max_size=4) | st.dictionaries(KEYS, x, max_size=6), max_leaves=15
)


def save(path, cells, **top):
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells} | top))
    return path


def read_cell(path, **cell):
    return read(save(path, [cell])).cells[0]


@settings(deadline=None, max_examples=60)
@given(cells=st.lists(st.dictionaries(KEYS, JUNK | WORDS, max_size=8), max_size=4))
def test_any_cells_become_a_valid_notebook_that_can_be_written(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("read") / "n.ipynb"
    notebook = read(save(path, cells))
    nbformat.validate(notebook)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    assert read(path) == notebook  # nothing is left to take away


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"PK\x03\x04", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"[]", "not a notebook"),
        (b'{"nbformat": 4}', "not a notebook"),
        (b'{"nbformat": 3, "worksheets": [], "cells": []}', "not a notebook"),
        (b'{"nbformat": 4, "cells": "none"}', "not a notebook"),
    ],
)
def test_what_is_no_notebook_is_refused_with_a_reason(tmp_path, data, reason):
    path = tmp_path / "n.ipynb"
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=reason):
        read(path)


def test_a_notebook_beyond_all_bounds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_NOTEBOOK", 1_000_000)
    with pytest.raises(Unreadable, match="larger than 1 MB"):
        read(save(tmp_path / "n.ipynb", [{"cell_type": "code", "source": "x" * 1_000_000}]))


def test_outputs_are_bounded_and_say_so(tmp_path):
    output = {"output_type": "stream", "name": "stdout", "text": "x" * (reading.MAX_TEXT + 5)}
    small = output | {"text": "x"}
    cell = read_cell(tmp_path / "n.ipynb", cell_type="code", source="", outputs=[output] + [small] * 500)
    assert len(cell.outputs) == reading.MAX_OUTPUTS
    assert cell.outputs[0].text == "x" * reading.MAX_TEXT + reading.CUT


def test_pictures_stay_and_only_if_they_are_pictures(tmp_path):
    def shown(kind, value, **metadata):
        output = {
            "output_type": "display_data",
            "data": {kind: value, "text/plain": "fig"},
            "metadata": metadata,
        }
        return read_cell(tmp_path / "n.ipynb", cell_type="code", source="", outputs=[output]).outputs[0]

    kept = shown("image/png", PNG, **{"image/png": {"width": 300, "height": "1 onload=alert(1)", "alt": "x"}})
    assert kept.data["image/png"] == PNG
    assert kept.metadata == {"image/png": {"width": 300}}
    assert shown("image/png", [PNG[:20], "\n", PNG[20:]]).data["image/png"] == PNG
    for kind, value in [("image/png", '"><script>'), ("image/jpeg", PNG), ("image/svg+xml", "<svg/>")]:
        assert shown(kind, value).data == {"text/plain": "fig"}
    widget = shown("application/vnd.jupyter.widget-view+json", {"model_id": "a"})
    assert widget.data == {"text/plain": "fig"}


def test_of_the_metadata_only_the_label_stays(tmp_path):
    metadata = {"tags": ['"><script>'], "magics_language": "x", "nbgrader": {"grade_id": "a", "points": 99}}
    assert read_cell(tmp_path / "n.ipynb", cell_type="code", source="", metadata=metadata).metadata == {
        "nbgrader": {"grade_id": "a"}
    }


def test_a_note_shows_its_lines_as_they_are():
    source = note(["[x](javascript:y) <b>`*"]).source
    assert source.endswith(r"- \[x\]\(javascript\:y\) \<b\>\`\*")
