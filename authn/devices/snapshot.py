"""Device records as JSON, and a registry view that answers from them: for audits and for bundles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from authn.devices import DeviceRecord
from authn.report.model import instant

TIMES = ("enrolled_at", "revoked_at", "invalid_since")


class RegistryCopy:
    """A ``RegistryView`` that answers from memory, and can be sent to a worker."""

    def __init__(self, records: Iterable[DeviceRecord]) -> None:
        self._by_key = {r.spki_sha256: r for r in records}

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        return self._by_key.get(spki_sha256)


def record_json(record: DeviceRecord) -> dict[str, str | int | None]:
    times = {name: getattr(record, name) for name in TIMES}
    return {
        "device_id": record.device_id,
        "name": record.name,
        "spki_sha256": record.spki_sha256,
        "assurance_level": record.assurance_level,
        "revocation_reason": record.revocation_reason,
        **{name: instant(t) if t else None for name, t in times.items()},
    }


def record_of(found: Mapping[str, object]) -> DeviceRecord:
    """Raises ``ValueError``, ``TypeError`` or ``KeyError`` for what is no record."""
    times = {name: datetime.fromisoformat(str(t)) if (t := found[name]) else None for name in TIMES}
    return DeviceRecord(**{**found, **times})  # type: ignore[arg-type]
