"""The cross-entropy loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._validate import check_probabilities


class CrossEntropyLoss:
    """Mean over the examples of -log(probability of the correct class).

    It follows a Softmax. Probabilities below the smallest normal number of their dtype count as that number:
    one example adds at most 87.3 (float32) or 708.4 (float64) to the sum, and loss and gradient stay finite.
    """

    def __init__(self) -> None:
        self.cache: Any = None

    def forward(self, out: np.ndarray, y: np.ndarray) -> float:
        """Compute the loss.

        Args:
            out: (N, C) probabilities, each row adding up to 1.
            y: (N,) labels, integers from 0 to C - 1.
        Returns:
            loss: a number.
        Raises:
            ValueError: the shapes do not fit, a label is out of range, or out does not hold probabilities.
        """
        check_probabilities(out, y)
        # Your task: compute the loss, and keep in self.cache what the backward pass will need.
        ### BEGIN SOLUTION (a3)
        probs = np.maximum(out, np.finfo(out.dtype).tiny)
        self.cache = (probs, y)
        return float(-np.log(probs[np.arange(len(y)), y]).mean())
        ### END SOLUTION

    def backward(self) -> np.ndarray:
        """The gradient of the loss that `forward` gave.

        Returns:
            dout: (N, C) gradient with respect to the probabilities; not 0 in the column of the label alone.
        Raises:
            ValueError: no forward pass came before.
        """
        if self.cache is None:
            raise ValueError("CrossEntropyLoss.backward needs a forward pass before it")
        # Your task: compute dout.
        ### BEGIN SOLUTION (a3)
        probs, y = self.cache
        N = len(y)
        examples = np.arange(N)
        dout = np.zeros_like(probs)
        dout[examples, y] = -1 / (N * probs[examples, y])
        return dout
        ### END SOLUTION
