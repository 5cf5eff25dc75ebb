"""How a public key is named everywhere: by its SubjectPublicKeyInfo, and the SHA-256 of that."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def spki_of(key: PublicKeyTypes) -> bytes:
    """In DER (RFC 5280, 4.1.2.7)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(key: PublicKeyTypes) -> str:
    """Identity of a key in registry, log and report, in hexadecimal."""
    return sha256(spki_of(key)).hexdigest()
