"""The boxes of ISO media files (ISO/IEC 14496-12, 4.2), as spans of the file's bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_FULL = frozenset((b"meta",))  # a container with version and flags before its first child


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """``body`` is where the content begins, ``end`` where it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[Box]:
    """One behind another, to ``end``. Raises ``ValueError`` where a length is wrong; four zero bytes or less
    than a header at the end are the terminator that QuickTime allows there."""
    at = start
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            header = 16
        elif length == 0:
            if start:
                return
            length = end - at
        if length < header or at + length > end:
            raise ValueError(f"the length of a {kind.decode('latin-1')!r} box is wrong")
        yield Box(kind=kind, start=at, body=at + header, end=at + length)
        at += length


def end_of_head(data: bytes) -> int:
    """Where the first box ends, which is ``ftyp``. Raises ``ValueError``."""
    for box in boxes(data, 0, len(data)):
        return box.end
    raise ValueError("the file holds no box")


def children(data: bytes, box: Box) -> int:
    """Where the first child of a container begins."""
    if box.kind in _FULL and data[box.body + 4 : box.body + 8] != b"hdlr":  # QuickTime's has no version
        return box.body + 4
    return box.body
