"""The device registry as it was when an audit was planned.

An audit of a million files may take days and be interrupted; a device that is enrolled or revoked meanwhile
must not make its rows answer different questions. So the registry is copied into the run folder once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from authn.audit.plan import replace_file
from authn.devices import DeviceRecord
from authn.errors import AuditError
from authn.report.model import instant

DEVICES_FILE = "devices.jsonl"
TIMES = ("enrolled_at", "revoked_at", "invalid_since")


class RegistryCopy:
    """A ``RegistryView`` that answers from memory, and can be sent to a worker."""

    def __init__(self, records: Iterable[DeviceRecord]) -> None:
        self._by_key = {r.spki_sha256: r for r in records}

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        return self._by_key.get(spki_sha256)


def save_devices(folder: Path, records: Iterable[DeviceRecord]) -> None:
    lines = (json.dumps(_json(r)) + "\n" for r in records)
    replace_file(folder / DEVICES_FILE, "".join(lines))


def load_devices(folder: Path) -> RegistryCopy | None:
    """None where the audit was planned without a registry. Raises ``AuditError``."""
    path = folder / DEVICES_FILE
    if not path.exists():
        return None
    try:
        with path.open(encoding="utf-8") as f:
            return RegistryCopy([_record(json.loads(line)) for line in f])
    except (OSError, ValueError, TypeError, KeyError) as e:
        raise AuditError(f"{path} is not a copy of a registry: {e}") from e


def _json(record: DeviceRecord) -> dict[str, str | int | None]:
    times = {name: getattr(record, name) for name in TIMES}
    return {
        "device_id": record.device_id,
        "name": record.name,
        "spki_sha256": record.spki_sha256,
        "assurance_level": record.assurance_level,
        "revocation_reason": record.revocation_reason,
        **{name: instant(t) if t else None for name, t in times.items()},
    }


def _record(found: dict[str, str | int | None]) -> DeviceRecord:
    times = {name: datetime.fromisoformat(str(t)) if (t := found[name]) else None for name in TIMES}
    return DeviceRecord(**{**found, **times})  # type: ignore[arg-type]
