"""A device is a name, a key and a status over time; certificate and row come together or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authn.core.config import load_settings
from authn.core.errors import (
    AuthnError,
    BadRequest,
    DeviceExists,
    EnrolmentRefused,
    RegistryError,
    Unavailable,
    UnknownDevice,
)
from authn.devices import DeviceRecord, RegistryView
from authn.devices.registry import Registry, open_registry
from authn.pki.authority import Authority, open_authority
from authn.service.enrolment.intake import Intake
from signer.core.digest import sha256_of
from tests.doubles.requests import csr_of

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(load_settings(environ={}, home=tmp_path_factory.mktemp("registry")), NOW)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(f"sqlite:///{tmp_path / 'assay.db'}")


@pytest.fixture
def intake(authority: Authority, registry: Registry) -> Intake:
    return Intake(authority, registry)


def key_of(key: ec.EllipticCurvePrivateKey) -> str:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256_of(spki).value.hex()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_an_enrolled_device_is_found_by_its_key_name_and_id(intake: Intake, registry: Registry) -> None:
    key = new_key()
    enrolled = intake.enrol("camera", csr_of(key), NOW)
    view: RegistryView = registry
    expected = DeviceRecord(
        device_id=enrolled.device.device_id, name="camera", spki_sha256=key_of(key), enrolled_at=NOW
    )
    assert view.device_by_key(key_of(key)) == expected
    assert registry.find("camera") == registry.find(expected.device_id) == expected
    assert registry.list() == (expected,)


def test_the_certificate_is_kept_with_its_device(intake: Intake, registry: Registry) -> None:
    enrolled = intake.enrol("camera", csr_of(), NOW)
    (kept,) = registry.certificates_of(enrolled.device.device_id)
    assert kept.serial == f"{enrolled.chain[0].serial_number:x}"
    assert kept.not_after == enrolled.chain[0].not_valid_after_utc


def test_an_unknown_key_is_nobody(registry: Registry) -> None:
    assert registry.device_by_key("00" * 32) is None
    with pytest.raises(UnknownDevice):
        registry.find("nobody")


def test_the_same_name_and_key_again_is_a_renewal_of_the_same_device(
    intake: Intake, registry: Registry
) -> None:
    key = new_key()
    first = intake.enrol("camera", csr_of(key), NOW)
    second = intake.enrol("camera", csr_of(key), NOW + timedelta(days=60))
    assert (first.renewed, second.renewed) == (False, True)
    assert second.device == first.device
    assert second.chain[0].serial_number != first.chain[0].serial_number
    assert len(registry.certificates_of(first.device.device_id)) == 2


def test_a_name_does_not_pass_to_another_key(intake: Intake, registry: Registry) -> None:
    intake.enrol("camera", csr_of(), NOW)
    with pytest.raises(DeviceExists, match="another key"):
        intake.enrol("camera", csr_of(), NOW)
    assert len(registry.list()) == 1


def test_a_key_does_not_get_a_second_name(intake: Intake, registry: Registry) -> None:
    key = new_key()
    intake.enrol("camera", csr_of(key), NOW)
    with pytest.raises(DeviceExists, match="another name"):
        intake.enrol("other", csr_of(key), NOW)
    assert [d.name for d in registry.list()] == ["camera"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "-x", ".x", "a b", "ü", "a\n", "x" * 65, "a\0"]
)
def test_a_name_that_could_not_be_a_folder_is_refused(intake: Intake, registry: Registry, name: str) -> None:
    with pytest.raises(BadRequest):
        intake.enrol(name, csr_of(), NOW)
    assert registry.list() == ()


def test_an_authority_that_fails_leaves_no_device_behind(registry: Registry) -> None:
    def fail(_device_id: str) -> tuple[()]:
        raise Unavailable("the key is gone")

    with pytest.raises(Unavailable, match="the key is gone"):
        registry.enrol(name="camera", spki_sha256="00" * 32, now=NOW, issue=fail)
    assert registry.list() == ()


def test_of_two_enrolments_at_once_for_one_name_one_wins(intake: Intake, registry: Registry) -> None:
    def attempt(_: int) -> type[AuthnError] | None:
        try:
            intake.enrol("camera", csr_of(), NOW)
        except AuthnError as e:
            return type(e)
        return None

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(attempt, range(8)))
    assert outcomes.count(None) == 1
    assert outcomes.count(DeviceExists) == 7
    assert len(registry.list()) == 1


def test_a_revocation_may_look_back_and_keeps_both_times(intake: Intake, registry: Registry) -> None:
    key = new_key()
    intake.enrol("camera", csr_of(key), NOW)
    stolen = NOW + timedelta(days=1)
    noticed = NOW + timedelta(days=3)
    registry.revoke("camera", reason=" stolen ", now=noticed, invalid_since=stolen)
    found = registry.device_by_key(key_of(key))
    assert found is not None
    assert (found.revoked_at, found.invalid_since, found.revocation_reason) == (noticed, stolen, "stolen")


def test_a_revocation_starts_now_unless_it_says_otherwise(intake: Intake, registry: Registry) -> None:
    intake.enrol("camera", csr_of(), NOW)
    record = registry.revoke("camera", reason="lost", now=NOW + timedelta(days=2))
    assert record.revoked_at == record.invalid_since == NOW + timedelta(days=2)


def test_a_second_revocation_can_only_look_further_back(intake: Intake, registry: Registry) -> None:
    intake.enrol("camera", csr_of(), NOW)
    noticed = NOW + timedelta(days=3)
    registry.revoke("camera", reason="lost", now=noticed)
    with pytest.raises(RegistryError, match="revoked already"):
        registry.revoke("camera", reason="found again", now=noticed + timedelta(days=1))
    moved = registry.revoke("camera", reason="stolen", now=noticed + timedelta(days=1), invalid_since=NOW)
    assert (moved.revoked_at, moved.invalid_since) == (noticed, NOW)


def test_a_revocation_in_the_future_is_refused(intake: Intake, registry: Registry) -> None:
    intake.enrol("camera", csr_of(), NOW)
    with pytest.raises(BadRequest, match="future"):
        registry.revoke("camera", reason="lost", now=NOW, invalid_since=NOW + timedelta(seconds=1))
    assert registry.find("camera").revoked_at is None


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201, "\u202egnipyt"])
def test_a_reason_that_could_mislead_a_reader_is_refused(
    intake: Intake, registry: Registry, reason: str
) -> None:
    intake.enrol("camera", csr_of(), NOW)
    with pytest.raises(BadRequest):
        registry.revoke("camera", reason=reason, now=NOW)
    assert registry.find("camera").revoked_at is None


def test_a_revoked_key_gets_no_new_certificate(intake: Intake, registry: Registry) -> None:
    key = new_key()
    device = intake.enrol("camera", csr_of(key), NOW).device
    registry.revoke("camera", reason="lost", now=NOW)
    with pytest.raises(EnrolmentRefused, match="revoked"):
        intake.enrol("camera", csr_of(key), NOW)
    assert len(registry.certificates_of(device.device_id)) == 1


def test_nobody_that_is_not_enrolled_can_be_revoked(registry: Registry) -> None:
    with pytest.raises(UnknownDevice):
        registry.revoke("nobody", reason="lost", now=NOW)


def test_an_id_wins_over_a_device_that_took_it_as_its_name(intake: Intake, registry: Registry) -> None:
    device = intake.enrol("camera", csr_of(), NOW).device
    intake.enrol(device.device_id, csr_of(), NOW)
    assert registry.find(device.device_id).name == "camera"
