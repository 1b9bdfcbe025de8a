"""What all modules have in common."""

from __future__ import annotations

from typing import Any

import numpy as np


class Parameter:
    """An array that is learned, and the gradient of the loss with respect to it.

    `value` is the array; `grad` has its shape: 0 at first, later what the last backward pass found. `name`
    says what it is, and `decay` whether weight decay applies to it: it does to weights, not to biases.
    """

    def __init__(self, name: str, value: np.ndarray, decay: bool = True) -> None:
        """Keep the array, with a gradient of 0.

        Args:
            name: what it is, such as "weight".
            value: any shape.
            decay: whether weight decay applies to it.
        """
        self.name = name
        self.value = value
        self.grad = np.zeros_like(value)
        self.decay = decay

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, shape {self.value.shape}, {self.value.dtype})"


class Module:
    """A part of a network: `forward(x)` gives out, and after it `backward(dout)` gives dx.

    What the backward pass needs is kept in `self.cache` by the forward pass. A backward pass sets the
    gradients of the module's parameters; it does not add to what an earlier one left there.
    """

    def __init__(self) -> None:
        self.cache: Any = None

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of the module; none unless a module says otherwise."""
        return []

    def forward(self, x: np.ndarray) -> np.ndarray:
        """out for x; see the subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no forward pass")

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """dx for dout, the gradient of the loss with respect to out; see the subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass")

    def check_forward_came_first(self) -> None:
        """Raise ValueError unless a forward pass has filled the cache."""
        if self.cache is None:
            raise ValueError(
                f"{type(self).__name__}.backward needs a forward pass before it: self.cache is still empty"
            )
