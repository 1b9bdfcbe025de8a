"""Files of arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_arrays(path: str | Path, own: dict[str, np.ndarray], extra: dict[str, Any]) -> None:
    """Write a network's arrays and extra ones to one `.npz` file: whole, or not at all.

    Args:
        path: the file.
        own: the network's arrays by name.
        extra: arrays, numbers or strings to keep beside them.
    Raises:
        ValueError: an extra has the name of one of the network's arrays, or something is not plain data.
    """
    if clash := own.keys() & extra.keys():
        raise ValueError(f"{sorted(clash)} are names of parameters; give the extra arrays other names")
    arrays = {name: np.asarray(value) for name, value in {**own, **extra}.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"{name} must be numbers or a string, got Python objects")
    temporary = Path(f"{path}.part")
    with temporary.open("wb") as file:  # a file of ours: savez would append .npz to another name
        np.savez(file, **arrays)
    temporary.replace(path)
