"""What the reference package reaches on CIFAR-10, beside the figures that courses quote.

One row for every figure of the course. A row trains on 49,000 images (a3: 5,000), chooses by the 1,000
validation images and measures on 1,000 test images (a3: 250 and 500). The settings stand below; they were
chosen on the validation images. Seeds are fixed, so a row repeats with the same NumPy on the same kind of
processor. Seconds are of one run, n = 1.

    python benchmarks/cifar10_results.py            all rows, as a Markdown table
    python benchmarks/cifar10_results.py a1/4 a2/2  those that begin so

CIFAR-10 must have been downloaded ($HANDGRAD_DATA or datasets/). The rows of a2/6 need PyTorch.
"""

from __future__ import annotations

import os

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # BLAS as it comes
    os.environ.pop(name, None)

import argparse
import functools
import itertools
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from handgrad.classifiers import FullyConnectedNet, LinearSVM, ThreeLayerConvNet, TwoLayerNet
from handgrad.classifiers.neural_net import TwoLayerNet as OneClassNet
from handgrad.data_utils import load_data
from handgrad.features import color_histogram_hsv, extract_features, hog_feature
from handgrad.modules import (
    SGD,
    CrossEntropyLoss,
    DataLoader,
    Linear,
    ReLU,
    Sequential,
    Softmax,
    Trainer,
    get_classification_accuracy,
)
from handgrad.solver import Solver

os.environ.setdefault("HANDGRAD_DATA", str(Path(__file__).resolve().parents[1] / "datasets"))

ROWS: dict[str, tuple[str, Callable[[], dict[str, float]]]] = {}


def row(name: str, quoted: str) -> Callable:
    """Register a function that trains and returns accuracies by the name of the images."""

    def register(function: Callable) -> Callable:
        ROWS[name] = (quoted, function)
        return function

    return register


def main() -> None:
    """Run the rows that were asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="beginnings of row names; default: all")
    wanted = parser.parse_args().rows
    names = [name for name in ROWS if not wanted or any(name.startswith(w) for w in wanted)]
    if not names:
        sys.exit(f"There is no such row; there are: {', '.join(ROWS)}")
    print(f"CIFAR-10, Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} cores\n")
    print("| row | quoted | training | validation | test | seconds |\n|---|---|---:|---:|---:|---:|")
    for name in names:
        quoted, function = ROWS[name]
        np.random.seed(0)
        images()
        start = time.perf_counter()
        got = function()
        seconds = time.perf_counter() - start
        cells = [f"{got[key]:.3f}" if key in got else "" for key in ("train", "val", "test")]
        print(f"| {name} | {quoted} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


@functools.cache
def images(subtract_mean: bool = True) -> dict[str, np.ndarray]:
    """The course's splits, 49,000 / 1,000 / 1,000 images."""
    return load_data(dataset="cifar10", subtract_mean=subtract_mean)


def flat(split: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3072) images and (N,) labels of "train", "val" or "test"."""
    data = images()
    return data[f"X_{split}"].reshape(len(data[f"X_{split}"]), -1), data[f"y_{split}"]


def accuracy(model, X: np.ndarray, y: np.ndarray) -> float:
    """Share of the images that the model's `predict` gets right."""
    return float(np.mean(model.predict(X) == y))


def solve(net, data: dict[str, np.ndarray] | None = None, **settings) -> dict[str, float]:
    """Train with a Solver and measure."""
    data = data or images()
    solver = Solver(net, data, verbose=False, seed=0, **settings)
    solver.train()
    return {
        "train": max(solver.train_acc_history),
        "val": solver.best_val_acc,
        "test": solver.check_accuracy(data["X_test"], data["y_test"]),
    }


def one_class_net(convention: str, hidden: int, **settings) -> dict[str, float]:
    """Train neural_net.TwoLayerNet with its own train()."""
    net = OneClassNet(3072, hidden, 10, convention=convention)
    net.params = {name: value.astype(np.float32) for name, value in net.params.items()}
    net.train(*flat("train"), *flat("val"), **settings)
    return {"val": accuracy(net, *flat("val")), "test": accuracy(net, *flat("test"))}


@row("a1/2 default training", "about 0.28 to 0.29 validation")
def neural_net_default() -> dict[str, float]:
    return one_class_net("S19", 50, learning_rate=1e-4, reg=0.25, num_iters=1000)


@row("a1/2 search", "> 0.48 validation and test, reference 0.52")
def neural_net_best() -> dict[str, float]:
    return one_class_net("S19", 200, learning_rate=1e-3, reg=0.25, num_iters=7350)


