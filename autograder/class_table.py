"""The class on the terminal: one line a student, with the points per question and what happened."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .pages import STATUS_WORDS, number
from .report import Question, Report

COLOURS = {
    "passed": "green",
    "partial": "yellow",
    "failed": "red",
    "error": "red",
    "timeout": "red",
    "crash": "red",
    "not_attempted": "dim",
    "manual": "dim",
}


def class_table(reports: list[Report], extra: Mapping[str, str] | None = None, heading: str = "") -> Group:
    """The table, under a legend of its columns.

    Args:
        reports: of one assignment, each with the same questions.
        extra: a last column by student, under `heading`.
    """
    questions = reports[0].questions if reports else []
    legend = Columns(
        Text.assemble((f"{index:2} ", "bold cyan"), f"{q.grade_id} ({number(q.max_points)})")
        for index, q in enumerate(questions, 1)
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("student", no_wrap=True)
    for index in range(1, len(questions) + 1):
        table.add_column(Text(str(index), style="bold cyan"), justify="right", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("what happened", ratio=1)
    if extra is not None:
        table.add_column(heading)
    for report in sorted(reports, key=lambda r: r.student):
        by_id = {(q.notebook, q.grade_id): q for q in report.questions}
        row = [by_id.get((q.notebook, q.grade_id)) for q in questions]
        cells: list[Text] = [Text(report.student)]
        cells += [Text(number(q.points), style=COLOURS[q.status]) if q else Text("?") for q in row]
        cells.append(Text(f"{number(report.auto_points)}/{number(report.max_auto_points)}", style="bold"))
        cells.append(Text(what_happened(report)))
        if extra is not None:
            cells.append(Text(extra.get(report.student, "")))
        table.add_row(*cells)
    return Group(legend, table)


def what_happened(report: Report) -> str:
    """One line about a submission: its mistakes, each said once, with the questions it cost."""
    causes: dict[str, list[str]] = {}
    for q in report.questions:
        if q.kind == "auto" and q.status != "passed":
            causes.setdefault(_cause(q), []).append(q.grade_id)
    auto = [q for q in report.questions if q.kind == "auto"]
    said = []
    for cause, names in causes.items():
        where = ", ".join(names) if len(names) <= 3 else f"{len(names)} of {len(auto)} questions"
        said.append(cause if cause.startswith(where) else f"{where}: {cause}")
    return "; ".join([*said, *map(short, report.notes)]) or "all right"


def _cause(question: Question) -> str:
    wrong = [c.message for c in question.comparisons if not c.passed and c.message]
    detail = question.explanation or (wrong[0] if wrong else "")
    if question.status == "not_attempted" or not detail:
        return STATUS_WORDS[question.status]
    return short(detail)


def short(text: str, limit: int = 90) -> str:
    """The first sentence, cut at the limit."""
    first = text.strip().split("\n")[0].split(". ")[0].rstrip(".")
    return first if len(first) <= limit else first[: limit - 1].rstrip() + "…"
