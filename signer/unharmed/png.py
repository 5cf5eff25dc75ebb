"""A PNG (ISO/IEC 15948): chunks, those of an animation and of text included, and what lies behind them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from signer.unharmed.parts import Part

_NAMES = {b"IDAT": "the picture", b"fdAT": "a frame", b"iCCP": "the ICC profile", b"eXIf": "EXIF"}


def parts(data: bytes) -> Iterator[Part]:
    """Raises ``ValueError`` where a chunk reaches beyond the file."""
    yield Part(name="the signature", start=0, end=8)
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk reaches beyond the end")
        if kind != b"caBX":
            called = kind.decode("latin-1")
            yield Part(name=f"{_NAMES.get(kind, 'a chunk')} ({called})", start=at, end=end)
        at = end
    yield Part(name="what lies behind the picture", start=at, end=len(data))
