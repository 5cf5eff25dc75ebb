"""Requests that a device signed with its enrolled key (RFC 9421, a profile: docs/formats/requests.md).

What is signed: method, whole address, content type, digest of the content (RFC 9530), time, a nonce. A nonce
is remembered, in the database and so by all processes, for as long as its request would be accepted.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import http_sf
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from sqlalchemy import Engine, delete

from authn.core.errors import CredentialsRefused, UnknownDevice
from authn.devices import DeviceRecord
from authn.devices.registry import Registry
from authn.service.access import Kind, Principal
from authn.service.access.scopes import DEVICE_SCOPES
from authn.store.engine import rows_of, upsert, writing
from authn.store.schema import request_nonces
from signer.client import SLOWEST_BYTES_PER_S

ALGORITHM = "ecdsa-p256-sha256"
COVERED = ("@method", "@target-uri", "content-digest", "content-type")
PARAMETERS = {"created": int, "keyid": str, "nonce": str, "alg": str, "expires": int}
NEEDED = ("created", "keyid", "nonce")
NONCE = re.compile(r"[A-Za-z0-9+/=_-]{16,64}", re.ASCII)
KEY_ID = re.compile(r"[0-9a-f]{32,64}", re.ASCII)
MAX_AGE = timedelta(minutes=5)
MAX_SKEW = timedelta(seconds=60)
MAX_FIELD_CHARACTERS = 2048
COORDINATE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """The parts of a request that a signature is about. Header fields are None where they are absent.
    ``content_bytes`` is what the transport counted; its digest is signed, and so is how much it is."""

    method: str
    target_uri: str
    signature_input: str | None
    signature: str | None
    content_type: str | None = None
    content_digest: str | None = None
    has_content: bool = False
    content_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedSignature:
    """``parameters`` is the value of ``@signature-params``, as it has to be signed (RFC 9421, 2.3)."""

    covered: tuple[str, ...]
    parameters: str
    created: int
    expires: int | None
    key_id: str
    nonce: str
    signature: bytes


class DeviceRequests:
    """Verifies signed requests against the registry. Methods raise ``Unavailable`` without a database."""

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry

    def verify(self, request: SignedRequest, now: datetime) -> tuple[Principal, str]:
        """Who signed the head of the request, and the nonce that ``use`` has to take before anything is done.

        Raises ``CredentialsRefused``. The content is not looked at: that is ``verify_content``.
        """
        parsed = parse_signature(request)
        _check_time(parsed, now, _may_be_old(request.content_bytes))
        device = self._device(parsed.key_id)
        certificate = self._registry.newest_certificate(device.device_id) if device else None
        key = certificate.public_key() if certificate else None
        if not isinstance(key, ec.EllipticCurvePublicKey) or device is None:
            raise CredentialsRefused("the request is signed by no device of this service")
        verify_signature(
            key, signature_base(_components(parsed, request), parsed.parameters), parsed.signature
        )
        if device.revoked_at is not None:
            raise CredentialsRefused("the device was revoked")
        return Principal(kind=Kind.DEVICE, id=device.device_id, scopes=DEVICE_SCOPES), parsed.nonce

    def use(self, device_id: str, nonce: str, now: datetime, content_bytes: int) -> None:
        """Raises ``CredentialsRefused`` for a nonce that was used, here or in another process."""
        expires_at = now + _may_be_old(content_bytes) + 2 * MAX_SKEW
        row = {"device_id": device_id, "nonce": nonce, "expires_at": expires_at}
        with writing(self._engine) as connection:
            over = request_nonces.c.expires_at < now
            connection.execute(delete(request_nonces).where(rows_of(request_nonces, over)))
            new = upsert(connection, request_nonces).values(row).on_conflict_do_nothing()
            if connection.execute(new.returning(request_nonces.c.nonce)).first() is None:
                raise CredentialsRefused("this request was made before; sign every request anew")

    def _device(self, key_id: str) -> DeviceRecord | None:
        """By the hash of its key, or by its id; never by its name."""
        if len(key_id) == hashlib.sha256().digest_size * 2:
            return self._registry.device_by_key(key_id)
        try:
            found = self._registry.find(key_id)
        except UnknownDevice:
            return None
        return found if found.device_id == key_id else None


def parse_signature(request: SignedRequest) -> ParsedSignature:
    """Exactly one signature, of this profile. Raises ``CredentialsRefused``."""
    inputs = _dictionary("Signature-Input", request.signature_input)
    signatures = _dictionary("Signature", request.signature)
    if len(inputs) != 1 or inputs.keys() != signatures.keys():
        raise CredentialsRefused("send exactly one signature, under one label in both fields")
    ((label, (covered, found)),) = inputs.items()
    signature, extra = signatures[label]
    if not isinstance(covered, list) or not isinstance(signature, bytes) or extra:
        raise CredentialsRefused("Signature-Input holds a list, Signature a byte sequence")
    if len(signature) != 2 * COORDINATE_BYTES:
        raise CredentialsRefused(f"a signature of {ALGORITHM} has 64 bytes")
    parameters = _parameters(found)
    return ParsedSignature(
        covered=_covered(covered, request),
        parameters=http_sf.ser(cast(Any, {label: (covered, found)})).partition("=")[2],
        created=parameters["created"],
        expires=parameters.get("expires"),
        key_id=parameters["keyid"],
        nonce=parameters["nonce"],
        signature=signature,
    )


def signature_base(components: Mapping[str, str], parameters: str) -> bytes:
    """RFC 9421, 2.5. Raises ``CredentialsRefused`` for a value that could be read as two lines."""
    lines = [f'"{name}": {value}' for name, value in components.items()]
    base = "\n".join((*lines, f'"@signature-params": {parameters}'))
    if not base.isascii() or base.count("\n") != len(lines) or "\r" in base:
        raise CredentialsRefused("what is signed holds characters that cannot be")
    return base.encode("ascii")


def verify_signature(key: ec.EllipticCurvePublicKey, base: bytes, signature: bytes) -> None:
    """RFC 9421, 3.3.4: r and s, 32 bytes each. Raises ``CredentialsRefused``."""
    if len(signature) != 2 * COORDINATE_BYTES:
        raise CredentialsRefused("a signature has 64 bytes")
    r, s = (int.from_bytes(part) for part in (signature[:COORDINATE_BYTES], signature[COORDINATE_BYTES:]))
    try:
        key.verify(encode_dss_signature(r, s), base, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as e:
        raise CredentialsRefused("the signature does not fit the request") from e


def verify_content(content_digest: str | None, content: bytes) -> None:
    """RFC 9530: every digest that is known has to fit, and sha-256 has to be there. Raises
    ``CredentialsRefused``."""
    digests = _dictionary("Content-Digest", content_digest)
    given, parameters = digests.get("sha-256", (None, None))
    if not isinstance(given, bytes) or parameters or digests.keys() != {"sha-256"}:
        raise CredentialsRefused("Content-Digest has to hold one digest, sha-256")
    if not hmac.compare_digest(given, hashlib.sha256(content).digest()):
        raise CredentialsRefused("the content is not the one that was signed")


def _may_be_old(content_bytes: int) -> timedelta:
    """A film that was signed before it was sent is no replay when it has arrived, here or at a proxy."""
    return MAX_AGE + timedelta(seconds=content_bytes / SLOWEST_BYTES_PER_S)


def _check_time(parsed: ParsedSignature, now: datetime, most: timedelta) -> None:
    age_s = now.timestamp() - parsed.created
    if age_s > most.total_seconds():
        raise CredentialsRefused(
            "the signature is older than five minutes and the time that its content needs; is the device's "
            "clock right?"
        )
    if age_s < -MAX_SKEW.total_seconds():
        raise CredentialsRefused("the signature is of the future; is the device's clock right?")
    if parsed.expires is not None and now.timestamp() > parsed.expires:
        raise CredentialsRefused("the signature has expired")


def _components(parsed: ParsedSignature, request: SignedRequest) -> dict[str, str]:
    values = {
        "@method": request.method,
        "@target-uri": request.target_uri,
        "content-digest": (request.content_digest or "").strip(),
        "content-type": (request.content_type or "").strip(),
    }
    return {name: values[name] for name in parsed.covered}


def _covered(items: list[Any], request: SignedRequest) -> tuple[str, ...]:
    names = tuple(name for name, _ in items)
    if any(parameters for _, parameters in items) or not all(n in COVERED for n in names):
        raise CredentialsRefused(f"a signature covers {', '.join(COVERED)} and nothing else")
    needed = {"@method", "@target-uri"}
    needed |= {"content-digest"} if request.has_content or request.content_digest is not None else set()
    needed |= {"content-type"} if request.content_type is not None else set()
    if len(set(names)) != len(names) or set(names) != needed:
        raise CredentialsRefused(f"the signature of this request has to cover {', '.join(sorted(needed))}")
    return names


def _parameters(found: Mapping[str, object]) -> dict[str, Any]:
    for name, value in found.items():
        if name not in PARAMETERS or type(value) is not PARAMETERS[name]:
            raise CredentialsRefused(f"the signature parameter {name[:40]!r} is unknown or of a wrong type")
    if missing := [name for name in NEEDED if name not in found]:
        raise CredentialsRefused(f"the signature lacks the parameter {missing[0]}")
    if found.get("alg", ALGORITHM) != ALGORITHM:
        raise CredentialsRefused(f"devices sign with {ALGORITHM}")
    if not NONCE.fullmatch(str(found["nonce"])):
        raise CredentialsRefused("a nonce has 16 to 64 letters and digits of base64")
    if not KEY_ID.fullmatch(str(found["keyid"])):
        raise CredentialsRefused("keyid has to be the device's id or the SHA-256 of its public key, in hex")
    return dict(found)


def _dictionary(name: str, text: str | None) -> dict[str, tuple[Any, Mapping[str, object]]]:
    """A structured field (RFC 9651), in which no key stands twice."""
    if text is None:
        raise CredentialsRefused(f"a signed request has the field {name}")
    if len(text) > MAX_FIELD_CHARACTERS or not text.isascii():
        raise CredentialsRefused(f"{name} is too long or not ASCII")

    def refuse(key: str, _context: str) -> None:
        raise CredentialsRefused(f"{name} names {key[:40]!r} twice")

    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse)
    except (ValueError, binascii.Error, OverflowError) as e:
        raise CredentialsRefused(f"{name} is no dictionary of structured fields") from e
    return cast(dict[str, tuple[Any, Mapping[str, object]]], parsed)
