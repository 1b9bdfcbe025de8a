"""Submissions that want to harm the machine, or to reach out of it."""

from corpus import Attack

ATTACKS: list[Attack] = []
