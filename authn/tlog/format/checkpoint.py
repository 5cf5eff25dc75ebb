"""C2SP tlog-checkpoint: which log, how large, which root. Only the canonical spelling is read."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from authn.core.errors import NoteError
from authn.tlog.format.merkle import HASH_BYTES, MAX_SIZE

MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The text that a log signs."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """With its last newline."""
        root = base64.b64encode(self.root).decode()
        return "\n".join((self.origin, str(self.size), root, *self.extensions)) + "\n"


def parse(text: str) -> Checkpoint:
    """Raises ``NoteError``."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise NoteError("this is no checkpoint of a log")
    origin, digits, encoded, *extensions = lines
    if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS) or int(digits) >= MAX_SIZE:
        raise NoteError("the checkpoint's size is no number")
    try:
        root = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as e:
        raise NoteError("the checkpoint's root is not base64") from e
    checkpoint = Checkpoint(origin, int(digits), root, tuple(extensions))
    if len(root) != HASH_BYTES or checkpoint.text() != text:
        raise NoteError("the checkpoint is not written as a checkpoint is")
    return checkpoint
