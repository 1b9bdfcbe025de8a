"""Refuse wrong input at the door, in words: what was received and what was expected."""

from typing import Any

import numpy as np


def check_float_array(name: str, value: np.ndarray) -> None:
    """Raise ValueError unless `value` is a NumPy array of floating-point numbers."""
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} must be a NumPy array, got {type(value).__name__}")
    if value.dtype.kind != "f":
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
    check_labels("y", y, *x.shape)


def check_labels(name: str, y: np.ndarray, N: int, C: int) -> None:
    """Raise ValueError unless `y` holds N integer labels from 0 to C - 1."""
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iu":
        received = f"dtype {y.dtype}" if isinstance(y, np.ndarray) else type(y).__name__
        raise ValueError(f"{name} must be a NumPy array of integer labels, got {received}")
    if y.shape != (N,):
        raise ValueError(f"{name} must have shape ({N},), one label for each example, got {y.shape}")
    if y.min() < 0 or y.max() >= C:
        raise ValueError(
            f"the labels {name} must lie between 0 and {C - 1}, got labels from {y.min()} to {y.max()}"
        )


def check_autoencoder(W: np.ndarray, x: np.ndarray) -> None:
    """Raise ValueError unless W (m, n) and x (n,) fit together."""
    check_float_array("W", W)
    check_float_array("x", x)
    if W.ndim != 2 or 0 in W.shape:
        raise ValueError(f"W must have shape (m, n) with m >= 1 and n >= 1, got {W.shape}")
    check_shape("x", x, (W.shape[1],))


