"""A key whose private value is out of reach: what is left of pyca's interface is to sign."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signer.core.errors import KeyRefused


class HeldPrivateKey(ec.EllipticCurvePrivateKey):
    """Everything that would need the private value is refused; who inherits says how it signs."""

    HOLDER: ClassVar[str]

    def __init__(self, public: ec.EllipticCurvePublicKey) -> None:
        self._public = public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise KeyRefused("a device key only signs")

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise KeyRefused(f"the key does not leave its {self.HOLDER}")

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,  # noqa: A002 - pyca's name
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        raise KeyRefused(f"the key does not leave its {self.HOLDER}")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
