"""Modules without parameters: rectified linear units and the softmax."""

from __future__ import annotations

import numpy as np

from ..layers._validate import check_float_array, check_shape
from ._validate import check_rows
from .module import Module


class ReLU(Module):
    """Rectified linear units: max(0, x), number by number."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Let the positive numbers pass.

        Args:
            x: any shape.
        Returns:
            out: in the shape of x.
        Raises:
            ValueError: x is not a floating-point array.
        """
        check_float_array("x", x)
        # Your task: compute out without changing x, and keep in self.cache what the backward pass will need.
        ### BEGIN SOLUTION (a3)
        self.cache = x
        return np.maximum(x, 0)
        ### END SOLUTION

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """The gradient passes where the input was positive; it is 0 where x is 0.

        Args:
            dout: gradient of the loss with respect to the outputs, in the shape of x.
        Returns:
            dx: gradient with respect to x, in the shape of x.
        Raises:
            ValueError: dout has another shape than the outputs, or no forward pass came before.
        """
        check_float_array("dout", dout)
        self.check_forward_came_first()
        # Your task: compute dx.
        ### BEGIN SOLUTION (a3)
        x = self.cache
        check_shape("dout", dout, x.shape)
        return dout * (x > 0)
        ### END SOLUTION


class Softmax(Module):
    """Probabilities out of scores: exp(x[i, j]) / sum_k exp(x[i, k])."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Turn the scores of each example into probabilities, none below the smallest normal number.

        The floor, np.finfo(x.dtype).tiny, lets a loss take the logarithm and divide by any probability.

        Args:
            x: (N, C) scores; any size, also +-10,000.
        Returns:
            out: (N, C) probabilities, at least np.finfo(x.dtype).tiny; each row adds up to 1.
        Raises:
            ValueError: x is not such an array, or holds no example.
        """
        check_rows("x", x)
        # Your task: compute the probabilities, raise those below the floor to it, and keep in self.cache what
        # the backward pass will need. exp(1000) overflows: what may be subtracted from each row of scores?
        ### BEGIN SOLUTION (a3)
        exps = np.exp(x - x.max(axis=1, keepdims=True))  # the largest score of each example becomes 0
        probs = exps / exps.sum(axis=1, keepdims=True)  # (N, C)
        probs = np.maximum(probs, np.finfo(x.dtype).tiny)
        self.cache = probs
        return probs
        ### END SOLUTION

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """Multiply by the Jacobian: d out[i, j] / d x[i, k] = out[i, j] * ((j == k) - out[i, k]).

        The loss may be any function of the probabilities. The floor is not part of the derivative.

        Args:
            dout: (N, C) gradient of the loss with respect to the probabilities.
        Returns:
            dx: (N, C) gradient with respect to the scores.
        Raises:
            ValueError: dout has another shape than the outputs, or no forward pass came before.
        """
        check_float_array("dout", dout)
        self.check_forward_came_first()
        # Your task: compute dx for all examples at once, without building the (N, C, C) Jacobians.
        ### BEGIN SOLUTION (a3)
        probs = self.cache
        check_shape("dout", dout, probs.shape)
        mean_dout = (dout * probs).sum(axis=1, keepdims=True)  # (N, 1), weighted by the probabilities
        return probs * (dout - mean_dout)
        ### END SOLUTION
