"""A two-layer network in one class: its loss, its gradients, its training and its predictions, all by hand.

Two conventions are in use for how the weights lie in memory and how strong `reg` is:

    convention   W1       W2       loss = mean softmax loss +
    S19          (D, H)   (H, C)         reg * (sum of W1**2 + sum of W2**2)
    UCLA         (H, D)   (C, H)   0.5 * reg * (sum of W1**2 + sum of W2**2)

The mathematics is the same, so it is written once: given code turns the weights of UCLA on their way in and
their gradients on their way out.
"""

from __future__ import annotations

import numpy as np

from ..layers._validate import check_labels
from ..solver import DivergedError
from ._params import SavedParams

TURNED = {"S19": False, "UCLA": True}  # whether the weights are stored transposed
L2_FACTOR = {"S19": 1.0, "UCLA": 0.5}
PRINT_EVERY = 100  # steps
NUM_TRAIN_SAMPLES = 1000  # training accuracy is measured on so many examples


class TwoLayerNet(SavedParams):
    """affine - ReLU - affine - softmax, with L2 regularisation of the weights.

    The parameters are in the dictionary `params`: W1 and W2 in the shapes of the convention, b1 (H,) and
    b2 (C,), for D inputs, H hidden units and C classes.

        net = TwoLayerNet(input_size=3072, hidden_size=50, output_size=10)
        history = net.train(X_train, y_train, X_val, y_val, learning_rate=1e-4)
        accuracy = np.mean(net.predict(X_val) == y_val)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        std: float = 1e-4,
        *,
        convention: str = "S19",
    ) -> None:
        """Draw the weights with np.random, W1 before W2; the biases start at 0.

        Args:
            input_size: D, numbers in an example.
            hidden_size: H, hidden units.
            output_size: C, classes.
            std: standard deviation of the normal distribution the weights are drawn from.
            convention: "S19" or "UCLA", see the top of the module.
        Raises:
            ValueError: there is no such convention, or a size is not a whole number from 1 up.
        """
        if convention not in TURNED:
            raise ValueError(f"convention must be one of {', '.join(TURNED)}, got {convention!r}")
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "output_size": output_size}
        for name, size in sizes.items():
            _check_count(name, size, 1)
        self.convention = convention
        shapes = {"W1": (input_size, hidden_size), "W2": (hidden_size, output_size)}
        self.params: dict[str, np.ndarray] = {}
        for number, size in ((1, hidden_size), (2, output_size)):
            shape = shapes[f"W{number}"]
            self.params[f"W{number}"] = std * np.random.randn(*(shape[::-1] if TURNED[convention] else shape))
            self.params[f"b{number}"] = np.zeros(size)

    def loss(
        self, X: np.ndarray, y: np.ndarray | None = None, reg: float = 0.0
    ) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        """Scores of the examples, or the loss and its gradients.

        Args:
            X: (N, D) examples; read in the dtype of the parameters.
            y: (N,) labels, integers from 0 to C - 1; or None.
            reg: strength of the L2 regularisation.
        Returns:
            without y: (N, C) scores.
            with y: (loss, grads). The loss is that of the convention; grads has the keys and shapes of
                `params`. Biases are not regularised.
        Raises:
            ValueError: X, y and the parameters do not fit together, there is no example, or reg is negative.
        """
        W1, b1, W2, b2 = self._weights()  # W1 (D, H) and W2 (H, C), whatever the convention
        X = np.asarray(X, dtype=W1.dtype)
        _check_examples("X", X, W1.shape[0])
        if y is not None:
            check_labels("y", y, len(X), len(b2))
        _check_number("reg", reg)
        l2 = L2_FACTOR[self.convention] * float(reg)

        # Your task: compute the scores (N, C) from X, W1, b1, W2 and b2.
        ### BEGIN SOLUTION (a1)
        hidden = np.maximum(0, X @ W1 + b1)  # (N, H)
        scores = hidden @ W2 + b2  # (N, C)
        ### END SOLUTION
        if y is None:
            return scores

        # Your task: compute the loss, which is the mean softmax loss of the scores plus the L2 term
        # l2 * (sum of W1**2 + sum of W2**2), and grads, a dictionary with the gradients of W1, b1, W2 and b2
        # in their shapes. exp(1000) overflows: what may be subtracted from every score of an example without
        # changing its softmax?
        ### BEGIN SOLUTION (a1)
        N = len(X)
        examples = np.arange(N)
        shifted = scores - scores.max(axis=1, keepdims=True)  # the largest score of each example becomes 0
        log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (N, C)
        loss = -log_probs[examples, y].mean() + l2 * (np.sum(W1**2) + np.sum(W2**2))

        dscores = np.exp(log_probs)
        dscores[examples, y] -= 1
        dscores /= N
        dhidden = dscores @ W2.T  # (N, H)
        dhidden[hidden <= 0] = 0  # nothing passes a unit that is off
        grads = {
            "W1": X.T @ dhidden + 2 * l2 * W1,
            "b1": dhidden.sum(axis=0),
            "W2": hidden.T @ dscores + 2 * l2 * W2,
            "b2": dscores.sum(axis=0),
        }
        ### END SOLUTION
        if TURNED[self.convention]:
            grads = {name: grad.T for name, grad in grads.items()}  # a bias has one axis: .T leaves it alone
        return loss, grads

    @np.errstate(over="ignore", invalid="ignore")  # a loss that is not finite is reported in words
    def train(
        self,
        X: np.ndarray,
        y: np.ndarray,
        X_val: np.ndarray,
        y_val: np.ndarray,
        learning_rate: float = 1e-3,
        learning_rate_decay: float = 0.95,
        reg: float = 5e-6,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
    ) -> dict[str, list[float]]:
        """Train by stochastic gradient descent; an epoch is max(N // batch_size, 1) steps.

        Args:
            X: (N, D) examples.
            y: (N,) labels, integers from 0 to C - 1.
            X_val: (N_val, D) examples to validate on.
            y_val: (N_val,) their labels.
            learning_rate: of the first epoch.
            learning_rate_decay: after each epoch the learning rate is multiplied by this.
            reg: strength of the L2 regularisation.
            num_iters: steps.
            batch_size: examples in a step, drawn at random; the same one may come twice.
            verbose: print the loss every 100 steps.
        Returns:
            history: {"loss_history": the loss of each step, "train_acc_history" and "val_acc_history": the
                accuracies before the first step and after each epoch, between 0 and 1}. Training accuracy is
                measured on up to 1,000 random training examples, the same ones each time.
        Raises:
            DivergedError: the loss is not a finite number any more (a ValueError).
            ValueError: the data do not fit together, or a setting is out of range.
        """
        self._check_training_data({"X": X, "y": y}, {"X_val": X_val, "y_val": y_val})
        _check_count("num_iters", num_iters, 0)
        _check_count("batch_size", batch_size, 1)
        rates = {"learning_rate": learning_rate, "learning_rate_decay": learning_rate_decay, "reg": reg}
        for name, value in rates.items():
            _check_number(name, value)
        # Python numbers: NumPy's would turn float32 parameters into float64 ones.
        learning_rate, learning_rate_decay = float(learning_rate), float(learning_rate_decay)

        steps_per_epoch = max(len(X) // batch_size, 1)
        sample = np.random.permutation(len(X))[:NUM_TRAIN_SAMPLES]
        history: dict[str, list[float]] = {
            "loss_history": [],
            "train_acc_history": [self._accuracy(X[sample], y[sample])],
            "val_acc_history": [self._accuracy(X_val, y_val)],
        }
        for step in range(1, num_iters + 1):
            # Your task: draw batch_size examples with np.random, with replacement. Put them into X_batch and
            # their labels into y_batch.
            ### BEGIN SOLUTION (a1)
            chosen = np.random.choice(len(X), batch_size)
            X_batch, y_batch = X[chosen], y[chosen]
            ### END SOLUTION
            loss, grads = self.loss(X_batch, y_batch, reg)
            history["loss_history"].append(float(loss))
            if not np.isfinite(loss):
                raise DivergedError(
                    f"The loss became {loss} at step {step} of {num_iters}. "
                    f"The learning rate {learning_rate:g} may be too high: try {learning_rate / 10:g}. "
                    "If that does not help, check the gradients and the data for NaN."
                )
            # Your task: take a step against the gradient, with every parameter in self.params.
            ### BEGIN SOLUTION (a1)
            for name, w in self.params.items():
                self.params[name] = w - learning_rate * grads[name]
            ### END SOLUTION
            if verbose and step % PRINT_EVERY == 0:
                print(f"step {step} / {num_iters}: loss {loss:f}")
            if step % steps_per_epoch == 0:
                history["train_acc_history"].append(self._accuracy(X[sample], y[sample]))
                history["val_acc_history"].append(self._accuracy(X_val, y_val))
                learning_rate *= learning_rate_decay
        return history

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the highest score, for each example.

        Args:
            X: (N, D) examples.
        Returns:
            y_pred: (N,) integers from 0 to C - 1.
        Raises:
            ValueError: X does not fit the parameters, or there is no example.
        """
        # Your task: self.loss gives the scores.
        ### BEGIN SOLUTION (a1)
        y_pred = np.argmax(self.loss(X), axis=1)
        return y_pred
        ### END SOLUTION

    def _weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """W1 (D, H), b1 (H,), W2 (H, C) and b2 (C,), whatever the convention; W1 and W2 may be views."""
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        if TURNED[self.convention]:
            W1, W2 = W1.T, W2.T
        if (W1.ndim, W2.ndim) != (2, 2) or (*W1.shape[1:], *W2.shape) != (*b1.shape, *b1.shape, *b2.shape):
            received = {name: value.shape for name, value in self.params.items()}
            expected = "W1 (H, D), W2 (C, H)" if TURNED[self.convention] else "W1 (D, H), W2 (H, C)"
            raise ValueError(
                f"convention {self.convention!r} needs {expected}, b1 (H,) and b2 (C,), "
                f"got parameters of shapes {received}"
            )
        return W1, b1, W2, b2

    def _accuracy(self, X: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean(self.predict(X) == y))

    def _check_training_data(self, *splits: dict[str, np.ndarray]) -> None:
        W1, _, _, b2 = self._weights()
        for split in splits:
            (name, X), (labels, y) = split.items()
            X = np.asarray(X)
            _check_examples(name, X, W1.shape[0])
            check_labels(labels, y, len(X), len(b2))


def _check_examples(name: str, X: np.ndarray, D: int) -> None:
    if X.ndim != 2 or len(X) == 0 or X.shape[1] != D:
        advice = f"; use {name}.reshape(len({name}), -1)" if X.ndim > 2 else ""
        raise ValueError(f"{name} must have shape (N, {D}), at least one row, got {X.shape}{advice}")


def _check_count(name: str, value: int, least: int) -> None:
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}, got {value!r}")


def _check_number(name: str, value: float) -> None:
    if not isinstance(value, int | float | np.integer | np.floating) or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number, at least 0, got {value!r}")
