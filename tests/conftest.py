"""Fixtures for all tests."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")


@pytest.fixture
def rng():
    """Random numbers that are the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def needs_sandbox():
    """Skips where student code cannot be isolated, and says what is missing."""
    from autograder.sandbox import SandboxUnavailable, check_available

    try:
        check_available()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
