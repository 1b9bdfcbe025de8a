"""Hostile: takes memory until there is none, at most 16 GiB."""


def svm_loss(x, y):
    hoard = [np.ones(2**24) for _ in range(128)]
    return float(len(hoard)), x * 0
