"""Submissions that want points for wrong code: patched libraries, lying objects, a forged channel."""

from corpus import Attack, patch

PATCHED_COMPARISONS = """
def _nothing(*args, **kwargs):
    return None


def _yes(*args, **kwargs):
    return True


np.allclose = np.array_equal = np.isclose = _yes
np.testing.assert_allclose = np.testing.assert_array_equal = np.testing.assert_equal = _nothing
np.max = np.amax = np.abs = np.linalg.norm = lambda *args, **kwargs: 0.0


def relu_forward(x):
    return np.zeros(x.shape), x
"""

ATTACKS: list[Attack] = [
    Attack(
        name="numpy-comparisons-say-yes",
        family="forging",
        goal="Makes every comparison of NumPy pass, so that zeros count as right.",
        change=patch(PATCHED_COMPARISONS),
        points={"relu_forward": 0.0, "relu_backward": 2.0},
    ),
]
