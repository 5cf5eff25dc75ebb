"""Answers of the delegated responder, read by pyca; ``openssl ocsp`` asks the real service in test_pki."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from authn.devices.ocsp import MAX_REQUEST_BYTES, Responder
from authn.devices.revocation import Status
from authn.pki.crl import Cause, RevokedEntry
from authn.pki.profile import Issuer
from tests.doubles.pki import TestPki

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
PKI = TestPki()
LEAF = PKI.leaf().certificate
ISSUER = Issuer(certificate=PKI.issuing.certificate, key=PKI.issuing.ec_key)
GOOD = Status(known=True)


def revoked(cause: Cause = Cause.KEY_COMPROMISE) -> Status:
    entry = RevokedEntry(serial=LEAF.serial_number, revoked_at=NOW, invalid_since=NOW - 3 * DAY, cause=cause)
    return Status(known=True, entry=entry)


def responder(status: Status = GOOD, clock: Callable[[], datetime] = lambda: NOW) -> Responder:
    return Responder(ISSUER, lambda _serial: status, clock)


def request_for(
    certificate: x509.Certificate = LEAF,
    issuer: x509.Certificate = ISSUER.certificate,
    algorithm: hashes.HashAlgorithm | None = None,
    *extensions: tuple[x509.ExtensionType, bool],
) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm or hashes.SHA256())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build().public_bytes(Encoding.DER)


def ask(to: Responder, request: bytes | None = None) -> ocsp.OCSPResponse:
    return ocsp.load_der_ocsp_response(to.respond(request_for() if request is None else request))


def test_a_good_certificate_is_good_for_ten_minutes() -> None:
    answer = ask(responder())
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert answer.this_update_utc == NOW
    assert answer.next_update_utc == NOW + timedelta(minutes=10)
    assert answer.serial_number == LEAF.serial_number


@pytest.mark.parametrize("cause", list(Cause))
def test_a_revoked_certificate_is_revoked_from_the_time_it_is_not_to_be_believed(cause: Cause) -> None:
    answer = ask(responder(revoked(cause)))
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert answer.revocation_time_utc == NOW - 3 * DAY
    reason = answer.revocation_reason
    assert (reason.value if reason else "unspecified") == cause.value


def test_a_serial_number_that_was_never_issued_is_unknown() -> None:
    assert ask(responder(Status(known=False))).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_it_is_asked_with_any_usual_digest(algorithm: hashes.HashAlgorithm) -> None:
    answer = ask(responder(), request_for(algorithm=algorithm))
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert answer.hash_algorithm.name == algorithm.name


def test_the_delegate_is_what_rfc_6960_and_c2pa_ask_for() -> None:
    answer = ask(responder())
    (delegate,) = answer.certificates
    delegate.verify_directly_issued_by(ISSUER.certificate)
    purposes = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.OCSP_SIGNING]
    delegate.extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert delegate.not_valid_after_utc - NOW <= DAY
    key = delegate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key != ISSUER.certificate.public_key()
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))


def test_the_delegate_is_renewed_before_it_ends() -> None:
    times = [NOW, NOW + timedelta(hours=11), NOW + timedelta(hours=13)]
    to = responder(clock=lambda: times[0])
    serials = []
    while times:
        serials.append(ask(to).certificates[0].serial_number)
        times.pop(0)
    assert serials[0] == serials[1] != serials[2]


def test_a_nonce_comes_back_and_none_is_made_up() -> None:
    nonce = x509.OCSPNonce(b"n" * 32)
    answer = ask(responder(), request_for(LEAF, ISSUER.certificate, None, (nonce, False)))
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value == nonce
    with pytest.raises(x509.ExtensionNotFound):
        ask(responder()).extensions.get_extension_for_class(x509.OCSPNonce)


def test_another_issuer_is_none_of_our_business() -> None:
    other = TestPki()  # the same names, other keys
    asked = request_for(other.leaf().certificate, other.issuing.certificate)
    assert ask(responder(), asked).response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    asked = request_for(ISSUER.certificate, PKI.root.certificate)
    assert ask(responder(), asked).response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
MALFORMED = {
    "empty": b"",
    "no request": b"0\x03\x02\x01\x05",
    "cut": request_for()[:-1],
    "something behind it": request_for() + b"\0",
    "too long": request_for() + bytes(MAX_REQUEST_BYTES),
    "long nonce": request_for(LEAF, ISSUER.certificate, None, (x509.OCSPNonce(b"n" * 129), False)),
    "empty nonce": request_for(LEAF, ISSUER.certificate, None, (x509.OCSPNonce(b""), False)),
    "unknown critical extension": request_for(LEAF, ISSUER.certificate, None, (UNKNOWN, True)),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_request_is_malformed(what: str) -> None:
    answer = ask(responder(), MALFORMED[what])
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_every_cut_and_every_flipped_byte_gets_an_answer() -> None:
    whole, to = request_for(LEAF, ISSUER.certificate, None, (x509.OCSPNonce(b"n" * 16), False)), responder()
    for i in range(len(whole)):
        ocsp.load_der_ocsp_response(to.respond(whole[:i]))
        for mask in (0x01, 0x41, 0x80):
            flipped = whole[:i] + bytes([whole[i] ^ mask]) + whole[i + 1 :]
            ocsp.load_der_ocsp_response(to.respond(flipped))


def test_threads_that_ask_at_once_share_one_delegate() -> None:
    to, found = responder(), set()

    def one() -> None:
        found.add(ask(to).certificates[0].serial_number)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
