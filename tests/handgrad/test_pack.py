"""`handgrad pack`: it finds what is missing without running anything, and writes the same zip every time."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from handgrad.pack import ASSIGNMENT_FILE, MANIFEST_FILE, command, hash_of, main, pack, text_hash

REPOSITORY = Path(__file__).resolve().parents[2]
OPTIM, LAYERS = "handgrad/optim.py", "handgrad/layers.py"
STUB = 'raise NotImplementedError("sgd is not written yet: write it in handgrad/optim.py")'
CELLS = {"sgd_test": "assert sgd", "train": 'raise NotImplementedError("not written")', "why": "Write here."}


def cell(label, source, kind="code", solution=False, count=1):
    """A cell as a notebook file has it."""
    mark = {"grade_id": label, "solution": solution, "grade": not solution}
    ran = {"execution_count": count, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {"nbgrader": mark}, "source": source.splitlines(True), **ran}


def notebook(**changes):
    """The notebook with other sources in its cells."""
    sources = {**CELLS, **changes}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            cell("sgd_test", sources["sgd_test"], count=1),
            cell("train", sources["train"], solution=True, count=2),
            cell("why", sources["why"], "markdown", solution=True),
        ],
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A student's folder of a small a2, finished, and the current one."""
    about = {
        "assignment": "a2",
        "notebooks": ["1_nets.ipynb"],
        "editable": [OPTIM, LAYERS],
        "saved": {"1_nets": ["best.npz", "best.safetensors"]},
        "functions": {OPTIM: ["sgd", "Adam.step"], LAYERS: ["relu"]},
        "cells": {
            "1_nets.ipynb": {
                label: {
                    "answer": label != "sgd_test",
                    "code": label != "why",
                    "sha256": text_hash(CELLS[label]),
                }
                for label in CELLS
            }
        },
        "given": {"handgrad/__init__.py": text_hash("")},
        "packages": ["numpy"],
        "limits": {"module": 2000, "notebook": 20_000, "saved": 2_000_000, "total": 2_010_000, "ratio": 200},
    }
    root = tmp_path / "work" / "a2"
    (root / "handgrad").mkdir(parents=True)
    (root / ASSIGNMENT_FILE).write_text(json.dumps(about))
    (root / "handgrad" / "__init__.py").write_text("")
    (root / OPTIM).write_text(
        "import numpy as np\n\ndef sgd(w):\n    return w\n\n"
        "class Adam:\n    def step(self):\n        return np.ones(1)\n"
    )
    (root / LAYERS).write_text("from .optim import sgd\n\n\ndef relu(x):\n    return x\n")
    (root / "1_nets.ipynb").write_text(json.dumps(notebook(train="x = 1", why="Because.")))
    np.savez(root / "best.npz", w=np.ones((2, 3)))
    save_tensors(root / "best.safetensors")
    monkeypatch.chdir(root)
    return root


def save_tensors(path, missing=0):
    """A safetensors file of one tensor, with bytes missing at its end."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8 - missing))


def printed(capsys, **options):
    """What pack prints, and the zip."""
    made = pack(**options)
    return capsys.readouterr().out, made


def change(**changes):
    """Change what the release's file says."""
    about = json.loads(Path(ASSIGNMENT_FILE).read_text())
    Path(ASSIGNMENT_FILE).write_text(json.dumps({**about, **changes}))


