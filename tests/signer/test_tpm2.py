"""Keys in a TPM 2.0, with a real one in software (swtpm): made there, used there, never had from there."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signer.core.errors import KeyAbsent, KeyRefused, KeyUnavailable, SigningFailed
from signer.keys import create_key, open_key
from signer.keys.tpm2_context import tpm_context
from tests.doubles.pki import name
from tests.doubles.swtpm import HANDLE, SoftTpm, running_swtpm
from tests.doubles.tokens import only_signs
from tests.programs import printed, require_program

pytestmark = pytest.mark.token
ES256 = ec.ECDSA(hashes.SHA256())


@pytest.fixture(params=["file", "handle"])
def uri(request: pytest.FixtureRequest, tpm: SoftTpm, tmp_path: Path) -> str:
    return tpm.uri(tmp_path / "a b+ä" / "key.pem" if request.param == "file" else f"0x{HANDLE:08x}")


def signs(key: ec.EllipticCurvePrivateKey) -> bool:
    key.public_key().verify(key.sign(b"photo", ES256), b"photo", ES256)
    return True


def test_a_key_made_in_the_tpm_is_found_again_and_signs(uri: str) -> None:
    with pytest.raises(KeyAbsent):
        open_key(uri)
    made = create_key(uri)
    again = open_key(uri)
    assert again.public_key() == made.public_key()
    assert (again.curve.name, again.key_size) == ("secp256r1", 256)
    made.public_key().verify(again.sign(b"photo", ES256), b"photo", ES256)


def test_a_digest_is_signed_as_it_is(uri: str) -> None:
    key = create_key(uri)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"photo")
    signature = key.sign(digest.finalize(), ec.ECDSA(Prehashed(hashes.SHA256())))
    key.public_key().verify(signature, b"photo", ES256)


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA3_256()], ids=["SHA-384", "SHA3-256"])
def test_other_digests_than_sha256_are_refused(
    tpm: SoftTpm, tmp_path: Path, algorithm: hashes.HashAlgorithm
) -> None:
    key = create_key(tpm.uri(tmp_path / "key.pem"))
    with pytest.raises(SigningFailed, match="SHA-256"):
        key.sign(b"photo", ec.ECDSA(algorithm))
    with pytest.raises(SigningFailed, match="SHA-256"):
        key.sign(b"short", ec.ECDSA(Prehashed(hashes.SHA256())))


def test_certificate_requests_and_certificates_are_made_with_it(uri: str) -> None:
    key = create_key(uri)
    csr = x509.CertificateSigningRequestBuilder().subject_name(name("cam")).sign(key, hashes.SHA256())
    assert csr.is_signature_valid


def test_the_private_key_cannot_be_had_from_the_tpm(uri: str, tpm: SoftTpm) -> None:
    from tpm2_pytss.constants import ESYS_TR, TPM2_CC, TPM2_SE, TPMA_OBJECT
    from tpm2_pytss.TSS2_Exception import TSS2_Exception
    from tpm2_pytss.types import TPM2B_DATA, TPMT_SYM_DEF, TPMT_SYM_DEF_OBJECT

    from signer.keys.tpm2 import opened_key
    from signer.keys.tpm2_uri import parse_tpm2_uri

    key = create_key(uri)
    only_signs(key)
    # Past our adapter, at the TPM itself: the key says of itself that it stays, and the TPM does not move it.
    with opened_key(parse_tpm2_uri(uri)) as (context, handle):
        public, _, _ = context.read_public(handle)
        attributes = public.publicArea.objectAttributes
        assert attributes & TPMA_OBJECT.FIXEDTPM
        assert attributes & TPMA_OBJECT.FIXEDPARENT
        assert attributes & TPMA_OBJECT.SENSITIVEDATAORIGIN
        session = context.start_auth_session(
            ESYS_TR.NONE, ESYS_TR.NONE, TPM2_SE.POLICY, TPMT_SYM_DEF.parse("null"), 0x000B
        )
        with session:
            context.policy_command_code(session, TPM2_CC.Duplicate)
            with pytest.raises(TSS2_Exception, match=r"attributes|policy|auth"):
                context.duplicate(
                    handle, ESYS_TR.NULL, TPM2B_DATA(), TPMT_SYM_DEF_OBJECT.parse("null"), session1=session
                )


def test_a_key_in_the_tpm_is_never_overwritten(uri: str) -> None:
    made = create_key(uri)
    with pytest.raises(KeyUnavailable, match="never overwritten"):
        create_key(uri)
    assert open_key(uri).public_key() == made.public_key()


def test_the_file_is_the_owners_alone_and_nothing_else_is_left(tpm: SoftTpm, tmp_path: Path) -> None:
    create_key(tpm.uri(tmp_path / "k" / "key.pem"))
    (file,) = (tmp_path / "k").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b"-----BEGIN TSS2 PRIVATE KEY-----\n")


def test_openssl_signs_with_our_file_and_we_with_one_of_its(tpm: SoftTpm, tmp_path: Path) -> None:
    """An independent implementation of the file's format (tpm2-openssl)."""
    require_program("openssl")
    provider = next(iter(Path("/usr/lib").glob("*/ossl-modules/tpm2.so")), Path("/tpm2.so"))
    require_program(str(provider), package="tpm2-openssl")
    environment = {**os.environ, "TPM2OPENSSL_TCTI": tpm.tcti}

    def openssl(name: str, *arguments: str) -> None:
        command = ("openssl", name, "-provider", "tpm2", "-provider", "default", *arguments)
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)

    ours = create_key(tpm.uri(tmp_path / "ours.pem"))
    (tmp_path / "photo").write_bytes(b"photo")
    sign = ("-sign", str(tmp_path / "ours.pem"), "-out", str(tmp_path / "signature"), str(tmp_path / "photo"))
    openssl("dgst", "-sha256", "-propquery", "?provider=tpm2", *sign)
    ours.public_key().verify((tmp_path / "signature").read_bytes(), b"photo", ES256)
    theirs = str(tmp_path / "theirs.pem")
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "group:P-256", "-out", theirs)
    assert b"TSS2 PRIVATE KEY" in Path(theirs).read_bytes()
    assert signs(open_key(tpm.uri(theirs)))


