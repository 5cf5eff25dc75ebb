"""An OCSP responder (RFC 6960) for the certificates of one issuer, by a delegated key of its own.

Delegated, because C2PA readers take no answer that the issuing authority signed itself. The responder makes
its key in memory and gets a certificate for a day (id-pkix-ocsp-nocheck), so there is no key to lose.
The revocation time in an answer is the time from which the key is not to be believed: OCSP as it is used
has no other place for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from authn.devices.revocation import Status
from authn.pki.profile import Issuer, ocsp_certificate

MAX_REQUEST_BYTES = 2048
MAX_NONCE_BYTES = 128  # RFC 9654
ANSWER_LIFETIME = timedelta(minutes=10)
CERTIFICATE_LIFETIME = timedelta(hours=24)
RENEW_BEFORE = timedelta(hours=12)
_HASHES = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)  # of names, not signatures


class Responder:
    """``status`` answers for the serial numbers of ``issuer``. May be used by several threads."""

    def __init__(
        self,
        issuer: Issuer,
        status: Callable[[int], Status],
        clock: Callable[[], datetime],
        announce: Callable[[x509.Certificate], None] = lambda _: None,
    ) -> None:
        """``announce`` is told of each certificate that answers are signed with, before the first answer."""
        self._issuer = issuer
        self._announce = announce
        self._status = status
        self._clock = clock
        self._delegate: Issuer | None = None
        self._lock = threading.Lock()

    def respond(self, request: bytes) -> bytes:
        """DER in, DER out; a refusal is an answer too (RFC 6960, 2.3). Raises what ``status`` raises."""
        if len(request) > MAX_REQUEST_BYTES:
            return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        try:
            asked = ocsp.load_der_ocsp_request(request)
            nonce = _nonce(asked)
            known_hash = isinstance(asked.hash_algorithm, _HASHES)
            serial = asked.serial_number
        except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm, x509.DuplicateExtension):
            # NotImplementedError: several certificates at once, which no client of ours asks for.
            return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if serial <= 0:  # no certificate has such a serial number
            return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if not known_hash or not self._is_about_us(asked):
            return _failure(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return self._answer(asked, nonce, self._clock())

    def _is_about_us(self, asked: ocsp.OCSPRequest) -> bool:
        name, key = issuer_hashes(self._issuer.certificate, asked.hash_algorithm)
        return asked.issuer_name_hash == name and asked.issuer_key_hash == key

    def _answer(self, asked: ocsp.OCSPRequest, nonce: x509.OCSPNonce | None, now: datetime) -> bytes:
        found = self._status(asked.serial_number)
        entry = found.entry
        status = ocsp.OCSPCertStatus.GOOD if found.known else ocsp.OCSPCertStatus.UNKNOWN
        if entry is not None:
            status = ocsp.OCSPCertStatus.REVOKED
        named = None if entry is None or entry.cause == "unspecified" else x509.ReasonFlags(entry.cause)
        at = now.replace(microsecond=0)
        delegate = self._current_delegate(now)
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                issuer_name_hash=asked.issuer_name_hash,
                issuer_key_hash=asked.issuer_key_hash,
                serial_number=asked.serial_number,
                algorithm=asked.hash_algorithm,
                cert_status=status,
                this_update=at,
                next_update=at + ANSWER_LIFETIME,
                revocation_time=None if entry is None else min(entry.revoked_at, entry.invalid_since),
                revocation_reason=named,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, delegate.certificate)
            .certificates([delegate.certificate])
        )
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        return builder.sign(delegate.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _current_delegate(self, now: datetime) -> Issuer:
        with self._lock:
            held = self._delegate
            if held is None or not _usable(held.certificate, now):
                key = ec.generate_private_key(ec.SECP256R1())
                certificate = ocsp_certificate(key.public_key(), self._issuer, now, CERTIFICATE_LIFETIME)
                self._announce(certificate)
                held = self._delegate = Issuer(certificate=certificate, key=key)
            return held


def issuer_hashes(issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    """Of its name, and of its key's bits (RFC 6960, 4.1.1)."""
    digests = []
    bits = issuer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for part in (issuer.subject.public_bytes(), bits):
        digest = hashes.Hash(algorithm)
        digest.update(part)
        digests.append(digest.finalize())
    return digests[0], digests[1]


def _usable(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _nonce(asked: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    """Raises ``ValueError`` for one of a forbidden length, and for other extensions that are critical."""
    nonce = None
    for extension in asked.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            nonce = extension.value
            if not 1 <= len(nonce.nonce) <= MAX_NONCE_BYTES:
                raise ValueError("a nonce has 1 to 128 bytes")
        elif extension.critical:
            raise ValueError("a critical extension that is not evaluated")
    return nonce


def _failure(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
