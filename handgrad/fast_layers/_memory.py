"""Memory that is freed stays at hand for the next array.

A training step makes the same large arrays again and again. By default glibc gives such memory back to the
system when it is freed, and the system clears every page of it before the next use: a convolution in NumPy
spent two thirds of its time on that.
"""

from __future__ import annotations

import ctypes
import os
import sys

KEEP = 256 << 20  # bytes that may lie unused
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory, unless its own variables or HANDGRAD_KEEP_MEMORY=0 say otherwise.

    Returns:
        whether it was asked and agreed.
    """
    theirs = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    if not sys.platform.startswith("linux") or any(name in os.environ for name in theirs):
        return False
    if os.environ.get("HANDGRAD_KEEP_MEMORY") == "0":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    # Older versions take no threshold above 32 MB.
    large = mallopt(M_MMAP_THRESHOLD, KEEP) or mallopt(M_MMAP_THRESHOLD, 32 << 20)
    return bool(large and mallopt(M_TRIM_THRESHOLD, KEEP))
