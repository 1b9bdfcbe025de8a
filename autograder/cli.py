"""The `autograder` command: release, grade, regrade, feedback, report, export, receipt, prove, demo."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from .course import Course, CourseError
from .durable import lasting_trouble
from .plain import PlainConsole

# Exit status: 1 for trouble that the message explains, 2 for a wrong command line, 130 after Ctrl-C.
STOPPED = "Stopped. Everything graded so far is kept; the same command goes on from there."


class _Group(TyperGroup):
    """Errors that somebody can mend are one sentence, without a traceback."""

    def invoke(self, ctx):
        from .sandbox import SandboxUnavailable

        try:
            return super().invoke(ctx)
        except (CourseError, SandboxUnavailable) as error:
            _console(stderr=True).print(
                f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False
            )
            raise SystemExit(1) from None
        except OSError as error:
            if (trouble := lasting_trouble(error)) is None:
                raise
            _console(stderr=True).print(
                f"[bold red]error:[/] {escape(trouble)}. Then run the same command again.",
                soft_wrap=True,
                highlight=False,
            )
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            _console(stderr=True).print(STOPPED)
            raise SystemExit(130) from None


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="Release assignments, grade submissions in a sandbox, and give feedback.\n\n"
    "A week with it:  [bold]autograder release a1[/], then "
    "[bold]autograder grade a1 --submitted inbox/[/], [bold]autograder feedback a1[/], "
    "[bold]autograder report a1[/], [bold]autograder export a1 --format canvas[/].",
)


class Isolation(StrEnum):
    """What separates student code from this machine."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"


class Listing(StrEnum):
    """How the list of a regrading is printed."""

    TEXT = "text"
    CSV = "csv"


class Layout(StrEnum):
    """Who reads the exported grades."""

    CSV = "csv"
    CANVAS = "canvas"
    MOODLE = "moodle"


Name = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="The assignment, e.g. a1.")]
IsolationOption = Annotated[
    Isolation, typer.Option(help="'none' runs student code with your own rights: only for code you trust.")
]
CourseOption = Annotated[
    Path | None,
    typer.Option("--course", metavar="DIR", help="The course folder. Default: here, or ./assignments."),
]


def _console(stderr: bool = False) -> Console:
    """Wide enough for the class table where no terminal sets the width."""
    console = PlainConsole(stderr=stderr)
    return console if console.is_terminal else PlainConsole(stderr=stderr, width=140)


@app.command(epilog="Example:  autograder release a1")
def release(
    name: Name,
    course: CourseOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a release whose content differs.")] = False,
) -> None:
    """Make the student folder and zip, after proving them.

    Proved is: no solution is in it, untouched it scores 0, solved it scores everything.
    """
    from .release import release as make

    console = _console()
    with console.status(f"Proving the release of {name}: the solved notebooks run …"):
        result = make(Course.find(course), name, force=force)
    proof = result.proof
    console.print(
        f"Released {name}: {result.auto_points:g} automatic points, {result.manual_points:g} for a person to "
        f"give. Proved: none of {proof.secrets} solution lines is in it; untouched it scores "
        f"{proof.untouched_points:g}, solved {proof.solved_points:g} of {proof.max_points:g}.",
        highlight=False,
        soft_wrap=True,
    )
    if result.unchecked:
        console.print(
            f"No check in autograder/checks for {len(result.unchecked)} cells, which a person has to grade: "
            f"{', '.join(result.unchecked)}.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"  folder  {result.folder}\n  zip     {result.zip}", markup=False, highlight=False, soft_wrap=True
    )


