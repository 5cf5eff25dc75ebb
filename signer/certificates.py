"""Certificates that strangers send, read completely at once.

pyca reads most fields only when they are asked for, and raises five unrelated kinds of error then. After
``read_certificate`` every field has been read, so that no later look at one can fail. pyca also warns of what
it will refuse one day; here each of these is refused or accepted on purpose.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from signer.der import SEQUENCE, DerError, first, integer, single

_VERSION = 0xA0


def read_certificate(der: bytes, *, least_serial: int = 1) -> x509.Certificate:
    """Raises ``ValueError`` for anything that is no whole X.509 v3 certificate with a positive serial number
    (RFC 5280 section 4.1.2.2) and a public key of a known kind. Some old roots have the serial number 0."""
    if _serial_number(der) < least_serial:
        raise ValueError("the certificate's serial number is not positive")
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (
            certificate.version,
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
