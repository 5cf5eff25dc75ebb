"""Several photos of one scene, signed as a set: each names all of them by their digests.

Only a scene with depth moves against itself when the camera moves; a screen or a print does not. Whoever
signs such a set gives others something to look at (docs/cards/burst.md); it proves no more than that one
device signed these photos as a set. JPEG alone, whose hard binding holds the digest of the photo as it came.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from signer.capture import SignedCapture, sign_frame
from signer.claim import MIN_NONCE_BYTES, MOST_IN_BURST, BurstAssertion
from signer.core.errors import InputRefused
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
    """``1.jpg``, ``2.jpg`` and so on in a folder that is made, and must not exist. The photos as they came
    are left alone.

    Raises ``InputRefused`` for fewer than two or more than ``MOST_IN_BURST``, for two that are the same and
    for what is no JPEG, before anything is signed; else as ``signer.capture.sign_frame``.
    """
    digests = tuple(sha256(frame).digest() for frame in frames)
    if not 2 <= len(frames) <= MOST_IN_BURST:
        raise InputRefused(f"a burst is 2 to {MOST_IN_BURST} photos, not {len(frames)}")
    if len(set(digests)) < len(digests):
        raise InputRefused("two of the photos are the same: a burst is of photos that were taken one by one")
    if any(media_type_of(frame, "photo") != "image/jpeg" for frame in frames):
        raise InputRefused("a burst is of JPEG photos")
    try:
        folder.mkdir(parents=True)
    except OSError as e:
        raise InputRefused(f"{folder} cannot be made: {e.strerror}; a burst gets a new folder") from e
    set_id = secrets.token_bytes(MIN_NONCE_BYTES)
    return tuple(
        sign_frame(
            frame,
            folder / f"{i + 1}.jpg",
            identity,
            spool=spool,
            key=key,
            burst=BurstAssertion(set_id=set_id, index=i, digests=digests),
        )
        for i, frame in enumerate(frames)
    )
