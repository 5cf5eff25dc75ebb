"""C2SP tlog-cosignature: what a witness signs about a checkpoint, with Ed25519 (0x04) or ML-DSA-44 (0x06).

A cosignature says: at this time this was the largest tree of this log that I had seen, and it contains
everything that I saw before. A time of zero says nothing of the kind, so it is refused here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from authn.core.errors import NoteError
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.note import Signature, check_name, key_id, split_vkey, vkey

COSIGNATURE_V1 = 4
SUBTREE_V1 = 6
TIME_BYTES = 8
MAX_NAME_BYTES = 255
KEY_BYTES = {COSIGNATURE_V1: 32, SUBTREE_V1: 1312}


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKey:
    """A witness's public key under its name; ``str()`` of it is its vkey."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.algorithm, self.public)

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether this is a cosignature of the checkpoint, at whatever time it names."""
        at = signed_at(signature)
        if at is None:
            return False
        try:
            message = signed_bytes(self.algorithm, self.name, at, text)
            if self.algorithm == SUBTREE_V1:
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature[TIME_BYTES:], message)
            else:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature[TIME_BYTES:], message)
        except (InvalidSignature, ValueError, NoteError, UnsupportedAlgorithm):
            return False
        return True

    def __str__(self) -> str:
        return vkey(self.name, self.algorithm, self.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """A witness's private key. ``clock`` is asked for the seconds since 1970 at each signature."""

    name: str
    key: Ed25519PrivateKey | MLDSA44PrivateKey = field(repr=False)
    clock: Callable[[], int]

    @property
    def verifier(self) -> WitnessKey:
        algorithm = COSIGNATURE_V1 if isinstance(self.key, Ed25519PrivateKey) else SUBTREE_V1
        public = self.key.public_key().public_bytes_raw()
        return WitnessKey(name=check_name(self.name), algorithm=algorithm, public=public)

    @property
    def key_id(self) -> bytes:
        return self.verifier.key_id

    def signature(self, text: str) -> bytes:
        """Raises ``NoteError`` for a text that is no checkpoint."""
        at = self.clock()
        parse_checkpoint(text)
        message = signed_bytes(self.verifier.algorithm, self.name, at, text)
        return struct.pack(">Q", at) + self.key.sign(message)

    def cosign(self, text: str) -> Signature:
        """The cosignature as one of a note's."""
        return Signature(name=self.name, key_id=self.key_id, signature=self.signature(text))


def parse_witness_key(text: str) -> WitnessKey:
    """A witness's vkey. Raises ``NoteError``."""
    name, id_, raw = split_vkey(text)
    algorithm = raw[0] if raw else 0
    key = WitnessKey(name=name, algorithm=algorithm, public=raw[1:])
    if len(key.public) != KEY_BYTES.get(algorithm) or key.key_id.hex() != id_:
        raise NoteError("this is no key of a witness (a vkey with algorithm 4 or 6)")
    return key


def signed_at(signature: bytes) -> int | None:
    """The time that a cosignature names, not verified; None where it names none."""
    if len(signature) <= TIME_BYTES:
        return None
    (at,) = struct.unpack(">Q", signature[:TIME_BYTES])
    return int(at) if 0 < at < 1 << 63 else None


def signed_bytes(algorithm: int, cosigner: str, at: int, text: str) -> bytes:
    """The message under a cosignature. Raises ``NoteError`` for what is no checkpoint."""
    if algorithm == COSIGNATURE_V1:
        return f"cosignature/v1\ntime {at}\n{text}".encode()
    checkpoint = parse_checkpoint(text)
    return b"".join(
        (
            b"subtree/v1\n\0",
            _counted(cosigner),
            struct.pack(">Q", at),
            _counted(checkpoint.origin),
            struct.pack(">QQ", 0, checkpoint.size),
            checkpoint.root,
        )
    )


def _counted(name: str) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) <= MAX_NAME_BYTES:
        raise NoteError("a name in a cosignature has at most 255 bytes")
    return bytes([len(raw)]) + raw
