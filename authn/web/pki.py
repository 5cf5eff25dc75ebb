"""Whether certificates were revoked, for everybody's programs: the signed list, OCSP, the issuer."""

from __future__ import annotations

import base64
from http import HTTPStatus

from cryptography.hazmat.primitives.serialization import Encoding
from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from authn.core.errors import BadRequest
from authn.devices.ocsp import MAX_REQUEST_BYTES
from authn.web.api import services

OCSP_REQUEST_TYPE, OCSP_RESPONSE_TYPE = "application/ocsp-request", "application/ocsp-response"
CRL_TYPE, CERTIFICATE_TYPE = "application/pkix-crl", "application/pkix-cert"
# A revocation has to be seen within a minute, through caches too.
FRESH = {"Cache-Control": "public, max-age=30"}

pki = Blueprint("pki", __name__, url_prefix="/pki")


@pki.get("/crl")
def crl() -> Response:
    """The list of everything that was revoked (RFC 5280), made anew when it is not the latest."""
    published = services().revocations.current_crl(services().authority.issuer, services().clock())
    response = Response(published.der, content_type=CRL_TYPE, headers=FRESH)
    response.set_etag(f"{published.number}")
    response.make_conditional(request)
    return response


@pki.get("/issuing")
def issuing() -> Response:
    """The certificate of the issuing authority (DER), as certificates name it."""
    der = services().authority.issuing.public_bytes(Encoding.DER)
    return Response(der, content_type=CERTIFICATE_TYPE, headers={"Cache-Control": "public, max-age=3600"})


@pki.post("/ocsp")
def ask() -> Response:
    """RFC 6960 over HTTP (appendix A); a refusal is an answer with status 200 too."""
    if request.mimetype != OCSP_REQUEST_TYPE:
        raise UnsupportedMediaType(f"send an RFC 6960 request as {OCSP_REQUEST_TYPE}")
    request.max_content_length = MAX_REQUEST_BYTES
    answer = services().responder.respond(request.get_data(cache=False))
    return Response(answer, content_type=OCSP_RESPONSE_TYPE, headers={"Cache-Control": "no-store"})


# Base64 may hold two slashes in a row, which are not a slip of the pen.
@pki.get("/ocsp/<path:encoded>", merge_slashes=False)
def ask_by_address(encoded: str) -> Response:
    """The same as a GET, with the request in the address; it may be kept for half a minute."""
    if len(encoded) > MAX_REQUEST_BYTES * 4 // 3 + 4:
        raise BadRequest("the request in the address is too long")
    try:
        asked = base64.b64decode(encoded, validate=True)
    except ValueError as e:
        raise BadRequest("the request in the address is not base64") from e
    answer = services().responder.respond(asked)
    return Response(answer, status=HTTPStatus.OK, content_type=OCSP_RESPONSE_TYPE, headers=FRESH)
