"""The parts that a file is made of, as ``c2pa.hash.boxes`` counts them (C2PA 2.x, "General box hash").

Every byte of the file belongs to exactly one part, or there is no map. Pure; JPEG and PNG.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from signer.proof import Span

STORE = "C2PA"
MAX_PARTS = 100_000

_SEGMENTS = {
    0xC4: "DHT", 0xC8: "JPG", 0xCC: "DAC", 0xDB: "DQT", 0xDC: "DNL", 0xDD: "DRI", 0xDE: "DHP", 0xDF: "EXP",
    0xFE: "COM", **{0xC0 + n: f"SOF{n}" for n in range(16) if n not in (4, 8, 12)},
    **{0xE0 + n: f"APP{n}" for n in range(16)},
}  # fmt: skip
_SOS, _EOI = 0xDA, 0xD9
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]")


class NoMap(Exception):
    """The file cannot be divided so; ``str()`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    span: Span


def box_map(data: bytes, media_type: str, store: Sequence[Span]) -> tuple[Part, ...]:
    """In the order of the file; the parts that hold ``store`` are one. Raises ``NoMap``."""
    make = {"image/jpeg": _jpeg, "image/png": _png}.get(media_type)
    if make is None:
        raise NoMap(f"the boxes of {media_type} are not counted here")
    try:
        found = make(data)
    except (struct.error, IndexError) as e:
        raise NoMap(f"the {media_type} structure is broken") from e
    joined: list[Part] = []
    for part in found:
        named = part
        if any(part.span.start <= s.start and s.end <= part.span.end for s in store):
            named = Part(name=STORE, span=part.span)
        if joined and named.name == STORE == joined[-1].name:
            named = Part(name=STORE, span=Span(start=joined.pop().span.start, end=named.span.end))
        joined.append(named)
    return tuple(joined)


def _jpeg(data: bytes) -> list[Part]:
    """Segments; a scan ends where the next marker begins that is neither stuffed nor a restart."""
    if data[:2] != b"\xff\xd8":
        raise NoMap("the file is no JPEG")
    found = [Part(name="SOI", span=Span(start=0, end=2))]
    at = 2
    while at < len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or len(found) > MAX_PARTS:
            raise NoMap("bytes lie between the segments, or behind the end of the picture")
        if marker == _EOI:
            name, end = "EOI", at + 2
        else:
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            name, end = _SEGMENTS.get(marker, "SOS" if marker == _SOS else ""), at + 2 + length
            if marker == _SOS:
                after = _END_OF_SCAN.search(data, end)
                end = after.start() if after else len(data)
        if not name or end > len(data) or end < at + 2:
            raise NoMap("the file holds a segment of an unknown kind or a cut one")
        found.append(Part(name=name, span=Span(start=at, end=end)))
        at = end
    return found


def _png(data: bytes) -> list[Part]:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise NoMap("the file is no PNG")
    found = [Part(name="PNGh", span=Span(start=0, end=8))]
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data) or len(found) > MAX_PARTS:
            raise NoMap("a chunk is cut, or there are too many")
        found.append(Part(name=kind.decode("latin-1"), span=Span(start=at, end=end)))
        at = end
    return found
