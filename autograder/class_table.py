"""The class on the terminal: one line a student, with the points and what happened.

Points are those of each question, or of each notebook where there are more questions than fit a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .pages import STATUS_WORDS, number
from .report import Question, Report

MOST_COLUMNS = 16
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
    columns = _columns(reports[0].questions if reports else [])
    legend = Columns(
        Text.assemble((f"{index:2} ", "bold cyan"), f"{name} ({_most(questions)})")
        for index, (name, questions) in enumerate(columns.items(), 1)
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("student", no_wrap=True)
    for index in range(1, len(columns) + 1):
        table.add_column(Text(str(index), style="bold cyan"), justify="right", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("what happened", ratio=1)
    if extra is not None:
        table.add_column(heading)
    for report in sorted(reports, key=lambda r: r.student):
        by_id = {(q.notebook, q.grade_id): q for q in report.questions}
        cells: list[Text] = [Text(report.student)]
        for questions in columns.values():
            cells.append(_points([by_id.get((q.notebook, q.grade_id)) for q in questions]))
        cells.append(Text(f"{number(report.auto_points)}/{number(report.max_auto_points)}", style="bold"))
        cells.append(Text(what_happened(report)))
        if extra is not None:
            cells.append(Text(extra.get(report.student, "")))
        table.add_row(*cells)
    return Group(legend, table)


def _columns(questions: list[Question]) -> dict[str, list[Question]]:
    """The questions of each column, by what the legend calls it."""
    if len(questions) <= MOST_COLUMNS:
        return {question.grade_id: [question] for question in questions}
    found: dict[str, list[Question]] = {}
    for question in questions:
        found.setdefault(question.notebook, []).append(question)
    return found


def _most(questions: list[Question]) -> str:
    """The points of a column: those of its question, or of a notebook's automatic ones."""
    return number(sum(q.max_points for q in questions if q.kind == "auto" or len(questions) == 1))


def _points(questions: list[Question | None]) -> Text:
    """What one student has in a column."""
    if len(questions) == 1:
        (only,) = questions
        return Text(number(only.points), style=COLOURS[only.status]) if only else Text("?")
    auto = [q for q in questions if q is not None and q.kind == "auto"]
    statuses = {q.status for q in auto}
    points, most = sum(q.points or 0.0 for q in auto), sum(q.max_points for q in auto)
    style = COLOURS["passed" if points == most else "partial" if points else "failed"]
    return Text(number(points), style=COLOURS[statuses.pop()] if len(statuses) == 1 else style)


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
