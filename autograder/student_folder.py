"""The folder that students get: package with stubs, data scripts, requirements, manifest, notebooks."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import nbformat

import handgrad
from autograder import regions
from autograder.course import REPOSITORY, Assignment, Course, CourseError
from autograder.nbgrader.log import ErrorLog
from handgrad.pack import ASSIGNMENT_FILE, hash_of, labelled_cells, text_hash

_BUILD_PRODUCTS = {".so", ".pyd", ".pyc", ".o", ".obj", ".dll", ".dylib"}


def student_tree(assignment: Assignment, dest: Path) -> None:
    """Write everything of the student's folder but the notebooks, which nbgrader writes.

    Args:
        assignment: the assignment to release.
        dest: the folder; made when missing. `handgrad` and `datasets` in it are replaced.
    Raises:
        CourseError: a solution region, the manifest or a repository file is not as it must be.
    """
    modules = package_files()
    tasks = _tasks(assignment, modules)
    for folder in ("handgrad", "datasets"):
        shutil.rmtree(dest / folder, ignore_errors=True)
    for path, content in modules.items():
        if path.endswith(".py"):
            content = regions.strip(content.decode(), assignment.name, path).encode()
        _write(dest / path, content)
    for path in ("datasets/get_datasets.py", "datasets/registry.toml"):
        _write(dest / path, _repository_file(path))
    _write(dest / "manifest.toml", (assignment.folder / "manifest.toml").read_bytes())
    _write(dest / "requirements.txt", _requirements(assignment).encode())
    _write(dest / "README.md", _readme(assignment, tasks).encode())
    about = json.dumps(_about(assignment, tasks, dest), indent=1) + "\n"
    _write(dest / ASSIGNMENT_FILE, about.encode())


def solve_modules(assignment: Assignment, tree: Path) -> None:
    """Put the reference solutions of this assignment into the modules of a student's folder."""
    for path in _tasks(assignment, modules := package_files()):
        _write(tree / path, regions.solve(modules[path].decode(), assignment.name, path).encode())


def build(assignment: Assignment, dest: Path, record: Course | None = None) -> None:
    """Write the whole folder that students get, notebooks included.

    Args:
        assignment: the assignment to release.
        dest: a folder that does not exist yet.
        record: the course in whose gradebook nbgrader records the assignment's cells; None records nothing.
    Raises:
        CourseError: as in `student_tree`, or nbgrader refuses the notebooks.
    """
    with tempfile.TemporaryDirectory() as scratch:
        _generate_notebooks(assignment, Path(scratch), record)
        shutil.copytree(Path(scratch) / assignment.name, dest)
    student_tree(assignment, dest)
    for path in [dest, *dest.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def tree_hash(folder: Path) -> str:
    """SHA-256 over the paths and bytes of all files below a folder that we made ourselves."""
    return hash_of(
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in released_files(folder)}
    )


def released_files(folder: Path) -> list[Path]:
    """The files of a release, sorted; what Python or Jupyter left there is not part of it."""
    left_behind = {"__pycache__", ".ipynb_checkpoints"}
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not left_behind.intersection(path.relative_to(folder).parts)
    )


def _generate_notebooks(assignment: Assignment, release: Path, record: Course | None) -> None:
    """Run nbgrader's own GenerateAssignment with `release` as its release folder."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    from autograder.nbgrader.writer import course_config

    config = course_config(assignment.course)
    config.GenerateAssignment.pop("post_convert_hook", None)  # we write the rest of the folder ourselves
    config.CourseDirectory.release_directory = str(release)
    config.CourseDirectory.assignment_id = assignment.name
    if record:
        config.CourseDirectory.db_url = course_config(record).CourseDirectory.get(
            "db_url", record.gradebook_url
        )
    else:
        config.GenerateAssignment.no_database = True
        config.SaveCells.enabled = False
    # nbgrader makes a new gradebook with the program alembic, which lies beside this Python.
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    log = _Log()
    try:
        coursedir = CourseDirectory(config=config, log=log.logger)
        GenerateAssignment(coursedir=coursedir, config=config, log=log.logger).start()
    except NbGraderException as error:
        raise CourseError(
            f"nbgrader did not make the release of {assignment.name}: {log.reason(error)}"
        ) from error


class _Log(ErrorLog):
    """Keeps nbgrader's error messages: its exceptions only refer to them."""

    def reason(self, error: Exception) -> str:
        """The last line of the last traceback in the log, where nbgrader states the cause."""
        tracebacks = [message for message in self.messages if message.startswith("Traceback")]
        return tracebacks[-1].strip().splitlines()[-1] if tracebacks else str(error)


def package_files() -> dict[str, bytes]:
    """The source files of handgrad by their path in the student's folder; nothing that a build made."""
    root = Path(handgrad.__file__).resolve().parent
    files = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        built = path.suffix in _BUILD_PRODUCTS or (path.suffix == ".c" and path.with_suffix(".pyx").exists())
        if path.is_file() and not hidden and not built:
            files[f"handgrad/{relative.as_posix()}"] = path.read_bytes()
    return files


