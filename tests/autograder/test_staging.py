"""Staging: the student's files that count, the release's everything else, and nothing stops the class."""

import inspect
import json
import os
import shutil
import zipfile

import nbformat
import numpy as np
import pytest
from nbgrader.api import Gradebook

import handgrad.pack
from autograder.course import CourseError
from autograder.staging import Arrival, collect, receive, received_notes, stage, submission_hash
from autograder.student_folder import tree_hash
from autograder.whose import NO_STUDENT

NOTEBOOK = "3_two_layer_net.ipynb"
AFFINE = "handgrad/layers/affine.py"
WEIGHTS = "best_two_layer_net.npz"


@pytest.fixture
def a1(released_course):
    return released_course.assignment("a1")


@pytest.fixture
def work(released_course, tmp_path):
    """A student's folder: the release with some work in it."""
    folder = shutil.copytree(released_course.release("a1"), tmp_path / "handed-in" / "alice")
    (folder / AFFINE).write_text("def affine_forward(x, w, b):\n    return x @ w + b, None\n")
    np.savez(folder / WEIGHTS, W1=np.ones(3))
    notebook = nbformat.read(folder / NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("my answer", id="mine"))
    nbformat.write(notebook, folder / NOTEBOOK)
    return folder


def pack(folder, archive, inside=""):
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, f"{inside}{path.relative_to(folder).as_posix()}")
    return archive


def files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


