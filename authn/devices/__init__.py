"""Devices: who may sign, since when, until when. The verifier sees them through ``RegistryView`` only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

ASSURANCE_LEVELS = {
    0: "software key: a file that whoever reads the disk can copy",
    1: "browser key: not extractable by script, copyable with the profile",
    2: "key in an operating system's store or a token, not attested",
    3: "key in a TEE or TPM, attested by its maker",
    4: "key in StrongBox, a secure element or an HSM, attested by its maker",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedCertificate:
    """One certificate that was revoked while its device was not; ``serial`` in hexadecimal."""

    serial: str
    invalid_since: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecord:
    """A registered key as the registry knows it. ``invalid_since`` may lie before ``revoked_at``."""

    device_id: str
    name: str
    spki_sha256: str
    enrolled_at: datetime
    assurance_level: int = 0
    revoked_at: datetime | None = None
    invalid_since: datetime | None = None
    revocation_reason: str | None = None
    revoked_certificates: tuple[RevokedCertificate, ...] = ()


class RegistryView(Protocol):
    """What the verifier may ask. A view answers from what it holds; it opens no socket."""

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        """The device whose SubjectPublicKeyInfo (DER) has this SHA-256 (hex), or None."""
        ...
