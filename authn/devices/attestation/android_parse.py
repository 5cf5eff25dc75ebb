"""The extension in which an Android device describes a key (KeyDescription, 1.3.6.1.4.1.11129.2.1.17).

Strict DER throughout: authorization tags ascend, every field is known, a BOOLEAN is 00 or FF. Only a SET OF
may be unsorted, because real devices send it so. Source: source.android.com, "Key and ID attestation".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from authn.core.errors import AttestationRefused
from signer.proof.der import DerError, Element, elements, single

VERSIONS = (1, 2, 3, 4, 100, 200, 300, 400, 500)
MAX_BYTES = 16_384
MAX_TAG_NUMBER = 9_999
INTEGER, OCTETS, NULL, ENUMERATED, SEQUENCE, SET = 0x02, 0x04, 0x05, 0x0A, 0x30, 0x31


class SecurityLevel(IntEnum):
    SOFTWARE = 0
    TRUSTED_ENVIRONMENT = 1
    STRONG_BOX = 2


class BootState(IntEnum):
    VERIFIED = 0
    SELF_SIGNED = 1
    UNVERIFIED = 2
    FAILED = 3


class Origin(IntEnum):
    GENERATED = 0
    DERIVED = 1
    IMPORTED = 2
    RESERVED = 3
    SECURELY_IMPORTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RootOfTrust:
    """``verified_boot_hash`` is absent before version 3."""

    verified_boot_key: bytes
    device_locked: bool
    verified_boot_state: BootState
    verified_boot_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    name: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationId:
    """The applications that share the key's owner; ``signatures``: SHA-256 of their certificates."""

    packages: tuple[Package, ...]
    signatures: tuple[bytes, ...]


