"""The marker structure of a JPEG (ITU-T T.81, annex B), read from bytes without decoding pixels.

Decides nothing: it lists quantisation tables, sampling factors, the coding process and the application
segments, and whether the entropy-coded data come to their end marker.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from detector.errors import PixelsUnreadable

MAX_SEGMENTS = 4096  # a camera writes some dozens; hostile files try millions

# In entropy-coded data FF 00 is a stuffed byte and FF D0..D7 restart; anything else ends the scan (B.1.1.5).
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}

# Zig-zag position -> position in rows (T.81 figure A.6).
ZIGZAG = (
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
)  # fmt: skip

Table = tuple[int, ...]  # 64 values in rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    marker: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegStructure:
    """``tables`` are in order of their number; ``sampling`` is (horizontal, vertical) per component."""

    tables: tuple[Table, ...]
    sampling: tuple[tuple[int, int], ...]
    width: int
    height: int
    progressive: bool
    scans: int
    segments: tuple[Segment, ...]  # APPn and COM only
    complete: bool

    @property
    def subsampling(self) -> str:
        """The usual name of the chroma sampling, or the raw factors."""
        if len(self.sampling) == 1:
            return "monochrome"
        names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
        if len(self.sampling) == 3 and self.sampling[1] == self.sampling[2] == (1, 1):
            return names.get(self.sampling[0], "x".join(map(str, self.sampling[0])))
        return ",".join(f"{h}x{v}" for h, v in self.sampling)


class _Reader:
    """Collects what the segments say; one instance per file."""

    def __init__(self) -> None:
        self.tables: dict[int, Table] = {}
        self.sampling: tuple[tuple[int, int], ...] = ()
        self.size = (0, 0)
        self.progressive = False
        self.scans = 0
        self.segments: list[Segment] = []

    def segment(self, marker: int, payload: bytes) -> None:
        if marker == 0xDB:
            self._tables(payload)
        elif marker in _SOF:
            self._frame(marker, payload)
        elif marker == 0xFE or 0xE0 <= marker <= 0xEF:
            self.segments.append(Segment(marker=marker, payload=payload))

    def _tables(self, payload: bytes) -> None:
        at = 0
        while at < len(payload):
            precision, number = payload[at] >> 4, payload[at] & 15
            size = 128 if precision else 64
            raw = payload[at + 1 : at + 1 + size]
            if precision > 1 or len(raw) != size:
                raise PixelsUnreadable("a quantisation table is malformed")
            values = struct.unpack(">64H", raw) if precision else tuple(raw)
            rows = [0] * 64
            for i, value in enumerate(values):
                rows[ZIGZAG[i]] = value
            self.tables[number] = tuple(rows)
            at += 1 + size

    def _frame(self, marker: int, payload: bytes) -> None:
        if len(payload) < 6 or len(payload) < 6 + 3 * payload[5]:
            raise PixelsUnreadable("the frame header is malformed")
        height, width = struct.unpack(">HH", payload[1:5])
        self.size = (width, height)
        self.progressive = marker in {0xC2, 0xC6, 0xCA, 0xCE}
        factors = [payload[7 + 3 * i] for i in range(payload[5])]
        self.sampling = tuple((f >> 4, f & 15) for f in factors)


def parse_jpeg(data: bytes) -> JpegStructure:
    """Walk the markers up to the first end of image. Raises ``PixelsUnreadable`` when it is not a JPEG or a
    segment is malformed; a file that merely stops early comes back with ``complete`` false."""
    if data[:2] != b"\xff\xd8":
        raise PixelsUnreadable("not a JPEG")
    reader = _Reader()
    complete = _walk(data, reader)
    return JpegStructure(
        tables=tuple(reader.tables[n] for n in sorted(reader.tables)),
        sampling=reader.sampling,
        width=reader.size[0],
        height=reader.size[1],
        progressive=reader.progressive,
        scans=reader.scans,
        segments=tuple(reader.segments),
        complete=complete,
    )


def _walk(data: bytes, reader: _Reader) -> bool:
    """True when the end-of-image marker was reached after at least one scan."""
    at, seen = 2, 0
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            raise PixelsUnreadable("bytes stand where a marker belongs")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte, B.1.1.2
            at += 1
            continue
        if marker == 0xD9:
            return reader.scans > 0
        if marker in _STANDALONE:
            at += 2
            continue
        seen += 1
        if seen > MAX_SEGMENTS:
            raise PixelsUnreadable(f"more than {MAX_SEGMENTS} segments")
        if at + 4 > len(data):
            return False
        (size,) = struct.unpack(">H", data[at + 2 : at + 4])
        if size < 2:
            raise PixelsUnreadable("a segment is shorter than its own length field")
        end = at + 2 + size
        if end > len(data):
            return False
        reader.segment(marker, data[at + 4 : end])
        at = end
        if marker == 0xDA:
            reader.scans += 1
            found = _SCAN_END.search(data, at)
            if found is None:
                return False
            at = found.start()
    return False
