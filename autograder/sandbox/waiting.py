"""How long a reply may take: wall-clock time, but not what a busy machine made the sandbox wait for.

An honest loop of two seconds takes eight where three others want the same core. Linux counts for each thread
how long it ran and how long it was ready and waited for a processor (/proc/<pid>/task/<tid>/schedstat).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

LATER = 0.1  # seconds before the first look: nearly every reply is there by then
MOST = 4.0  # times the limit, and no reply is waited for any longer, whatever the machine does
LEAST = 0.05  # a lack of time below this share of the limit is none

Times = dict[str, tuple[int, int]]


class Deadline:
    """Until when to wait for the reply of a process and its descendants.

    Args:
        seconds: the limit.
        pid: of the process.
    """

    def __init__(self, seconds: float, pid: int):
        now = time.monotonic()
        self._seconds, self._pid = seconds, pid
        self._end, self._last = now + seconds, now + MOST * seconds
        self._until = min(now + LATER, self._end)
        self._before: Times | None = None
        self._seen = now

    def remaining(self) -> float:
        """Seconds to wait until the next look; none are left when it is 0."""
        now = time.monotonic()
        if self._until <= now and self._until < self._last:
            after = times(self._pid)
            if self._before is None:
                self._until = self._end
            elif (lack := starved(self._before, after, now - self._seen)) > LEAST * self._seconds:
                self._until = min(now + lack, self._last)
            self._before, self._seen = after, now
        return max(self._until - now, 0.0)


def times(pid: int) -> Times:
    """Nanoseconds that each thread of a process and its descendants ran, and waited for a processor."""
    found = {}
    for task in _tasks(pid):
        try:
            ran, waited, _ = (task / "schedstat").read_text().split()
        except (OSError, ValueError):  # it has ended, or this kernel does not count
            continue
        found[str(task)] = int(ran), int(waited)
    return found


def starved(before: Times, after: Times, elapsed: float) -> float:
    """For how many of the seconds between two looks no processor was free for the thread that lacked it most.

    Threads that take each other's time are not starved: together they ran.
    """
    gone = [
        (ran - before.get(task, (0, 0))[0], waited - before.get(task, (0, 0))[1])
        for task, (ran, waited) in after.items()
    ]
    ran = sum(ran for ran, _ in gone) / 1e9
    waited = max((waited for _, waited in gone), default=0) / 1e9
    return max(min(waited, elapsed - ran), 0.0)


def _tasks(pid: int) -> Iterator[Path]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for task in tasks:
        yield task
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _tasks(int(child))
