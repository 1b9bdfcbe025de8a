"""Hostile: returns objects that are equal to everything, and arrays of a class that says so too."""


class Equal:
    shape, dtype, ndim, size = (), np.dtype(float), 0, 1

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __lt__(self, other):
        return True

    __le__ = __gt__ = __ge__ = __lt__
    __hash__ = None

    def __sub__(self, other):
        return 0.0

    __rsub__ = __abs__ = __float__ = __sub__

    def __reduce__(self):
        return print, ("unpickled outside the sandbox",)


class EqualArray(np.ndarray):
    def __eq__(self, other):
        return True

    def __array_ufunc__(self, *args, **kwargs):
        return 0.0

    __hash__ = None


def softmax_loss(x, y):
    return Equal(), Equal()


def svm_loss(x, y):
    return 0.0, np.zeros(x.shape).view(EqualArray)
