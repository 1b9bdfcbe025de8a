"""Networks put together from modules: each is an object that knows its forward and its backward pass."""

from .activations import ReLU, Softmax
from .data import DataLoader
from .linear import Linear
from .losses import CrossEntropyLoss
from .module import Module, Parameter
from .optim import SGD
from .sequential import Sequential
from .toy import make_spirals
from .trainer import Trainer, get_classification_accuracy

__all__ = [
    "SGD",
    "CrossEntropyLoss",
    "DataLoader",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Softmax",
    "Trainer",
    "get_classification_accuracy",
    "make_spirals",
]
