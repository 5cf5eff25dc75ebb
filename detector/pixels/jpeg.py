"""The marker structure of a JPEG (ITU-T T.81, annex B), read from bytes without decoding pixels.

Decides nothing: it lists quantisation tables, sampling factors, the coding process and the application
segments, and whether the entropy-coded data come to their end marker. It reads what decoders read: stray
bytes between segments are passed over as libjpeg does, and what cannot be read is named, so that it costs
only who needs it. Its work grows with the number of segments, and that number has a limit.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from detector.core.errors import PixelsUnreadable

MAX_SEGMENTS = 4096  # a camera writes some dozens; hostile files try millions
# Every scan of a progressive picture makes a decoder walk all of it: 0.7 ms a megapixel, even an empty one.
MAX_SCANS = 256  # encoders write about ten, optimisers some dozens
MAX_HUFFMAN = 32  # a decoder knows eight at a time
MAX_SCANNED_PIXELS = 2_500_000_000  # scans times pixels

# In entropy-coded data FF 00 is a stuffed byte and FF D0..D7 restart; anything else ends the scan (B.1.1.5).
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Where a marker belongs, any bytes up to one are passed over, and so is a stuffed FF (B.1.1.2; jdmarker.c).
_MARKER = re.compile(rb"\xff[^\x00\xff]")
# SHA-256, first half, of the tables K.3 to K.6 as a file has them: 16 counts, then values.
_USUAL_HUFFMAN = frozenset({"2f66814c875b5317", "602f734c8c12c1d9", "a6283a08f5d97906", "13f90e3c9dc476c6"})
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
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
    """``tables`` are in order of their number; ``sampling`` is (horizontal, vertical) per component.
    ``troubles`` say in words what could not be read; ``stray`` counts bytes that belong to no segment."""

    tables: tuple[Table, ...]
    sampling: tuple[tuple[int, int], ...]
    width: int
    height: int
    progressive: bool
    scans: int
    segments: tuple[Segment, ...]  # APPn and COM only
    complete: bool
    troubles: tuple[str, ...] = ()
    stray: int = 0
    huffman: tuple[bytes, ...] = ()  # the Huffman tables before the first scan, as they stand

    @property
    def usual_huffman(self) -> bool | None:
        """Whether they are those that T.81 gives as examples (annex K.3), which encoders use that do not
        look at the picture twice; None where there are none."""
        if not self.huffman:
            return None
        return all(hashlib.sha256(t).hexdigest()[:16] in _USUAL_HUFFMAN for t in self.huffman)

    @property
    def too_costly(self) -> str | None:
        """Why a decoder should not be asked for the picture, or None."""
        if self.scans > MAX_SCANS:
            return f"the JPEG has more than {MAX_SCANS} scans"
        if self.scans * self.width * self.height > MAX_SCANNED_PIXELS:
            return f"the JPEG has {self.scans} scans of {self.width} x {self.height} pixels"
        return None

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
        self.troubles: list[str] = []
        self.stray = 0
        self.huffman: dict[int, bytes] = {}

    def segment(self, marker: int, payload: bytes) -> None:
        if marker == 0xDB:
            self._tables(payload)
        elif marker in _SOF:
            self._frame(marker, payload)
        elif marker == 0xC4 and not self.scans:
            self._codes(payload)
        elif marker == 0xFE or 0xE0 <= marker <= 0xEF:
            self.segments.append(Segment(marker=marker, payload=payload))

    def _tables(self, payload: bytes) -> None:
        at = 0
        while at < len(payload):
            precision, number = payload[at] >> 4, payload[at] & 15
            size = 128 if precision else 64
            raw = payload[at + 1 : at + 1 + size]
            if precision > 1 or len(raw) != size:
                self.troubles.append("a quantisation table is malformed")
                return
            values = struct.unpack(">64H", raw) if precision else tuple(raw)
            rows = [0] * 64
            for i, value in enumerate(values):
                rows[ZIGZAG[i]] = value
            self.tables[number] = tuple(rows)
            at += 1 + size

    def _codes(self, payload: bytes) -> None:
        """B.2.4.2: how many codes there are of each length, then their values. What is odd is left out."""
        at = 0
        while at + 17 <= len(payload) and len(self.huffman) < MAX_HUFFMAN:
            size = 16 + sum(payload[at + 1 : at + 17])
            self.huffman[payload[at]] = payload[at + 1 : at + 1 + size]
            at += 1 + size

    def _frame(self, marker: int, payload: bytes) -> None:
        if len(payload) < 6 or len(payload) < 6 + 3 * payload[5]:
            self.troubles.append("the frame header is malformed")
            return
        height, width = struct.unpack(">HH", payload[1:5])
        self.size = (width, height)
        self.progressive = marker in {0xC2, 0xC6, 0xCA, 0xCE}
        factors = [payload[7 + 3 * i] for i in range(payload[5])]
        self.sampling = tuple((f >> 4, f & 15) for f in factors)


def parse_jpeg(data: bytes) -> JpegStructure:
    """Walk the markers up to the first end of image. Raises ``PixelsUnreadable`` when it is not a JPEG; one
    that stops early or breaks off comes back with ``complete`` false."""
    if data[:2] != b"\xff\xd8":
        raise PixelsUnreadable("not a JPEG")
    reader = _Reader()
    complete = _walk(data, reader)
    return JpegStructure(
        tables=tuple(reader.tables[n] for n in sorted(reader.tables)), sampling=reader.sampling,
        width=reader.size[0], height=reader.size[1], progressive=reader.progressive, scans=reader.scans,
        segments=tuple(reader.segments), complete=complete, troubles=tuple(dict.fromkeys(reader.troubles)),
        stray=reader.stray, huffman=tuple(reader.huffman[n] for n in sorted(reader.huffman)),
    )  # fmt: skip


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from the first frame header; nothing behind it is looked at."""
    reader = _Reader()
    if data[:2] == b"\xff\xd8":
        for marker, start, end in _segments(data, reader):
            if marker in _SOF:
                reader.segment(marker, data[start + 4 : end])
                return reader.size if all(reader.size) else None
    return None