class TestStage:
    def test_takes_what_counts_and_the_rest_from_the_release(self, a1, work, tmp_path):
        (work / "handgrad" / "solver.py").write_text("import evil\n")
        (work / "handgrad" / "extra.py").write_text("import evil\n")
        (work / "sitecustomize.py").write_text("import evil\n")
        staged = stage(work, a1, tmp_path / "tree")
        expected = files(a1.course.release("a1")) | {
            p: (work / p).read_bytes() for p in (NOTEBOOK, AFFINE, WEIGHTS)
        }
        assert files(staged.tree) == expected
        assert staged.notes == [
            "Changes in handgrad/solver.py have no effect: it is not among the files that count."
        ]

    def test_untouched_release_has_no_notes(self, a1, tmp_path):
        release = a1.course.release("a1")
        staged = stage(release, a1, tmp_path / "tree")
        assert staged.notes == []
        assert tree_hash(staged.tree) == tree_hash(release)

    def test_any_user_can_read_the_result(self, a1, work, tmp_path):
        os.chmod(work / AFFINE, 0o600)
        mask = os.umask(0o077)
        try:
            tree = stage(work, a1, tmp_path / "tree").tree
        finally:
            os.umask(mask)
        for path in [tree, *tree.rglob("*")]:
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)

    @pytest.mark.parametrize("inside", ["", "a1/", "alice/a1/", "Downloads/my work (2)/a1/"])
    def test_finds_the_assignment_at_any_depth_of_a_zip(self, a1, work, tmp_path, inside):
        folder, archive = stage(work, a1, tmp_path / "1"), pack(work, tmp_path / "w.zip", inside)
        staged = stage(archive, a1, tmp_path / "2")
        assert files(staged.tree) == files(folder.tree)
        assert staged.submission_hash == folder.submission_hash == submission_hash(archive, a1)

    def test_of_two_folders_takes_the_one_with_more(self, a1, work, tmp_path):
        (work / "old" / "handgrad" / "layers").mkdir(parents=True)
        (work / "old" / AFFINE).write_text("old = 1\n")
        staged = stage(work, a1, tmp_path / "tree")
        assert (staged.tree / AFFINE).read_bytes() == (work / AFFINE).read_bytes()
        assert staged.notes == [
            "The assignment's files lie in 2 folders. "
            "Those in the top folder were taken, which has the most; left out: old/."
        ]

    def test_only_a_notebook(self, a1, work, tmp_path):
        shutil.rmtree(work / "handgrad")
        staged = stage(work, a1, tmp_path / "tree")
        assert (staged.tree / NOTEBOOK).read_bytes() == (work / NOTEBOOK).read_bytes()
        assert (staged.tree / AFFINE).read_bytes() == (a1.course.release("a1") / AFFINE).read_bytes()
        assert f"{AFFINE} was not handed in. The released one is in its place." in staged.notes

    def test_only_modules(self, a1, work, tmp_path):
        (work / NOTEBOOK).unlink()
        staged = stage(work, a1, tmp_path / "tree")
        assert (staged.tree / NOTEBOOK).read_bytes() == (a1.course.release("a1") / NOTEBOOK).read_bytes()
        assert (staged.tree / AFFINE).read_bytes() == (work / AFFINE).read_bytes()
        assert staged.notes == [f"{NOTEBOOK} was not handed in. The released one is in its place."]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "It is not JSON"),
            (b"\xff\xfe\x00", "It is not JSON"),
            (b"[" * 100_000, "It is not JSON"),
            (b"[]", "It is JSON, but not a notebook of format 4."),
            (b'{"nbformat": 4, "cells": 5}', "It is JSON, but not a notebook of format 4."),
            (b'{"nbformat": [4], "cells": []}', "It is JSON, but not a notebook of format 4."),
            (b'{"nbformat": 3, "worksheets": 7}', "It is a damaged notebook of format 3."),
            (b'{"nbformat": 99, "cells": []}', "It is JSON, but not a notebook of format 4."),
        ],
    )
    def test_unreadable_notebook_gives_way_to_the_released_one(self, a1, work, tmp_path, content, reason):
        (work / NOTEBOOK).write_bytes(content)
        staged = stage(work, a1, tmp_path / "tree")
        assert (staged.tree / NOTEBOOK).read_bytes() == (a1.course.release("a1") / NOTEBOOK).read_bytes()
        assert (staged.tree / AFFINE).read_bytes() == (work / AFFINE).read_bytes()
        assert len(staged.notes) == 1
        assert staged.notes[0].startswith(
            f"{NOTEBOOK} was not taken. The released one is in its place. {reason}"
        )
        assert staged.person == ("best_model",)  # the others are about modules

    def test_old_notebook_is_converted_the_same_way_each_time(self, a1, work, tmp_path):
        old = nbformat.v3.new_notebook(
            worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell(input="x = 1")])]
        )
        (work / NOTEBOOK).write_text(json.dumps(old))
        first, second = stage(work, a1, tmp_path / "1"), stage(work, a1, tmp_path / "2")
        assert first.notes[0] == f"{NOTEBOOK} was converted from notebook format 3."
        assert "were missing, and are there as released." in first.notes[1]
        sources = [cell.source for cell in nbformat.read(first.tree / NOTEBOOK, as_version=4).cells]
        assert "x = 1" in sources
        assert files(first.tree) == files(second.tree)

    @pytest.mark.parametrize("name", [NOTEBOOK, AFFINE, WEIGHTS])
    def test_links_are_not_followed(self, a1, work, tmp_path, name):
        secret = tmp_path / "secret"
        secret.write_text("grades")
        (work / name).unlink()
        (work / name).symlink_to(secret)
        staged = stage(work, a1, tmp_path / "tree")
        assert b"grades" not in files(staged.tree).values()
        assert f"Left out, links and special files: {name}." in staged.notes
        assert not any(path.is_symlink() for path in staged.tree.rglob("*"))

    def test_link_in_place_of_the_package_is_not_followed(self, a1, work, tmp_path):
        (work / "handgrad").rename(tmp_path / "elsewhere")
        (work / "handgrad").symlink_to(tmp_path / "elsewhere")
        staged = stage(work, a1, tmp_path / "tree")
        assert (staged.tree / AFFINE).read_bytes() == (a1.course.release("a1") / AFFINE).read_bytes()

    def test_fifo_does_not_hold_up_the_class(self, a1, work, tmp_path):
        (work / AFFINE).unlink()
        os.mkfifo(work / AFFINE)
        assert f"Left out, links and special files: {AFFINE}." in stage(work, a1, tmp_path / "tree").notes

    def test_too_large_module_is_not_taken(self, a1, work, tmp_path):
        (work / AFFINE).write_bytes(b"#" * 2**21)
        staged = stage(work, a1, tmp_path / "tree")
        assert (staged.tree / AFFINE).read_bytes() == (a1.course.release("a1") / AFFINE).read_bytes()
        assert any(note.startswith(f"{AFFINE} was not taken.") for note in staged.notes)

    @pytest.mark.parametrize("what", ["nothing", "empty", "text", "bomb"])
    def test_what_cannot_be_taken_is_graded_as_the_release(self, a1, tmp_path, what):
        path = tmp_path / "alice.zip"
        if what == "empty":
            path.mkdir()
        elif what == "text":
            path.write_text("my homework")
        elif what == "bomb":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr(f"a1/{AFFINE}", bytes(2**24))
        staged = stage(path, a1, tmp_path / "tree")
        assert files(staged.tree) == files(a1.course.release("a1"))
        assert len(staged.notes) == 1

    def test_unreleased_assignment_is_a_course_error(self, a1, work, tmp_path):
        shutil.rmtree(a1.course.release("a1"))
        with pytest.raises(CourseError, match=r"a1 is not released: .* Run `autograder release a1` first"):
            stage(work, a1, tmp_path / "tree")


