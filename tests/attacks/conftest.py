"""The course of the corpus, released once, and the corpus graded once, as one class."""

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


@pytest.fixture(scope="module")
def found(request, released):
    """What became of a class with those attacks that this run has selected, by student."""
    chosen = [
        item.callspec.params["attack"]
        for item in request.session.items
        if hasattr(item, "callspec") and "attack" in item.callspec.params
    ]
    with ExitStack() as opened:
        root = opened.enter_context(TemporaryDirectory(prefix="handgrad-corpus-"))
        os.chmod(root, 0o755)  # only the sandbox keeps student code out, and no permission
        yield corpus.grade(released, chosen, Path(root), opened)
