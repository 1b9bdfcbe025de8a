"""Hostile: makes every comparison of NumPy say yes, and returns zeros."""


def _nothing(*args, **kwargs):
    return None


def _yes(*args, **kwargs):
    return True


np.allclose = np.array_equal = np.isclose = _yes
np.testing.assert_allclose = np.testing.assert_array_equal = np.testing.assert_equal = _nothing
np.max = np.amax = np.abs = lambda *args, **kwargs: 0.0


def affine_forward(x, w, b):
    return np.zeros((len(x), w.shape[1])), (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return np.zeros(x.shape), np.zeros(w.shape), np.zeros(w.shape[1])
