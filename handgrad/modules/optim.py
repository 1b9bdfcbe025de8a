"""Stochastic gradient descent for modules."""

from __future__ import annotations

import math

import numpy as np

from .module import Module


class SGD:
    """Stochastic gradient descent with weight decay: the gradient of 0.5 * weight_decay * sum(w**2)."""

    def __init__(self, net: Module, lr: float, weight_decay: float = 0.0) -> None:
        """Keep the network, whose parameters `step` will change.

        Args:
            net: has `parameters`.
            lr: learning rate, above 0.
            weight_decay: at least 0; biases are not decayed.
        Raises:
            ValueError: a setting is out of range.
        """
        if not (lr > 0 and math.isfinite(lr)):
            raise ValueError(f"lr must be above 0 and finite, got {lr}")
        if not (weight_decay >= 0 and math.isfinite(weight_decay)):
            raise ValueError(f"weight_decay must be at least 0 and finite, got {weight_decay}")
        self.net = net
        self.lr = float(lr)  # NumPy's own float64 would turn float32 parameters into float64
        self.weight_decay = float(weight_decay)

    def step(self) -> None:
        """Change every parameter once: w - lr * (grad + weight_decay * w), for biases without the decay."""
        # Your task: give each parameter in self.net.parameters a new value. parameter.decay says whether it
        # is to be decayed. Do not write into the old array: somebody may have kept it.
        ### BEGIN SOLUTION (a3)
        for parameter in self.net.parameters:
            direction = parameter.grad
            if parameter.decay:
                direction = direction + self.weight_decay * parameter.value
            parameter.value = parameter.value - self.lr * direction
        ### END SOLUTION

    def zero_grad(self) -> None:
        """Set all gradients to 0. Not needed before a backward pass, which sets them anew."""
        for parameter in self.net.parameters:
            parameter.grad = np.zeros_like(parameter.value)
