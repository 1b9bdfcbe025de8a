"""Layers: each `x_forward` with the `x_backward` that is its gradient."""

from .activations import (
    leaky_relu_backward,
    leaky_relu_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    swish_backward,
    swish_forward,
)
from .affine import affine_backward, affine_forward
from .losses import softmax_loss, svm_loss

__all__ = [
    "affine_backward",
    "affine_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "relu_backward",
    "relu_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax_loss",
    "svm_loss",
    "swish_backward",
    "swish_forward",
]
