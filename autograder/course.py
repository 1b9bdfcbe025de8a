"""Where a course keeps its things: an nbgrader course folder plus handgrad's own files in it.

assignments/
  nbgrader_config.py
  source/a1/manifest.toml, *.ipynb    what instructors write
  release/a1/, release/a1.zip         what students get
  received/a1/<student>/              submissions as they came, and a log of when
  submitted/<student>/a1/             submissions in nbgrader's layout
  reports/a1/<student>.json           verdicts; log.jsonl has their hashes
  autograded/, feedback/, gradebook.db  nbgrader's
  .handgrad/                          the grading seed and caches; readable by the instructor alone
"""

from __future__ import annotations

import secrets
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from pydantic import BaseModel, ConfigDict

import handgrad
from autograder import durable

REPOSITORY = Path(handgrad.__file__).resolve().parents[1]


class CourseError(Exception):
    """Something an instructor can mend; the message is the whole story."""


class Scale(BaseModel):
    """Linear credit for an accuracy: nothing at `zero`, everything from `full` on."""

    model_config = ConfigDict(extra="forbid")
    zero: float
    full: float

    def fraction(self, accuracy: float) -> float:
        """Share of the points, between 0 and 1, in hundredths so that reports are exact."""
        return round(min(max((accuracy - self.zero) / (self.full - self.zero), 0.0), 1.0), 2)


class Manifest(BaseModel):
    """`manifest.toml` beside an assignment's notebooks: what students may edit and hand in.

    `saved` has, for each notebook, the files that it writes for grading; `extras` names optional groups of
    dependencies in pyproject.toml that students of this assignment need.
    """

    model_config = ConfigDict(extra="forbid")
    title: str
    editable: list[str]
    saved: dict[str, list[str]] = {}
    extras: list[str] = []
    accuracy: dict[str, dict[str, Scale]] = {}


@dataclass(frozen=True)
class GradeCell:
    """A cell of a source notebook that carries points."""

    notebook: str
    grade_id: str
    points: float
    kind: str  # "auto" or "manual"
    title: str


@dataclass(frozen=True)
class Course:
    """An nbgrader course folder."""

    root: Path

    @classmethod
    def find(cls, path: Path | None = None) -> Course:
        """The course at `path`, or in this folder, or in `assignments` below it.

        Raises:
            CourseError: there is no nbgrader_config.py there.
        """
        candidates = [path] if path else [Path.cwd(), Path.cwd() / "assignments"]
        for candidate in candidates:
            if (candidate / "nbgrader_config.py").is_file():
                return cls(candidate.resolve())
        places = " or ".join(str(c) for c in candidates)
        raise CourseError(
            f"No course here: there is no nbgrader_config.py in {places}. Name one with --course."
        )

    def assignment(self, name: str) -> Assignment:
        """Raises CourseError when the course has no such assignment."""
        if not (self.source / name / "manifest.toml").is_file():
            known = ", ".join(sorted(p.parent.name for p in self.source.glob("*/manifest.toml"))) or "none"
            raise CourseError(f"No assignment {name!r} in {self.source}; there are: {known}.")
        return Assignment(self, name)

    def released(self) -> list[Assignment]:
        """The assignments that students have got."""
        names = sorted(p.parent.name for p in self.source.glob("*/manifest.toml"))
        return [Assignment(self, name) for name in names if self.release(name).is_dir()]

    @property
    def source(self) -> Path:
        return self.root / "source"

    def release(self, assignment: str) -> Path:
        return self.root / "release" / assignment

    def submitted(self, assignment: str, student: str) -> Path:
        return self.root / "submitted" / student / assignment

    def received(self, assignment: str, student: str) -> Path:
        return self.root / "received" / assignment / student

    def report(self, assignment: str, student: str) -> Path:
        return self.root / "reports" / assignment / f"{student}.json"

    def feedback(self, assignment: str, student: str) -> Path:
        return self.root / "feedback" / student / assignment

    @property
    def gradebook_url(self) -> str:
        return f"sqlite:///{self.root / 'gradebook.db'}"

    @property
    def private(self) -> Path:
        """The folder for secrets and caches, made on first use with mode 0700."""
        folder = self.root / ".handgrad"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def seed(self, assignment: str) -> str:
        """The secret from which this assignment's hidden inputs come: 32 hex digits, drawn once and kept."""
        path = self.private / f"seed-{assignment}"
        if not path.exists():
            with durable.alone(self.private):
                if not path.exists():
                    durable.write(path, f"{secrets.token_hex(16)}\n".encode(), mode=0o600)
        if seed := path.read_text().strip():
            return seed
        raise CourseError(
            f"{path} is empty: write the seed into it that stands in the reports of {assignment}, or delete "
            "it if there are none."
        )


@dataclass(frozen=True)
class Assignment:
    """One assignment's source: manifest, notebooks and the cells that carry points."""

    course: Course
    name: str

    @property
    def folder(self) -> Path:
        return self.course.source / self.name

    @cached_property
    def manifest(self) -> Manifest:
        return Manifest.model_validate(
            tomllib.loads((self.folder / "manifest.toml").read_text(encoding="utf-8"))
        )

    @cached_property
    def notebooks(self) -> dict[str, Path]:
        """Source notebooks by name (without .ipynb), in their numbers' order."""
        return {p.stem: p for p in sorted(self.folder.glob("*.ipynb"))}

    @cached_property
    def saved(self) -> list[str]:
        """The files that the notebooks write for grading."""
        return [file for name in self.notebooks for file in self.manifest.saved.get(name, [])]

    @cached_property
    def grade_cells(self) -> list[GradeCell]:
        """The cells with points, in the notebooks' order. A title is the nearest heading above the cell."""
        cells = []
        for name, path in self.notebooks.items():
            title = name
            for cell in nbformat.read(path, as_version=4).cells:
                if cell.cell_type == "markdown":
                    headings = [line for line in cell.source.splitlines() if line.startswith("#")]
                    title = headings[-1].lstrip("# ").strip() if headings else title
                mark = cell.metadata.get("nbgrader", {})
                if mark.get("grade"):
                    kind = "manual" if mark.get("solution") else "auto"
                    cells.append(GradeCell(name, mark["grade_id"], float(mark["points"]), kind, title))
        return cells
