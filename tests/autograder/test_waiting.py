"""A limit in seconds is the submission's own: what other processes take of the machine does not count."""

import os
import subprocess
import sys
import time

import pytest

from autograder.sandbox import Limits, Session, StudentError
from autograder.sandbox.waiting import MOST, Deadline, starved, times

SECOND = 10**9
SPINS = "while True: pass"
COMPUTES = """
import time

def seconds_of_cpu(n):
    start = time.thread_time()
    while time.thread_time() - start < n:
        pass
    return n

def sleeps(n):
    time.sleep(n)
"""

pytestmark = pytest.mark.skipif(not times(os.getpid()), reason="this kernel does not count waiting")


@pytest.mark.parametrize(
    ("before", "after", "elapsed", "lack"),
    [
        ({"a": (0, 0)}, {"a": (SECOND, 3 * SECOND)}, 4.0, 3.0),
        ({"a": (SECOND, 5 * SECOND)}, {"a": (2 * SECOND, 5 * SECOND)}, 1.0, 0.0),
        ({}, {"new": (SECOND, SECOND)}, 2.0, 1.0),
        ({"asleep": (7, 7)}, {"asleep": (7, 7)}, 4.0, 0.0),
        ({"gone": (0, 0)}, {}, 4.0, 0.0),
        # Threads that take each other's time had all that there was.
        ({}, dict.fromkeys("abcd", (2 * SECOND, 2 * SECOND)), 4.0, 0.0),
    ],
)
def test_only_time_that_others_took_is_a_lack(before, after, elapsed, lack):
    assert starved(before, after, elapsed) == pytest.approx(lack)


def test_who_sleeps_has_the_limit_and_no_more():
    deadline = Deadline(0.2, os.getpid())
    assert 0 < deadline.remaining() <= 0.2
    time.sleep(0.25)
    assert deadline.remaining() == 0


def test_a_process_that_is_gone_is_waited_for_no_longer():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    deadline = Deadline(0.1, process.pid)
    time.sleep(0.15)
    assert deadline.remaining() == 0


@pytest.fixture
def one_busy_core():
    """This process and its children share a core with three others that never rest."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    others = [
        subprocess.Popen([sys.executable, "-c", SPINS], start_new_session=True)  # so that each counts as one
        for _ in range(3)
    ]
    yield
    for other in others:
        other.kill()
        other.wait()
    os.sched_setaffinity(0, before)


@pytest.fixture
def session(tmp_path):
    package = tmp_path / "handgrad"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text(COMPUTES)
    with Session(tmp_path, "none", Limits(call=1.0)) as opened:
        opened.open()
        yield opened


def test_a_call_has_its_seconds_on_a_busy_core_too(session, one_busy_core):
    os.sched_setaffinity(session._sandbox.process.pid, os.sched_getaffinity(0))
    with session.student(seed=0) as student:
        started = time.monotonic()
        assert student.layers.seconds_of_cpu(0.5) == 0.5
        assert time.monotonic() - started > 1.0  # or this machine was not busy, and nothing was tested


@pytest.mark.parametrize("call", ["seconds_of_cpu", "sleeps"])
def test_a_call_that_takes_longer_ends_on_a_busy_core_too(session, one_busy_core, call):
    os.sched_setaffinity(session._sandbox.process.pid, os.sched_getaffinity(0))
    with session.student(seed=0) as student:
        started = time.monotonic()
        with pytest.raises(StudentError, match="did not finish within 1 s"):
            getattr(student.layers, call)(1000)
        assert time.monotonic() - started < 60 * MOST  # it ends; when, is the machine's affair