Value = int | bool | bytes | tuple[int, ...] | RootOfTrust | ApplicationId


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """One authorization: ``name`` as the schema writes it, ``value`` by its kind (True for a NULL)."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizations:
    """What one party (Android, or the secure hardware) enforces."""

    fields: tuple[Authorization, ...]

    def value(self, name: str) -> Value | None:
        """None where the list does not say."""
        return next((f.value for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescription:
    attestation_version: int
    attestation_security_level: SecurityLevel
    keymint_version: int
    keymint_security_level: SecurityLevel
    challenge: bytes
    unique_id: bytes
    software: Authorizations
    hardware: Authorizations


def read_key_description(extension: bytes) -> KeyDescription:
    """The extension's value (inside its OCTET STRING). Raises ``AttestationRefused`` for anything that is not
    exactly one KeyDescription of a known version."""
    if len(extension) > MAX_BYTES:
        raise AttestationRefused("the attestation extension is too large")
    try:
        return _description(single(extension, SEQUENCE).children())
    except ValueError as e:  # DerError, an enumeration without that value, text that is not UTF-8
        raise AttestationRefused(f"the attestation extension is malformed: {e}") from e


def _description(parts: tuple[Element, ...]) -> KeyDescription:
    _count(parts, 8, 8)
    version = _integer(parts[0])
    if version not in VERSIONS:
        raise DerError(f"attestation version {version} is not known")
    return KeyDescription(
        attestation_version=version,
        attestation_security_level=SecurityLevel(_integer(parts[1], ENUMERATED)),
        keymint_version=_integer(parts[2]),
        keymint_security_level=SecurityLevel(_integer(parts[3], ENUMERATED)),
        challenge=_octets(parts[4]),
        unique_id=_octets(parts[5]),
        software=_authorizations(parts[6]),
        hardware=_authorizations(parts[7]),
    )


def _authorizations(element: Element) -> Authorizations:
    _tagged(element, SEQUENCE)
    found = []
    at, last = 0, -1
    while at < len(element.body):
        number, at = _tag_number(element.body, at)
        if number <= last:
            raise DerError("authorization tags must ascend")
        if number not in FIELDS:
            raise DerError(f"authorization tag {number} is not known")
        last = number
        body, at = _contents(element.body, at)
        inner = elements(body)
        _count(inner, 1, 1)
        name, read = FIELDS[number]
        found.append(Authorization(name=name, value=read(inner[0])))
    return Authorizations(fields=tuple(found))


def _tag_number(data: bytes, at: int) -> tuple[int, int]:
    """The number of a constructed context tag and where its length begins (X.690 section 8.1.2)."""
    first = data[at]
    if first & 0xE0 != 0xA0:
        raise DerError("an authorization is explicitly tagged")
    at += 1
    if first & 0x1F != 0x1F:
        return first & 0x1F, at
    number = 0
    while at < len(data):
        octet = data[at]
        at += 1
        number = number << 7 | octet & 0x7F
        if number == 0 or number > MAX_TAG_NUMBER:
            raise DerError("a tag number is padded or too large")
        if not octet & 0x80:
            if number < 0x1F:
                raise DerError("a tag number is not in its shortest form")
            return number, at
    raise DerError("truncated tag")


def _contents(data: bytes, at: int) -> tuple[bytes, int]:
    """What the length at ``at`` covers, and where it ends. Two octets of length hold ``MAX_BYTES``."""
    if at >= len(data):
        raise DerError("truncated element")
    length, octets = data[at], 0
    if length & 0x80:
        octets = length & 0x7F
        if octets not in (1, 2):
            raise DerError("indefinite or oversized length")
        length = int.from_bytes(data[at + 1 : at + 1 + octets], "big")
        if length < 0x80 or length.bit_length() <= 8 * (octets - 1):
            raise DerError("length is not minimal")
    start = at + 1 + octets
    if start + length > len(data):
        raise DerError("truncated element")
    return data[start : start + length], start + length


def _tagged(element: Element, tag: int) -> Element:
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} where {tag:#04x} belongs")
    return element


def _count(parts: tuple[Element, ...], least: int, most: int) -> None:
    if not least <= len(parts) <= most:
        raise DerError(f"{len(parts)} elements where {least} to {most} belong")


def _integer(element: Element, tag: int = INTEGER) -> int:
    body = _tagged(element, tag).body
    if not body or (len(body) > 1 and body[0] == 0 and not body[1] & 0x80):
        raise DerError("an integer is not in its shortest form")
    if body[0] & 0x80 or len(body) > 9:
        raise DerError("an integer is negative or longer than 64 bits")
    return int.from_bytes(body, "big")


def _integers(element: Element) -> tuple[int, ...]:
    found = tuple(_integer(e) for e in _tagged(element, SET).children())
    if len(set(found)) != len(found):
        raise DerError("a set names a value twice")
    return found


def _octets(element: Element) -> bytes:
    return _tagged(element, OCTETS).body


def _null(element: Element) -> bool:
    if _tagged(element, NULL).body:
        raise DerError("a NULL has contents")
    return True


def _origin(element: Element) -> Origin:
    return Origin(_integer(element))


def _root_of_trust(element: Element) -> RootOfTrust:
    parts = _tagged(element, SEQUENCE).children()
    _count(parts, 3, 4)
    if parts[1].raw not in (b"\x01\x01\x00", b"\x01\x01\xff"):
        raise DerError("deviceLocked is not a DER BOOLEAN")
    return RootOfTrust(
        verified_boot_key=_octets(parts[0]),
        device_locked=parts[1].body == b"\xff",
        verified_boot_state=BootState(_integer(parts[2], ENUMERATED)),
        verified_boot_hash=_octets(parts[3]) if len(parts) == 4 else None,
    )


def _application_id(element: Element) -> ApplicationId:
    parts = single(_octets(element), SEQUENCE).children()
    _count(parts, 2, 2)
    return ApplicationId(
        packages=tuple(_package(e) for e in _tagged(parts[0], SET).children()),
        signatures=tuple(_octets(e) for e in _tagged(parts[1], SET).children()),
    )


def _package(element: Element) -> Package:
    parts = _tagged(element, SEQUENCE).children()
    _count(parts, 2, 2)
    return Package(name=_octets(parts[0]).decode("utf-8"), version=_integer(parts[1]))


FIELDS: dict[int, tuple[str, Callable[[Element], Value]]] = {
    1: ("purposes", _integers),
    2: ("algorithms", _integer),
    3: ("keySize", _integer),
    4: ("blockModes", _integers),
    5: ("digests", _integers),
    6: ("paddings", _integers),
    10: ("ecCurve", _integer),
    11: ("mlDsaVariant", _integer),
    200: ("rsaPublicExponent", _integer),
    203: ("rsaOaepMgfDigests", _integers),
    303: ("rollbackResistance", _null),
    305: ("earlyBootOnly", _null),
    400: ("activeDateTime", _integer),
    401: ("originationExpireDateTime", _integer),
    402: ("usageExpireDateTime", _integer),
    405: ("usageCountLimit", _integer),
    503: ("noAuthRequired", _null),
    504: ("userAuthType", _integer),
    505: ("authTimeout", _integer),
    506: ("allowWhileOnBody", _null),
    507: ("trustedUserPresenceRequired", _null),
    508: ("trustedConfirmationRequired", _null),
    509: ("unlockedDeviceRequired", _null),
    600: ("allApplications", _null),
    601: ("applicationId", _octets),
    701: ("creationDateTime", _integer),
    702: ("origin", _origin),
    703: ("rollbackResistant", _null),
    704: ("rootOfTrust", _root_of_trust),
    705: ("osVersion", _integer),
    706: ("osPatchLevel", _integer),
    709: ("attestationApplicationId", _application_id),
    710: ("attestationIdBrand", _octets),
    711: ("attestationIdDevice", _octets),
    712: ("attestationIdProduct", _octets),
    713: ("attestationIdSerial", _octets),
    714: ("attestationIdImei", _octets),
    715: ("attestationIdMeid", _octets),
    716: ("attestationIdManufacturer", _octets),
    717: ("attestationIdModel", _octets),
    718: ("vendorPatchLevel", _integer),
    719: ("bootPatchLevel", _integer),
    720: ("deviceUniqueAttestation", _null),
    723: ("attestationIdSecondImei", _octets),
    724: ("moduleHash", _octets),
}
