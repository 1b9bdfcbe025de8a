"""The Trainer: epochs of batches, and the best parameters of them."""

from __future__ import annotations

import numpy as np

from ..solver import DivergedError
from ._validate import check_outputs, check_size
from .data import DataLoader
from .losses import CrossEntropyLoss
from .optim import SGD
from .sequential import Sequential


def get_classification_accuracy(out: np.ndarray, y: np.ndarray) -> float:
    """Share of the examples, between 0 and 1, that are classified right.

    Args:
        out: (N, C) outputs of a network, the highest being its choice; or (N,) chosen labels.
        y: (N,) labels.
    Returns:
        accuracy: a number.
    Raises:
        ValueError: out and y do not fit together, or hold nothing.
    """
    check_outputs(out, y)
    # Your task: compute the accuracy, for outputs as well as for chosen labels.
    ### BEGIN SOLUTION (a3)
    chosen = out.argmax(axis=1) if out.ndim == 2 else out
    return float((chosen == y).mean())
    ### END SOLUTION


class Trainer:
    """Train a network and keep the parameters with the best validation accuracy.

    After training, the network has these, and the trainer has `best_val_acc`, `train_error` and
    `validation_accuracy` (the lists that `train` returns) and `loss_history` (one loss a step).
    """

    def __init__(
        self,
        dataset: DataLoader,
        optim: SGD,
        net: Sequential,
        loss_func: CrossEntropyLoss,
        epoch: int,
        batch_size: int,
        validate_interval: int = 1,
        *,
        verbose: bool = True,
        seed: int | None = None,
    ) -> None:
        """Get ready to train; nothing is computed yet.

        Args:
            dataset: the data.
            optim: changes the parameters of `net`.
            net: the network.
            loss_func: the loss.
            epoch: passes over the training data, at least 1.
            batch_size: examples in a step, at least 1; the last batch of an epoch may be smaller.
            validate_interval: epochs from one measurement to the next, at least 1.
            verbose: False prints nothing.
            seed: with a seed, the batches are the same every time.
        Raises:
            ValueError: a number is not a positive whole number, or optim belongs to another network.
        """
        sizes = {"epoch": epoch, "batch_size": batch_size, "validate_interval": validate_interval}
        for name, value in sizes.items():
            check_size(name, value)
        if optim.net is not net:
            raise ValueError("optim must be made for this net: SGD(net, lr, weight_decay)")
        self.dataset = dataset
        self.optim = optim
        self.net = net
        self.loss_func = loss_func
        self.epoch = epoch
        self.batch_size = batch_size
        self.validate_interval = validate_interval
        self.verbose = verbose
        self.rng = np.random.default_rng(seed)

    def train(self) -> tuple[list[float], list[float]]:
        """Train for all epochs, then put the best parameters into the network.

        A measurement follows every validate_interval epochs and the last epoch, so there are
        ceil(epoch / validate_interval) of them. Training starts from the network's present parameters.

        Returns:
            train_error: for each measurement, the mean training loss of the steps since the one before.
            validation_accuracy: for each measurement, the share of validation examples classified right.
        Raises:
            DivergedError: the loss is not a finite number any more (a ValueError).
        """
        self.train_error: list[float] = []
        self.validation_accuracy: list[float] = []
        self.loss_history: list[float] = []
        self.best_val_acc = -1.0
        best = [parameter.value for parameter in self.net.parameters]
        measured = 0  # steps before the last measurement
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is reported
            for epoch in range(1, self.epoch + 1):
                for x, y in self.dataset.batches(self.batch_size, self.rng):
                    loss = self.step(x, y)
                    self.loss_history.append(loss)
                    if not np.isfinite(loss):
                        raise DivergedError(self._divergence(epoch))
                if epoch % self.validate_interval and epoch < self.epoch:
                    continue
                self.train_error.append(float(np.mean(self.loss_history[measured:])))
                measured = len(self.loss_history)
                out = self.net.forward(self.dataset.x_val)
                val_acc = get_classification_accuracy(out, self.dataset.y_val)
                self.validation_accuracy.append(val_acc)
                if self.verbose:
                    print(
                        f"(Epoch {epoch} / {self.epoch}) train loss: {self.train_error[-1]:f}; "
                        f"val acc: {val_acc:f}"
                    )
                if val_acc > self.best_val_acc:
                    self.best_val_acc = val_acc
                    best = [parameter.value.copy() for parameter in self.net.parameters]
        for parameter, value in zip(self.net.parameters, best, strict=True):
            parameter.value = value
        return self.train_error, self.validation_accuracy

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One update of all parameters.

        Args:
            x: (N, d_1, ..., d_k) a batch of examples.
            y: (N,) their labels.
        Returns:
            loss: the loss of the batch before the update.
        """
        # Your task: forward pass, loss, backward pass, update; with self.net, self.loss_func and self.optim.
        ### BEGIN SOLUTION (a3)
        out = self.net.forward(x)
        loss = self.loss_func.forward(out, y)
        self.net.backward(self.loss_func.backward())
        self.optim.step()
        return loss
        ### END SOLUTION

    def _divergence(self, epoch: int) -> str:
        rate = self.optim.lr
        return (
            f"The loss became {self.loss_history[-1]} at step {len(self.loss_history)}, "
            f"in epoch {epoch} of {self.epoch}. "
            f"The learning rate {rate:g} may be too high: try {rate / 10:g}. "
            "If that does not help, check the gradients and the data for NaN."
        )
