"""Time-stamp tokens: each illegal deviation is refused by name, foreign real ones are read."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from authn.pki.tsa import TimestampAuthority
from signer.core import errors
from signer.core.errors import (
    TimestampError,
    TimestampInvalid,
    TimestampMalformed,
    TimestampMismatch,
    TimestampNotStrict,
    TimestampRejected,
    TimestampUnfit,
    TimestampUntrusted,
)
from signer.proof.timestamp import build_request, parse_response, verify_token
from signer.proof.tst import parse_token
from tests.doubles.pki import Issued, TestPki, now
from tests.doubles.spellings import relabelled, respelt
from tests.doubles.stamps import ESS_V2, Stamp, attribute, octets, seq

MESSAGE = b"the bytes under the stamp"
NONCE = 2**63 + 5


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def token_of(authority: Issued, clock: datetime | None = None) -> bytes:
    stamper = TimestampAuthority(
        authority.certificate,
        authority.ec_key,
        authority.intermediates,
        clock=lambda: clock or datetime.now(UTC),
    )
    return parse_response(stamper.respond(build_request(MESSAGE, NONCE)))


def test_our_own_token_verifies_and_says_when(pki: TestPki) -> None:
    stamp = verify_token(token_of(pki.tsa_leaf()), MESSAGE, pki.tsa_roots, nonce=NONCE)
    assert abs((datetime.now(UTC) - stamp.gen_time).total_seconds()) < 5
    assert stamp.accuracy_s == 1


def test_our_own_token_verifies_with_an_independent_library(pki: TestPki) -> None:
    authority = pki.tsa_leaf()
    stamper = TimestampAuthority(authority.certificate, authority.ec_key, clock=lambda: datetime.now(UTC))
    response = decode_timestamp_response(stamper.respond(build_request(MESSAGE, NONCE)))
    verifier = VerifierBuilder().add_root_certificate(pki.tsa_root.certificate).nonce(NONCE).build()
    assert verifier.verify_message(response, MESSAGE)


def test_a_token_for_other_bytes_is_a_mismatch(pki: TestPki) -> None:
    with pytest.raises(TimestampMismatch):
        verify_token(token_of(pki.tsa_leaf()), MESSAGE + b"!", pki.tsa_roots)


def test_an_answer_to_another_request_is_a_mismatch(pki: TestPki) -> None:
    with pytest.raises(TimestampMismatch):
        verify_token(token_of(pki.tsa_leaf()), MESSAGE, pki.tsa_roots, nonce=NONCE + 1)


def test_without_roots_nothing_is_verified(pki: TestPki) -> None:
    with pytest.raises(TimestampUntrusted):
        verify_token(token_of(pki.tsa_leaf()), MESSAGE, ())


@pytest.mark.parametrize(
    "knobs",
    [
        {"eku_critical": False},
        {"ekus": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION)},
    ],
    ids=["usage not critical", "second usage"],
)
def test_a_sloppy_certificate_proves_no_time_and_accuses_nobody(
    pki: TestPki, knobs: dict[str, object]
) -> None:
    with pytest.raises(TimestampNotStrict) as caught:
        verify_token(token_of(pki.tsa_leaf(**knobs)), MESSAGE, pki.tsa_roots)  # type: ignore[arg-type]
    assert not caught.value.refutes


def test_a_token_is_called_not_strict_only_where_everything_else_holds(pki: TestPki) -> None:
    token = token_of(pki.tsa_leaf(eku_critical=False))
    with pytest.raises(TimestampMismatch):
        verify_token(token, MESSAGE + b"!", pki.tsa_roots)
    with pytest.raises(TimestampUntrusted):
        verify_token(token, MESSAGE, TestPki("Other").tsa_roots)
    with pytest.raises(TimestampInvalid):
        verify_token(token[:-1] + bytes([token[-1] ^ 1]), MESSAGE, pki.tsa_roots)


def test_only_a_check_that_was_done_and_failed_refutes() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    refuting = {k.__name__ for k in kinds if issubclass(k, TimestampError) and k.refutes}
    unfit = "TimestampUnfit"
    assert refuting == {"TimestampMismatch", "TimestampInvalid", "TimestampOutsideValidity", unfit}


@pytest.mark.parametrize(
    "knobs",
    [{"ekus": (ExtendedKeyUsageOID.EMAIL_PROTECTION,)}, {"ca": True}],
    ids=["other usage", "a CA"],
)
def test_a_certificate_that_must_not_stamp_is_unfit_under_a_root_and_else_untrusted(
    pki: TestPki, knobs: dict[str, object]
) -> None:
    token = token_of(pki.tsa_leaf(**knobs))  # type: ignore[arg-type]
    with pytest.raises(TimestampUnfit):
        verify_token(token, MESSAGE, pki.tsa_roots)
    with pytest.raises(TimestampUntrusted) as raised:
        verify_token(token, MESSAGE, TestPki("Other").tsa_roots)
    assert not raised.value.refutes


def test_a_certificate_that_is_listed_itself_is_under_no_root(pki: TestPki) -> None:
    leaf = pki.tsa_leaf(ekus=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))
    with pytest.raises(TimestampUntrusted) as raised:
        verify_token(token_of(leaf), MESSAGE, (leaf.certificate,))
    assert not raised.value.refutes


def test_an_authority_whose_name_is_no_printable_string_stamps_as_others_do(pki: TestPki) -> None:
    """As an authority with an underscore in its name really does."""
    text = "SHA-256_Timestamp_Responder"
    leaf = pki.tsa_leaf(text)
    odd = respelt(leaf.certificate, pki.tsa_root, relabelled(text))
    stamp = Stamp(authority=leaf, message=MESSAGE, at=now(), nonce=NONCE)
    stamp.certificates = [odd]
    stamp.attributes["ess"] = attribute(ESS_V2, seq(seq(seq(octets(hashlib.sha256(odd).digest())))))
    stamp.tst["tsa"] = b""
    verified = verify_token(parse_response(stamp.response()), MESSAGE, pki.tsa_roots, nonce=NONCE)
    assert verified.certificate.public_bytes(Encoding.DER) == odd
    assert text in verified.certificate.subject.rfc4514_string()


def test_a_certificate_of_the_bag_that_nobody_needs_may_be_unreadable(pki: TestPki) -> None:
    leaf = pki.tsa_leaf()
    stamp = Stamp(authority=leaf, message=MESSAGE, at=now(), nonce=NONCE)
    stamp.certificates.append(seq(seq(b"\x05\x00"), seq(), b"\x03\x01\x00"))
    assert verify_token(parse_response(stamp.response()), MESSAGE, pki.tsa_roots, nonce=NONCE)


def test_a_token_stays_good_after_its_authority_s_certificate_ends(pki: TestPki) -> None:
    then = now() - timedelta(days=400)
    ended = pki.tsa_leaf(not_before=then - timedelta(days=1), not_after=then + timedelta(days=1))
    assert verify_token(token_of(ended, clock=then), MESSAGE, pki.tsa_roots).gen_time == then


def test_an_authority_under_the_device_root_is_untrusted(pki: TestPki) -> None:
    token = token_of(pki.tsa_leaf(issuer=pki.issuing))
    with pytest.raises(TimestampUntrusted):
        verify_token(token, MESSAGE, pki.tsa_roots)


def test_a_root_that_the_token_brings_along_counts_for_nothing(pki: TestPki) -> None:
    rogue = TestPki("Rogue")
    leaf = rogue.tsa_leaf()
    with_root = Issued(
        certificate=leaf.certificate, key=leaf.key, intermediates=(rogue.tsa_root.certificate,)
    )
    with pytest.raises(TimestampUntrusted):
        verify_token(token_of(with_root), MESSAGE, pki.tsa_roots)


def test_a_trailing_byte_makes_a_token_malformed(pki: TestPki) -> None:
    with pytest.raises(TimestampMalformed):
        verify_token(token_of(pki.tsa_leaf()) + b"\0", MESSAGE, pki.tsa_roots)


def test_no_flipped_bit_of_a_token_yields_another_time_or_an_untyped_error(pki: TestPki) -> None:
    token = token_of(pki.tsa_leaf())
    honest = verify_token(token, MESSAGE, pki.tsa_roots)
    draw, survived = random.Random(1), 0
    for _ in range(400):
        at = draw.randrange(len(token))
        bad = token[:at] + bytes([token[at] ^ 1 << draw.randrange(8)]) + token[at + 1 :]
        try:
            stamp = verify_token(bad, MESSAGE, pki.tsa_roots)
        except TimestampError:
            continue
        survived += 1
        assert stamp.gen_time == honest.gen_time
        assert stamp.certificate == honest.certificate
    assert survived < 20, "only bytes outside signature, certificate and statement may change unnoticed"


@pytest.mark.parametrize("size", [0, 1, 2, 10, 100])
def test_a_cut_token_is_malformed(pki: TestPki, size: int) -> None:
    with pytest.raises(TimestampMalformed):
        parse_token(token_of(pki.tsa_leaf())[:size])


def test_a_rejection_is_told_in_the_authority_s_words(pki: TestPki) -> None:
    authority = pki.tsa_leaf()
    stamper = TimestampAuthority(authority.certificate, authority.ec_key, clock=lambda: datetime.now(UTC))
    with pytest.raises(TimestampRejected, match="status 2"):
        parse_response(stamper.respond(b"\x30\x00"))


@pytest.mark.parametrize("answer", [b"", b"\x30", b"<html>", b"\x30\x03\x02\x01\x00", b"\x30\x80\x00\x00"])
def test_what_is_no_answer_is_malformed(answer: bytes) -> None:
    with pytest.raises(TimestampMalformed):
        parse_response(answer)


def foreign(suites: Path, name: str) -> tuple[bytes, tuple[x509.Certificate, ...]]:
    file = suites / "rfc3161-client-fixtures" / name
    chain = (file.parent / "ts_chain.pem").read_bytes()
    certificates = (
        x509.load_pem_x509_certificates(chain)
        if chain.startswith(b"-----")
        else [x509.load_der_x509_certificate(chain)]
    )
    return file.read_bytes(), tuple(certificates[1:] or certificates)


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("sigstage/response-sha256.tsr", "2025-05-09T11:58:55+00:00"),
        ("sigstage/response-sha384.tsr", "2025-05-09T11:58:55+00:00"),
        ("sigstage/response-sha512.tsr", "2025-05-09T11:58:56+00:00"),
        ("test_tsa/response.tsr", "2024-10-08T15:40:32+00:00"),
        ("test_tsa/response-injected-certs.tsr", "2024-10-08T15:40:32+00:00"),
        ("identrust/issue-104.tsr", "2025-03-11T08:52:08+00:00"),
    ],
)
def test_real_tokens_of_other_authorities_verify_at_their_own_time(
    suites: Path, name: str, when: str
) -> None:
    response, roots = foreign(suites, name)
    assert verify_token(parse_response(response), b"hello", roots).gen_time.isoformat() == when


@pytest.mark.parametrize(
    "name",
    [
        "sigstage/response-invalid-signature.tsr",
        "sigstage/response-no-embedded-cert.tsr",  # stricter than others: a token must bring its certificate
        "test_tsa/other_response.tsr",
    ],
)
def test_foreign_tokens_that_must_be_refused_are(suites: Path, name: str) -> None:
    response, roots = foreign(suites, name)
    with pytest.raises(TimestampError):
        verify_token(parse_response(response), b"hello", roots)


def test_injected_certificates_do_not_become_the_signer(suites: Path) -> None:
    response, roots = foreign(suites, "test_tsa/response-injected-certs.tsr")
    stamp = verify_token(parse_response(response), b"hello", roots)
    assert "Spoofed" not in stamp.certificate.subject.rfc4514_string()
