"""The module that signs: what comes out is read by both engines, what goes wrong keeps its name."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import signal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from signer.claim import CaptureClaim, DeviceAssertion
from signer.core.errors import AlreadySigned, ManifestMalformed, SigningFailed, UnreadableMedia
from signer.credential import refuse_signed, sign_media, verify_binding
from signer.formats import media_type_of
from signer.keys import create_key
from tests.doubles import makers
from tests.doubles.keys import ScriptedKey
from tests.doubles.photos import photo
from tests.doubles.pki import Issued, TestPki, new_key, now
from tests.doubles.readers import read_with_c2pa, read_with_encypher
from tests.doubles.tokens import SoftToken
from tests.waiting import PATIENCE_S

CLAIM = CaptureClaim(
    title="a.jpg",
    captured_at=dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC),
    device=DeviceAssertion(device_id="d-1", counter=1, nonce=bytes(16)),
)


@pytest.fixture
def device(pki: TestPki) -> Issued:
    return pki.leaf()


def sign(data: bytes, device: Issued, media_type: str = "image/jpeg") -> bytes:
    return sign_media(data, media_type, CLAIM, device.ec_key, device.chain_pem)


def failing_key(failure: Exception) -> ScriptedKey:
    """A token's key that fails at the moment of signing."""

    def fail(data: bytes) -> bytes:
        raise failure

    return ScriptedKey(new_key(), fail)


def test_both_readers_trust_the_signature_under_its_own_root(pki: TestPki, device: Issued) -> None:
    signed = sign(photo(), device)
    for reading in (
        read_with_c2pa(signed, "image/jpeg", pki),
        read_with_encypher(signed, "image/jpeg", pki),
    ):
        assert reading.state == "Trusted"
        assert reading.failure == ()
        assert "assertion.dataHash.match" in reading.success


def test_the_claim_is_version_2_es256_without_thumbnail_and_all_assertions_are_the_signers(
    pki: TestPki, device: Issued
) -> None:
    manifest = read_with_c2pa(sign(photo(), device), "image/jpeg", pki).manifest
    assert manifest["claim"]["claim_version"] == 2
    assert manifest["claim"].get("gathered_assertions") in (None, [])
    created = [a["url"].rpartition("/")[2] for a in manifest["claim"]["created_assertions"]]
    assert created == ["c2pa.actions.v2", "org.assay.device", "c2pa.hash.data"]
    assert manifest["signature"]["alg"].lower() == "es256"


def test_another_root_makes_the_same_file_untrusted(device: Issued) -> None:
    signed = sign(photo(), device)
    stranger = TestPki("Stranger")
    assert read_with_c2pa(signed, "image/jpeg", stranger).state == "Valid"
    assert read_with_encypher(signed, "image/jpeg", stranger).state == "Valid"


# One of each way in which a manifest gets into a file.
WAYS = pytest.mark.parametrize("name", ["plain.jpg", "gain_map.jpg", "two_pages.tif", "plain.heic"])


def sign_made(name: str, key: ec.EllipticCurvePrivateKey, chain: bytes) -> bytes:
    data = makers.PHOTOS[name]()
    return sign_media(data, media_type_of(data, name), CLAIM, key, chain)


@WAYS
def test_a_key_that_is_not_the_certificates_fails(device: Issued, name: str) -> None:
    with pytest.raises(SigningFailed):
        sign_made(name, new_key(), device.chain_pem)


@WAYS
def test_an_expired_certificate_fails(pki: TestPki, name: str) -> None:
    device = pki.leaf(not_before=now() - dt.timedelta(days=9), not_after=now() - dt.timedelta(days=1))
    with pytest.raises(SigningFailed):
        sign_made(name, device.ec_key, device.chain_pem)


@WAYS
@pytest.mark.parametrize("chain", [b"", b"no PEM", "keine Zertifikate: ä".encode()])
def test_a_chain_that_is_none_fails(device: Issued, chain: bytes, name: str) -> None:
    with pytest.raises(SigningFailed):
        sign_made(name, device.ec_key, chain)


@WAYS
def test_what_the_key_raised_is_what_the_caller_sees(device: Issued, name: str) -> None:
    key = failing_key(SigningFailed("the token refused to sign: DeviceRemoved"))
    with pytest.raises(SigningFailed, match="DeviceRemoved"):
        sign_made(name, key, device.chain_pem)


