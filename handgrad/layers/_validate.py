"""Refuse wrong input at the door, in words: what was received and what was expected."""

import numpy as np


def check_float_array(name: str, value: np.ndarray) -> None:
    """Raise ValueError unless `value` is a NumPy array of floating-point numbers."""
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} must be a NumPy array, got {type(value).__name__}")
    if not np.issubdtype(value.dtype, np.floating):
        raise ValueError(f"{name} must hold floating-point numbers, got dtype {value.dtype}")


def check_shape(name: str, value: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `value` is a float array of exactly this shape."""
    check_float_array(name, value)
    if value.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {value.shape}")


def check_slope(slope: float) -> None:
    """Raise ValueError unless slope is a number from 0 up to, but not including, 1."""
    if not 0 <= slope < 1:
        raise ValueError(f"slope must be at least 0 and less than 1, got {slope}")


def check_affine(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> None:
    """Raise ValueError unless x (N, d_1, ..., d_k), w (D, M) and b (M,) fit together, D = d_1 * ... * d_k."""
    for name, value in {"x": x, "w": w, "b": b}.items():
        check_float_array(name, value)
    if x.ndim < 2:
        raise ValueError(f"x must have shape (N, d_1, ..., d_k), got {x.shape}")
    if x.shape[0] == 0:
        raise ValueError(f"x must hold at least one example, got shape {x.shape}")
    D = int(np.prod(x.shape[1:]))
    if w.ndim != 2 or w.shape[0] != D:
        raise ValueError(f"w must have shape ({D}, M) to fit x of shape {x.shape}, got {w.shape}")
    check_shape("b", b, (w.shape[1],))


def check_scores(x: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError unless x (N, C) are scores and y (N,) integer labels from 0 to C - 1."""
    check_float_array("x", x)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"x must have shape (N, C) with N >= 1 and C >= 1, got {x.shape}")
    N, C = x.shape
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.integer):
        received = f"dtype {y.dtype}" if isinstance(y, np.ndarray) else type(y).__name__
        raise ValueError(f"y must be a NumPy array of integer labels, got {received}")
    if y.shape != (N,):
        raise ValueError(f"y must have shape ({N},), one label for each row of x {x.shape}, got {y.shape}")
    if y.min() < 0 or y.max() >= C:
        raise ValueError(f"labels must lie between 0 and {C - 1}, got labels from {y.min()} to {y.max()}")
