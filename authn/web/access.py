"""What a request says about who asks, for the gate before every view (``authn.service.access.gate``)."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from authn.core.errors import AccessDenied, Allowance, CredentialsRefused, TooManyRequests
from authn.service.access.gate import Asked, Gate
from authn.service.access.rates import PERIOD
from authn.service.access.requests import SignedRequest
from authn.service.services import Services

CHALLENGE = 'Bearer realm="assay"'
CHALLENGES = {  # RFC 6750, 3.1; without credentials no error is named
    CredentialsRefused: f'{CHALLENGE}, error="invalid_token"',
    AccessDenied: f'{CHALLENGE}, error="insufficient_scope"',
}


def register(app: Flask, services: Services) -> None:
    """Put the gate before every view. Raises ``SettingsError``."""
    gate = Gate(services.settings, services.engine, services.registry, services.clock)

    def admit() -> None:
        g.principal, g.challenge, g.allowance = None, CHALLENGE, None
        if request.endpoint is None:  # the router refuses it itself, with 404 or 405
            return
        try:
            admitted = gate.admit(_asked(request.endpoint, services.settings.public_url))
            g.principal, g.allowance = admitted.principal, admitted.allowance
        except TooManyRequests as e:
            g.allowance = e.allowance
            raise
        except AccessDenied as e:
            g.challenge = CHALLENGES.get(type(e), CHALLENGE)
            raise

    app.before_request(admit)
    app.after_request(_with_challenge)


def _asked(route: str, public_url: str) -> Asked:
    """Credentials of another scheme are none: a proxy may use Basic for itself."""
    signed = "Signature" in request.headers or "Signature-Input" in request.headers
    scheme, _, credentials = request.headers.get("Authorization", "").strip().partition(" ")
    return Asked(
        route=route,
        method=request.method,
        address=request.remote_addr or "",
        bearer=credentials.strip() if scheme.lower() == "bearer" else None,
        signed=partial(_signed, public_url) if signed else None,
        content=partial(request.get_data, cache=True),
    )


def _signed(public_url: str) -> SignedRequest:
    return SignedRequest(
        method=request.method,
        target_uri=_target_uri(public_url),
        signature_input=_field("Signature-Input"),
        signature=_field("Signature"),
        content_type=_field("Content-Type"),
        content_digest=_field("Content-Digest"),
        has_content=bool(request.content_length) or "Transfer-Encoding" in request.headers,
        content_bytes=request.content_length or 0,
    )


def _target_uri(public_url: str) -> str:
    """The address as the client wrote it: its path is not decoded."""
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or "")
    if not raw.startswith("/"):
        parts = urlsplit(raw)
        raw = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return f"{(public_url or request.host_url).rstrip('/')}{raw}"


def _with_challenge(response: Response) -> Response:
    """RFC 9110, 11.6.1: a 401 says what would help, also one that a view gave."""
    challenge = g.get("challenge", CHALLENGE)
    if response.status_code == HTTPStatus.UNAUTHORIZED or challenge == CHALLENGES[AccessDenied]:
        response.headers.setdefault("WWW-Authenticate", challenge)
    return _with_allowance(response)


def _with_allowance(response: Response) -> Response:
    """draft-ietf-httpapi-ratelimit-headers-10: what may be asked for, and what is left of it."""
    allowance: Allowance | None = g.get("allowance")
    if allowance is not None:
        window = int(PERIOD.total_seconds())
        response.headers["RateLimit-Policy"] = f'"requests";q={allowance.quota};w={window}'
        response.headers["RateLimit"] = f'"requests";r={allowance.left};t={allowance.seconds}'
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(allowance.seconds if allowance else int(PERIOD.total_seconds()))
    return response


def _field(name: str) -> str | None:
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None
