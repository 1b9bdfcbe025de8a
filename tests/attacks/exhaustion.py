"""Submissions that want to use up what others need: time, memory, processes, disk, descriptors, output."""

from corpus import Attack

ATTACKS: list[Attack] = []
