"""The folder that keeps the sandbox's Python: every grader can read it, and nobody else can write there."""

import contextlib
import os

import pytest

from autograder.sandbox import SandboxUnavailable, check_available, runtime

ROOT = os.geteuid() == 0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the cache will be, two folders deep."""
    place = tmp_path / "var" / "cache"
    monkeypatch.setenv("HANDGRAD_CACHE", str(place))
    return place


@contextlib.contextmanager
def umask(mask):
    former = os.umask(mask)
    try:
        yield
    finally:
        os.umask(former)


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_whatever_the_umask_everybody_can_read_it_and_one_account_write(folder, mask, monkeypatch):
    def fill(building, dists):  # what is really put there takes a minute; its folders are made by others too
        (building / "site" / "__pycache__").mkdir(parents=True)
        (building / "site" / "__pycache__" / "x.pyc").write_bytes(b"x")
        (building.parent / "original").write_bytes(b"x")
        os.chmod(building.parent / "original", 0o640)
        os.link(building.parent / "original", building / "site" / "linked")

    monkeypatch.setattr(runtime, "_fill", fill)
    with umask(mask):
        made = runtime.runtime.__wrapped__()
    assert {mode(path) for path in (folder, made, *made.rglob("*/"))} == {0o755}
    assert mode(made / "site" / "__pycache__" / "x.pyc") == 0o644
    assert mode(made / "site" / "linked") == 0o640  # the environment's own file
    assert mode(folder.parent) == (0o755 if ROOT else 0o755 & ~mask)
    assert runtime.runtime.__wrapped__() == made


@pytest.mark.parametrize("others", [0o777, 0o775, 0o757, 0o1777])
def test_a_cache_that_others_can_write_is_refused(folder, others):
    folder.mkdir(parents=True)
    folder.chmod(others)
    with pytest.raises(SandboxUnavailable, match=r"other users may write there\. Remove that folder"):
        check_available()


def test_a_runtime_that_others_can_write_is_refused(folder, monkeypatch):
    monkeypatch.setattr(runtime, "_fill", lambda building, dists: None)
    runtime.runtime.__wrapped__().chmod(0o777)
    with pytest.raises(SandboxUnavailable, match=r"runtime-\w+ cannot keep .* Python: other users"):
        runtime.runtime.__wrapped__()


@pytest.mark.skipif(not ROOT, reason="only root can give a folder away")
def test_a_cache_of_another_user_is_refused(folder):
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    with pytest.raises(SandboxUnavailable, match="belongs to the user with the number 12345"):
        runtime.open_cache()


def test_one_that_a_former_version_closed_is_opened(folder):
    folder.mkdir(parents=True, mode=0o700)
    assert runtime.open_cache() == folder
    assert mode(folder) == 0o755


def test_a_cache_that_cannot_be_made_is_a_sentence(folder):
    folder.parent.mkdir()
    folder.write_text("a file")
    with pytest.raises(SandboxUnavailable, match=r"cannot be used: Not a directory\. The env"):
        runtime.open_cache()