@row("a1/2 search, UCLA, hidden 50", ">= 0.50 validation")
def neural_net_ucla() -> dict[str, float]:
    return one_class_net("UCLA", 50, learning_rate=1e-3, reg=0.5, num_iters=7350)


@row("a1/3 default solver", "about 0.36 validation")
def two_layer_default() -> dict[str, float]:
    net = TwoLayerNet(hidden_dim=50)
    return solve(net, optim_config={"learning_rate": 1e-4}, lr_decay=0.95, num_epochs=5, batch_size=200)


@row("a1/3 search", "> 0.48, best 0.520 validation / 0.532 test")
def two_layer_best() -> dict[str, float]:
    net = TwoLayerNet(hidden_dim=200, reg=0.2)
    return solve(net, optim_config={"learning_rate": 1.2e-3}, lr_decay=0.92, num_epochs=15, batch_size=200)


@row("a1/3 STH: 10 epochs, batch 100, lr 1e-3", ">= 0.50 validation")
def two_layer_ten_epochs() -> dict[str, float]:
    net = TwoLayerNet(hidden_dim=200, reg=0.2)
    return solve(net, optim_config={"learning_rate": 1e-3}, lr_decay=0.9, num_epochs=10, batch_size=100)


@functools.cache
def features() -> dict[str, np.ndarray]:
    """HOG and hue histogram of all images, standardised, with a bias column at the end."""
    data = dict(images(subtract_mean=False))
    for split in ("train", "val", "test"):
        channels_last = data[f"X_{split}"].transpose(0, 2, 3, 1)
        data[f"X_{split}"] = extract_features(channels_last, [hog_feature, color_histogram_hsv])
    mean, std = data["X_train"].mean(axis=0), data["X_train"].std(axis=0)
    for split in ("train", "val", "test"):
        standard = (data[f"X_{split}"] - mean) / std
        data[f"X_{split}"] = np.hstack([standard, np.ones((len(standard), 1))])
    return data


@row("a1/4 SVM on features", "0.41 to 0.42 validation, 0.424 test")
def svm_on_features() -> dict[str, float]:
    data = features()
    best: tuple[float, LinearSVM] = (0.0, LinearSVM())
    for learning_rate in (2e-7, 5e-7, 8e-7):
        for reg in (8e4, 5e4, 2e4, 7e3):
            svm = LinearSVM()
            svm.train(data["X_train"], data["y_train"], learning_rate, reg, 2000)
            best = max(best, (accuracy(svm, data["X_val"], data["y_val"]), svm), key=lambda pair: pair[0])
    return {"val": best[0], "test": accuracy(best[1], data["X_test"], data["y_test"])}


@row("a1/4 two-layer net on features", "> 0.55 test, reference 0.60, got 0.595 / 0.582")
def net_on_features() -> dict[str, float]:
    data = {name: value[:, :-1] if name.startswith("X_") else value for name, value in features().items()}
    net = TwoLayerNet(input_dim=data["X_train"].shape[1], hidden_dim=500)
    return solve(net, data, optim_config={"learning_rate": 0.15}, lr_decay=0.9, num_epochs=15, batch_size=200)


@row("a2/2 overfit 50 images, three layers", "1.0 training within 20 epochs")
def overfit_three_layers() -> dict[str, float]:
    return overfit([100, 100], 1e-2, 1e-2)


@row("a2/2 overfit 50 images, five layers", "1.0 training within 20 epochs")
def overfit_five_layers() -> dict[str, float]:
    return overfit([100, 100, 100, 100], 5e-2, 5e-3)


def overfit(hidden_dims: list[int], weight_scale: float, learning_rate: float) -> dict[str, float]:
    """Learn 50 images by heart with plain SGD, batch 25, 20 epochs."""
    data = {**images(), "X_train": images()["X_train"][:50], "y_train": images()["y_train"][:50]}
    net = FullyConnectedNet(hidden_dims, weight_scale=weight_scale)
    got = solve(net, data, optim_config={"learning_rate": learning_rate}, num_epochs=20, batch_size=25)
    return {"train": got["train"]}


@row("a2/2 best fully connected net", ">= 0.50, UW 0.525 / 0.517, STH 0.535 / 0.50")
def fully_connected_best() -> dict[str, float]:
    net = FullyConnectedNet([200, 100, 100], normalization="batchnorm", weight_scale=3e-2, reg=1e-3)
    config = {"learning_rate": 1e-3}
    return solve(net, update_rule="adam", optim_config=config, lr_decay=0.9, num_epochs=12, batch_size=200)


