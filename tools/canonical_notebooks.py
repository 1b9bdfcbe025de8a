"""Bring the source notebooks into their one form, after somebody edited them in Jupyter.

Outputs go, except those of cells with the tag nbval-check-output, and so does metadata but nbgrader's marks
and that tag. A cell with an output counts as executed, as nbval asks. The JSON gets sorted keys.

    python tools/canonical_notebooks.py              all notebooks
    python tools/canonical_notebooks.py --run        run those that have stored outputs, and store them anew
    python tools/canonical_notebooks.py a2/4_dropout only these
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from pathlib import Path

from autograder.course import REPOSITORY
from autograder.solved import execute

SOURCE = REPOSITORY / "assignments" / "source"
CHECKED = "nbval-check-output"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main() -> None:
    """Rewrite the notebooks that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="such as a2/4_dropout; default: all")
    parser.add_argument("--run", action="store_true", help="run them first, and store the outputs compared")
    options = parser.parse_args()
    every = [f"{path.parent.name}/{path.stem}" for path in sorted(SOURCE.glob("*/*.ipynb"))]
    if unknown := set(options.notebooks) - set(every):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    for name in options.notebooks or every:
        path = SOURCE / f"{name}.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if options.run and any(CHECKED in cell["metadata"].get("tags", []) for cell in notebook["cells"]):
            take_outputs(notebook, path)
        text = json.dumps(canonical(notebook), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"{name}: rewritten")


def take_outputs(notebook: dict, path: Path) -> None:
    """Run a copy of the notebook in a student's folder and take over the outputs of its cells."""
    with tempfile.TemporaryDirectory() as folder:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "handgrad", Path(folder) / "handgrad", ignore=ignore)
        copy = Path(shutil.copy(path, folder))
        asyncio.run(execute(copy))
        ran = json.loads(copy.read_text(encoding="utf-8"))
    for cell, done in zip(notebook["cells"], ran["cells"], strict=True):
        if cell["cell_type"] == "code":
            cell["outputs"] = done["outputs"]


def canonical(notebook: dict) -> dict:
    """The notebook with source and marks, and nothing else but the stored outputs."""
    cells = []
    for cell in notebook["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        source = "\n".join(line.rstrip() for line in source.split("\n")).strip("\n")
        tags = [tag for tag in cell["metadata"].get("tags", []) if tag == CHECKED]
        metadata = {"nbgrader": cell["metadata"]["nbgrader"]} if "nbgrader" in cell["metadata"] else {}
        metadata |= {"tags": tags} if tags else {}
        kept = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": metadata}
        kept["source"] = source.splitlines(keepends=True)
        if cell["cell_type"] == "code":
            kept |= {"execution_count": 1 if tags else None, "outputs": stored(cell) if tags else []}
        cells.append(kept)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def stored(cell: dict) -> list[dict]:
    """What a cell printed, as one output; a busy kernel sends it in several."""
    texts = [output["text"] for output in cell["outputs"] if output["output_type"] == "stream"]
    text = "".join(text if isinstance(text, str) else "".join(text) for text in texts)
    return [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}]


if __name__ == "__main__":
    main()
