"""What the pages of an audit have in common: templates, the reports' style sheet with a few rules more, and a
policy that lets in nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from authn.audit.file_row import SITUATIONS
from authn.report.html import stylesheet
from authn.report.language import count, has, said, spoken, t

FACETS = (*SITUATIONS, "look", "contra", "warned", "refused")


@cache
def environment() -> Environment:
    """Undefined names are errors, everything is escaped."""
    made = Environment(
        loader=PackageLoader("authn.audit"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(t=t, has=has, said=said, spoken=spoken, count=count, files=_files)
    return made


def _files(n: int) -> str:
    """So many files, in words."""
    return t("audit.file") if n == 1 else t("audit.files", n=count(n))


@cache
def page_style() -> Markup:
    """Our own files and names of facets; nothing of it is anybody's text."""
    hidden = ",\n".join(f".facets:has(#f-{f}:checked) .sheet > li:not(.{f})" for f in FACETS)
    rules = (str(stylesheet()), _own("audit.css"), f"{hidden} {{ display: none; }}\n")
    return Markup("".join(rules))  # noqa: S704


@cache
def page_policy(script: str = "") -> str:
    """Only our style sheet and, where there is one, our script, by their digests; embedded pictures."""
    parts = [f"default-src 'none'; style-src {_digest(page_style())}; img-src data:; base-uri 'none'"]
    if script:
        parts.append(f"script-src {_digest(script)}")
    return "; ".join([*parts, "form-action 'none'"])


@cache
def review_script() -> Markup:
    """Keyboard and export of marks; a sheet is whole without it."""
    return Markup(_own("review.js"))  # noqa: S704 our own file


def _own(name: str) -> str:
    return PackageLoader("authn.audit").get_source(Environment(autoescape=True), name)[0]


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
