"""Several photos of one scene, signed as a set: each names all of them by their digests.

Only a scene with depth moves against itself when the camera moves; a screen or a print does not. Whoever
signs such a set gives others something to look at (docs/cards/burst.md); it proves no more than that one
device signed these photos as a set. JPEG alone, whose hard binding holds the digest of the photo as it came.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from signer.capture import SignedCapture, sign_bytes
from signer.claim import MIN_NONCE_BYTES, MOST_IN_BURST, BurstAssertion
from signer.core.durable import rename_durably, sync_folder, write_new
from signer.core.errors import InputRefused, SigningFailed
from signer.device import DeviceIdentity
from signer.formats import media_type_of
from signer.spool import Spool


def sign_burst(
    frames: Sequence[bytes],
    folder: Path,
    identity: DeviceIdentity,
    *,
    spool: Spool,
    key: ec.EllipticCurvePrivateKey,
) -> tuple[SignedCapture, ...]:
    """``1.jpg``, ``2.jpg`` and so on in a folder that is made, and must not exist: it is there with all of
    them or not at all. The photos as they came are left alone. After SIGKILL a folder ``.assay-ID.tmp`` may
    be left beside it.

    Raises ``InputRefused`` for fewer than two or more than ``MOST_IN_BURST``, for two that are the same and
    for what is no JPEG, before anything is signed; ``AlreadySigned`` for one that carries a manifest, before
    anything is written; else as ``signer.capture.sign_frame``.
    """
    digests = tuple(sha256(frame).digest() for frame in frames)
    if not 2 <= len(frames) <= MOST_IN_BURST:
        raise InputRefused(f"a burst is 2 to {MOST_IN_BURST} photos, not {len(frames)}")
    if len(set(digests)) < len(digests):
        raise InputRefused("two of the photos are the same: a burst is of photos that were taken one by one")
    if any(media_type_of(frame, "photo") != "image/jpeg" for frame in frames):
        raise InputRefused("a burst is of JPEG photos")
    if os.path.lexists(folder):
        raise InputRefused(f"{folder} exists; a burst gets a new folder")
    set_id = secrets.token_bytes(MIN_NONCE_BYTES)
    signed = [
        sign_bytes(
            frame,
            folder / f"{i + 1}.jpg",
            identity,
            key=key,
            burst=BurstAssertion(set_id=set_id, index=i, digests=digests),
        )
        for i, frame in enumerate(frames)
    ]
    with ExitStack() as announced:
        for _, capture in signed:
            announced.enter_context(spool.announced(capture.entry))
        _write_set(folder, {capture.path.name: data for data, capture in signed}, set_id.hex())
    return tuple(capture for _, capture in signed)


def _write_set(folder: Path, photos: Mapping[str, bytes], set_id: str) -> None:
    """All under another name first, then the folder gets its own in one step."""
    beginning = folder.with_name(f".assay-{set_id}.tmp")
    with ExitStack() as undo:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            undo.callback(shutil.rmtree, beginning, ignore_errors=True)  # before Ctrl-C can come between
            beginning.mkdir()
            for name, data in photos.items():
                write_new(beginning / name, data, mode=0o644)
            sync_folder(beginning)
            rename_durably(beginning, folder)
        except OSError as e:
            raise SigningFailed(f"{folder} cannot be written: {e.strerror}; a burst gets a new folder") from e
