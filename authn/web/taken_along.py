"""Answers that are no report: the credential as C2PA's crJSON, the evidence bundle. Nothing is kept."""

from __future__ import annotations

import json

from flask import Response, request

from authn.core.errors import BadRequest, ExaminationFailed
from authn.core.evidence import Axis, Outcome
from authn.core.media import Media
from authn.examine.request import Examined
from authn.service.examinations import Asked
from authn.web.answers import json_text, services
from authn.web.preferences import preferences
from authn.web.repeats import HEADER

# What stands for a file without a credential, as on the command line.
NO_CREDENTIAL = {"@context": {"@vocab": "https://c2pa.org/crjson"}, "manifests": []}
ZIP = "application/zip"


def taken_along(media: Media, asked: Asked, form: str) -> Response:
    """Examined at once. Raises ``BadRequest`` for what only a kept report can have."""
    if asked.preview or HEADER in request.headers or preferences(request.headers.getlist("Prefer")).any:
        raise BadRequest(
            f"format={form} is answered at once and nothing is kept: without preview, Prefer and {HEADER}"
        )
    if form == "bundle":
        return bundle_answer(services().examinations.taken_along(media, asked, bundle=True))
    return _crjson(services().examinations.taken_along(media, asked, crjson=True))


def bundle_answer(examined: Examined) -> Response:
    """Raises ``ExaminationFailed`` where none was made."""
    if examined.bundle is None:
        raise ExaminationFailed("no bundle was made of this file")
    response = Response(examined.bundle, content_type=ZIP)
    response.headers["Content-Disposition"] = "attachment; filename=evidence.assay.zip"
    return response


def _crjson(examined: Examined) -> Response:
    credential = examined.report.cryptographic.axis(Axis.CREDENTIAL).outcome
    if examined.crjson is not None:
        return json_text(examined.crjson.decode())
    if credential is not Outcome.ABSENT:  # to answer that there is none would be another statement
        raise ExaminationFailed("c2pa-rs cannot write the credential of this file as crJSON")
    return json_text(json.dumps(NO_CREDENTIAL))
