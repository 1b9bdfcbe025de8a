"""Layers: each `x_forward` with the `x_backward` that is its gradient."""

from .activations import relu_backward, relu_forward
from .affine import affine_backward, affine_forward
from .losses import softmax_loss, svm_loss

__all__ = [
    "affine_backward",
    "affine_forward",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
    "svm_loss",
]
