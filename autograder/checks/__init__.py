"""Hidden checks: one module per notebook, one function per automatic grade cell.

A check is a function of three things: `student`, through which the submission's functions are called (they
run in the sandbox), `rng`, from which fresh inputs come, and `expect`, which compares and remembers:

    check = for_notebook("a1/3_two_layer_net")

    @check("relu_forward", parts={"out": 1}, function="handgrad.layers.activations.relu_forward")
    def relu_forward(student, rng, expect):
        ...

The parts' weights are shares of the cell's points. A part earns its share if it was compared and every
comparison of it passed. The right values come from the reference package, which is importable here and not in
the sandbox.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..course import Assignment, GradeCell
from .expect import Expect
from .student import LocalStudent

__all__ = ["Check", "Expect", "LocalStudent", "checks_of", "find", "for_notebook"]


@dataclass(frozen=True)
class Check:
    """The hidden check of one grade cell."""

    notebook: str  # "a1/3_two_layer_net"
    grade_id: str
    parts: dict[str, float]
    function: str  # dotted name of what the cell asks students to write, or the grade_id of their cell
    uses: tuple[str, ...]  # what else it calls of the student's; the reference stands in where that is wrong
    run: Callable[..., None]
    recognise: bool  # whether failures are compared with the registered misconceptions
    saved: str  # name of the file with weights that it needs; "" for none
    also: tuple[str, ...] = ()  # other functions that the same cell asks students to write
    needs: tuple[str, ...] = ()  # packages that take long to import, such as torch

    @property
    def functions(self) -> tuple[str, ...]:
        """All that the cell asks students to write."""
        return (self.function, *self.also)


_registry: dict[tuple[str, str], Check] = {}


def for_notebook(notebook: str) -> Callable:
    """A decorator factory that registers checks for the cells of this notebook, "assignment/name"."""

    def check(
        grade_id: str,
        *,
        parts: dict[str, float],
        function: str,
        uses: Iterable[str] = (),
        recognise: bool = True,
        saved: str = "",
        also: Iterable[str] = (),
        needs: Iterable[str] = (),
    ) -> Callable:
        def register(run: Callable[..., None]) -> Check:
            if (notebook, grade_id) in _registry:
                raise ValueError(f"{notebook} has two checks for the cell {grade_id}")
            made = Check(
                notebook,
                grade_id,
                parts,
                function,
                tuple(uses),
                run,
                recognise,
                saved,
                tuple(also),
                tuple(needs),
            )
            _registry[notebook, grade_id] = made
            return made

        return register

    return check


def find(notebook: str, grade_id: str) -> Check | None:
    """The check for a grade cell of the notebook "assignment/name", or None."""
    return registered().get((notebook, grade_id))


def checks_of(assignment: Assignment) -> dict[GradeCell, Check]:
    """The checks of an assignment's automatic cells; a cell without one is for a person."""
    found = {}
    for cell in assignment.grade_cells:
        if cell.kind == "auto" and (check := find(f"{assignment.name}/{cell.notebook}", cell.grade_id)):
            found[cell] = check
    return found


def registered() -> dict[tuple[str, str], Check]:
    """All checks by (notebook, grade_id)."""
    for module in pkgutil.iter_modules(__path__):
        if re.match(r"a\d+_", module.name):
            importlib.import_module(f"{__name__}.{module.name}")
    return _registry
