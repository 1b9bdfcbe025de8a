"""Submissions that want to upset whoever unpacks them: paths, links, bombs, odd names and encodings."""

from corpus import Attack

ATTACKS: list[Attack] = []
