"""What the checks of modules share: what lies behind handles, and networks for both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from handgrad.modules import Linear, ReLU, Sequential, Softmax

from .expect import TOLERANCE

LINEAR = "handgrad.modules.linear.Linear"
RELU = "handgrad.modules.activations.ReLU"
SOFTMAX = "handgrad.modules.activations.Softmax"
LOSS = "handgrad.modules.losses.CrossEntropyLoss"
SEQUENTIAL = "handgrad.modules.sequential.Sequential"
SGD = "handgrad.modules.optim.SGD"
DATA = "handgrad.modules.data.DataLoader"
TRAINER = "handgrad.modules.trainer.Trainer"
ACCURACY = "handgrad.modules.trainer.get_classification_accuracy"

LAYERS_FORWARD = [f"{module}.forward" for module in (LINEAR, RELU, SOFTMAX)]
LAYERS = [*LAYERS_FORWARD, *(f"{module}.backward" for module in (LINEAR, RELU, SOFTMAX))]
FRAMEWORK = [
    *LAYERS,
    *(f"{owner}.{name}" for owner in (LOSS, SEQUENTIAL) for name in ("forward", "backward")),
    f"{SGD}.step",
]


def value_of(parameter: Any) -> Any:
    """The array of a parameter; on a handle, plain `.value` is a method of the handle's own."""
    return parameter.__getattr__("value")


def linear(student: Any, w: np.ndarray, b: np.ndarray) -> Any:
    """A student's linear module with these parameters."""
    layer = student.modules.Linear(*w.shape, dtype=str(w.dtype))
    put(layer, w, b)
    return layer


def put(layer: Any, w: np.ndarray, b: np.ndarray) -> None:
    """Replace the parameters of a linear module."""
    layer.weight.value = w
    layer.bias.value = b


def reference_linear(w: np.ndarray, b: np.ndarray) -> Linear:
    """The reference's linear module with these parameters."""
    layer = Linear(*w.shape, dtype=w.dtype)
    layer.weight.value, layer.bias.value = w, b
    return layer


def numbers(value: Any) -> np.ndarray | None:
    """The array, if it is one of finite numbers."""
    array = np.asarray(value) if isinstance(value, int | float | np.ndarray) else None
    return array if array is not None and array.dtype.kind in "fiu" and np.isfinite(array).all() else None


def same(a: Any, b: Any, tolerance: float = TOLERANCE) -> bool:
    """Whether two results are finite numbers and nearly equal."""
    a, b = numbers(a), numbers(b)
    if a is None or b is None or a.size != b.size:
        return False
    a, b = a.astype(float).ravel(), b.astype(float).ravel()
    return bool(np.abs(a - b).max(initial=0) <= tolerance * np.abs(b).max(initial=1e-6))


class Network:
    """Inputs, modules and parameters of a network, for the student's classes and the reference's.

    No hidden unit is within 0.02 of the ReLU's kink, and of each layer's some are on and some off.
    """

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], kinds: list[int | str], N: int = 6):
        self.kinds, self.linear = kinds, [n for n, kind in enumerate(kinds) if isinstance(kind, int)]
        while True:
            self.x = rng.standard_normal((N, *shape))
            self.parameters = {}
            D = int(np.prod(shape))
            for n in self.linear:
                self.parameters[f"weight {n}"] = rng.standard_normal((D, kinds[n])) / np.sqrt(D)
                self.parameters[f"bias {n}"] = 0.5 * rng.standard_normal(kinds[n])
                D = kinds[n]
            self.outputs = D if self.linear else shape[-1]
            h, crooked = self.x, []
            for module, kind in zip(self.reference().modules, kinds, strict=True):
                crooked += [h] if kind == "ReLU" else []
                h = module.forward(h)
            if all(np.abs(h).min() > 0.02 and 0.1 < (h > 0).mean() < 0.9 for h in crooked):
                return

    def reference(self) -> Sequential:
        """The right network."""
        return Sequential(
            [
                reference_linear(*self._of(n))
                if n in self.linear
                else {"ReLU": ReLU, "Softmax": Softmax}[kind]()
                for n, kind in enumerate(self.kinds)
            ]
        )

    def students(self, student: Any) -> tuple[Any, list[Any]]:
        """The student's network, and its modules."""
        modules = [
            linear(student, *self._of(n)) if n in self.linear else getattr(student.modules, kind)()
            for n, kind in enumerate(self.kinds)
        ]
        return student.modules.Sequential(modules), modules

    def put(self, modules: list[Any], parameters: Mapping[str, np.ndarray]) -> None:
        """Replace the parameters of the student's modules."""
        for n in self.linear:
            put(modules[n], parameters[f"weight {n}"], parameters[f"bias {n}"])

    def gradients(self, modules: list[Any]) -> dict[str, Any]:
        """What the last backward pass left in the student's modules or in the reference's."""
        found = {}
        for n in self.linear:
            found[f"weight {n}"], found[f"bias {n}"] = modules[n].weight.grad, modules[n].bias.grad
        return found

    def _of(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        return self.parameters[f"weight {n}"], self.parameters[f"bias {n}"]
