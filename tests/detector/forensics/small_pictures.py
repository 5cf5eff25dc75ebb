"""Files that carry small pictures of themselves, in the ways that cameras and programs write them."""

from __future__ import annotations

import struct

from detector.pixels.decode import Pixels, open_cv2
from tests.detector.made import encoded, jpeg_with, photo_like

SCENE_SIDE = (360, 480)


def scene(seed: int = 0) -> Pixels:
    """Shapes of many sizes: enough of a scene for two views of it to be told from those of another."""
    cv2 = open_cv2()
    picture = photo_like(*SCENE_SIDE, seed=seed)
    state = seed * 7919 + 13
    for _ in range(24):
        state = (state * 1103515245 + 12345) % 2**31
        x, y, r = state % 480, (state >> 8) % 360, 12 + (state >> 16) % 60
        colour = (state % 255, (state >> 5) % 255, (state >> 11) % 255)
        cv2.circle(picture, (x, y), r, colour, -1)
    return picture


def shrunk(picture: Pixels, width: int = 160) -> bytes:
    cv2 = open_cv2()
    height = round(picture.shape[0] * width / picture.shape[1])
    return encoded(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), quality=75)


def thumbnail_block(small: bytes, *, at: int | None = None, length: int | None = None) -> bytes:
    """An EXIF segment whose second directory names a thumbnail, where it lies unless told otherwise."""
    first = struct.pack("<HI", 0, 14)
    where = 14 + 2 + 24 + 4
    entries = struct.pack("<HHII", 0x201, 4, 1, where if at is None else at)
    entries += struct.pack("<HHII", 0x202, 4, 1, len(small) if length is None else length)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + struct.pack("<H", 2) + entries + bytes(4) + small


def with_thumbnail(picture: Pixels, small: bytes, **where: int) -> bytes:
    return jpeg_with((0xE1, thumbnail_block(small, **where)), pixels=picture, quality=90)


def with_preview(picture: Pixels, small: bytes, *, offset: int | None = None, kind: int = 0x010001) -> bytes:
    """Multi-picture format: a directory with two entries, and the preview behind the picture."""
    whole = encoded(picture, quality=90)

    def block(at: int) -> bytes:
        entries = struct.pack("<IIIHH", 0x030000, len(whole), 0, 0, 0)
        entries += struct.pack("<IIIHH", kind, len(small), at, 0, 0)
        head = struct.pack("<H", 1) + struct.pack("<HHII", 0xB002, 7, len(entries), 26) + bytes(4)
        return b"MPF\0II*\0" + struct.pack("<I", 8) + head + entries

    def file(at: int) -> bytes:
        segment = block(at)
        return whole[:2] + b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment + whole[2:]

    base = 2 + 4 + 4  # start of image, marker and length, the name
    return file(len(file(0)) - base if offset is None else offset) + small
