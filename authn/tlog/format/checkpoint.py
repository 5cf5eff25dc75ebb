"""C2SP tlog-checkpoint: which log, how large, which root. Only the canonical spelling is read."""

from __future__ import annotations

from dataclasses import dataclass

from authn.core.errors import NoteError
from authn.tlog.format.merkle import HASH_BYTES, MAX_SIZE
from authn.tlog.format.text import decode, encode, number


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The text that a log signs."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """With its last newline."""
        return "\n".join((self.origin, str(self.size), encode(self.root), *self.extensions)) + "\n"


def parse(text: str) -> Checkpoint:
    """Raises ``NoteError``."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise NoteError("this is no checkpoint of a log")
    origin, digits, encoded, *extensions = lines
    try:
        size = number(digits)
    except ValueError as e:
        raise NoteError("the checkpoint's size is no number") from e
    if size >= MAX_SIZE:
        raise NoteError("the checkpoint's size is no number")
    try:
        root = decode(encoded)
    except ValueError as e:
        raise NoteError("the checkpoint's root is not base64") from e
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    if len(root) != HASH_BYTES or checkpoint.text() != text:
        raise NoteError("the checkpoint is not written as a checkpoint is")
    return checkpoint
