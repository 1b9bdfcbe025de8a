"""nbgrader with handgrad's verdicts: a course's `nbgrader_config.py` calls `configure`.

nbgrader's commands and pages stay as they are. Only what happens to a submission changes: no cell is
executed, the points of the automatic cells come from the sandbox's report, and nothing that a student
wrote stays active in a page.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from traitlets.config import Config

_HERE = "autograder.nbgrader"
_NOT_WRITTEN = "This cell is not written yet: replace this line by your code."


def configure(config: Config) -> None:
    """Set what nbgrader needs for a handgrad course; call it first, then change what you like.

    All values are plain strings, lists and numbers, so that the formgrader can show them.
    """
    _find_alembic()
    config.CourseDirectory.course_id = "handgrad"

    config.ClearSolutions.code_stub = {"python": f'raise NotImplementedError("{_NOT_WRITTEN}")'}
    config.ClearSolutions.text_stub = "*Write your answer here, in place of this line.*"
    # The marking notes of a question stand in its locked text cell.
    config.ClearMarkScheme.enforce_metadata = False
    config.GenerateAssignment.post_convert_hook = f"{_HERE}.release.add_student_tree"

    config.Autograde.exporter_class = f"{_HERE}.reading.SubmissionExporter"
    config.SubmissionExporter.optimistic_validation = True  # once after all of them
    config.Autograde.sanitize_preprocessors = [
        f"{_HERE}.files.KeepHandedIn",
        f"{_HERE}.restore.RestoreCells",
        f"{_HERE}.sanitize.RemoveActiveContent",
    ]
    config.Autograde.autograde_preprocessors = [
        f"{_HERE}.verdicts.ShowVerdicts",
        "nbgrader.preprocessors.LimitOutput",
        f"{_HERE}.verdicts.SaveVerdicts",
        "nbgrader.preprocessors.AssignLatePenalties",
    ]
    config.GenerateFeedback.exporter_class = f"{_HERE}.self_contained.SelfContainedExporter"
    config.GenerateFeedback.preprocessors = [
        "nbgrader.preprocessors.GetGrades",
        f"{_HERE}.restore.HideMarkScheme",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]


def _find_alembic() -> None:
    """nbgrader starts `alembic` by name for a new gradebook: let it find the one beside this Python."""
    if shutil.which("alembic") is None:
        os.environ["PATH"] = os.pathsep.join(
            [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
        )
