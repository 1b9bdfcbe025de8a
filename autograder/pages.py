"""HTML pages: one self-contained file each, without scripts; whatever a student wrote is escaped."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

STATUS_WORDS = {
    "passed": "right",
    "partial": "partly right",
    "failed": "not right",
    "error": "raised an error",
    "timeout": "too slow",
    "crash": "died",
    "not_attempted": "not attempted",
    "manual": "graded by a person",
}


def number(value: float | None) -> str:
    """Points without needless zeros: 3, 2.5, 0.33; a dash for none."""
    return "–" if value is None else f"{round(value, 2):g}"


def small(value: float | None) -> str:
    """An error or a tolerance, to three digits."""
    return "–" if value is None else f"{value:.3g}"


def axes(value: list[int] | None) -> str:
    """A shape or an index as Python writes it: (), (3,), (4, 3)."""
    return "–" if value is None else str(tuple(value))


def prose(text: str) -> Markup:
    """Escaped text whose `code` in backticks is set as code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autograder"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, small=small, axes=axes, prose=prose)
    environment.globals["STATUS_WORDS"] = STATUS_WORDS
    return environment


def write_page(template: str, path: Path, **values: object) -> Path:
    """Render a template of `autograder/templates` to `path`, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(_environment().get_template(template).render(**values), encoding="utf-8")
    temporary.replace(path)
    return path
