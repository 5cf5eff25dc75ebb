"""A device key whose signing is a test's own function: it fails, stalls, or does something on the side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from signer.keys.pkcs11 import TokenPrivateKey


class ScriptedKey(TokenPrivateKey):
    """Public half of ``key``; ``sign`` is called with the data and returns a DER signature, or raises."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, sign: Callable[[bytes], bytes]) -> None:
        super().__init__(None, key.public_key())
        self._sign = sign

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        return self._sign(data)