class TestZip:
    def test_a_finished_folder_gives_a_zip_and_a_short_receipt(self, folder, capsys):
        text, made = printed(capsys, assignment="a2", student="ada")
        assert made == folder / "a2-ada.zip"
        assert "5 of 5 files" in text
        assert "Every exercise has been written." in text
        assert "Worth a look" not in text
        assert "Not in order" not in text
        with zipfile.ZipFile(made) as archive:
            names = archive.namelist()
            manifest = json.loads(archive.read(f"a2/{MANIFEST_FILE}"))
            files = {name: archive.read(f"a2/{name}") for name in manifest["files"]}
        assert names == sorted(names)
        assert set(names) == {f"a2/{name}" for name in [*files, MANIFEST_FILE]}
        assert manifest["submission_hash"] == hash_of(files)
        assert f"Submission hash: {hash_of(files)[:12]}\n" in text

    def test_the_same_files_give_the_same_bytes(self, folder):
        first = pack().read_bytes()
        for path in folder.rglob("*.py"):
            os.utime(path, (1e9, 1e9))
        assert pack().read_bytes() == first

    def test_check_writes_nothing(self, folder, capsys):
        text, made = printed(capsys, check=True)
        assert made is None
        assert "Only checked" in text
        assert not list(folder.glob("*.zip"))

    def test_what_packs_too_well_is_stored_so_that_it_is_no_bomb(self, folder):
        (folder / "1_nets.ipynb").write_text(json.dumps(notebook(train="x = 1" + " " * 2_000_000)))
        change(limits={"module": 2000, "notebook": 10**7, "saved": 10**7, "total": 10**8, "ratio": 200})
        with zipfile.ZipFile(pack()) as archive:
            assert all(m.file_size <= 200 * m.compress_size for m in archive.infolist())

    def test_the_hash_is_of_paths_and_contents(self):
        assert hash_of({"a": b"1", "b": b"2"}) == hash_of({"b": b"2", "a": b"1"})
        assert len({hash_of(f) for f in ({"a": b"bc"}, {"ab": b"c"}, {"a": b"b", "c": b""}, {})}) == 4

    def test_a_zip_that_cannot_be_written_is_a_sentence(self, folder, capsys):
        assert printed(capsys, out=folder / "absent" / "a2.zip")[0].endswith(
            "a2.zip was not written: No such file or directory.\n"
        )

    @pytest.mark.parametrize("out", ["handgrad/optim.py", "handgrad"])
    def test_no_file_of_the_students_is_overwritten(self, folder, capsys, out):
        before = (folder / OPTIM).read_text()
        assert "is no name for a zip" in printed(capsys, out=out)[0]
        assert (folder / OPTIM).read_text() == before


class TestExercises:
    def test_stubs_are_listed_by_function_and_file(self, folder, capsys):
        (folder / OPTIM).write_text(
            f"def sgd(w):\n    {STUB}\n\nclass Adam:\n    def step(self):\n"
            "        if self:\n            raise NotImplementedError\n"
        )
        (folder / "1_nets.ipynb").write_text(json.dumps(notebook()))
        text, made = printed(capsys)
        assert f"  {OPTIM}: sgd, Adam.step\n" in text
        assert "  1_nets.ipynb: train, why\n" in text
        assert made is not None

    @pytest.mark.parametrize(
        "body",
        [
            "return w\n    raise NotImplementedError",
            "def inner():\n        raise NotImplementedError\n    return w",
            "raise ValueError",
            "# raise NotImplementedError",
        ],
        ids=["after the return", "in a helper", "another error", "in a comment"],
    )
    def test_what_does_not_stop_the_function_is_no_stub(self, folder, capsys, body):
        (folder / LAYERS).write_text(f"def relu(w):\n    {body}\n    return w\n")
        assert "Every exercise has been written." in printed(capsys)[0]

    @pytest.mark.parametrize(
        "block",
        [
            "for i in w:\n        {}",
            "try:\n        pass\n    except ValueError:\n        {}",
            "match w:\n        case 1:\n            {}",
        ],
        ids=["loop", "handler", "case"],
    )
    def test_stubs_inside_blocks(self, folder, capsys, block):
        (folder / LAYERS).write_text(f"def relu(w):\n    {block.format('raise NotImplementedError')}\n")
        assert f"  {LAYERS}: relu\n" in printed(capsys)[0]

    def test_a_cell_with_a_stub_among_other_lines_is_not_written(self, folder, capsys):
        source = "%matplotlib inline\nif True:\n    raise NotImplementedError()"
        (folder / "1_nets.ipynb").write_text(json.dumps(notebook(train=source, why="Because.")))
        assert "  1_nets.ipynb: train\n" in printed(capsys)[0]

    def test_a_function_that_lost_its_name(self, folder, capsys):
        (folder / LAYERS).write_text("def ReLU(x):\n    return x\n")
        assert f"{LAYERS} has no relu any more" in printed(capsys)[0]

    def test_nothing_is_run(self, folder, capsys):
        (folder / LAYERS).write_text("open('ran', 'w')\ndef relu(x):\n    return x\n")
        (folder / "1_nets.ipynb").write_text(json.dumps(notebook(train="open('ran', 'w')")))
        printed(capsys)
        assert not (folder / "ran").exists()


