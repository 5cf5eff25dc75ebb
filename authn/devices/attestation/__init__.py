"""What the makers of devices say about the keys in them. Pure rules: no network, no clock, no registry.

``FORMATS`` is the table of what is understood. A new format is one line in it and one module.
"""

from __future__ import annotations

from collections.abc import Mapping

from authn.core.errors import AttestationRefused
from authn.devices.attestation.android_key import verify_android_key
from authn.devices.attestation.attested import Asked, Attested, Format, Prepared, Terms, members
from authn.devices.attestation.tpm import prepare_tpm, verify_tpm
from authn.devices.attestation.webauthn_formats import verify_apple, verify_packed

NONE = "none"
FORMATS: Mapping[str, Format] = {
    "android-key": Format(verify=verify_android_key),
    "apple": Format(verify=verify_apple),
    "packed": Format(verify=verify_packed),
    "tpm2": Format(verify=verify_tpm, prepare=prepare_tpm),
}


def verify_attestation(sent: Mapping[str, object], asked: Asked) -> Attested | None:
    """What the evidence in ``sent`` supports; None for the format ``none``, which brings none.

    Raises ``AttestationRefused``, and ``Unavailable`` where something of the operator's is missing.
    """
    name = _accepted(sent.get("fmt"), asked.terms)
    if name == NONE:
        members(sent)
        return None
    return FORMATS[name].verify(sent, asked)


def prepare_attestation(sent: Mapping[str, object], challenge: bytes, terms: Terms) -> Prepared:
    """The first step of a format of two; empty for the others. Raises ``AttestationRefused``."""
    if not sent:
        return Prepared(answer={}, state=b"")
    name = _accepted(sent.get("fmt"), terms)
    prepare = FORMATS[name].prepare if name in FORMATS else None
    if prepare is None:
        members(sent)
        return Prepared(answer={}, state=b"")
    return prepare(sent, challenge, terms)


def _accepted(name: object, terms: Terms) -> str:
    if not isinstance(name, str) or name not in terms.formats:
        accepted = ", ".join(sorted(terms.formats))
        raise AttestationRefused(f"this service takes attestations of the formats {accepted}")
    return name
