"""File names under which browsers, editors and cloud drives save a notebook that had another one."""

from __future__ import annotations

import re

_COPY = re.compile(
    r"^(?:copy|kopie|copie|copia)\s+(?:of|von|de|di)\s+|\s*-?\s*(?:copy|kopie)\s*\d*$", re.IGNORECASE
)
_NUMBER = re.compile(r"\s*[\(\[]\d{1,3}[\)\]]\s*$")
_ENDINGS = (".ipynb", ".txt", ".json", ".zip")


def same_notebook(file: str, name: str) -> bool:
    """Whether a file's name is what becomes of `<name>.ipynb` in downloads: "Copy of ... (1).ipynb.txt"."""
    return file.lower().endswith(_ENDINGS) and _plain(file) == _plain(name)


def _plain(file: str) -> str:
    text, before = file, ""
    while text != before:
        before = text
        for ending in _ENDINGS:
            if text.lower().endswith(ending):
                text = text[: -len(ending)]
        text = _COPY.sub("", _NUMBER.sub("", text)).strip()
    return re.sub(r"[\s_-]+", "_", text).lower()
