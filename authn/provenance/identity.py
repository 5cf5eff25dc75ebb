"""Step 12, second half: whom CAWG identity assertions name, by what, and what each engine found about that.

An identity assertion is somebody's claim inside a signed file, made by another key than the signer's. Assay
has no list for those who vouch in it, so it repeats the claim and believes none; nothing here is on an axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from authn.core.evidence import IdentityFinding, IdentityReading, IdentityView
from authn.core.plain import Json, list_of, map_of
from authn.provenance.answers import EngineAnswer, EngineCode, EngineState, Scope, assertions_of, showing
from authn.provenance.c2pa_codes import IDENTITY_PREFIX

LABEL = "cawg.identity"
MAX_IDENTITIES = 16
MAX_NAMES = 8
MAX_TEXT = 300
MAX_CODES = 16
_MAX_DEPTH = 6
_KINDS = {
    "cawg.x509.cose": "x509",
    "cawg.identity_claims_aggregation": "identity_claims_aggregation",
}
# They depend on the reader's clock, and a report must read the same for ever.
_BY_CLOCK = ("expired", "outside_validity", "inside_validity", "outsideValidity", "insideValidity")
# Nobody is on a list of ours, or the reader could not look: nothing is found against the assertion.
_NOT_AGAINST = ("untrusted", "trusted", "unavailable", "did_unsupported_method", "unknown", "unsupported")


def identities(answers: Sequence[EngineAnswer]) -> tuple[IdentityView, ...]:
    """Those of the active manifest."""
    shown = showing(answers)
    found = {label: map_of(data) for label, data in assertions_of(shown.shown) if _is_identity(label)}
    for code in (c for a in answers for c in a.codes if _is_about_one(c)):
        found.setdefault(_label(code), {})
    return tuple(
        IdentityView(
            label=label[:MAX_TEXT],
            manifest=shown.active[:MAX_TEXT],
            kind=_KINDS.get(str(map_of(data.get("signer_payload")).get("sig_type", "")), "unknown"),
            named=_named(data),
            vouched_by=_vouched_by(data),
            readings=tuple(_reading(a, label) for a in answers),
        )
        for label, data in list(found.items())[:MAX_IDENTITIES]
    )


def _is_about_one(code: EngineCode) -> bool:
    is_identity = code.code.startswith(IDENTITY_PREFIX) and _is_identity(_label(code))
    return is_identity and code.scope is Scope.ACTIVE


def _is_identity(label: str) -> bool:
    return label.partition("__")[0] == LABEL


def _label(code: EngineCode) -> str:
    return code.where.rpartition("/")[2]


def _named(data: dict[str, Json]) -> tuple[str, ...]:
    """Each identity that an aggregator says it has verified, or else the subject of the certificate."""
    if listed := list_of(_somewhere(data, "verifiedIdentities", _MAX_DEPTH)):
        return tuple(filter(None, (_identity(map_of(item)) for item in listed[:MAX_NAMES])))
    signer = map_of(data.get("signature_info"))
    name, organisation = signer.get("common_name"), signer.get("issuer")
    if not name:
        return ()
    of = f" ({organisation})" if organisation not in (None, name) else ""
    return (f"{name}{of}"[:MAX_TEXT],)


def _identity(item: Mapping[str, Json]) -> str:
    name = str(item.get("name") or item.get("username") or item.get("uri") or "")
    provider = str(map_of(item.get("provider")).get("name") or map_of(item.get("provider")).get("id") or "")
    said = f"{name}, {item['uri']}" if item.get("uri") not in (None, "", name) else name
    return (f"{said}, as {provider} knows them" if said and provider else said)[:MAX_TEXT]


def _vouched_by(data: dict[str, Json]) -> str:
    if map_of(data.get("signature_info")).get("common_name"):
        return "a certificate of their own"
    issuer = _somewhere(data, "issuer", _MAX_DEPTH)
    issuer = issuer.get("id") if isinstance(issuer, dict) else issuer
    return str(issuer)[:MAX_TEXT] if isinstance(issuer, str) and issuer else "nobody who could be read"


def _somewhere(value: Json, key: str, depth: int) -> Json:
    """The first value of that key; engines nest what they show of a credential, each release another way."""
    if not isinstance(value, dict) or not depth:
        return None
    if key in value:
        return value[key]
    below = (_somewhere(v, key, depth - 1) for k, v in value.items() if k != "signer_payload")
    return next((found for found in below if found is not None), None)


def _reading(answer: EngineAnswer, label: str) -> IdentityReading:
    said = [c for c in answer.codes if _is_about_one(c) and _label(c) == label]
    said = [c for c in said if not c.code.endswith(_BY_CLOCK)]
    against = [c for c in said if c.kind == "failure" and not c.code.endswith(_NOT_AGAINST)]
    holds = [c for c in said if c.kind == "success"]
    if against:
        finding = IdentityFinding.FAILS
    else:
        finding = IdentityFinding.HOLDS if holds else IdentityFinding.NOT_EXAMINED
    nothing = "it says nothing about it" if answer.state is EngineState.READ else "it could not read the file"
    detail = next((c.detail for c in (*against, *holds, *said) if c.detail), nothing)
    return IdentityReading(
        engine=answer.engine,
        finding=finding,
        codes=tuple(dict.fromkeys(c.code for c in said))[:MAX_CODES],
        detail=detail[:MAX_TEXT],
    )
