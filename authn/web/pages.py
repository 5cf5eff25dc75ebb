"""The page for people: drop a photo, read two columns of evidence. Works without JavaScript.

Views parse, call one function, render.
"""

from __future__ import annotations

import json
from datetime import datetime
from http import HTTPStatus

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from authn.core.errors import NotFound
from authn.core.evidence import Axis, Outcome
from authn.core.instants import parse_utc_field
from authn.core.score_map import ORIGINAL, ScoreMap
from authn.report.cards import size
from authn.report.html import Links, Original, content_security_policy, render_report, report_policy
from authn.report.language import speaking
from authn.report.overlays import kept_maps
from authn.report.pdf import MEDIA_TYPE, PDF, render_pdf
from authn.report.receipt_page import receipt_page_policy, render_receipt_page
from authn.store.verifications import StoredVerification
from authn.web.answers import asking, viewer
from authn.web.api import services
from authn.web.rendering import asked_language, language, other_languages, page, switch, templates
from authn.web.uploads import read_media

pages = Blueprint("pages", __name__)


@pages.get("/")
def home() -> Response:
    """The drop zone: a plain form."""
    settings, template = services().settings, templates().get_template("home.html.j2")
    with speaking(language()):
        text = template.render(
            action=url_for("pages.examine", lang=asked_language()),
            views=url_for("pages.views_page", lang=asked_language()),
            receipt=url_for("pages.receipt", lang=asked_language()),
            compare=url_for("beside.comparison", lang=asked_language()),
            script=url_for("static", filename="drop.js"),
            languages=other_languages("pages.home"),
            report_days=settings.report_days,
            largest=size(settings.max_media_bytes),
            policy=content_security_policy(script=True),
        )
    return page(text, script=True, spoken=language())


@pages.get("/receipt")
def receipt() -> Response:
    """The page that checks receipts in the browser, with the key of this service's log."""
    keys = f"{services().log.verifier}\n"
    home = url_for("pages.home", lang=asked_language())
    text = render_receipt_page(keys, home=home, language=language(), switch=switch())
    response = page(text, spoken=language())
    response.headers["Content-Security-Policy"] = f"{receipt_page_policy()}; frame-ancestors 'none'"
    return response


@pages.post("/reports")
def examine() -> AnyResponse:
    """Examine one uploaded file, keep its report, and lead to it."""
    media = read_media(request, services().settings, fields=("as_of",), sidecar=True)
    as_of = parse_utc(request.form.get("as_of", ""))
    stored = services().examinations.examine(
        media, as_of=as_of, preview=True, owner=asking(), viewer=viewer()
    )
    return redirect(
        url_for("pages.report", report_id=stored.id, lang=asked_language()), code=HTTPStatus.SEE_OTHER
    )


@pages.get("/reports/<report_id>")
def report(report_id: str) -> Response:
    """A report that was given before, for people."""
    stored = _stored(report_id)
    document = json.loads(stored.report)
    links, spoken = _links(report_id, _original(stored)), language()
    text = render_report(document, stored.preview_jpeg, maps=stored.maps, links=links, language=spoken)
    return page(text, policy=report_policy(forms=True), spoken=spoken)


@pages.get("/reports/<report_id>/report.json")
def report_document(report_id: str) -> Response:
    """The same report for programs, unchanged."""
    response = Response(_stored(report_id).report, content_type="application/json")
    response.headers["Content-Disposition"] = "attachment; filename=report.json"
    return response


@pages.get("/reports/<report_id>/report.pdf")
def report_pdf(report_id: str) -> Response:
    """The same report on paper, in the language of the page."""
    stored = _stored(report_id)
    document = json.loads(stored.report)
    data = render_pdf(document, stored.preview_jpeg, maps=stored.maps, language=language())
    response = Response(data, content_type=MEDIA_TYPE)
    response.headers["Content-Disposition"] = "attachment; filename=report.pdf"
    return response


@pages.after_request
def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def parse_utc(text: str) -> datetime | None:
    """The value of a ``datetime-local`` field, read as UTC; empty is None. Raises ``BadRequest``."""
    return parse_utc_field(text.strip(), "as_of") if text.strip() else None


def _original(stored: StoredVerification) -> Original | None:
    """What the address names as the report of the original. Where nothing was compared, nothing is kept that
    would say whether it is."""
    try:
        original = _stored(request.args.get("original", ""))
    except NotFound:
        return None
    found = kept_maps(stored.maps).of(ORIGINAL)
    if found is None or (isinstance(found, ScoreMap) and found.model_sha256 != original.subject_sha256):
        return None
    axes = json.loads(original.report)["cryptographic"]["axes"]
    return Original(
        href=url_for("pages.report", report_id=original.id, lang=asked_language()),
        compared=isinstance(found, ScoreMap),
        signer=axes[Axis.SIGNER.value]["outcome"] == Outcome.ESTABLISHED.value,
    )


def _links(report_id: str, original: Original | None) -> Links:
    return Links(
        home=url_for("pages.home", lang=asked_language()),
        json=url_for("pages.report_document", report_id=report_id),
        pdf=url_for("pages.report_pdf", report_id=report_id, lang=language()) if PDF.installed else None,
        bundle=url_for("beside.bundle", lang=asked_language()),
        report_id=report_id,
        compare=url_for("beside.comparison", lang=asked_language()),
        original=original,
        languages=other_languages("pages.report", report_id=report_id, original=request.args.get("original")),
    )


def _stored(report_id: str) -> StoredVerification:
    return services().verifications.get(report_id, services().clock())
