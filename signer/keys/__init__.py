"""Device keys by URI. Each backend yields a pyca ``EllipticCurvePrivateKey`` on P-256, wherever it lives.

``file:/abs/key.pem?pin=env:NAME|file:/abs/key.pin``: encrypted PKCS#8 (signer/keys/software.py).
``pkcs11:token=...;object=...?module-path=...&pin-source=...``: RFC 7512 (signer/keys/pkcs11.py).
``tpm2:/abs/key.pem?pin=...`` or ``tpm2:0x81......?pin=...``: a TPM 2.0 (signer/keys/tpm2.py).

The backends are the rows of ``_BACKENDS``, imported only when their scheme is asked for, because tokens and
TPMs need optional extras. ES256 only: secure elements of phones and cameras hold P-256 keys.
"""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from cryptography.hazmat.primitives.asymmetric import ec

from signer.core.errors import KeyUnavailable

__all__ = ["KeyBackend", "create_key", "open_key"]

_BACKENDS = {
    "file": "signer.keys.software",
    "pkcs11": "signer.keys.pkcs11",
    "tpm2": "signer.keys.tpm2",
}


class KeyBackend(Protocol):
    """What a backend module offers. Every failure is ``KeyUnavailable`` or ``KeyRefused``."""

    def open_key(self, uri: str) -> ec.EllipticCurvePrivateKey:
        """The existing key of this URI. ``KeyAbsent`` where nothing stands in the way of making it."""
        ...

    def create_key(self, uri: str) -> ec.EllipticCurvePrivateKey:
        """A new key, durable when the call returns; an existing one is never overwritten."""
        ...


def open_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """Raises ``KeyUnavailable`` (no file, no token, wrong PIN) or ``KeyRefused`` (not a P-256 key)."""
    return _backend(uri).open_key(uri)


def create_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """Raises ``KeyUnavailable``, also where a key of that name exists already."""
    return _backend(uri).create_key(uri)


def _backend(uri: str) -> KeyBackend:
    scheme = uri.partition(":")[0].lower()
    module = _BACKENDS.get(scheme)
    if module is None:
        raise KeyUnavailable(f"no key backend for {scheme!r}; known are {', '.join(_BACKENDS)}")
    return cast(KeyBackend, importlib.import_module(module))
