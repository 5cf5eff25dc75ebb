"""Pictures of every container whose headers declare more pixels than any default limit."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from tests.doubles import makers
from tests.doubles.media import png_bomb
from tests.doubles.photos import photo

SIDE = 20_000  # 400 megapixels; beyond what Pillow opens, too


def whole_png(side: int = SIDE) -> bytes:
    """Really that large, in some ten thousand bytes: black and white, and white throughout."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packed, rows = zlib.compressobj(1), (b"\0" + b"\xff" * ((side + 7) // 8)) * 100
    idat = b"".join(packed.compress(rows) for _ in range(side // 100)) + packed.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def jpeg(side: int = SIDE) -> bytes:
    data = bytearray(photo())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, side, side)
    return bytes(data)


def tiff(side: int = SIDE) -> bytes:
    data = bytearray(photo("TIFF"))
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] in (256, 257):  # ImageWidth, ImageLength
            struct.pack_into("<HII", data, entry + 2, 4, 1, side)
    return bytes(data)


def gif(side: int = SIDE) -> bytes:
    data = bytearray(photo("GIF"))
    struct.pack_into("<HH", data, 6, side, side)
    return bytes(data)


def webp(side: int = 16_383) -> bytes:
    """As large as one can be."""
    data = bytearray(photo("WEBP"))
    struct.pack_into("<HH", data, data.index(b"\x9d\x01\x2a") + 3, side, side)
    return bytes(data)


def _extended(data: bytes, side: int) -> bytes:
    """Every ImageSpatialExtents of a file of boxes."""
    found, at = bytearray(data), data.find(b"ispe")
    while at != -1:
        struct.pack_into(">II", found, at + 8, side, side)
        at = data.find(b"ispe", at + 4)
    return bytes(found)


def avif(side: int = SIDE) -> bytes:
    return _extended(photo("AVIF"), side)


def heic(side: int = SIDE) -> bytes:
    return _extended(makers.heif(), side)


OVERSIZED: dict[str, Callable[[], bytes]] = {
    "whole.png": whole_png, "bomb.png": png_bomb, "wide.jpg": jpeg, "wide.tif": tiff, "wide.gif": gif,
    "wide.webp": webp, "wide.avif": avif, "wide.heic": heic,
}  # fmt: skip
