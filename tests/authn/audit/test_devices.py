"""An audit that goes on after days still sees the registry as it was when it was planned."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.audit.devices import DEVICES_FILE, load_devices, save_devices
from authn.core.errors import AuditError
from authn.devices import DeviceRecord
from authn.devices.snapshot import record_json

ENROLLED = DeviceRecord(
    device_id="d1",
    name="Kamera Nördlich",
    spki_sha256="aa" * 32,
    enrolled_at=datetime(2026, 1, 2, tzinfo=UTC),
)
REVOKED = DeviceRecord(
    device_id="d2",
    name="Lost",
    spki_sha256="bb" * 32,
    enrolled_at=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
    assurance_level=3,
    attestation_fmt="android-key",
    attested_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    revoked_at=datetime(2026, 5, 1, tzinfo=UTC),
    invalid_since=datetime(2026, 4, 1, tzinfo=UTC),
    revocation_reason="left in a taxi",
)


def test_a_copy_gives_back_every_record_and_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    save_devices(tmp_path, [ENROLLED, REVOKED])
    copy = load_devices(tmp_path)
    assert copy is not None
    sent = pickle.loads(pickle.dumps(copy))
    assert sent.device_by_key("aa" * 32) == ENROLLED
    assert sent.device_by_key("bb" * 32) == REVOKED
    assert sent.device_by_key("cc" * 32) is None


def test_a_copy_by_an_earlier_version_is_at_the_level_it_says_and_unattested(tmp_path: Path) -> None:
    old = {k: v for k, v in record_json(REVOKED).items() if k not in ("attestation_fmt", "attested_at")}
    (tmp_path / DEVICES_FILE).write_text(json.dumps(old) + "\n")
    copy = load_devices(tmp_path)
    assert copy is not None
    assert copy.device_by_key("bb" * 32) == replace(REVOKED, attestation_fmt=None, attested_at=None)


def test_no_registry_and_an_empty_one_are_different(tmp_path: Path) -> None:
    assert load_devices(tmp_path) is None
    save_devices(tmp_path, [])
    assert load_devices(tmp_path) is not None


@pytest.mark.parametrize("text", ["{}\n", "nonsense\n", '{"device_id": "x"}\n'])
def test_a_damaged_copy_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / DEVICES_FILE).write_text(text)
    with pytest.raises(AuditError, match="not a copy of a registry"):
        load_devices(tmp_path)