@row("a2/5 ThreeLayerConvNet, one epoch", "> 0.40 training, STH 0.558 validation")
def three_layer_conv_net() -> dict[str, float]:
    net = ThreeLayerConvNet(hidden_dim=500, weight_scale=1e-3, reg=1e-3)
    config = {"learning_rate": 1e-4}
    return solve(net, update_rule="adam", optim_config=config, num_epochs=1, batch_size=50)


def torch_net(net, optimizer, epochs: int) -> dict[str, float]:
    """Train a PyTorch net, batch 64, and measure it after the epoch that is best on the validation images."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    net.to(device)
    tensors = {
        split: (torch.tensor(images()[f"X_{split}"]).to(device) / 64, torch.tensor(images()[f"y_{split}"]))
        for split in ("train", "val", "test")
    }

    def measure(split: str) -> float:
        net.eval()
        X, y = tensors[split]
        with torch.no_grad():
            labels = torch.cat([net(part).argmax(1) for part in X.split(500)])
        return float((labels.cpu() == y).float().mean())

    best = {"val": 0.0, "test": 0.0}
    X, y = tensors["train"][0], tensors["train"][1].to(device)
    for _ in range(epochs):
        net.train()
        for chosen in torch.randperm(len(X)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(X[chosen]), y[chosen]).backward()
            optimizer.step()
        best = max(best, {"val": measure("val"), "test": measure("test")}, key=lambda got: got["val"])
    return best


@row("a2/6 two-layer net, one epoch", "> 0.40 validation")
def torch_two_layer() -> dict[str, float]:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 4000), nn.ReLU(), nn.Linear(4000, 10))
    return torch_net(net, torch.optim.SGD(net.parameters(), lr=1e-2), 1)


def torch_three_layer():
    """5x5 and 3x3 convolution of 32 and 16 filters, then scores."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(32, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 32 * 32, 10),
    )


@row("a2/6 three-layer conv net, one epoch", "> 0.42, as a module > 0.45 validation")
def torch_three_layer_sgd() -> dict[str, float]:
    """Kaiming initialisation, as the course writes it out, and plain SGD."""
    import torch

    net = torch_three_layer()
    for layer in net:
        if hasattr(layer, "weight"):
            torch.nn.init.kaiming_normal_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    return torch_net(net, torch.optim.SGD(net.parameters(), lr=1e-2), 1)


@row("a2/6 three-layer conv net, Nesterov momentum, one epoch", "> 0.55 validation")
def torch_three_layer_nesterov() -> dict[str, float]:
    """PyTorch's own initialisation, whose weights are smaller."""
    import torch

    net = torch_three_layer()
    return torch_net(net, torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9, nesterov=True), 1)


@row("a2/6 three conv-bn-relu blocks, 10 epochs", ">= 0.70 validation")
def torch_blocks() -> dict[str, float]:
    import torch
    from torch import nn

    torch.manual_seed(0)
    blocks = [
        layer
        for before, after in itertools.pairwise((3, 32, 64, 128))
        for layer in (
            nn.Conv2d(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
    ]
    net = nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 4 * 4, 10))
    return torch_net(net, torch.optim.Adam(net.parameters(), lr=1e-3), 10)


@row("a3 search", "> 0.40 validation, > 0.35 test, UCSD 0.42 / 0.352")
def modules() -> dict[str, float]:
    data = load_data(5000, 250, 500, dataset="cifar10")
    splits = [
        array
        for split in ("train", "val", "test")
        for array in (data[f"X_{split}"].reshape(len(data[f"X_{split}"]), -1) / 64, data[f"y_{split}"])
    ]
    dataset = DataLoader(*splits)
    best = (0.0, 0.0)
    for lr, weight_decay, epochs in itertools.product((1e-2, 3e-2), (1e-2, 3e-2, 1e-1), (20, 30)):
        net = Sequential([Linear(3072, 50), ReLU(), Linear(50, 10), Softmax()])
        trainer = Trainer(
            dataset,
            SGD(net, lr, weight_decay),
            net,
            CrossEntropyLoss(),
            epochs,
            100,
            1,
            verbose=False,
            seed=0,
        )
        _, validation_accuracy = trainer.train()
        test = get_classification_accuracy(net.forward(splits[4]), splits[5])
        best = max(best, (max(validation_accuracy), test), key=lambda pair: pair[0])
    return {"val": best[0], "test": best[1]}


if __name__ == "__main__":
    main()
