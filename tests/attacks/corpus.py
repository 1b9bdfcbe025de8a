"""What an attack is, what it may use to build a hostile submission, and how a class around it is graded.

An attack starts from a correct submission or from the untouched release, and changes it. It is graded in a
class, in bubblewrap, and has an exact outcome: its points, and what must not have happened.
A new attack is an entry in the list of its family's module; see README.md for what there is.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import nbformat
import numpy as np
from nbformat import NotebookNode

from autograder.course import REPOSITORY, Course
from autograder.demo.listener import Listener
from autograder.demo.patching import apply
from autograder.demo.roster import MODULES, NOTEBOOK
from autograder.demo.show import course_of_one_notebook
from autograder.grading import grade_submission
from autograder.report import Report
from autograder.run import grade_class
from autograder.sandbox import Limits
from autograder.scores import Sheet, read_scores
from autograder.student_folder import build, solve_modules

AFFINE, RELU, LOSSES, NET = MODULES
SAVED = "best_two_layer_net.npz"
JOBS = max(2, os.cpu_count() or 1)
SECONDS = 300.0  # an attack takes 2; all its calls together may take 180, on however busy a machine

Points = Mapping[str, float] | Literal["all", "nothing"]


@dataclass(frozen=True)
class Attack:
    """A hostile submission, and what must become of it.

    Attributes:
        name: in kebab-case; its student id too.
        family: the module that it stands in.
        goal: what it is after, in one sentence.
        change: called with the folder (a copy of what `start` says) and the `World`. It changes the folder,
            or puts a zip or another file of the same name in its place (see `World.zip_of`).
        points: "all", "nothing", or the points of some automatic cells by grade_id. The others have all of
            theirs after a solved start, none after a released one.
        start: "solved", a correct submission, or "release", the untouched student folder.
        checks: called with the `Outcome` after grading; each asserts something.
        seconds: more than grading it may take.
        limits: grade it alone, with these limits, where the usual ones would take too long.
    """

    name: str
    family: str
    goal: str
    change: Callable[[Path, World], None]
    points: Points = "all"
    start: Literal["solved", "release"] = "solved"
    checks: tuple[Callable[[Outcome], None], ...] = ()
    seconds: float = SECONDS
    limits: Limits | None = None


class World:
    """What an attack can aim at: the course, the repository, a folder for marks, and a port of the host.

    Attributes:
        course: root of the course, with the gradebook and the seed.
        outside: a folder of the host that anybody may write to.
        listener: counts connections, once `port` was asked for.
    """

    def __init__(self, course: Path, outside: Path, opened: ExitStack):
        self.course, self.outside, self._opened = course, outside, opened
        self.listener: Listener | None = None
        self.receivers: Any = None  # other sockets, of attacks that aim at them
        self.shared: Any = None  # memory and queues, likewise

    @property
    def port(self) -> int:
        """A TCP port of 127.0.0.1 at which this attack's own listener waits."""
        if self.listener is None:
            self.listener = self._opened.enter_context(Listener())
        return self.listener.port

    def keep(self, context: AbstractContextManager) -> Any:
        """Enter a context, to leave it when everything has been graded."""
        return self._opened.enter_context(context)

    def fill(self, text: str) -> str:
        """A text with the real values in place of @COURSE@, @REPOSITORY@, @OUTSIDE@ and @PORT@."""
        for name, value in (("COURSE", self.course), ("REPOSITORY", REPOSITORY), ("OUTSIDE", self.outside)):
            text = text.replace(f"@{name}@", str(value))
        return text.replace("@PORT@", str(self.port)) if "@PORT@" in text else text

    @staticmethod
    def zip_of(folder: Path) -> Path:
        """Where a zip must lie that is handed in in place of the folder."""
        return folder.with_name(f"{folder.name}.zip")


@dataclass(frozen=True)
class Outcome:
    """What there is to see when the class has been graded."""

    student: str
    report: Report
    sheet: Sheet | None  # of the gradebook; None for an attack that was graded alone
    world: World
    course: Course

    @property
    def points(self) -> dict[str, float | None]:
        """The automatic points in the report."""
        return {q.grade_id: q.points for q in self.report.questions if q.kind == "auto"}

    @property
    def recorded(self) -> dict[str, float]:
        """The points of all cells in the gradebook, those for a person too."""
        return {} if self.sheet is None else {name: s.points for (_, name), s in self.sheet.cells.items()}

    @property
    def worth(self) -> dict[str, float]:
        """What the gradebook thinks that each cell is worth."""
        return {} if self.sheet is None else {name: s.max_points for (_, name), s in self.sheet.cells.items()}

    @property
    def text(self) -> str:
        """The whole report."""
        return self.report.model_dump_json()


