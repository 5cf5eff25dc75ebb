"""``android-key``: an Android Key Attestation as an enrolment brings it, under the operator's terms.

The attestation challenge is the 32 bytes of ours; ``x5c`` is the chain, leaf first, root last.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from authn.devices.attestation.android import AndroidAttestation, require_capture_key, verify_android
from authn.devices.attestation.android_parse import ApplicationId, RootOfTrust
from authn.devices.attestation.android_status import read_status
from authn.devices.attestation.attested import Asked, Attested, Fact, base64_chain, members

FMT = "android-key"
TEXTS = ("attestationIdBrand", "attestationIdModel")
NUMBERS = ("osVersion", "osPatchLevel", "vendorPatchLevel", "bootPatchLevel")


def verify_android_key(sent: Mapping[str, object], asked: Asked) -> Attested:
    """Level 3 or 4. Raises ``AttestationRefused``, and ``Unavailable`` where the list of revoked keys is."""
    (x5c,) = members(sent, "x5c")
    terms = asked.terms.android
    attestation = verify_android(
        base64_chain(x5c),
        challenge=asked.challenge,
        at=asked.at,
        status=read_status(terms.status_lists, now=asked.at, hours=terms.status_hours),
        root_keys=terms.root_keys,
    )
    level = require_capture_key(attestation, signatures=terms.signatures, packages=terms.packages)
    return Attested(fmt=FMT, level=level, spki=attestation.spki, facts=_facts(attestation))


def _facts(attestation: AndroidAttestation) -> tuple[tuple[str, Fact], ...]:
    description = attestation.description
    found: dict[str, Fact] = {
        "attestation_version": description.attestation_version,
        "security_level": attestation.security_level.name,
        "remotely_provisioned": attestation.remotely_provisioned,
    }
    root = description.hardware.value("rootOfTrust")
    if isinstance(root, RootOfTrust):
        found["boot_state"] = root.verified_boot_state.name
        found["boot_key_sha256"] = sha256(root.verified_boot_key).hexdigest()
    for name in NUMBERS:
        value = description.hardware.value(name)
        found[name] = value if isinstance(value, int) else None
    for name in TEXTS:
        value = description.hardware.value(name)
        found[name] = value.decode("utf-8", "replace")[:100] if isinstance(value, bytes) else None
    application = description.software.value("attestationApplicationId")
    if isinstance(application, ApplicationId):
        found["packages"] = " ".join(p.name for p in application.packages)[:300]
    return tuple((name, value) for name, value in found.items() if value is not None)
