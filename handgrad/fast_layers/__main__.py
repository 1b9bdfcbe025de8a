"""`python -m handgrad.fast_layers`: which backend is in use, and why."""

from . import backend

name, reason = backend()
print(f"handgrad.fast_layers uses the {name} backend: {reason}.")
