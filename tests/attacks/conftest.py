"""The course of the corpus, released once, and each family graded once as a class."""

import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import corpus
import pytest


@pytest.fixture(scope="session")
def released(needs_sandbox, tmp_path_factory):
    """The released course and a correct submission."""
    return corpus.release_once(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def outcomes(request, released):
    """A function that gives the outcomes of a family; it grades those attacks that this run has selected."""
    graded = {}
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = {values["attack"].name for values in parameters if "attack" in values}

    with ExitStack() as opened:

        def of(family, attacks):
            if family not in graded:
                root = opened.enter_context(TemporaryDirectory(prefix=f"handgrad-{family}-"))
                os.chmod(root, 0o755)  # only the sandbox keeps student code out, and no permission
                chosen = [attack for attack in attacks if attack.name in wanted]
                graded[family] = corpus.grade(released, chosen, Path(root), opened)
            return graded[family]

        yield of
