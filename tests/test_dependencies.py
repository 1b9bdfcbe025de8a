"""pyproject.toml gives ranges, constraints.txt the versions, environment.yml those for conda: all in step."""

import itertools
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch", "playwright-python": "playwright"}


@pytest.fixture(scope="module")
def requirements() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    lines = [*project["dependencies"], *extras]
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


@pytest.fixture(scope="module")
def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def test_every_dependency_is_pinned_within_its_range(requirements, constraints):
    for name, requirement in requirements.items():
        assert name in constraints, f"{name} has no version in constraints.txt"
        assert constraints[name] in requirement.specifier, (
            f"{name} {constraints[name]} is outside {requirement}"
        )


def test_conda_gets_the_same_versions(requirements, constraints):
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pins = dict(
        entry.split("=", 1) for entry in entries if entry != "pip" and not entry.startswith("python>")
    )
    pins = {CONDA_NAMES.get(name, name): version for name, version in pins.items()}
    assert pins == {name: constraints[name] for name in requirements}


def test_python_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python{project['requires-python']}" in entries
