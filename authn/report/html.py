"""The report as one HTML file: no external resource, every text of a manifest inert.

Renders the stored JSON form. Autoescape is always on, texts are made visible first (``cards``), and a content
security policy inside the file forbids everything but its own style sheet, its own preview and one script of
this package, by its digest (docs/decisions/0030). Without that script the page is whole.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from authn.core.report import PIXELS
from authn.core.source_types import meaning
from authn.core.visible import visible
from authn.provenance.sidecars import lay_beside
from authn.report import cards, columns, drawings, score_maps, wording
from authn.report.cards import MAX_ROWS, Document
from authn.report.differences import differences_of
from authn.report.headline import headline, policy_hints
from authn.report.language import ENGLISH, said, speaking, spoken, t, told
from authn.report.overlays import figures_of, label
from authn.report.text import render_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The report of an original: ``compared`` where it is known to be the one that this file was compared
    with, ``signer`` where who signed it is established."""

    href: str
    compared: bool
    signer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where a served report leads to; a saved one leads nowhere. ``languages``: code, name, address;
    ``bundle`` takes the file and ``report_id`` by a form."""

    home: str | None = None
    json: str | None = None
    pdf: str | None = None
    bundle: str | None = None
    report_id: str = ""
    compare: str | None = None
    original: Original | None = None
    languages: tuple[tuple[str, str, str], ...] = ()


def render_report(
    report: Document,
    preview_jpeg: bytes | None = None,
    *,
    maps: str | None = None,
    links: Links | None = None,
    language: str = ENGLISH,
) -> str:
    """HTML of one report, from its JSON form; ``preview_jpeg`` is embedded, and ``maps`` (their stored form,
    ``authn.core.score_map``) are drawn over it. ``language`` is a code of ``authn.report.language``."""
    with speaking(language):
        return (
            environment().get_template("report.html.j2").render(**_shown(report, preview_jpeg, maps, links))
        )


def _shown(
    report: Document, preview_jpeg: bytes | None, maps: str | None, links: Links | None
) -> dict[str, Any]:
    not_examined = report["not_examined"][:MAX_ROWS]
    return {
        "head": headline(report),
        "name": visible(report["subject"]["name"], 120),
        "subject_line": cards.subject_line(report["subject"]),
        "sha256": visible(report["subject"]["sha256"], 64),
        "as_of": cards.moment(report["evaluated_as_of"]),
        "preview": None if preview_jpeg is None else base64.b64encode(preview_jpeg).decode("ascii"),
        "proof": columns.proof_column(report),
        "guess": columns.guess_column(report, maps, preview=preview_jpeg is not None),
        "differences": differences_of(maps) if preview_jpeg is not None else None,
        "figures": figures_of(maps if preview_jpeg is not None else None),
        "reference": score_maps.reference_preview,
        "chain": drawings.chain_of(report),
        "timeline": drawings.timeline_of(report),
        "claims": _claims(report),
        "identities": cards.identity_rows(report),
        "recovered": columns.recovered(report),
        "hints": policy_hints(report),
        "contradictions": cards.contradiction_rows(report),
        "no_preview": _no_preview(report),
        "not_examined": tuple((cards.title_of(n["what"]), n["why"]) for n in not_examined),
        "not_examined_names": ", ".join(told(cards.title_of(n["what"]), 60) for n in not_examined),
        "limits": tuple(report["limits"][:MAX_ROWS]),
        "tool": cards.tool_rows(report),
        "engines": _engines(report),
        "plain_text": render_document(report),
        "links": links or Links(),
        "store_beside": lay_beside(report),
        "words": wording,
        "script": script(),
        "policy": report_policy(forms=links is not None and links.bundle is not None),
    }


def _no_preview(report: Document) -> str:
    why = next((n["why"] for n in report["not_examined"] if n["what"] == PIXELS), "")
    return t("picture.closed", why=told(why)) if why else t("picture.none")


def _claims(report: Document) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (
            visible(c["statement"]),
            meaning(c["label"], c["statement"]),
            visible(c["label"], 120),
            visible(c["asserted_by"], 120),
        )
        for c in report["cryptographic"]["claims"][:MAX_ROWS]
    )


def _engines(report: Document) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (
            visible(f"{e['name']} {e['version']}", 120),
            visible(e["state"], 120),
            ", ".join(visible(code, 120) for code in e["codes"][:MAX_ROWS]),
            visible(e["detail"]),
        )
        for e in report["run"]["engines"][:MAX_ROWS]
    )


@cache
def environment() -> Environment:
    """Templates of this package; undefined names are errors, everything is escaped."""
    made = Environment(
        loader=PackageLoader("authn.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(stylesheet=stylesheet, t=t, said=said, spoken=spoken, label=label)
    return made


@cache
def stylesheet() -> Markup:
    """The style sheet that reports, summaries and pages share; part of the package, so it is not escaped."""
    source = PackageLoader("authn.report").get_source(Environment(autoescape=True), "assay.css")[0]
    return Markup(source)  # noqa: S704 - our own file


@cache
def content_security_policy(script: bool = False) -> str:
    """Only our style sheet (by digest) and embedded pictures; scripts of our own origin if ``script``."""
    digest = base64.b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode("ascii")
    parts = ["default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:", "base-uri 'none'"]
    parts.append("form-action 'self'" if script else "form-action 'none'")
    if script:
        parts.append("script-src 'self'")
    return "; ".join(parts)


@cache
def script() -> Markup:
    """The script of a report; a file of this package, so it is not escaped."""
    source = PackageLoader("authn.report").get_source(Environment(autoescape=True), "report.js")[0]
    return Markup(source)  # noqa: S704 - our own file


@cache
def report_policy(*, forms: bool = False) -> str:
    """As ``content_security_policy``, and this one script by its digest; no request is allowed, but with
    ``forms`` those that a person sends to this site."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode("ascii")
    parts = content_security_policy()
    if forms:
        parts = parts.replace("form-action 'none'", "form-action 'self'")
    return f"{parts}; script-src 'sha256-{digest}'; connect-src 'none'"
