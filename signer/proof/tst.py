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

from signer.core.errors import TimestampInvalid, TimestampMalformed, TimestampNotStrict, TimestampUnsupported
from signer.proof.certificates import Certificate, read_foreign
from signer.proof.der import DerError, Element, algorithm, elements, identifier, integer, single, whole

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
_GENERALIZED = re.compile(
    rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,5}[1-9]))?Z"
)  # X.690 11.7: no zero at the end
_UTC = re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_SIGNING_TIME_TOLERANCE = timedelta(seconds=1)

_SEQUENCE, _SET, _INTEGER, _OCTETS, _BOOLEAN = 0x30, 0x31, 0x02, 0x04, 0x01
_GENERALIZED_TIME, _UTC_TIME = 0x18, 0x17
_EXPLICIT_0, _EXPLICIT_1, _DIRECTORY_NAME = 0xA0, 0xA1, 0xA4
_TST_OPTIONAL = (_SEQUENCE, _BOOLEAN, _INTEGER, _EXPLICIT_0, _EXPLICIT_1)  # accuracy to extensions, in order


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
    """``issuer`` (DER) and ``certificate_serial`` name the signer; ``ess_digests`` must be its certificate's.
    ``signed_attributes`` are the bytes under the signature. ``deviations``: where it leaves the standard
    without becoming unreadable; a token with one is judged to the end and then not relied on."""

    info: TstInfo
    certificates: tuple[Certificate, ...]
    issuer: bytes
    certificate_serial: int
    digest_algorithm: str
    signature_algorithm: bytes
    signed_attributes: bytes
    ess_digests: tuple[tuple[str, bytes], ...]
    signature: bytes
    deviations: tuple[str, ...]


def parse_token(token: bytes) -> ParsedToken:
    """A strict token: steps 1 to 3 of ``signer.proof.timestamp``. Raises as ``take_apart``, and
    ``TimestampNotStrict`` for one with deviations."""
    parsed = take_apart(token)
    if parsed.deviations:
        raise not_strict(parsed.deviations)
    return parsed


def not_strict(deviations: tuple[str, ...]) -> TimestampNotStrict:
    return TimestampNotStrict(f"the token is not strict RFC 3161: {'; '.join(deviations)}")


