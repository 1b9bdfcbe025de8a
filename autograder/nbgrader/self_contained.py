"""nbgrader's feedback pages as files of their own: nothing of them comes from elsewhere, and nothing runs.

nbconvert's pages load MathJax from a server on the internet, which so learns who reads feedback and could run
whatever it likes beside it. Here formulas stand as they were typed.
"""

from __future__ import annotations

import re
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
_SCRIPTS = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)


class SelfContainedExporter(HTMLExporter):
    """HTML without scripts of the page's own, and with a content security policy against all others."""

    def from_notebook_node(
        self, nb: NotebookNode, resources: Any = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        page, resources = super().from_notebook_node(nb, resources, **kw)
        head, begin, rest = page.partition("<head>")
        own, end, body = rest.partition("</head>")
        policy = f'\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        return head + begin + policy + _SCRIPTS.sub("", own) + end + body, resources