class TestModules:
    def test_a_module_that_does_not_parse(self, folder, capsys):
        (folder / OPTIM).write_text(f"def sgd(w):\n    {STUB}\n\nclass Adam:\n    def step(self)\n")
        text, made = printed(capsys)
        assert f"{OPTIM}, line 5: Python cannot read it (expected ':')." in text
        assert f"  {OPTIM}: sgd\n" in text
        assert (made, main([])) == (None, 1)
        assert pack(anyway=True) == folder / "a2-submission.zip"

    @pytest.mark.parametrize("content", [b"x = '\0'", b"x = '\xff'", b"(" * 5000 + b")" * 5000])
    def test_bytes_that_are_no_python(self, folder, capsys, content):
        change(limits={"module": 20_000, "notebook": 20_000, "saved": 9999, "total": 99_999, "ratio": 200})
        (folder / OPTIM).write_bytes(content)
        assert f"{OPTIM}" in printed(capsys)[0].split("Not in order:")[1]

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("import absent_package.deep", "imports absent_package, which is not installed"),
            ("from mine import x", "imports mine, which is not handed in"),
            ("import pytest", "imports pytest, which is not among the course's packages"),
            ("from handgrad.absent import x", "imports handgrad.absent, which is not part of"),
            ("from .absent import x", "imports handgrad.absent, which is not part of"),
            ("if True:\n    import absent_package", "line 2: imports absent_package"),
        ],
    )
    def test_imports_that_will_fail(self, folder, capsys, line, said):
        (folder / "mine.py").write_text("x = 1\n")
        (folder / LAYERS).write_text(f"{line}\n\ndef relu(x):\n    return x\n")
        text, made = printed(capsys)
        assert said in text
        assert made is not None

    @pytest.mark.parametrize(
        "line",
        [
            "import math, numpy.linalg",
            "from handgrad import optim",
            "from .optim import sgd",
            "from . import optim",
            "try:\n    import absent_package\nexcept ImportError:\n    pass",
        ],
    )
    def test_imports_that_work(self, folder, capsys, line):
        (folder / LAYERS).write_text(f"{line}\n\ndef relu(x):\n    return x\n")
        assert "line " not in printed(capsys)[0]

    def test_changes_that_have_no_effect(self, folder, capsys):
        (folder / "handgrad" / "__init__.py").write_text("cheat = True\n")
        assert "handgrad/__init__.py was changed, which has no effect" in printed(capsys)[0]