def _tasks(assignment: Assignment, modules: dict[str, bytes]) -> dict[str, list[str]]:
    """The functions that students write in this assignment, by module; checked against the manifest."""
    known = {path.parent.name for path in assignment.course.source.glob("*/manifest.toml")}
    tasks: dict[str, list[str]] = {}
    for path, content in modules.items():
        if not path.endswith(".py"):
            continue
        for region in regions.solutions(content.decode(), path):
            if region.assignment < assignment.name and region.assignment not in known:
                raise CourseError(
                    f"{path}:{region.start}: the region belongs to {region.assignment!r}, which is no "
                    f"assignment of this course ({', '.join(sorted(known))})."
                )
            if region.assignment == assignment.name:
                tasks.setdefault(path, []).append(region.name)
    editable = assignment.manifest.editable
    if forgotten := [path for path in tasks if path not in editable]:
        raise CourseError(
            f"{assignment.folder / 'manifest.toml'}: students write code in {', '.join(forgotten)}, which "
            f"`editable` does not list."
        )
    if absent := [path for path in editable if path not in modules]:
        raise CourseError(
            f"{assignment.folder / 'manifest.toml'}: `editable` lists {', '.join(absent)}: no such file."
        )
    return tasks


def _requirements(assignment: Assignment) -> str:
    """A student's dependencies, at the versions the course is tested with."""
    project = tomllib.loads(_repository_file("pyproject.toml").decode())["project"]
    pins = {}
    for line in _repository_file("constraints.txt").decode().splitlines():
        if "==" in line and not line.startswith("#"):
            pins[_normal_name(line)] = line.strip()
    extras = project["optional-dependencies"]
    if unknown := set(assignment.manifest.extras) - set(extras):
        raise CourseError(f"pyproject.toml has no group of dependencies {', '.join(sorted(unknown))}.")
    wanted = project["dependencies"] + [
        each for extra in assignment.manifest.extras for each in extras[extra]
    ]
    names = [_normal_name(dependency) for dependency in wanted]
    if unpinned := [name for name in names if name not in pins]:
        raise CourseError(f"constraints.txt has no version of {', '.join(unpinned)}, which students install.")
    return "".join(f"{pins[name]}\n" for name in names)


def _normal_name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def _about(assignment: Assignment, tasks: dict[str, list[str]], dest: Path) -> dict[str, Any]:
    """What `handgrad pack` must know: the files that count, the exercises, the limits; nothing hidden."""
    from autograder import staging, untrusted  # staging needs this module

    editable = assignment.manifest.editable
    notebooks = [f"{name}.ipynb" for name in assignment.notebooks]
    modules = {path.relative_to(dest).as_posix(): path for path in sorted((dest / "handgrad").rglob("*.py"))}
    return {
        "schema": 1,
        "handgrad": handgrad.__version__,
        "assignment": assignment.name,
        "notebooks": notebooks,
        "editable": editable,
        "saved": {
            name: files for name, files in assignment.manifest.saved.items() if f"{name}.ipynb" in notebooks
        },
        "functions": {path: list(dict.fromkeys(names)) for path, names in tasks.items()},
        "cells": {path: _released_cells(dest / path) for path in notebooks},
        "given": {
            path: text_hash(file.read_bytes()) for path, file in modules.items() if path not in editable
        },
        "packages": [line.split("==")[0] for line in _requirements(assignment).splitlines()],
        "limits": {
            "module": staging.MAX_MODULE_BYTES,
            "notebook": staging.MAX_NOTEBOOK_BYTES,
            "saved": staging.MAX_SAVED_BYTES,
            "total": untrusted.MAX_BYTES,
            "ratio": untrusted.MAX_RATIO,
        },
    }


def _released_cells(path: Path) -> dict[str, dict[str, Any]]:
    """By label, whether a released cell is the student's to write, is code, and the hash of its text."""
    if not path.is_file():
        return {}  # nbgrader writes the notebooks
    notebook = nbformat.read(path, as_version=4)
    return {
        label: {
            "answer": bool(mark.get("solution")),
            "code": mark["cell_type"] == "code",
            "sha256": text_hash(source),
        }
        for label, mark, source in labelled_cells(notebook)
    }


def _readme(assignment: Assignment, tasks: dict[str, list[str]]) -> str:
    project = tomllib.loads(_repository_file("pyproject.toml").decode())["project"]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("autograder"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    notebooks = [f"{name}.ipynb" for name in assignment.notebooks]
    return environment.get_template("student_readme.md.j2").render(
        name=assignment.name,
        title=assignment.manifest.title,
        saved=assignment.saved,
        notebooks=notebooks,
        tasks=tasks,
        counted=[*notebooks, *assignment.manifest.editable, *assignment.saved],
        python=project["requires-python"].lstrip(">=~"),
    )


def _repository_file(path: str) -> bytes:
    try:
        return (REPOSITORY / path).read_bytes()
    except OSError as error:
        raise CourseError(
            f"A release needs {path}, and there is no such file in {REPOSITORY}. Release from a clone of the "
            f"repository, in which handgrad was installed with `pip install -e .`."
        ) from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
