"""The chunks of a WebP (RFC 9649, 2.3), by kind and place."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from detector.core.errors import NotApplicable

MAX_CHUNKS = 65_536  # a still picture has fewer than ten, an animation one for each frame


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of what every chunk holds. Stops where the file does, and a last chunk may say that
    it goes on behind it; raises ``NotApplicable`` at the limit."""
    at = 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        (size,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + size % 2
    raise NotApplicable(f"the WebP has more than {MAX_CHUNKS} chunks")
