"""The small pictures that a JPEG carries of itself: found within bounds, and compared with the picture.

Cameras and programs store a thumbnail (EXIF 1st IFD), previews (multi-picture format, MakerNote) and
Photoshop's own (image resource 1036). A program that does not know them leaves them as they were: then they
show the picture as it was before. Offsets and lengths are a stranger's: they are checked against the bytes
that hold them, so many pictures are looked at and no more, and none above ``MAX_PIXELS``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from detector.pixels.jpeg import JpegStructure, jpeg_size

MAX_EMBEDDED = 4
MAX_PIXELS = 4_000_000
LEAST_SIDE = 40  # pixels; smaller ones show nothing that could be compared
MAX_NOTE_STARTS = 32  # places in a MakerNote at which a JPEG seems to begin

_EXIF, _MPF, _IRB = b"Exif\0\0", b"MPF\0", b"Photoshop 3.0\0"
_TIFF_ORDER = {b"II*\0": "<", b"MM\0*": ">"}
_THUMBNAIL_AT, _THUMBNAIL_LENGTH = 0x201, 0x202
_MP_ENTRIES = 0xB002
_PREVIEW_CLASS = 0x01  # of the MP types: a large thumbnail of the first picture (CIPA DC-007, 5.2.3.3.1)
_MAX_ENTRIES = 512
_START = b"\xff\xd8"  # of an image


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """``where`` in words; ``jpeg`` are its bytes, which nobody has decoded yet."""

    where: str
    jpeg: bytes
    width: int
    height: int


def embedded_pictures(jpeg: JpegStructure, data: bytes) -> tuple[tuple[Embedded, ...], tuple[str, ...]]:
    """Those that declare a readable size within bounds, largest last, and in words what was left out."""
    found: list[Embedded] = []
    troubles: list[str] = []
    for where, raw in (*_in_exif(jpeg), *_in_mpf(jpeg, data), *_in_photoshop(jpeg)):
        size = jpeg_size(raw)
        if size is None:
            troubles.append(f"the {where} is no JPEG that could be read")
        elif size[0] * size[1] > MAX_PIXELS:
            troubles.append(f"the {where} declares more than {MAX_PIXELS} pixels")
        elif min(size) < LEAST_SIDE:
            troubles.append(f"the {where} is smaller than {LEAST_SIDE} pixels")
        elif len(found) < MAX_EMBEDDED and all(raw != other.jpeg for other in found):
            found.append(Embedded(where=where, jpeg=raw, width=size[0], height=size[1]))
    found.sort(key=lambda e: e.width * e.height)
    return tuple(found), tuple(dict.fromkeys(troubles))


def _in_exif(jpeg: JpegStructure) -> list[tuple[str, bytes]]:
    """The thumbnail of the 1st IFD, and what begins like a JPEG elsewhere in the block (MakerNotes)."""
    block = next((s.payload[6:] for s in jpeg.segments if s.marker == 0xE1 and s.payload[:6] == _EXIF), b"")
    order = _TIFF_ORDER.get(block[:4])
    if order is None:
        return []
    found: list[tuple[str, bytes]] = []
    at = length = 0
    tags = _second_directory(block, order)
    if _THUMBNAIL_AT in tags and _THUMBNAIL_LENGTH in tags:
        at, length = tags[_THUMBNAIL_AT], tags[_THUMBNAIL_LENGTH]
        if 0 < at < len(block) and length > 0:
            found.append(("thumbnail", block[at : at + length]))
    start = 8
    for _ in range(MAX_NOTE_STARTS):
        start = block.find(_START, start)
        if start < 0:
            break
        if not at <= start < at + max(length, 1) and jpeg_size(block[start:]) is not None:
            found.append(("preview in the maker's note", block[start:]))
        start += 2
    return found


def _second_directory(block: bytes, order: str) -> dict[int, int]:
    """Tags of one number each, of the IFD behind the first; empty where there is none."""
    (first,) = struct.unpack_from(order + "I", block, 4) if len(block) >= 8 else (0,)
    if first + 2 > len(block) or not first:
        return {}
    (count,) = struct.unpack_from(order + "H", block, first)
    link = first + 2 + 12 * count
    if count > _MAX_ENTRIES or link + 4 > len(block):
        return {}
    (second,) = struct.unpack_from(order + "I", block, link)
    return _numbers(block, order, second) if second else {}


def _numbers(block: bytes, order: str, at: int) -> dict[int, int]:
    if at + 2 > len(block):
        return {}
    (count,) = struct.unpack_from(order + "H", block, at)
    found: dict[int, int] = {}
    for i in range(min(count, _MAX_ENTRIES)):
        entry = at + 2 + 12 * i
        if entry + 12 > len(block):
            break
        tag, kind, items = struct.unpack_from(order + "HHI", block, entry)
        if kind in (3, 4) and items == 1:
            (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), block, entry + 8)
            found.setdefault(tag, value)
    return found


def _in_mpf(jpeg: JpegStructure, data: bytes) -> list[tuple[str, bytes]]:
    """Previews alone: gain maps and the other eye of a pair show something else on purpose."""
    block = next((s.payload[4:] for s in jpeg.segments if s.marker == 0xE2 and s.payload[:4] == _MPF), b"")
    order = _TIFF_ORDER.get(block[:4])
    base = data.find(_MPF + block[:8]) + 4 if order else 3  # offsets count from the byte-order mark
    if order is None or base < 4 or len(block) < 8:
        return []
    (first,) = struct.unpack_from(order + "I", block, 4)
    if first + 2 > len(block):
        return []
    (count,) = struct.unpack_from(order + "H", block, first)
    found = []
    for i in range(min(count, _MAX_ENTRIES)):
        entry = first + 2 + 12 * i
        if entry + 12 > len(block):
            break
        tag, _, size, at = struct.unpack_from(order + "HHII", block, entry)
        if tag == _MP_ENTRIES:
            found += _mp_pictures(block[at : at + size], order, base, data)
    return found


def _mp_pictures(entries: bytes, order: str, base: int, data: bytes) -> list[tuple[str, bytes]]:
    found = []
    for at in range(0, min(len(entries) - 15, 16 * 2 * MAX_EMBEDDED), 16):
        attribute, size, offset = struct.unpack_from(order + "III", entries, at)
        is_preview = (attribute & 0xFFFFFF) >> 16 == _PREVIEW_CLASS
        if is_preview and offset and base + offset < len(data):
            found.append(("preview behind the picture", data[base + offset : base + offset + size]))
    return found


def _in_photoshop(jpeg: JpegStructure) -> list[tuple[str, bytes]]:
    """Image resource 1036: a name, a length, 28 bytes of header, a JPEG."""
    found = []
    for segment in jpeg.segments:
        at = segment.payload.find(b"8BIM\x04\x0c") if segment.payload.startswith(_IRB) else -1
        if at >= 0:
            named = at + 6
            name = segment.payload[named] if named < len(segment.payload) else 0
            head = named + (name + 2 & ~1) + 4
            found.append(("thumbnail of Photoshop", segment.payload[head + 28 :]))
    return found
