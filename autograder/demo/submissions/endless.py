"""Hostile or unlucky: a loop that never ends."""


def relu_forward(x):
    while True:
        pass