# ---- ways to change a submission; each makes what `Attack.change` wants


def patch(source: str) -> Callable[[Path, World], None]:
    """Redefine functions of the four modules; all else in the source goes to the top of the changed ones."""

    def change(tree: Path, world: World) -> None:
        apply(world.fill(source), tree, MODULES)

    return change


def files(contents: Mapping[str, str | bytes]) -> Callable[[Path, World], None]:
    """Write files, by their path in the submission; texts are filled in as in `World.fill`."""

    def change(tree: Path, world: World) -> None:
        for name, content in contents.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else world.fill(content).encode())

    return change


def above(module: str, source: str) -> Callable[[Path, World], None]:
    """Put statements on top of a module, below its docstring and `from __future__` imports."""

    def change(tree: Path, world: World) -> None:
        path = tree / module
        lines = path.read_text(encoding="utf-8").splitlines()
        first = next(n for n, line in enumerate(lines) if line.startswith(("import ", "def ", "class ")))
        lines[first:first] = world.fill(source).strip().splitlines()
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return change


def below(module: str, source: str) -> Callable[[Path, World], None]:
    """Append statements to a module."""

    def change(tree: Path, world: World) -> None:
        with (tree / module).open("a", encoding="utf-8") as file:
            file.write("\n\n" + world.fill(source).strip() + "\n")

    return change


def notebook(edit: Callable[[NotebookNode], None]) -> Callable[[Path, World], None]:
    """Edit the notebook, which need not stay valid."""

    def change(tree: Path, world: World) -> None:
        path = tree / f"{NOTEBOOK}.ipynb"
        content = nbformat.read(path, as_version=4)
        edit(content)
        path.write_text(nbformat.writes(content, version=nbformat.NO_CONVERT), encoding="utf-8")

    return change


def archive(fill: Callable[[zipfile.ZipFile, Path], None]) -> Callable[[Path, World], None]:
    """Hand in a zip in place of the folder: `fill` gets the zip, open for writing, and the folder."""

    def change(tree: Path, world: World) -> None:
        with zipfile.ZipFile(world.zip_of(tree), "w", zipfile.ZIP_DEFLATED) as out:
            fill(out, tree)
        shutil.rmtree(tree)

    return change


def together(*changes: Callable[[Path, World], None]) -> Callable[[Path, World], None]:
    """One change after the other."""

    def change(tree: Path, world: World) -> None:
        for each in changes:
            each(tree, world)

    return change


# ---- what can be asserted afterwards


def says(*texts: str) -> Callable[[Outcome], None]:
    """Each text stands in the report."""

    def check(outcome: Outcome) -> None:
        absent = [text for text in texts if text not in outcome.text]
        assert not absent, f"the report of {outcome.student} does not say {absent}: {outcome.text}"

    return check


def never_says(*texts: str) -> Callable[[Outcome], None]:
    """No text stands in the report."""

    def check(outcome: Outcome) -> None:
        found = [text for text in texts if text in outcome.text]
        assert not found, f"the report of {outcome.student} says {found}: {outcome.text}"

    return check


def no_marks(outcome: Outcome) -> None:
    """Nothing was written to the folder of the host that anybody may write to."""
    marks = sorted(path.name for path in outcome.world.outside.rglob("*"))
    assert not marks, f"{outcome.student} left {marks}"


def no_connection(outcome: Outcome) -> None:
    """Nobody connected to the attack's port."""
    assert outcome.world.listener is not None, "the attack aims at no port"
    assert outcome.world.listener.connections == 0


# ---- the class


NEIGHBOURS = (  # student, start, change, points: the first, one in the middle and the last to be graded
    ("ada", "solved", lambda tree, world: None, "all"),
    (
        "max",
        "solved",
        patch((REPOSITORY / "autograder" / "demo" / "submissions" / "bias_mean.py").read_text("utf-8")),
        {"affine_backward": 4.0},
    ),
    ("zoe", "release", lambda tree, world: None, "nothing"),
)


@dataclass
class Released:
    """A course with a1 released, which has one notebook; and a correct submission of it."""

    course: Course
    solved: Path
    worth: dict[str, float] = field(default_factory=dict)  # points of the automatic cells

    def expected(self, points: Points, start: str = "solved") -> dict[str, float]:
        """The points of all automatic cells."""
        if points == "all":
            return dict(self.worth)
        nothing = dict.fromkeys(self.worth, 0.0)
        if points == "nothing":
            return nothing
        unknown = points.keys() - self.worth.keys()
        assert not unknown, f"there are no automatic cells {unknown}"
        return (self.worth if start == "solved" else nothing) | dict(points)


