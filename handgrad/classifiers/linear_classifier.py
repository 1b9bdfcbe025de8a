"""Linear classifiers: scores are the examples times one matrix, and the loss says what good scores are."""

from __future__ import annotations

import numpy as np

from ..layers import softmax_loss, svm_loss
from ..layers._validate import check_float_array, check_labels
from ..solver import DivergedError


class LinearClassifier:
    """Scores X @ W with weights W (D, C), trained by stochastic gradient descent.

    There are no biases: give the examples a last column of ones, and the last row of W does their work.
    `W` is None until `train` is called. A subclass says what the loss is.
    """

    def __init__(self) -> None:
        self.W: np.ndarray | None = None

    def train(
        self,
        X: np.ndarray,
        y: np.ndarray,
        learning_rate: float = 1e-3,
        reg: float = 1e-5,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
    ) -> list[float]:
        """Take steps against the gradient of the loss of random batches.

        The first call draws W with np.random, 0.001 times standard normal numbers, for as many classes as the
        largest label tells, and in the dtype of X; a further call goes on with the W there is.

        Args:
            X: (N, D) examples.
            y: (N,) labels, integers from 0.
            learning_rate: length of a step, for each unit of the gradient.
            reg: strength of the L2 regularisation, >= 0.
            num_iters: steps, >= 0.
            batch_size: examples in a step, drawn with replacement, >= 1.
            verbose: print the loss every 100 steps.
        Returns:
            loss_history: the loss of each batch before its step.
        Raises:
            DivergedError: the loss is not a finite number any more (a ValueError).
            ValueError: the shapes do not fit, or a setting is out of range.
        """
        _check_examples(X, self.W)
        check_labels("y", y, len(X), np.iinfo(np.intp).max if self.W is None else self.W.shape[1])
        if batch_size < 1 or num_iters < 0 or not reg >= 0:
            raise ValueError(
                "batch_size must be at least 1, num_iters and reg at least 0, "
                f"got {batch_size}, {num_iters} and {reg}"
            )
        if self.W is None:
            self.W = (0.001 * np.random.randn(X.shape[1], y.max() + 1)).astype(X.dtype)
        loss_history = []
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is reported below
            for step in range(num_iters):
                chosen = np.random.randint(len(X), size=batch_size)
                loss, dW = self.loss(X[chosen], y[chosen], reg)
                if not np.isfinite(loss):
                    raise DivergedError(
                        f"The loss became {loss} at step {step + 1} of {num_iters}. The learning rate "
                        f"{learning_rate:g} may be too high for reg {reg:g}: try {learning_rate / 10:g}. "
                        "If that does not help, check the gradient and the data for NaN."
                    )
                loss_history.append(float(loss))
                self.W = self.W - learning_rate * dW
                if verbose and step % 100 == 0:
                    print(f"step {step} of {num_iters}: loss {loss:f}")
        return loss_history

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the highest score for each example.

        Args:
            X: (N, D) examples.
        Returns:
            y_pred: (N,) labels, int64.
        Raises:
            ValueError: the classifier has not been trained, or the shapes do not fit.
        """
        self._check_trained(X)
        return np.argmax(X @ self.W, axis=1)

    def loss(self, X_batch: np.ndarray, y_batch: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
        """The loss of a batch and its gradient with respect to W; see the subclasses."""
        raise TypeError("LinearClassifier has no loss of its own: use LinearSVM or Softmax")

    def _check_trained(self, X: np.ndarray) -> None:
        if self.W is None:
            raise ValueError(f"this {type(self).__name__} has no weights W yet: call train first")
        _check_examples(X, self.W)


class LinearSVM(LinearClassifier):
    """A linear classifier with the multiclass hinge loss."""

    def loss(self, X_batch: np.ndarray, y_batch: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
        """The hinge loss of a batch, and its gradient.

        loss = SVM loss of the scores + reg * sum of W**2

        Args:
            X_batch: (N, D) examples.
            y_batch: (N,) labels, integers from 0 to C - 1.
            reg: strength of the L2 regularisation; there is no factor 0.5.
        Returns:
            loss: a number.
            dW: (D, C) gradient of the loss with respect to W.
        Raises:
            ValueError: the classifier has no weights yet, the shapes do not fit, or a label is out of range.
        """
        self._check_trained(X_batch)
        # Your task: compute loss and dW with `svm_loss`, which is imported above.
        ### BEGIN SOLUTION (a1)
        loss, dscores = svm_loss(X_batch @ self.W, y_batch)
        loss = loss + reg * np.sum(self.W**2)
        dW = X_batch.T @ dscores + 2 * reg * self.W
        return loss, dW
        ### END SOLUTION


class Softmax(LinearClassifier):
    """A linear classifier with the cross-entropy of the softmax."""

    def loss(self, X_batch: np.ndarray, y_batch: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
        """The softmax loss of a batch, and its gradient.

        loss = softmax loss of the scores + reg * sum of W**2; scores may have any size, also +-10,000

        Args:
            X_batch: (N, D) examples.
            y_batch: (N,) labels, integers from 0 to C - 1.
            reg: strength of the L2 regularisation; there is no factor 0.5.
        Returns:
            loss: a number.
            dW: (D, C) gradient of the loss with respect to W.
        Raises:
            ValueError: the classifier has no weights yet, the shapes do not fit, or a label is out of range.
        """
        self._check_trained(X_batch)
        # Your task: compute loss and dW with `softmax_loss`, which is imported above.
        ### BEGIN SOLUTION (a1)
        loss, dscores = softmax_loss(X_batch @ self.W, y_batch)
        loss = loss + reg * np.sum(self.W**2)
        dW = X_batch.T @ dscores + 2 * reg * self.W
        return loss, dW
        ### END SOLUTION


def _check_examples(X: np.ndarray, W: np.ndarray | None) -> None:
    """Raise ValueError unless X (N, D) are examples, for weights W (D, C) if there are any."""
    check_float_array("X", X)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have shape (N, D) with N >= 1 and D >= 1, got {X.shape}")
    if W is not None and X.shape[1] != W.shape[0]:
        raise ValueError(f"X must have shape (N, {W.shape[0]}) to fit W of shape {W.shape}, got {X.shape}")
