"""Kill a grading run at random moments, and see that the class is completed with nothing lost or changed.

    python benchmarks/kill.py [--count 50] [--each 5] [--isolation bubblewrap] [--seed 0]

The class is small: ada solved the assignment, bob nothing, cyd half of it, handed in as a zip. A person has
graded a former version by hand and written comments; then new versions come in. Each round starts from
there and kills `autograder grade` with SIGKILL, workers and sandboxes with it, up to `--each` times, each
time in a rerun of the same command; then that command runs to its end. Half of the kills come at a random
time, the others right before a random file operation of the grader's. After each round, reports, copies of
what came, submitted and graded folders and every grade and comment of the gradebook are compared, byte for
byte but for times, with those of a run that nobody disturbed, `autograder verify` must find nothing, and no
unfinished file may be left.

The status is 1 when any of this fails.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "autograder")]

MOST_SECONDS = 300.0


def command(root: Path, isolation: str) -> list[str]:
    """The command that an instructor repeats."""
    arguments = ["grade", "a1", "--jobs", "1", "--isolation", isolation, "--course", str(root)]
    return [sys.executable, __file__, "--child", *arguments, "--submitted", str(root / "inbox")]


def child(arguments: list[str]) -> None:
    """Be `autograder`, and count or be killed at the file operations in the course."""
    root, last = os.path.realpath(os.environ["KILL_ROOT"]), int(os.environ.get("KILL_AT", 0))
    counted = 0

    def watch(event: str, values: tuple) -> None:
        nonlocal counted
        if event in EVENTS and any(_inside(value, root) for value in values):
            counted += 1
            if counted == last:
                os.killpg(0, signal.SIGKILL)

    sys.addaudithook(watch)
    from autograder.cli import app

    try:
        app(arguments)
    finally:
        if "KILL_COUNT" in os.environ:
            Path(os.environ["KILL_COUNT"]).write_text(str(counted))


EVENTS = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.listdir",
    "shutil.rmtree",
    "sqlite3.connect",
}


def _inside(value: object, root: str) -> bool:
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    return isinstance(value, (str, os.PathLike)) and os.fspath(value).startswith(root)


def start(root: Path, isolation: str, **settings: object) -> subprocess.Popen:
    """Start the command in a process group of its own."""
    environment = os.environ | {"KILL_ROOT": str(root)} | {key: str(value) for key, value in settings.items()}
    return subprocess.Popen(
        command(root, isolation),
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(root: Path, isolation: str, **settings: object) -> float:
    """Run the command to its end; returns the seconds it took."""
    started = time.monotonic()
    process = start(root, isolation, **settings)
    assert process.wait(MOST_SECONDS) == 0, f"the command ended with status {process.returncode}"
    return time.monotonic() - started


def kill_after(root: Path, isolation: str, seconds: float) -> bool:
    """Kill the command and all its processes after a while; False when it had ended by then."""
    process = start(root, isolation)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait(MOST_SECONDS) == -signal.SIGKILL


def kill_before(root: Path, isolation: str, operation: int) -> bool:
    """Let the command kill itself and all its processes before a file operation; False when it had ended."""
    return start(root, isolation, KILL_AT=operation).wait(MOST_SECONDS) == -signal.SIGKILL


def prepare(root: Path) -> None:
    """A class whose former versions were graded, by hand too, and whose new versions wait in the inbox."""
    import cheap_course as cheap

    course = cheap.make_course(root)
    finish(root, "none")
    cheap.grade_by_hand(course)
    cheap.hand_in_again(course)


def differences(course, expected: dict[str, object]) -> list[str]:
    """What is not as an undisturbed run leaves it."""
    import cheap_course as cheap

    from autograder.verify import verify

    found = cheap.state(course)
    wrong = [
        f"{name} differs"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    wrong += [f"{left} was left" for left in cheap.leftovers(course)]
    return wrong + verify(course.assignment("a1")).differences


def run(count: int, each: int, isolation: str, seed: int, folder: Path, say=print) -> list[str]:
    """Kill `count` times and return what went wrong."""
    import cheap_course as cheap

    from autograder.course import Course

    draw, before, root = random.Random(seed), folder / "before", folder / "course"
    prepare(before)
    shutil.copytree(before, root, symlinks=True)
    seconds = finish(root, isolation, KILL_COUNT=folder / "count")
    operations, expected = int((folder / "count").read_text()), cheap.state(Course(root))
    say(f"undisturbed: {seconds:.1f} s, {operations} file operations")
    wrong, killed = differences(Course(root), expected), 0
    while killed < count:
        shutil.rmtree(root)
        shutil.copytree(before, root, symlinks=True)
        moments = []
        while len(moments) < min(each, count - killed):
            if draw.random() < 0.5:
                moment = f"{(after := draw.uniform(0, seconds)):.2f} s"
                done = not kill_after(root, isolation, after)
            else:
                moment = f"operation {(operation := draw.randint(1, operations))}"
                done = not kill_before(root, isolation, operation)
            if done:
                break  # what is left to do takes less than that
            moments.append(moment)
        killed += len(moments)
        finish(root, isolation)
        found = differences(Course(root), expected)
        say(f"{killed:3} killed ({', '.join(moments)}): {'; '.join(found) or 'nothing lost'}")
        wrong += found
    return wrong


def main() -> None:
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="how often to kill")
    parser.add_argument("--each", type=int, default=5, help="how often in a row, at most")
    parser.add_argument("--isolation", default="bubblewrap", choices=["bubblewrap", "none"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="handgrad-kill-") as folder:
        os.chmod(folder, 0o755)
        wrong = run(options.count, options.each, options.isolation, options.seed, Path(folder))
    print(f"{options.count} kills, {len(wrong)} differences")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    child(sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main()
