"""What the update rules of `optim` have in common: their settings, and the checks at the door."""

from __future__ import annotations

from typing import Any

import numpy as np

from .layers._validate import check_float_array, check_shape

_ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
SETTINGS = {  # with their defaults
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "sgd_nesterov_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "adagrad": {"learning_rate": 1e-2, "epsilon": 1e-8},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": _ADAM,
    "adamw": {**_ADAM, "weight_decay": 1e-2},
}
MEMORY = {  # arrays in the shape of the parameter
    "sgd": (),
    "sgd_momentum": ("velocity",),
    "sgd_nesterov_momentum": ("velocity",),
    "adagrad": ("cache",),
    "rmsprop": ("cache",),
    "adam": ("m", "v"),
    "adamw": ("m", "v"),
}
COUNTING = ("adam", "adamw")  # they remember the number of steps, t, too

_RANGES = {
    "learning_rate": "at least 0",
    "weight_decay": "at least 0",
    "epsilon": "above 0",
    "momentum": "at least 0 and less than 1",
    "decay_rate": "at least 0 and less than 1",
    "beta1": "at least 0 and less than 1",
    "beta2": "at least 0 and less than 1",
}
_IN_RANGE = {
    "at least 0": lambda value: 0 <= value < np.inf,
    "above 0": lambda value: 0 < value < np.inf,
    "at least 0 and less than 1": lambda value: 0 <= value < 1,
}


def prepare(
    rule: str, w: np.ndarray, dw: np.ndarray, config: dict | None, copies: bool = True
) -> tuple[np.ndarray, dict[str, Any]]:
    """Check the arguments of a rule; give dw in the dtype of w, and a complete config that is the rule's own.

    Args:
        rule: its name.
        w: a parameter, any shape with at least one axis.
        dw: the gradient, in the shape of w.
        config: the caller's.
        copies: False when the rule only reads the remembered arrays.
    Returns:
        dw: in the shape of w and its dtype, so that a float32 parameter stays float32.
        config: each setting a Python number, each remembered array in the dtype of w, a copy if `copies`.
    Raises:
        ValueError: as the rules say.
    """
    settings, memory = SETTINGS[rule], MEMORY[rule]
    check_float_array("w", w)
    check_float_array("dw", dw)
    if w.ndim == 0:  # arithmetic would give a number in place of an array
        raise ValueError("w must have at least one axis, got shape (): use (1,) for a single number")
    if w.shape != dw.shape:
        raise ValueError(f"dw must have the shape of w, {w.shape}, got {dw.shape}")
    config = dict(config or {})
    remembered = (*memory, "t") if rule in COUNTING else memory
    known = (*settings, *remembered)
    missing = [name for name in remembered if name not in config]
    if len(missing) == len(remembered):  # the first step, or plain sgd: here every name must be right
        if unknown := [name for name in config if name not in known]:
            raise ValueError(f"{rule} has no setting {unknown[0]!r}; its config has {', '.join(known)}")
        config |= {name: np.zeros_like(w) for name in memory}
        config |= {"t": 0} if rule in COUNTING else {}
    elif missing:
        raise ValueError(
            f"{rule}'s config lacks {', '.join(missing)}: hand it back as {rule} returned it, or leave out "
            f"all of {', '.join(remembered)} to begin anew"
        )
    for name, default in settings.items():
        config[name] = _number(name, config.get(name, default))
    for name in memory:
        check_shape(name, config[name], w.shape)
        config[name] = np.array(config[name], dtype=w.dtype, copy=True if copies else None)
    if rule in COUNTING:
        t = config["t"]
        if not isinstance(t, int | float | np.integer) or t < 0 or not float(t).is_integer():
            raise ValueError(f"t must be a whole number of steps, at least 0, got {t!r}")
        config["t"] = int(t)
    return dw.astype(w.dtype, copy=False), config


def _number(name: str, value: Any) -> float:
    """The setting as a Python number; a NumPy one would turn a float32 parameter into a float64 one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None
    if not _IN_RANGE[_RANGES[name]](number):
        raise ValueError(f"{name} must be {_RANGES[name]}, got {value}")
    return number
