"""Networks made of layers."""

from .fc_net import TwoLayerNet

__all__ = ["TwoLayerNet"]
