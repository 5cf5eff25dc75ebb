"""Certificates that strangers send, read completely at once.

pyca reads most fields only when they are asked for, and raises five unrelated kinds of error then. After
``read_certificate`` every field has been read, so that no later look at one can fail. pyca also warns of what
it will refuse one day; here each of these is refused or accepted on purpose.

``read_certificate`` is for certificates that our own profiles rule (devices, attestations). Those of other
people's signers and authorities are taken as they were issued: ``read_foreign`` reads a transcript of one
that pyca refuses for its spelling, and keeps the bytes that were signed beside it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import SignatureAlgorithmOID

from signer.proof.der import SEQUENCE, DerError, Element, first, integer, single
from signer.proof.transcript import transcript

_VERSION = 0xA0
_PEM = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----([^-]*)-----END (?:X509 )?CERTIFICATE-----")
_USUAL_BYTES = 8192
SignatureParameters = padding.PSS | padding.PKCS1v15 | ec.ECDSA


class Signed(Protocol):
    """What is asked of a signature on a certificate or a revocation list."""

    @property
    def signature_algorithm_oid(self) -> x509.ObjectIdentifier: ...
    @property
    def signature_algorithm_parameters(self) -> SignatureParameters | None: ...
    @property
    def signature_hash_algorithm(self) -> hashes.HashAlgorithm | None: ...
    @property
    def signature(self) -> bytes: ...


class Certificate(Signed, Protocol):
    """What is asked of a certificate here. pyca's own class answers it, and ``Transcribed``."""

    @property
    def subject(self) -> x509.Name: ...
    @property
    def issuer(self) -> x509.Name: ...
    @property
    def serial_number(self) -> int: ...
    @property
    def not_valid_before_utc(self) -> datetime: ...
    @property
    def not_valid_after_utc(self) -> datetime: ...
    @property
    def extensions(self) -> x509.Extensions: ...
    @property
    def public_key_algorithm_oid(self) -> x509.ObjectIdentifier: ...
    def public_key(self) -> CertificatePublicKeyTypes: ...
    def public_bytes(self, encoding: Encoding) -> bytes: ...
    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A certificate that pyca refuses for its spelling. ``read`` is its transcript; ``der`` are the bytes
    that were issued, and all that is signed, hashed or given to others."""

    der: bytes
    read: x509.Certificate

    @property
    def subject(self) -> x509.Name:
        return self.read.subject

    @property
    def issuer(self) -> x509.Name:
        return self.read.issuer

    @property
    def serial_number(self) -> int:
        return self.read.serial_number

    @property
    def not_valid_before_utc(self) -> datetime:
        return self.read.not_valid_before_utc

    @property
    def not_valid_after_utc(self) -> datetime:
        return self.read.not_valid_after_utc

    @property
    def extensions(self) -> x509.Extensions:
        return self.read.extensions

    @property
    def public_key_algorithm_oid(self) -> x509.ObjectIdentifier:
        return self.read.public_key_algorithm_oid

    @property
    def signature_algorithm_oid(self) -> x509.ObjectIdentifier:
        return self.read.signature_algorithm_oid

    @property
    def signature_algorithm_parameters(self) -> SignatureParameters | None:
        return self.read.signature_algorithm_parameters

    @property
    def signature_hash_algorithm(self) -> hashes.HashAlgorithm | None:
        return self.read.signature_hash_algorithm

    @property
    def signature(self) -> bytes:
        return self.read.signature

    def public_key(self) -> CertificatePublicKeyTypes:
        return self.read.public_key()

    def public_bytes(self, encoding: Encoding) -> bytes:
        """DER or PEM of the certificate as it was issued."""
        if encoding is Encoding.DER:
            return self.der
        import ssl  # for one line of text; whoever verifies never needs it

        return ssl.DER_cert_to_PEM_cert(self.der).encode()


def read_foreign(der: bytes) -> Certificate:
    """A certificate as it was issued, whatever its serial number. Raises ``ValueError`` for one that cannot
    be read, with pyca's words for the bytes themselves."""
    return _remembered(der) if len(der) <= _USUAL_BYTES else _read_foreign(der)


@lru_cache(maxsize=256)
def _remembered(der: bytes) -> Certificate:
    """Authorities stand in every file, and the devices of one service in many."""
    return _read_foreign(der)


def _read_foreign(der: bytes) -> Certificate:
    try:
        return _read(der)
    except ValueError as refused:
        for bare in (False, True):
            try:
                return Transcribed(der=der, read=_read(transcript(der, bare=bare)))
            except ValueError:
                continue
        raise ValueError(f"the certificate cannot be read: {refused}") from refused


