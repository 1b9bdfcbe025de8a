"""Take everything active out of what a student wrote, before a grader's browser or a feedback page shows it.

A browser runs scripts, event handlers, `javascript:` links, frames, forms, style sheets, SVG and refreshing
pages. None of them is needed to show an answer or a plot, so only plain text mark-up, links to web pages and
pictures that are in the notebook itself stay. bleach decides what is plain.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

import bleach
from bs4 import BeautifulSoup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from .reading import note

_PLAIN = (
    "br caption dd del div dl dt h1 h2 h3 h4 h5 h6 hr img ins kbd p pre q s samp small span sub sup table"
)
_TAGS = bleach.ALLOWED_TAGS | {*_PLAIN.split(), "tbody", "td", "tfoot", "th", "thead", "tr", "u"}
_NO_TEXT = ["script", "style", "iframe", "object", "embed", "noscript", "template", "title", "svg", "math"]
MAX_MARKDOWN_CELL = 20_000  # characters; beyond, the renderer can take seconds
MAX_MARKDOWN = 200_000  # characters of all cells of a notebook

_PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+")


class RemoveActiveContent(NbGraderPreprocessor):
    """Clean the cells and outputs of a submission; what is word for word the release's stays as it is."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        left, cleaned = MAX_MARKDOWN, 0
        for cell in nb.cells:
            if cell.cell_type == "code":
                for output in cell.outputs:
                    _clean_output(output)
            elif cell.source not in resources["handgrad_released"]:
                left -= len(cell.source)
                plain = cell.cell_type == "raw" or left < 0
                source = verbatim(cell.source) if plain else markdown(cell.source, cell.get("attachments"))
                cleaned += source != cell.source
                cell.source, cell.cell_type = source, "markdown"
        if cleaned:
            cells = "one text cell" if cleaned == 1 else f"{cleaned} text cells"
            nb.cells.insert(0, note([f"HTML that pages do not show was taken out of {cells}."]))
        return nb, resources


def _clean_output(output: NotebookNode) -> None:
    data = output.get("data", {})
    if "text/html" in data:
        data["text/html"] = html(data["text/html"])
    if "text/markdown" in data:
        data["text/markdown"] = markdown(data["text/markdown"])
    if "text/latex" in data:
        data["text/latex"] = data["text/latex"].replace("<", r"\lt ")


def html(text: str) -> str:
    """HTML without anything active: what is not allowed goes, its text stays if it was there to be read."""
    soup = BeautifulSoup(text, "html.parser")
    for element in soup(_NO_TEXT):
        element.decompose()
    return bleach.clean(
        str(soup), tags=_TAGS, attributes=_allowed, protocols={"http", "https", "mailto", "data"}, strip=True
    )


def markdown(text: str, attachments: dict[str, Any] | None = None) -> str:
    """Markdown as it is if it renders to nothing but plain mark-up, otherwise the cleaned HTML of it."""
    if len(text) > MAX_MARKDOWN_CELL:
        return verbatim(text)
    try:
        page = _render(text, attachments, _Plain)
        cleaned = html(_render(text, attachments, _Usual))
        if page == _render(text, attachments, _Usual) and _addresses(page) == _addresses(cleaned):
            return text
        block = f"<div>{_inert(cleaned)}</div>"
        return block if _render(block, None, _Usual).strip() == block else verbatim(text)
    except Exception:  # the renderer gives up on some texts, and would again in the grader's page
        return verbatim(text)


def verbatim(text: str) -> str:
    """A markdown cell that shows a text as it was typed."""
    return f"<pre>{_inert(escape(text))}</pre>"


def _inert(page: str) -> str:
    """HTML on one line without the signs of mathematics: markdown takes it for one block of HTML."""
    return page.replace("\r", "").replace("\n", "&#10;").replace("$", "&#36;").replace("\\", "&#92;")


class _Usual(IPythonRenderer):
    """What nbconvert makes of markdown in the formgrader and in feedback."""

    def __init__(self, attachments: dict[str, Any] | None):
        super().__init__(escape=False, attachments=attachments)


class _Plain(IPythonRenderer):
    """The same with all HTML in the text escaped."""

    def __init__(self, attachments: dict[str, Any] | None):
        super().__init__(escape=True, attachments=attachments)

    def block_mermaidjs(self, code: str) -> str:
        return super().block_mermaidjs(escape(code))


def _render(text: str, attachments: dict[str, Any] | None, renderer: type[IPythonRenderer]) -> str:
    return MarkdownWithMath(renderer=renderer(attachments)).render(text)


def _addresses(page: str) -> list[str | None]:
    """All that a page links to or loads."""
    return [tag.get("href") or tag.get("src") for tag in BeautifulSoup(page, "html.parser")(["a", "img"])]


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img":
        return name in ("alt", "title") or (name == "src" and _PICTURE.fullmatch(value) is not None)
    if tag == "a":
        return name == "title" or (name == "href" and not value.lower().strip().startswith("data:"))
    return tag in ("td", "th") and name in ("colspan", "rowspan")
