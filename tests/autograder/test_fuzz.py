"""A slice of `benchmarks/fuzz.py`, always the same: whatever a reader is fed, it gives data or refuses."""

import importlib.util
import sys

import pytest

from autograder.course import REPOSITORY


@pytest.fixture(scope="module")
def fuzz():
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("fuzz", REPOSITORY / "benchmarks" / "fuzz.py")
    module = sys.modules["fuzz"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["fuzz"]


@pytest.mark.parametrize(
    ("name", "count"), [("frames", 1500), ("archives", 60), ("npz", 150), ("safetensors", 500)]
)
def test_readers_give_data_or_refuse(fuzz, name, count, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "OUT", tmp_path / "found")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    target = fuzz.targets(tmp_path, [name])[name]
    results, findings = fuzz.fuzz(name, target, 7, count=count, seconds=1e9, scratch=scratch)
    assert findings == []
    assert results.total() == count
    assert results["data"] > count / 20
    assert results["refused"] > count / 20


def test_a_reader_that_stumbles_is_found(fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "OUT", tmp_path / "found")
    monkeypatch.setattr(fuzz.protocol, "_check_characters", lambda codes: None)
    (tmp_path / "scratch").mkdir()
    target = fuzz.targets(tmp_path, ["frames"])["frames"]
    results, findings = fuzz.fuzz("frames", target, 7, count=1500, seconds=1e9, scratch=tmp_path / "scratch")
    assert results["finding"] == len(findings) > 0
    assert "seed 7, number" in findings[0]
    assert list((tmp_path / "found").iterdir())


def test_the_same_input_comes_again(fuzz):
    for make in (fuzz.make_frame, fuzz.make_archive, fuzz.make_npz, fuzz.make_safetensors):
        assert make(fuzz.random.Random("a 1 2")) == make(fuzz.random.Random("a 1 2"))
