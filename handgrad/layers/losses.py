"""Losses: scores and labels in, the mean loss and its gradient out."""

import numpy as np

from ._validate import check_scores


def softmax_loss(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Cross-entropy of the softmax of the scores, averaged over the examples.

    loss = mean over i of -log(exp(x[i, y[i]]) / sum_j exp(x[i, j]))

    Args:
        x: (N, C) scores; any size, also +-10,000.
        y: (N,) labels, integers from 0 to C - 1.
    Returns:
        loss: a number.
        dx: (N, C) gradient of the loss with respect to x.
    Raises:
        ValueError: the shapes do not fit, there is no example, or a label is out of range.
    """
    check_scores(x, y)
    # Your task: compute loss and dx. exp(1000) overflows: what may be subtracted from every score of an
    # example without changing its softmax?
    ### BEGIN SOLUTION (a1)
    N = x.shape[0]
    examples = np.arange(N)
    shifted = x - x.max(axis=1, keepdims=True)  # the largest score of each example becomes 0
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)
    loss = -log_probs[examples, y].mean()
    dx = np.exp(log_probs)
    dx[examples, y] -= 1
    dx /= N
    return loss, dx
    ### END SOLUTION


def svm_loss(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Multiclass hinge loss with margin 1, averaged over the examples.

    loss = mean over i of sum over j != y[i] of max(0, x[i, j] - x[i, y[i]] + 1)

    Args:
        x: (N, C) scores.
        y: (N,) labels, integers from 0 to C - 1.
    Returns:
        loss: a number.
        dx: (N, C) gradient of the loss with respect to x; a margin of exactly 0 counts as met.
    Raises:
        ValueError: the shapes do not fit, there is no example, or a label is out of range.
    """
    check_scores(x, y)
    # Your task: compute loss and dx. The correct class has no margin to itself.
    ### BEGIN SOLUTION (a1)
    N = x.shape[0]
    examples = np.arange(N)
    correct = x[examples, y][:, np.newaxis]  # (N, 1)
    margins = np.maximum(0, x - correct + 1)  # (N, C)
    margins[examples, y] = 0
    loss = margins.sum() / N
    dx = (margins > 0).astype(x.dtype)  # each violated margin pushes its own score down by 1 ...
    dx[examples, y] -= dx.sum(axis=1)  # ... and the correct score up by 1
    dx /= N
    return loss, dx
    ### END SOLUTION
