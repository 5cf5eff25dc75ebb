"""EST (RFC 7030) for standard clients: base64 PKCS#10 in, base64 PKCS#7 with certificates out.

Of the protocol's ways to say who asks, two are taken: the enrolment token (as HTTP Basic password or Bearer)
for a first certificate, and possession of an enrolled key for a renewal. There is no TLS here, so no client
certificate; the request's own signature is the proof.
"""

from __future__ import annotations

import base64
import binascii

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from authn.core.errors import BadRequest
from authn.pki.profile import MAX_CSR_BYTES, common_name_of
from authn.service.enrolment.tokens import verify_token
from authn.web.api import services
from authn.web.problems import HTTP_CODES, refusal

REQUEST_TYPE = "application/pkcs10"
CERTIFICATES_TYPE = "application/pkcs7-mime; smime-type=certs-only"

est = Blueprint("est", __name__, url_prefix="/.well-known/est")


@est.get("/cacerts")
def authorities() -> Response:
    """The roots of devices and their issuing authority (RFC 7030, 4.1)."""
    authority = services().authority
    return _certificates((*authority.device_roots, authority.issuing))


@est.post("/simpleenroll")
def enrol() -> Response:
    """A first certificate (4.2.1). The device's name is the common name that the request carries."""
    if request.authorization is None:
        response = refusal(401, HTTP_CODES[401], "send the enrolment token, as Basic password or as Bearer")
        response.headers["WWW-Authenticate"] = 'Basic realm="enrolment"'
        return response
    given = request.authorization
    verify_token((given.token or given.password or "").strip(), services().enrolment_token)
    csr = _read_request()
    enrolled = services().intake.enrol(common_name_of(csr), csr, services().clock())
    return _certificates(enrolled.chain[:1])


@est.post("/simplereenroll")
def renew() -> Response:
    """A new certificate for an enrolled key (4.2.2), proven by the signature on the request.

    Within an hour of the newest certificate that one is given again.
    """
    return _certificates((services().intake.renew(_read_request(), services().clock()),))


def _read_request() -> bytes:
    """The PKCS#10 request as DER. Clients differ on line breaks, and some send PEM armour or raw DER."""
    if request.mimetype != REQUEST_TYPE:
        raise UnsupportedMediaType(f"send a PKCS#10 request as {REQUEST_TYPE}")
    request.max_content_length = 2 * MAX_CSR_BYTES
    body = request.get_data(cache=False)
    if body.lstrip().startswith(b"-----") or body[:1] == b"\x30":
        return body
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as e:
        raise BadRequest("the body is not a PKCS#10 request in base64") from e


def _certificates(certificates: tuple[x509.Certificate, ...]) -> Response:
    der = pkcs7.serialize_certificates(list(certificates), Encoding.DER)
    response = Response(base64.encodebytes(der), content_type=CERTIFICATES_TYPE)
    response.headers["Content-Transfer-Encoding"] = "base64"
    response.headers["Cache-Control"] = "no-store"
    return response
