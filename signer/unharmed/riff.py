"""WebP, WAV, AVI: the chunks of a RIFF file, each where it was.

An AVI's indices count from the start of the file, so that nothing may move at all; the manifest is the last
chunk of the first list.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from signer.unharmed.parts import Part


def parts(data: bytes) -> Iterator[Part]:
    """Raises ``ValueError`` where a chunk reaches beyond the file."""
    kind = data[8:12].decode("latin-1").strip()
    end = 8 + int(struct.unpack_from("<I", data, 4)[0])
    yield Part(name=f"the form ({kind})", start=8, end=12)
    at = 12
    while at + 8 <= end:
        chunk, length = struct.unpack_from("<4sI", data, at)
        close = at + 8 + length
        if close > end or end > len(data):
            raise ValueError("a chunk reaches beyond the end")
        if chunk != b"C2PA":
            yield Part(name=_name(data, chunk, at), start=at, end=close, said=at)
        at = close + (length & 1)
    yield Part(name=f"what lies behind the {kind} data", start=max(min(at, len(data)), end), end=len(data))


def _name(data: bytes, chunk: bytes, at: int) -> str:
    called = chunk.decode("latin-1").strip()
    kind = data[at + 8 : at + 12].decode("latin-1") if chunk == b"LIST" else ""
    return f"the chunk {called}{' ' + kind if kind else ''}"
