"""Whose a submission in a flat inbox is, by its name.

`handgrad pack a2 --student ada` writes a2-ada.zip, and an inbox may hold that as it came: it is ada's. Where
a name can mean two people the roster decides, which is everybody in the gradebook, and a note says so; a name
that can mean anybody is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable

from autograder.course import Course
from autograder.untrusted import shown

NO_STUDENT = "submission"  # what `handgrad pack` writes in place of a student whom nobody named


class Nobody(Exception):
    """A name that does not say whose the submission is; the message says what to do."""


def owner(name: str, assignment: str, roster: Callable[[], set[str]]) -> tuple[str, tuple[str, ...]]:
    """The student in a name, without .zip, and a note where it is not the name itself.

    Args:
        name: of what was handed in.
        assignment: the name of what was asked for.
        roster: gives the ids of all students; it is called when the name leaves a doubt.
    Raises:
        Nobody: it is the name of a release, or the one that `handgrad pack` gives where no student was named.
    """
    prefix = f"{assignment}-"
    rest = name.removeprefix(prefix)
    if name != assignment and rest in (name, ""):
        return name, ()
    students = roster()
    nobody = name == assignment or (rest == NO_STUDENT and rest not in students)
    if name in students and (nobody or rest not in students):
        return name, ()
    if nobody:
        raise Nobody(
            f"{shown(name)} does not say whose it is: rename it to {prefix}<student> or to the student's id, "
            "and run the same command again"
        )
    note = f"{shown(name)} was taken for {assignment} of {shown(rest)}, as `handgrad pack` names it."
    if name in students:
        note += f" What is of the student {shown(name)} must come as {shown(name)}/{assignment}/."
    return rest, (note,)


def everybody(course: Course) -> set[str]:
    """Everybody in the gradebook; nobody where there is none or it cannot be read."""
    from nbgrader import api
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from autograder.scores import reading

    try:
        with reading(course) as connection:
            return set(connection.scalars(select(api.Student.id)))
    except (FileNotFoundError, SQLAlchemyError):
        return set()
