"""Fast layers: the same functions as the plain layers, compiled where possible, NumPy otherwise.

`python -m handgrad.fast_layers` prints which backend is in use, and why; `python -m
handgrad.fast_layers.build` compiles one. Environment variables that are read at the import:

- HANDGRAD_BACKEND=numpy or =compiled overrides the choice.
- HANDGRAD_NUM_THREADS, OMP_NUM_THREADS and OPENBLAS_NUM_THREADS limit the threads of the compiled layers.
- HANDGRAD_ISA=plain, =avx2 or =avx512 takes another than the processor's best instruction set.
- HANDGRAD_KEEP_MEMORY=0 leaves the C library's memory settings alone (see `_memory.py`).
"""

import os

from . import numpy_backend
from ._memory import keep_freed_memory

__all__ = ["backend", *numpy_backend.__all__]


def _choose() -> tuple[object, str, str]:
    wish = os.environ.get("HANDGRAD_BACKEND", "")
    if wish not in ("", "numpy", "compiled"):
        raise ValueError(f"HANDGRAD_BACKEND must be 'numpy' or 'compiled', got {wish!r}")
    if wish == "numpy":
        return numpy_backend, "numpy", "HANDGRAD_BACKEND=numpy asks for it"
    try:
        from . import _compiled
    except ImportError as error:
        if wish:
            raise ImportError(
                f"HANDGRAD_BACKEND=compiled, but there is no compiled extension ({error})"
            ) from None
        if isinstance(error, ModuleNotFoundError):
            return numpy_backend, "numpy", "there is no compiled extension"
        return numpy_backend, "numpy", f"the compiled extension does not load ({error})"
    return _compiled, "compiled", "the compiled extension is installed"


keep_freed_memory()
_module, _name, _reason = _choose()
for _function in numpy_backend.__all__:
    globals()[_function] = getattr(_module, _function)


def backend() -> tuple[str, str]:
    """The backend in use, "compiled" or "numpy", and the reason in words."""
    return _name, _reason
