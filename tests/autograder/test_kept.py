"""Nothing gets lost: killed, or with a full disk or a locked gradebook, the next run completes the class."""

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import cheap_course as cheap
import pytest
import tiny_course as tiny
from distributed.scheduler import KilledWorker
from typer.testing import CliRunner

from autograder import arrivals, durable, history, recording, run, staging
from autograder.arrivals import LOG
from autograder.cli import app
from autograder.course import REPOSITORY, Course, CourseError
from autograder.nbgrader import writer
from autograder.nbgrader.writer import GradebookTrouble
from autograder.release import release
from autograder.report import Report, recorded_hashes
from autograder.run import ClassResult, by_sentence, grade_class
from autograder.scores import read_scores
from autograder.staging import Arrival, collect
from autograder.verify import verify

NOBODY = "tcp://127.0.0.1:9"  # a scheduler that is never asked where nothing is left to grade
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree"}

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def course(tiny_release, tmp_path):
    """The tiny course, nobody graded."""
    return Course(shutil.copytree(tiny_release.root, tmp_path / "course"))


@pytest.fixture
def graded(course):
    """A class of two whose reports wait for the gradebook."""
    for student in ("ann", "bob"):
        handed_in(course, student)
        tiny.grade(course, student)
    return course


def handed_in(course, student, text="x = 1\n"):
    """Receive a small submission; returns it."""
    work = course.root / "inbox" / student
    (work / "handgrad" / "layers").mkdir(parents=True, exist_ok=True)
    shutil.copy(course.release("a1") / f"{tiny.NOTEBOOK}.ipynb", work)
    (work / "handgrad" / "layers" / "affine.py").write_text(text)
    collect(Arrival(student, work), course, course.assignment("a1"))
    return work


def killed_before(operation, root, action):
    """Whether `action`, in another process, was killed right before its n-th file operation below `root`."""
    if (child := os.fork()) == 0:
        counted = 0

        def watch(event, values):
            nonlocal counted
            if event in EVENTS and any(str(value).startswith(str(root)) for value in values):
                counted += 1
                if counted == operation:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        with contextlib.suppress(BaseException):
            action()
            os._exit(0)
        os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def kill_everywhere(root, action, check):
    """Kill `action` before each of its file operations, and check what is left each time."""
    operation = 1
    while killed_before(operation, root, action):
        check()
        operation += 1
    assert operation > 3, "nothing was killed"
    return operation - 1


