"""A complete, correct submission, made from the reference solutions."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode

from autograder.course import Assignment, CourseError
from autograder.student_folder import build, hash_of, released_files, solve_modules, tree_hash

CELL_SECONDS = 600


def solved_tree(assignment: Assignment, dest: Path, python: str = sys.executable) -> None:
    """Write the solved folder: modules and notebooks with their solutions, outputs, and saved weights.

    The notebooks run in that folder in their fast mode. The result is kept in the course's private folder
    under a hash of all that went in, so that only a change makes them run again.

    Args:
        assignment: the assignment to solve.
        dest: a folder that does not exist yet.
        python: the interpreter that runs them; it needs what students install.
    Raises:
        CourseError: the release cannot be built, or a solution notebook stops with an error.
    """
    cache = assignment.course.private / "cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        tree = Path(scratch) / assignment.name
        build(assignment, tree)
        solve_modules(assignment, tree)
        for name in assignment.notebooks:
            _solve_notebook(assignment, name, tree)
        by = f"{python} {sys.version} {np.__version__}"
        key = hash_of({"tree": tree_hash(tree).encode(), "by": by.encode()})[:24]
        kept = cache / f"solved-{assignment.name}-{key}"
        if not kept.exists():
            asyncio.run(_execute_all([tree / f"{name}.ipynb" for name in assignment.notebooks], python))
            if absent := [path for path in assignment.saved if not (tree / path).is_file()]:
                raise CourseError(
                    f"The solved notebooks of {assignment.name} did not save {', '.join(absent)}."
                )
            for old in cache.glob(f"solved-{assignment.name}-*"):
                shutil.rmtree(old, ignore_errors=True)
            tree.rename(kept)
    for path in released_files(kept):
        target = dest / path.relative_to(kept)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _solve_notebook(assignment: Assignment, name: str, tree: Path) -> None:
    """Fill the released notebook's solution cells with the source notebook's, without markers."""
    answers = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nbformat.read(assignment.notebooks[name], as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    path = tree / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution"):
            lines = answers[mark.grade_id].split("\n")
            cell.source = "\n".join(
                line for line in lines if not line.strip().startswith(("### BEGIN", "### END"))
            )
    nbformat.write(notebook, path)


async def _execute_all(paths: list[Path], python: str) -> None:
    """Run notebooks, as many at a time as there are cores."""
    free = asyncio.Semaphore(os.cpu_count() or 1)

    async def wait_and_execute(path: Path) -> None:
        async with free:
            await execute(path, python)

    await asyncio.gather(*map(wait_and_execute, paths))


async def execute(path: Path, python: str = sys.executable) -> None:
    """Run a notebook in its folder, in fast mode, and keep its outputs.

    Args:
        path: the notebook.
        python: the interpreter of its kernel.
    Raises:
        CourseError: a cell stopped with an error; the notebook is left as it was.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class OneKernel(KernelSpecManager):
        """Knows one kernel, that of `python`, whatever kernels the machine has installed."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="handgrad", language="python")

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        # The machine's own Jupyter settings, start-up files and data sets must not change the outcome.
        environment = {
            k: v for k, v in os.environ.items() if k not in ("HANDGRAD_DATA", "MPLBACKEND", "PYTHONPATH")
        }
        environment |= {"HANDGRAD_FAST_NOTEBOOKS": "1", "IPYTHONDIR": scratch, "JUPYTER_CONFIG_DIR": scratch}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a notebook a core
        manager = AsyncKernelManager(
            transport="ipc",
            kernel_spec_manager=OneKernel(),
            connection_file=str(Path(scratch) / "connection.json"),
        )
        client = NotebookClient(
            notebook, km=manager, timeout=CELL_SECONDS, resources={"metadata": {"path": str(path.parent)}}
        )
        try:
            # nbclient leaves a manager of ours running
            await client.async_execute(env=environment, cleanup_kc=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise CourseError(
                f"The solved notebook {path.stem} does not run: {_reason(notebook, error)}"
            ) from error
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day: the outcome would differ in every run
    nbformat.write(notebook, path)


def _reason(notebook: NotebookNode, error: Exception) -> str:
    """Which cell stopped, and why, in a line."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                first = cell.source.strip().splitlines()[0]
                return f"cell {number} (`{first}`) raised {output.ename}: {output.evalue}"
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
