"""Files of every container in which a store may lie, unsigned, and pieces of broken ones."""

from __future__ import annotations

import io
import struct

from PIL import Image


def pages(count: int) -> bytes:
    """A scan: a TIFF of so many pages."""
    out = io.BytesIO()
    first, *rest = (Image.new("L", (8, 8), i % 256) for i in range(count))
    first.save(out, "TIFF", save_all=True, append_images=rest)
    return out.getvalue()


def tiff(*directories: tuple[bytes, int], order: str = "<", after: bytes = b"") -> bytes:
    """Directories of (entries, offset of the next directory); 0x1000 stands for the end of the file."""
    out = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    for entries, following in directories:
        out += struct.pack(order + "H", len(entries) // 12) + entries + struct.pack(order + "I", following)
    return out + after


def tag(number: int, kind: int, count: int, value: int, order: str = "<") -> bytes:
    return struct.pack(order + "HHII", number, kind, count, value)


def app11(instance: int, sequence: int, box: bytes) -> bytes:
    body = b"JP" + struct.pack(">HI", instance, sequence) + box
    return b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def jumbf(label: bytes, kind: bytes = b"json", body: bytes = b"{}") -> bytes:
    """A JUMBF box that is no C2PA store."""
    kinds = kind + bytes.fromhex("00110010800000aa00389b71")
    return box(b"jumb", box(b"jumd", kinds + b"\x03" + label + b"\0") + box(kind, body))


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]
