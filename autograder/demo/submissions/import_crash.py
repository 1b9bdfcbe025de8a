"""Broken: the process dies while the module is imported."""

import ctypes

ctypes.string_at(0)


def svm_loss(x, y):
    return 0.0, x * 0
