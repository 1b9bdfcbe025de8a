"""The class report: how the class did, which mistakes it made, and who needs a person.

Written as a page, class_report.html, with everybody's points beside it as class_report.csv.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from markupsafe import Markup
from pydantic import ValidationError

from .course import Assignment, CourseError
from .pages import number, write_page
from .plain import harmless
from .report import Question, Report

INK = "#010203"  # stands for the page's text colour, so that a plot follows light and dark
GOOD, HALF, BAD = "#2e9c6a", "#e0a62d", "#cc5148"


@dataclass(frozen=True)
class QuestionSummary:
    """How the class did on one question."""

    notebook: str
    grade_id: str
    title: str
    max_points: float
    mean: float
    share: float  # mean points / max points
    full: int
    part: int
    none: int
    statuses: dict[str, int]


@dataclass(frozen=True)
class Mistake:
    """A misconception, and the submissions in which a check recognised it."""

    name: str
    grade_id: str
    explanation: str
    count: int
    share: float
    students: list[str]


@dataclass(frozen=True)
class Summary:
    """Everything the page shows, as data."""

    assignment: str
    submissions: int
    max_points: float
    mean: float
    median: float
    totals: dict[str, float]
    questions: list[QuestionSummary]
    hardest: str | None
    mistakes: list[Mistake]
    needs_a_person: dict[str, list[str]]
    unsandboxed: int


def read_reports(assignment: Assignment) -> list[Report]:
    """The reports of an assignment, by student.

    Raises:
        CourseError: there are none, or one of them cannot be read.
    """
    folder = assignment.course.report(assignment.name, "_").parent
    reports = []
    for path in sorted(folder.glob("*.json")):
        try:
            reports.append(Report.read(path))
        except ValidationError as error:
            raise CourseError(
                f"{path} is not a report of this version ({error.error_count()} fields differ): "
                "delete it and grade again."
            ) from None
    if not reports:
        raise CourseError(
            f"There are no reports of {assignment.name} yet: run `autograder grade {assignment.name}`."
        )
    return reports


def summarise(reports: list[Report]) -> Summary:
    """The class's figures. Points are those of the checks; what a person gives is not in a report."""
    totals = {r.student: r.auto_points for r in reports}
    questions = [_question(reports, q) for q in reports[0].questions if q.kind == "auto"]
    return Summary(
        assignment=reports[0].assignment,
        submissions=len(reports),
        max_points=reports[0].max_auto_points,
        mean=round(fmean(totals.values()), 2),
        median=round(median(totals.values()), 2),
        totals=totals,
        questions=questions,
        hardest=min(questions, key=lambda q: q.share).grade_id if questions else None,
        mistakes=_mistakes(reports),
        needs_a_person={r.student: why for r in reports if (why := _reasons(r))},
        unsandboxed=sum(r.isolation == "none" for r in reports),
    )


