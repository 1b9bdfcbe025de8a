"""Training end to end: a Solver and a network of handgrad against the same model and loop in PyTorch eager.

A sample is a few steps: draw a batch, loss, gradients, update of all parameters. The contenders take turns in
one process; the table gives the median time of a batch, images a second, and the ratio of the two times.

    python benchmarks/training.py                          1 and 2 threads
    HANDGRAD_BACKEND=numpy python benchmarks/training.py   without compiled layers

`Solver` uses the update rules of `handgrad.fast_layers`. Regularisation is on; PyTorch has it as weight
decay.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fast_layers

THREADS = fast_layers.THREADS  # known, and BLAS set up, before NumPy is imported

import numpy as np

REG = 1e-3
IMAGES = 2000  # to draw batches from


def main() -> None:
    """Measure in one child process for each number of threads, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="beginnings of model names; default: all")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, default=Path("build/training.json"))
    arguments = parser.parse_args()
    if THREADS:
        print(json.dumps(measure(arguments.models, arguments.rounds)))
        return
    results = {}
    for threads in arguments.threads:
        command = [sys.executable, __file__, *arguments.models, "--rounds", str(arguments.rounds)]
        environment = {**os.environ, "BENCHMARK_THREADS": str(threads)}
        child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        results[threads] = json.loads(child.stdout.splitlines()[-1])
        print(table(threads, results[threads]), flush=True)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"machine": fast_layers.machine(), "results": results}, indent=1))


def table(threads: int, results: dict[str, dict]) -> str:
    """A Markdown table: milliseconds for a batch, and ratios."""
    from handgrad.fast_layers import backend

    lines = [f"\n{threads} thread{'s' * (threads > 1)}, {backend()[0]} backend\n{fast_layers.machine()}\n"]
    lines.append("| model | PyTorch, ms | handgrad, ms | ratio | images/s |\n|---|---:|---:|---:|---:|")
    for model, got in results.items():
        torch, ours = got["torch"], got["handgrad"]
        lines.append(
            f"| {model} | {torch:.2f} | {ours:.2f} | {ours / torch:.2f} | {1e3 * got['batch'] / ours:,.0f} |"
        )
    return "\n".join(lines)


def measure(wanted: list[str], rounds: int) -> dict[str, dict]:
    """Median milliseconds for a batch, by model and contender."""
    import torch

    torch.set_num_threads(THREADS)
    results = {}
    for name, (batch, steps, make) in MODELS.items():
        if wanted and not any(name.startswith(w) for w in wanted):
            continue
        for dtype in (np.float32, np.float64):
            contenders = make(batch, dtype)
            times: dict[str, list[float]] = {contender: [] for contender in contenders}
            for _ in range(rounds):
                for contender, step in contenders.items():
                    if THREADS > 1:
                        time.sleep(fast_layers.PAUSE)
                    step()
                    start = time.perf_counter()
                    for _ in range(steps):
                        step()
                    times[contender].append((time.perf_counter() - start) / steps)
            medians = {contender: 1e3 * float(np.median(samples)) for contender, samples in times.items()}
            results[f"{name}, {np.dtype(dtype).name}"] = {"batch": batch, **medians}
    return results


def data(dtype: type) -> dict[str, np.ndarray]:
    """Numbers instead of images: speed does not depend on them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(IMAGES, 3, 32, 32)).astype(dtype)
    y = rng.integers(10, size=IMAGES)
    return {"X_train": X, "y_train": y, "X_val": X[:100], "y_val": y[:100]}


def ours(net, batch: int, dtype: type, **settings) -> Callable[[], float]:
    """One step of a Solver."""
    from handgrad.solver import Solver

    return Solver(net, data(dtype), batch_size=batch, verbose=False, **settings)._step


def in_torch(net, optimizer, batch: int, dtype: type) -> Callable[[], float]:
    """The same in PyTorch."""
    import torch

    X, y = (torch.tensor(data(dtype)[name]) for name in ("X_train", "y_train"))
    rng = np.random.default_rng(0)

    def step() -> float:
        chosen = torch.from_numpy(rng.integers(IMAGES, size=batch))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(X[chosen]), y[chosen])
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_layers(*sizes: int) -> list:
    from torch import nn

    layers: list = [nn.Flatten()]
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]


def fully_connected(batch: int, dtype: type) -> dict[str, Callable]:
    import torch

    from handgrad.classifiers import FullyConnectedNet
    from handgrad.fast_layers import adam_fast

    net = torch.nn.Sequential(*torch_layers(3072, *[100] * 5, 10)).to(torch_dtype(dtype))
    optimizer = torch.optim.Adam(net.parameters(), weight_decay=REG)
    mine = FullyConnectedNet([100] * 5, reg=REG, dtype=dtype)
    return {
        "torch": in_torch(net, optimizer, batch, dtype),
        "handgrad": ours(mine, batch, dtype, update_rule=adam_fast),
    }


def two_layers(batch: int, dtype: type) -> dict[str, Callable]:
    import torch

    from handgrad.classifiers import TwoLayerNet
    from handgrad.fast_layers import sgd_fast

    net = torch.nn.Sequential(*torch_layers(3072, 50, 10)).to(torch_dtype(dtype))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, weight_decay=REG)
    mine = TwoLayerNet(hidden_dim=50, reg=REG)
    mine.params = {name: value.astype(dtype) for name, value in mine.params.items()}
    settings = {"update_rule": sgd_fast, "optim_config": {"learning_rate": 1e-3}}
    return {"torch": in_torch(net, optimizer, batch, dtype), "handgrad": ours(mine, batch, dtype, **settings)}


def three_layers(batch: int, dtype: type) -> dict[str, Callable]:
    import torch
    from torch import nn

    from handgrad.classifiers import ThreeLayerConvNet
    from handgrad.fast_layers import adam_fast

    first = [nn.Conv2d(3, 32, 7, padding=3), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*first, *torch_layers(32 * 16 * 16, 500, 10)).to(torch_dtype(dtype))
    optimizer = torch.optim.Adam(net.parameters(), weight_decay=REG)
    mine = ThreeLayerConvNet(hidden_dim=500, reg=REG, dtype=dtype)
    return {
        "torch": in_torch(net, optimizer, batch, dtype),
        "handgrad": ours(mine, batch, dtype, update_rule=adam_fast),
    }


def torch_dtype(dtype: type):
    import torch

    return {np.float32: torch.float32, np.float64: torch.float64}[dtype]


MODELS = {  # batch, steps in a sample
    "FullyConnectedNet([100] * 5), Adam, batch 100": (100, 10, fully_connected),
    "TwoLayerNet, 50 hidden, SGD, batch 200": (200, 10, two_layers),
    "ThreeLayerConvNet, 32 filters 7x7, 500 hidden, Adam, batch 50": (50, 2, three_layers),
}

if __name__ == "__main__":
    main()
