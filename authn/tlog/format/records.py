"""The records that are committed to, one function for each kind; docs/formats/log.md lists their fields."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authn.core.keys import spki_sha256
from authn.tlog.format.entry import EntryKind, LogEntry, Value, new_entry


def certificate_issued(
    device_id: str,
    certificate: x509.Certificate,
    *,
    assurance_level: int = 0,
    attestation_sha256: str | None = None,
) -> LogEntry:
    """For every certificate, before it is handed out: it binds the operator to the level that it gave the
    key, and to the evidence that came with this request."""
    return new_entry(
        EntryKind.CERTIFICATE,
        {
            "assurance_level": assurance_level,
            "attestation_sha256": attestation_sha256,
            "device_id": device_id,
            **_named(certificate),
        },
    )


def authority_certificate(role: str, certificate: x509.Certificate) -> LogEntry:
    """For a certificate of the service's own that devices' certificates depend on: "issuing" or "ocsp"."""
    return new_entry(EntryKind.CERTIFICATE, {"role": role, **_named(certificate)})


def tsa_changed(certificate: x509.Certificate, *, policy: str, url: str) -> LogEntry:
    """For the time-stamp authority of the service: its certificate, what it promises (an OID), and where
    devices are sent instead; empty: nowhere else."""
    return new_entry(EntryKind.TSA, {"policy": policy, "url": url or None, **_named(certificate)})


def policy_changed(which: str, digest: str | None) -> LogEntry:
    """For the policy that words reports ("report") or chooses witnesses ("witness"): the SHA-256 of its file,
    None where there is none any more."""
    return new_entry(EntryKind.POLICY, {"policy": which, "sha256": digest})


def revoked(
    device_id: str, *, serial: str | None, cause: str, revoked_at: datetime, invalid_since: datetime
) -> LogEntry:
    """For every row of the revocations; ``serial`` is None where the whole device is meant. The reason, which
    a person wrote, is left out."""
    return new_entry(
        EntryKind.REVOCATION,
        {
            "cause": cause,
            "device_id": device_id,
            "invalid_since": _instant(invalid_since),
            "revoked_at": _instant(revoked_at),
            "serial": serial,
        },
    )


def _named(certificate: x509.Certificate) -> dict[str, Value]:
    return {
        "certificate_sha256": sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        "not_after": _instant(certificate.not_valid_after_utc),
        "not_before": _instant(certificate.not_valid_before_utc),
        "serial": f"{certificate.serial_number:x}",
        "spki_sha256": spki_sha256(certificate.public_key()),
    }


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
