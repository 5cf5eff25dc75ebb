"""Google's list of Android attestation keys that were revoked or suspended, as the operator downloaded it.

Source: android.googleapis.com/attestation/status. The list has no date of its own, so the file's does: an old
download knows nothing of keys that leaked since, and is not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from authn.core.errors import FileUnusable

MAX_BYTES = 64 << 20
SERIAL = re.compile(r"[0-9a-f]{1,64}")
MAX_AHEAD = timedelta(minutes=5)  # clocks of two machines


def read_status(files: Sequence[Path], *, now: datetime, hours: int) -> dict[str, str]:
    """Serial number (lower-case hexadecimal without leading zeros) -> what is wrong with it, of all files
    together. Raises ``Unavailable`` for none, one that cannot be read or one older than ``hours``."""
    if not files:
        raise FileUnusable("there is no list of revoked Android keys (setting android_status)")
    found: dict[str, str] = {}
    for file in files:
        found |= _read(file, now, timedelta(hours=hours))
    return found


def _read(file: Path, now: datetime, most: timedelta) -> dict[str, str]:
    try:
        with file.open("rb") as f:
            data = f.read(MAX_BYTES + 1)
        changed = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as e:
        raise FileUnusable(f"the list of revoked Android keys {file} cannot be read: {e.strerror}") from e
    except (OverflowError, ValueError) as e:  # a file system can hold a time that no calendar here has
        raise FileUnusable(f"the list of revoked Android keys {file} has an impossible time") from e
    if len(data) > MAX_BYTES:
        raise FileUnusable(f"the list of revoked Android keys {file} is too large")
    if not -MAX_AHEAD <= now - changed <= most:
        raise FileUnusable(
            f"the list of revoked Android keys is of {changed:%Y-%m-%d %H:%M}Z: fetch it again"
        )
    try:
        return parse_status(data)
    except ValueError as e:
        raise FileUnusable(f"{file} is not Google's list of revoked Android keys: {e}") from e


def parse_status(data: bytes) -> dict[str, str]:
    """Whatever the status of an entry is called, it counts: there is none for keys that are good. Raises
    ``ValueError``."""
    try:
        document = json.loads(data)
    except RecursionError as e:
        raise ValueError("nested too deeply") from e
    entries = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise ValueError("it has no entries")  # noqa: TRY004
    found = {}
    for serial, entry in entries.items():
        status = entry.get("status") if isinstance(entry, dict) else None
        if not SERIAL.fullmatch(serial) or not isinstance(status, str) or not status.isascii():
            raise ValueError(f"the entry {serial[:70]!r} is not a serial number with a status")
        found[serial.lstrip("0") or "0"] = status[:40]
    return found
