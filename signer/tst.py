"""The inside of an RFC 3161 token, taken apart strictly; nothing is verified against a key here.

Accepts DER only, one signer, sorted and single-valued signed attributes (RFC 3161 2.4.2, RFC 5652, RFC 5816).
Real authorities send unsorted certificate bags, so the bag alone may be in any order.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from signer.certificates import read_certificate
from signer.der import DerError, Element, elements, single
from signer.errors import TimestampMalformed

MAX_TOKEN_BYTES = 64 * 1024  # real ones have 1 to 8 KB

_ID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_ID_TST_INFO = bytes.fromhex("2a864886f70d0109100104")
_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_SIGNING_TIME = bytes.fromhex("2a864886f70d010905")
_ESS_V1 = bytes.fromhex("2a864886f70d010910020c")
_ESS_V2 = bytes.fromhex("2a864886f70d010910022f")
_DIGESTS = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_GENERALIZED = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6}))?Z")
_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_SIGNING_TIME_TOLERANCE = timedelta(seconds=1)

_SEQUENCE, _SET, _INTEGER, _OCTETS = 0x30, 0x31, 0x02, 0x04
_GENERALIZED_TIME, _UTC_TIME = 0x18, 0x17


@dataclass(frozen=True, slots=True, kw_only=True)
class TstInfo:
    """What the authority states. ``tsa_name`` is the DER of a directoryName, where it gives one."""

    gen_time: datetime
    accuracy_s: float | None
    serial: int
    policy: str
    imprint_algorithm: str
    imprint: bytes
    nonce: int | None
    tsa_name: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedToken:
    """``issuer`` (DER) and ``certificate_serial`` name the signer; ``ess_digest`` must be its certificate's.
    ``signed_attributes`` are the bytes under the signature."""

    info: TstInfo
    certificates: tuple[x509.Certificate, ...]
    issuer: bytes
    certificate_serial: int
    digest_algorithm: str
    signature_algorithm: bytes
    signed_attributes: bytes
    ess_digest: tuple[str, bytes]
    signature: bytes


def parse_token(token: bytes) -> ParsedToken:
    """Steps 1 to 3 of ``signer.timestamp``. Raises ``TimestampMalformed``."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TimestampMalformed("the token is too large")
    try:
        return _parse(token)
    except (DerError, LookupError, ValueError, OverflowError) as e:
        raise TimestampMalformed(f"the token is not strict RFC 3161: {e}") from e


def _parse(token: bytes) -> ParsedToken:
    content_info = single(token, _SEQUENCE).children()
    if content_info[0].body != _ID_SIGNED_DATA or len(content_info) != 2:
        raise DerError("not a SignedData")
    signed = single(content_info[1].body, _SEQUENCE).children()
    if signed[0].body != b"\x03":
        raise DerError("SignedData is not version 3")
    encapsulated = signed[2].children()
    if encapsulated[0].body != _ID_TST_INFO:
        raise DerError("the content is no TSTInfo")
    tst = single(encapsulated[1].body, _OCTETS).body
    bag = [e for e in signed[3:-1] if e.tag == 0xA0]
    signers = signed[-1].children()
    if signed[-1].tag != _SET or len(signers) != 1:
        raise DerError("there must be exactly one signer")
    return _signer_info(signers[0], tst, _certificates(bag))


def _certificates(bag: list[Element]) -> tuple[x509.Certificate, ...]:
    return tuple(
        read_certificate(element.raw)
        for element in (elements(bag[0].body) if bag else ())
        if element.tag == _SEQUENCE
    )


def _signer_info(element: Element, tst: bytes, certificates: tuple[x509.Certificate, ...]) -> ParsedToken:
    parts = element.children()
    if parts[0].body != b"\x01" or parts[1].tag != _SEQUENCE:
        raise DerError("the signer is not named by issuer and serial")
    issuer, serial = parts[1].children()
    digest = _DIGESTS.get(parts[2].children()[0].body)
    if digest is None:
        raise DerError("the digest algorithm is not accepted")
    if parts[3].tag != 0xA0:
        raise DerError("there are no signed attributes")
    attributes = _attributes(parts[3])
    info = _tst_info(tst)
    _check_attributes(attributes, tst, digest, info)
    return ParsedToken(
        info=info,
        certificates=certificates,
        issuer=issuer.raw,
        certificate_serial=int.from_bytes(serial.body, "big", signed=True),
        digest_algorithm=digest,
        signature_algorithm=parts[4].children()[0].body,
        signed_attributes=bytes([_SET]) + parts[3].raw[1:],  # RFC 5652 5.4: signed as SET OF, not as [0]
        ess_digest=_ess_digest(attributes),
        signature=parts[5].body,
    )