def take_apart(token: bytes) -> ParsedToken:
    """Raises ``TimestampMalformed``, ``TimestampUnsupported`` for what is not evaluated here, and
    ``TimestampInvalid`` where the token contradicts itself."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TimestampUnsupported(f"the token has more than {MAX_TOKEN_BYTES} bytes")
    try:
        return _parse(token)
    except (DerError, LookupError, ValueError, OverflowError) as e:
        raise TimestampMalformed(f"the token cannot be read as strict RFC 3161: {e}") from e


def _parse(token: bytes) -> ParsedToken:
    kind, content = single(token, _SEQUENCE).children()
    if identifier(kind) != _ID_SIGNED_DATA:
        raise DerError("not a SignedData")
    version, algorithms, encapsulated, *rest = single(whole(content, _EXPLICIT_0), _SEQUENCE).children()
    deviations = () if integer(version) == 3 else (f"SignedData is version {integer(version)}, not 3",)
    for one in elements(whole(algorithms, _SET)):
        algorithm(one)
    *optional, signers = rest
    if [e.tag for e in optional] not in ([], [_EXPLICIT_0], [_EXPLICIT_1], [_EXPLICIT_0, _EXPLICIT_1]):
        raise DerError("SignedData holds fields that do not belong there")
    bag = optional[0].body if optional and optional[0].tag == _EXPLICIT_0 else b""
    infos = elements(whole(signers, _SET))
    if len(infos) != 1:
        raise DerError("there must be exactly one signer")
    return _signer_info(infos[0], _content(encapsulated), _certificates(bag), deviations)


def _content(encapsulated: Element) -> bytes:
    kind, content = single(encapsulated.raw, _SEQUENCE).children()
    if identifier(kind) != _ID_TST_INFO:
        raise DerError("the content is no TSTInfo")
    return single(whole(content, _EXPLICIT_0), _OCTETS).body


def _certificates(bag: bytes) -> tuple[Certificate, ...]:
    """Those that can be read: authorities put others into the bag than those of their path."""
    found = []
    for element in elements(bag):
        if element.tag == _SEQUENCE:
            try:
                found.append(read_foreign(element.raw))
            except ValueError:
                continue
    return tuple(found)


def _signer_info(
    element: Element, tst: bytes, certificates: tuple[Certificate, ...], deviations: tuple[str, ...]
) -> ParsedToken:
    version, signer, digests, signed, algorithms, signature, *unsigned = single(
        element.raw, _SEQUENCE
    ).children()
    if integer(version) != 1 or signer.tag != _SEQUENCE:
        raise DerError("the signer is not named by issuer and serial")
    if [e.tag for e in unsigned] not in ([], [_EXPLICIT_1]):
        raise DerError("the signer has fields that do not belong there")
    issuer, serial = signer.children()
    digest = _DIGESTS.get(algorithm(digests))
    if digest is None:
        raise TimestampUnsupported("the token's digest algorithm is not accepted")
    if signed.tag != _EXPLICIT_0:
        raise DerError("there are no signed attributes")
    attributes = _attributes(signed)
    info = _tst_info(tst)
    _check_attributes(attributes, tst, digest, info)
    ess_digests, ess_deviations = _ess_digests(attributes, issuer, serial)
    return ParsedToken(
        info=info,
        certificates=certificates,
        issuer=issuer.raw,
        certificate_serial=integer(serial),
        digest_algorithm=digest,
        signature_algorithm=algorithm(algorithms),
        signed_attributes=bytes([_SET]) + signed.raw[1:],  # RFC 5652 5.4: signed as SET OF, not as [0]
        ess_digests=ess_digests,
        signature=whole(signature, _OCTETS),
        deviations=(*deviations, *ess_deviations),
    )


def _attributes(element: Element) -> dict[bytes, Element]:
    items = elements(element.body)
    if list(items) != sorted(items, key=lambda item: item.raw):
        raise DerError("the signed attributes are not in DER order")
    found: dict[bytes, Element] = {}
    for item in items:
        name, values = item.children()
        inner = elements(whole(values, _SET))
        if identifier(name) in found or len(inner) != 1:
            raise DerError("a signed attribute is doubled or has several values")
        found[name.body] = inner[0]
    return found


def _check_attributes(attributes: dict[bytes, Element], tst: bytes, digest: str, info: TstInfo) -> None:
    content_type, message_digest = attributes.get(_CONTENT_TYPE), attributes.get(_MESSAGE_DIGEST)
    if content_type is None or message_digest is None:
        raise DerError("the contentType or the messageDigest attribute is missing")
    if identifier(content_type) != _ID_TST_INFO:
        raise TimestampInvalid("the contentType attribute is not id-ct-TSTInfo: something else was signed")
    if not hmac.compare_digest(whole(message_digest, _OCTETS), hashlib.new(digest, tst).digest()):
        raise TimestampInvalid("the messageDigest attribute is not the digest of what the token states")
    signing_time = attributes.get(_SIGNING_TIME)
    if signing_time is not None:
        # Some readers take this attribute for the time. It is no part of what the authority states.
        difference = _instant(signing_time) - info.gen_time
        if abs(difference) > _SIGNING_TIME_TOLERANCE:
            raise TimestampInvalid("the token gives two times: signingTime differs from genTime")


def _tst_info(tst: bytes) -> TstInfo:
    version, policy, imprint, serial, time, *rest = single(tst, _SEQUENCE).children()
    if integer(version) != 1:
        raise DerError("TSTInfo is not version 1")
    algorithms, digest = single(imprint.raw, _SEQUENCE).children()
    name = _DIGESTS.get(algorithm(algorithms))
    if name is None or len(whole(digest, _OCTETS)) != hashlib.new(name).digest_size:
        raise DerError("the message imprint is not accepted")
    if time.tag != _GENERALIZED_TIME:
        raise DerError("genTime is no GeneralizedTime")
    optional = {element.tag: element for element in rest}
    if [e.tag for e in rest] != [tag for tag in _TST_OPTIONAL if tag in optional]:
        raise DerError("TSTInfo holds fields that are not understood")
    if _BOOLEAN in optional and optional[_BOOLEAN].body not in (b"\xff", b"\0"):
        # Some authorities spell the default out. It is signed, so it does no harm.
        raise DerError("ordering is neither true nor false")
    if _EXPLICIT_1 in optional:
        _check_extensions(optional[_EXPLICIT_1])
    return TstInfo(
        gen_time=_instant(time),
        accuracy_s=_accuracy(optional[_SEQUENCE]) if _SEQUENCE in optional else None,
        serial=integer(serial),
        policy=_dotted(identifier(policy)),
        imprint_algorithm=name,
        imprint=digest.body,
        nonce=integer(optional[_INTEGER]) if _INTEGER in optional else None,
        tsa_name=_directory_name(optional[_EXPLICIT_0].body) if _EXPLICIT_0 in optional else None,
    )


def _accuracy(element: Element) -> float:
    scale = {_INTEGER: 1.0, 0x80: 1e-3, 0x81: 1e-6}
    parts = {part.tag: integer(part, part.tag) for part in element.children()}
    if [part.tag for part in element.children()] != [tag for tag in scale if tag in parts]:
        raise DerError("the accuracy holds something else than seconds and their parts")
    if parts.get(_INTEGER, 0) < 0 or any(not 1 <= parts.get(tag, 1) <= 999 for tag in (0x80, 0x81)):
        raise DerError("the accuracy is out of range")
    return sum(value * scale[tag] for tag, value in parts.items())


def _directory_name(general_names: bytes) -> bytes:
    """The name inside exactly one GeneralName of the kind directoryName: no other can be compared with the
    subject of a certificate."""
    return single(general_names, _DIRECTORY_NAME).body


def _check_extensions(element: Element) -> None:
    """None is understood here, so none may be critical (RFC 3161 section 2.4.2)."""
    found = set()
    for extension in element.children():
        name, *rest = single(extension.raw, _SEQUENCE).children()
        if [e.tag for e in rest] != [_OCTETS] or identifier(name) in found:
            raise DerError("an extension of TSTInfo is critical, doubled or malformed")
        found.add(name.body)
    if not found:
        raise DerError("the list of extensions is empty")


def _ess_digests(
    attributes: dict[bytes, Element], issuer: Element, serial: Element
) -> tuple[tuple[tuple[str, bytes], ...], tuple[str, ...]]:
    """What ESSCertID and ESSCertIDv2 name first, which has to be the signer (RFC 2634 section 5.4), and where
    they deviate. The digest names a certificate; issuer and serial only repeat it."""
    found = []
    deviations = []
    for attribute, default in ((_ESS_V2, "sha256"), (_ESS_V1, "sha1")):
        if attribute not in attributes:
            continue
        first, *rest = single(attributes[attribute].raw, _SEQUENCE).children()[0].children()[0].children()
        kind = default
        if attribute == _ESS_V2 and first.tag == _SEQUENCE:
            kind, (first, *rest) = _DIGESTS.get(algorithm(first), ""), rest
        if not kind or len(rest) > 1:
            raise DerError("ESSCertID uses a digest that is not accepted, or holds too much")
        if rest and not _is_issuer_serial(rest[0], issuer, serial):
            deviations.append("ESSCertID gives another issuer or serial than the signer's")
        found.append((kind, whole(first, _OCTETS)))
    if not found:
        deviations.append("there is no signingCertificate attribute")
    return tuple(found), tuple(deviations)


def _is_issuer_serial(element: Element, issuer: Element, serial: Element) -> bool:
    names, number = single(element.raw, _SEQUENCE).children()
    return _directory_name(whole(names, _SEQUENCE)) == issuer.raw and number.raw == serial.raw


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
