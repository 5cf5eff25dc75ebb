"""The attestation object that a WebAuthn authenticator makes when it makes a key (WebAuthn L3, 6.1 and 6.5).

Reads and checks everything that does not depend on the format of the statement: what the client says it was
asked for, whom the key is for, the key itself. ES256 keys only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from cryptography.hazmat.primitives.asymmetric import ec

from authn.core.errors import AttestationRefused
from authn.core.keys import spki_of
from authn.devices.attestation import cbor
from authn.devices.attestation.attested import Asked, base64url, members

MAX_OBJECT_BYTES = 128 * 1024
MAX_CLIENT_DATA_BYTES = 8 * 1024
USER_PRESENT, BACKUP_ELIGIBLE, BACKED_UP, HAS_KEY, HAS_EXTENSIONS = 0x01, 0x08, 0x10, 0x40, 0x80
ES256, EC2, P256 = -7, 2, 1
COORDINATE_BYTES = 32
HEADER_BYTES = 32 + 1 + 4
AAGUID_BYTES = 16
MAX_CREDENTIAL_ID_BYTES = 1023


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorData:
    """``synchronised``: the authenticator may copy the key to others. ``spki`` is the key, DER."""

    rp_id_hash: bytes
    user_present: bool
    synchronised: bool
    aaguid: bytes
    key: ec.EllipticCurvePublicKey
    spki: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationObject:
    """``signed`` is what a statement is about: authenticator data, then the hash of the client data."""

    fmt: str
    statement: Mapping[int | str, cbor.Value]
    authenticator: AuthenticatorData
    signed: bytes


def read_attestation(sent: Mapping[str, object], asked: Asked) -> AttestationObject:
    """``attestation_object`` and ``client_data`` of a registration, both base64url, made for this challenge
    and this service. Raises ``AttestationRefused``."""
    encoded_object, encoded_client = members(sent, "attestation_object", "client_data")
    data = base64url(encoded_object, "attestation_object", MAX_OBJECT_BYTES)
    client = base64url(encoded_client, "client_data", MAX_CLIENT_DATA_BYTES)
    check_client_data(client, asked.challenge, asked.terms.webauthn.origin)
    found = parse_object(data, client)
    if found.fmt != sent["fmt"]:
        raise AttestationRefused("the attestation object is of another format than the request says")
    if not compare_digest(
        found.authenticator.rp_id_hash, sha256(asked.terms.webauthn.rp_id.encode()).digest()
    ):
        raise AttestationRefused("the key was made for another site")
    if not found.authenticator.user_present:
        raise AttestationRefused("nobody was present when the key was made")
    return found


def check_client_data(client: bytes, challenge: bytes, origin: str) -> None:
    """WebAuthn L3, 7.1, steps 5 to 11. Raises ``AttestationRefused``."""
    try:
        found = json.loads(client.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as e:
        raise AttestationRefused("the client data is not JSON") from e
    if not isinstance(found, dict) or found.get("type") != "webauthn.create":
        raise AttestationRefused("the client data is not about making a key")
    answered = base64url(found.get("challenge"), "the challenge in the client data", 64)
    if not compare_digest(answered, challenge):
        raise AttestationRefused("the attestation answers another challenge")
    if not origin or found.get("origin") != origin:
        raise AttestationRefused("the key was made on another site's page")
    if found.get("crossOrigin", False) is not False or "topOrigin" in found:
        raise AttestationRefused("the key was made inside another site's page")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def parse_object(data: bytes, client: bytes) -> AttestationObject:
    """Raises ``AttestationRefused`` for anything that is not exactly one attestation object with a key."""
    try:
        found = cbor.single(data)
        if not isinstance(found, dict) or found.keys() != {"fmt", "attStmt", "authData"}:
            raise AttestationRefused("an attestation object has fmt, attStmt and authData")
        fmt, statement, about = found["fmt"], found["attStmt"], found["authData"]
        if not (isinstance(fmt, str) and isinstance(statement, dict) and isinstance(about, bytes)):
            raise AttestationRefused("a part of the attestation object is of a wrong type")
        authenticator = parse_authenticator_data(about)
    except cbor.CborError as e:
        raise AttestationRefused(f"the attestation object is malformed: {e}") from e
    signed = about + sha256(client).digest()
    return AttestationObject(fmt=fmt, statement=statement, authenticator=authenticator, signed=signed)


def parse_authenticator_data(data: bytes) -> AuthenticatorData:
    """WebAuthn L3, 6.1 and 6.5.1. Raises ``AttestationRefused`` or ``CborError``."""
    start = HEADER_BYTES + AAGUID_BYTES + 2
    if len(data) < start or not data[32] & HAS_KEY:
        raise AttestationRefused("the authenticator data holds no key")
    flags = data[32]
    if flags & BACKED_UP and not flags & BACKUP_ELIGIBLE:
        raise AttestationRefused("the authenticator data contradicts itself about copies of the key")
    id_bytes = int.from_bytes(data[start - 2 : start], "big")
    if id_bytes > MAX_CREDENTIAL_ID_BYTES or start + id_bytes > len(data):
        raise AttestationRefused("the credential's identifier is too long")
    cose, end = cbor.item(data, start + id_bytes)
    if flags & HAS_EXTENSIONS:
        extensions, end = cbor.item(data, end)
        if not isinstance(extensions, dict):
            raise AttestationRefused("the extensions of the authenticator data are no map")
    if end != len(data):
        raise AttestationRefused("the authenticator data has trailing bytes")
    key = _key(cose)
    return AuthenticatorData(
        rp_id_hash=data[:32],
        user_present=bool(flags & USER_PRESENT),
        synchronised=bool(flags & BACKUP_ELIGIBLE),
        aaguid=data[HEADER_BYTES : HEADER_BYTES + AAGUID_BYTES],
        key=key,
        spki=spki_of(key),
    )


def _key(cose: cbor.Value) -> ec.EllipticCurvePublicKey:
    """A COSE_Key of ES256 (RFC 9053, 7.1.1, uncompressed as WebAuthn L3, 5.8.5 asks)."""
    if not isinstance(cose, dict) or (cose.get(1), cose.get(3), cose.get(-1)) != (EC2, ES256, P256):
        raise AttestationRefused("the attested key is not P-256 (ES256)")
    x, y = cose.get(-2), cose.get(-3)
    if not isinstance(x, bytes) or not isinstance(y, bytes) or cose.keys() != {1, 3, -1, -2, -3}:
        raise AttestationRefused("the attested key is malformed")
    if len(x) != COORDINATE_BYTES or len(y) != COORDINATE_BYTES:
        raise AttestationRefused("the attested key is malformed")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    except ValueError as e:
        raise AttestationRefused("the attested key is not a point of P-256") from e
