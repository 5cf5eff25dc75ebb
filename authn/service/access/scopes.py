"""What may be asked for, and where a scope is needed: one table, and what is not in it is refused.

A test compares the table with the router.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authn.core.errors import AccessDenied, BadRequest, CredentialsMissing
from authn.service.access import Principal

# scope -> what it lets one do
SCOPES = {
    "verifications:create": "examine files",
    "verifications:read": "read reports whose address is known, and list one's own",
    "verifications:delete": "delete reports whose address is known",
    "webhooks:manage": "be told when one's own examinations end",
    "devices:read": "see the registry of devices",
    "timestamps:create": "have digests time-stamped",
    "captures:create": "register captures",
    "metrics:read": "read what is measured of the service",
    "recovery:read": "find signed photos again by their looks, and read their manifests",
    "recovery:delete": "have what a photo looks like forgotten",
}
DEVICE_SCOPES = frozenset({"captures:create", "timestamps:create", "recovery:read", "recovery:delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """Open to everybody under every setting, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """A scope is needed where ``access = required``; with ``always`` under every setting."""

    scope: str
    always: bool = False


Rule = Public | Needs

_RELYING_PARTIES = Public(reason="whoever checks a signature has to be able to read this")
_OWN_PROOF = Public(reason="the view asks for the enrolment token, or for a proof of possession")
_DISCOVERY = Public(reason="a client has to learn what it may ask before it knows how")
_ASSETS = Public(reason="style and scripts of the pages")
_MONITORS = Public(reason="a log that not everybody can read proves nothing")

# endpoint of the router -> rule
ROUTES: Mapping[str, Rule] = {
    "static": _ASSETS,
    "api.enrol": _OWN_PROOF,
    "enrolment.ask": _OWN_PROOF,
    "enrolment.enrol": _OWN_PROOF,
    "api.devices": Needs(scope="devices:read"),
    "api.device": Needs(scope="devices:read"),
    "api.verify": Needs(scope="verifications:create"),
    "views.draw": Needs(scope="verifications:create"),
    "comparisons.compare": Needs(scope="verifications:create"),
    "api.verifications": Needs(scope="verifications:read", always=True),
    "api.verification": Needs(scope="verifications:read"),
    "api.forget": Needs(scope="verifications:delete"),
    "batches.create": Needs(scope="verifications:create"),
    "batches.status": Needs(scope="verifications:read"),
    "batches.results": Needs(scope="verifications:read"),
    "batches.remove": Needs(scope="verifications:delete"),
    "webhooks.create": Needs(scope="webhooks:manage", always=True),
    "webhooks.listed": Needs(scope="webhooks:manage", always=True),
    "webhooks.remove": Needs(scope="webhooks:manage", always=True),
    "webhooks.test": Needs(scope="webhooks:manage", always=True),
    "jobs.status": Needs(scope="verifications:read"),
    "jobs.cancel": Needs(scope="verifications:delete"),
    "captures.take": Needs(scope="captures:create", always=True),
    "recovery.by_binding": Needs(scope="recovery:read"),
    "recovery.by_large_binding": Needs(scope="recovery:read"),
    "recovery.by_content": Needs(scope="recovery:read"),
    "recovery.manifest": Needs(scope="recovery:read"),
    "recovery.forget": Needs(scope="recovery:delete", always=True),
    "recovery.algorithms": _DISCOVERY,
    "recovery.capabilities": _DISCOVERY,
    "recovery.status": _DISCOVERY,
    "recovery.discovery": _DISCOVERY,
    "tsa.stamp": Needs(scope="timestamps:create"),
    "pki.crl": _RELYING_PARTIES,
    "pki.issuing": _RELYING_PARTIES,
    "pki.ask": _RELYING_PARTIES,
    "pki.ask_by_address": _RELYING_PARTIES,
    "est.authorities": _RELYING_PARTIES,
    "est.enrol": _OWN_PROOF,
    "est.renew": _OWN_PROOF,
    "log.checkpoint": _MONITORS,
    "log.witnessed": _MONITORS,
    "log.receipt": _MONITORS,
    "log.tile": _MONITORS,
    "log.entries": _MONITORS,
    "health.alive": Public(reason="probes carry no credentials; the answer holds nothing"),
    "health.ready": Public(reason="probes carry no credentials; the answer names parts, not data"),
    "metrics.show": Needs(scope="metrics:read", always=True),
    "openapi.document": Public(reason="the description is the same everywhere"),
    "pages.home": Needs(scope="verifications:create"),
    "pages.examine": Needs(scope="verifications:create"),
    "pages.views_page": Needs(scope="verifications:create"),
    "pages.receipt": Public(reason="whoever holds a receipt has to be able to check it"),
    "beside.comparison": Needs(scope="verifications:create"),
    "beside.compare": Needs(scope="verifications:create"),
    "beside.bundle": Needs(scope="verifications:create"),
    "pages.report": Needs(scope="verifications:read"),
    "pages.report_document": Needs(scope="verifications:read"),
    "pages.report_pdf": Needs(scope="verifications:read"),
}


def parse_scopes(texts: tuple[str, ...]) -> frozenset[str]:
    """Raises ``BadRequest`` for none and for one that does not exist."""
    if unknown := set(texts) - set(SCOPES):
        raise BadRequest(f"unknown scope {min(unknown)[:40]!r}; known are {', '.join(SCOPES)}")
    if not texts:
        raise BadRequest(f"name a scope; known are {', '.join(SCOPES)}")
    return frozenset(texts)


def decide(rule: Rule | None, principal: Principal | None, *, required: bool) -> None:
    """Returns where the request may go on. Raises ``CredentialsMissing``, or ``AccessDenied``, also for an
    endpoint without a rule."""
    if rule is None:
        raise AccessDenied("nobody may do this: no rule allows it")
    if isinstance(rule, Public) or (principal is None and not required and not rule.always):
        return
    if principal is None:
        raise CredentialsMissing(f"this needs credentials with the scope {rule.scope}")
    if rule.scope not in principal.scopes and (required or rule.always):
        raise AccessDenied(f"these credentials do not have the scope {rule.scope}")
