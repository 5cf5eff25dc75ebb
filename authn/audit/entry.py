"""What an audit's source is made of: one entry per input, with its digest or why it is left out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from authn.core.errors import MediaTooLarge, UnreadableMedia
from authn.core.media import MediaLimits

PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Why an input will not be examined, in the words that its row gets."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One input. ``ref`` finds it again in its source; ``name`` is for people and unique within the plan."""

    name: str
    ref: str
    size: int
    sha256: str | None
    skipped: Skipped | None = None


class Inputs(Protocol):
    """A source. ``entries`` reads everything once, to know the digests; ``read`` gets one input again."""

    def entries(self) -> Iterator[Entry]: ...

    def read(self, entry: Entry) -> bytes:
        """Raises ``UnreadableMedia`` or ``MediaTooLarge``."""
        ...

    def sizes(self) -> dict[str, int]:
        """Every place where an entry may lie, as its ``ref`` names it, with the size there."""
        ...

    def close(self) -> None: ...


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def bounded(f: Readable, size: int, limits: MediaLimits) -> bytes:
    """Exactly ``size`` bytes; what is declared must be what is there."""
    pieces = []
    left = size
    while left > 0 and (piece := f.read(min(left, PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    if left:
        raise UnreadableMedia(f"it ends after {size - left} of {size} bytes")
    if size > limits.max_bytes:
        raise too_large(size, limits)
    return b"".join(pieces)


def too_large(size: int, limits: MediaLimits) -> MediaTooLarge:
    return MediaTooLarge(f"it has {size} bytes; the limit is {limits.max_bytes}")


def left_out(name: str, ref: str, error: UnreadableMedia | MediaTooLarge, *, size: int = 0) -> Entry:
    skipped = Skipped(code=error.code, detail=error.detail)
    return Entry(name=shown(name), ref=ref, size=size, sha256=None, skipped=skipped)


def shown(name: str) -> str:
    """A name that can be written as UTF-8: bytes of another encoding appear as ``\\xNN``."""
    with contextlib.suppress(UnicodeEncodeError):
        name.encode()
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")
