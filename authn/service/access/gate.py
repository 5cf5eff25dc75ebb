"""The gate before everything that can be asked for: who asks, how often, and may they; by ``scopes``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from authn.core.config import Settings
from authn.core.errors import AccessDenied, Allowance, CredentialsRefused
from authn.devices.registry import Registry
from authn.service.access import Principal
from authn.service.access.journal import GRANTED, Journal
from authn.service.access.keys import PREFIX, ApiKeys
from authn.service.access.oidc import open_issuer
from authn.service.access.rates import Rates
from authn.service.access.requests import DeviceRequests, SignedRequest, verify_content
from authn.service.access.scopes import ROUTES, Public, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came. ``route``: its name in ``ROUTES``; ``bearer``: credentials of that scheme;
    ``signed``: the head, where a signature came with it; ``content``: reads the body."""

    route: str
    method: str
    address: str
    bearer: str | None
    signed: Callable[[], SignedRequest] | None
    content: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Who may go on, None for strangers, and how often more; None where nothing is limited."""

    principal: Principal | None = None
    allowance: Allowance | None = None


class Gate:
    """One per application."""

    def __init__(
        self, settings: Settings, engine: Engine, registry: Registry, clock: Callable[[], datetime]
    ) -> None:
        """Raises ``SettingsError`` for ``oidc_scopes``."""
        self._clock = clock
        self._keys = ApiKeys(engine)
        self._devices = DeviceRequests(engine, registry)
        self._issuer = open_issuer(settings)
        self._rates = Rates(engine, settings.requests_per_minute)
        self._journal = Journal(engine)
        self._required = settings.access == "required"

    def admit(self, asked: Asked) -> Admitted:
        """Nobody where no credentials are brought and none are needed. Raises ``AccessDenied`` and its kinds.

        A route that is open to everybody is not asked for credentials: what it is sent is its own business.
        """
        rule, principal = ROUTES.get(asked.route), None
        if isinstance(rule, Public):
            return Admitted()
        try:
            principal = self._principal(asked)
            allowance = self._rates.take(_caller(principal, asked.address), self._clock())
            decide(rule, principal, required=self._required)
        except AccessDenied as e:
            self._note(principal, asked, e.code)
            raise
        if principal is not None:
            self._note(principal, asked, GRANTED)
        return Admitted(principal=principal, allowance=allowance)

    def _note(self, principal: Principal | None, asked: Asked, outcome: str) -> None:
        self._journal.note(principal, asked.route, asked.method, outcome, self._clock())

    def _principal(self, asked: Asked) -> Principal | None:
        if asked.signed is not None and asked.bearer is not None:
            raise CredentialsRefused("send a signature or a bearer token, not both")
        if asked.signed is not None:
            return self._device(asked.signed(), asked.content)
        return None if asked.bearer is None else self._bearer(asked.bearer)

    def _bearer(self, credentials: str) -> Principal:
        now = self._clock()
        if credentials.startswith(PREFIX):
            return self._keys.verify(credentials, now)
        if self._issuer is None:
            raise CredentialsRefused("this is no key of this service")
        return self._issuer.verify(credentials, now)

    def _device(self, signed: SignedRequest, content: Callable[[], bytes]) -> Principal:
        """In this order: only what an enrolled device signed is read, only what is whole is used up."""
        now = self._clock()
        principal, nonce = self._devices.verify(signed, now)
        if signed.has_content or signed.content_digest is not None:
            verify_content(signed.content_digest, content())
        self._devices.use(principal.id, nonce, now, signed.content_bytes)
        return principal


def _caller(principal: Principal | None, address: str) -> str:
    return principal.name if principal is not None else f"address:{address}"[:128]