class TestHash:
    def test_depends_on_what_counts_alone(self, a1, work):
        before = submission_hash(work, a1)
        os.utime(work / AFFINE, (0, 0))
        (work / "notes.txt").write_text("mine")
        (work / "handgrad" / "solver.py").write_text("x = 1\n")
        assert submission_hash(work, a1) == before

    @pytest.mark.parametrize("name", [NOTEBOOK, AFFINE, WEIGHTS])
    def test_changes_with_each_file_that_counts(self, a1, work, name):
        before = submission_hash(work, a1)
        (work / name).write_bytes((work / name).read_bytes() + b"\n")
        changed = submission_hash(work, a1)
        (work / name).unlink()
        assert len({before, changed, submission_hash(work, a1)}) == 3


class TestReceive:
    def test_folders_zips_and_nbgraders_layout(self, a1, tmp_path):
        folder = tmp_path / "class"
        for path in ("ann", "bob/a1", "carl", "dora/a2", ".git", "__MACOSX"):
            (folder / path).mkdir(parents=True)
            (folder / path / "x.py").touch()
        (a1.course.source / "a2").mkdir()
        (a1.course.source / "a2" / "manifest.toml").touch()
        for path in ("eve.zip", "carl.ZIP", "fay/hand in.zip", "list.csv"):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).touch()
        (folder / "dora" / "x.py").unlink(missing_ok=True)
        (folder / "gil").symlink_to(folder / "ann")
        arrivals = {arrival.student: arrival for arrival in receive(folder, a1)}
        assert {student: str(arrival.path.relative_to(folder)) for student, arrival in arrivals.items()} == {
            "ann": "ann",
            "bob": "bob/a1",
            "carl": "carl",
            "eve": "eve.zip",
            "fay": "fay/hand in.zip",
        }
        assert arrivals["carl"].notes == ("carl.ZIP arrived too, and was left out: carl is graded.",)

    def test_names_that_are_no_student_ids_become_safe_ones(self, a1, tmp_path):
        folder = os.fsencode(tmp_path / "class")
        os.mkdir(folder)
        names = ["José".encode(), b"a b", b"a_b", b"-rf", b"\xff\xfe", b"x" * 65]
        for name in names:
            os.mkdir(os.path.join(folder, name))
        arrivals = receive(tmp_path / "class", a1)
        assert len({arrival.student for arrival in arrivals}) == len(names)
        for arrival in arrivals:
            assert collect(arrival, a1.course, a1)
            assert a1.course.submitted("a1", arrival.student).is_dir()
            if arrival.student != "a_b":
                assert "is not a student id" in arrival.notes[0]
                arrival.notes[0].encode()

    def test_no_folder_is_a_course_error(self, a1, tmp_path):
        with pytest.raises(CourseError, match="There is no folder"):
            receive(tmp_path / "absent", a1)

    @pytest.fixture
    def inbox(self, a1, work, tmp_path):
        """Hand in zips of these names, with these people in the roster; returns who got what."""

        def received(*names, roster=()):
            with Gradebook(a1.course.gradebook_url) as gradebook:
                for student in roster:
                    gradebook.add_student(student)
            for name in names:
                (tmp_path / "class").mkdir(exist_ok=True)
                pack(work, tmp_path / "class" / name)
            return {arrival.student: arrival for arrival in receive(tmp_path / "class", a1)}

        return received

    @pytest.mark.parametrize("roster", [(), ("ada",), ("bob",), ("ada", "a1-ada")])
    def test_a_zip_named_as_pack_names_it_is_the_students(self, inbox, roster):
        [(student, arrival)] = inbox("a1-ada.zip", roster=roster).items()
        assert (student, arrival.path.name) == ("ada", "a1-ada.zip")
        assert arrival.notes[0].startswith("a1-ada was taken for a1 of ada, as `handgrad pack` names it.")
        assert ("What is of the student a1-ada must come as a1-ada/a1/" in arrival.notes[0]) == (
            "a1-ada" in roster
        )

    def test_a_student_of_the_roster_whose_name_begins_like_the_assignment_keeps_it(self, inbox):
        [(student, arrival)] = inbox("a1-ada.zip", roster=["a1-ada"]).items()
        assert (student, arrival.notes) == ("a1-ada", ())

    @pytest.mark.parametrize("name", ["a1.zip", "a1-submission.zip"])
    def test_a_name_that_can_be_anybodys_is_refused_with_a_sentence(self, a1, inbox, name):
        found = inbox(name, "ada.zip")
        assert found["ada"].problem == ""
        with pytest.raises(CourseError, match=r"does not say whose it is: rename it to a1-<student> or to"):
            collect(found[name], a1.course, a1)
        assert not (a1.course.root / "submitted").exists()

    def test_pack_without_a_name_writes_the_name_that_is_refused(self):
        assert inspect.signature(handgrad.pack.pack).parameters["student"].default == NO_STUDENT

    @pytest.mark.parametrize("name", ["a1", "submission"])
    def test_unless_it_is_a_student_of_the_roster(self, inbox, name):
        file = "a1.zip" if name == "a1" else "a1-submission.zip"
        assert list(inbox(file, roster=[name])) == [name]

    def test_two_names_of_one_student(self, inbox):
        [arrival] = inbox("a1-ada.zip", "ada.zip").values()
        assert arrival.path.name == "ada.zip"
        assert arrival.notes == ("a1-ada.zip arrived too, and was left out: ada.zip is graded.",)

    def test_nbgraders_layout_names_the_student_for_sure(self, a1, work, tmp_path):
        shutil.copytree(work, tmp_path / "class" / "a1-ada" / "a1")
        shutil.copytree(work, tmp_path / "class" / "a1-bob")
        assert [arrival.student for arrival in receive(tmp_path / "class", a1)] == ["a1-ada", "bob"]


