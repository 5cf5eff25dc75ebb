"""What an audit's source is made of: one entry per input, or why it is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from authn.audit.names import shown
from authn.core.errors import MediaTooLarge, UnreadableMedia
from authn.core.media import MediaLimits

PIECE_BYTES = 1024 * 1024
CHANGED = "it changed after the audit was planned"
WITHIN = "\0"  # between an archive's path and its member's place; no file name holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Why an input will not be examined, in the words that its row gets."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One input as it was listed, before anybody read it. ``ref`` finds it again in its source; ``name`` is
    for people and unique within the plan. ``mark`` is what the source says of the content without giving it
    (time of change, checksum, entity tag): another mark is another content."""

    name: str
    ref: str
    size: int
    mark: str = ""
    skipped: Skipped | None = None


class Inputs(Protocol):
    """A source. ``entries`` lists it and reads no more than it must; ``read`` gets one input."""

    def entries(self) -> Iterator[Entry]: ...

    def read(self, entry: Entry) -> bytes:
        """Raises ``UnreadableMedia`` or ``MediaTooLarge`` for this input, ``Unreachable`` where the source
        itself does not answer."""
        ...

    def places(self) -> Iterator[tuple[str, int]]:
        """Every place where an entry may lie, as its ``ref`` names it, with the size there."""
        ...

    def close(self) -> None: ...


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def bounded(f: Readable, size: int, limits: MediaLimits) -> bytes:
    """Exactly ``size`` bytes; what is declared must be what is there."""
    if size > limits.max_bytes:
        raise too_large(size, limits)
    pieces = []
    left = size
    while left > 0 and (piece := f.read(min(left, PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    if left:
        raise UnreadableMedia(f"it ends after {size - left} of {size} bytes")
    return b"".join(pieces)


def too_large(size: int, limits: MediaLimits) -> MediaTooLarge:
    return MediaTooLarge(f"it has {size} bytes; the limit is {limits.max_bytes}")


def left_out(name: str, ref: str, error: UnreadableMedia | MediaTooLarge, *, size: int = 0) -> Entry:
    skipped = Skipped(code=error.code, detail=error.detail)
    return Entry(name=shown(name), ref=ref, size=size, skipped=skipped)
