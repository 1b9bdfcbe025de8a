"""From pack to page: one hash all the way, and a receipt that nobody else can write."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape

import pytest
import tiny_course as tiny
from sample_reports import sample_assignment, sample_report
from typer.testing import CliRunner

from autograder import arrivals, packed, receipts, staging, student_folder, untrusted
from autograder.cli import app
from autograder.course import Course, CourseError
from autograder.feedback import feedback_page, write_feedback
from autograder.grading import grade_submission
from autograder.receipts import MARK, Receipt, public_key, receipt_line, verify
from autograder.staging import Arrival, collect, stage, submission_hash
from autograder.student_folder import solve_modules
from handgrad import pack

NOTEBOOK = "3_two_layer_net.ipynb"
AFFINE = "handgrad/layers/affine.py"


def _run(*arguments, text=None):
    return CliRunner().invoke(app, ["receipt", *map(str, arguments)], input=text, env={"NO_COLOR": "1"})


def packed_by_a_student(course, tmp_path, student="ada"):
    """What a student does with the released zip: unpack, solve, pack. The zip, and the digits printed."""
    folder = tmp_path / "home" / "a1"
    folder.parent.mkdir()
    subprocess.run(["cp", "-r", course.release("a1"), folder], check=True)
    solve_modules(course.assignment("a1"), folder)
    done = pack_command(folder, "--student", student)
    assert done.returncode == 0
    return folder / f"a1-{student}.zip", digits_of(done)


def pack_command(folder, *options):
    """`python -m handgrad.pack` as a student runs it."""
    command = [sys.executable, "-m", "handgrad.pack", "a1", *options]
    done = subprocess.run(
        command, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done


def digits_of(done):
    return re.search(r"Submission hash: ([0-9a-f]{12})\n", done.stdout)[1]


def page_of(course, handed_in):
    """What ada's page says about a submission after her class was graded, and its receipt."""
    assignment = course.assignment("a1")
    collect(Arrival("ada", handed_in), course, assignment)
    submission = course.submitted("a1", "ada")
    report = grade_submission(submission, assignment, "ada", course.seed("a1"), isolation="none")
    report.write(course.report("a1", "ada"))
    return report, *read_page(course, write_feedback(assignment, ["ada"], jobs=1)[0])


def quick_page(course, handed_in):
    """The same with a report that no check wrote."""
    assignment = course.assignment("a1")
    collect(Arrival("ada", handed_in), course, assignment)
    return read_page(course, feedback_page(tiny.grade(course, "ada"), assignment))


def read_page(course, path):
    text = unescape(path.read_text(encoding="utf-8"))
    (found,) = verify(text, public_key(course))
    assert found.genuine
    return text, found.receipt


def leave_a_merge_open(folder):
    """What git leaves of a notebook that two people changed."""
    path = folder / NOTEBOOK
    ours = path.read_text(encoding="utf-8")
    begin = ours.index('   "source": [\n')
    end = ours.index("   ]\n", begin)
    other = ours[begin:end].replace("[\n", '[\n    "Theirs, ",\n')
    merge = f"<<<<<<< HEAD\n{ours[begin:end]}=======\n{other}>>>>>>> theirs\n"
    path.write_text(ours[:begin] + merge + ours[end:], encoding="utf-8")


@pytest.fixture
def tiny_course(tiny_release, tmp_path):
    """A course whose only notebook has few cells, with two that are checked."""
    return Course(shutil.copytree(tiny_release.root, tmp_path / "course"))


@pytest.fixture
def assignment(tmp_path):
    return sample_assignment(tmp_path)


@pytest.fixture
def receipt(assignment):
    """Genuine fields; tests sign or forge them."""
    return receipts.receipt_for(assignment, sample_report("ada"), 12.5, 15, 2)


