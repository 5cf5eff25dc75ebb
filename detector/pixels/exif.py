"""EXIF tags from bytes (TIFF 6.0 section 2, CIPA DC-008), bounded and without decoding pixels.

A reader for hostile input: offsets may point anywhere, counts may be huge, strings may be binary. What cannot
be read is left out and ``malformed`` says so; nothing here raises.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from detector.pixels.jpeg import JpegStructure

MAX_ENTRIES = 512  # per directory; cameras write some dozens
MAX_TEXT = 4096
MAX_BLOB = 1 << 20
MAX_VALUES = 4 << 20  # bytes of all values together: entries may all point at the same megabyte

# Tags that somebody here reads, by directory.
IMAGE_DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE_TIME = 0x10E, 0x10F, 0x110, 0x131, 0x132
XMP_PACKET, IPTC_NAA, EXIF_IFD = 0x2BC, 0x83BB, 0x8769
EXPOSURE_TIME, F_NUMBER, ISO, DATE_ORIGINAL, DATE_DIGITISED = 0x829A, 0x829D, 0x8827, 0x9003, 0x9004
SHUTTER_SPEED, APERTURE, FOCAL_LENGTH, MAKER_NOTE, USER_COMMENT = 0x9201, 0x9202, 0x920A, 0x927C, 0x9286
PIXEL_X, PIXEL_Y = 0xA002, 0xA003
ORIENTATION = 0x112

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBERS = {3: "H", 4: "I", 8: "h", 9: "i", 13: "I"}

Value = str | int | float | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExifTags:
    """First value of each tag; the directories IFD0 and Exif are read as one, IFD0 first."""

    values: tuple[tuple[int, Value], ...]
    malformed: bool

    def text(self, tag: int) -> str | None:
        """A text value without padding, or None."""
        value = self.value(tag)
        return value if isinstance(value, str) and value else None

    def number(self, tag: int) -> float | None:
        value = self.value(tag)
        return float(value) if isinstance(value, int | float) else None

    def blob(self, tag: int) -> bytes | None:
        value = self.value(tag)
        return value if isinstance(value, bytes) else None

    def value(self, tag: int) -> Value | None:
        return next((v for t, v in self.values if t == tag), None)


def parse_exif(data: bytes) -> ExifTags:
    """Read a TIFF structure; ``data`` begins at its byte-order mark."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return ExifTags(values=(), malformed=True)
    values: dict[int, Value] = {}
    (at,) = struct.unpack_from(order + "I", data, 4)
    whole = _directory(data, order, at, values)
    pointer = values.get(EXIF_IFD)
    if isinstance(pointer, int):
        whole = _directory(data, order, pointer, values) and whole
    return ExifTags(values=tuple(values.items()), malformed=not whole)


def exif_of(jpeg: JpegStructure) -> ExifTags | None:
    """The EXIF of a JPEG's first APP1 segment that has one."""
    for segment in jpeg.segments:
        if segment.marker == 0xE1 and segment.payload.startswith(b"Exif\0\0"):
            return parse_exif(segment.payload[6:])
    return None


def _directory(data: bytes, order: str, at: int, values: dict[int, Value]) -> bool:
    """True when every entry was inside the data."""
    if at + 2 > len(data):
        return False
    (count,) = struct.unpack_from(order + "H", data, at)
    whole = bool(count <= MAX_ENTRIES)
    left = MAX_VALUES - sum(len(v) for v in values.values() if isinstance(v, bytes | str))
    for i in range(min(count, MAX_ENTRIES)):
        entry = at + 2 + 12 * i
        if entry + 12 > len(data):
            return False
        tag, kind, items = struct.unpack_from(order + "HHI", data, entry)
        raw = _raw(data, order, entry, kind, items)
        if raw is None or len(raw) > left:
            whole = False
        elif (value := _value(raw, order, kind)) is not None:
            values.setdefault(tag, value)
            left -= len(raw)
    return whole


def _raw(data: bytes, order: str, entry: int, kind: int, items: int) -> bytes | None:
    size = _SIZES.get(kind, 0) * items
    if kind not in _SIZES:
        return None
    if size <= 4:
        return data[entry + 8 : entry + 8 + size]
    (offset,) = struct.unpack_from(order + "I", data, entry + 8)
    if offset + size > len(data):
        return None
    return data[offset : offset + min(size, MAX_BLOB)]


def _value(raw: bytes, order: str, kind: int) -> Value | None:
    if kind == 2:
        return raw[:MAX_TEXT].split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    if kind in (1, 6, 7):
        return raw
    if kind in _NUMBERS and len(raw) >= _SIZES[kind]:
        return int(struct.unpack_from(order + _NUMBERS[kind], raw)[0])
    if kind in (5, 10) and len(raw) >= 8:
        above, below = struct.unpack_from(order + ("II" if kind == 5 else "ii"), raw)
        return float(above / below) if below else None
    return None