@WAYS
def test_an_exception_of_a_foreign_key_is_named_in_the_typed_error(device: Issued, name: str) -> None:
    with pytest.raises(SigningFailed, match="cable"):
        sign_made(name, failing_key(OSError("cable")), device.chain_pem)


@WAYS
def test_the_key_is_asked_once_for_each_photo(device: Issued, name: str) -> None:
    asked = []

    def answer(data: bytes) -> bytes:
        asked.append(data)
        return device.ec_key.sign(data, ec.ECDSA(hashes.SHA256()))

    sign_made(name, ScriptedKey(device.ec_key, answer), device.chain_pem)
    assert len(asked) == 1


def test_bytes_that_are_no_media_fail(device: Issued) -> None:
    with pytest.raises(SigningFailed):
        sign(b"no media", device, "image/png")
    with pytest.raises(SigningFailed):
        sign(b"no media", device, "text/plain")


@pytest.mark.token
def test_a_key_inside_a_token_signs_and_both_readers_trust_it(pki: TestPki, token: SoftToken) -> None:
    key = create_key(token.uri("cam"))
    device = pki.leaf("token-device", public_key=key.public_key())
    signed = sign_media(photo(), "image/jpeg", CLAIM, key, device.chain_pem)
    assert read_with_c2pa(signed, "image/jpeg", pki).state == "Trusted"
    assert read_with_encypher(signed, "image/jpeg", pki).state == "Trusted"


def test_signing_works_in_a_forked_child_after_the_parent_has_signed(
    pki: TestPki, device: Issued, tmp_path: Path
) -> None:
    sign(photo(), device)
    child = multiprocessing.get_context("fork").Process(
        target=lambda: (tmp_path / "signed").write_bytes(sign(photo(), device))
    )
    child.start()
    child.join(PATIENCE_S)
    assert child.exitcode == 0
    assert read_with_c2pa((tmp_path / "signed").read_bytes(), "image/jpeg", pki).state == "Trusted"


def test_ctrl_c_during_signing_never_yields_a_damaged_file(device: Issued) -> None:
    """The engine drops an exception inside a stream callback and goes on with a short read."""
    data = photo("PNG", 1600, 1200)
    whole = len(sign(data, device, "image/png"))
    interrupted = 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for i in range(40):
            try:  # before the alarm is set: on a busy machine it rings at once
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + i * 0.0001)
                signed = sign(data, device, "image/png")
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert len(signed) == whole
            except KeyboardInterrupt:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 0


def test_unsigned_media_is_not_refused() -> None:
    refuse_signed(photo(), "image/jpeg")


def test_a_second_look_refuses_what_carries_a_manifest(device: Issued) -> None:
    with pytest.raises(AlreadySigned):
        refuse_signed(sign(photo(), device), "image/jpeg")


def test_a_manifest_that_lies_elsewhere_counts_and_is_not_fetched(suites: Path) -> None:
    data = (suites / "c2pa/c2pa-rs-fixtures/libpng-test_with_url.png").read_bytes()
    with pytest.raises(AlreadySigned, match="localhost:5000"):
        refuse_signed(data, "image/png")


def test_a_container_that_cannot_be_parsed_is_unreadable() -> None:
    with pytest.raises(UnreadableMedia):
        refuse_signed(photo("PNG")[:200], "image/png")


def test_the_binding_holds_for_the_signed_bytes_whoever_signed(device: Issued) -> None:
    verify_binding(sign(photo(), device), "image/jpeg")


def test_one_changed_byte_breaks_the_binding(device: Issued) -> None:
    signed = bytearray(sign(photo(), device))
    signed[-20] ^= 1
    with pytest.raises(ManifestMalformed, match=r"assertion\.dataHash\.mismatch"):
        verify_binding(bytes(signed), "image/jpeg")


def test_no_manifest_is_no_binding() -> None:
    with pytest.raises(ManifestMalformed):
        verify_binding(photo(), "image/jpeg")


def test_a_signature_is_deterministic_in_nothing_but_its_length(device: Issued) -> None:
    one, two = sign(photo(), device), sign(photo(), device)
    assert one != two
    assert len(one) == len(two)
