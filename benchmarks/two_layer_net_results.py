"""What the solution of notebook a1/3_two_layer_net reaches, beside the figures that courses quote.

Runs the notebook in full mode, in a folder that is thrown away, on CIFAR-10 when it has been downloaded
($HANDGRAD_DATA or datasets/) and on Shapes-10 otherwise, and prints a Markdown table. Accuracies repeat with
the same NumPy on the same kind of processor; seconds are those of the cells, n = 1.

    python benchmarks/two_layer_net_results.py
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOK = REPOSITORY / "assignments" / "source" / "a1" / "3_two_layer_net.ipynb"
ROWS = {
    # row: cell, pattern of the figure in its output, quoted for CIFAR-10
    "default solver, validation": ("solver-training", r"validation accuracy: ([\d.]+)", "0.35 to 0.36"),
    "search, validation": ("test", r"^val +accuracy ([\d.]+)", "at least 0.48"),
    "search, test": ("test", r"^test +accuracy ([\d.]+)", "at least 0.48"),
}


def main() -> None:
    """Run the notebook and print the table."""
    os.environ.setdefault("HANDGRAD_DATA", str(REPOSITORY / "datasets"))
    os.environ.pop("HANDGRAD_FAST_NOTEBOOKS", None)
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=None, resources={"metadata": {"path": folder}})
        with client.setup_kernel():
            for index, cell in enumerate(notebook.cells):
                start = time.perf_counter()
                client.execute_cell(cell, index)
                seconds[cell.id] = time.perf_counter() - start
    text = {cell.id: _output(cell) for cell in notebook.cells}

    dataset = re.search(r"^data set: (\w+)", text["data"], re.MULTILINE)[1]
    images = re.search(r"^X_train .*\((\d+), 3, 32, 32\)", text["data"], re.MULTILINE)[1]
    print(f"{dataset}, {images} training images")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores\n")
    print("| | quoted for CIFAR-10 | ours | seconds |\n|---|---|---:|---:|")
    for row, (cell, pattern, quoted) in ROWS.items():
        ours = re.search(pattern, text[cell], re.MULTILINE)[1]
        cost = seconds["solver-training" if row.startswith("default") else "hyperparameter-search"]
        print(f"| {row} | {quoted} | {ours} | {cost:.0f} |")
    print(f"| whole notebook | | | {sum(seconds.values()):.0f} |\n")
    print(text["hyperparameter-search"])


def _output(cell: nbformat.NotebookNode) -> str:
    outputs = cell.get("outputs", [])
    return "".join(output.text for output in outputs if output.output_type == "stream")


if __name__ == "__main__":
    main()
