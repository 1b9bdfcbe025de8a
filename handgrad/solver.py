"""The Solver trains a model: it draws batches, updates the parameters and keeps the best ones."""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import optim
from ._files import write_arrays
from ._statistics import restore_statistics, running_statistics

BAR_AFTER = 2.0  # seconds of training before the progress bar appears


class DivergedError(ValueError):
    """The loss is no longer a finite number; the message says what to try."""


class Solver:
    """Train a model with a first-order update rule.

    The model has a dictionary `params` of arrays and a method `loss(X, y=None)`: scores without labels,
    (loss, grads) with them, grads having the keys and shapes of params.

        solver = Solver(model, data, optim_config={"learning_rate": 1e-3}, num_epochs=10)
        solver.train()

    A model with batch normalisation has a dictionary for each such layer in the list `bn_params`; the running
    statistics there are kept and put back together with the parameters.

    After training, `model.params` are the parameters with the best validation accuracy, and the solver has
    `loss_history` (one loss a step), `train_acc_history` and `val_acc_history` (before the first step and
    after each epoch), `best_val_acc` and `best_params`.
    """

    def __init__(
        self,
        model: Any,
        data: dict[str, np.ndarray],
        *,
        update_rule: str | Callable = "sgd",
        optim_config: dict[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int | None = 1000,
        num_val_samples: int | None = None,
        print_every: int = 10,
        verbose: bool = True,
        checkpoint_name: str | Path | None = None,
        seed: int | None = None,
    ) -> None:
        """Get ready to train; nothing is computed yet.

        Args:
            model: see above.
            data: X_train (N, ...), y_train (N,), X_val (N_val, ...), y_val (N_val,).
            update_rule: the name of a function in handgrad.optim, or such a function.
            optim_config: what the update rule is told, such as {"learning_rate": 1e-3}.
            lr_decay: after each epoch the learning rate is multiplied by this.
            batch_size: examples in a step, drawn with replacement.
            num_epochs: passes over the training data.
            num_train_samples: training accuracy is measured on so many random examples; None: on all.
            num_val_samples: validation accuracy likewise.
            print_every: a line with the loss after so many steps.
            verbose: False prints nothing and shows no progress bar.
            checkpoint_name: after each epoch write <checkpoint_name>_epoch_<epoch>.npz; `resume` reads it.
            seed: with a seed, the same batches are drawn every time.
        Raises:
            ValueError: an argument is out of range, or the data are incomplete or do not fit together.
        """
        _check_data(data)
        if isinstance(update_rule, str):
            rule = getattr(optim, update_rule, None)
            if update_rule.startswith("_") or not callable(rule):
                raise ValueError(f"update_rule must be a function of handgrad.optim, got {update_rule!r}")
            update_rule = rule
        for name, value in {"batch_size": batch_size, "print_every": print_every}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if num_epochs < 0:
            raise ValueError(f"num_epochs must not be negative, got {num_epochs}")

        self.model = model
        self.X_train, self.y_train = data["X_train"], data["y_train"]
        self.X_val, self.y_val = data["X_val"], data["y_val"]
        self.update_rule = update_rule
        self.optim_config = dict(optim_config or {})
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.num_train_samples = num_train_samples
        self.num_val_samples = num_val_samples
        self.print_every = print_every
        self.verbose = verbose
        self.checkpoint_name = checkpoint_name
        self.rng = np.random.default_rng(seed)

        self.epoch = 0
        self.best_val_acc = 0.0
        self.best_params: dict[str, np.ndarray] = {}
        self.best_statistics: dict[str, np.ndarray] = {}
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.optim_configs = {name: copy.deepcopy(self.optim_config) for name in model.params}

    def train(self) -> None:
        """Train until `num_epochs` epochs are done, then put the best parameters into the model.

        Raises:
            DivergedError: the loss is not a finite number any more (a ValueError).
        """
        steps_per_epoch = max(len(self.X_train) // self.batch_size, 1)
        total = self.num_epochs * steps_per_epoch
        started = time.monotonic()
        bar = None
        try:
            if self.epoch == 0 and not self.val_acc_history:
                self._end_of_epoch(bar)
            for step in range(self.epoch * steps_per_epoch, total):
                loss = self._step()
                if self.verbose and bar is None and time.monotonic() - started > BAR_AFTER:
                    bar = _progress_bar(total, step)
                if bar is not None:
                    bar.update()
                if step % self.print_every == 0:
                    self._say(f"(Step {step + 1} / {total}) loss: {loss:f}", bar)
                if (step + 1) % steps_per_epoch == 0:
                    self.epoch += 1
                    for config in self.optim_configs.values():
                        if "learning_rate" in config:
                            config["learning_rate"] *= self.lr_decay
                    self._end_of_epoch(bar)
        finally:
            if bar is not None:
                bar.close()
        self.model.params = {name: value.copy() for name, value in self.best_params.items()}
        restore_statistics(self.model, self.best_statistics)

    def check_accuracy(
        self, X: np.ndarray, y: np.ndarray, num_samples: int | None = None, batch_size: int = 100
    ) -> float:
        """Share of the examples, between 0 and 1, whose highest score is that of their label.

        Args:
            X: (N, ...) examples.
            y: (N,) labels.
            num_samples: measure on so many random examples; None: on all.
            batch_size: examples scored at a time, to save memory.
        """
        if num_samples is not None and num_samples < len(X):
            chosen = self.rng.choice(len(X), num_samples, replace=False)
            X, y = X[chosen], y[chosen]
        correct = 0
        for start in range(0, len(X), batch_size):
            scores = self.model.loss(X[start : start + batch_size])
            correct += int(np.sum(np.argmax(scores, axis=1) == y[start : start + batch_size]))
        return correct / len(X)

    def resume(self, path: str | Path) -> None:
        """Take up training where a checkpoint left off; `train` then does the epochs that remain.

        Args:
            path: a file that a solver with `checkpoint_name` wrote, for the same model and settings.
        Raises:
            ValueError: the checkpoint is of a model with other parameters.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        state = json.loads(str(arrays.pop("state")))
        stored = _unpack(arrays)
        expected = {name: value.shape for name, value in self.model.params.items()}
        received = {name: value.shape for name, value in stored["params"].items()}
        if received != expected:
            raise ValueError(f"{path} holds parameters {received}, but the model has {expected}")
        self.model.params = stored["params"]
        self.best_params = stored.get("best_params", {})
        self.best_statistics = stored.get("best_statistics", {})
        restore_statistics(self.model, stored.get("statistics", {}))
        for name, config in self.optim_configs.items():
            config.update(state["optim_configs"][name])
            config.update(stored.get(f"optim_{name}", {}))
        self.rng.bit_generator.state = state["rng"]
        for name in _PLAIN_STATE:
            setattr(self, name, state[name])

    def _step(self) -> float:
        """One update of all parameters; returns the loss of the batch before it."""
        chosen = self.rng.integers(len(self.X_train), size=self.batch_size)
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is reported below
            loss, grads = self.model.loss(self.X_train[chosen], self.y_train[chosen])
            loss = float(loss)
            self.loss_history.append(loss)
            if not np.isfinite(loss):
                raise DivergedError(self._divergence())
            if grads.keys() != self.model.params.keys():
                raise ValueError(
                    f"loss() gave gradients of {sorted(grads)}, expected {sorted(self.model.params)}"
                )
            for name, w in self.model.params.items():
                next_w, next_config = self.update_rule(w, grads[name], self.optim_configs[name])
                self.model.params[name] = next_w
                self.optim_configs[name] = next_config
        return loss

    def _divergence(self) -> str:
        rate = next(iter(self.optim_configs.values()), {}).get("learning_rate")
        advice = (
            f"The learning rate {rate:g} may be too high: try {rate / 10:g}."
            if rate
            else "Try smaller steps."
        )
        where = f"step {len(self.loss_history)}, in epoch {self.epoch + 1} of {self.num_epochs}"
        return (
            f"The loss became {self.loss_history[-1]} at {where}. {advice} "
            "If that does not help, check the gradients and the data for NaN."
        )

    def _end_of_epoch(self, bar: Any) -> None:
        """Measure, remember the best parameters, write a checkpoint."""
        with np.errstate(over="ignore", invalid="ignore"):
            train_acc = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
            val_acc = self.check_accuracy(self.X_val, self.y_val, self.num_val_samples)
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        self._say(
            f"(Epoch {self.epoch} / {self.num_epochs}) train acc: {train_acc:f}; val acc: {val_acc:f}", bar
        )
        if not self.best_params or val_acc > self.best_val_acc:
            self.best_val_acc = val_acc
            self.best_params = {name: value.copy() for name, value in self.model.params.items()}
            self.best_statistics = running_statistics(self.model)
        if self.checkpoint_name is not None and self.epoch > 0:
            self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        path = Path(f"{self.checkpoint_name}_epoch_{self.epoch}.npz")
        groups = {
            "params": self.model.params,
            "best_params": self.best_params,
            "statistics": running_statistics(self.model),
            "best_statistics": self.best_statistics,
        }
        arrays = {
            f"{group}/{name}": value for group, members in groups.items() for name, value in members.items()
        }
        plain: dict[str, dict] = {}
        for name, config in self.optim_configs.items():
            plain[name] = {key: value for key, value in config.items() if not isinstance(value, np.ndarray)}
            arrays |= {
                f"optim_{name}/{key}": value for key, value in config.items() if key not in plain[name]
            }
        state = {name: getattr(self, name) for name in _PLAIN_STATE}
        state |= {"optim_configs": plain, "rng": self.rng.bit_generator.state}
        write_arrays(path, arrays, {"state": json.dumps(state, default=float)})
        self._say(f"Saved {path}", None)

    def _say(self, text: str, bar: Any) -> None:
        if not self.verbose:
            return
        if bar is None:
            print(text)
        else:
            bar.write(text, file=sys.stdout)


_PLAIN_STATE = ("epoch", "best_val_acc", "loss_history", "train_acc_history", "val_acc_history")


def _progress_bar(total: int, done: int) -> Any:
    from tqdm import tqdm  # not before it is needed: most trainings in a notebook end within two seconds

    return tqdm(total=total, initial=done, unit="step", file=sys.stdout, leave=False, mininterval=0.5)


def _unpack(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """{"a/b": x} -> {"a": {"b": x}}"""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        group, name = key.split("/", 1)
        groups.setdefault(group, {})[name] = value
    return groups


def _check_data(data: dict[str, np.ndarray]) -> None:
    needed = ("X_train", "y_train", "X_val", "y_val")
    if missing := [name for name in needed if name not in data]:
        raise ValueError(f"data lacks {', '.join(missing)}; it has {', '.join(data) or 'nothing'}")
    for split in ("train", "val"):
        X, y = np.asarray(data[f"X_{split}"]), np.asarray(data[f"y_{split}"])
        if len(X) == 0 or y.shape != (len(X),):
            raise ValueError(
                f"X_{split} and y_{split} must hold the same number of examples, at least one; "
                f"got shapes {X.shape} and {y.shape}"
            )
        if not np.issubdtype(y.dtype, np.integer):
            raise ValueError(f"y_{split} must hold integer labels, got dtype {y.dtype}")
    train, val = data["X_train"].shape[1:], data["X_val"].shape[1:]
    if train != val:
        raise ValueError(f"training and validation examples must have one shape, got {train} and {val}")
