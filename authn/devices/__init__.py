"""Devices: who may sign, since when, until when. The verifier sees them through ``RegistryView`` only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# What a level says about the key, and what it leaves open. A level is what somebody other than the device has
# vouched for: a key in a token that nobody vouches for is at level 0.
ASSURANCE_LEVELS = {
    0: "software key, as far as anybody vouches for it: whoever reads the disk can copy it",
    1: "key of a browser or account: no script can read it, but it is copied with the profile or account",
    2: "key in an operating system's store or a token, not attested as held by hardware",
    3: "key in a TEE or TPM, attested by its maker",
    4: "key in StrongBox, a secure element or an HSM, attested by its maker",
}
_AT_ENROLMENT = (
    "It says nothing about the camera in front of the key, and describes the day of enrolment: not a device "
    "rooted or opened later, nor a maker's key that leaked."
)
ASSURANCE_LIMITS = {
    0: "It does not say where the key is or how many copies there are.",
    1: "It does not say how many devices hold a copy of the key.",
    2: "It does not say that the key cannot be copied, only that a known implementation made it.",
    3: _AT_ENROLMENT,
    4: _AT_ENROLMENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedCertificate:
    """One certificate that was revoked while its device was not; ``serial`` in hexadecimal."""

    serial: str
    invalid_since: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecord:
    """A registered key as the registry knows it. ``invalid_since`` may lie before ``revoked_at``; without an
    ``attestation_fmt`` nobody vouched for the key. ``repeated_counters``: numbers that several captures of
    the device bear."""

    device_id: str
    name: str
    spki_sha256: str
    enrolled_at: datetime
    assurance_level: int = 0
    attestation_fmt: str | None = None
    attested_at: datetime | None = None
    revoked_at: datetime | None = None
    invalid_since: datetime | None = None
    revocation_reason: str | None = None
    revoked_certificates: tuple[RevokedCertificate, ...] = ()
    repeated_counters: tuple[int, ...] = ()


class RegistryView(Protocol):
    """What the verifier may ask. A view answers from what it holds; it opens no socket."""

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        """The device whose SubjectPublicKeyInfo (DER) has this SHA-256 (hex), or None."""
        ...
