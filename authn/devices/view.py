"""A device as everybody is shown it: over HTTP, by commands, among the facts of a report."""

from __future__ import annotations

from authn.core.instants import instant
from authn.devices import ASSURANCE_LEVELS, ASSURANCE_LIMITS, DeviceRecord

Shown = dict[str, str | int | None]


def device_view(device: DeviceRecord) -> Shown:
    """Times in RFC 3339; of the level also what it says, and what it leaves open."""
    return {
        "device_id": device.device_id,
        "name": device.name,
        "spki_sha256": device.spki_sha256,
        "enrolled_at": instant(device.enrolled_at),
        "assurance_level": device.assurance_level,
        "assurance": ASSURANCE_LEVELS[device.assurance_level],
        "assurance_limit": ASSURANCE_LIMITS[device.assurance_level],
        "attestation_fmt": device.attestation_fmt,
        "attested_at": instant(device.attested_at) if device.attested_at else None,
        "revoked_at": instant(device.revoked_at) if device.revoked_at else None,
        "invalid_since": instant(device.invalid_since) if device.invalid_since else None,
        "revocation_reason": device.revocation_reason,
    }
