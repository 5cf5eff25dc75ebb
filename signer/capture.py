"""The one workflow of the capture side: photo -> signed file.

Refuses what must not be signed as a capture, above all a file that carries a manifest already. Needs no
network; the capture waits in the spool for its time-stamp. What was signed is compared with the photo part by
part before it takes its place. On return the signed file and the spool entry are
on the disk; after any failure the photo is as it was.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from signer.claim import BurstAssertion, CaptureClaim, DeviceAssertion
from signer.core.errors import (
    AlreadySigned,
    ContainerUnreadable,
    InputRefused,
    ManifestMalformed,
    SignerError,
    SigningFailed,
)
from signer.credential import refuse_signed, sign_media, verify_binding
from signer.device import DeviceIdentity, next_counter
from signer.formats import media_type_of
from signer.freshness import newest_checkpoint, nonce_of
from signer.keys import open_key
from signer.mediafile import create_media_file, held_media_file, read_media_file, replace_media_file
from signer.proof.certificates import key_of, read_pem
from signer.proof.container import read_manifest
from signer.proof.cose import parse_claim_signature
from signer.proof.jumbf import active_manifest
from signer.spool import Entry, Spool, new_entry
from signer.staple import has_token
from signer.unharmed import refuse_harm


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCapture:
    """``entry`` waits in the spool for its time-stamp."""

    path: Path
    media_type: str
    device_id: str
    counter: int
    captured_at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBefore:
    """What an earlier run made of a photo. ``stamped``: its time-stamp is in it, else ``entry`` waits for it
    where it is added to a spool."""

    path: Path
    media_type: str
    device_id: str
    stamped: bool
    entry: Entry


def signed_before(path: Path, identity: DeviceIdentity, *, out: Path | None = None) -> SignedBefore | None:
    """Whether this device has signed the photo already, in place or into ``out``: what lies there carries its
    signature, made with its key over the bytes that are there, and ``out`` holds the photo part by part. None
    for everything else, also where it cannot be told."""
    try:
        file = read_media_file(out or path)
        media_type = media_type_of(file.data, file.path.name)
        if not _has_signature_of(file.data, media_type, identity):
            return None
        verify_binding(file.data, media_type)
        if out is not None:
            refuse_harm(read_media_file(path).data, file.data, media_type, path.name)
        return SignedBefore(
            path=file.path,
            media_type=media_type,
            device_id=identity.device_id,
            stamped=has_token(file.data, media_type),
            entry=new_entry(
                path=file.path,
                media_type=media_type,
                signed=file.data,
                device_id=identity.device_id,
                now=datetime.now(UTC),
            ),
        )
    except SignerError:
        return None


def _has_signature_of(data: bytes, media_type: str, identity: DeviceIdentity) -> bool:
    """Of its key, whichever of its certificates that was under. Raises ``SignerError``."""
    store = read_manifest(data, media_type)
    if store is None:
        return False
    signature = parse_claim_signature(active_manifest(store).signature.of(store))
    own = read_pem(identity.chain_pem)[0].public_key()
    return bool(signature.certificates) and key_of(signature.certificates[0]) == own


def sign_file(
    path: Path,
    identity: DeviceIdentity,
    *,
    spool: Spool,
    key: ec.EllipticCurvePrivateKey | None = None,
    out: Path | None = None,
    now: datetime | None = None,
) -> SignedCapture:
    """Sign the photo in place, or into ``out``, which must not exist. Pass ``key`` to open it only once.

    Raises ``InputRefused`` and its kinds, ``KeyUnavailable``, ``DeviceUnusable``, ``SigningFailed``,
    ``SpoolError``.
    """
    _refuse_taken(out)
    with held_media_file(path) as file:
        media_type = media_type_of(file.data, path.name)
        _refuse_signed(file.data, media_type, path.name)
        signed, capture = _sign(file.data, media_type, out or path, path.name, identity, key, now)
        with spool.announced(capture.entry):
            if out is None:
                replace_media_file(file, signed, capture.entry.temporary)
            else:
                create_media_file(out, signed, capture.entry.temporary, like=file.status)
    return capture


def sign_frame(
    data: bytes,
    out: Path,
    identity: DeviceIdentity,
    *,
    spool: Spool,
    key: ec.EllipticCurvePrivateKey | None = None,
    now: datetime | None = None,
) -> SignedCapture:
    """Sign bytes that come straight from a camera: they never lie on the disk unsigned. Raises as
    ``sign_file``."""
    _refuse_taken(out)
    signed, capture = sign_bytes(data, out, identity, key=key, now=now)
    with spool.announced(capture.entry):
        create_media_file(out, signed, capture.entry.temporary)
    return capture


def sign_bytes(
    data: bytes,
    out: Path,
    identity: DeviceIdentity,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    now: datetime | None = None,
    burst: BurstAssertion | None = None,
) -> tuple[bytes, SignedCapture]:
    """What is to stand at ``out``, which is not written; nor is the spool. Raises as ``sign_file``."""
    media_type = media_type_of(data, out.name)
    _refuse_signed(data, media_type, out.name)
    return _sign(data, media_type, out, out.name, identity, key, now, burst)


def _sign(
    data: bytes,
    media_type: str,
    target: Path,
    title: str,
    identity: DeviceIdentity,
    key: ec.EllipticCurvePrivateKey | None,
    now: datetime | None,
    burst: BurstAssertion | None = None,
) -> tuple[bytes, SignedCapture]:
    key = key or open_key(identity.key_uri)
    captured_at = now or datetime.now(UTC)
    counter = next_counter(identity.folder)
    checkpoint = newest_checkpoint(identity.folder)
    claim = CaptureClaim(
        title=title.encode("utf-8", "replace").decode(),  # a file name need not be text
        captured_at=captured_at,
        device=DeviceAssertion(
            device_id=identity.device_id,
            counter=counter,
            nonce=nonce_of(checkpoint),
            checkpoint=checkpoint,
        ),
        burst=burst,
    )
    signed = sign_media(data, media_type, claim, key, identity.chain_pem)
    refuse_harm(data, signed, media_type, title)
    try:
        entry = new_entry(
            path=target, media_type=media_type, signed=signed, device_id=identity.device_id, now=captured_at
        )
    except (ManifestMalformed, ContainerUnreadable) as e:
        raise SigningFailed(f"the manifest that was signed is not found again: {e.detail}") from e
    return signed, SignedCapture(
        path=target,
        media_type=media_type,
        device_id=identity.device_id,
        counter=counter,
        captured_at=captured_at,
        entry=entry,
    )


def _refuse_signed(data: bytes, media_type: str, name: str) -> None:
    """Two readers look, because a manifest that one of them overlooks would be dropped in silence."""
    try:
        present = read_manifest(data, media_type) is not None
    except ManifestMalformed as e:
        raise AlreadySigned(f"{name} carries a manifest that cannot be read: {e.detail}") from e
    if present:
        raise AlreadySigned(f"{name} carries a manifest already; signing it again would hide its history")
    refuse_signed(data, media_type)


def _refuse_taken(out: Path | None) -> None:
    if out is not None and os.path.lexists(out):
        raise InputRefused(f"{out} exists; nothing is overwritten")