@app.command(
    epilog="Examples:\n\n"
    "autograder grade a1 --submitted inbox/\n\n"
    "autograder grade a1 --jobs 8\n\n"
    "autograder grade a1 --scheduler tcp://cluster:8786"
)
def grade(
    name: Name,
    submitted: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Submissions to receive first: folders per student, nbgrader's layout, or zips named "
            "<student>.zip or as `handgrad pack` names them. Default: grade what was received before.",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Worker processes. Default: one per processor.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A Dask scheduler whose workers grade in place of this machine. They need the same "
            "handgrad and bubblewrap; submissions travel with their tasks.",
        ),
    ] = None,
    isolation: IsolationOption = Isolation.BUBBLEWRAP,
    course: CourseOption = None,
) -> None:
    """Grade the class: reports, then nbgrader's gradebook.

    Every submission runs in a sandbox: no network, no other files, no privileges.

    A run that was interrupted goes on where it stopped; nothing is graded twice.
    """
    from .class_table import class_table
    from .run import grade_class

    console = _console()
    _warn_of(isolation)
    place = Course.find(course)
    result = grade_class(
        place, name, submitted, jobs=jobs, scheduler=scheduler, isolation=isolation.value, console=console
    )
    if result.reports:
        console.print(class_table(result.reports))
    console.print(
        f"{len(result.graded)} graded now, {len(result.reports) - len(result.graded)} before; "
        f"reports in {place.report(name, '_').parent}, gradebook {place.gradebook_url}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if result.outdated:
        _console(stderr=True).print(
            f"[bold yellow]note:[/] {len(result.outdated)} of these reports were made by other checks, on "
            f"another release or with another seed than today's, and stand. What grading them again would "
            f"change: autograder regrade {escape(name)} --preview",
            soft_wrap=True,
            highlight=False,
        )
    _fail(result.failures, console)


def _warn_of(isolation: Isolation) -> None:
    if isolation is Isolation.NONE:
        _console(stderr=True).print(
            "[bold yellow]warning:[/] --isolation none: student code runs unguarded, with your rights; "
            "every report will say so.",
            soft_wrap=True,
        )


def _fail(failures: dict[str, str], console: Console) -> None:
    """Name what the grader could not do, if anything, and end with status 1."""
    from .run import by_sentence

    for why, students in by_sentence(failures).items():
        console.print(f"{students}: {why}", style="red", markup=False, highlight=False, soft_wrap=True)
    if failures:
        raise typer.Exit(1)


@app.command(
    epilog="Examples:\n\n"
    "autograder regrade a2 --preview\n\n"
    "autograder regrade a2 --preview --students ada,bob --output changes.csv\n\n"
    "autograder regrade a2"
)
def regrade(
    name: Name,
    preview: Annotated[
        bool, typer.Option("--preview", help="List what would change, and change nothing.")
    ] = False,
    students: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these students, separated by commas.")
    ] = None,
    listing: Annotated[
        Listing, typer.Option("--format", help="How the list is printed; csv has the explanations in full.")
    ] = Listing.TEXT,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the list there too, as CSV.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Worker processes. Default: one per processor.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, as in autograder grade.")
    ] = None,
    isolation: IsolationOption = Isolation.BUBBLEWRAP,
    course: CourseOption = None,
) -> None:
    """Grade again after checks, release or explanations changed.

    The list names who changes, by how much, in which question and why; who loses comes first.

    What --preview has graded is taken over without grading again. Points and comments of a person stay, and
    the former reports lie in .handgrad/history.
    """
    from . import regrade as again

    _warn_of(isolation)
    place = Course.find(course)
    wanted = [student.strip() for student in students.split(",") if student.strip()] if students else None
    if students is not None and not wanted:
        raise CourseError("--students names nobody: give ids, separated by commas.")
    result = (again.preview if preview else again.regrade)(
        place,
        name,
        wanted,
        jobs=jobs,
        scheduler=scheduler,
        isolation=isolation.value,
        console=_console(stderr=True),  # the list alone goes to the standard output
    )
    if output is not None:
        again.write_file(result, output)
    if listing is Listing.CSV:
        again.write_csv(result, sys.stdout)
    else:
        for line in again.lines(result):
            _console().print(line, markup=False, highlight=False, soft_wrap=True)
    summary = _console(stderr=listing is Listing.CSV)
    said = [f"{result.summary}."]
    if result.ungraded:
        said.append(f"Not graded yet, and left alone: {', '.join(result.ungraded)}.")
    if preview:
        said.append(f"No grade was changed: that is what `autograder regrade {name}` does.")
    else:
        said.append(
            f"Reports in {place.report(name, '_').parent}, former ones in {again.kept_in(place, name)}."
        )
    summary.print(" ".join(said), markup=False, highlight=False, soft_wrap=True)
    _fail(result.failures, summary)