def luminance_table(data: bytes) -> Table | None:
    """The quantisation table with the lowest number before the first scan, which is that of the luminance in
    every usual file; None where there is none. The coded data are not walked."""
    reader = _Reader()
    if data[:2] == b"\xff\xd8":
        for marker, start, end in _segments(data, reader):
            if marker in (0xDA, 0xD9):
                break
            reader.segment(marker, data[start + 4 : end])
    return reader.tables[min(reader.tables)] if reader.tables else None


def bare_jpeg(data: bytes) -> bytes:
    """The same picture without what applications wrote into it, but for the two segments that say how its
    colours are coded: a decoder that joins metadata segments one by one copies them again and again. What has
    no picture comes back without one."""
    kept = [data[:2]]
    for marker, start, end in _segments(data, _Reader()):
        if marker in (0xDA, 0xD9):
            return b"".join((*kept, data[start:]))
        if marker in (0xE0, 0xEE) or not (marker == 0xFE or 0xE0 <= marker <= 0xEF):
            kept.append(data[start:end])
    return b"".join(kept)


def _walk(data: bytes, reader: _Reader) -> bool:
    """True when the end-of-image marker was reached after at least one scan."""
    for marker, start, end in _segments(data, reader):
        if marker == 0xD9:
            return reader.scans > 0
        reader.segment(marker, data[start + 4 : end])
    return False


def _segments(data: bytes, reader: _Reader) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of every segment, of a scan without its coded data, up to the end of image. Stops
    where the file does, at the limit, and where a decoder would give up."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        start = found.start()
        reader.stray += len(data[at:start].rstrip(b"\xff"))  # fill bytes belong where they are
        marker = data[start + 1]
        if marker == 0xD9:
            yield marker, start, start + 2
            return
        if marker in _STANDALONE:
            at = start + 2
            continue
        if start + 4 > len(data):
            return
        (size,) = struct.unpack_from(">H", data, start + 2)
        if size < 2:
            reader.troubles.append("a segment is shorter than its own length field")
            return
        at = start + 2 + size
        if at > len(data):
            return
        yield marker, start, at
        if marker == 0xDA:
            reader.scans += 1
            coded = _SCAN_END.search(data, at)
            if coded is None:
                return
            at = coded.start()
    reader.troubles.append(f"more than {MAX_SEGMENTS} segments")
