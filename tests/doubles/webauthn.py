"""A WebAuthn authenticator of the tests: its registrations can be made wrong in every respect.

Written with an encoder of somebody else (cbor2), from WebAuthn L3, sections 6.1, 6.5 and 8.2.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

AAGUID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AAGUID = bytes(range(16))
ORIGIN, RP_ID = "https://assay.example.org", "assay.example.org"
CHALLENGE = bytes(range(32))


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


class Authenticator:
    """Holds a key and, below a root, an attestation key."""

    def __init__(
        self, challenge: bytes = CHALLENGE, origin: str = ORIGIN, rp_id: str = RP_ID, now: datetime = NOW
    ) -> None:
        self.challenge, self.origin, self.rp_id, self.now = challenge, origin, rp_id, now
        self.key, self.batch, self.root = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))

    def data(
        self, *, flags: int = UP | AT, rp_id: str | None = None, extra: bytes = b"", **key: object
    ) -> bytes:
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        cose |= {int(k.replace("m", "-").lstrip("k")): v for k, v in key.items()}  # type: ignore[misc]
        head = sha256((rp_id or self.rp_id).encode()).digest() + bytes((flags,)) + bytes(4)
        return head + AAGUID + (4).to_bytes(2, "big") + b"cred" + cbor2.dumps(cose) + extra

    def client(self, **changed: object) -> bytes:
        found = {"type": "webauthn.create", "challenge": b64url(self.challenge), "origin": self.origin}
        return json.dumps(found | changed).encode()

    def root_certificate(self) -> x509.Certificate:
        return certificate(self.root, self.root, root=True, now=self.now)

    def leaf(self, **changed: Any) -> x509.Certificate:
        return certificate(self.batch, self.root, now=self.now, **changed)

    def packed(
        self,
        *,
        data: bytes | None = None,
        client: bytes | None = None,
        chain: tuple[x509.Certificate, ...] | None = None,
        statement: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """With ``chain`` empty a self attestation."""
        data, client = data or self.data(), client or self.client()
        chain = (self.leaf(),) if chain is None else chain
        signer = self.batch if chain else self.key
        signature = signer.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        said: dict[str, object] = {"alg": -7, "sig": signature}
        if chain:
            said["x5c"] = [c.public_bytes(Encoding.DER) for c in chain]
        body = {"fmt": "packed", "attStmt": said | dict(statement or {}), "authData": data}
        return {
            "fmt": "packed",
            "attestation_object": b64url(cbor2.dumps(body)),
            "client_data": b64url(client),
        }


def certificate(
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    root: bool = False,
    unit: str = "Authenticator Attestation",
    country: str = "DE",
    ca: bool | None = None,
    aaguid: bytes | None = AAGUID,
    critical: bool = False,
    days: int = 30,
    issuer: str = "Root",
    now: datetime = NOW,
) -> x509.Certificate:
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, country),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Makers"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        x509.NameAttribute(NameOID.COMMON_NAME, "Batch 7"),
    ]
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, "Root")] if root else attributes
    builder = x509.CertificateBuilder(
        subject_name=x509.Name(subject),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        public_key=key.public_key(),
        serial_number=5,
        not_valid_before=now - timedelta(days=60),
        not_valid_after=now + timedelta(days=days),
    ).add_extension(x509.BasicConstraints(ca=root if ca is None else ca, path_length=None), critical=True)
    if aaguid is not None and not root:
        model = x509.UnrecognizedExtension(AAGUID_EXTENSION, b"\x04\x10" + aaguid)
        builder = builder.add_extension(model, critical=critical)
    return builder.sign(signer, hashes.SHA256())
