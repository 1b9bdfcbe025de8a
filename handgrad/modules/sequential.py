"""Modules one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .._files import write_arrays
from ..layers._validate import check_float_array
from .module import Module, Parameter

PREFIX = "parameter_"  # of the parameters' names in files


class Sequential(Module):
    """A network: the output of each module is the input of the next.

    net = Sequential([Linear(3072, 50), ReLU(), Linear(50, 10), Softmax()])
    """

    def __init__(self, modules: Sequence[Module]) -> None:
        """Keep the modules.

        Args:
            modules: at least one, from input to output.
        Raises:
            ValueError: there is none, or something is not a module.
        """
        super().__init__()
        if len(modules) == 0:
            raise ValueError("Sequential needs at least one module, got none")
        for module in modules:
            if not isinstance(module, Module):
                raise ValueError(f"Sequential takes modules, such as ReLU(), got {module!r}")
        self.modules = list(modules)

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of all modules, from the first module to the last."""
        return [parameter for module in self.modules for parameter in module.parameters]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Pass x through all modules.

        Args:
            x: (N, d_1, ..., d_k) what the first module takes.
        Returns:
            out: what the last module gives.
        Raises:
            ValueError: x is not a floating-point array, or a module refuses its input.
        """
        check_float_array("x", x)
        # Your task: pass x through self.modules.
        ### BEGIN SOLUTION (a3)
        for module in self.modules:
            x = module.forward(x)
        return x
        ### END SOLUTION

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """Pass the gradient back through all modules, which set the gradients of their parameters.

        Args:
            dout: gradient of the loss with respect to the output.
        Returns:
            dx: (N, d_1, ..., d_k) gradient with respect to x, in the shape of x.
        Raises:
            ValueError: dout has another shape than the output, or no forward pass came before.
        """
        check_float_array("dout", dout)
        # Your task: pass dout through self.modules. In which order?
        ### BEGIN SOLUTION (a3)
        for module in reversed(self.modules):
            dout = module.backward(dout)
        return dout
        ### END SOLUTION

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class with the highest output, for each example.

        Args:
            x: (N, d_1, ..., d_k) examples.
        Returns:
            labels: (N,) integers from 0 to C - 1.
        """
        # Your task: compute labels.
        ### BEGIN SOLUTION (a3)
        return self.forward(x).argmax(axis=1)
        ### END SOLUTION

    def save(self, path: str | Path, **extra: np.ndarray) -> None:
        """Write the parameters to a `.npz` file, and beside them any extra arrays.

        Args:
            path: the file, ending in .npz.
            extra: arrays, numbers or strings to keep with the parameters, such as mean_image.
        Raises:
            ValueError: an extra's name starts with "parameter_", or it is not plain data.
        """
        if clash := [name for name in extra if name.startswith(PREFIX)]:
            raise ValueError(f"{clash} are names of parameters; give the extra arrays other names")
        write_arrays(path, {name: parameter.value for name, parameter in self._named().items()}, extra)

    def load(self, path: str | Path) -> dict[str, np.ndarray]:
        """Read parameters that `save` wrote into a network built alike. The network keeps its dtype.

        Args:
            path: the file.
        Returns:
            the extra arrays of the file, by name.
        Raises:
            ValueError: the file holds other parameters, or parameters of other shapes; nothing is changed.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        own = self._named()
        stored = {name for name in arrays if name.startswith(PREFIX)}
        if stored != own.keys():
            raise ValueError(
                f"{path} holds {len(stored)} parameters ({', '.join(sorted(stored)) or 'none'}), "
                f"but the network has {len(own)} ({', '.join(own) or 'none'})"
            )
        for name, parameter in own.items():
            if arrays[name].shape != parameter.value.shape:
                raise ValueError(
                    f"{name} must have shape {parameter.value.shape}, got {arrays[name].shape} in {path}"
                )
        for name, parameter in own.items():
            parameter.value = arrays.pop(name).astype(parameter.value.dtype)
        return arrays

    def _named(self) -> dict[str, Parameter]:
        """parameter_0_weight, parameter_1_bias, ...: all parameters by names of their own."""
        return {f"{PREFIX}{i}_{parameter.name}": parameter for i, parameter in enumerate(self.parameters)}
