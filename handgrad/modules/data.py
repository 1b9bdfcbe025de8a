"""Data for training, validation and test, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ._validate import check_size, check_split


class DataLoader:
    """The three splits: x_train, y_train, x_val, y_val, x_test, y_test; and batches of the first."""

    def __init__(
        self,
        x_train: np.ndarray,
        y_train: np.ndarray,
        x_val: np.ndarray,
        y_val: np.ndarray,
        x_test: np.ndarray,
        y_test: np.ndarray,
    ) -> None:
        """Keep the data as they are.

        Args:
            x_train: (N, d_1, ..., d_k) floating-point examples to learn from.
            y_train: (N,) integer labels.
            x_val: (N_val, d_1, ..., d_k) examples to choose settings by.
            y_val: (N_val,) integer labels.
            x_test: (N_test, d_1, ..., d_k) examples for the last measurement.
            y_test: (N_test,) integer labels.
        Raises:
            ValueError: a split is empty, or examples and labels do not fit together.
        """
        check_split("train", x_train, y_train)
        check_split("val", x_val, y_val, x_train.shape[1:])
        check_split("test", x_test, y_test, x_train.shape[1:])
        self.x_train, self.y_train = x_train, y_train
        self.x_val, self.y_val = x_val, y_val
        self.x_test, self.y_test = x_test, y_test

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Go once through the training data in random order; every example comes exactly once.

        Args:
            batch_size: examples in a batch, at least 1; the last batch may be smaller.
            rng: draws the order; None: a new generator.
        Returns:
            batches: pairs (x, y), one after the other.
        Raises:
            ValueError: batch_size is not a positive whole number.
        """
        check_size("batch_size", batch_size)
        rng = np.random.default_rng() if rng is None else rng
        # Your task: shuffle the examples with rng.permutation and yield batch after batch, x beside its y.
        ### BEGIN SOLUTION (a3)
        order = rng.permutation(len(self.x_train))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            yield self.x_train[chosen], self.y_train[chosen]
        ### END SOLUTION