def test_a_file_that_cannot_be_written_leaves_no_key(tpm: SoftTpm, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where a folder is needed")
    with pytest.raises(KeyUnavailable, match="cannot be written"):
        create_key(tpm.uri(tmp_path / "full" / "key.pem"))


@pytest.mark.parametrize("place", ["key.pem", f"0x{HANDLE:08x}"], ids=["file", "handle"])
def test_a_key_with_a_pin_signs_with_it_and_not_without(
    tpm: SoftTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    where = place if place.startswith("0x") else tmp_path / place
    monkeypatch.setenv("CAM_PIN", "right")
    key = create_key(tpm.uri(where, pin="env:CAM_PIN"))
    assert signs(key)
    monkeypatch.setenv("CAM_PIN", "wrong")
    with pytest.raises(SigningFailed, match="refuses the PIN"):
        open_key(tpm.uri(where, pin="env:CAM_PIN")).sign(b"photo", ES256)
    with pytest.raises((SigningFailed, KeyUnavailable), match="PIN"):
        open_key(tpm.uri(where)).sign(b"photo", ES256)
    monkeypatch.setenv("CAM_PIN", "right")
    assert signs(open_key(tpm.uri(where, pin="env:CAM_PIN")))


def test_a_wrong_pin_is_tried_once_so_that_a_folder_of_photos_does_not_lock_the_tpm(
    tpm: SoftTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tpm2_pytss.constants import TPM2_CAP, TPM2_PT

    def wrong_tries() -> int:
        with tpm_context(tpm.tcti) as context:
            _, found = context.get_capability(TPM2_CAP.TPM_PROPERTIES, TPM2_PT.LOCKOUT_COUNTER, 1)
            return int(found.data.tpmProperties[0].value)

    monkeypatch.setenv("CAM_PIN", "right")
    create_key(tpm.uri(tmp_path / "key.pem", pin="env:CAM_PIN"))
    monkeypatch.setenv("CAM_PIN", "wrong")
    key, before = open_key(tpm.uri(tmp_path / "key.pem", pin="env:CAM_PIN")), wrong_tries()
    for _ in range(5):
        with pytest.raises(SigningFailed, match="refuses the PIN"):
            key.sign(b"photo", ES256)
    assert wrong_tries() == before + 1


def test_a_pin_for_a_key_without_one_is_pointed_out(
    tpm: SoftTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(tpm.uri(tmp_path / "key.pem"))
    monkeypatch.setenv("CAM_PIN", "1234")
    with pytest.raises(KeyUnavailable, match="has no PIN"):
        open_key(tpm.uri(tmp_path / "key.pem", pin="env:CAM_PIN"))


def test_an_owner_secret_is_used_where_the_tpm_has_one(
    tpm: SoftTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tpm2_pytss.constants import ESYS_TR

    monkeypatch.setenv("OWNER", "owned")
    with tpm_context(tpm.tcti) as context:
        context.hierarchy_change_auth(ESYS_TR.OWNER, b"owned")
    try:
        with pytest.raises(KeyUnavailable, match="secret of its owner"):
            create_key(tpm.uri(tmp_path / "key.pem"))
        assert signs(create_key(tpm.uri(tmp_path / "key.pem", owner="env:OWNER")))
    finally:
        with tpm_context(tpm.tcti) as context:
            context.tr_set_auth(ESYS_TR.OWNER, b"owned")
            context.hierarchy_change_auth(ESYS_TR.OWNER, b"")


def test_a_file_of_another_tpm_or_a_damaged_one_is_unavailable(tpm: SoftTpm, tmp_path: Path) -> None:
    create_key(tpm.uri(tmp_path / "key.pem"))
    (tmp_path / "half.pem").write_bytes((tmp_path / "key.pem").read_bytes()[:120])
    with pytest.raises(KeyUnavailable, match="no wrapped TPM key"):
        open_key(tpm.uri(tmp_path / "half.pem"))
    (tmp_path / "text.pem").write_bytes(b"not PEM")
    with pytest.raises(KeyUnavailable, match="no wrapped TPM key"):
        open_key(tpm.uri(tmp_path / "text.pem"))
    with (
        running_swtpm(tmp_path / "other") as other,
        pytest.raises(KeyUnavailable, match="wrapped by another TPM"),
    ):
        open_key(other.uri(tmp_path / "key.pem"))


def test_a_file_with_any_changed_byte_is_refused_in_one_sentence_or_is_the_same_key(
    tpm: SoftTpm, tmp_path: Path
) -> None:
    key = create_key(tpm.uri(tmp_path / "key.pem"))
    text = (tmp_path / "key.pem").read_bytes().splitlines()
    der = base64.b64decode(b"".join(text[1:-1]))
    same = 0
    for place in range(0, len(der), 3):
        changed = bytearray(der)
        changed[place] ^= 0x40 if place % 2 else 0x01
        body = base64.b64encode(changed)
        (tmp_path / "changed.pem").write_bytes(b"\n".join((text[0], body, text[-1], b"")))
        try:
            same += open_key(tpm.uri(tmp_path / "changed.pem")).public_key() == key.public_key()
        except (KeyUnavailable, KeyRefused) as e:
            assert "\n" not in str(e)  # noqa: PT017 - either end is a good one
    assert same <= 3


def test_a_parent_that_is_no_key_of_the_owner_is_refused(tpm: SoftTpm, tmp_path: Path) -> None:
    from tpm2_pytss.tsskey import TSSPrivKey

    create_key(tpm.uri(tmp_path / "key.pem"))
    made = TSSPrivKey.from_pem((tmp_path / "key.pem").read_bytes())
    for parent in (0, 0x4000_0007, 0x0100_0001, 1 << 40):
        made._parent = parent
        (tmp_path / "other.pem").write_bytes(made.to_pem())
        with pytest.raises(KeyUnavailable, match="something else than a key of the owner"):
            open_key(tpm.uri(tmp_path / "other.pem"))
    made._parent = 0x8100_4242
    (tmp_path / "other.pem").write_bytes(made.to_pem())
    with pytest.raises(KeyUnavailable, match="the TPM answered"):
        open_key(tpm.uri(tmp_path / "other.pem"))


def test_a_tpm_that_others_have_filled_is_said_to_have_no_room(tpm: SoftTpm, tmp_path: Path) -> None:
    from tpm2_pytss.types import TPM2B_SENSITIVE_CREATE

    create_key(tpm.uri(tmp_path / "key.pem"))
    with tpm_context(tpm.tcti) as context:
        held = [context.create_primary(TPM2B_SENSITIVE_CREATE(), "ecc256:aes128cfb")[0] for _ in range(3)]
        tokens = [context.tr_serialize(handle) for handle in held]
    try:
        with pytest.raises(KeyUnavailable, match="no room for one more key"):
            open_key(tpm.uri(tmp_path / "key.pem"))
    finally:
        with tpm_context(tpm.tcti) as context:
            for token in tokens:
                context.flush_context(context.tr_deserialize(token))


def test_an_absent_tpm_is_named(tpm: SoftTpm, tmp_path: Path) -> None:
    create_key(tpm.uri(tmp_path / "key.pem"))
    with pytest.raises(KeyUnavailable, match="no TPM can be reached at swtpm:port=1"):
        open_key(f"tpm2:{tmp_path}/key.pem?tcti=swtpm:port=1")


def test_the_c_library_writes_nothing_beside_our_sentence(tpm: SoftTpm) -> None:
    program = (
        "from signer.keys import open_key\n"
        "from signer.core.errors import KeyUnavailable\n"
        "for tcti in ('swtpm:port=1', 'device:/nothing', 'nonsense'):\n"
        "    try: open_key(f'tpm2:0x81000200?tcti={tcti}')\n"
        "    except KeyUnavailable as e: print(e)\n"
    )
    told = printed(program)
    assert [line.split(":")[0] for line in told.splitlines()] == [
        "no TPM can be reached at swtpm",
        "no TPM can be reached at device",
        "no TPM can be reached at nonsense",
    ]


def test_more_keys_than_the_tpm_has_room_for_are_used_side_by_side(tpm: SoftTpm, tmp_path: Path) -> None:
    keys = [create_key(tpm.uri(tmp_path / f"{i}.pem")) for i in range(5)]
    assert len({k.public_key().public_numbers().x for k in keys}) == 5
    failures: list[BaseException] = []

    def use(key: ec.EllipticCurvePrivateKey) -> None:
        try:
            assert all(signs(key) for _ in range(3))
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=use, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def _persist(context: Any, template: str, attributes: int) -> None:
    """A key of our choice under the test's handle."""
    from tpm2_pytss.constants import ESYS_TR
    from tpm2_pytss.types import TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE

    public = TPM2B_PUBLIC.parse(template, objectAttributes=attributes)
    made, *_ = context.create_primary(TPM2B_SENSITIVE_CREATE(), public, ESYS_TR.OWNER)
    with made as handle:
        context.evict_control(ESYS_TR.OWNER, handle, HANDLE).close(context)


FIXED, MADE_HERE, USER, SIGN, RESTRICTED, DECRYPT = 0x12, 0x20, 0x40, 0x40000, 0x10000, 0x20000


@pytest.mark.parametrize(
    ("template", "attributes", "says"),
    [
        ("ecc384:ecdsa-sha384", FIXED | MADE_HERE | USER | SIGN, "not on P-256"),
        ("rsa2048:rsassa-sha256", FIXED | MADE_HERE | USER | SIGN, "not on P-256"),
        ("ecc256:ecdsa-sha256", MADE_HERE | USER | SIGN, "not made in this TPM to stay there"),
        ("ecc256:ecdsa-sha256:null", FIXED | MADE_HERE | USER | SIGN | RESTRICTED, "may not sign"),
        ("ecc256:ecdh-sha256", FIXED | MADE_HERE | USER | DECRYPT, "may not sign"),
        ("ecc256:ecdsa-sha1", FIXED | MADE_HERE | USER | SIGN, "not for SHA-256"),
        ("ecc256:ecschnorr-sha256", FIXED | MADE_HERE | USER | SIGN, "not for ECDSA"),
    ],
    ids=["P-384", "RSA", "movable", "restricted", "exchange", "SHA-1", "Schnorr"],
)
def test_a_key_that_is_not_one_of_ours_is_refused(
    tpm: SoftTpm, template: str, attributes: int, says: str
) -> None:
    with tpm_context(tpm.tcti) as context:
        _persist(context, template, attributes)
    with pytest.raises(KeyRefused, match=says):
        open_key(tpm.uri(f"0x{HANDLE:08x}"))


def test_a_key_from_outside_that_was_brought_into_the_tpm_is_refused(tpm: SoftTpm) -> None:
    from tpm2_pytss.constants import ESYS_TR
    from tpm2_pytss.types import (
        TPM2B_DATA,
        TPM2B_PUBLIC,
        TPM2B_SENSITIVE,
        TPM2B_SENSITIVE_CREATE,
        TPMT_SYM_DEF_OBJECT,
    )
    from tpm2_pytss.utils import wrap

    outside = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    public = TPM2B_PUBLIC.from_pem(outside, objectAttributes=USER | SIGN)
    sensitive = TPM2B_SENSITIVE.from_pem(outside)
    with tpm_context(tpm.tcti) as context:
        made, parent, *_ = context.create_primary(TPM2B_SENSITIVE_CREATE(), "ecc256:aes128cfb")
        with made as primary:
            key, duplicate, seed = wrap(parent.publicArea, public, sensitive)
            none = TPMT_SYM_DEF_OBJECT.parse("null")
            private = context.import_(primary, key or TPM2B_DATA(), public, duplicate, seed, none)
            with context.load(primary, private, public) as handle:
                context.evict_control(ESYS_TR.OWNER, handle, HANDLE).close(context)
    with pytest.raises(KeyRefused, match="not made in this TPM to stay there"):
        open_key(tpm.uri(f"0x{HANDLE:08x}"))