class TestNotebooks:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("{", "is not readable as a notebook"),
            ("<<<<<<< HEAD\n{}\n=======\n>>>>>>> a\n", "conflict markers of git"),
            ('{"nbformat": 3}', "no notebook of Jupyter's format 4"),
            ('{"nbformat": 4, "cells": 7}', "no notebook of Jupyter's format 4"),
            ("[" * 9000, "is not readable as a notebook"),
            ("\ufeff", "is not readable as a notebook"),
        ],
        ids=["cut", "conflict", "old", "no cells", "deep", "empty"],
    )
    def test_what_is_no_notebook(self, folder, capsys, content, said):
        (folder / "1_nets.ipynb").write_text(content)
        text, made = printed(capsys)
        assert said in text
        assert made is None
        assert pack(anyway=True) is not None

    def test_changed_deleted_and_doubled_grade_cells(self, folder, capsys):
        work = notebook(sgd_test="assert True", train="x = 1", why="Because.")
        work["cells"] += [work["cells"].pop(), work["cells"][0]]
        (folder / "1_nets.ipynb").write_text(json.dumps(work))
        text = printed(capsys)[0]
        assert "1_nets.ipynb: changed, but graded from our copy: sgd_test." in text
        assert "there more than once, and one of them counts: sgd_test." in text
        del work["cells"][:2]
        (folder / "1_nets.ipynb").write_text(json.dumps(work))
        assert "1_nets.ipynb: deleted, or without its label: train." in printed(capsys)[0]

    @pytest.mark.parametrize(
        ("counts", "said"),
        [
            ((None, None), "saved without having been run"),
            ((1, None), "1 of 2 code cells were not run"),
            ((2, 1), "cells were run out of order"),
        ],
    )
    def test_cells_that_were_not_run_in_order_are_a_warning(self, folder, capsys, counts, said):
        work = notebook(train="x = 1", why="Because.")
        for each, count in zip(work["cells"], counts, strict=False):
            each["execution_count"] = count
        (folder / "1_nets.ipynb").write_text(json.dumps(work))
        text, made = printed(capsys)
        assert said in text.split("Worth a look:")[1]
        assert made is not None

    def test_cells_that_stopped(self, folder, capsys):
        work = notebook(train="x = 1", why="Because.")
        work["cells"][0]["outputs"] = [{"output_type": "error", "ename": "ValueError"}, 7]
        (folder / "1_nets.ipynb").write_text(json.dumps(work))
        assert "1 cells stopped with an error: ValueError." in printed(capsys)[0]

    def test_metadata_of_any_shape_is_no_trouble(self, folder, capsys):
        work = notebook(train="x = 1", why="Because.")
        work["cells"] += [
            7,
            {"metadata": 7},
            {"metadata": {"nbgrader": 7}},
            {"cell_type": "code", "outputs": 7},
        ]
        work["cells"] += [{"cell_type": "code", "source": 7, "outputs": 7, "execution_count": 3}]
        (folder / "1_nets.ipynb").write_text(json.dumps(work))
        assert printed(capsys)[1] is not None


class TestSavedModels:
    def test_missing_ones_are_named_with_their_notebook(self, folder, capsys):
        (folder / "best.npz").unlink()
        text, made = printed(capsys)
        assert "best.npz is not there yet: 1_nets.ipynb writes it" in text
        assert "4 of 5 files" in text
        assert made is not None

    def test_older_than_the_code_is_said_gently(self, folder, capsys):
        os.utime(folder / "best.npz", (1e9, 1e9))
        os.utime(folder / "1_nets.ipynb", (1e9, 1e9))
        text = printed(capsys)[0]
        assert "best.npz. If your last change matters to it, run its notebook again." in text
        assert "1_nets.ipynb. The results in it may be of older code" in text

    def test_damaged_ones(self, folder, capsys):
        (folder / "best.npz").write_bytes(b"PK")
        save_tensors(folder / "best.safetensors", missing=3)
        text = printed(capsys)[0]
        assert "best.npz cannot be read" in text
        assert "best.safetensors is not complete" in text

    def test_pickles_and_numbers_that_are_not_finite(self, folder, capsys):
        np.savez(folder / "best.npz", w=np.array([1.0, np.nan]))
        assert "best.npz has numbers in w that are not finite" in printed(capsys)[0]
        np.savez(folder / "best.npz", w=np.array([{}], dtype=object))
        assert "best.npz cannot be read (Object arrays cannot be loaded" in printed(capsys)[0]

    def test_too_large_for_the_grader(self, folder, capsys):
        np.savez(folder / "best.npz", w=np.zeros(300_000))
        text, made = printed(capsys)
        assert "best.npz is larger than 1.9 MiB, so it would be left out. Save the weights alone." in text
        assert made is None

    def test_too_large_together(self, folder, capsys):
        np.savez(folder / "best.npz", w=np.zeros(249_000))
        (folder / OPTIM).write_text((folder / OPTIM).read_text() + "#" * 1000)
        change(
            limits={"module": 2000, "notebook": 20_000, "saved": 2_000_000, "total": 1_000_000, "ratio": 9}
        )
        assert "All files together are larger than 977 KiB" in printed(capsys)[0]


