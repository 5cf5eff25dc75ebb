"""The chunks of a PNG (PNG 3rd edition, 5.3), by kind and place; nothing is inflated."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from detector.core.errors import NotApplicable

MAX_CHUNKS = 65_536  # the largest picture in pieces of 8 kB has fewer
_SIGNATURE = 8
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of what every chunk holds, up to and with IEND; also those after the picture,
    because generators write on either side. Stops where the file does; raises ``NotApplicable`` at the
    limit."""
    at = _SIGNATURE
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            return
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind != b"IEND" and at + 12 + size > len(data):
            return
        yield kind, at + 8, at + 8 + size
        if kind == b"IEND":
            return
        at += 12 + size
    raise NotApplicable(f"the PNG has more than {MAX_CHUNKS} chunks")


def bare_png(data: bytes) -> bytes:
    """The same picture as decoders may get it. Without its texts, because a decoder inflates them all, 3 MB
    to gigabytes, before it comes to the pixels. A chunk that is needed and has another checksum than it says
    gets the right one: some programs show such a picture and others do not, and the pixels have a checksum of
    their own; one that is not needed is left out. Raises as ``png_chunks``."""
    kept, at = [], 0
    for kind, start, end in png_chunks(data):
        checksum = struct.pack(">I", zlib.crc32(data[start - 4 : end]))
        if kind in _TEXTS:
            kept.append(data[at : start - 8])
            at = end + 4
        elif checksum != data[end : end + 4]:
            critical = kind[:1].isupper()
            kept.append(data[at:end] + checksum if critical else data[at : start - 8])
            at = end + 4
    return b"".join((*kept, data[at:])) if at else data
