"""The gate before every view: who asks, may they, how often; by ``authn.service.access.scopes``."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from authn.core.errors import AccessDenied, CredentialsRefused
from authn.service.access import Principal
from authn.service.access.journal import GRANTED, Journal
from authn.service.access.keys import PREFIX, ApiKeys
from authn.service.access.oidc import open_issuer
from authn.service.access.rates import PERIOD, Rates
from authn.service.access.requests import DeviceRequests, SignedRequest, verify_content
from authn.service.access.scopes import ROUTES, Public, decide
from authn.service.services import Services

CHALLENGE = 'Bearer realm="assay"'
CHALLENGES = {  # RFC 6750, 3.1; without credentials no error is named
    CredentialsRefused: f'{CHALLENGE}, error="invalid_token"',
    AccessDenied: f'{CHALLENGE}, error="insufficient_scope"',
}


class Gate:
    """One per application."""

    def __init__(self, services: Services) -> None:
        """Raises ``SettingsError`` for ``oidc_scopes``."""
        self._services = services
        self._keys = ApiKeys(services.engine)
        self._devices = DeviceRequests(services.engine, services.registry)
        self._issuer = open_issuer(services.settings)
        self._rates = Rates(services.engine, services.settings.requests_per_minute)
        self._journal = Journal(services.engine)
        self._required = services.settings.access == "required"

    def pass_or_refuse(self) -> None:
        """Flask's ``before_request``. Raises ``AccessDenied`` and its kinds.

        A route that is open to everybody is not asked for credentials: what it is sent is its own business.
        """
        g.principal, g.challenge = None, CHALLENGE
        if request.endpoint is None:  # the router refuses it itself, with 404 or 405
            return
        rule = ROUTES.get(request.endpoint)
        if isinstance(rule, Public):
            return
        try:
            g.principal = principal = self._principal()
            self._rates.take(_caller(principal), self._services.clock())
            decide(rule, principal, required=self._required)
        except AccessDenied as e:
            g.challenge = CHALLENGES.get(type(e), CHALLENGE)
            self._note(e.code)
            raise
        if principal is not None:
            self._note(GRANTED)

    def _note(self, outcome: str) -> None:
        route, now = request.endpoint or "", self._services.clock()
        self._journal.note(g.principal, route, request.method, outcome, now)

    def _principal(self) -> Principal | None:
        """None without credentials of a kind that is known here; a proxy may use Basic for itself."""
        signed = "Signature" in request.headers or "Signature-Input" in request.headers
        scheme, _, credentials = request.headers.get("Authorization", "").strip().partition(" ")
        bearer = scheme.lower() == "bearer"
        if signed and bearer:
            raise CredentialsRefused("send a signature or a bearer token, not both")
        if signed:
            return self._device()
        return self._bearer(credentials.strip()) if bearer else None

    def _bearer(self, credentials: str) -> Principal:
        now = self._services.clock()
        if credentials.startswith(PREFIX):
            return self._keys.verify(credentials, now)
        if self._issuer is None:
            raise CredentialsRefused("this is no key of this service")
        return self._issuer.verify(credentials, now)

    def _device(self) -> Principal:
        """In this order: only what an enrolled device signed is read, only what is whole is used up."""
        now = self._services.clock()
        signed = SignedRequest(
            method=request.method,
            target_uri=target_uri(self._services.settings.public_url),
            signature_input=_field("Signature-Input"),
            signature=_field("Signature"),
            content_type=_field("Content-Type"),
            content_digest=_field("Content-Digest"),
            has_content=bool(request.content_length) or "Transfer-Encoding" in request.headers,
        )
        principal, nonce = self._devices.verify(signed, now)
        if signed.has_content or signed.content_digest is not None:
            verify_content(signed.content_digest, request.get_data(cache=True))
        self._devices.use(principal.id, nonce, now)
        return principal


def target_uri(public_url: str) -> str:
    """The address as the client wrote it: its path is not decoded. Raises ``CredentialsRefused``."""
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or "")
    if not raw.startswith("/"):
        parts = urlsplit(raw)
        raw = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return f"{(public_url or request.host_url).rstrip('/')}{raw}"


def register(app: Flask, services: Services) -> None:
    """Put the gate before every view. Raises ``SettingsError``."""
    app.before_request(Gate(services).pass_or_refuse)
    app.after_request(_with_challenge)


def _with_challenge(response: Response) -> Response:
    """RFC 9110, 11.6.1: a 401 says what would help, also one that a view gave."""
    challenge = g.get("challenge", CHALLENGE)
    if response.status_code == HTTPStatus.UNAUTHORIZED or challenge == CHALLENGES[AccessDenied]:
        response.headers.setdefault("WWW-Authenticate", challenge)
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(int(PERIOD.total_seconds()))
    return response


def _field(name: str) -> str | None:
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None


def _caller(principal: Principal | None) -> str:
    if principal is not None:
        return f"{principal.kind}:{principal.id}"[:128]
    return f"address:{request.remote_addr or ''}"[:128]
