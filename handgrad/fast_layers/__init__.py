"""Fast layers: the same functions as the plain layers, compiled where possible, NumPy otherwise.

The environment variable HANDGRAD_BACKEND=numpy or =compiled, set before the import, overrides the choice.
`python -m handgrad.fast_layers` prints which backend is in use, and why.
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
        return numpy_backend, "numpy", "no compiled extension was built when handgrad was installed"
    return _compiled, "compiled", "the compiled extension is installed"


keep_freed_memory()
_module, _name, _reason = _choose()
for _function in numpy_backend.__all__:
    globals()[_function] = getattr(_module, _function)


def backend() -> tuple[str, str]:
    """The backend in use, "compiled" or "numpy", and the reason in words."""
    return _name, _reason
