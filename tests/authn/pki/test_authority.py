"""Two separate trees, made whole or not at all, never over old ones; leaves as C2PA wants them."""

from __future__ import annotations

import multiprocessing
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from authn.core.config import Settings, load_settings
from authn.core.errors import EnrolmentRefused, Unavailable, UntrustedChain
from authn.pki.authority import REQUIRED_FILES, Authority, open_authority
from authn.pki.chains import verify_signer_path
from authn.pki.clock import kernel_clock_is_synchronised
from authn.pki.own_roots import OwnRoots, own_roots
from authn.pki.profile import MAX_CSR_BYTES, parse_csr
from signer.claim import CaptureClaim, DeviceAssertion
from signer.credential import sign_media
from signer.proof.timestamp import build_request, parse_response, verify_token
from tests.doubles.media import tiny_jpeg
from tests.doubles.requests import csr_of, greedy_csr, stolen_csr
from tests.programs import require_program

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
DEVICE_ID = "0123456789abcdef0123456789abcdef"


def settings_of(home: Path, **flags: object) -> Settings:
    return load_settings(environ={}, home=home, **flags)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture(scope="module")
def authority(home: Path) -> Authority:
    return open_authority(settings_of(home), NOW)


def issue(
    authority: Authority, key: ec.EllipticCurvePrivateKey | None = None
) -> tuple[x509.Certificate, ...]:
    return authority.issue_device(csr_of(key), DEVICE_ID, "camera", NOW)


def test_opening_again_finds_the_same_authorities(authority: Authority, home: Path) -> None:
    again = open_authority(settings_of(home), NOW + timedelta(days=1))
    assert again.device_roots == authority.device_roots
    assert again.tsa_roots == authority.tsa_roots
    assert again.issuing == authority.issuing


def test_devices_and_time_have_separate_roots_and_keys(authority: Authority) -> None:
    certificates = (
        *authority.device_roots,
        *authority.tsa_roots,
        authority.issuing,
        authority.stamper.certificate,
    )
    keys = {c.public_key().public_numbers().x for c in certificates}  # type: ignore[union-attr]
    assert len(keys) == 4


def test_private_keys_are_encrypted_and_readable_by_their_owner_alone(
    authority: Authority, home: Path
) -> None:
    keys, pins = sorted((home / "pki").glob("*.key.pem")), sorted((home / "pki").glob("*.pin"))
    assert len(keys) == len(pins) == 4
    assert stat.S_IMODE((home / "pki").stat().st_mode) == 0o700
    for path in (*keys, *pins):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(b"ENCRYPTED" in path.read_bytes() for path in keys)
    assert authority.issuer.key.curve.name == "secp256r1"


def test_a_leaf_is_what_the_c2pa_profile_asks_for(authority: Authority) -> None:
    leaf, issuing = issue(authority)
    assert issuing == authority.issuing
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.crl_sign
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert {p.dotted_string for p in purposes.value} == {"1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.4"}
    leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    subject = {a.oid: a.value for a in leaf.subject}
    assert subject[NameOID.ORGANIZATION_NAME] == "Assay devices"
    assert subject[NameOID.COMMON_NAME] == "camera"
    assert subject[NameOID.SERIAL_NUMBER] == DEVICE_ID


def test_a_leaf_lasts_as_long_as_the_setting_says_and_tolerates_a_slow_clock(home: Path) -> None:
    short = open_authority(settings_of(home, certificate_days=7), NOW)
    leaf = issue(short)[0]
    assert leaf.not_valid_after_utc == NOW + timedelta(days=7)
    assert leaf.not_valid_before_utc == NOW - timedelta(hours=1)


def test_a_leaf_never_outlives_its_issuer(authority: Authority) -> None:
    late = authority.issuing.not_valid_after_utc - timedelta(days=3)
    leaf = authority.issue_device(csr_of(), DEVICE_ID, "camera", late)[0]
    assert leaf.not_valid_after_utc == authority.issuing.not_valid_after_utc


def test_an_issuer_whose_time_is_over_issues_nothing(authority: Authority) -> None:
    with pytest.raises(Unavailable, match="ended"):
        authority.issue_device(csr_of(), DEVICE_ID, "camera", authority.issuing.not_valid_after_utc)


def test_the_chain_verifies_under_the_device_root_and_not_under_the_tsa_root(authority: Authority) -> None:
    leaf, issuing = issue(authority)
    path = verify_signer_path(leaf, (issuing,), authority.device_roots, at=NOW)
    assert path == (leaf, issuing, *authority.device_roots)
    with pytest.raises(UntrustedChain):
        verify_signer_path(leaf, (issuing,), authority.tsa_roots, at=NOW)