def check_two_layers(
    X: np.ndarray, y: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> None:
    """Raise ValueError unless X (N, D), y (N,), W1 (H, D), b1 (H,), W2 (C, H) and b2 (C,) fit together."""
    for name, value in {"X": X, "W1": W1, "b1": b1, "W2": W2, "b2": b2}.items():
        check_float_array(name, value)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have shape (N, D) with N >= 1 and D >= 1, got {X.shape}")
    N, D = X.shape
    if W1.ndim != 2 or W1.shape[1] != D:
        raise ValueError(f"W1 must have shape (H, {D}) to fit X of shape {X.shape}, got {W1.shape}")
    H = W1.shape[0]
    if W2.ndim != 2 or W2.shape[1] != H:
        raise ValueError(f"W2 must have shape (C, {H}) to fit W1 of shape {W1.shape}, got {W2.shape}")
    C = W2.shape[0]
    check_shape("b1", b1, (H,))
    check_shape("b2", b2, (C,))
    check_labels("y", y, N, C)


def check_spatial(x: np.ndarray, name: str = "x") -> None:
    """Raise ValueError unless x (N, C, H, W) holds at least one image of at least one pixel."""
    check_float_array(name, x)
    if x.ndim != 4 or 0 in x.shape:
        raise ValueError(f"{name} must have shape (N, C, H, W) with no axis of length 0, got {x.shape}")


def check_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> None:
    """Raise ValueError unless x (N, D) or (N, D, H, W), gamma (D,) and beta (D,) fit together."""
    check_float_array("x", x)
    if x.ndim not in (2, 4) or 0 in x.shape:
        raise ValueError(f"x must have shape (N, D) with N >= 1 and D >= 1, got {x.shape}")
    check_shape("gamma", gamma, (x.shape[1],))
    check_shape("beta", beta, (x.shape[1],))


def check_eps(param: dict) -> float:
    """The setting "eps", by default 1e-5. Raise ValueError when it is negative or no number."""
    eps = param.get("eps", 1e-5)
    if not eps >= 0:
        raise ValueError(f"eps must be at least 0, got {eps}")
    return float(eps)


def check_mode(param: dict) -> str:
    """The setting "mode". Raise ValueError unless it is "train" or "test"."""
    mode = param.get("mode")
    if mode not in ("train", "test"):
        raise ValueError(f"mode must be 'train' or 'test', got {mode!r}")
    return mode


def check_running(x: np.ndarray, bn_param: dict) -> tuple[str, float, float, np.ndarray, np.ndarray]:
    """The settings of batch norm for x (N, D): mode, eps, momentum, running mean and variance, both (D,).

    Raise ValueError when one is unknown or out of range.
    """
    mode, eps = check_mode(bn_param), check_eps(bn_param)
    momentum = bn_param.get("momentum", 0.9)
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum must be at least 0 and at most 1, got {momentum}")
    running = []
    for name, start in {"running_mean": np.zeros, "running_var": np.ones}.items():
        value = bn_param.get(name, start(x.shape[1]))
        check_shape(name, value, (x.shape[1],))
        running.append(value.astype(x.dtype))
    return mode, eps, float(momentum), *running


def check_groups(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, G: int) -> None:
    """Raise ValueError unless G divides the channels of x (N, C, H, W), and gamma, beta are (1, C, 1, 1)."""
    C = x.shape[1]
    if isinstance(G, bool) or not isinstance(G, int | np.integer) or G < 1 or C % G:
        raise ValueError(f"G must be a whole number that divides the {C} channels of x, got {G}")
    check_shape("gamma", gamma, (1, C, 1, 1))
    check_shape("beta", beta, (1, C, 1, 1))


def check_dropout(dropout_param: dict) -> tuple[float, str, Any]:
    """The settings of dropout: probability to keep, mode, and what draws random numbers.

    Raise ValueError when one is missing, unknown or out of range.
    """
    p = dropout_param.get("p")
    if not isinstance(p, int | float | np.number) or not 0 < p <= 1:
        raise ValueError(f"p is the probability to keep a number, above 0 and up to 1, got {p}")
    seed = dropout_param.get("seed")
    random = np.random if seed is None else np.random.RandomState(seed)
    return float(p), check_mode(dropout_param), random


def check_conv(x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict) -> tuple[int, int, int, int]:
    """The settings of a convolution and the size of its outputs: stride, pad, H_out, W_out.

    Raise ValueError unless x (N, C, H, W), w (F, C, HH, WW) and b (F,) fit together and the filters tile.
    """
    check_spatial(x)
    check_float_array("w", w)
    C = x.shape[1]
    if w.ndim != 4 or w.shape[1] != C or 0 in w.shape:
        raise ValueError(f"w must have shape (F, {C}, HH, WW) to fit x of shape {x.shape}, got {w.shape}")
    check_shape("b", b, (w.shape[0],))
    stride, pad = check_whole(conv_param, "stride", 1), check_whole(conv_param, "pad", 0)
    H_out, W_out = (
        steps("filters", what, size + 2 * pad, window, stride)
        for what, size, window in zip(("height", "width"), x.shape[2:], w.shape[2:], strict=True)
    )
    return stride, pad, H_out, W_out


def check_pool(x: np.ndarray, pool_param: dict) -> tuple[int, int, int, int, int]:
    """The settings of a pooling and the size of its outputs: window height and width, stride, H_out, W_out.

    Raise ValueError unless x is (N, C, H, W) and the windows tile.
    """
    check_spatial(x)
    HH, WW, stride = (check_whole(pool_param, name, 1) for name in ("pool_height", "pool_width", "stride"))
    H_out, W_out = (
        steps("windows", what, size, window, stride)
        for what, size, window in zip(("height", "width"), x.shape[2:], (HH, WW), strict=True)
    )
    return HH, WW, stride, H_out, W_out


def check_whole(param: dict, name: str, least: int) -> int:
    """The setting `name`. Raise ValueError unless it is a whole number and not below `least`."""
    value = param.get(name)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}, got {value!r}")
    return int(value)


def steps(things: str, what: str, size: int, window: int, stride: int) -> int:
    """How many windows fit side by side. Raise ValueError when there is none, or some pixels remain."""
    if window > size:
        raise ValueError(
            f"{things} of {what} {window} do not fit into images of {what} {size}, border included"
        )
    if (size - window) % stride:
        raise ValueError(
            f"{things} of {what} {window} do not tile images of {what} {size}, border included, with stride "
            f"{stride}: {size} - {window} is not a multiple of {stride}"
        )
    return 1 + (size - window) // stride
