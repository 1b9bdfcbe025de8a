"""Submissions that want to see what is not their own."""

from corpus import Attack

ATTACKS: list[Attack] = []
