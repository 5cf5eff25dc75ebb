"""Keys by URI: files that are never overwritten, tokens that never give their key away."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from signer.core.errors import KeyRefused, KeyUnavailable
from signer.keys import create_key, open_key
from signer.keys.pkcs11_uri import parse_pkcs11_uri
from signer.keys.software import file_key_uri
from tests.doubles.pki import name
from tests.doubles.tokens import MODULE, SoftToken, only_signs

ES256 = ec.ECDSA(hashes.SHA256())


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return file_key_uri(tmp_path / "a b+ä" / "key.pem", tmp_path / "a b+ä" / "key.pin")


def write_key(
    folder: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, passphrase: bytes | None
) -> str:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    (folder / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    (folder / "k.pin").write_text("right\n")
    return file_key_uri(folder / "k.pem", folder / "k.pin")


def test_a_created_key_is_opened_again_and_signs(uri: str) -> None:
    made = create_key(uri)
    again = open_key(uri)
    assert again.public_key() == made.public_key()
    made.public_key().verify(again.sign(b"photo", ES256), b"photo", ES256)


def test_key_and_passphrase_files_are_readable_by_the_owner_alone_and_nothing_else_is_left(
    uri: str, tmp_path: Path
) -> None:
    create_key(uri)
    files = list((tmp_path / "a b+ä").iterdir())
    assert sorted(f.name for f in files) == ["key.pem", "key.pin"]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_the_key_file_is_encrypted(uri: str, tmp_path: Path) -> None:
    create_key(uri)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "a b+ä" / "key.pem").read_bytes()


def test_a_key_is_never_overwritten(uri: str, tmp_path: Path) -> None:
    create_key(uri)
    before = (tmp_path / "a b+ä" / "key.pem").read_bytes()
    with pytest.raises(KeyUnavailable, match="never overwritten"):
        create_key(uri)
    assert (tmp_path / "a b+ä" / "key.pem").read_bytes() == before


def test_an_existing_passphrase_file_is_used_and_kept(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("chosen by hand\n")
    location = file_key_uri(tmp_path / "key.pem", tmp_path / "pin")
    made = create_key(location)
    assert (tmp_path / "pin").read_text() == "chosen by hand\n"
    assert open_key(location).public_key() == made.public_key()


def test_a_passphrase_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CAMERA_PIN", "secret")
    location = f"file:{tmp_path}/key.pem?pin=env:TEST_CAMERA_PIN"
    made = create_key(location)
    assert open_key(location).public_key() == made.public_key()
    monkeypatch.setenv("TEST_CAMERA_PIN", "wrong")
    with pytest.raises(KeyUnavailable, match="wrong passphrase"):
        open_key(location)
    monkeypatch.delenv("TEST_CAMERA_PIN")
    with pytest.raises(KeyUnavailable, match="TEST_CAMERA_PIN"):
        open_key(location)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("vault:cam", "no key backend for 'vault'"),
        ("", "no key backend"),
        ("file:relative.pem?pin=env:X", "file:/absolute"),
        ("file://host/k.pem?pin=env:X", "file:/absolute"),
        ("file:/k.pem", "needs exactly one pin="),
        ("file:/k.pem?pin=env:X&pin=env:Y", "needs exactly one pin="),
        ("file:/k.pem?password=x", "needs exactly one pin="),
        ("file:/no/such/key.pem?pin=env:X", "cannot be read"),
    ],
)
def test_a_uri_that_names_no_key_is_unavailable(location: str, says: str) -> None:
    with pytest.raises(KeyUnavailable, match=says):
        open_key(location)


@pytest.mark.parametrize("reference", ["literal", "env:", "file:relative", "file:/no/such/pin", "http://x/y"])
def test_a_passphrase_is_only_ever_named_by_reference(tmp_path: Path, reference: str) -> None:
    write_key(tmp_path, ec.generate_private_key(ec.SECP256R1()), b"right")
    with pytest.raises(KeyUnavailable):
        open_key(f"file:{tmp_path}/k.pem?pin={reference}")


def test_an_empty_passphrase_file_is_unavailable(tmp_path: Path) -> None:
    location = write_key(tmp_path, ec.generate_private_key(ec.SECP256R1()), b"right")
    (tmp_path / "k.pin").write_text("\n")
    with pytest.raises(KeyUnavailable, match="empty"):
        open_key(location)


def test_a_file_that_is_no_key_is_unavailable(tmp_path: Path) -> None:
    location = write_key(tmp_path, ec.generate_private_key(ec.SECP256R1()), b"right")
    (tmp_path / "k.pem").write_bytes(b"not PEM")
    with pytest.raises(KeyUnavailable, match="no PKCS#8"):
        open_key(location)


def test_a_key_that_lies_open_is_refused(tmp_path: Path) -> None:
    location = write_key(tmp_path, ec.generate_private_key(ec.SECP256R1()), None)
    with pytest.raises(KeyRefused, match="not encrypted"):
        open_key(location)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-384", "secp256k1", "RSA"],
)
def test_a_key_that_is_not_on_p256_is_refused(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> None:
    with pytest.raises(KeyRefused, match="P-256"):
        open_key(write_key(tmp_path, key, b"right"))


def test_an_interrupted_write_leaves_no_half_key(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where a folder is needed")
    with pytest.raises(KeyUnavailable):
        create_key(file_key_uri(tmp_path / "full" / "key.pem", tmp_path / "pin"))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["full", "pin"]


def test_a_pkcs11_uri_is_read_with_its_escapes() -> None:
    key = parse_pkcs11_uri(
        "pkcs11:token=My%20Card;object=cam%3B1;id=%01%ff;type=private?module-path=/m.so&pin-source=file:/p%20n"
    )
    assert (key.token, key.object, key.id) == ("My Card", "cam;1", b"\x01\xff")
    assert (key.module_path, key.pin_source) == ("/m.so", "file:/p n")


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("pkcs11:object=k?module-path=/m&pin-value=1", "token="),
        ("pkcs11:token=t?module-path=/m&pin-value=1", "object="),
        ("pkcs11:token=t;object=k?pin-value=1", "module-path"),
        ("pkcs11:token=t;object=k?module-path=/m&pin-value=1&pin-source=/p", "both"),
        ("pkcs11:token=t;token=u;object=k?module-path=/m", "twice"),
        ("pkcs11:token=t;object=k;slot-id=0?module-path=/m", "slot-id"),
        ("pkcs11:token=t;object=k;type=cert?module-path=/m", "private key"),
        ("pkcs11:token=t;object?module-path=/m", "object"),
    ],
)
def test_a_pkcs11_uri_that_is_not_understood_completely_is_refused(location: str, says: str) -> None:
    with pytest.raises(KeyUnavailable, match=says):
        parse_pkcs11_uri(location)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match=r"nothing\.so"):
        open_key(f"pkcs11:token=t;object=k?module-path={tmp_path}/nothing.so&pin-value=1")


@pytest.mark.token
class TestToken:
    def test_a_key_made_in_the_token_is_found_again_and_signs(self, token: SoftToken) -> None:
        location = token.uri("cam")
        made = create_key(location)
        again = open_key(location)
        assert again.public_key() == made.public_key()
        assert again.curve.name == "secp256r1"
        made.public_key().verify(again.sign(b"photo", ES256), b"photo", ES256)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(b"photo")
        signature = again.sign(digest.finalize(), ec.ECDSA(Prehashed(hashes.SHA256())))
        made.public_key().verify(signature, b"photo", ES256)

    def test_a_certificate_request_is_made_with_it(self, token: SoftToken) -> None:
        key = create_key(token.uri("cam"))
        csr = x509.CertificateSigningRequestBuilder().subject_name(name("cam")).sign(key, hashes.SHA256())
        assert csr.is_signature_valid

    def test_the_private_key_cannot_be_had_from_the_token(self, token: SoftToken) -> None:
        import pkcs11

        key = create_key(token.uri("cam"))
        only_signs(key)
        # Past our adapter, at the module itself: the session is logged in and still does not get it.
        session = pkcs11.lib(MODULE).get_token(token_label=token.label).open()
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="cam")
        assert private[pkcs11.Attribute.SENSITIVE] is True
        assert private[pkcs11.Attribute.ALWAYS_SENSITIVE] is True
        assert private[pkcs11.Attribute.EXTRACTABLE] is False
        assert private[pkcs11.Attribute.NEVER_EXTRACTABLE] is True
        with pytest.raises(pkcs11.AttributeSensitive):
            private[pkcs11.Attribute.VALUE]

    def test_a_key_in_the_token_is_never_overwritten(self, token: SoftToken) -> None:
        location = token.uri("cam")
        made = create_key(location)
        with pytest.raises(KeyUnavailable, match="never overwritten"):
            create_key(location)
        assert open_key(location).public_key() == made.public_key()

    def test_a_wrong_pin_is_unavailable_and_the_right_one_works_afterwards(self, token: SoftToken) -> None:
        with pytest.raises(KeyUnavailable, match="PIN"):
            create_key(token.uri("cam", pin="0000"))
        assert create_key(token.uri("cam"))

    def test_two_keys_of_one_token_are_used_side_by_side(self, token: SoftToken) -> None:
        one, two = create_key(token.uri("one")), create_key(token.uri("two"))
        assert one.public_key() != two.public_key()
        one.public_key().verify(one.sign(b"x", ES256), b"x", ES256)
        two.public_key().verify(two.sign(b"x", ES256), b"x", ES256)

    def test_an_absent_token_and_an_absent_key_are_unavailable(self, token: SoftToken) -> None:
        with pytest.raises(KeyUnavailable, match="no such key"):
            open_key(token.uri("cam"))
        with pytest.raises(KeyUnavailable, match="not present"):
            open_key(token.uri("cam").replace(token.label, "elsewhere"))

    def test_a_pin_may_lie_in_a_file(self, token: SoftToken, tmp_path: Path) -> None:
        (tmp_path / "pin").write_text(token.pin)
        location = token.uri("cam").replace(f"pin-value={token.pin}", f"pin-source=file:{tmp_path}/pin")
        assert create_key(location)

    def test_a_key_on_another_curve_is_refused(self, token: SoftToken) -> None:
        import pkcs11
        from pkcs11.util.ec import encode_named_curve_parameters

        session = pkcs11.lib(MODULE).get_token(token_label=token.label).open(rw=True, user_pin=token.pin)
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC,
            {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp384r1")},
            local=True,
        )
        parameters.generate_keypair(label="cam", id=b"\1", store=True)
        session.close()
        with pytest.raises(KeyRefused, match="P-256"):
            open_key(token.uri("cam"))