def release_once(root: Path) -> Released:
    """Release the course and make the correct submission, with a network that was trained on its images."""
    course = course_of_one_notebook(root / "course")
    (course.private / "seed-a1").write_text("0123456789abcdef" * 2)  # an accuracy is luck too
    assignment = course.assignment("a1")
    build(assignment, course.release("a1"), record=course)
    solved = shutil.copytree(course.release("a1"), root / "solved")
    solve_modules(assignment, solved)
    _train(solved / SAVED)
    worth = {cell.grade_id: cell.points for cell in assignment.grade_cells if cell.kind == "auto"}
    return Released(course, solved, worth)


def _train(path: Path) -> None:
    """A network as the notebook's solution saves it in fast mode."""
    from handgrad.classifiers import TwoLayerNet
    from handgrad.data_utils import load_data
    from handgrad.solver import Solver

    data = load_data()
    small = data | {"X_train": data["X_train"][:6000], "y_train": data["y_train"][:6000]}
    np.random.seed(14)
    net = TwoLayerNet(hidden_dim=50, reg=0.5)
    settings = {"optim_config": {"learning_rate": 3e-3}, "lr_decay": 0.9, "batch_size": 100}
    Solver(net, small, update_rule="sgd", num_epochs=8, verbose=False, seed=14, **settings).train()
    net.save(path, mean_image=data["mean_image"], dataset=np.array(data["dataset"]))


def grade(released: Released, attacks: Iterable[Attack], root: Path, opened: ExitStack) -> dict[str, Outcome]:
    """Grade the attacks as a class, with the neighbours among them; what became of each, by student.

    Args:
        released: the course and the correct submission; both are copied.
        attacks: as many as wanted; their names are their student ids.
        root: an empty folder; any user of the machine must be able to enter it.
        opened: closes the listeners.
    """
    course = Course.find(shutil.copytree(released.course.root, root / "course"))
    worlds = {}

    def hand_in(student: str, start: str, change: Callable[[Path, World], None], inbox: Path) -> Path:
        outside = root / "outside" / student
        outside.mkdir(parents=True)
        outside.chmod(0o777)
        worlds[student] = World(course.root, outside, opened)
        tree = shutil.copytree(
            released.solved if start == "solved" else released.course.release("a1"), inbox / student
        )
        change(tree, worlds[student])
        return tree

    attacks = list(attacks)
    for student, start, change, _ in NEIGHBOURS:
        hand_in(student, start, change, root / "inbox")
    for attack in attacks:
        hand_in(attack.name, attack.start, attack.change, root / ("alone" if attack.limits else "inbox"))

    alone = [attack for attack in attacks if attack.limits]
    # Most of the time those that are graded alone wait for their limits, and meanwhile the class is graded.
    with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn")) as pool:
        reports = {
            attack.name: pool.submit(_grade_alone, course.root, root / "alone" / attack.name, attack.limits)
            for attack in alone
        }
        result = grade_class(course, "a1", root / "inbox", jobs=JOBS)
    assert result.failures == {}, result.failures
    sheets = read_scores(course, "a1")
    graded = {report.student: (report, sheets[report.student]) for report in result.reports}
    graded |= {name: (report.result(), None) for name, report in reports.items()}
    return {
        student: Outcome(student, report, sheet, worlds[student], course)
        for student, (report, sheet) in graded.items()
    }


def _grade_alone(root: Path, folder: Path, limits: Limits) -> Report:
    course = Course.find(root)
    path = folder if folder.exists() else World.zip_of(folder)
    return grade_submission(path, course.assignment("a1"), folder.name, course.seed("a1"), limits=limits)


# ---- the table in README.md


def table(attacks: Iterable[Attack]) -> str:
    """All attacks as a table in Markdown."""
    rows = [
        f"| {a.family} | {a.name} | {a.goal} | {_outcome(a)} |"
        for a in sorted(attacks, key=lambda a: (a.family, a.name))
    ]
    return "\n".join(["| family | attack | goal | points |", "|---|---|---|---|", *rows]) + "\n"


def _outcome(attack: Attack) -> str:
    if attack.points in ("all", "nothing"):
        return str(attack.points)
    words = ", ".join(f"{name} {value:g}" for name, value in sorted(attack.points.items()))
    return f"{words}; the others {'all' if attack.start == 'solved' else 'nothing'}"
