"""The lessons hold on Shapes-10: each better model of the course is better there too.

Trains on 10,000 images, chooses the best epoch by 1,000 and measures on 10,000 test images:

    softmax on raw pixels < two-layer net < the same on HOG and hue features < ThreeLayerConvNet
    < a net of three conv-bn-relu-pool blocks (in PyTorch)

Settings stand below; they were chosen on the validation images. Each step must be worth at least 4 points,
the first model above 25 %, the last between 80 and 97 %; the script ends with an error when one is not.

    python benchmarks/shapes10_ladder.py
"""

from __future__ import annotations

import os

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # BLAS as it comes
    os.environ.pop(name, None)

import itertools
import sys
import time

import numpy as np

from handgrad.classifiers import Softmax, ThreeLayerConvNet, TwoLayerNet
from handgrad.data_utils import load_data
from handgrad.features import color_histogram_hsv, extract_features, hog_feature
from handgrad.solver import Solver

TEST_IMAGES = 10_000


def main() -> None:
    """Train the five models, print a Markdown table, and check the steps."""
    start = time.perf_counter()
    data = load_data(dataset="shapes10", num_test=TEST_IMAGES)
    print(f"{sum(len(data[f'y_{s}']) for s in ('train', 'val', 'test'))} images in ", end="")
    print(f"{time.perf_counter() - start:.1f} s\n\n| model | test accuracy | seconds |\n|---|---:|---:|")
    accuracies = []
    for model in (linear, two_layer_net, net_on_features, three_layer_conv_net, three_block_conv_net):
        np.random.seed(0)
        start = time.perf_counter()
        accuracies.append(model(data))
        words = model.__doc__.strip(".")
        print(f"| {words} | {accuracies[-1]:.3f} | {time.perf_counter() - start:.0f} |", flush=True)
    steps = [after - before for before, after in itertools.pairwise(accuracies)]
    if min(steps) < 0.04 or accuracies[0] <= 0.25 or not 0.80 <= accuracies[-1] <= 0.97:
        sys.exit(f"the lessons do not hold: {accuracies}")


def linear(data: dict) -> float:
    """Softmax on raw pixels."""
    X = {split: data[f"X_{split}"].reshape(len(data[f"X_{split}"]), -1) / 128 for split in ("train", "test")}
    model = Softmax()
    model.train(X["train"], data["y_train"], learning_rate=1e-3, reg=1e-2, num_iters=3000)
    return float(np.mean(model.predict(X["test"]) == data["y_test"]))


def two_layer_net(data: dict) -> float:
    """Two-layer net, 200 hidden units."""
    return solve(TwoLayerNet(hidden_dim=200, reg=0.2), data, 20, learning_rate=1e-3)


def net_on_features(data: dict) -> float:
    """Two-layer net on HOG and hue, 500 hidden units."""
    raw = load_data(dataset="shapes10", num_test=TEST_IMAGES, subtract_mean=False)
    data = dict(data)
    for split in ("train", "val", "test"):
        images = raw[f"X_{split}"].transpose(0, 2, 3, 1)
        data[f"X_{split}"] = extract_features(images, [hog_feature, color_histogram_hsv])
    mean, std = data["X_train"].mean(axis=0), data["X_train"].std(axis=0)
    data |= {f"X_{split}": (data[f"X_{split}"] - mean) / std for split in ("train", "val", "test")}
    net = TwoLayerNet(input_dim=len(mean), hidden_dim=500, reg=1e-3)
    return solve(net, data, 20, learning_rate=0.15)


def three_layer_conv_net(data: dict) -> float:
    """ThreeLayerConvNet, 32 filters 7x7, 500 hidden units."""
    net = ThreeLayerConvNet(hidden_dim=500, reg=1e-3)
    return solve(net, data, 6, update_rule="adam", batch_size=50, learning_rate=5e-4)


def solve(net, data: dict, epochs: int, update_rule="sgd", batch_size=100, **config) -> float:
    """Test accuracy after training with a Solver."""
    solver = Solver(
        net, data, update_rule=update_rule, optim_config=config, lr_decay=0.9, num_epochs=epochs,
        batch_size=batch_size, verbose=False, seed=0,
    )  # fmt: skip
    solver.train()
    return solver.check_accuracy(data["X_test"], data["y_test"])


def three_block_conv_net(data: dict) -> float:
    """Three conv-bn-relu-pool blocks of 32, 64 and 128 filters 3x3."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    widths = (3, 32, 64, 128)
    blocks = [
        layer
        for before, after in itertools.pairwise(widths)
        for layer in (
            nn.Conv2d(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
    ]
    net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128 * 4 * 4, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    X, y = torch.tensor(data["X_train"]) / 128, torch.tensor(data["y_train"])
    for _ in range(6):
        for chosen in torch.randperm(len(X)).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X[chosen]), y[chosen]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        scores = torch.cat([net(part) for part in (torch.tensor(data["X_test"]) / 128).split(500)])
    return float(np.mean(scores.argmax(1).numpy() == data["y_test"]))


if __name__ == "__main__":
    main()