def _attributes(element: Element) -> dict[bytes, Element]:
    items = elements(element.body)
    if list(items) != sorted(items, key=lambda item: item.raw):
        raise DerError("the signed attributes are not in DER order")
    found: dict[bytes, Element] = {}
    for item in items:
        name, values = item.children()
        inner = values.children()
        if name.body in found or len(inner) != 1 or values.tag != _SET:
            raise DerError("a signed attribute is doubled or has several values")
        found[name.body] = inner[0]
    return found


def _check_attributes(attributes: dict[bytes, Element], tst: bytes, digest: str, info: TstInfo) -> None:
    content_type, message_digest = attributes.get(_CONTENT_TYPE), attributes.get(_MESSAGE_DIGEST)
    if content_type is None or content_type.body != _ID_TST_INFO:
        raise DerError("the contentType attribute is not id-ct-TSTInfo")
    if message_digest is None or not hmac.compare_digest(
        message_digest.body, hashlib.new(digest, tst).digest()
    ):
        raise DerError("the messageDigest attribute does not match")
    signing_time = attributes.get(_SIGNING_TIME)
    if signing_time is not None:
        # Some readers take this attribute for the time. It is no part of what the authority states.
        difference = _instant(signing_time) - info.gen_time
        if abs(difference) > _SIGNING_TIME_TOLERANCE:
            raise DerError("signingTime differs from genTime")


def _tst_info(tst: bytes) -> TstInfo:
    parts = list(single(tst, _SEQUENCE).children())
    if parts[0].body != b"\x01":
        raise DerError("TSTInfo is not version 1")
    algorithm, imprint = parts[2].children()
    name = _DIGESTS.get(algorithm.children()[0].body)
    if name is None or len(imprint.body) != hashlib.new(name).digest_size:
        raise DerError("the message imprint is not accepted")
    rest = parts[5:]
    accuracy = _accuracy(rest.pop(0)) if rest and rest[0].tag == _SEQUENCE else None
    if rest and rest[0].tag == 0x01:
        rest.pop(0)
    nonce = int.from_bytes(rest.pop(0).body, "big", signed=True) if rest and rest[0].tag == _INTEGER else None
    tsa = rest.pop(0).children()[0] if rest and rest[0].tag == 0xA0 else None
    if rest:
        raise DerError("TSTInfo holds fields or extensions that are not understood")
    return TstInfo(
        gen_time=_instant(parts[4]),
        accuracy_s=accuracy,
        serial=int.from_bytes(parts[3].body, "big", signed=True),
        policy=_dotted(parts[1].body),
        imprint_algorithm=name,
        imprint=imprint.body,
        nonce=nonce,
        tsa_name=tsa.body if tsa is not None and tsa.tag == 0xA4 else None,
    )


def _accuracy(element: Element) -> float:
    scale = {_INTEGER: 1.0, 0x80: 1e-3, 0x81: 1e-6}
    return sum(int.from_bytes(part.body, "big") * scale[part.tag] for part in element.children())


def _ess_digest(attributes: dict[bytes, Element]) -> tuple[str, bytes]:
    if _ESS_V2 in attributes:
        first = attributes[_ESS_V2].children()[0].children()[0].children()
        algorithm = "sha256"
        if first[0].tag == _SEQUENCE:
            algorithm = _DIGESTS.get(first[0].children()[0].body, "")
            first = first[1:]
        if not algorithm:
            raise DerError("ESSCertIDv2 uses a digest that is not accepted")
        return algorithm, first[0].body
    if _ESS_V1 in attributes:
        return "sha1", attributes[_ESS_V1].children()[0].children()[0].children()[0].body
    raise DerError("there is no signingCertificate attribute")


def _instant(element: Element) -> datetime:
    if element.tag == _GENERALIZED_TIME and (m := _GENERALIZED.fullmatch(element.body)):
        year, month, day, hour, minute, second = (int(m[i]) for i in range(1, 7))
        fraction = int((m[7] or b"").ljust(6, b"0"))
        return datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    if element.tag == _UTC_TIME and (m := _UTC.fullmatch(element.body)):
        year, month, day, hour, minute, second = (int(m[i]) for i in range(1, 7))
        return datetime(year + (1900 if year >= 50 else 2000), month, day, hour, minute, second, tzinfo=UTC)
    raise DerError("a time is not in the form that RFC 3161 demands")


def _dotted(body: bytes) -> str:
    arcs, value = [], 0
    for octet in body:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
