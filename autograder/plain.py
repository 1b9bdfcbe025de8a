"""Text of strangers for terminals and spreadsheets, which obey more than letters.

A terminal obeys escape sequences: they recolour and overwrite what was printed, set titles and make links of
any text. Characters that turn the direction of writing make a line read as another one. A spreadsheet takes a
cell that begins with certain signs for a formula.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT = "\n\t\u200c\u200d"  # lines and tabs; joiners, without which some scripts and emoji fall apart
# Signs with which formulas begin, at the start of a cell or behind what separates cells in some countries.
_FORMULA = re.compile(r"(^|[;\t\r\n])(?=[ \u00a0]*[=+\-@＝＋－＠\t\r\n])")


def plain(text: str) -> str:
    """The text with a sign in the place of each character that acts and is not shown."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in _KEPT or _is_shown(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def harmless(text: str) -> str:
    """The same for a cell of a spreadsheet: a leading apostrophe keeps it from being read as a formula."""
    return _FORMULA.sub(r"\1'", plain(text))


class PlainConsole(Console):
    """A console that obeys the program's own commands and none that stand in the texts it prints."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
