"""Enrolling with a challenge (docs/formats/enrolment.md)."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from authn.core.errors import BadRequest
from authn.core.instants import instant
from authn.service.enrolment.challenged import Enrolling
from authn.web.answers import uncached
from authn.web.api import enrolled_response, require_token, services
from authn.web.uploads import read_object, string_fields

enrolment = Blueprint("enrolment", __name__, url_prefix="/v1/enrolment")
enrolment.after_request(uncached)

MAX_BODY_BYTES = 512 * 1024
FIELDS = ("name", "csr", "challenge")


@enrolment.post("/challenge")
def ask() -> Response:
    """A challenge for the next ten minutes; the body is empty, or the first step of a format of two."""
    token = require_token()
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    sent = read_object(request, MAX_BODY_BYTES) if has_body else {}
    asking = services().enrolments.ask(sent, token, services().clock())
    body = {
        "challenge": asking.challenge,
        "expires_at": instant(asking.expires_at),
        "formats": list(asking.formats),
        "answer": dict(asking.answer),
    }
    return Response(json.dumps(body), status=201, content_type="application/json")


@enrolment.post("")
def enrol() -> Response:
    """Enrol a device that answers a challenge, or renew its certificate and keep or raise its level."""
    token = require_token()
    found = read_object(request, MAX_BODY_BYTES)
    if strangers := found.keys() - {*FIELDS, "attestation"}:
        raise BadRequest(f"unknown field {min(strangers)[:40]!r}")
    name, csr, challenge = string_fields(found, FIELDS)
    attestation = found.get("attestation", {"fmt": "none"})
    if not isinstance(attestation, dict):
        raise BadRequest("the field 'attestation' is not an object")
    enrolling = Enrolling(
        name=name,
        csr=csr.encode("ascii", "replace"),
        challenge=challenge,
        attestation=attestation,
        credential=token,
    )
    return enrolled_response(services().enrolments.enrol(enrolling, services().clock()))
