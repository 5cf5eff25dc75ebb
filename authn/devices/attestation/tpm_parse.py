"""Structures of a TPM 2.0, strictly: TCG TPM 2.0 Library, Part 2 "Structures", revision 1.59.

Only what an attested P-256 key needs. Integers are big-endian; a TPM2B is a length of 16 bits and as many
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from authn.core.errors import AttestationRefused

ALG_SHA256, ALG_NULL, ALG_ECDSA, ALG_ECC = 0x000B, 0x0010, 0x0018, 0x0023  # 6.3
CURVE_P256 = 0x0003  # 6.4
GENERATED_VALUE = 0xFF544347  # 6.2
ATTEST_CERTIFY = 0x8017  # 6.9
COORDINATE_BYTES = 32
MAX_NAME_BYTES, MAX_DATA_BYTES, MAX_POLICY_BYTES = 66, 66, 64

# TPMA_OBJECT, 8.3
FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN = 1 << 1, 1 << 4, 1 << 5
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18
_KNOWN_ATTRIBUTES = sum(1 << bit for bit in (1, 2, *range(4, 12), *range(16, 20)))
NEVER_LEAVES = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicArea:
    """TPMT_PUBLIC (12.2.4) of a P-256 key; ``signs_alone``: its scheme is fixed to ECDSA with SHA-256."""

    attributes: int
    signs_alone: bool
    key: ec.EllipticCurvePublicKey
    name: bytes

    def has(self, attributes: int) -> bool:
        return self.attributes & attributes == attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifyInfo:
    """TPMS_ATTEST (10.12) about an object: what was signed, for which question, and in which TPM."""

    extra_data: bytes
    name: bytes
    firmware: int
    reset_count: int


class _Reader:
    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = data, 0, what

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) != size:
            raise AttestationRefused(f"{self._what} ends too early")
        self._at += size
        return found

    def sized(self, most: int) -> bytes:
        size = self.number(2)
        if size > most:
            raise AttestationRefused(f"{self._what} holds a part of {size} bytes")
        return self.take(size)

    def expect(self, size: int, value: int, says: str) -> None:
        if self.number(size) != value:
            raise AttestationRefused(says)

    def end(self) -> None:
        if self._at != len(self._data):
            raise AttestationRefused(f"{self._what} has trailing bytes")


def parse_public(data: bytes, what: str) -> PublicArea:
    """TPMT_PUBLIC, without the length of a TPM2B_PUBLIC. Raises ``AttestationRefused``."""
    reader = _Reader(data, what)
    reader.expect(2, ALG_ECC, f"{what} is not that of an elliptic-curve key")
    reader.expect(2, ALG_SHA256, f"{what} is not named with SHA-256")
    attributes = reader.number(4)
    if attributes & ~_KNOWN_ATTRIBUTES:
        raise AttestationRefused(f"{what} has attributes that are not known")
    reader.sized(MAX_POLICY_BYTES)
    reader.expect(2, ALG_NULL, f"{what} is that of a key that encrypts")  # TPMS_ECC_PARMS, 12.2.3.6
    scheme = reader.number(2)
    if scheme == ALG_ECDSA:
        reader.expect(2, ALG_SHA256, f"{what} is not that of a key for SHA-256")
    elif scheme != ALG_NULL:
        raise AttestationRefused(f"{what} is not that of a key for ECDSA")
    reader.expect(2, CURVE_P256, f"{what} is not that of a key on P-256")
    reader.expect(2, ALG_NULL, f"{what} has a key derivation scheme")
    x, y = reader.sized(COORDINATE_BYTES), reader.sized(COORDINATE_BYTES)
    reader.end()
    return PublicArea(
        attributes=attributes,
        signs_alone=scheme == ALG_ECDSA,
        key=_point(x, y, what),
        name=object_name(data),
    )


def object_name(public: bytes) -> bytes:
    """The Name of an object whose name algorithm is SHA-256 (Part 1, section 16)."""
    return ALG_SHA256.to_bytes(2, "big") + sha256(public).digest()


def parse_certify_info(data: bytes) -> CertifyInfo:
    """TPMS_ATTEST from TPM2_Certify. Raises ``AttestationRefused``."""
    reader = _Reader(data, "the certification")
    reader.expect(4, GENERATED_VALUE, "the certification was not made by a TPM")
    reader.expect(2, ATTEST_CERTIFY, "the TPM signed something else than a certification of a key")
    reader.sized(MAX_NAME_BYTES)  # qualifiedSigner: who signed follows from the signature
    extra_data = reader.sized(MAX_DATA_BYTES)
    reader.take(8)  # TPMS_CLOCK_INFO (10.11): clock, resetCount, restartCount, safe
    reset_count = reader.number(4)
    reader.take(4)
    if reader.number(1) > 1:
        raise AttestationRefused("the certification holds a truth value that is neither")
    firmware = reader.number(8)
    name = reader.sized(MAX_NAME_BYTES)  # TPMS_CERTIFY_INFO
    reader.sized(MAX_NAME_BYTES)
    reader.end()
    return CertifyInfo(extra_data=extra_data, name=name, firmware=firmware, reset_count=reset_count)


def parse_signature(data: bytes) -> bytes:
    """TPMT_SIGNATURE (11.3), ECDSA with SHA-256, as DER. Raises ``AttestationRefused``."""
    reader = _Reader(data, "the signature")
    reader.expect(2, ALG_ECDSA, "the certification is not signed with ECDSA")
    reader.expect(2, ALG_SHA256, "the certification is not signed over SHA-256")
    r, s = reader.sized(COORDINATE_BYTES), reader.sized(COORDINATE_BYTES)
    reader.end()
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def _point(x: bytes, y: bytes, what: str) -> ec.EllipticCurvePublicKey:
    """A TPM may leave out leading zeros of a coordinate (11.2.5)."""
    encoded = b"\x04" + x.rjust(COORDINATE_BYTES, b"\0") + y.rjust(COORDINATE_BYTES, b"\0")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded)
    except ValueError as e:
        raise AttestationRefused(f"{what} holds no point of P-256") from e
