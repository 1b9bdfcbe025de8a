"""Toy data: points in the plane."""

from __future__ import annotations

import numpy as np

from ._validate import check_size


def make_spirals(
    num_per_class: int = 100, num_classes: int = 3, noise: float = 0.2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Arms of a spiral around the origin, one for each class: no straight line parts them.

    Args:
        num_per_class: points on an arm, at least 1.
        num_classes: C, arms, at least 1.
        noise: standard deviation of the angles, in radians; at least 0.
        seed: each seed gives other points.
    Returns:
        x: (N, 2) points, N = num_per_class * num_classes, in random order and at most 1 from the origin.
        y: (N,) labels, integers from 0 to C - 1.
    Raises:
        ValueError: an argument is out of range.
    """
    check_size("num_per_class", num_per_class)
    check_size("num_classes", num_classes)
    if not noise >= 0:
        raise ValueError(f"noise must be at least 0, got {noise}")
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(num_classes), num_per_class))
    radius = rng.uniform(0.05, 1, size=len(y))
    angle = 2 * np.pi * y / num_classes + 4 * radius + noise * rng.normal(size=len(y))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y
