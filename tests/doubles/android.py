"""Android attestation chains below a root of the tests, as a device would make them for our challenge.

The encoder is written from the schema (source.android.com, "Key and ID attestation") and shares nothing with
the reader that it tests.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
PACKAGE = "org.example.camera"
SIGNER = sha256(b"the certificate that signs the application").digest()
SOFTWARE, TEE, STRONG_BOX = 0, 1, 2
VERIFIED, SELF_SIGNED, UNVERIFIED, FAILED = 0, 1, 2, 3
GENERATED, IMPORTED = 0, 2


def tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    octets = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | octets)) + size.to_bytes(octets, "big") + body


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    return tlv(0x31, b"".join(sorted(parts)))


def integer(value: int, tag: int = 0x02) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def explicit(number: int, inner: bytes) -> bytes:
    """A context tag; above 30 in the long form."""
    if number < 31:
        return tlv(0xA0 | number, inner)
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    body = tlv(0, inner)[1:]
    return bytes((0xBF, *reversed(groups))) + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """What the device says of itself and of the key; every field can be made wrong."""

    level: int = STRONG_BOX
    keymint_level: int | None = None
    boot: int = VERIFIED
    locked: bool = True
    origin: int = GENERATED
    package: str = PACKAGE
    signer: bytes = SIGNER
    purposes: tuple[int, ...] = (2,)

    def description(self, challenge: bytes) -> bytes:
        application = sequence(
            set_of(sequence(tlv(0x04, self.package.encode()), integer(7))), set_of(tlv(0x04, self.signer))
        )
        root_of_trust = sequence(
            tlv(0x04, bytes(32)),
            tlv(0x01, b"\xff" if self.locked else b"\x00"),
            integer(self.boot, 0x0A),
            tlv(0x04, bytes(32)),
        )
        software = sequence(explicit(701, integer(1_795_000_000_000)), explicit(709, tlv(0x04, application)))
        hardware = sequence(
            explicit(1, set_of(*(integer(p) for p in self.purposes))),
            explicit(2, integer(3)),
            explicit(3, integer(256)),
            explicit(5, set_of(integer(4))),
            explicit(10, integer(1)),
            explicit(503, tlv(0x05, b"")),
            explicit(702, integer(self.origin)),
            explicit(704, root_of_trust),
            explicit(705, integer(160_000)),
            explicit(706, integer(202_611)),
            explicit(717, tlv(0x04, b"Example One")),
        )
        keymint = self.level if self.keymint_level is None else self.keymint_level
        return sequence(
            integer(300),
            integer(self.level, 0x0A),
            integer(300),
            integer(keymint, 0x0A),
            tlv(0x04, challenge),
            tlv(0x04, b""),
            software,
            hardware,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """A root and a batch key below it."""

    now: datetime
    root_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    batch_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    batch_serial: int = 0xBA7C4

    def root(self) -> x509.Certificate:
        return self._issue("Test root", "Test root", self.root_key, self.root_key, 1)

    def chain(
        self, key: ec.EllipticCurvePrivateKey, challenge: bytes, phone: Phone | None = None
    ) -> list[x509.Certificate]:
        """Leaf first, root last, for ``key`` and ``challenge``."""
        said = (phone or Phone()).description(challenge)
        return [
            self._issue("Android Keystore Key", "Batch", key, self.batch_key, 1, said),
            self._issue("Batch", "Test root", self.batch_key, self.root_key, self.batch_serial),
            self.root(),
        ]

    def attestation(
        self, key: ec.EllipticCurvePrivateKey, challenge: bytes, phone: Phone | None = None
    ) -> dict[str, object]:
        """As it is sent."""
        ders = (c.public_bytes(Encoding.DER) for c in self.chain(key, challenge, phone))
        return {"fmt": "android-key", "x5c": [base64.b64encode(d).decode() for d in ders]}

    def _issue(
        self,
        name: str,
        issuer: str,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        serial: int,
        extension: bytes = b"",
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
            public_key=key.public_key(),
            serial_number=serial,
            not_valid_before=(self.now - timedelta(days=30)).replace(microsecond=0),
            not_valid_after=datetime(2050, 1, 1, tzinfo=UTC),
        )
        if extension:
            builder = builder.add_extension(x509.UnrecognizedExtension(EXTENSION, extension), critical=False)
        return builder.sign(signer, hashes.SHA256())