def change(zip_path, dest, edit):
    """A copy of a zip with other contents, by path without the top folder."""
    with zipfile.ZipFile(zip_path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    top = next(iter(files)).split("/")[0]
    inner = {name.removeprefix(f"{top}/"): content for name, content in files.items()}
    edit(inner)
    with zipfile.ZipFile(dest, "w") as archive:
        for name, content in inner.items():
            archive.writestr(f"{top}/{name}", content)
    return dest


class TestFromPackToPage:
    def test_the_hash_on_the_page_is_the_one_that_pack_printed(self, released_course, tmp_path):
        course = released_course
        made, digits = packed_by_a_student(course, tmp_path)
        report, text, receipt = page_of(course, made)
        assert report.auto_points >= 30
        assert f">{digits}<" in text
        assert receipt.submission == report.submission_hash
        assert receipt.submission.startswith(digits)
        assert receipt.taken == "as it came"
        assert (receipt.student, receipt.assignment) == ("ada", "a1")
        assert receipt.points == f"{report.auto_points:g}"
        assert verify(text, (course.root / "receipt-key.pub").read_text())[0].receipt == receipt
        assert not [note for note in report.notes if "handgrad" in note]
        done = _run(course.feedback("a1", "ada") / "feedback.html", "--course", course.root)
        assert done.exit_code == 0
        assert "the submission and the grading that count now" in done.output

    def test_a_student_can_recompute_the_hash_of_what_was_repaired(self, tiny_course, tmp_path):
        course = tiny_course
        made, digits_before = packed_by_a_student(course, tmp_path)
        folder = made.parent
        leave_a_merge_open(folder)
        done = pack_command(folder, "--student", "ada", "--anyway")
        digits = digits_of(done)
        assert "It has conflict markers of git." in done.stdout
        assert digits != digits_before
        report, text, receipt = page_of(course, made)
        assert report.auto_points == sum(tiny.POINTS.values())
        assert f">{digits}<" in text
        assert "repaired or completed" in text
        assert any(NOTEBOOK in note and "unfinished merge" in note for note in report.notes)
        with zipfile.ZipFile(made) as archive:
            files = {name: archive.read(f"a1/{name}") for name in archive.namelist() for name in [name[3:]]}
        manifest = json.loads(files.pop(pack.MANIFEST_FILE))
        assert receipt.submission == manifest["submission_hash"] == pack.hash_of(files)
        assert receipt.taken == "repaired or completed"
        assert report.submission_hash != receipt.submission
        assert not [each for each in re.findall(r"[0-9a-f]{64}", text) if each == report.submission_hash]
        done = _run(course.feedback("a1", "ada") / "feedback.html", "--course", course.root)
        assert "the submission and the grading that count now" in done.output

    def test_a_zip_that_broke_after_packing_shows_what_arrived(self, tiny_course, tmp_path):
        made, digits_before = packed_by_a_student(tiny_course, tmp_path)
        leave_a_merge_open(made.parent)
        broken = (made.parent / NOTEBOOK).read_bytes()
        digits = digits_of(pack_command(made.parent, "--check"))
        sent = change(made, tmp_path / "broken.zip", lambda files: files.update({NOTEBOOK: broken}))
        text, receipt = quick_page(tiny_course, sent)
        assert receipt.submission.startswith(digits)
        notes = stage(sent, tiny_course.assignment("a1"), tmp_path / "staged").notes
        assert f"{NOTEBOOK}: changed after `handgrad pack` printed {digits_before}." in notes
        assert f">{digits}<" in text

    def test_without_a_notebook_it_is_what_pack_printed_all_the_same(self, tiny_course, tmp_path):
        made, _ = packed_by_a_student(tiny_course, tmp_path)
        (made.parent / NOTEBOOK).unlink()
        digits = digits_of(pack_command(made.parent, "--student", "ada", "--anyway"))
        _, receipt = quick_page(tiny_course, made)
        assert receipt.submission.startswith(digits)
        assert receipt.taken == "repaired or completed"

    def test_where_nothing_that_counts_came_no_hash_is_claimed(self, tiny_course, tmp_path):
        (tmp_path / "ada.zip").write_bytes(b"no zip")
        text, receipt = quick_page(tiny_course, tmp_path / "ada.zip")
        assert receipt.submission == ""
        assert "nothing that counts was in it" in text

    def test_the_page_has_the_time_of_the_arrival_that_counts(self, tiny_course, tmp_path):
        made, _ = packed_by_a_student(tiny_course, tmp_path)
        text, receipt = quick_page(tiny_course, made)
        log = arrivals.read(tiny_course.received("a1", "ada"))
        (arrived,) = [entry.at for entry in log if entry.what == "arrived"]
        assert receipt.arrived == arrived
        assert f"<dd>{arrived}</dd>" in text

    def test_without_a_log_the_folder_that_was_graded_tells(self, tiny_course, tmp_path):
        course, assignment = tiny_course, tiny_course.assignment("a1")
        made, _ = packed_by_a_student(course, tmp_path)
        leave_a_merge_open(made.parent)
        target = course.submitted("a1", "ada")  # as `nbgrader collect` leaves it
        shutil.copytree(made.parent, target)
        digits = digits_of(pack_command(made.parent, "--check"))
        report = sample_report("ada", submission_hash=submission_hash(target, assignment))
        found = receipts.origin(assignment, report)
        assert found.submission.startswith(digits)
        assert (found.arrived, found.whole) == ("", False)
        other = sample_report("ada", submission_hash="c" * 64)
        assert receipts.origin(assignment, other) == receipts.Origin("", "c" * 64, whole=True)

    def test_a_change_after_packing_is_a_note_and_no_loss(self, released_course, tmp_path):
        course, assignment = released_course, released_course.assignment("a1")
        made, digits = packed_by_a_student(course, tmp_path)
        original = stage(made, assignment, tmp_path / "original")

        def edit(files):
            files[AFFINE] += b"# later\n"
            files["best_two_layer_net.npz"] = b"late"
            del files["handgrad/layers/losses.py"]

        changed = stage(change(made, tmp_path / "changed.zip", edit), assignment, tmp_path / "staged")
        assert original.notes == []
        assert changed.submission_hash != original.submission_hash
        assert changed.notes[1:] == [
            f"{AFFINE}: changed after `handgrad pack` printed {digits}.",
            f"handgrad/layers/losses.py: taken away after `handgrad pack` printed {digits}.",
            f"best_two_layer_net.npz: added after `handgrad pack` printed {digits}.",
        ]
        assert (tmp_path / "staged" / AFFINE).read_bytes().endswith(b"# later\n")

    @pytest.mark.parametrize(
        "manifest",
        [
            b"{",
            b"[]",
            b"7",
            b"\xff",
            b"[" * 10_000,
            b'{"assignment": "a1"}',
            b'{"assignment": 1, "submission_hash": "", "files": {}}',
            b'{"assignment": "a1", "submission_hash": "", "files": {"a": 7}}',
        ],
        ids=range(8),
    )
    def test_a_damaged_manifest_is_a_note(self, released_course, tmp_path, manifest):
        assignment = released_course.assignment("a1")
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(released_course.release("a1") / NOTEBOOK, NOTEBOOK)
            archive.writestr(pack.MANIFEST_FILE, manifest)
        staged = stage(tmp_path / "a.zip", assignment, tmp_path / "staged")
        assert f"{pack.MANIFEST_FILE} is damaged, so nothing was compared with it." in staged.notes

    def test_a_manifest_of_another_assignment_and_names_that_are_markup(self, released_course, tmp_path):
        assignment = released_course.assignment("a1")
        made = change(packed_by_a_student(released_course, tmp_path)[0], tmp_path / "b.zip", _rename)
        notes = stage(made, assignment, tmp_path / "staged").notes
        assert f"{pack.MANIFEST_FILE} is of <b>a9{'?' * 3}, not of a1." in notes

    def test_without_a_manifest_nothing_is_said(self, released_course, tmp_path):
        folder = released_course.release("a1")
        assert stage(folder, released_course.assignment("a1"), tmp_path / "staged").notes == []

    def test_pack_and_staging_share_one_hash_and_the_limits(self, released_course):
        assignment, folder = released_course.assignment("a1"), released_course.release("a1")
        assert student_folder.hash_of is pack.hash_of
        about = json.loads((folder / pack.ASSIGNMENT_FILE).read_text())
        found = pack.look_through(folder, about)
        assert found.hash == submission_hash(folder, assignment)
        assert about["limits"] == {
            "module": staging.MAX_MODULE_BYTES,
            "notebook": staging.MAX_NOTEBOOK_BYTES,
            "saved": staging.MAX_SAVED_BYTES,
            "total": untrusted.MAX_BYTES,
            "ratio": untrusted.MAX_RATIO,
        }

    def test_an_untouched_release_has_everything_unwritten_and_nothing_wrong(self, released_course):
        folder = released_course.release("a1")
        about = json.loads((folder / pack.ASSIGNMENT_FILE).read_text())
        found = pack.look_through(folder, about)
        answers = [label for label, cell in about["cells"][NOTEBOOK].items() if cell["answer"]]
        assert found.errors == []
        assert {"inline_question_1", "hyperparameter_search"} <= set(answers)
        assert about["functions"][AFFINE] == ["affine_forward", "affine_backward"]
        assert found.unwritten == {**about["functions"], NOTEBOOK: answers}
        assert not [
            text for text in found.warnings if "changed" in text or "imports" in text or "deleted" in text
        ]


def _rename(files):
    manifest = json.loads(files[pack.MANIFEST_FILE])
    files[pack.MANIFEST_FILE] = json.dumps({**manifest, "assignment": "<b>a9\n\0\x1b"}).encode()


class TestSignature:
    def test_genuine_ones_say_what_was_graded(self, assignment, receipt):
        (found,) = verify(receipt_line(assignment.course, receipt), public_key(assignment.course))
        assert (found.genuine, found.receipt) == (True, receipt)
        assert (receipt.points, receipt.possible, receipt.pending) == ("12.5", "15", "2")
        assert (receipt.submission, receipt.report) == ("a" * 64, "0123456789abcdef" * 4)

    @pytest.mark.parametrize("name", Receipt.__match_args__)
    def test_no_field_can_be_altered(self, assignment, receipt, name):
        line = receipt_line(assignment.course, receipt)
        altered = line.replace(receipt.text, replace(receipt, **{name: "100"}).text)
        assert altered != line
        (found,) = verify(altered, public_key(assignment.course))
        assert not found.genuine
        assert "signature" in found.problem

    @pytest.mark.parametrize(
        "forge",
        [
            lambda line: line.rpartition(" ")[0],
            lambda line: line[:-1],
            lambda line: line[:-4] + "AAAA",
            lambda line: line.partition(" signed=")[0] + " signed=" + "A" * 86,
            lambda line: line.partition(" signed=")[0] + " signed=",
            lambda line: line.replace(" points=", " points=15 points="),
            lambda line: line.replace(" student=", " extra=1 student="),
            lambda line: line.replace(" pending=2", ""),
            lambda line: line[: len(MARK)],
            lambda line: f"{MARK} signed={'A' * 86}",
        ],
        ids=["unsigned", "cut", "other end", "zeros", "empty", "twice", "extra", "lacking", "mark", "bare"],
    )
    def test_forged_ones_are_refused(self, assignment, receipt, forge):
        found = verify(forge(receipt_line(assignment.course, receipt)), public_key(assignment.course))
        assert [each.genuine for each in found] == [False]

    def test_another_course_cannot_sign_for_this_one(self, assignment, receipt, tmp_path):
        other = Course(tmp_path / "other")
        other.root.mkdir()
        line = receipt_line(other, receipt)
        assert verify(line, public_key(other))[0].genuine
        assert not verify(line, public_key(assignment.course))[0].genuine

    @pytest.mark.parametrize(
        "mangle",
        [
            lambda line: f"Dear all,\n\nmy receipt:\n{line}\n\nAda",
            lambda line: line.replace(" ", "\r\n   "),
            lambda line: "\n".join(f"> {word}" for word in line.split()),
            lambda line: line.replace("aaaa ", "aa\naa "),
            lambda line: f"<p>{line}</p>",
        ],
        ids=["mail", "one word a line", "quoted", "broken inside a hash", "HTML"],
    )
    def test_what_mail_and_browsers_do_to_a_line_is_mended(self, assignment, receipt, mangle):
        line = receipt_line(assignment.course, receipt)
        assert [v.genuine for v in verify(mangle(line), public_key(assignment.course))] == [True]

    def test_each_receipt_in_a_text_has_its_verdict(self, assignment, receipt):
        line = receipt_line(assignment.course, receipt)
        forged = line.replace("points=12.5", "points=15")
        found = verify(f"{forged} {line}", public_key(assignment.course))
        assert [each.genuine for each in found] == [False, True]
        assert verify("handgrad-receipt: none", public_key(assignment.course)) == []

    def test_values_with_spaces_and_markup_survive(self, assignment, receipt):
        odd = replace(receipt, course="Deep learning <2> & co=x\nsigned=no ä")
        line = receipt_line(assignment.course, odd)
        assert not re.search(r"[<>&\n]", line)
        assert verify(line, public_key(assignment.course))[0].receipt == odd


class TestKey:
    def test_it_is_made_once_and_for_the_owner_alone(self, assignment):
        course = assignment.course
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(lambda _: public_key(course), range(16)))
        assert keys == {(course.root / "receipt-key.pub").read_text().strip()}
        secret = course.private / "receipt-key"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert stat.S_IMODE(course.private.stat().st_mode) == 0o700

    @pytest.mark.parametrize("content", ["", "no key", "ab" * 31])
    def test_a_damaged_key_is_a_sentence_and_is_kept(self, assignment, content):
        path = assignment.course.private / "receipt-key"
        path.write_text(content)
        with pytest.raises(CourseError, match="Put it back from a backup"):
            public_key(assignment.course)
        assert path.read_text() == content

    def test_it_is_in_no_release(self, released_course):
        secret = (public_key(released_course), (released_course.private / "receipt-key").read_text().strip())
        for path in released_course.release("a1").rglob("*"):
            assert path.is_dir() or secret[1].encode() not in path.read_bytes()


