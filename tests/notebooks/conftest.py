"""Fixtures for the tests of notebooks."""

import numpy as np
import pytest

from handgrad import shapes10


@pytest.fixture(scope="session")
def data():
    """A hundred images in place of a notebook's thousands."""
    images, labels = shapes10.generate(100, seed=1)
    X = images.transpose(0, 3, 1, 2).astype(np.float32)
    mean_image = X.mean(axis=0)
    X -= mean_image
    return {
        "X_train": X[:50],
        "y_train": labels[:50],
        "X_val": X[50:],
        "y_val": labels[50:],
        "mean_image": mean_image,
        "dataset": "shapes10",
    }
