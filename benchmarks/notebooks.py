"""What the solutions of the notebooks reach, beside the figures that courses quote, and how long they run.

Runs each notebook in full mode, one after the other, each in a folder that is thrown away, on CIFAR-10 if it
has been downloaded ($HANDGRAD_DATA or datasets/) and on Shapes-10 otherwise, and prints a Markdown table.
Accuracies repeat with the same NumPy on the same kind of processor; seconds are of one run on one core.

    python benchmarks/notebooks.py                  all, which takes an hour
    python benchmarks/notebooks.py a2/4 a3          those that begin so
    python benchmarks/notebooks.py --fast           in fast mode, as in CI
    python benchmarks/notebooks.py --keep DIR       and keep the executed notebooks there, with their plots
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "assignments" / "source"
VAL, TEST = r"^val +accuracy ([\d.]+)", r"^test +accuracy ([\d.]+)"

# notebook: figure, cell, pattern of the figure in what the cell prints, quoted for CIFAR-10
FIGURES = {
    "a1/2_neural_net": [
        (
            "default training, validation",
            "default-training",
            r"^validation accuracy: ([\d.]+)",
            "0.28 to 0.29",
        ),
        ("search, validation", "test", r"^val .*best ([\d.]+)", "> 0.48, reference 0.52"),
        ("search, test", "test", r"^test .*best ([\d.]+)", "> 0.48"),
    ],
    "a1/3_two_layer_net": [
        ("default solver, validation", "solver-training", r"validation accuracy: ([\d.]+)", "about 0.36"),
        ("search, validation", "test", VAL, "> 0.48, best 0.520"),
        ("search, test", "test", TEST, "> 0.48, best 0.532"),
    ],
    "a1/4_features": [
        ("SVM on features, validation", "test", r"^val .*SVM on features ([\d.]+)", "0.41 to 0.42"),
        ("SVM on features, test", "test", r"^test .*SVM on features ([\d.]+)", ">= 0.40, got 0.424"),
        ("network on features, validation", "test", r"^val .*network on features ([\d.]+)", "0.595"),
        ("network on features, test", "test", r"^test .*network on features ([\d.]+)", "> 0.55, got 0.582"),
    ],
    "a2/2_fully_connected_nets": [
        ("50 images, three layers, training", "fc-overfit-three", r"(\d+)%", "100 %"),
        ("50 images, five layers, training", "fc-overfit-five", r"(\d+)%", "100 %"),
        ("best network, validation", "test", VAL, ">= 0.50, 0.525 and 0.535"),
        ("best network, test", "test", TEST, "0.517 and 0.50"),
    ],
    "a2/5_convolutional_networks": [
        ("one epoch, training", "test", r"^train +accuracy ([\d.]+)", "> 0.40"),
        ("one epoch, validation", "test", VAL, "0.558"),
        ("one epoch, test", "test", TEST, ""),
    ],
    "a2/6_pytorch": [
        ("two layers, tensors, one epoch", "train-fc", r"validation accuracy ([\d.]+)", "> 0.40"),
        ("three layers, tensors, one epoch", "train-convnet", r"validation accuracy ([\d.]+)", "> 0.42"),
        ("three layers, module, one epoch", "train-modules", r"(?s:.*)validation ([\d.]+)", "> 0.45"),
        ("three layers, Nesterov, one epoch", "train-sequential", r"validation ([\d.]+)", "> 0.55"),
        ("best network, ten epochs, validation", "test", VAL, ">= 0.70"),
        ("best network, ten epochs, test", "test", TEST, ""),
    ],
    "a3/2_classification": [
        ("search, validation", "test", VAL, "> 0.40, got 0.42"),
        ("search, test", "test", TEST, "> 0.35, got 0.352"),
    ],
}


def main() -> None:
    """Run the notebooks that were asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="beginnings of names; default: all")
    parser.add_argument("--fast", action="store_true", help="fast mode: little data, short training")
    parser.add_argument("--keep", type=Path, help="a folder for the executed notebooks")
    options = parser.parse_args()
    names = [f"{path.parent.name}/{path.stem}" for path in sorted(SOURCE.glob("*/*.ipynb"))]
    wanted = [n for n in names if not options.notebooks or n.startswith(tuple(options.notebooks))]
    if not wanted:
        sys.exit(f"There is no such notebook; there are: {', '.join(names)}")
    os.environ.setdefault("HANDGRAD_DATA", str(REPOSITORY / "datasets"))
    for name in ("HANDGRAD_FAST_NOTEBOOKS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # as users have it
        os.environ.pop(name, None)
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ |= {"HANDGRAD_FAST_NOTEBOOKS": "1"} if options.fast else {}

    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores\n")
    print("| notebook | figure | quoted for CIFAR-10 | ours | seconds |\n|---|---|---|---:|---:|")
    for name in wanted:
        notebook, seconds = run(name, options.keep)
        text = {cell.id: printed(cell) for cell in notebook.cells}
        for figure, cell, pattern, quoted in FIGURES.get(name, []):
            found = re.search(pattern, text[cell], re.MULTILINE)
            print(f"| {name} | {figure} | {quoted} | {found[1] if found else 'not printed'} | |")
        data = re.search(r"^data set: (\w+)", "\n".join(text.values()), re.MULTILINE)
        print(f"| {name} | whole notebook{f', {data[1]}' if data else ''} | | | {seconds:.0f} |", flush=True)


def run(name: str, keep: Path | None) -> tuple[nbformat.NotebookNode, float]:
    """Run a notebook beside the package, as students have it; returns it executed, and the seconds."""
    notebook = nbformat.read(SOURCE / f"{name}.ipynb", as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "handgrad", Path(folder) / "handgrad", ignore=ignore)
        start = time.perf_counter()
        NotebookClient(notebook, timeout=None, resources={"metadata": {"path": folder}}).execute()
        seconds = time.perf_counter() - start
    if keep:
        (keep / name).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, keep / f"{name}.ipynb")
    return notebook, seconds


def printed(cell: nbformat.NotebookNode) -> str:
    """What a cell printed."""
    outputs = cell.get("outputs", [])
    return "".join(output.text for output in outputs if output.output_type == "stream")


if __name__ == "__main__":
    main()
