"""Certificate revocation lists (RFC 5280 section 5): ours, written; anybody's, read and judged. Pure.

Ours is encoded here and not by pyca's builder, which copies its list for each entry that is added: quadratic,
and a list of a device family can have 100,000 entries. A list of somebody else is read narrowly: what would
make it say less than it seems to (indirect, delta, partitioned, an unknown critical extension) refuses it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from signer.proof.certificates import Certificate, signature_holds
from signer.proof.transcript import transcript

if TYPE_CHECKING:
    from authn.pki.profile import Issuer

MAX_CRL_BYTES = 64 * 1024 * 1024
EXPIRED_CERTIFICATES_ON_CRL = x509.ObjectIdentifier("2.5.29.60")  # X.509, 9.5.2.9
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_EVALUATED = frozenset(
    {ExtensionOID.CRL_NUMBER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.ISSUING_DISTRIBUTION_POINT}
)
_EVALUATED_IN_ENTRY = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})
_WEAK = (hashes.SHA1, hashes.MD5)
_PEM = re.compile(rb"-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----")


class Cause(StrEnum):
    """The reasons of RFC 5280, 5.3.1, that can befall a leaf for good (so no hold and no removal)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION = "cessationOfOperation"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"
    AA_COMPROMISE = "aACompromise"


_CODES = {
    Cause.KEY_COMPROMISE: 1,
    Cause.CA_COMPROMISE: 2,
    Cause.AFFILIATION_CHANGED: 3,
    Cause.SUPERSEDED: 4,
    Cause.CESSATION: 5,
    Cause.PRIVILEGE_WITHDRAWN: 9,
    Cause.AA_COMPROMISE: 10,
}


class CrlRefused(Exception):
    """This list says nothing about this certificate at this time; ``str()`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedEntry:
    """``invalid_since``: from when on the key is not to be believed (InvalidityDate)."""

    serial: int
    revoked_at: datetime
    invalid_since: datetime
    cause: str = Cause.UNSPECIFIED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crl:
    """A list that was read completely; ``entries`` by serial number. Equal only to itself. ``der`` is the
    list as it was issued, ``parsed`` what pyca makes of it or of its transcript."""

    parsed: x509.CertificateRevocationList
    der: bytes
    entries: Mapping[int, RevokedEntry]
    number: int
    this_update: datetime
    next_update: datetime
    sha256: str


def build_crl(
    issuer: Issuer,
    entries: Iterable[RevokedEntry],
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """A signed list (DER, version 2). Entries of expired certificates stay on it, because photos outlive
    certificates; expiredCertsOnCRL says so."""
    extensions = b"".join(
        (
            _extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())),
            _extension(x509.CRLNumber(number)),
            _tlv(
                0x30,
                _oid(EXPIRED_CERTIFICATES_ON_CRL)
                + _tlv(0x04, _generalized(issuer.certificate.not_valid_before_utc)),
            ),
        )
    )
    revoked = b"".join(_entry(e) for e in entries)
    body = b"".join(
        (
            b"\x02\x01\x01",
            _ECDSA_WITH_SHA256,
            issuer.certificate.subject.public_bytes(),
            _time(this_update),
            _time(next_update),
            _tlv(0x30, revoked) if revoked else b"",  # an empty list is left out (5.1.2.6)
            _tlv(0xA0, _tlv(0x30, extensions)),
        )
    )
    tbs = _tlv(0x30, body)
    signature = issuer.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return _tlv(0x30, tbs + _ECDSA_WITH_SHA256 + _tlv(0x03, b"\0" + signature))


def read_crl(data: bytes) -> Crl:
    """One list, PEM or DER. Raises ``CrlRefused`` for what cannot be read or may say less than it seems."""
    if len(data) > MAX_CRL_BYTES:
        raise CrlRefused(f"the list has more than {MAX_CRL_BYTES} bytes")
    try:
        issued = _der(data)
        crl = _loaded(issued)
        _ = crl.signature_hash_algorithm, crl.issuer.rfc4514_string(), crl.signature
        number = _check_extensions(crl.extensions)
        # Sorted, so that of two entries for one certificate the one that reaches further back is kept.
        found = sorted((_read_entry(e) for e in crl), key=lambda e: e.invalid_since, reverse=True)
        entries = {e.serial: e for e in found}
        this_update, next_update = crl.last_update_utc, crl.next_update_utc
    except (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, UnsupportedAlgorithm) as e:
        raise CrlRefused("it is no X.509 revocation list (PEM or DER), or a damaged one") from e
    except (x509.UnsupportedGeneralNameType, x509.ExtensionNotFound) as e:
        raise CrlRefused(f"the list cannot be evaluated: {e}") from e
    if next_update is None:
        raise CrlRefused("the list does not say when the next one comes")
    return Crl(
        parsed=crl,
        der=issued,
        entries=entries,
        number=number,
        this_update=this_update,
        next_update=next_update,
        sha256=sha256(issued).hexdigest(),
    )


def crl_pem(crl: Crl) -> bytes:
    """The list as it was issued."""
    lines = base64.encodebytes(crl.der)
    return b"-----BEGIN X509 CRL-----\n" + lines + b"-----END X509 CRL-----\n"


def _der(data: bytes) -> bytes:
    """Raises ``ValueError``."""
    if not data.lstrip().startswith(b"-----"):
        return data
    found = _PEM.search(data)
    if found is None:
        raise ValueError("the text holds no list")
    return base64.b64decode(found[1])


def _loaded(der: bytes) -> x509.CertificateRevocationList:
    """By pyca, in the spelling of the list or in DER's. Raises ``ValueError``."""
    try:
        return x509.load_der_x509_crl(der)
    except ValueError:
        return x509.load_der_x509_crl(transcript(der))