class TestPage:
    def test_what_was_not_graded_has_no_receipt(self, assignment):
        page = feedback_page(sample_report("ada", key=""), assignment).read_text(encoding="utf-8")
        assert MARK not in page

    def test_the_same_page_twice(self, assignment):
        first = feedback_page(sample_report("ada"), assignment).read_bytes()
        assert feedback_page(sample_report("ada"), assignment).read_bytes() == first

    def test_the_arrival_that_counts_is_on_it(self, assignment):
        log = assignment.course.received("a1", "ada") / "arrivals.jsonl"
        log.parent.mkdir(parents=True)
        entries = [
            {"what": "arrived", "at": "2026-01-01T10:00:00+00:00"},
            {"what": "counts", "at": "2026-01-01T10:00:01+00:00", "submission_hash": "a" * 64},
            {"what": "arrived", "at": "2026-01-02T10:00:00+00:00"},
            {"what": "counts", "at": "2026-01-02T10:00:01+00:00", "submission_hash": "b" * 64},
        ]
        log.write_text("\n".join(map(json.dumps, entries)) + '\n7\n{"what": "arr')
        page = feedback_page(sample_report("ada"), assignment).read_text(encoding="utf-8")
        assert verify(page, public_key(assignment.course))[0].receipt.arrived == "2026-01-01T10:00:00+00:00"


