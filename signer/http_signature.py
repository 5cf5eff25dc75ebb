"""Sign a request to the service with the device's key: RFC 9421 and RFC 9530 (docs/formats/requests.md)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

LABEL = "assay"
NONCE_BYTES = 18
COORDINATE_BYTES = 32
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSigner:
    """Signs for one device. ``key`` may live in a token; the service compares ``clock`` with its own."""

    key: ec.EllipticCurvePrivateKey
    clock: Callable[[], datetime]

    def headers(
        self, method: str, url: str, content: bytes | None, content_type: str | None
    ) -> dict[str, str]:
        """The fields to send besides Content-Type. ``url`` is the whole address as it is asked for, with a
        path. Every call makes a new nonce, because the service takes a signature once. Raises
        ``KeyUnavailable`` from a token that was taken away."""
        covered = {"@method": method, "@target-uri": url}
        fields = {}
        if content is not None:
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            fields["Content-Digest"] = covered["content-digest"] = f"sha-256=:{digest}:"
        if content_type is not None:
            covered["content-type"] = content_type
        parameters = self._parameters(covered)
        signature = base64.b64encode(self._sign(signature_base(covered, parameters))).decode()
        return {**fields, "Signature-Input": f"{LABEL}={parameters}", "Signature": f"{LABEL}=:{signature}:"}

    def _parameters(self, covered: Mapping[str, str]) -> str:
        names = " ".join(f'"{name}"' for name in covered)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        created = int(self.clock().timestamp())
        return f'({names});created={created};keyid="{key_id(self.key)}";nonce="{nonce}"'

    def _sign(self, base: bytes) -> bytes:
        """r and s, 32 bytes each (RFC 9421, 3.3.4), not the DER that keys speak."""
        r, s = decode_dss_signature(self.key.sign(base, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(COORDINATE_BYTES) + s.to_bytes(COORDINATE_BYTES)


def target_uri(url: str) -> str:
    """The address as a server sees it (RFC 9110, 4.2.3): a path, no fragment, no default port."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port if parts.port not in (None, DEFAULT_PORTS.get(parts.scheme)) else None
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path or '/'}{query}"


def key_id(key: ec.EllipticCurvePrivateKey) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo), in hex, as the registry has it."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def signature_base(covered: Mapping[str, str], parameters: str) -> bytes:
    """What is signed (RFC 9421, 2.5)."""
    lines = [f'"{name}": {value}' for name, value in covered.items()]
    return "\n".join((*lines, f'"@signature-params": {parameters}')).encode("ascii")