class TestFolder:
    def test_missing_and_unreadable_files(self, folder, capsys):
        (folder / OPTIM).unlink()
        (folder / LAYERS).unlink()
        (folder / LAYERS).mkdir()
        (folder / "1_nets.ipynb").unlink()
        (folder / "1_nets.ipynb").symlink_to("1_nets.ipynb")
        text, made = printed(capsys)
        assert f"{OPTIM} is missing." in text
        assert f"{LAYERS} is a folder, and must be a file." in text
        assert "1_nets.ipynb cannot be read: Too many levels of symbolic links." in text
        assert made is None

    def test_it_says_what_is_graded_in_place_of_a_missing_notebook(self, folder, capsys):
        (folder / "1_nets.ipynb").unlink()
        text, made = printed(capsys, anyway=True)
        assert made is not None
        assert "Our copy of a missing notebook is graded" in text

    def test_it_is_found_from_inside_and_from_above(self, folder, capsys, monkeypatch):
        monkeypatch.chdir(folder / "handgrad")
        assert printed(capsys, check=True)[0].startswith("a2: 5 of 5")
        monkeypatch.chdir(folder.parent)
        assert printed(capsys, assignment="a2", check=True)[0].startswith("a2: 5 of 5")

    def test_elsewhere_it_says_where_to_run_it(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert "Run this in the folder that you unpacked" in printed(capsys)[0]
        assert main(["--folder", str(tmp_path / "absent")]) == 1
        assert "Run this in the folder that you unpacked" in capsys.readouterr().err

    def test_the_folder_of_another_assignment(self, folder, capsys):
        assert "is the folder of a2, not of a1." in printed(capsys, assignment="a1")[0]

    @pytest.mark.parametrize(
        "damage",
        [
            {"editable": 7},
            {"editable": [7]},
            {"editable": ["../secret"]},
            {"editable": ["/etc/passwd"]},
            {"functions": {OPTIM: 7}},
            {"cells": {"1_nets.ipynb": {"train": 7}}},
            {"cells": {"1_nets.ipynb": 7}},
            {"limits": {}},
        ],
        ids=["number", "numbers", "outside", "absolute", "functions", "cell", "cells", "limits"],
    )
    def test_a_damaged_description_is_a_sentence(self, folder, capsys, damage):
        change(**damage)
        assert "Take that file from the zip that you got." in printed(capsys)[0]

    def test_a_description_that_is_no_json(self, folder, capsys):
        Path(ASSIGNMENT_FILE).write_text("{")
        assert "Take that file from the zip that you got." in printed(capsys)[0]

    def test_a_name_that_is_no_part_of_a_file_name(self, folder, capsys):
        assert "cannot be part of the zip's name" in printed(capsys, student="../ada")[0]


class TestCommandLine:
    def test_the_command_and_its_help(self, folder, capsys):
        assert command(["pack", "a2", "--student", "ada", "--check"]) == 0
        assert "5 of 5 files" in capsys.readouterr().out
        assert (command([]), command(["unpack"]), command(["--help"])) == (2, 2, 0)
        assert "usage: handgrad pack" in capsys.readouterr().out

    def test_as_a_module_in_a_plain_terminal(self, folder):
        (folder / LAYERS).write_text(
            "import absent_päckage\n\ndef relu(x):\n    return x\n", encoding="utf-8"
        )
        done = subprocess.run(
            [sys.executable, "-m", "handgrad.pack", "--folder", "."],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                "PYTHONIOENCODING": "ascii",
                "PYTHONSAFEPATH": "1",
            },
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "imports absent_p?ckage" in done.stdout

    def test_it_needs_the_standard_library_alone(self):
        code = (
            "import sys, handgrad.pack; print(sorted(m for m in sys.modules if m.split('.')[0] == 'numpy'))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
        assert done.stdout.strip() == "[]"