def key_of(der: bytes) -> CertificatePublicKeyTypes | None:
    """The public key of a certificate of which nothing else may be readable; None where it is not either."""
    try:
        fields = _fields(der)
        return cast("CertificatePublicKeyTypes", load_der_public_key(fields[5].raw))
    except (ValueError, UnsupportedAlgorithm, IndexError):
        return None


def read_certificate(der: bytes, *, least_serial: int = 1) -> x509.Certificate:
    """Raises ``ValueError`` for anything that is no whole X.509 v3 certificate with a positive serial number
    (RFC 5280 section 4.1.2.2) and a public key of a known kind. Some old roots have the serial number 0."""
    if _serial_number(der) < least_serial:
        raise ValueError("the certificate's serial number is not positive")
    return _read(der)


def read_pem(text: bytes) -> tuple[Certificate, ...]:
    """All certificates of a text, in order, as ``read_foreign``. Raises ``ValueError`` too for a text that
    holds something, and no certificate."""
    listed = _PEM.findall(text)
    if text.strip() and not listed:
        raise ValueError("there is no PEM certificate")
    return tuple(read_foreign(base64.b64decode(body)) for body in listed)


def issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the names agree and the key of ``issuer`` signed the bytes of ``certificate`` as they came; not
    whether it may."""
    try:
        if isinstance(certificate, x509.Certificate) and isinstance(issuer, x509.Certificate):
            certificate.verify_directly_issued_by(issuer)
            return True
        der, key = certificate.public_bytes(Encoding.DER), issuer.public_key()
        return certificate.issuer == issuer.subject and signature_holds(der, certificate, key)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False


def issuer_name(certificate: Certificate) -> bytes:
    """DER of the name, as it was issued."""
    return _names(certificate.public_bytes(Encoding.DER))[0]


def subject_name(certificate: Certificate) -> bytes:
    """DER of the name, as it was issued."""
    return _names(certificate.public_bytes(Encoding.DER))[1]


def signature_holds(der: bytes, read: Signed, key: CertificatePublicKeyTypes) -> bool:
    """Whether ``key`` signed what ``der`` holds, a certificate or a revocation list; ``read`` is what pyca
    makes of it, or of its transcript. False for a kind of key or signature that is not listed here."""
    to_be_signed, algorithm, *_ = single(der, SEQUENCE).children()
    inner = next((part for part in to_be_signed.children() if part.tag == SEQUENCE), None)
    if inner is None or inner.raw != algorithm.raw:  # RFC 5280, 4.1.1.2 and 5.1.1.2
        return False
    try:
        return _verified(to_be_signed.raw, read, key)
    except InvalidSignature:
        return False


def _verified(message: bytes, read: Signed, key: CertificatePublicKeyTypes) -> bool:
    how, digest = read.signature_algorithm_parameters, read.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and isinstance(how, padding.PSS | padding.PKCS1v15) and digest:
        key.verify(read.signature, message, how, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
        key.verify(read.signature, message, how)
    elif (
        isinstance(key, ed25519.Ed25519PublicKey)
        and read.signature_algorithm_oid == SignatureAlgorithmOID.ED25519
    ):
        key.verify(read.signature, message)
    else:
        return False
    return True


def _names(der: bytes) -> tuple[bytes, bytes]:
    """Issuer and subject, as they were issued. Raises ``DerError``; never for a certificate that was read."""
    _serial, _algorithm, issuer, _validity, subject = _fields(der)[:5]
    return issuer.raw, subject.raw


def _fields(der: bytes) -> tuple[Element, ...]:
    """Of what is signed, without the version. Raises ``DerError`` for fewer than there must be."""
    to_be_signed, *_ = single(der, SEQUENCE).children() or (None,)
    fields = to_be_signed.children() if to_be_signed is not None else ()
    fields = fields[1:] if fields and fields[0].tag == _VERSION else fields
    if len(fields) < 6:
        raise DerError("this is no certificate")
    return fields


def _read(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (
            certificate.version,
            certificate.serial_number,
            certificate.issuer.rfc4514_string(),
            certificate.subject.rfc4514_string(),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            certificate.signature_algorithm_oid,
            certificate.extensions,
            certificate.public_key(),
        )
    except (
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        TypeError,  # a name whose value is a BIT STRING
        Warning,  # where somebody turns warnings into errors
    ) as e:
        raise ValueError(str(e)) from e
    except UnsupportedAlgorithm as e:
        raise ValueError("the certificate's key is of an unknown kind") from e
    return certificate


def _serial_number(der: bytes) -> int:
    """Before pyca reads it, which only warns. Raises ``ValueError``."""
    to_be_signed = first(single(der, SEQUENCE).body)
    if to_be_signed.tag != SEQUENCE:
        raise DerError("this is no certificate")
    number = first(to_be_signed.body)
    if number.tag == _VERSION:
        number = first(to_be_signed.body[len(number.raw) :])
    return integer(number)
