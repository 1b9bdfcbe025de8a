"""The linear module."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers._validate import check_float_array, check_shape
from ._validate import check_size, check_width
from .module import Module, Parameter


class Linear(Module):
    """out = x weight + bias, for every example.

    `weight` (D, M) and `bias` (M,) are Parameters, for D inputs and M outputs. The weights are drawn with
    np.random from a normal distribution with mean 0 and standard deviation sqrt(2 / D), which keeps the size
    of the numbers through layers of rectified linear units (He et al., 2015). The biases start at 0.
    """

    def __init__(self, in_features: int, out_features: int, dtype: Any = np.float64) -> None:
        """Draw the weights.

        Args:
            in_features: D >= 1.
            out_features: M >= 1.
            dtype: np.float64 (good for gradient checks) or np.float32 (faster). The module computes in it,
                whatever it is given.
        Raises:
            ValueError: a size is not a positive whole number, or dtype is not a floating-point type.
        """
        super().__init__()
        check_size("in_features", in_features)
        check_size("out_features", out_features)
        if not np.issubdtype(dtype, np.floating):
            raise ValueError(f"dtype must be a floating-point type, got {np.dtype(dtype)}")
        weight = np.sqrt(2 / in_features) * np.random.randn(in_features, out_features)
        self.weight = Parameter("weight", weight.astype(dtype))
        self.bias = Parameter("bias", np.zeros(out_features, dtype=dtype), decay=False)

    @property
    def parameters(self) -> list[Parameter]:
        """The weight and the bias."""
        return [self.weight, self.bias]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Multiply each example by the weights and add the biases.

        Args:
            x: (N, d_1, ..., d_k) examples, d_1 * ... * d_k = D; each is read as one row.
        Returns:
            out: (N, M) outputs.
        Raises:
            ValueError: x does not fit the weights, holds no example, or is not floating-point.
        """
        check_width(x, self.weight.value.shape[0])
        x = x.astype(self.weight.value.dtype, copy=False)
        # Your task: compute out from self.weight.value and self.bias.value, and keep in self.cache what the
        # backward pass will need.
        ### BEGIN SOLUTION (a3)
        rows = x.reshape(x.shape[0], -1)  # (N, D)
        self.cache = x
        return rows @ self.weight.value + self.bias.value
        ### END SOLUTION

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """Set weight.grad and bias.grad.

        Args:
            dout: (N, M) gradient of the loss with respect to the outputs.
        Returns:
            dx: (N, d_1, ..., d_k) gradient with respect to x, in the shape of x.
        Raises:
            ValueError: dout has another shape than the outputs, or no forward pass came before.
        """
        check_float_array("dout", dout)
        self.check_forward_came_first()
        dout = dout.astype(self.weight.value.dtype, copy=False)
        # Your task: set self.weight.grad and self.bias.grad, and return dx.
        ### BEGIN SOLUTION (a3)
        x = self.cache
        check_shape("dout", dout, (x.shape[0], self.weight.value.shape[1]))
        rows = x.reshape(x.shape[0], -1)  # (N, D)
        self.weight.grad = rows.T @ dout  # (D, N) (N, M) -> (D, M)
        self.bias.grad = dout.sum(axis=0)  # every example adds the same bias, so its gradients add
        return (dout @ self.weight.value.T).reshape(x.shape)  # (N, M) (M, D) -> (N, D)
        ### END SOLUTION
