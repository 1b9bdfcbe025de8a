"""Update rules: one step of gradient descent.

Each rule is `rule(w, dw, config=None) -> next_w, config`. `config` holds what the rule is told (the learning
rate) and what it remembers from step to step; the caller hands it back at the next step.
"""

import numpy as np


def sgd(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    """Plain stochastic gradient descent: w - learning_rate * dw.

    Args:
        w: a parameter, any shape.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: {"learning_rate": float, default 1e-2}.
    Returns:
        next_w: the parameter after the step; shape and dtype of w.
        config: for the next step.
    Raises:
        ValueError: w and dw differ in shape.
    """
    if np.shape(w) != np.shape(dw):
        raise ValueError(f"dw must have the shape of w, {np.shape(w)}, got {np.shape(dw)}")
    config = {"learning_rate": 1e-2, **(config or {})}
    next_w = w - float(config["learning_rate"]) * dw
    return next_w.astype(w.dtype, copy=False), config
