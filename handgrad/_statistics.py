"""The running statistics of a network with batch normalisation, to keep beside its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

STATISTICS = ("running_mean", "running_var")


def running_statistics(model: Any) -> dict[str, np.ndarray]:
    """What a network has besides `params` when it has batch normalisation: running_mean1, running_var1, ...

    Args:
        model: a network; those with batch normalisation have a dictionary for each such layer in the list
            `bn_params`. Before the first step of training the dictionaries hold no statistics.
    Returns:
        (D,) arrays by name, D being the layer's width. They are copies.
    """
    return {
        f"{name}{number}": bn_param[name].copy()
        for number, bn_param in enumerate(getattr(model, "bn_params", []), start=1)
        for name in STATISTICS
        if name in bn_param
    }


def restore_statistics(model: Any, statistics: dict[str, np.ndarray]) -> None:
    """Put into `model.bn_params` what `running_statistics` gave: exactly that, so also nothing."""
    for number, bn_param in enumerate(getattr(model, "bn_params", []), start=1):
        for name in STATISTICS:
            bn_param.pop(name, None)
            if f"{name}{number}" in statistics:
                bn_param[name] = statistics[f"{name}{number}"].copy()