@app.command(epilog="Examples:\n\nautograder verify\n\nautograder verify a1")
def verify(
    name: Annotated[
        str, typer.Argument(metavar="[ASSIGNMENT]", help="The assignment, e.g. a1. Default: all of them.")
    ] = "",
    course: CourseOption = None,
) -> None:
    """Check that nothing got lost or was changed: what arrived, what is graded, reports, gradebook.

    Nothing is written. The status is 1 when something does not match; a sentence each says what.
    """
    from .verify import verify as check

    place, console = Course.find(course), _console()
    checked = [place.assignment(name)] if name else place.released()
    if not checked:
        raise CourseError(f"No assignment of {place.root} is released yet: there is nothing to verify.")
    differences = 0
    for assignment in checked:
        with console.status(f"Verifying {assignment.name} …"):
            result = check(assignment)
        for what in result.differences:
            console.print(f"{assignment.name}: {what}", markup=False, highlight=False, soft_wrap=True)
        differences += len(result.differences)
        console.print(
            f"{assignment.name}: {result.arrived} versions received of {result.submissions} submissions, "
            f"{result.reports} reports, {result.scores} scores in the gradebook.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if differences:
        console.print(f"{differences} do not match.", style="red", highlight=False)
        raise typer.Exit(1)
    console.print("Everything matches.", style="green")


@app.command(epilog="Example:  autograder feedback a1 --student ada")
def feedback(
    name: Name,
    student: Annotated[list[str] | None, typer.Option(help="Only this student; may be repeated.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes. Default: one per processor.")
    ] = None,
    course: CourseOption = None,
) -> None:
    """Write one HTML page a student, beside nbgrader's notebook pages.

    Run it again after grading by hand: the pages then show those scores and comments.
    """
    from .feedback import write_feedback

    def warn(text: str) -> None:
        _console(stderr=True).print(f"[bold yellow]warning:[/] {escape(text)}", soft_wrap=True)

    pages = write_feedback(Course.find(course).assignment(name), student, jobs=jobs, warn=warn)
    _console().print(
        f"{len(pages)} feedback pages, the first: {pages[0]}", markup=False, highlight=False, soft_wrap=True
    )


@app.command(epilog="Example:  autograder report a1")
def report(name: Name, course: CourseOption = None) -> None:
    """Write the class report: points, named mistakes, who needs a person."""
    from .class_report import write_class_report

    page = write_class_report(Course.find(course).assignment(name))
    _console().print(f"Class report: {page}", markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example:  autograder export a1 --format moodle --out a1-moodle.csv")
def export(
    name: Name,
    layout: Annotated[
        Layout,
        typer.Option("--format", help="A plain table with all questions, or what Canvas or Moodle import."),
    ] = Layout.CSV,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: <assignment>-<format>.csv here.")
    ] = None,
    course: CourseOption = None,
) -> None:
    """Export grades from the gradebook, the same numbers as `nbgrader export`."""
    from .export import export as write

    out = out or Path(f"{name}-{layout.value}.csv")
    sheets = write(Course.find(course).assignment(name), layout.value, out)
    _console().print(f"{len(sheets)} grades in {out}", markup=False, highlight=False, soft_wrap=True)
    if waiting := sum(1 for sheet in sheets if sheet.pending):
        _console(stderr=True).print(
            f"[bold yellow]note:[/] {waiting} have answers that no person has graded yet: these count 0.",
            soft_wrap=True,
        )


@app.command(
    epilog="Examples:\n\nautograder receipt feedback.html\n\nautograder receipt --key KEY < mail.txt\n\n"
    "autograder receipt --public-key"
)
def receipt(
    text: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE_OR_TEXT]...", help="A page, a mail, or the line itself. Default: standard input."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The public key to check with; no course folder is needed then."),
    ] = None,
    show_key: Annotated[
        bool, typer.Option("--public-key", help="Print the course's public key, for whoever checks receipts.")
    ] = False,
    course: CourseOption = None,
) -> None:
    """Say whether receipts are genuine: unaltered, and signed by this course.

    The status is 1 when one is not, or when there is none.
    """
    from . import receipts

    console, place = _console(), None if key else Course.find(course)
    key = key or receipts.public_key(place)
    if show_key:
        print(key)
        return
    verdicts = receipts.verify(receipts.texts(text) if text else sys.stdin.read(receipts.MAX_TEXT), key)
    if not verdicts:
        raise CourseError(f"There is no receipt in it: one begins with {receipts.MARK}")
    for verdict in verdicts:
        style = "green" if verdict.genuine else "red"
        console.print("genuine" if verdict.genuine else "not genuine", style=style)
        lines = receipts.lines(verdict, place)
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    if not all(verdict.genuine for verdict in verdicts):
        raise typer.Exit(1)


@app.command(epilog="Examples:\n\nautograder prove\n\nautograder prove a2/4_dropout --seeds 50")
def prove(
    notebooks: Annotated[
        str, typer.Argument(metavar="[NOTEBOOKS]", help="Only notebooks whose names begin so, e.g. a2.")
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Seeds of grading runs.")] = 2,
    mutants: Annotated[
        bool,
        typer.Option(
            "--mutants", help="Try machine-made changes of the solutions instead: each must fail a check."
        ),
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes. Default: one per processor.")
    ] = None,
) -> None:
    """Prove the checks: right solutions pass, known mistakes fail and are named.

    The status is 1 when a right solution lost points, a wrong one kept all, or too few were named.
    """
    from . import mutants as machine_made
    from . import prove as proving

    console = _console()
    if mutants:
        with console.status("Proving …"):
            found = list(machine_made.survivors(notebooks, seeds, jobs))
        console.print(machine_made.table(found))
        if machine_made.unexplained(found):
            raise typer.Exit(1)
        return
    with console.status("Proving …"):
        proofs = list(proving.prove(notebooks, seeds, jobs))
    if not proofs:
        raise CourseError(f"There is no check for notebooks whose names begin with {notebooks!r}.")
    console.print(proving.table(proofs, seeds))
    for title, lines in proving.troubles(proofs).items():
        console.print(f"{title}:", style="red")
        for line in lines:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    if not proving.holds(proofs):
        raise typer.Exit(1)


@app.command(epilog="Example:  autograder demo --build /tmp/demo")
def demo(
    build: Annotated[Path, typer.Option(metavar="DIR", help="Where the demo's course is built.")] = Path(
        "build/demo"
    ),
) -> None:
    """Show it working on a class of honest, wrong and hostile submissions."""
    from .demo.show import run

    raise typer.Exit(run(build, _console()))


if __name__ == "__main__":
    sys.exit(app())