def test_openssl_accepts_the_chain_in_strict_mode(authority: Authority, home: Path, tmp_path: Path) -> None:
    leaf, issuing = issue(authority)
    (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (tmp_path / "issuing.pem").write_bytes(issuing.public_bytes(Encoding.PEM))
    command = [require_program("openssl"), "verify", "-x509_strict", "-attime", str(int(NOW.timestamp()))]
    command += ["-CAfile", str(home / "pki" / "device-root.pem"), "-untrusted", "issuing.pem", "leaf.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_signing_engine_accepts_the_leaf(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    chain = open_authority(settings_of(tmp_path), now).issue_device(csr_of(key), DEVICE_ID, "camera", now)
    claim = CaptureClaim(
        title="photo",
        captured_at=now,
        device=DeviceAssertion(device_id=DEVICE_ID, counter=1, nonce=bytes(16)),
    )
    pem = b"".join(c.public_bytes(Encoding.PEM) for c in chain)
    signed = sign_media(tiny_jpeg(), "image/jpeg", claim, key, pem)
    assert DEVICE_ID.encode() in signed


def test_what_a_request_asks_for_beyond_its_key_is_ignored(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = authority.issue_device(greedy_csr(key), DEVICE_ID, "camera", NOW)[0]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "camera"
    assert leaf.public_key() == key.public_key()


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        (b"", "cannot be parsed"),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "cannot be parsed",
        ),
        (b"0" * 100, "cannot be parsed"),
        (b"\xff" * (MAX_CSR_BYTES + 1), "more than"),
        (csr_of(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (csr_of(ec.generate_private_key(ec.SECP256K1())), "P-256"),
        (csr_of(rsa.generate_private_key(65537, 2048)), "P-256"),
        (stolen_csr(), "not signed by its own key"),
    ],
    ids=["empty", "bad-pem", "bad-der", "huge", "p384", "secp256k1", "rsa", "no-possession"],
)
def test_a_request_that_proves_no_p256_key_is_refused(csr: bytes, why: str) -> None:
    with pytest.raises(EnrolmentRefused, match=why):
        parse_csr(csr)


def test_the_time_stamp_certificate_can_stamp_and_nothing_else(authority: Authority) -> None:
    certificate = authority.stamper.certificate
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert purposes.critical
    assert list(purposes.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
    assert certificate.not_valid_after_utc >= NOW + timedelta(days=9 * 365)


def test_a_stamp_verifies_under_the_tsa_root_and_not_under_the_device_root(tmp_path: Path) -> None:
    authority = open_authority(settings_of(tmp_path))
    reply = authority.timestamp_authority().respond(build_request(b"message", 12345))
    token = parse_response(reply)
    stamped = verify_token(token, b"message", authority.tsa_roots, nonce=12345)
    assert abs(stamped.gen_time - datetime.now(UTC)) < timedelta(minutes=1)
    from signer.core.errors import TimestampUntrusted

    with pytest.raises(TimestampUntrusted):
        verify_token(token, b"message", authority.device_roots, nonce=12345)


def test_a_clock_that_must_be_synchronised_is_asked(tmp_path: Path) -> None:
    demanding = open_authority(settings_of(tmp_path, require_clock_sync=True))
    assert demanding.clock_synchronised is kernel_clock_is_synchronised
    assert open_authority(settings_of(tmp_path)).clock_synchronised()


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_missing_part_is_named_and_nothing_is_made_in_its_place(tmp_path: Path, name: str) -> None:
    open_authority(settings_of(tmp_path), NOW)
    (tmp_path / "pki" / name).unlink()
    with pytest.raises(Unavailable, match=f"{name} is missing"):
        open_authority(settings_of(tmp_path), NOW)
    assert not (tmp_path / "pki" / name).exists()


def test_root_keys_may_be_moved_off_the_machine(tmp_path: Path) -> None:
    made = open_authority(settings_of(tmp_path), NOW)
    for role in ("device-root", "tsa-root"):
        (tmp_path / "pki" / f"{role}.key.pem").unlink()
        (tmp_path / "pki" / f"{role}.pin").unlink()
    assert open_authority(settings_of(tmp_path), NOW).issuing == made.issuing


def test_keys_that_do_not_belong_to_their_certificate_are_refused(tmp_path: Path) -> None:
    open_authority(settings_of(tmp_path / "a"), NOW)
    open_authority(settings_of(tmp_path / "b"), NOW)
    for suffix in (".key.pem", ".pin"):
        foreign = tmp_path / "b" / "pki" / f"device-issuing{suffix}"
        foreign.replace(tmp_path / "a" / "pki" / f"device-issuing{suffix}")
    with pytest.raises(Unavailable, match="does not belong"):
        open_authority(settings_of(tmp_path / "a"), NOW)


def test_a_root_of_another_installation_is_noticed(tmp_path: Path) -> None:
    open_authority(settings_of(tmp_path / "a"), NOW)
    open_authority(settings_of(tmp_path / "b"), NOW)
    (tmp_path / "b" / "pki" / "tsa-root.pem").replace(tmp_path / "a" / "pki" / "tsa-root.pem")
    with pytest.raises(Unavailable, match="was not issued by the root"):
        open_authority(settings_of(tmp_path / "a"), NOW)


def test_what_a_dead_maker_left_behind_is_not_used(tmp_path: Path) -> None:
    left = tmp_path / "pki.new"
    left.mkdir()
    (left / "device-root.key.pem").write_text("half a key")
    open_authority(settings_of(tmp_path), NOW)
    assert not left.exists()
    assert "half a key" not in (tmp_path / "pki" / "device-root.key.pem").read_text()


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        open_authority(settings_of(tmp_path / "file" / "home"), NOW)


def test_reading_the_roots_makes_nothing(tmp_path: Path) -> None:
    assert own_roots(tmp_path) == OwnRoots()
    assert list(tmp_path.iterdir()) == []


def _open(home: str) -> bytes:
    authority = open_authority(settings_of(Path(home)))
    return authority.issuing.public_bytes(Encoding.DER)


def test_processes_that_open_a_new_home_at_once_get_one_authority(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_open, [str(tmp_path / "home")] * 8))) == 1
