"""The course of the corpus, released once, and each family graded once as a class."""

import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import corpus
import pytest

pytest.register_assert_rewrite("graded")


def pytest_generate_tests(metafunc):
    """A test for each attack of the family whose file this is."""
    if "attack" in metafunc.fixturenames:
        metafunc.parametrize("attack", metafunc.module.ATTACKS, ids=lambda attack: attack.name)


@pytest.fixture(scope="session")
def released(needs_sandbox, tmp_path_factory):
    """The released course and a correct submission."""
    return corpus.release_once(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def found(request, released):
    """What became of a class with those attacks of a family that this run has selected, by student."""
    items = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    chosen = [item.callspec.params["attack"] for item in items if hasattr(item, "callspec")]
    family = request.module.__name__.removeprefix("test_attacks_")
    with ExitStack() as opened:
        root = opened.enter_context(TemporaryDirectory(prefix=f"handgrad-{family}-"))
        os.chmod(root, 0o755)  # only the sandbox keeps student code out, and no permission
        yield corpus.grade(released, chosen, Path(root), opened)
