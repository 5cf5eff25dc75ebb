"""One HTML file that checks a receipt of a log in a browser, offline: the rules of ``authn.tlog`` again.

Everything is in the file. Its content security policy names the digests of its script and its style and
forbids every request, so that neither a network nor our service is needed, or could be told anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from authn.core.evidence import Axis, Outcome
from authn.report import wording
from authn.report.html import content_security_policy, environment
from authn.report.language import ENGLISH, speaking

PARTS = ("receipt-words.js", "receipt-file.js", "receipt-ed25519.js", "receipt-log.js", "receipt-page.js")
OUTCOMES = (Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.OUTSIDE_LISTS, Outcome.NOT_EXAMINED)


def render_receipt_page(
    keys: str = "",
    quorum: int = 1,
    *,
    home: str | None = None,
    language: str = ENGLISH,
    switch: tuple[tuple[str, str, str], ...] = (),
) -> str:
    """``keys``: what the page starts with, vkeys one a line or a tlog-policy; its reader may change it.
    ``switch``: code, name and address of the page in other languages."""
    with speaking(language):
        return (
            environment()
            .get_template("receipt.html.j2")
            .render(
                axis=Axis.LOG,
                outcomes=OUTCOMES,
                keys=keys,
                quorum=quorum,
                home=home,
                words=wording,
                switch=switch,
                script=script(),
                script_words=json.dumps(script_words(language), ensure_ascii=False),
                policy=receipt_page_policy(),
            )
        )


@cache
def script() -> Markup:
    """The parts in one function of their own; files of this package, so they are not escaped."""
    loader, reader = PackageLoader("authn.report"), Environment(autoescape=True)
    parts = "\n".join(loader.get_source(reader, part)[0] for part in PARTS)
    return Markup(f'"use strict";\n(() => {{\n{parts}\n}})();\n')  # noqa: S704 - our own files


@cache
def script_words(language: str) -> Mapping[str, str]:
    """What a language has for the English sentences of the script; English needs no table."""
    found = resources.files("authn.report").joinpath("words", f"{language}.receipt.json")
    table: dict[str, str] = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {}
    return table


@cache
def receipt_page_policy() -> str:
    """As for reports, and this one script by its digest. No request is allowed, so none can leak anything."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode("ascii")
    return f"{content_security_policy()}; script-src 'sha256-{digest}'; connect-src 'none'"
