"""Files of every container in which a store may lie, unsigned, and pieces of broken ones."""

from __future__ import annotations

import io
import struct
from functools import cache

import pillow_heif
from PIL import Image

from tests.doubles.photos import photo, sound


def pages(count: int) -> bytes:
    """A scan: a TIFF of so many pages."""
    out = io.BytesIO()
    first, *rest = (Image.new("L", (8, 8), i % 256) for i in range(count))
    first.save(out, "TIFF", save_all=True, append_images=rest)
    return out.getvalue()


def tiff(*directories: tuple[bytes, int], order: str = "<", after: bytes = b"") -> bytes:
    """Directories of (entries, offset of the next directory); 0x1000 stands for the end of the file."""
    parts = [{"<": b"II*\0", ">": b"MM\0*"}[order], struct.pack(order + "I", 8)]
    for entries, following in directories:
        parts += (struct.pack(order + "H", len(entries) // 12), entries, struct.pack(order + "I", following))
    return b"".join((*parts, after))


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


SVG = (
    b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10">'
    b'<rect width="5" height="5"/></svg>\n'
)
JXL_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"


@cache
def unsigned() -> dict[str, bytes]:
    """One file of every kind that both engines read, by media type. What plays them finds little inside."""
    frame = b"\xff\xfb\x90\x00" + bytes(413)
    chunk = lambda name, body: name + struct.pack("<I", len(body)) + body  # noqa: E731
    codestream = b"\xff\x0a" + bytes(range(90))
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", bytes(56)))
    pictures = chunk(b"LIST", b"movi" + chunk(b"00dc", bytes(range(200))))
    return {
        "image/jpeg": photo(),
        "image/png": photo("PNG"),
        "image/webp": photo("WEBP"),
        "image/tiff": photo("TIFF"),
        "image/gif": photo("GIF"),
        "image/avif": photo("AVIF"),
        "image/heic": _heic(),
        "image/jxl": b"".join((JXL_SIGNATURE, box(b"ftyp", b"jxl \0\0\0\0jxl "), box(b"jxlc", codestream))),
        "image/svg+xml": SVG,
        "application/pdf": _pdf(),
        "audio/mpeg": id3_tag(id3_frame(b"TIT2", b"\x03sound")) + frame * 8,
        "audio/flac": b"fLaC\x80\0\0\x22" + bytes(34) + b"\xff\xf8" + bytes(200),
        "audio/wav": sound(),
        "video/x-msvideo": chunk(b"RIFF", b"AVI " + header + pictures),
        "video/mp4": _mp4(),
    }  # fmt: skip


def _heic() -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.open(io.BytesIO(photo("PNG")))).save(out)
    return out.getvalue()


def _pdf() -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(photo())).save(out, "PDF")
    return out.getvalue()


def _mp4() -> bytes:
    """A film of no tracks."""
    times = struct.pack(">IIIIII", 0, 0, 0, 1000, 0, 0x00010000)
    mvhd = times + b"\x01\0" + bytes(10) + struct.pack(">9I", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    moov = box(b"moov", box(b"mvhd", mvhd + bytes(24) + struct.pack(">I", 1)))
    return box(b"ftyp", b"isom\0\0\x02\0isomiso2mp41") + moov + box(b"mdat", bytes(range(256)))


def id3_tag(*frames: bytes, version: int = 4, flags: int = 0) -> bytes:
    body = b"".join(frames) + bytes(20)
    size = bytes(len(body) >> 7 * i & 0x7F for i in (3, 2, 1, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + body


def id3_frame(name: bytes, body: bytes, version: int = 4, flags: bytes = b"\0\0") -> bytes:
    if version == 2:
        return name + len(body).to_bytes(3, "big") + body
    safe = bytes(len(body) >> 7 * i & 0x7F for i in (3, 2, 1, 0))
    return name + (safe if version == 4 else len(body).to_bytes(4, "big")) + flags + body
