"""The device registry as it was when an audit was planned.

An audit of a million files may take days and be interrupted; a device that is enrolled or revoked meanwhile
must not make its rows answer different questions. So the registry is copied into the run folder once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from authn.audit.plan import replace_file
from authn.core.errors import AuditError
from authn.devices import DeviceRecord
from authn.devices.snapshot import RegistryCopy, record_json, record_of

DEVICES_FILE = "devices.jsonl"


def save_devices(folder: Path, records: Iterable[DeviceRecord]) -> None:
    lines = (json.dumps(record_json(r)) + "\n" for r in records)
    replace_file(folder / DEVICES_FILE, "".join(lines))


def load_devices(folder: Path) -> RegistryCopy | None:
    """None where the audit was planned without a registry. Raises ``AuditError``."""
    path = folder / DEVICES_FILE
    if not path.exists():
        return None
    try:
        with path.open(encoding="utf-8") as f:
            return RegistryCopy([record_of(json.loads(line)) for line in f])
    except (OSError, ValueError, TypeError, KeyError) as e:
        raise AuditError(f"{path} is not a copy of a registry: {e}") from e