def covers(crl: Crl, certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the list claims to come from whoever issued the certificate; its signature is not looked at."""
    return crl.parsed.issuer == certificate.issuer == issuer.subject


def look_up(
    crl: Crl, certificate: Certificate, issuer: Certificate, *, as_of: datetime
) -> RevokedEntry | None:
    """What the list says about the certificate; None where it does not name it.

    Raises ``CrlRefused``: another issuer's, a wrong signature, an issuer that may not sign lists, not current
    at ``as_of``. A list that is out of date accuses nobody: a newer one may differ.
    """
    if not covers(crl, certificate, issuer):
        raise CrlRefused("the list comes from another issuer than the certificate")
    _check_issuer(crl, issuer)
    if as_of > crl.next_update:
        raise CrlRefused(f"the list is out of date since {crl.next_update:%Y-%m-%d %H:%M} UTC")
    return crl.entries.get(certificate.serial_number)


@lru_cache(maxsize=64)  # a list is asked for every photo, and a long one takes a while to verify
def _check_issuer(crl: Crl, issuer: Certificate) -> None:
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.crl_sign:
        raise CrlRefused("the issuer's certificate is not for signing lists")
    if isinstance(crl.parsed.signature_hash_algorithm, _WEAK):
        raise CrlRefused("the list is signed over a broken digest")
    try:
        signed = signature_holds(crl.der, crl.parsed, issuer.public_key())
    except (TypeError, ValueError, UnsupportedAlgorithm) as e:
        raise CrlRefused("the list's signature cannot be checked") from e
    if not signed:
        raise CrlRefused("the list is not signed by the certificate's issuer")


def _check_extensions(extensions: x509.Extensions) -> int:
    """The CRLNumber (5.2.3 asks for one, and for it not to be critical)."""
    for extension in extensions:
        if extension.oid == ExtensionOID.DELTA_CRL_INDICATOR:
            raise CrlRefused("the list is a delta list")
        if extension.critical and extension.oid not in _EVALUATED:
            raise CrlRefused("the list has a critical extension that is not evaluated")
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            _check_scope(extension.value)
    extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    number = extensions.get_extension_for_class(x509.CRLNumber)
    if number.critical:
        raise CrlRefused("the list's number is marked critical, against RFC 5280, 5.2.3")
    return number.value.crl_number


def _check_scope(scope: x509.IssuingDistributionPoint) -> None:
    if scope.indirect_crl:
        raise CrlRefused("the list is indirect: it speaks for other issuers")
    if scope.full_name or scope.relative_name or scope.only_some_reasons:
        raise CrlRefused("the list covers a part of its issuer's certificates only")
    if scope.only_contains_ca_certs or scope.only_contains_attribute_certs:
        raise CrlRefused("the list is not about signers' certificates")


def _read_entry(entry: x509.RevokedCertificate) -> RevokedEntry:
    cause, since = str(Cause.UNSPECIFIED), entry.revocation_date_utc
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CertificateIssuer):
            raise CrlRefused("the list is indirect: it speaks for other issuers")
        if extension.critical and extension.oid not in _EVALUATED_IN_ENTRY:
            raise CrlRefused("an entry of the list has a critical extension that is not evaluated")
        if isinstance(extension.value, x509.CRLReason):
            cause = extension.value.reason.value
        elif isinstance(extension.value, x509.InvalidityDate):
            since = extension.value.invalidity_date_utc
    if cause == x509.ReasonFlags.remove_from_crl.value:
        raise CrlRefused("a removal stands on a list that is no delta list")
    return RevokedEntry(
        serial=entry.serial_number,
        revoked_at=entry.revocation_date_utc,
        invalid_since=since,
        cause=cause,
    )


def _entry(entry: RevokedEntry) -> bytes:
    extensions = _tlv(0x30, b"\x06\x03\x55\x1d\x18" + _tlv(0x04, _generalized(entry.invalid_since)))
    code = _CODES.get(Cause(entry.cause))
    if code is not None:  # unspecified is said by leaving it out (5.3.1)
        extensions = b"\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01" + bytes([code]) + extensions
    return _tlv(0x30, _integer(entry.serial) + _time(entry.revoked_at) + _tlv(0x30, extensions))


def _extension(value: x509.ExtensionType) -> bytes:
    return _tlv(0x30, _oid(value.oid) + _tlv(0x04, value.public_bytes()))


def _oid(oid: x509.ObjectIdentifier) -> bytes:
    """Of the arc 2.5.29 alone, whose last number is below 128; lists have no other extension."""
    return b"\x06\x03\x55\x1d" + bytes([int(oid.dotted_string.removeprefix("2.5.29."))])


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _time(at: datetime) -> bytes:
    """UTCTime to 2049, GeneralizedTime after (5.1.2.4)."""
    utc = at.astimezone(UTC)
    return _tlv(0x17, f"{utc:%y%m%d%H%M%S}Z".encode()) if utc.year < 2050 else _generalized(utc)


def _generalized(at: datetime) -> bytes:
    return _tlv(0x18, f"{at.astimezone(UTC):%Y%m%d%H%M%S}Z".encode())


def _tlv(tag: int, body: bytes) -> bytes:
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body
