"""Which files of a submission go on to graders and into feedback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.course import Course

_NBGRADERS = {"timestamp.txt", "submission_secret.txt"}


class KeepHandedIn(NbGraderPreprocessor):
    """Take out of `autograded/` what nbgrader copied there beyond notebooks and the manifest's files.

    nbgrader copies everything, follows links, serves the folder in the formgrader and returns it with the
    feedback: a page with scripts would run there, and a link to the gradebook would come back as its content.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        names = resources["nbgrader"]
        coursedir = self.parent.parent.coursedir
        assignment = Course(Path(coursedir.root)).assignment(names["assignment"])
        here, handed_in = (
            Path(coursedir.format_path(step, names["student"], names["assignment"]))
            for step in (coursedir.autograded_directory, coursedir.submitted_directory)
        )
        wanted = {*assignment.manifest.editable, *assignment.saved, *_NBGRADERS}
        for path in here.rglob("*"):
            if path.is_dir():
                continue
            name = path.relative_to(here)
            linked = any(
                p.is_symlink() for p in [handed_in / name, *(handed_in / name).parents][: len(name.parts)]
            )
            given = (assignment.folder / name).is_file()
            if path.suffix != ".ipynb" and not given and (linked or name.as_posix() not in wanted):
                path.unlink()
        return nb, resources
