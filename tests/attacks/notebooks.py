"""Submissions whose notebook claims points: metadata, labels, outputs, hooks of IPython and of nbgrader."""

from corpus import Attack

ATTACKS: list[Attack] = []
