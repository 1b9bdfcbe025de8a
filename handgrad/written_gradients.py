"""Losses whose gradients are first derived on paper, and then written as code."""

from __future__ import annotations

import numpy as np

from .layers import swish_backward, swish_forward
from .layers._validate import check_autoencoder, check_two_layers


def autoencoder_loss(W: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
    """How badly an autoencoder with tied weights restores x: L = 1/2 ||W.T W x - x||**2.

    W encodes the n numbers of x in m, and W.T decodes them. W is used twice, so two paths lead from it to the
    loss, and their gradients add.

    Args:
        W: (m, n) weights.
        x: (n,) one example.
    Returns:
        loss: a number.
        dW: (m, n) gradient of the loss with respect to W.
    Raises:
        ValueError: the shapes do not fit, or the numbers are not floating-point.
    """
    check_autoencoder(W, x)
    # Your task: compute loss and dW.
    ### BEGIN SOLUTION (a1)
    code = W @ x  # (m,)
    error = W.T @ code - x  # (n,)
    loss = 0.5 * np.sum(error**2)
    dcode = W @ error  # (m,)
    dW = np.outer(code, error)  # the decoder's path: W.T multiplies code
    dW += np.outer(dcode, x)  # the encoder's path: W multiplies x
    return loss, dW
    ### END SOLUTION


def swish_net_loss(
    X: np.ndarray, y: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """Softmax loss of a two-layer network with swish, averaged over the examples, and its gradients.

    For one example x: z1 = W1 x + b1, h1 = swish(z1), z2 = W2 h1 + b2, and z2 holds the scores.

    Args:
        X: (N, D) examples, one a row.
        y: (N,) labels, integers from 0 to C - 1.
        W1: (H, D) weights of the first layer.
        b1: (H,) biases of the first layer.
        W2: (C, H) weights of the second layer.
        b2: (C,) biases of the second layer.
    Returns:
        loss: a number.
        grads: {"W1", "b1", "W2", "b2"}, each the gradient of the loss in the shape of its parameter.
    Raises:
        ValueError: the shapes do not fit, there is no example, a label is out of range, or the numbers are
            not floating-point.
    """
    check_two_layers(X, y, W1, b1, W2, b2)
    # Your task: compute loss and grads with swish_forward and swish_backward. Examples are rows of X, so
    # W1 x + b1 for all of them at once is X W1.T + b1. exp(1000) overflows: what may be subtracted from every
    # score of an example without changing its softmax?
    ### BEGIN SOLUTION (a1)
    N = X.shape[0]
    examples = np.arange(N)
    z1 = X @ W1.T + b1  # (N, H)
    h1, cache = swish_forward(z1)
    z2 = h1 @ W2.T + b2  # (N, C)

    shifted = z2 - z2.max(axis=1, keepdims=True)  # the largest score of each example becomes 0
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)
    loss = -log_probs[examples, y].mean()

    dz2 = np.exp(log_probs)  # the probabilities, ...
    dz2[examples, y] -= 1  # ... minus 1 at the correct class
    dz2 /= N
    dh1 = dz2 @ W2  # (N, H)
    dz1 = swish_backward(dh1, cache)
    grads = {
        "W1": dz1.T @ X,  # (H, N) (N, D) -> (H, D)
        "b1": dz1.sum(axis=0),
        "W2": dz2.T @ h1,  # (C, N) (N, H) -> (C, H)
        "b2": dz2.sum(axis=0),
    }
    return loss, grads
    ### END SOLUTION
