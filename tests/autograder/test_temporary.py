"""Temporary folders: a killed grader's go, a living one's stay, and nobody else's are touched."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cheap_course as cheap
import pytest

from autograder import temporary
from autograder.course import REPOSITORY

STRANGER = 12345


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder for temporary files, of this test alone."""
    folder = tmp_path / "tmp"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left_by_a_killed_process(place):
    code = "import os, signal; from autograder import temporary; folder = temporary.Folder()\n"
    code += "(folder.path / 'file').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)"
    environment = os.environ | {"TMPDIR": str(place)}
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment)
    assert done.returncode == -signal.SIGKILL
    [left] = place.glob("*/file")
    return left.parent


def test_a_killed_process_folder_is_swept_and_a_living_one_stays(place):
    left_by_a_killed_process(place)
    with temporary.Folder() as mine:
        (mine.path / "file").write_text("x")
        temporary.sweep()
        assert list(place.iterdir()) == [mine.path]
        assert (mine.path / "file").exists()
    assert list(place.iterdir()) == []


def test_what_another_made_is_neither_swept_nor_used(place, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (place / f"{temporary.PREFIX}link").symlink_to(outside)
    (place / f"{temporary.PREFIX}file").write_text("x")
    kept = {"link", "file"}
    if os.geteuid() == 0:
        (place / f"{temporary.PREFIX}theirs").mkdir()
        os.chown(place / f"{temporary.PREFIX}theirs", STRANGER, STRANGER)
        kept.add("theirs")
    temporary.sweep()
    assert {path.name.removeprefix(temporary.PREFIX) for path in place.iterdir()} == kept
    assert (outside / "file").exists()


def test_a_folder_that_is_swept_before_its_lock_is_there_is_made_anew(place, monkeypatch):
    real, made = tempfile.mkdtemp, []

    def swept_at_once(**options):
        made.append(real(**options))
        if len(made) == 1:
            temporary.sweep()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", swept_at_once)
    with temporary.Folder() as folder:
        assert len(made) == 2
        assert list(place.iterdir()) == [folder.path]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_others_can_neither_list_nor_write(place, umask):
    former = os.umask(umask)
    try:
        with temporary.Folder(passable=True) as folder, temporary.Folder() as closed:
            assert folder.path.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
            assert closed.path.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(former)


def test_a_killed_run_and_its_workers_leave_nothing_once_the_class_is_graded_again(tmp_path, place):
    course = cheap.make_course(tmp_path / "course")
    command = [sys.executable, "-m", "autograder.cli", "grade", "a1", "--jobs", "1", "--isolation", "none"]
    command += ["--course", str(course.root), "--submitted", str(course.root / "inbox")]
    options = {"cwd": REPOSITORY, "env": os.environ | {"TMPDIR": str(place)}}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run = subprocess.Popen(command, start_new_session=True, **options, **silent)
    deadline = time.monotonic() + 300
    while not list(Path(place).glob(f"{temporary.PREFIX}*/submission")):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert len(list(place.glob("handgrad-*"))) > 1
    subprocess.run(command, check=True, capture_output=True, **options)
    assert list(place.glob("handgrad-*")) == []
