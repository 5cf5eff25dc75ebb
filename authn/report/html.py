"""The report as one HTML file: no script, no external resource, every text of a manifest inert.

Renders the stored JSON form. Autoescape is always on, texts are made visible first (``cards``), and a content
security policy inside the file forbids everything but its own style sheet and its own preview.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from authn.core.report import PIXELS
from authn.core.visible import visible
from authn.report import cards, drawings, score_maps, wording
from authn.report.cards import MAX_ROWS, Document
from authn.report.score_maps import shown_maps
from authn.report.text import render_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where a served report leads to; a saved one leads nowhere."""

    home: str | None = None
    json: str | None = None


def render_report(
    report: Document,
    preview_jpeg: bytes | None = None,
    *,
    maps: str | None = None,
    links: Links | None = None,
) -> str:
    """HTML of one report, from its JSON form; ``preview_jpeg`` is embedded, and ``maps`` (their stored form,
    ``authn.core.score_map``) are drawn over it."""
    proof, guess = cards.proof_cards(report), cards.guess_cards(report)
    detectors = report["heuristic"]["detectors"]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            head=cards.headline(report),
            name=visible(report["subject"]["name"], 120),
            subject_line=cards.subject_line(report["subject"]),
            sha256=visible(report["subject"]["sha256"], 64),
            as_of=cards.moment(report["evaluated_as_of"]),
            preview=None if preview_jpeg is None else base64.b64encode(preview_jpeg).decode("ascii"),
            proof=proof,
            guess=guess,
            chain=drawings.chain_of(report),
            timeline=drawings.timeline_of(report),
            strips=tuple(
                (drawings.ratio_strip(d), drawings.stability_strip(d)) for d in detectors[:MAX_ROWS]
            ),
            score_maps=shown_maps(report, maps, preview=preview_jpeg is not None),
            map_words=score_maps,
            claims=_claims(report),
            identities=cards.identity_rows(report),
            contradictions=tuple(
                (visible(c["text"]), tuple(cards.place(p, report) for p in c["between"]))
                for c in report["contradictions"][:MAX_ROWS]
            ),
            no_preview=_no_preview(report),
            not_examined=tuple(
                (visible(n["what"], 120), visible(n["why"])) for n in report["not_examined"][:MAX_ROWS]
            ),
            limits=tuple(visible(t) for t in report["limits"][:MAX_ROWS]),
            tool=_tool(report),
            engines=_engines(report),
            plain_text=render_document(report),
            links=links or Links(),
            words=wording,
            policy=content_security_policy(),
        )
    )


def _no_preview(report: Document) -> str:
    why = next((n["why"] for n in report["not_examined"] if n["what"] == PIXELS), "")
    return wording.NOT_DECODED.format(why=visible(why)) if why else wording.NO_PREVIEW


def _claims(report: Document) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (visible(c["statement"]), visible(c["label"], 120), visible(cards.common_name(c["asserted_by"]), 120))
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


def _tool(report: Document) -> cards.Pairs:
    tool = report["tool"]
    return (
        ("Assay", visible(tool["version"], 60)),
        ("Policy", visible(f"{tool['policy']['name']} (sha256 {tool['policy']['sha256']})", 200)),
        ("Your signer roots", visible(tool["signer_roots_sha256"] or "none", 80)),
        ("Your time-stamp roots", visible(tool["tsa_roots_sha256"] or "none", 80)),
        *((f"Model {visible(m['id'], 60)}", visible(m["sha256"], 80)) for m in tool["models"][:MAX_ROWS]),
        ("Report", visible(report["run"]["report_id"], 80)),
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
    made.globals["stylesheet"] = stylesheet
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
