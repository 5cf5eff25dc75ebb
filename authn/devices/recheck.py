"""Looking again at what vouched for a device: a key of its maker may have leaked since the device enrolled.

It warns and changes nothing: whether a device is to be revoked, and from when on, is the operator's decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from authn.devices.attestation.android_key import FMT as ANDROID_KEY
from authn.devices.attestation.attested import base64_chain
from authn.devices.registry import AttestationRecord, Registry
from signer.proof.certificates import read_certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Distrusted:
    """A device whose attestation rests on a certificate (``serial``, hexadecimal) that is listed now."""

    name: str
    serial: str
    status: str


def recheck_android(registry: Registry, status: Mapping[str, str]) -> tuple[Distrusted, ...]:
    """Every device that is not revoked and whose kept evidence names a listed certificate; ``status`` as
    ``android_status.read_status`` gives it. Raises ``Unavailable``."""
    found = []
    for device in registry.list():
        if device.revoked_at is None:
            serials = {s for a in registry.attestations_of(device.device_id) for s in _serials(a)}
            listed = sorted(s for s in serials if s in status)
            found += [Distrusted(name=device.name, serial=s, status=status[s]) for s in listed]
    return tuple(found)


def _serials(attestation: AttestationRecord) -> Iterator[str]:
    if attestation.fmt == ANDROID_KEY:
        for der in base64_chain(json.loads(attestation.statement)["x5c"]):
            yield f"{read_certificate(der).serial_number:x}"
