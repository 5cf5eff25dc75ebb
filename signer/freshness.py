"""What a capture cannot have known before: the newest checkpoint of a transparency log that the device holds.

The nonce of the device assertion is the SHA-256 of that checkpoint note, and the note stands beside it. With
a time-stamp this bounds the signature from both sides: not before the witnesses saw the checkpoint, not after
the authority saw the signature. The device does not judge the note; who verifies the capture does.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from signer.core.durable import write_durably

MAX_NOTE_BYTES = 8 * 1024  # one post-quantum cosignature has 3.2 KB; two and some classic ones fit
NONCE_BYTES = 32
_FILE = "checkpoint"


def nonce_of(checkpoint: str) -> bytes:
    """The nonce that commits to a note; random where the device knows none."""
    return hashlib.sha256(checkpoint.encode()).digest() if checkpoint else secrets.token_bytes(NONCE_BYTES)


def newest_checkpoint(folder: Path) -> str:
    """The note in a device's folder, empty where there is none that can be used: a capture never waits."""
    try:
        data = (folder / _FILE).read_bytes()
        return data.decode() if len(data) <= MAX_NOTE_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return ""


def remember_checkpoint(folder: Path, note: str) -> bool:
    """Keep a note for the captures to come; False where it is too long to be carried in a claim."""
    data = note.encode()
    if not data or len(data) > MAX_NOTE_BYTES:
        return False
    write_durably(folder / _FILE, data)
    return True
