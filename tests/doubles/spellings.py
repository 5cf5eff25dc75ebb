"""Certificates in the spellings of real authorities that no builder writes, really signed."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from signer.proof.der import Element, elements, encoded, single
from tests.doubles.pki import Issued

Change = Callable[[Element], bytes | None]
UTF8, PRINTABLE, TELETEX, INTEGER, BOOLEAN, OCTETS, SEQUENCE = 0x0C, 0x13, 0x14, 0x02, 0x01, 0x04, 0x30
UTC_TIME = 0x17
_BASIC_CONSTRAINTS = bytes.fromhex("0603551d13")


def relabelled(text: str, tag: int = PRINTABLE, coding: str = "utf-8") -> Change:
    """This text of a name, under another label."""

    def change(element: Element) -> bytes | None:
        same = element.tag == UTF8 and element.body == text.encode()
        return encoded(tag, text.encode(coding)) if same else None

    return change


def spelt_default(element: Element) -> bytes | None:
    """Basic constraints that say cA FALSE, which DER leaves out."""
    if element.tag != SEQUENCE or not element.body.startswith(_BASIC_CONSTRAINTS):
        return None
    name, *flag, value = element.children()
    inner = single(value.body, SEQUENCE)
    stated = inner.body or b"\x01\x01\x00"
    raw = b"".join(part.raw for part in flag)
    return encoded(SEQUENCE, name.raw + raw + encoded(OCTETS, encoded(SEQUENCE, stated)))


def stated_as_uncritical(element: Element) -> bytes | None:
    """Every extension that is not critical says so, which DER leaves out."""
    if element.tag != SEQUENCE or not element.body.startswith(b"\x06\x03\x55\x1d"):
        return None
    parts = element.children()
    if len(parts) != 2:
        return None
    return encoded(SEQUENCE, parts[0].raw + b"\x01\x01\x00" + parts[1].raw)


def true_as_one(element: Element) -> bytes | None:
    return b"\x01\x01\x01" if element.raw == b"\x01\x01\xff" else None


def without_seconds(element: Element) -> bytes | None:
    return encoded(UTC_TIME, element.body[:-3] + b"Z") if element.tag == UTC_TIME else None


def with_zone(element: Element) -> bytes | None:
    return encoded(UTC_TIME, element.body[:-1] + b"+0000") if element.tag == UTC_TIME else None


def numbered(body: bytes) -> Callable[[bytes], bytes]:
    """The same to-be-signed part with this serial number, as it stands here."""

    def change(to_be_signed: bytes) -> bytes:
        version, serial, *rest = single(to_be_signed, SEQUENCE).children()
        assert serial.tag == INTEGER
        return encoded(SEQUENCE, version.raw + encoded(INTEGER, body) + b"".join(part.raw for part in rest))

    return change


def respelt(certificate: x509.Certificate, issuer: Issued, *changes: Change) -> bytes:
    """DER of the certificate with every change, signed again by its issuer's (P-256) key."""
    to_be_signed = certificate.tbs_certificate_bytes
    for change in changes:
        to_be_signed = _changed(single(to_be_signed, SEQUENCE), change)
    return signed(to_be_signed, issuer)


def respelt_list(der: bytes, issuer: Issued, *changes: Change) -> bytes:
    """A revocation list with every change, signed again."""
    to_be_signed = single(der, SEQUENCE).children()[0].raw
    for change in changes:
        to_be_signed = _changed(single(to_be_signed, SEQUENCE), change)
    return signed(to_be_signed, issuer)


def signed(to_be_signed: bytes, issuer: Issued) -> bytes:
    algorithm = encoded(SEQUENCE, bytes.fromhex("06082a8648ce3d040302"))
    signature = issuer.ec_key.sign(to_be_signed, ec.ECDSA(hashes.SHA256()))
    return encoded(SEQUENCE, to_be_signed + algorithm + encoded(0x03, b"\0" + signature))


def unsigned(certificate: x509.Certificate, *changes: Change) -> bytes:
    """DER with every change under the signature that was there before."""
    whole = certificate.public_bytes(Encoding.DER)
    for change in changes:
        whole = _changed(single(whole, SEQUENCE), change)
    return whole


def _changed(element: Element, change: Change) -> bytes:
    if (replaced := change(element)) is not None:
        return replaced
    if not element.tag & 0x20:
        return element.raw
    return encoded(element.tag, b"".join(_changed(part, change) for part in elements(element.body)))