def all_files(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_a_whole_run_killed_again_and_again_gives_what_an_undisturbed_one_does(tmp_path):
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        import kill
    finally:
        sys.path.pop(0)
    assert kill.run(4, 4, "none", 0, tmp_path) == []


class TestArrivals:
    def test_what_comes_is_kept_with_time_hash_size_and_name(self, course):
        work = handed_in(course, "ann")
        folder = course.received("a1", "ann")
        arrived, counts = arrivals.read(folder)
        assert (arrived.what, arrived.name, arrived.files) == ("arrived", "ann", 2)
        assert arrived.bytes == sum(p.stat().st_size for p in work.rglob("*") if p.is_file())
        assert arrived.at.endswith("+00:00")
        assert arrived.sha256.startswith(arrived.kept)
        assert all_files(folder / arrived.kept) == all_files(work)
        assert (counts.what, counts.sha256) == ("counts", arrived.sha256)
        assert counts.submission_hash == staging.submission_hash(work, course.assignment("a1"))

    def test_the_same_again_is_noted_once_and_not_copied(self, course):
        work = handed_in(course, "ann")
        os.utime(work, (1, 1))
        for _ in range(2):
            collect(Arrival("ann", work), course, course.assignment("a1"))
        folder = course.received("a1", "ann")
        assert [e.what for e in arrivals.read(folder)] == ["arrived", "counts", "arrived again"]
        assert len(list(folder.glob("*/"))) == 1

    def test_an_older_version_that_comes_again_counts_again(self, course):
        for text in ("x = 1\n", "x = 2\n", "x = 1\n"):
            handed_in(course, "ann", text)
        log = arrivals.read(course.received("a1", "ann"))
        assert [e.what for e in log][-2:] == ["arrived again", "counts"]
        assert arrivals.counting(log).sha256 == log[0].sha256
        assert verify(course.assignment("a1")).differences == [
            "ann is not graded yet: run `autograder grade a1`."
        ]

    def test_a_copy_that_was_damaged_or_clashes_does_not_stand_for_what_comes(self, course):
        work = handed_in(course, "ann")
        folder = course.received("a1", "ann")
        [kept] = folder.glob("*/")
        (kept / "handgrad" / "layers" / "affine.py").write_text("damaged")
        os.utime(work, (1, 1))
        collect(Arrival("ann", work), course, course.assignment("a1"))
        assert all_files(folder / arrivals.read(folder)[0].sha256) == all_files(work)

    def test_a_zip_that_is_refused_is_kept_all_the_same(self, course):
        path = course.root / "eve.zip"
        path.write_bytes(b"PK no zip")
        collect(Arrival("eve", path), course, course.assignment("a1"))
        [kept] = course.received("a1", "eve").glob("*/submission.zip")
        assert kept.read_bytes() == b"PK no zip"

    def test_a_clock_that_is_set_back_changes_nothing_and_is_told(self, course):
        handed_in(course, "ann")
        log = course.received("a1", "ann") / LOG
        log.write_text(log.read_text().replace('"at": "20', '"at": "21'))
        handed_in(course, "ann", "x = 2\n")
        affine = course.submitted("a1", "ann") / "handgrad" / "layers" / "affine.py"
        assert affine.read_text() == "x = 2\n"
        assert any("clock was set back" in d for d in verify(course.assignment("a1")).differences)

    def test_killed_before_each_file_operation_the_former_or_the_new_version_is_there_whole(self, course):
        assignment = course.assignment("a1")
        first = handed_in(course, "ann")
        new = shutil.copytree(first, course.root / "inbox2" / "ann")
        (new / "handgrad" / "layers" / "affine.py").write_text("x = 2\n")
        submitted, received = course.submitted("a1", "ann"), course.received("a1", "ann")
        backup = course.root.parent / "backup"
        for place in (submitted, received):
            shutil.copytree(place, backup / place.name)
        versions = [all_files(submitted)]
        versions.append(versions[0] | {"handgrad/layers/affine.py": b"x = 2\n"})
        resumed = 0

        def check():
            nonlocal resumed
            assert all_files(submitted) in versions
            staging.resume(assignment)
            resumed += all_files(submitted) == versions[1]  # without its coming again, once it was noted
            collect(Arrival("ann", new), course, assignment)
            assert all_files(submitted) == versions[1]
            log = arrivals.read(received)
            assert [e.what for e in log] == ["arrived", "counts", "arrived", "counts"]
            assert sorted(p.name for p in received.glob("*/")) == sorted({e.kept for e in log})
            assert cheap.leftovers(course) == []
            for place in (submitted, received):
                shutil.rmtree(place)
                shutil.copytree(backup / place.name, place)

        killed = kill_everywhere(course.root, lambda: collect(Arrival("ann", new), course, assignment), check)
        assert killed > 30
        assert resumed > 5


class TestFiles:
    @pytest.mark.parametrize("exchange", [True, False])
    def test_a_folder_is_replaced_by_one_that_is_whole(self, tmp_path, monkeypatch, exchange):
        if not exchange:  # as on disks that have no such operation
            monkeypatch.setattr(durable, "_exchange", lambda one, other: False)
        target = tmp_path / "place" / "a1"

        def make(folder, text):
            folder.mkdir(parents=True)
            (folder / "file").write_text(text)

        def check():
            durable.restore(target)
            assert (target / "file").read_text() in ("old", "new")
            assert [p.name for p in target.parent.iterdir()] == ["a1"]
            shutil.rmtree(target)
            shutil.rmtree(tmp_path / "fresh", ignore_errors=True)
            make(target, "old")
            make(tmp_path / "fresh", "new")

        make(target, "old")
        make(tmp_path / "fresh", "new")
        operation = 1
        while killed_before(operation, tmp_path, lambda: durable.put_in_place(tmp_path / "fresh", target)):
            check()
            operation += 1
        assert (target / "file").read_text() == "new"
        assert (tmp_path / "fresh" / "file").read_text() == "old"
        assert operation > (1 if exchange else 3)

    def test_a_report_is_the_former_or_the_new_one_whatever_kills_its_writer(self, graded):
        path = graded.report("a1", "ann")
        former = Report.read(path)
        new = former.model_copy(update={"notes": ["new"]})

        def check():
            assert Report.read(path) in (former, new)
            durable.sweep_temporaries(path.parent)
            assert sorted(p.name for p in path.parent.iterdir()) == ["ann.json", "bob.json", "log.jsonl"]
            assert not any("changed" in d for d in verify(graded.assignment("a1")).differences)
            former.write(path)

        kill_everywhere(path.parent, lambda: new.write(path), check)

    def test_a_seed_is_drawn_once_and_whole(self, course):
        shutil.rmtree(course.private)
        course.private  # noqa: B018 (made on first use)

        def check():
            seed = course.seed("a1")
            assert len(seed) == 32
            assert course.seed("a1") == seed
            (course.private / "seed-a1").unlink()

        kill_everywhere(course.private, lambda: course.seed("a1"), check)

    def test_an_empty_seed_is_nobodys(self, course):
        (course.private / "seed-a1").write_text("")
        with pytest.raises(CourseError, match="seed-a1 is empty"):
            course.seed("a1")

    def test_only_what_dead_processes_left_is_swept_away(self, tmp_path):
        killed_before(3, tmp_path, lambda: durable.scratch(tmp_path).__enter__().joinpath("x").mkdir())
        assert len(list(tmp_path.glob("scratch-*"))) == 1
        with durable.scratch(tmp_path) as mine:
            durable.sweep(tmp_path)
            assert list(tmp_path.glob("scratch-*")) == [mine]
        assert not list(tmp_path.glob("scratch-*"))

    def test_a_line_that_was_cut_off_costs_no_other(self, tmp_path):
        log = tmp_path / "log"
        durable.append(log, {"n": 1})
        with log.open("a") as file:
            file.write('{"n": ')
        durable.append(log, {"n": 2})
        assert list(durable.entries(log)) == [{"n": 1}, {"n": 2}]

    def test_a_release_that_is_killed_leaves_the_former_one_and_nothing_else(self, course):
        before = all_files(course.release("a1"))
        seen = []

        def check():
            seen.append(all_files(course.release("a1")) == before)
            durable.sweep(course.private)
            assert cheap.leftovers(course) == []

        def again():
            release(course, "a1", prove=False, force=True)

        # It takes seconds each time: a few of its hundreds of operations.
        for operation in (5, 150):
            assert killed_before(operation, course.root, again)
            check()
        assert seen == [True, True]


class TestReports:
    def test_damaged_reports_are_kept_once_each_in_the_history(self, graded):
        path = graded.report("a1", "ann")
        report = Report.read(path)
        for damaged in (b'{"half": "\xff', b"", b'{"half": "\xff'):
            path.write_bytes(damaged)
            os.utime(path, (1, 1))
            history.replace(graded, report)
            assert Report.read(path) == report
        kept = history.folder_of(graded, "a1", "ann")
        assert sorted(p.read_bytes() for p in kept.iterdir()) == [b"", b'{"half": "\xff']
        assert sorted(p.name for p in path.parent.iterdir()) == ["ann.json", "bob.json", "log.jsonl"]

    def test_what_kills_a_worker_when_alone_there_waits_for_a_person_and_is_not_tried_again(self, graded):
        assignment, result = graded.assignment("a1"), ClassResult()
        former = Report.read(graded.report("a1", "ann"))
        outcome = KilledWorker("a task", None, 0)
        report = run.accept(
            graded, assignment, run.Work("ann", former.key), outcome, result, former.seed, former.isolation
        )
        assert (result.graded, list(result.failures)) == ([], ["ann"])
        assert "A person grades it. To have it tried again, delete " in result.failures["ann"]
        assert {(q.status, q.points) for q in report.questions} == {("manual", None)}
        assert history.former_reports(graded, "a1", "ann") == [former]
        assert grade_class(graded, "a1", scheduler=NOBODY).failures == {}
        assert Report.read(graded.report("a1", "ann")) == report
        assert read_scores(graded, "a1")["ann"].pending == 2  # there is no answer to the third
        assert verify(assignment).differences == []

    def test_a_report_of_a_later_version_is_left_alone_and_named(self, graded):
        path = graded.report("a1", "ann")
        later = json.dumps(json.loads(path.read_text()) | {"schema_version": 2, "new": []})
        path.write_text(later)
        result = grade_class(graded, "a1", scheduler=NOBODY)
        assert path.read_text() == later
        assert list(result.failures) == ["ann"]
        assert "later version of handgrad: install that, or move the file away" in result.failures["ann"]
        assert tiny.scores(graded, "bob")["affine_forward"]["auto"] == 1.5

    def test_notes_that_cannot_be_read_do_not_stop_a_submission(self, graded):
        (graded.received("a1", "ann") / "notes.json").write_text('{"notes": 3')
        assert grade_class(graded, "a1", scheduler=NOBODY).failures == {}


class TestGradebook:
    @pytest.fixture(autouse=True)
    def _impatient(self, graded, monkeypatch):
        """Wait for tenths of seconds where a class would wait for minutes."""
        url = f"sqlite:///{graded.root}/gradebook.db?timeout=0.1"
        config = graded.root / "nbgrader_config.py"
        config.write_text(f"{config.read_text()}get_config().CourseDirectory.db_url = {url!r}\n")
        monkeypatch.setattr(writer, "ATTEMPTS", 2)

    @pytest.fixture
    def lock(self, graded):
        with contextlib.closing(
            sqlite3.connect(graded.root / "gradebook.db", isolation_level=None)
        ) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield connection

    def complete(self, course):
        """The next run fills in what is missing."""
        assert grade_class(course, "a1", scheduler=NOBODY).failures == {}
        assert [tiny.scores(course, name)["affine_forward"]["auto"] for name in ("ann", "bob")] == [1.5, 1.5]
        assert verify(course.assignment("a1")).differences == []

    def test_a_locked_one_is_waited_for_then_grading_goes_on_and_the_next_run_fills_it(self, graded, lock):
        told = []
        gradebook = recording.Recorder(graded, told.append, lambda student, why: told.append(student))
        reports = [Report.read(graded.report("a1", name)) for name in ("ann", "bob")]
        gradebook.record(reports[0])
        assert "locks the gradebook: waiting for it" in told[0]
        assert told[1].startswith("Grading goes on, but the gradebook sqlite:")
        gradebook.record(reports[1])  # at once: nobody waits a minute for each student
        assert len(told) == 2
        lock.rollback()
        gradebook.finish()
        assert len(told) == 2
        self.complete(graded)

    def test_one_that_stays_locked_is_one_sentence_for_the_class(self, graded, lock):
        result = grade_class(graded, "a1", scheduler=NOBODY)
        [(why, students)] = by_sentence(result.failures).items()
        assert students == "ann, bob"
        assert "database is locked" in why
        assert "Close other programs that use the gradebook, then run the same command again" in why
        lock.rollback()
        self.complete(graded)

    @pytest.mark.parametrize(
        ("offset", "content", "says"),
        [
            (18, b"\x03", "can only be read: give yourself the right"),
            (0, b"no database at all", "damaged: put a backup"),
        ],
    )
    def test_one_that_cannot_be_written_or_read_keeps_the_reports(self, graded, offset, content, says):
        path = graded.root / "gradebook.db"
        whole = path.read_bytes()
        with path.open("r+b") as file:  # SQLite only reads a database of write version 3
            file.seek(offset)
            file.write(content)
        with pytest.raises(GradebookTrouble, match=says):
            writer.write(graded, "a1", "ann")
        assert set(grade_class(graded, "a1", scheduler=NOBODY).failures) == {"ann", "bob"}
        path.write_bytes(whole)
        self.complete(graded)

    def test_what_a_person_gave_is_kept(self, graded):
        grade_class(graded, "a1", scheduler=NOBODY)
        with sqlite3.connect(graded.root / "gradebook.db") as connection:
            connection.execute("UPDATE grade SET manual_score = 0.25")
            connection.execute("UPDATE comment SET manual_comment = 'Nearly'")
        for path in (graded.root / "reports" / "a1").glob("*.written"):
            path.unlink()  # as if the run had been killed before the last step
        shutil.rmtree(graded.root / "autograded" / "ann")
        self.complete(graded)
        rows = cheap.gradebook_rows(graded)
        assert {row[5] for row in rows if row[3] == "grade"} == {0.25}
        assert {row[5] for row in rows if row[3] == "comment"} == {"Nearly"}


@pytest.fixture
def small_disk(tmp_path, tiny_release):
    """A course on a disk of its own with 300 KiB free."""
    place = tmp_path / "disk"
    place.mkdir()
    size = sum(-(-p.stat().st_size // 4096) * 4096 + 4096 for p in tiny_release.root.rglob("*"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size // 1024 + 2000}k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no program mount")
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted: {mounted.stderr.strip()}")
    try:
        yield Course(shutil.copytree(tiny_release.root, place / "course"))
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # SQLite may have a file open


@contextlib.contextmanager
def full(course):
    """Fill the course's disk."""
    filler = course.root.parent / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    try:
        yield
    finally:
        filler.unlink()


class TestFullDisk:
    def test_of_a_submission_nothing_is_lost_and_nothing_half_is_left(self, small_disk):
        course = small_disk
        work = handed_in(course, "ann")
        before = all_files(course.root / "submitted"), all_files(course.root / "received")
        (work / "handgrad" / "layers" / "affine.py").write_text("x = 2\n" * 2000)
        with full(course):
            with pytest.raises(
                CourseError, match=r"The disk is full: free some space.* run the same command again"
            ):
                grade_class(course, "a1", course.root / "inbox", scheduler=NOBODY)
            assert (all_files(course.root / "submitted"), all_files(course.root / "received")) == before
        collect(Arrival("ann", work), course, course.assignment("a1"))
        assert len(list(course.received("a1", "ann").glob("*/"))) == 2
        assert cheap.leftovers(course) == []

    def test_the_former_report_stays(self, small_disk):
        handed_in(small_disk, "ann")
        report, path = tiny.grade(small_disk, "ann"), small_disk.report("a1", "ann")
        with full(small_disk), pytest.raises(OSError, match="No space left") as caught:
            report.model_copy(update={"notes": ["x" * 10_000]}).write(path)
        assert "The disk is full" in durable.lasting_trouble(caught.value)
        assert Report.read(path) == report
        assert cheap.leftovers(small_disk) == []

    def test_the_gradebook_is_filled_when_there_is_room_again(self, small_disk):
        handed_in(small_disk, "ann")
        tiny.grade(small_disk, "ann")
        grade_class(small_disk, "a1", scheduler=NOBODY)
        with sqlite3.connect(small_disk.root / "gradebook.db") as connection:
            connection.execute("UPDATE grade SET manual_score = 0.25")
        tiny.grade(small_disk, "ann", {"affine_forward": 3.0, "relu_forward": 0.0})
        with full(small_disk):
            [why] = grade_class(small_disk, "a1", scheduler=NOBODY).failures.values()
            assert "free some space" in why
        assert grade_class(small_disk, "a1", scheduler=NOBODY).failures == {}
        found = tiny.scores(small_disk, "ann")
        assert (found["affine_forward"]["auto"], found["affine_forward"]["manual"]) == (3.0, 0.25)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_trouble_with_the_disk_is_a_sentence_of_the_command(course, monkeypatch, number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number), str(course.root / "reports"))

    monkeypatch.setattr("autograder.run.grade_class", fail)
    told = CliRunner().invoke(app, ["grade", "a1", "--course", str(course.root)])
    assert told.exit_code == 1
    assert "error:" in told.output
    assert "Then run the same command again" in told.output


class TestVerify:
    @pytest.fixture
    def whole(self, graded):
        grade_class(graded, "a1", scheduler=NOBODY)
        return graded

    def test_nothing_to_say_and_nothing_changed(self, whole):
        before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in whole.root.rglob("*")}
        told = CliRunner().invoke(app, ["verify", "--course", str(whole.root)])
        assert (told.exit_code, told.output.splitlines()[-1]) == (0, "Everything matches.")
        assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in whole.root.rglob("*")} == before
        found = verify(whole.assignment("a1"))
        assert (found.submissions, found.arrived, found.reports, found.scores) == (2, 2, 2, 6)

    @pytest.mark.parametrize(
        ("tamper", "says"),
        [
            ("received changed", "received/a1/ann/.* was changed after it came on 20"),
            ("received missing", "received/a1/ann/.* is missing: it came on 20"),
            ("received extra", "received/a1/ann/abc is extra"),
            (
                "submitted changed",
                "submitted/ann/a1 was changed after it came to count|ann was graded on another",
            ),
            ("submitted missing", "submitted/ann/a1 is missing|reports/a1/ann.json is extra"),
            ("submitted extra", "submitted/eve/a1 is extra|eve is not graded yet"),
            ("report changed", "reports/a1/ann.json was changed after it was written"),
            (
                "report missing",
                "reports/a1/ann.json is missing|gradebook has grades of ann, of whom there is no",
            ),
            ("report damaged", "reports/a1/ann.json is damaged"),
            ("report later", "reports/a1/ann.json was written by a later version"),
            (
                "release changed",
                "ann was graded on another release than|bob was graded on another release than",
            ),
            ("gradebook changed", "The gradebook gives ann 2.5 for affine_forward .* the report 1.5"),
            ("gradebook missing", "The gradebook .*gradebook.db is missing"),
            (
                "gradebook emptied",
                "The gradebook has no grades of ann: run|has grades of x, of whom there is no report",
            ),
            ("new version", "ann was graded on another version than the one that counts"),
            ("not graded", "cyd is not graded yet: run `autograder grade a1`"),
        ],
    )
    def test_each_difference_is_a_sentence(self, whole, tamper, says):
        _TAMPER[tamper](whole)
        told = CliRunner().invoke(app, ["verify", "a1", "--course", str(whole.root)])
        assert told.exit_code == 1
        found = verify(whole.assignment("a1")).differences
        assert found
        for sentence in found:
            assert any(re.search(part, sentence) for part in says.split("|")), sentence
        for part in says.split("|"):
            assert any(re.search(part, sentence) for sentence in found), part