def write_class_report(assignment: Assignment) -> Path:
    """Write the page and the points to reports/<assignment>/ and return the page's path."""
    reports = read_reports(assignment)
    summary = summarise(reports)
    folder = assignment.course.report(assignment.name, "_").parent
    with (folder / "class_report.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["student", *(q.grade_id for q in reports[0].questions if q.kind == "auto"), "points"])
        for r in reports:
            rows.writerow(
                [harmless(r.student), *(q.points for q in r.questions if q.kind == "auto"), r.auto_points]
            )
    return write_page(
        "class_report.html.j2",
        folder / "class_report.html",
        title=assignment.manifest.title,
        summary=summary,
        manual=[q.grade_id for q in reports[0].questions if q.kind == "manual"],
        statuses=[s for s in _ORDER if any(s in q.statuses for q in summary.questions)],
        totals_plot=_totals_plot(summary),
        questions_plot=_questions_plot(summary),
    )


_ORDER = ["passed", "partial", "failed", "error", "timeout", "crash", "not_attempted"]


def _question(reports: list[Report], wanted: Question) -> QuestionSummary:
    found = [
        q
        for r in reports
        for q in r.questions
        if (q.notebook, q.grade_id) == (wanted.notebook, wanted.grade_id)
    ]
    points = [q.points or 0.0 for q in found]
    full = sum(p >= q.max_points for p, q in zip(points, found, strict=True))
    none = sum(p <= 0 for p in points)
    return QuestionSummary(
        notebook=wanted.notebook,
        grade_id=wanted.grade_id,
        title=wanted.title,
        max_points=wanted.max_points,
        mean=round(fmean(points), 2),
        share=round(fmean(points) / wanted.max_points, 3) if wanted.max_points else 1.0,
        full=full,
        part=len(points) - full - none,
        none=none,
        statuses=dict(Counter(q.status for q in found)),
    )


def _mistakes(reports: list[Report]) -> list[Mistake]:
    found: dict[str, tuple[Question, list[str]]] = {}
    for report in reports:
        for q in report.questions:
            if q.misconception:
                students = found.setdefault(q.misconception, (q, []))[1]
                if report.student not in students:
                    students.append(report.student)
    mistakes = [
        Mistake(name, q.grade_id, q.explanation, len(who), round(len(who) / len(reports), 3), who)
        for name, (q, who) in found.items()
    ]
    return sorted(mistakes, key=lambda m: (-m.count, m.name))


def _reasons(report: Report) -> list[str]:
    """Why somebody should look at a submission; manual questions, which everybody has, are no reason."""
    reasons = list(report.notes)
    for status, words in {"crash": "died in", "timeout": "was too slow in"}.items():
        if where := [q.grade_id for q in report.questions if q.status == status and q.points is not None]:
            reasons.append(f"{words} {', '.join(where)}")
    if where := [q.grade_id for q in report.questions if q.kind == "auto" and q.points is None]:
        reasons.append(f"has no points yet in {', '.join(where)}")
    return reasons


def _totals_plot(summary: Summary) -> Markup:
    from matplotlib.figure import Figure

    bins = min(10, max(1, math.ceil(summary.max_points)))
    width = summary.max_points / bins
    counts = Counter(min(int(total / width), bins - 1) for total in summary.totals.values())
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.bar(
        [(i + 0.5) * width for i in range(bins)],
        [counts[i] for i in range(bins)],
        0.92 * width,
        color="#4c7fd0",
    )
    axes.set(title="Points in total", xlabel="points", ylabel="submissions", xlim=(0, summary.max_points))
    axes.set_ylim(0, 1.2 * max(counts.values(), default=1))  # room for the median's label above the bars
    axes.axvline(summary.median, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    left = summary.median > 0.7 * summary.max_points
    axes.annotate(
        f"median {number(summary.median)}",
        (summary.median, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if left else 5, -4),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
    )
    axes.yaxis.get_major_locator().set_params(integer=True)
    return _svg(figure, "Histogram of the points in total")


def _questions_plot(summary: Summary) -> Markup:
    from matplotlib.figure import Figure

    questions = summary.questions[::-1]
    names = [f"{q.grade_id} ({number(q.max_points)})" for q in questions]
    figure = Figure(figsize=(7.2, 0.9 + 0.3 * len(questions)), layout="constrained")
    axes = figure.subplots()
    start = [0.0] * len(questions)
    for label, colour, counts in (
        ("all points", GOOD, [q.full for q in questions]),
        ("some", HALF, [q.part for q in questions]),
        ("none", BAD, [q.none for q in questions]),
    ):
        shares = [100 * count / summary.submissions for count in counts]
        bars = axes.barh(names, shares, 0.72, left=start, color=colour, label=label)
        axes.bar_label(
            bars, [str(c) if c else "" for c in counts], label_type="center", color="white", fontsize=8
        )
        start = [a + b for a, b in zip(start, shares, strict=True)]
    axes.set(title="Points per question", xlabel="share of the submissions, %", xlim=(0, 100))
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return _svg(figure, "Share of the submissions with all, some and no points, per question")


def _svg(figure, description: str) -> Markup:
    """The figure as inline SVG: text stays text, its colour and the background are the page's."""
    from matplotlib import rc_context

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(INK)
        axes.tick_params(colors=INK)
        axes.title.set(color=INK, fontsize=11, fontweight="bold")
        for label in (axes.xaxis.label, axes.yaxis.label, *axes.texts):
            if label.get_color() != "white":
                label.set_color(INK)
    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_color(INK)
    out = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": description}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue().replace(INK, "currentColor")
    svg = svg[svg.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)
    return Markup(svg)
