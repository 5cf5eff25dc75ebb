"""Time-stamp answers built by hand, field by field, and signed again after every change.

Every part is raw DER under a name, so that a test changes exactly one and the rest stays well-formed: what is
left is an answer that somebody with the authority's key could really have made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding

from tests.doubles.pki import Issued, SigningKey

SHA = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
ECDSA = {"sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4"}
RSA = {
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}
ED25519 = "1.3.101.112"
TST_INFO, SIGNED_DATA, ID_DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = (f"1.2.840.113549.1.9.{n}" for n in (3, 4, 5))
ESS_V1, ESS_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
NULL = b"\x05\x00"


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def integer(value: int, tag: int = 0x02) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    body = b""
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return tlv(0x06, body)


def algorithm(dotted: str, parameters: bytes = b"") -> bytes:
    return seq(oid(dotted), parameters)


def attribute(dotted: str, *values: bytes) -> bytes:
    return seq(oid(dotted), tlv(0x31, *values))


def generalized(at: datetime, fraction: str = "") -> bytes:
    return tlv(0x18, f"{at.astimezone(UTC):%Y%m%d%H%M%S}{fraction}Z".encode())


def utc(at: datetime) -> bytes:
    return tlv(0x17, f"{at.astimezone(UTC):%y%m%d%H%M%S}Z".encode())


def directory_name(name: x509.Name) -> bytes:
    return tlv(0xA4, name.public_bytes())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def issuer_serial(certificate: x509.Certificate) -> bytes:
    return seq(seq(directory_name(certificate.issuer)), integer(certificate.serial_number))


def ess_id_v2(certificate: x509.Certificate, digest: str = "sha256", *, named: bytes | None = None) -> bytes:
    """``named`` in place of the right issuer and serial, empty for none."""
    which = b"" if digest == "sha256" else algorithm(SHA[digest])
    place = issuer_serial(certificate) if named is None else named
    return seq(which, octets(hashlib.new(digest, der(certificate)).digest()), place)


def ess_v2(certificate: x509.Certificate, digest: str = "sha256", *, named: bytes | None = None) -> bytes:
    """The value of the attribute."""
    return seq(seq(ess_id_v2(certificate, digest, named=named)))


def ess_v1(certificate: x509.Certificate) -> bytes:
    return seq(seq(seq(sha1_of(certificate), issuer_serial(certificate))))


def sha1_of(certificate: x509.Certificate) -> bytes:
    return octets(hashlib.new("sha1", der(certificate), usedforsecurity=False).digest())


@dataclass(kw_only=True)
class Stamp:
    """One answer. Everything but keys is raw DER; an empty value leaves a field out."""

    authority: Issued
    message: bytes
    at: datetime
    nonce: int
    digest: str = "sha256"  # over the TSTInfo and under the signature
    status: bytes = seq(integer(0))
    tst: dict[str, bytes] = field(default_factory=dict)
    attributes: dict[str, bytes] = field(default_factory=dict)
    arranged: Callable[[Sequence[bytes]], Sequence[bytes]] = sorted
    signed_data_version: bytes = integer(3)
    digest_algorithms: bytes = b""
    content_type: bytes = oid(TST_INFO)
    certificates: list[bytes] = field(default_factory=list)
    bag: Callable[[bytes], bytes] = lambda body: tlv(0xA0, body) if body else b""
    crls: bytes = b""
    signer_version: bytes = integer(1)
    signer: bytes = b""
    digest_algorithm: bytes = b""
    signature_algorithm: bytes = b""
    key: SigningKey | None = None
    signed_tag: int = 0x31
    unsigned: bytes = b""
    signers: Callable[[bytes], bytes] = lambda info: info
    wrapped: Callable[[bytes], bytes] = lambda tst: tlv(0xA0, octets(tst))
    token_change: Callable[[bytes], bytes] = lambda token: token
    signature_change: Callable[[bytes], bytes] = lambda signature: signature

    def __post_init__(self) -> None:
        certificate = self.authority.certificate
        self.tst = {
            "version": integer(1),
            "policy": oid("2.25.1"),
            "imprint": imprint(self.message),
            "serial": integer(4711),
            "time": generalized(self.at),
            "accuracy": seq(integer(1)),
            "ordering": b"",
            "nonce": integer(self.nonce),
            "tsa": tlv(0xA0, directory_name(certificate.subject)),
            "extensions": b"",
        }
        self.attributes = {
            "content type": attribute(CONTENT_TYPE, oid(TST_INFO)),
            "digest": b"",  # filled in at the end, unless it was given
            "ess": attribute(ESS_V2, ess_v2(certificate)),
        }
        self.certificates = [der(c) for c in self.authority.chain]
        self.signer = seq(certificate.issuer.public_bytes(), integer(certificate.serial_number))
        self.key = self.authority.key

    def response(self) -> bytes:
        return seq(self.status, self.token())

    def token(self) -> bytes:
        tst = seq(*self.tst.values())
        signed = seq(
            self.signed_data_version,
            self.digest_algorithms or tlv(0x31, algorithm(SHA[self.digest])),
            seq(self.content_type, self.wrapped(tst)),
            self.bag(b"".join(self.certificates)),
            self.crls,
            tlv(0x31, self.signers(self._signer_info(tst))),
        )
        return self.token_change(seq(oid(SIGNED_DATA), tlv(0xA0, signed)))

    def _signer_info(self, tst: bytes) -> bytes:
        digest = attribute(MESSAGE_DIGEST, octets(hashlib.new(self.digest, tst).digest()))
        given = {**self.attributes, "digest": self.attributes.get("digest", b"-") or digest}
        attributes = b"".join(self.arranged([a for a in given.values() if a not in (b"", b"-")]))
        signature = self.signature_change(self._sign(tlv(self.signed_tag, attributes)))
        return seq(
            self.signer_version,
            self.signer,
            self.digest_algorithm or algorithm(SHA[self.digest]),
            tlv(0xA0, attributes) if attributes else b"",
            self.signature_algorithm or algorithm(*self._named()),
            octets(signature),
            self.unsigned,
        )

    def _named(self) -> tuple[str, bytes]:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return ECDSA[self.digest], b""
        return (ED25519, b"") if isinstance(self.key, ed25519.Ed25519PrivateKey) else (RSA[self.digest], NULL)

    def _sign(self, message: bytes) -> bytes:
        key, digest = self.key, HASHES[self.digest]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(message, ec.ECDSA(digest))
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        assert key is not None
        return key.sign(message, padding.PKCS1v15(), digest)


def imprint(
    message: bytes, digest: str = "sha256", *, parameters: bytes = NULL, value: bytes | None = None
) -> bytes:
    found = hashlib.new(digest, message).digest() if value is None else value
    return seq(algorithm(SHA[digest], parameters), octets(found))
