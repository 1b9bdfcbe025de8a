"""Nothing that a student wrote acts in a browser, and what is harmless stays as it was written."""

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from payloads import MARKDOWN, PAGES, TEX
from tiny_course import PNG

from autograder.nbgrader.sanitize import html, markdown, mathematics, verbatim

ACTIVE = {"script", "iframe", "object", "embed", "svg", "math", "style", "link", "meta", "base", "form"}
ACTIVE |= {"button", "textarea", "details", "video", "audio", "template", "noscript"}
MARKS = "`|```|$|$$|\\|<|>|<!--|-->|*|<div>|</div>|<pre>|</pre>|[a](|)|![|]|\"|'|&lt;|]: |\t|#|> |- |\n|\n\n"
PIECES = st.sampled_from([*MARKDOWN, *PAGES, *MARKS.split("|"), "|", " ", "    "])


def rendered(text, attachments=None):
    """The HTML that nbconvert makes of a markdown cell, in the formgrader and in feedback."""
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    return BeautifulSoup(MarkdownWithMath(renderer=renderer).render(text), "html.parser")


def active(page):
    """What acts in a page: elements, event handlers, addresses."""
    found = [tag.name for tag in page.find_all() if tag.name in ACTIVE]
    for tag in page.find_all():
        for name, value in tag.attrs.items():
            address = "".join(str(value).split()).lower()
            harmless = address.startswith(
                ("http:", "https:", "mailto:", "#", "data:image/png", "data:image/jpeg")
            )
            if (
                name.startswith("on")
                or name == "srcdoc"
                or (":" in address and name in ("href", "src") and not harmless)
            ):
                found.append(f"{tag.name} {name}={value}")
            if name in ("src", "srcset", "background") and not address.startswith("data:image/"):
                found.append(f"{tag.name} {name}={value}")
            if name == "style" and not address.startswith("text-align:"):
                found.append(f"{tag.name} {name}={value}")
    return found


@pytest.mark.parametrize("text", [*MARKDOWN, *PAGES])
def test_no_payload_in_markdown_stays_active(text):
    assert active(rendered(text)), "this payload does nothing, so it proves nothing"
    assert active(rendered(markdown(text))) == []


@pytest.mark.parametrize("text", PAGES)
def test_no_payload_in_html_stays_active(text):
    assert active(BeautifulSoup(html(text), "html.parser")) == []


@settings(deadline=None, max_examples=100)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_mixture_stays_active(text):
    clean = markdown(text)
    assert active(rendered(clean)) == []
    assert active(rendered(markdown(clean))) == []


@pytest.mark.parametrize(
    "text",
    [
        "plain, **bold**, *slanted*, `a < b && c` and [a page](https://example.org)",
        "> a quote\n\n1. one\n2. two\n\n| a | b |\n|:--|--:|\n| 1 | 2 |",
        "$x < y$ and $$\\sum_{i<n} x_i$$ and \\begin{align}a &< b\\end{align}",
        "```python\nif a < b and c > d:\n    print('<script>')\n```",
        "1 < 2 and 3 > 2 & so on",
        "# Heading\n\n![a plot](attachment:plot.png)",
    ],
)
def test_harmless_markdown_is_not_touched(text):
    assert markdown(text, {"plot.png": {"image/png": PNG}}) == text


def test_harmless_html_in_markdown_keeps_its_look():
    page = rendered(markdown("a<sub>1</sub> and <b>bold</b><br>and $x<y$"))
    assert [tag.name for tag in page.find_all()] == ["div", "p", "sub", "b", "br"]
    assert page.text.strip() == "a1 and boldand $x<y$"


def test_a_table_of_numbers_stays_a_table():
    table = (
        "<style>td{}</style><table class=x><tr><th colspan=2>a</th></tr><tr><td>1</td><td>2</td></tr></table>"
    )
    assert html(table) == (
        '<table><tbody><tr><th colspan="2">a</th></tr><tr><td>1</td><td>2</td></tr></tbody></table>'
    )


@pytest.mark.parametrize("text", ["![gone](attachment:gone.png)", "\\begin{a}" * 20_000, "a\n\n$$b"])
def test_text_shown_verbatim_reads_as_typed(text):
    assert rendered(verbatim(text)).pre.text == text
    assert active(rendered(markdown(text))) == []


def macros(page):
    """Commands that are no mathematics, in the text in which MathJax looks for some."""
    for element in page(["pre", "code"]):
        element.decompose()
    return [
        name for name in ("href", "style", "class", "require", "rule", "raise") if f"\\{name}" in page.text
    ]


@pytest.mark.parametrize("text", TEX)
def test_tex_that_is_no_mathematics_becomes_words(text):
    for clean in (rendered(markdown(text)), BeautifulSoup(html(text), "html.parser")):
        assert macros(clean) == []
        assert clean.text.strip()
    assert mathematics(mathematics(text)) == mathematics(text)


def test_tex_in_code_and_mathematics_are_not_touched():
    for text in (r"`\href{a}{b}` and $\frac{a}{b} \operatorname{rank} \text{class}$", r"$\classes \hrefs$"):
        assert markdown(text) == text


@pytest.mark.parametrize("text", ["# question", "question\n===", "# q-comment", "# statusmessage"])
def test_a_heading_is_not_called_like_a_field_of_the_page(text):
    names = {"question", "q-comment", "statusmessage"}
    assert rendered(text)(id=True)[0]["id"] in names
    assert not rendered(markdown(text, names=names))(id=True)
    assert rendered(markdown(text, names=names)).h1
    assert markdown("# my question", names=names) == "# my question"
