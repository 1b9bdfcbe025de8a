"""Take everything active out of what a student wrote, before a grader's browser or a feedback page shows it.

A browser runs scripts, event handlers, `javascript:` links, frames, forms, style sheets, SVG and refreshing
pages. None of them is needed to show an answer or a plot, so only plain text mark-up, links to web pages and
pictures that are in the notebook itself stay. bleach decides what is plain.
"""

from __future__ import annotations

import re
from collections.abc import Set
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

# What in TeX is no mathematics: addresses, styles, marks on the page, boxes that cover what is beside them.
# MathJax's Safe extension, which nbconvert loads, stops most of it; that is not counted on.
_MACRO = re.compile(
    r"\\(href|class|cssId|style|require|unicode|mmlToken|bbox|rule|Rule|Space|raise|lower|moveleft|moveright"
    r"|kern|mkern|hskip|mskip|smash|llap|rlap|mathllap|mathrlap)(?![a-zA-Z])"
)
_PAGES_OWN = {"notebook", "notebook-container", "statusmessage", "toc", "top"}
_ENDS = ("", "-comment", "_extra_credit")  # of the names that the formgrader gives to its fields

_PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+")


class RemoveActiveContent(NbGraderPreprocessor):
    """Clean the cells and outputs of a submission; what is word for word the release's stays as it is."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        left, cleaned = MAX_MARKDOWN, 0
        labels = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
        names = {f"{label}{end}" for label in filter(None, labels) for end in _ENDS} | _PAGES_OWN
        for cell in nb.cells:
            if cell.cell_type == "code":
                for output in cell.outputs:
                    _clean_output(output, names)
            elif cell.source not in resources["handgrad_released"]:
                left -= len(cell.source)
                plain = cell.cell_type == "raw" or left < 0
                source = _shown(cell, names, plain)
                cleaned += source != cell.source
                cell.source, cell.cell_type = source, "markdown"
        if cleaned:
            cells = "one text cell" if cleaned == 1 else f"{cleaned} text cells"
            nb.cells.insert(0, note([f"HTML that pages do not show was taken out of {cells}."]))
        return nb, resources


def _shown(cell: NotebookNode, names: Set[str], plain: bool) -> str:
    return verbatim(cell.source) if plain else markdown(cell.source, cell.get("attachments"), names)


def _clean_output(output: NotebookNode, names: Set[str]) -> None:
    data = output.get("data", {})
    if "text/html" in data:
        data["text/html"] = html(data["text/html"])
    if "text/markdown" in data:
        data["text/markdown"] = markdown(data["text/markdown"], names=names)
    if "text/latex" in data:
        data["text/latex"] = mathematics(data["text/latex"]).replace("<", r"\lt ")


def html(text: str) -> str:
    """HTML without anything active: what is not allowed goes, its text stays if it was there to be read."""
    soup = BeautifulSoup(text, "html.parser")
    for element in soup(_NO_TEXT):
        element.decompose()
    clean = bleach.clean(
        str(soup), tags=_TAGS, attributes=_allowed, protocols={"http", "https", "mailto", "data"}, strip=True
    )
    return mathematics(clean)


def mathematics(text: str) -> str:
    """The text with nothing but mathematics in its TeX: the names of other commands stand there as words."""
    return _MACRO.sub(r"\\text{\1}", text)


def markdown(text: str, attachments: dict[str, Any] | None = None, names: Set[str] = frozenset()) -> str:
    """Markdown as it is if it renders to nothing but plain mark-up, otherwise the cleaned HTML of it.

    Args:
        text: what the student wrote.
        attachments: the cell's pictures.
        names: by which the page knows its own elements. A heading's text becomes its name, and one that is
            called like a question would take that question's place when a grader enters points.
    """
    if len(text) > MAX_MARKDOWN_CELL:
        return verbatim(text)
    try:
        page = _render(text, attachments, _Plain)
        cleaned = html(_render(text, attachments, _Usual))
        harmless = page == _render(text, attachments, _Usual) and _addresses(page) == _addresses(cleaned)
        if harmless and not _MACRO.search(_read_text(page)) and not _takes_a_name(page, names):
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


def _read_text(page: str) -> str:
    """What MathJax reads in a page: all text but code."""
    soup = BeautifulSoup(page, "html.parser")
    for element in soup(["code", "pre"]):
        element.decompose()
    return soup.text


def _takes_a_name(page: str, names: Set[str]) -> bool:
    return any(tag["id"] in names for tag in BeautifulSoup(page, "html.parser")(id=True))


def _addresses(page: str) -> list[str | None]:
    """All that a page links to or loads."""
    return [tag.get("href") or tag.get("src") for tag in BeautifulSoup(page, "html.parser")(["a", "img"])]


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img":
        return name in ("alt", "title") or (name == "src" and _PICTURE.fullmatch(value) is not None)
    if tag == "a":
        return name == "title" or (name == "href" and not value.lower().strip().startswith("data:"))
    return tag in ("td", "th") and name in ("colspan", "rowspan")
