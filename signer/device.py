"""The device as it lies in its folder: who it is, which key and chain it signs with, how far it counted.

``home/devices/NAME/{device.json, chain.pem, tsa-roots.pem, counter, asked/}``, and from a service elsewhere
what this machine judges by: ``signer-roots.pem``, ``log.vkey``. The record holds no secret: the key is named
by URI. The counter is what changes, under a lock, and on the disk before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from signer.core.durable import write_durably
from signer.core.errors import DeviceUnusable
from signer.core.locks import lock_file
from signer.proof.certificates import Certificate, read_pem

RECORD_VERSION = 1
SIGNER_ROOTS_FILE, TSA_ROOTS_FILE, LOG_KEY_FILE = "signer-roots.pem", "tsa-roots.pem", "log.vkey"
_MAX_FILE_BYTES = 1 << 20
_CHECK_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """``chain_pem`` is leaf first. Empty URLs mean: the service on this machine."""

    folder: Path
    device_id: str
    name: str
    key_uri: str
    chain_pem: bytes
    service_url: str = ""
    tsa_url: str = ""
    tsa_roots: tuple[Certificate, ...] = ()


def save_identity(
    folder: Path,
    *,
    device_id: str,
    name: str,
    key_uri: str,
    chain_pem: bytes,
    service_url: str = "",
    tsa_url: str = "",
    tsa_roots_pem: bytes = b"",
    signer_roots_pem: bytes = b"",
    log_key: str = "",
) -> DeviceIdentity:
    """Write an enrolled device, the record last: a folder without one is no device. An existing counter goes
    on counting, and a log key that is remembered stays. Raises ``DeviceUnusable``."""
    record = {
        "version": RECORD_VERSION,
        "device_id": device_id,
        "name": name,
        "key_uri": key_uri,
        "service_url": service_url,
        "tsa_url": tsa_url,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remember_asked(folder / "asked", chain_pem)
        write_durably(folder / "chain.pem", chain_pem, mode=0o644)
        write_durably(folder / TSA_ROOTS_FILE, tsa_roots_pem, mode=0o644)
        if signer_roots_pem:
            write_durably(folder / SIGNER_ROOTS_FILE, signer_roots_pem, mode=0o644)
        if log_key and not (folder / LOG_KEY_FILE).exists():
            write_durably(folder / LOG_KEY_FILE, f"{log_key}\n".encode(), mode=0o644)
        if not (folder / "counter").exists():
            write_durably(folder / "counter", _counter_line(0))
        write_durably(folder / "device.json", json.dumps(record, indent=1).encode() + b"\n")
    except OSError as e:
        raise DeviceUnusable(f"the device folder {folder} cannot be written: {e.strerror}") from e
    return open_identity(folder)


def _remember_asked(folder: Path, chain_pem: bytes) -> None:
    """Every certificate that was asked for: a monitor of the log takes any other one for a stranger's."""
    folder.mkdir(exist_ok=True, mode=0o700)
    name = hashlib.sha256(chain_pem).hexdigest()[:32]
    write_durably(folder / f"{name}.pem", chain_pem, mode=0o644)


def open_identity(folder: Path) -> DeviceIdentity:
    """Raises ``DeviceUnusable`` where the folder holds no readable record. Does not open the key."""
    raw = _read(folder / "device.json")
    try:
        record = json.loads(raw)
        texts = {k: record[k] for k in ("device_id", "name", "key_uri", "service_url", "tsa_url")}
    except (ValueError, TypeError, KeyError) as e:
        raise DeviceUnusable(f"{folder / 'device.json'} is not a device record") from e
    if record.get("version") != RECORD_VERSION or not all(isinstance(v, str) for v in texts.values()):
        raise DeviceUnusable(f"{folder / 'device.json'} is not a device record of version {RECORD_VERSION}")
    roots = _read(folder / TSA_ROOTS_FILE) if (folder / TSA_ROOTS_FILE).exists() else b""
    return DeviceIdentity(
        folder=folder,
        chain_pem=_read(folder / "chain.pem"),
        tsa_roots=_certificates(roots, folder / TSA_ROOTS_FILE),
        **texts,
    )


def choose_identity(devices: Path, name: str | None) -> DeviceIdentity:
    """The device of that name, or the only one there is. Raises ``DeviceUnusable``, naming the choices."""
    names = enrolled_names(devices)
    if name is None:
        if len(names) == 1:
            return open_identity(devices / names[0])
        if not names:
            raise DeviceUnusable("no device is enrolled here; run `assay device enrol NAME`")
        raise DeviceUnusable(f"several devices are enrolled; choose one with --device: {', '.join(names)}")
    if name not in names:
        known = ", ".join(names) or "none"
        raise DeviceUnusable(f"no device {name!r} is enrolled here; enrolled: {known}")
    return open_identity(devices / name)


def enrolled_names(devices: Path) -> tuple[str, ...]:
    """Names of the folders that hold a device record, sorted."""
    if not devices.is_dir():
        return ()
    return tuple(sorted(d.name for d in devices.iterdir() if (d / "device.json").is_file()))


def next_counter(folder: Path) -> int:
    """The next number of this device, never given out twice. Raises ``DeviceUnusable``.

    The lock orders processes; the number is on the disk before it is returned, so that a crash skips it
    instead of repeating it. The line is rewritten in place, shorter than a sector, and carries a check sum:
    a torn or edited line stops the device, it never takes the count back. Deleting the file does not start
    again at one either.
    """
    path = folder / "counter"
    try:
        file = lock_file(path, make=False)
    except OSError as e:
        raise DeviceUnusable(f"the counter {path} cannot be opened: {e.strerror}; enrol again") from e
    with file:
        try:
            number = _parse_counter(file.read(_MAX_FILE_BYTES) or b"", path) + 1
            os.pwrite(file.fileno(), _counter_line(number), 0)
            os.fsync(file.fileno())
        except OSError as e:
            raise DeviceUnusable(f"the counter {path} cannot be advanced: {e.strerror}") from e
    return number


def _counter_line(number: int) -> bytes:
    digits = f"{number:020d}"
    return f"{digits} {_check(digits)}\n".encode()


def _parse_counter(line: bytes, path: Path) -> int:
    digits, _, check = line.decode("ascii", "replace").rstrip("\n").partition(" ")
    if not digits.isdigit() or check != _check(digits):
        raise DeviceUnusable(f"the counter {path} is damaged; enrol again rather than count twice")
    return int(digits)


def _check(digits: str) -> str:
    return hashlib.sha256(digits.encode()).hexdigest()[:_CHECK_DIGITS]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as f:
            return f.read(_MAX_FILE_BYTES)
    except OSError as e:
        raise DeviceUnusable(f"{path} cannot be read: {e.strerror}") from e


def _certificates(pem: bytes, path: Path) -> tuple[Certificate, ...]:
    try:
        return read_pem(pem)
    except ValueError as e:
        raise DeviceUnusable(f"{path} holds no certificates") from e
