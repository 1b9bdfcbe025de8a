"""A deep-learning course's NumPy package: layers, networks and optimisers whose gradients students write."""

__version__ = "0.1.0"
