"""The fast layers in NumPy alone."""

import numpy as np


def relu_forward_fast(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same as `handgrad.layers.relu_forward`."""
    return np.maximum(x, 0), x


def relu_backward_fast(dout: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """The same as `handgrad.layers.relu_backward`."""
    return dout * (cache > 0)
