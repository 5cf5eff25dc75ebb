"""Device records as JSON, and a registry view that answers from them: for audits and for bundles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from authn.core.instants import instant, utc_of
from authn.core.plain import Json
from authn.devices import DeviceRecord, RevokedCertificate

TIMES = ("enrolled_at", "attested_at", "revoked_at", "invalid_since")


class RegistryCopy:
    """A ``RegistryView`` that answers from memory, and can be sent to a worker."""

    def __init__(self, records: Iterable[DeviceRecord]) -> None:
        self._by_key = {r.spki_sha256: r for r in records}

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        return self._by_key.get(spki_sha256)


def record_json(record: DeviceRecord) -> dict[str, Json]:
    times = {name: getattr(record, name) for name in TIMES}
    return {
        "device_id": record.device_id,
        "name": record.name,
        "spki_sha256": record.spki_sha256,
        "assurance_level": record.assurance_level,
        "attestation_fmt": record.attestation_fmt,
        "revocation_reason": record.revocation_reason,
        **{name: instant(t) if t else None for name, t in times.items()},
        "repeated_counters": list(record.repeated_counters),
        "revoked_certificates": [
            {"serial": c.serial, "invalid_since": instant(c.invalid_since), "reason": c.reason}
            for c in record.revoked_certificates
        ],
    }


def record_of(found: Mapping[str, object]) -> DeviceRecord:
    """Raises ``ValueError``, ``TypeError`` or ``KeyError`` for what is no record."""
    found = {"attested_at": None, **found}  # version 0.1.0 wrote none
    times = {name: utc_of(str(t)) if (t := found[name]) else None for name in TIMES}
    revoked = found.get("revoked_certificates", ())  # version 0.1.0 wrote none
    if not isinstance(revoked, list | tuple):
        raise TypeError("revoked_certificates is no list")
    repeated = found.get("repeated_counters", ())
    if not isinstance(repeated, list | tuple) or not all(type(n) is int for n in repeated):
        raise TypeError("repeated_counters is no list of numbers")
    certificates = tuple(
        RevokedCertificate(
            serial=str(c["serial"]),
            invalid_since=utc_of(str(c["invalid_since"])),
            reason=str(c["reason"]),
        )
        for c in revoked
    )
    parts = {"revoked_certificates": certificates, "repeated_counters": tuple(repeated)}
    return DeviceRecord(**{**found, **times, **parts})  # type: ignore[arg-type]
