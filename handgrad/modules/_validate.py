"""Refuse wrong input at the door, in words: what was received and what was expected."""

from __future__ import annotations

import numpy as np

from ..layers._validate import check_float_array, check_labels


def check_size(name: str, value: int) -> None:
    """Raise ValueError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def check_rows(name: str, value: np.ndarray) -> None:
    """Raise ValueError unless `value` is a float array (N, C) with N >= 1 and C >= 1."""
    check_float_array(name, value)
    if value.ndim != 2 or 0 in value.shape:
        raise ValueError(f"{name} must have shape (N, C) with N >= 1 and C >= 1, got {value.shape}")


def check_width(x: np.ndarray, D: int) -> None:
    """Raise ValueError unless x (N, d_1, ..., d_k) holds examples of D numbers each."""
    check_float_array("x", x)
    if x.ndim < 2 or x.shape[0] == 0 or int(np.prod(x.shape[1:])) != D:
        raise ValueError(f"x must hold at least one example of {D} numbers, one a row, got shape {x.shape}")


def check_probabilities(out: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError unless out (N, C) are probabilities and y (N,) labels; NaN may pass."""
    check_rows("out", out)
    check_labels("y", y, *out.shape)
    if out.min() < 0 or out.max() > 1.001:  # rounding, and the steps of gradient checks, may pass 1
        raise ValueError(
            f"out must hold probabilities, got numbers from {out.min():g} to {out.max():g}; "
            "is Softmax() the last module?"
        )


def check_outputs(out: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError unless out (N, C) or (N,) has an entry for each label of y (N,), N >= 1."""
    out_shape, y_shape = np.shape(out), np.shape(y)
    if len(y_shape) != 1 or len(out_shape) not in (1, 2) or out_shape[0] != y_shape[0] or 0 in out_shape:
        raise ValueError(
            f"out must have shape (N, C) or (N,) and y (N,) with N >= 1, got {out_shape} and {y_shape}"
        )


def check_split(name: str, x: np.ndarray, y: np.ndarray, example: tuple[int, ...] | None = None) -> None:
    """Raise ValueError unless x (N, ...) are float examples, of shape `example` if given, and y labels."""
    check_float_array(f"x_{name}", x)
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"x_{name} must have shape (N, d_1, ..., d_k) with N >= 1, got {x.shape}")
    if example is not None and x.shape[1:] != example:
        raise ValueError(f"x_{name} must hold examples of shape {example}, as x_train, got {x.shape[1:]}")
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.integer) or y.shape != (len(x),):
        received = f"dtype {y.dtype}, shape {y.shape}" if isinstance(y, np.ndarray) else type(y).__name__
        raise ValueError(f"y_{name} must hold {len(x)} integer labels, got {received}")