class TestCommand:
    def test_genuine_and_forged(self, assignment, receipt, tmp_path):
        line, root = receipt_line(assignment.course, receipt), assignment.course.root
        done = _run(line, "--course", root)
        assert (done.exit_code, done.output.startswith("genuine\n")) == (0, True)
        assert f"submission {'a' * 64}" in done.output
        assert "This course has no report of a1 on ada." in done.output
        done = _run("--course", root, text=line.replace("points=12.5", "points=15"))
        assert (done.exit_code, done.output.startswith("not genuine\n")) == (1, True)
        assert "claimed points     15" in done.output

    def test_with_the_public_key_alone(self, assignment, receipt, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        line, key = receipt_line(assignment.course, receipt), public_key(assignment.course)
        (tmp_path / "mail.txt").write_text(line)
        assert _run("mail.txt", "--key", key).output.startswith("genuine\n")
        done = _run("mail.txt", "--key", "12")
        assert (done.exit_code, "64 hex digits" in done.output) == (1, True)
        assert _run("--public-key", "--course", assignment.course.root).output.strip() == key

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({}, "that count now"),
            ({"key": "f" * 64}, "graded again since"),
            ({"submission_hash": "c" * 64}, "Another submission counts now: cccccccccccc."),
        ],
    )
    def test_it_is_compared_with_what_counts(self, assignment, receipt, fields, said):
        sample_report("ada", **fields).write(assignment.course.report("a1", "ada"))
        assert (
            said in _run(receipt_line(assignment.course, receipt), "--course", assignment.course.root).output
        )

    def test_a_report_that_cannot_be_read(self, assignment, receipt):
        path = assignment.course.report("a1", "ada")
        path.parent.mkdir(parents=True)
        path.write_text("{")
        done = _run(receipt_line(assignment.course, receipt), "--course", assignment.course.root)
        assert "cannot be read, so the receipt was not compared" in done.output

    def test_nothing_in_it_is_a_sentence(self, assignment):
        done = _run("no receipt here", "--course", assignment.course.root)
        assert done.exit_code == 1
        assert f"one begins with {MARK}" in done.output
        done = _run("/dev/null", "x\0y", "z" * 5000, "--course", assignment.course.root)
        assert (done.exit_code, "Traceback" in done.output) == (1, False)


def test_the_manifest_is_read_within_bounds(released_course, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(released_course.release("a1") / NOTEBOOK, NOTEBOOK)
        archive.writestr(pack.MANIFEST_FILE, os.urandom(packed.MAX_MANIFEST_BYTES).hex())
    notes = stage(tmp_path / "a.zip", released_course.assignment("a1"), tmp_path / "staged").notes
    assert any("is damaged" in note for note in notes)
