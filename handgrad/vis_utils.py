"""Pictures for the notebooks. Matplotlib is imported when a picture is drawn, not before."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import numpy as np


def visualize_grid(Xs: np.ndarray, ubound: float = 255.0, padding: int = 1) -> np.ndarray:
    """Lay images out in a grid, each stretched to the full range of brightness.

    Args:
        Xs: (N, H, W, C) images of any range.
        ubound: largest value in the grid; the smallest is 0.
        padding: pixels between the images, >= 0.
    Returns:
        grid: (rows * (H + padding) - padding, columns * (W + padding) - padding, C), nearly square.
    Raises:
        ValueError: Xs is not a batch of at least one image.
    """
    Xs = np.asarray(Xs)
    if Xs.ndim != 4 or Xs.size == 0:
        raise ValueError(f"Xs must have shape (N, H, W, C) with N >= 1, got {Xs.shape}")
    N, H, W, C = Xs.shape
    columns = ceil(sqrt(N))
    rows = ceil(N / columns)
    grid = np.zeros((rows * (H + padding) - padding, columns * (W + padding) - padding, C))
    for i, image in enumerate(Xs.astype(np.float64)):
        top, left = (i // columns) * (H + padding), (i % columns) * (W + padding)
        low, high = image.min(), image.max()
        scale = ubound / (high - low) if high > low else 0.0
        grid[top : top + H, left : left + W] = (image - low) * scale
    return grid


def show_images(images: np.ndarray, labels: np.ndarray, class_names: list[str], per_class: int = 7) -> Any:
    """Some images of each class, one class a column.

    Args:
        images: (N, 3, H, W) or (N, H, W, 3) images, uint8 or floats from 0 to 255.
        labels: (N,) integers, indices into class_names.
        class_names: a name for each class.
        per_class: images of a class.
    Returns:
        the figure.
    """
    import matplotlib.pyplot as plt

    if images.shape[1] == 3:
        images = images.transpose(0, 2, 3, 1)
    figure, axes = plt.subplots(
        per_class,
        len(class_names),
        figsize=(len(class_names), per_class),
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat:
        axis.axis("off")
    for column, name in enumerate(class_names):
        axes[0, column].set_title(name, fontsize=9)
        for axis, i in zip(axes[:, column], np.flatnonzero(labels == column)[:per_class], strict=False):
            axis.imshow(np.clip(np.rint(images[i]), 0, 255).astype(np.uint8))
    return figure


def plot_history(solver: Any, title: str = "Training") -> Any:
    """The loss at each step, and the training and validation accuracy at each epoch, side by side.

    Args:
        solver: a trained `Solver`.
        title: stands above both.
    Returns:
        the figure.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    figure.suptitle(title)
    left.plot(solver.loss_history, ".", markersize=2)
    left.set(title="Loss of each batch", xlabel="step", ylabel="loss")
    right.plot(solver.train_acc_history, "o-", label="training")
    right.plot(solver.val_acc_history, "o-", label="validation")
    right.set(title="Accuracy", xlabel="epoch", ylabel="share of images classified correctly")
    right.legend(loc="lower right")
    right.grid(alpha=0.3)
    return figure


def show_net_weights(net: Any, image_shape: tuple[int, int, int] = (3, 32, 32), title: str = "") -> Any:
    """The first-layer weights of a network as images, one for each hidden unit.

    Args:
        net: has params["W1"] of shape (D, H).
        image_shape: (C, H, W) with C * H * W = D, the layout of the training images.
        title: stands above.
    Returns:
        the figure.
    """
    import matplotlib.pyplot as plt

    W1 = net.params["W1"]
    images = W1.T.reshape(-1, *image_shape).transpose(0, 2, 3, 1)
    figure, axis = plt.subplots(figsize=(7, 7), layout="constrained")
    axis.imshow(visualize_grid(images, padding=3).astype(np.uint8))
    axis.set_title(title or f"First-layer weights, one image for each of {W1.shape[1]} hidden units")
    axis.axis("off")
    return figure
