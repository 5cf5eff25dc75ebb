"""The format android-key: real chains under an operator's terms, and Google's list of revoked keys."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from authn.core.errors import AttestationRefused, Unavailable
from authn.devices.attestation import verify_attestation
from authn.devices.attestation.android_roots import google_root_keys
from authn.devices.attestation.android_status import parse_status, read_status
from authn.devices.attestation.attested import AndroidTerms, Asked, Attested, Terms
from tests.authn.devices.test_android import LOCKED, chain, created_at, expected, folder, names

__all__ = ["folder"]  # a fixture
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEVELS = {"TRUSTED_ENVIRONMENT": 3, "STRONG_BOX": 4}


def list_of(tmp_path: Path, at: datetime, entries: dict[str, Any] | None = None) -> Path:
    file = tmp_path / "status.json"
    file.write_text(json.dumps({"entries": entries or {}}))
    os.utime(file, (at.timestamp(), at.timestamp()))
    return file


def examine(folder: Path, tmp_path: Path, name: str, entries: dict[str, Any] | None = None) -> Attested:
    wanted = expected(folder, name)
    at = created_at(wanted)
    applications = wanted["softwareEnforced"].get("attestationApplicationId", {"signatures": []})
    terms = AndroidTerms(
        root_keys=google_root_keys(),
        signatures=tuple(base64.b64decode(s) for s in applications["signatures"]),
        status_lists=(list_of(tmp_path, at, entries),),
    )
    asked = Asked(
        challenge=base64.b64decode(wanted["attestationChallenge"]),
        at=at,
        terms=Terms(formats=frozenset({"android-key"}), android=terms),
    )
    x5c = [base64.b64encode(der).decode() for der in chain(folder, name)]
    found = verify_attestation({"fmt": "android-key", "x5c": x5c}, asked)
    assert found is not None
    return found


def policy_of(wanted: dict[str, Any]) -> int | None:
    """The level by the operator's terms, from what Google's own reader says; None where it is refused."""
    hardware, root = wanted["hardwareEnforced"], wanted["hardwareEnforced"].get("rootOfTrust", {})
    held = {wanted["attestationSecurityLevel"], wanted["keyMintSecurityLevel"]}
    signs = set(hardware.get("purposes", [])) <= {"2", "3"} and "2" in hardware.get("purposes", [])
    p256 = (hardware.get("algorithms"), hardware.get("ecCurve")) == ("3", "1")
    booted = root.get("verifiedBootState") == "VERIFIED" and root.get("deviceLocked", False)
    good = held <= LEVELS.keys() and hardware.get("origin") == "GENERATED" and signs and p256 and booted
    return min(LEVELS[level] for level in held) if good else None


def test_real_chains_get_the_level_that_their_description_earns(folder: Path, tmp_path: Path) -> None:
    levels = []
    for name in names(folder):
        level = policy_of(expected(folder, name))
        if level is None:
            with pytest.raises(AttestationRefused):
                examine(folder, tmp_path, name)
            continue
        found = examine(folder, tmp_path, name)
        leaf = x509.load_der_x509_certificate(chain(folder, name)[0])
        facts = dict(found.facts)
        assert (found.fmt, found.level) == ("android-key", level), name
        assert found.spki.endswith(leaf.public_key().public_numbers().y.to_bytes(32, "big"))  # type: ignore[union-attr]
        assert (facts["boot_state"], facts["osPatchLevel"]) == (
            "VERIFIED",
            int(expected(folder, name)["hardwareEnforced"]["osPatchLevel"]),
        )
        levels.append(level)
    assert (levels.count(3), levels.count(4)) == (3, 2)


def test_a_real_chain_with_a_revoked_certificate_is_refused(folder: Path, tmp_path: Path) -> None:
    for der in chain(folder, LOCKED):
        serial = f"{x509.load_der_x509_certificate(der).serial_number:x}"
        with pytest.raises(AttestationRefused, match="SUSPENDED"):
            examine(folder, tmp_path, LOCKED, {serial: {"status": "SUSPENDED"}})
    assert examine(folder, tmp_path, LOCKED, {"2" * 20: {"status": "REVOKED"}}).level == 4


def test_a_list_as_google_serves_it_is_read(tmp_path: Path) -> None:
    served = {
        "entries": {
            "2c8cdddfd5e03bfc": {"status": "REVOKED", "reason": "KEY_COMPROMISE", "comment": "x"},
            "c8966fcb2fbb0d7a": {"status": "SUSPENDED", "reason": "SOFTWARE_FLAW", "expires": "2030-01-01"},
            "00ab": {"status": "REVOKED"},
        }
    }
    found = parse_status(json.dumps(served).encode())
    assert found == {"2c8cdddfd5e03bfc": "REVOKED", "c8966fcb2fbb0d7a": "SUSPENDED", "ab": "REVOKED"}


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"{}", b'{"entries": []}', b'{"entries": {"AB": {"status": "REVOKED"}}}',
        b'{"entries": {"x": {"status": "REVOKED"}}}', b'{"entries": {"ab": "REVOKED"}}',
        b'{"entries": {"ab": {}}}', b'{"entries": {"ab": {"status": 1}}}', b"\xff", b"[" * 100_000,
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_such_list_is_not_taken_for_an_empty_one(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "status.json"
    file.write_bytes(text)
    os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    with pytest.raises(Unavailable, match="not Google's list"):
        read_status((file,), now=NOW, hours=1)


def test_a_list_counts_until_it_is_too_old_and_all_lists_count_together(tmp_path: Path) -> None:
    first = list_of(tmp_path, NOW, {"ab": {"status": "REVOKED"}})
    (tmp_path / "other").mkdir()
    second = list_of(tmp_path / "other", NOW, {"cd": {"status": "REVOKED"}})
    at = NOW + timedelta(hours=48)
    assert read_status((first, second), now=at, hours=48) == {"ab": "REVOKED", "cd": "REVOKED"}
    with pytest.raises(Unavailable, match="fetch it again"):
        read_status((first, second), now=at + timedelta(seconds=1), hours=48)
    with pytest.raises(Unavailable, match="fetch it again"):
        read_status((first,), now=NOW - timedelta(hours=1), hours=48)
    with pytest.raises(Unavailable, match="there is no list"):
        read_status((), now=NOW, hours=48)