def _edit(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def _sql(course, statement):
    with sqlite3.connect(course.root / "gradebook.db") as connection:
        connection.execute(statement)


def _affine(folder: Path) -> Path:
    return folder / "handgrad" / "layers" / "affine.py"


_TAMPER = {
    "received changed": lambda c: _affine(next(c.received("a1", "ann").glob("*/"))).write_text("x = 9\n"),
    "received missing": lambda c: shutil.rmtree(next(c.received("a1", "ann").glob("*/"))),
    "received extra": lambda c: (c.received("a1", "ann") / "abc").mkdir(),
    "submitted changed": lambda c: _affine(c.submitted("a1", "ann")).write_text("x = 9\n"),
    "submitted missing": lambda c: shutil.rmtree(c.submitted("a1", "ann")),
    "submitted extra": lambda c: shutil.copytree(c.submitted("a1", "ann"), c.submitted("a1", "eve")),
    "report changed": lambda c: _edit(c.report("a1", "ann"), "About affine_forward", "About nothing"),
    "report missing": lambda c: c.report("a1", "ann").unlink(),
    "report damaged": lambda c: c.report("a1", "ann").write_bytes(b"\xff"),
    "report later": lambda c: _edit(c.report("a1", "ann"), '"schema_version": 1', '"schema_version": 2'),
    "release changed": lambda c: (c.release("a1") / "README.md").write_text("other"),
    "gradebook changed": lambda c: _sql(
        c,
        "UPDATE grade SET auto_score = 2.5 WHERE auto_score = 1.5 AND notebook_id IN (SELECT n.id FROM "
        "submitted_notebook n JOIN submitted_assignment s ON n.assignment_id = s.id WHERE student_id='ann')",
    ),
    "gradebook missing": lambda c: (c.root / "gradebook.db").unlink(),
    "gradebook emptied": lambda c: _sql(
        c, "UPDATE submitted_assignment SET student_id = 'x' WHERE student_id = 'ann'"
    ),
    "new version": lambda c: handed_in(c, "ann", "x = 3\n"),
    "not graded": lambda c: handed_in(c, "cyd"),
}


def test_hashes_of_reports_are_recorded_by_student(graded):
    found = recorded_hashes(graded.root / "reports" / "a1")
    assert {student: len(hashes) for student, hashes in found.items()} == {"ann": 1, "bob": 1}
