"""What the corpus looks for is there to be found: without a sandbox the same code gets what it is after.

A few attacks of looking, harm and network run as plain processes. Everything they aim at is made for the
test, and where an attack aims at the whole machine it is narrowed to that.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import harm
import looking
import pytest
from corpus import AFFINE, LOSSES, MODULES, World, below, no_marks, patch
from test_attacks import CORPUS
from trying import processes_named

from autograder.course import REPOSITORY

# Calls functions of a module, after some names in it got other values; prints those that got something.
CALLER = """
import importlib
import json
import sys
import numpy as np

path, functions, values = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
attack = importlib.import_module(path.removesuffix(".py").replace("/", "."))
vars(attack).update(values)
arguments = {"affine_forward": (np.ones((2, 3)), np.ones((3, 4)), np.ones(4))}
got = {}
for name in functions:
    try:
        if getattr(attack, name)(*arguments.get(name, (np.zeros((2, 3)), np.zeros(2, int)))):
            got[name] = ""
    except Exception as error:
        if not name.startswith("try_"):
            got[name] = str(error)
print(json.dumps(got))
"""


@pytest.fixture
def world(tmp_path):
    """A world of the test's own: a folder that looks like a course, and one for marks."""
    course = tmp_path / "course"
    for name in (
        "nbgrader_config.py",
        "gradebook.db",
        ".handgrad/seed-a1",
        "submitted/ada/a1/handgrad/layers/losses.py",
        "received/a1/ada/notes.json",
        "reports/a1/ada.json",
        "source/a1/manifest.toml",
        "source/a1/3_two_layer_net.ipynb",
    ):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("0123456789abcdef")
    (tmp_path / "outside").mkdir()
    with ExitStack() as opened:
        yield World(course, tmp_path / "outside", opened)


@pytest.fixture
def tree(tmp_path):
    """The modules that attacks change, and what they import; the packages themselves import nothing."""
    packages = {Path(module).parent for module in MODULES}
    for package in packages:
        for path in (REPOSITORY / package).glob("*.py"):
            (tmp_path / package).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tmp_path / package / path.name)
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "handgrad" / "__init__.py").write_text("")
    return tmp_path


def attack(name):
    """One of the corpus."""
    return next(attack for attack in CORPUS if attack.name == name)


def command(module, *functions, **values):
    """What runs these functions of a module, in a process that nothing keeps in."""
    return [sys.executable, "-c", CALLER, module, json.dumps(functions), json.dumps(values)]


def outside(tree, *functions, **values):
    """What these functions of the losses' module get there, by their names."""
    done = subprocess.run(command(LOSSES, *functions, **values), cwd=tree, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def outcome(world):
    """As much of an `Outcome` as detectors look at."""
    return SimpleNamespace(student="outside", world=world)


def test_the_course_is_read(tree, world):
    """Seed, gradebook and another's submission: all attempts, and the report that would tell of them."""
    attack("reads-the-course-folder").change(tree, world)
    attempts = sorted(re.findall(r"def (try_\w+)", looking.COURSE))
    said = outside(tree, "svm_loss")["svm_loss"]
    assert said == f"tried {len(attempts)}, got {attempts}"


def test_a_mark_is_made(tree, world):
    attack("writes-on-every-mount").change(tree, world)
    no_marks(outcome(world))
    attempts = ["try_new_files", "try_overwriting"]
    target = world.outside / "losses.py"
    target.write_text("x = 1")
    target.rename(world.course / "losses.py")
    values = {"PLACES": [str(world.outside)], "FILES": [str(world.course / "losses.py")]}
    assert [*outside(tree, *attempts, **values)] == attempts
    with pytest.raises(AssertionError, match="mark"):
        no_marks(outcome(world))


def test_what_lies_in_memory_is_found(tree, world):
    attempts = ["try_arrays_like_the_answer", "try_texts_with_the_seed"]
    attack("searches-frames-and-objects").change(tree, world)
    assert outside(tree, *attempts) == {}
    source = """
    class Grader:
        def __init__(self, x, y):
            self.expected = {"svm_loss": [right(x, y)], "seed": (f"seed={seed()}",)}
    grader = Grader(np.zeros((2, 3)), np.zeros(2, int))
    """
    below(LOSSES, dedent(source))(tree, world)
    assert [*outside(tree, *attempts)] == attempts


@pytest.mark.parametrize(
    ("name", "attempts", "reached"),
    [
        ("calls-out-by-ip", ["try_tcp_by_ipv4", "try_datagrams_without_connecting"], ["tcp4", "udp4"]),
        (
            "calls-out-by-unix-sockets",
            ["try_a_socket_in_a_folder", "try_an_abstract_socket"],
            ["unix", "abstract"],
        ),
    ],
)
def test_a_connection_is_made(tree, world, name, attempts, reached):
    attack(name).change(tree, world)
    assert [*outside(tree, *attempts)] == attempts
    assert world.receivers.reached() == reached


def test_shared_memory_is_found(tree, world):
    attempts = ["try_segments", "try_semaphores", "try_queues", "try_posix_memory", "try_abstract_names"]
    attack("shares-memory-by-name").change(tree, world)
    assert [*outside(tree, *attempts)] == attempts
    assert world.shared.changes() == ["made a segment", "made a semaphore", "made a queue", "called"]


def test_another_process_is_killed(tree, world):
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        # Everybody, the first process and its own group are narrowed to the victim.
        source = harm.KILLS_ALL.replace("(-1, 1, os.getppid())", f"({victim.pid},)")
        source = source.replace("os.killpg(0, signal.SIGKILL)", "")
        assert "getppid" not in source
        assert "killpg" not in source
        assert "-1" not in source
        patch(source)(tree, world)
        assert outside(tree, "svm_loss") == {}
        assert -victim.wait(60) in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL)
    finally:
        victim.kill()
        victim.wait()


def test_a_daemon_is_left(tree, world, tmp_path):
    name = f"hg-{os.getpid()}"  # another worker may be looking for the corpus's own
    written = tmp_path / "daemon"
    source = harm.DAEMON.replace("@NAME@", name).replace("/tmp/daemon", str(written))
    patch(source)(tree, world)
    assert processes_named(name) == []
    try:
        subprocess.run(command(AFFINE, "affine_forward"), cwd=tree, check=True, stdout=subprocess.DEVNULL)
        assert len(processes_named(name)) == 1
        size, deadline = written.stat().st_size, time.monotonic() + 30
        while written.stat().st_size == size and time.monotonic() < deadline:
            time.sleep(0.05)
        assert written.stat().st_size > size
    finally:
        for process in processes_named(name):
            os.kill(process, signal.SIGKILL)