class TestCollect:
    def test_raw_is_kept_and_only_what_counts_is_submitted(self, a1, work):
        (work / "page.html").write_text("<script>")
        found = collect(Arrival("alice", work), a1.course, a1)
        submitted = a1.course.submitted("a1", "alice")
        assert set(files(submitted)) == {NOTEBOOK, WEIGHTS, *a1.manifest.editable}
        assert found == submission_hash(submitted, a1) == submission_hash(work, a1)
        (raw,) = (p for p in a1.course.received("a1", "alice").iterdir() if p.is_dir())
        assert files(raw) == files(work)

    def test_zip_gives_the_same_submission_and_is_kept_as_it_came(self, a1, work, tmp_path):
        archive = pack(work, tmp_path / "bob.zip", "bob/a1/")
        assert collect(Arrival("bob", archive), a1.course, a1) == submission_hash(work, a1)
        (raw,) = a1.course.received("a1", "bob").glob("*/submission.zip")
        assert raw.read_bytes() == archive.read_bytes()

    def test_second_version_replaces_the_first_and_both_are_kept(self, a1, work):
        first = collect(Arrival("alice", work), a1.course, a1)
        again = collect(Arrival("alice", work), a1.course, a1)
        (work / AFFINE).write_text("x = 2\n")
        second = collect(Arrival("alice", work), a1.course, a1)
        assert first == again != second
        assert (a1.course.submitted("a1", "alice") / AFFINE).read_text() == "x = 2\n"
        kept = [p for p in a1.course.received("a1", "alice").iterdir() if p.is_dir()]
        assert len(kept) == 2

    def test_collecting_what_is_submitted_changes_nothing(self, a1, work):
        (work / "handgrad" / "solver.py").write_text("x = 1\n")
        found = collect(Arrival("alice", work), a1.course, a1)
        submitted, received = a1.course.submitted("a1", "alice"), a1.course.received("a1", "alice")
        before = files(submitted), files(received)
        (arrival,) = receive(a1.course.root / "submitted", a1)
        assert collect(arrival, a1.course, a1) == found
        assert (files(submitted), files(received)) == before

    def test_what_an_instructor_put_into_submitted_is_kept_before_it_is_cleaned(self, a1, work):
        submitted = a1.course.submitted("a1", "alice")
        shutil.copytree(work, submitted)
        (submitted / "own.py").write_text("mine\n")
        (arrival,) = receive(a1.course.root / "submitted", a1)
        collect(arrival, a1.course, a1)
        assert not (submitted / "own.py").exists()
        assert list(a1.course.received("a1", "alice").glob("*/own.py"))

    def test_notes_reach_the_staged_submission(self, a1, work, tmp_path):
        (work / "handgrad" / "solver.py").write_text("x = 1\n")
        found = collect(Arrival("alice", work, ("a note",)), a1.course, a1)
        submitted = a1.course.submitted("a1", "alice")
        changes = "Changes in handgrad/solver.py have no effect: it is not among the files that count."
        assert stage(submitted, a1, tmp_path / "tree").notes == ["a note", changes]
        assert received_notes(a1, "alice", found) == ["a note", changes]
        (submitted / AFFINE).write_text("x = 3\n")  # no longer what was collected
        assert stage(submitted, a1, tmp_path / "tree2").notes == []

    def test_refused_zip_is_submitted_as_the_released_notebook(self, a1, tmp_path):
        with zipfile.ZipFile(tmp_path / "eve.zip", "w") as file:
            file.writestr("../../eve.py", "x")
        found = collect(Arrival("eve", tmp_path / "eve.zip"), a1.course, a1)
        assert files(a1.course.submitted("a1", "eve")) == {
            NOTEBOOK: (a1.course.release("a1") / NOTEBOOK).read_bytes()
        }
        (note,) = received_notes(a1, "eve", found)
        assert note.endswith("eve.zip has a path that leads out of its folder: ../../eve.py.")

    def test_unreadable_notebook_costs_the_notebook_alone(self, a1, work):
        (work / NOTEBOOK).write_text("no JSON")
        collect(Arrival("alice", work), a1.course, a1)
        submitted = a1.course.submitted("a1", "alice")
        assert (submitted / NOTEBOOK).read_bytes() == (a1.course.release("a1") / NOTEBOOK).read_bytes()
        assert (submitted / AFFINE).read_bytes() == (work / AFFINE).read_bytes()
        (raw,) = a1.course.received("a1", "alice").glob(f"*/{NOTEBOOK}")
        assert raw.read_text() == "no JSON"

    @pytest.mark.parametrize(
        ("stamp", "kept"),
        [(b"2026-03-01 12:00:00 UTC\n", True), (b"no date", False), (b"\xff", False), (b"9" * 200, False)],
    )
    def test_nbgraders_timestamp_is_kept_when_it_is_one(self, a1, work, tmp_path, stamp, kept):
        folder = tmp_path / "class" / "alice" / "a1"
        shutil.copytree(work, folder)
        (folder / "timestamp.txt").write_bytes(stamp)
        collect(Arrival("alice", folder), a1.course, a1)
        target = a1.course.submitted("a1", "alice") / "timestamp.txt"
        assert target.is_file() == kept
        assert not kept or target.read_bytes() == stamp

    def test_timestamp_in_a_students_zip_is_not_nbgraders(self, a1, work, tmp_path):
        (work / "timestamp.txt").write_text("1999-01-01 00:00:00 UTC")
        collect(Arrival("alice", pack(work, tmp_path / "alice.zip", "a1/")), a1.course, a1)
        assert not (a1.course.submitted("a1", "alice") / "timestamp.txt").exists()

    @pytest.mark.parametrize("student", ["", "..", ".hidden", "-rf", "a/b", "a b", "a\n", "x" * 65])
    def test_what_is_no_student_id_is_never_used_as_a_path(self, a1, work, student):
        with pytest.raises(CourseError, match="is not a student id"):
            collect(Arrival(student, work), a1.course, a1)
