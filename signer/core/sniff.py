"""The media type that a file's first bytes say, for the kinds that can be signed."""

from __future__ import annotations

import struct

_BRANDS = {
    b"avif": "image/avif", b"avis": "image/avif",
    b"heic": "image/heic", b"heix": "image/heic", b"heim": "image/heic", b"heis": "image/heic",
    b"hevc": "image/heic", b"mif1": "image/heic", b"msf1": "image/heic",
    b"qt  ": "video/quicktime", b"M4A ": "audio/mp4",
}  # fmt: skip
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}


def sniff(data: bytes) -> str | None:
    """None for any other kind. Camera raw files that look like TIFF or a film pass for those."""
    head = data[:16]
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "image/tiff"
    return by_brands(data) if head[4:8] == b"ftyp" and len(head) == 16 else None


def by_brands(data: bytes) -> str:
    """Of a file whose first box is ``ftyp`` (ISO/IEC 14496-12, 4.3)."""
    size = min(struct.unpack(">I", data[:4])[0], 256)
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, size - 3, 4))]
    if brands[0] == b"mif1" and b"avif" in brands:
        return "image/avif"
    return next((_BRANDS[b] for b in brands if b in _BRANDS), "video/mp4")
