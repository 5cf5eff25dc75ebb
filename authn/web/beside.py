"""Pages for what needs the file once more, since the service keeps none: a comparison, an evidence bundle."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from authn.core.errors import BadRequest
from authn.core.instants import parse_instant
from authn.provenance.sidecars import lay_beside, why_not_beside
from authn.report.cards import size
from authn.report.html import content_security_policy
from authn.report.language import speaking
from authn.service.examinations import Asked
from authn.web.answers import asking, services, uncached, viewer
from authn.web.rendering import asked_language, language, other_languages, page, templates
from authn.web.taken_along import bundle_answer
from authn.web.uploads import read_media, read_pair

beside = Blueprint("beside", __name__)
beside.after_request(uncached)


@beside.get("/comparisons")
def comparison() -> Response:
    """Two fields for files: a signed original, and what may have become of it."""
    with speaking(language()):
        text = (
            templates()
            .get_template("comparison.html.j2")
            .render(
                action=url_for("beside.compare", lang=asked_language()),
                home=url_for("pages.home", lang=asked_language()),
                languages=other_languages("beside.comparison"),
                largest=size(services().settings.max_media_bytes),
                policy=content_security_policy(script=True),
            )
        )
    return page(text, script=True, spoken=language())


@beside.post("/comparisons")
def compare() -> AnyResponse:
    """Verify the original, examine the other file, and lead to where they differ."""
    media, original = read_pair(request, services().settings)
    found = services().examinations.compared(media, original, Asked(owner=asking(), viewer=viewer()))
    where = url_for(
        "pages.report", report_id=found.file.id, original=found.original.id, lang=asked_language()
    )
    return redirect(f"{where}#differences", code=HTTPStatus.SEE_OTHER)


@beside.post("/bundles")
def bundle() -> Response:
    """The evidence bundle of a report, made of the file that the report is about."""
    media = read_media(request, services().settings, fields=("report",), sidecar=True)
    stored = services().verifications.get(request.form.get("report", ""), services().clock())
    if media.sha256 != stored.subject_sha256:
        raise BadRequest("this is not the file that the report is about: their SHA-256 differ")
    report = json.loads(stored.report)
    if lay_beside(report) and media.sidecar is None:
        raise BadRequest("the report rests on a manifest store beside the file; send that too, as manifest")
    if media.sidecar is not None and (why := why_not_beside(report, media.sidecar)):
        raise BadRequest(why)
    return bundle_answer(services().examinations.taken_along(media, _asked_again(report), bundle=True))


def _asked_again(report: dict[str, Any]) -> Asked:
    """What this report was asked for. Of old ones it is not said which sources were asked."""
    sources = report["run"].get("sources", ())
    return Asked(
        as_of=parse_instant(report["evaluated_as_of"], "as_of"),
        heuristics=bool(sources or report["heuristic"]["detectors"]),
        forensics=any(s["on_request"] for s in sources),
    )
