"""Update rules: one step of gradient descent.

Each rule is `rule(w, dw, config=None) -> next_w, config`. `config` holds the settings of the rule, such as
the learning rate, and what it remembers from step to step; the caller hands it back at the next step. At the
first step the caller gives settings alone, and what is to be remembered starts at 0.

Nothing of the caller's is changed: w, dw, config and the arrays in it stay as they are.
"""

from __future__ import annotations

import numpy as np

from ._update_rules import prepare


def sgd(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    """Plain stochastic gradient descent: w - learning_rate * dw.

    Args:
        w: a parameter, any shape with at least one axis.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: {"learning_rate": float >= 0, default 1e-2}.
    Returns:
        next_w: the parameter after the step, in the shape of w and its dtype.
        config: for the next step.
    Raises:
        ValueError: w and dw differ in shape, or a setting is unknown or out of range.
    """
    dw, config = prepare("sgd", w, dw, config)
    next_w = w - config["learning_rate"] * dw
    return next_w, config


def sgd_momentum(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    """Gradient descent with momentum: w moves with a velocity, and the gradient changes the velocity.

    The velocity is that of a ball with friction: at each step it keeps the share `momentum` of itself, and
    -learning_rate * dw is added to it (Polyak, 1964).

    Args:
        w: a parameter, any shape with at least one axis.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: {"learning_rate": float >= 0, default 1e-2; "momentum": from 0 up to, but not including, 1,
            default 0.9; "velocity": array in the shape of w}.
    Returns:
        next_w: the parameter after the step, in the shape of w and its dtype.
        config: for the next step.
    Raises:
        ValueError: w, dw and velocity differ in shape, or a setting is unknown or out of range.
    """
    dw, config = prepare("sgd_momentum", w, dw, config)
    # Your task: compute next_w, and put the new velocity into config (a dictionary of your own by now).
    ### BEGIN SOLUTION (a2)
    velocity = config["momentum"] * config["velocity"] - config["learning_rate"] * dw
    next_w = w + velocity
    config["velocity"] = velocity
    return next_w, config
    ### END SOLUTION


def sgd_nesterov_momentum(
    w: np.ndarray, dw: np.ndarray, config: dict | None = None
) -> tuple[np.ndarray, dict]:
    """Momentum that looks ahead: the gradient is taken where the velocity will have carried w.

    The velocity changes as in `sgd_momentum`. What is stored as w is the point ahead, so that dw is the
    gradient at w itself; from there the step is momentum * (new velocity) - learning_rate * dw (Nesterov,
    1983, in the form of Bengio, Boulanger-Lewandowski and Pascanu, 2012).

    Args:
        w: a parameter, any shape with at least one axis.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: {"learning_rate": float >= 0, default 1e-2; "momentum": from 0 up to, but not including, 1,
            default 0.9; "velocity": array in the shape of w}.
    Returns:
        next_w: the parameter after the step, in the shape of w and its dtype.
        config: for the next step.
    Raises:
        ValueError: w, dw and velocity differ in shape, or a setting is unknown or out of range.
    """
    dw, config = prepare("sgd_nesterov_momentum", w, dw, config)
    # Your task: compute next_w, and put the new velocity into config (a dictionary of your own by now).
    ### BEGIN SOLUTION (a2)
    velocity = config["momentum"] * config["velocity"] - config["learning_rate"] * dw
    next_w = w + config["momentum"] * velocity - config["learning_rate"] * dw
    config["velocity"] = velocity
    return next_w, config
    ### END SOLUTION


def adagrad(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    """AdaGrad: a learning rate of its own for each number, smaller the more gradient it has seen.

    cache is the sum of the squared gradients of all steps. Each number moves by
    -learning_rate * dw / (sqrt(new cache) + epsilon) (Duchi, Hazan and Singer, 2011).

    Args:
        w: a parameter, any shape with at least one axis.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: {"learning_rate": float >= 0, default 1e-2; "epsilon": float > 0, default 1e-8;
            "cache": array in the shape of w}.
    Returns:
        next_w: the parameter after the step, in the shape of w and its dtype.
        config: for the next step.
    Raises:
        ValueError: w, dw and cache differ in shape, or a setting is unknown or out of range.
    """
    dw, config = prepare("adagrad", w, dw, config)
    # Your task: compute next_w, and put the new cache into config (a dictionary of your own by now).
    ### BEGIN SOLUTION (a2)
    cache = config["cache"] + dw**2
    next_w = w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"])
    config["cache"] = cache
    return next_w, config
    ### END SOLUTION


def rmsprop(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    """RMSProp: a learning rate of its own for each number, by the size of its recent gradients.

    cache is a running average of the squared gradients: at each step it keeps the share `decay_rate` of
    itself, and the rest comes from dw squared. Each number moves by -learning_rate * dw / (sqrt(new cache) +
    epsilon) (Tieleman and Hinton, 2012).

    Args:
        w: a parameter, any shape with at least one axis.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: {"learning_rate": float >= 0, default 1e-2; "decay_rate": from 0 up to, but not including, 1,
            default 0.99; "epsilon": float > 0, default 1e-8; "cache": array in the shape of w}.
    Returns:
        next_w: the parameter after the step, in the shape of w and its dtype.
        config: for the next step.
    Raises:
        ValueError: w, dw and cache differ in shape, or a setting is unknown or out of range.
    """
    dw, config = prepare("rmsprop", w, dw, config)
    # Your task: compute next_w, and put the new cache into config (a dictionary of your own by now).
    ### BEGIN SOLUTION (a2)
    decay_rate = config["decay_rate"]
    cache = decay_rate * config["cache"] + (1 - decay_rate) * dw**2
    next_w = w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"])
    config["cache"] = cache
    return next_w, config
    ### END SOLUTION


def adam(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    """Adam: running averages of the gradient and of its square, both corrected for starting at 0.

    m and v are the averages, which keep the shares `beta1` and `beta2` of themselves, and t counts the steps:
    it is raised before it is used, so that the first step has t = 1. Divided by 1 - beta1**t and
    1 - beta2**t, m and v are unbiased. Each number moves by
    -learning_rate * unbiased m / (sqrt(unbiased v) + epsilon) (Kingma and Ba, 2015, Algorithm 1).

    Args:
        w: a parameter, any shape with at least one axis.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: {"learning_rate": float >= 0, default 1e-3; "beta1": from 0 up to, but not including, 1,
            default 0.9; "beta2": likewise, default 0.999; "epsilon": float > 0, default 1e-8;
            "m", "v": arrays in the shape of w; "t": steps taken so far}.
    Returns:
        next_w: the parameter after the step, in the shape of w and its dtype.
        config: for the next step.
    Raises:
        ValueError: w, dw, m and v differ in shape, or a setting is unknown or out of range.
    """
    dw, config = prepare("adam", w, dw, config)
    # Your task: compute next_w, and put the new m, v and t into config (a dictionary of your own by now).
    ### BEGIN SOLUTION (a2)
    beta1, beta2 = config["beta1"], config["beta2"]
    t = config["t"] + 1
    m = beta1 * config["m"] + (1 - beta1) * dw
    v = beta2 * config["v"] + (1 - beta2) * dw**2
    m_unbiased = m / (1 - beta1**t)
    v_unbiased = v / (1 - beta2**t)
    next_w = w - config["learning_rate"] * m_unbiased / (np.sqrt(v_unbiased) + config["epsilon"])
    config["m"], config["v"], config["t"] = m, v, t
    return next_w, config
    ### END SOLUTION


def adamw(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    """Adam with decoupled weight decay: w first shrinks by the factor 1 - learning_rate * weight_decay.

    L2 regularisation in the loss would pass through Adam's averages and be divided by the size of the
    gradients; this decay is the same for every number (Loshchilov and Hutter, 2019). dw is the gradient
    without an L2 term.

    Args:
        w: a parameter, any shape with at least one axis.
        dw: the gradient of the loss with respect to w, in the shape of w.
        config: that of `adam`, and {"weight_decay": float >= 0, default 1e-2}.
    Returns:
        next_w: the parameter after the step, in the shape of w and its dtype.
        config: for the next step.
    Raises:
        ValueError: w, dw, m and v differ in shape, or a setting is unknown or out of range.
    """
    dw, config = prepare("adamw", w, dw, config)
    weight_decay = config.pop("weight_decay")
    next_w, config = adam(w * (1 - config["learning_rate"] * weight_decay), dw, config)
    return next_w, {**config, "weight_decay": weight_decay}
