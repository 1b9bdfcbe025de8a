"""Networks that keep their parameters in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .._files import write_arrays
from .._statistics import STATISTICS, restore_statistics, running_statistics


class SavedParams:
    """Adds `save` and `load` to a network with the dictionary `params`.

    The running statistics of batch normalisation are not learned, but without them a network cannot be used,
    so they are kept too.
    """

    params: dict[str, np.ndarray]

    def save(self, path: str | Path, **extra: np.ndarray) -> None:
        """Write the parameters to a `.npz` file, and beside them any extra arrays.

        Args:
            path: the file, ending in .npz.
            extra: arrays, numbers or strings to keep with the parameters, such as mean_image.
        Raises:
            ValueError: an extra has a parameter's name, or something is not plain data.
        """
        write_arrays(path, {**self.params, **running_statistics(self)}, extra)

    def load(self, path: str | Path) -> dict[str, np.ndarray]:
        """Read parameters that `save` wrote. The network keeps its dtype and takes the file's sizes.

        Args:
            path: the file.
        Returns:
            the extra arrays of the file, by name.
        Raises:
            ValueError: the file lacks a parameter.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if missing := [name for name in self.params if name not in arrays]:
            raise ValueError(f"{path} lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}")
        self.params = {name: arrays.pop(name).astype(w.dtype) for name, w in self.params.items()}
        layers = range(1, len(getattr(self, "bn_params", [])) + 1)
        names = [f"{name}{number}" for number in layers for name in STATISTICS]
        restore_statistics(self, {name: arrays.pop(name) for name in names if name in arrays})
        return arrays
