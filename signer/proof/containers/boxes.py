"""ISO base media files (HEIF, AVIF, MP4, QuickTime), JPEG XL and RIFF (C2PA 2.x, A.3 and A.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from signer.core.errors import ContainerUnreadable
from signer.proof.containers.places import Budget, Place, Span, names_store, place

_BMFF_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_JXL_CODESTREAM = b"\xff\x0a"


def bmff(data: bytes, budget: Budget) -> Iterator[Place]:
    """Top-level ``uuid`` box: version and flags, purpose, for "manifest" an 8-byte offset, then the store."""
    for kind, body in _boxes(data, budget):
        if kind == b"uuid" and data[body.start : body.start + 16] == _BMFF_UUID:
            yield from _bmff_store(data, body.start + 20, body.end)


def _bmff_store(data: bytes, purpose_at: int, end: int) -> Iterator[Place]:
    zero = data.find(b"\0", purpose_at, min(end, purpose_at + 64))
    if zero == -1 or data[purpose_at:zero] != b"manifest":
        return
    start = min(zero + 1 + 8, end)
    length = int.from_bytes(data[start : start + 4], "big")  # the box may be padded behind the store
    yield place(start, min(start + length, end))


def jxl(data: bytes, budget: Budget) -> Iterator[Place]:
    """Top-level ``jumb`` box, header included. A bare codestream has no boxes, hence no place."""
    if data.startswith(_JXL_CODESTREAM):
        return
    for kind, body in _boxes(data, budget):
        whole = Span(start=body.start - 8, end=body.end)
        if kind == b"jumb" and names_store(whole.of(data)[:64]):
            yield Place(spans=(whole,))


def _boxes(data: bytes, budget: Budget) -> Iterator[tuple[bytes, Span]]:
    at = 0
    while at + 8 <= len(data):
        budget.spend()
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if length == 1 and at + 16 <= len(data):
            (length,) = struct.unpack(">Q", data[at + 8 : at + 16])
            header = 16
        elif length == 0:
            length = len(data) - at
        if length < header:
            raise ContainerUnreadable("the length of a box is wrong")
        end = at + length
        yield kind, Span(start=at + header, end=min(end, len(data)))
        if end > len(data):
            raise ContainerUnreadable("the file ends inside a box")
        at = end


def riff(data: bytes, budget: Budget) -> Iterator[Place]:
    """Chunk "C2PA" beside the media's own."""
    at, whole = 12, 8 + int.from_bytes(data[4:8], "little")
    while at + 8 <= min(whole, len(data)):
        budget.spend()
        kind, length = struct.unpack("<4sI", data[at : at + 8])
        end = at + 8 + length
        if kind == b"C2PA":
            yield place(at + 8, min(end, len(data)))
        at = end + (length & 1)
    if min(at, whole) > len(data):
        raise ContainerUnreadable("the file ends inside a RIFF chunk")
