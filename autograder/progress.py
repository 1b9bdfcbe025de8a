"""How far a run is: a bar on a terminal, a line per submission elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Advance(Protocol):
    """Says that one more submission is done."""

    def __call__(self, student: str, what: str, failed: bool = False) -> None: ...


@contextmanager
def progress(console: Console, total: int) -> Iterator[Advance]:
    """Show `total` submissions being done, each reported by a call of what this yields."""
    done = failures = 0
    if not console.is_terminal:

        def line(student: str, what: str, failed: bool = False) -> None:
            nonlocal done
            done += 1
            console.print(
                f"[{done}/{total}] {student}: {what}", markup=False, highlight=False, soft_wrap=True
            )

        yield line
        return
    columns = (
        TextColumn("grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("· {task.fields[left]} left · {task.fields[failures]} failures ·"),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("to go"),
    )
    with Progress(*columns, console=console, transient=False) as bar:
        task = bar.add_task("", total=total, left=total, failures=0)

        def advance(student: str, what: str, failed: bool = False) -> None:
            nonlocal done, failures
            done, failures = done + 1, failures + failed
            if failed:
                bar.console.print(f"[red]{escape(student)}: {escape(what)}")
            bar.update(task, completed=done, left=total - done, failures=failures)

        yield advance
