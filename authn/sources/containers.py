"""Metadata blocks out of a file's bytes, without decoding a pixel and with a cap on everything.

Decides nothing. PNG chunks (PNG 3rd edition, 11.3), JPEG segments, WebP chunks, TIFF tags; in other
containers an XMP packet and an EXIF block are searched for by their fixed openings. Compressed text is
inflated up to a limit, because a few hundred bytes of zTXt can stand for gigabytes; parts are counted,
because a million of them cost as much, and what is searched is passed over once, whatever was found there.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from authn.core.media import Media
from detector.core.errors import NotApplicable
from detector.pixels import exif
from detector.pixels.exif import ExifTags, parse_exif
from detector.pixels.jpeg import parse_jpeg
from detector.pixels.png import png_chunks
from detector.pixels.webp import webp_chunks

MAX_PARTS = 65_536  # chunks and resources of one file; the largest honest PNG has fewer
MAX_TEXT_CHUNKS = 256
MAX_TEXT_TOTAL = 8 * 1024 * 1024
MAX_XMP_BYTES = 1024 * 1024
MAX_XMP_PACKETS = 8
MAX_XMP_TOTAL = 2 * MAX_XMP_BYTES
MAX_INFLATED_BYTES = 2 * 1024 * 1024  # per chunk; ComfyUI workflows reach some hundred kB
MAX_INFLATED_TOTAL = 8 * 1024 * 1024
MAX_IPTC_DATASETS = 512
_SEARCHED_BYTES = 16 * 1024 * 1024

_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_OPENS, _XMP_CLOSES = b"<x:xmpmeta", b"</x:xmpmeta"
_CLOSING_BYTES = 64  # the name, white space, and the bracket
_SEARCHED = {
    "image/heic",
    "image/avif",
    "image/jxl",
    "image/gif",
    "video/mp4",
    "video/quicktime",
    "audio/mp4",
}


@dataclass(slots=True, kw_only=True)
class Blocks:
    """What was found; ``troubles`` are one sentence each about what could not be read."""

    exif: ExifTags | None = None
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[tuple[int, int, str]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    text_left: int = MAX_TEXT_TOTAL

    @property
    def empty(self) -> bool:
        return not (self.exif or self.xmp or self.iptc or self.texts)

    def trouble(self, what: str) -> None:
        """Told once, however often it is met."""
        if what not in self.troubles:
            self.troubles.append(what)

    def add_xmp(self, packet: bytes) -> None:
        if len(packet) > MAX_XMP_BYTES:
            self.trouble(f"an XMP packet of {len(packet)} bytes is not read")
        elif len(self.xmp) < MAX_XMP_PACKETS and sum(map(len, self.xmp)) + len(packet) <= MAX_XMP_TOTAL:
            self.xmp.append(packet)
        else:
            self.trouble(f"only the first {len(self.xmp)} XMP packets were read")

    def add_text(self, keyword: str, text: str) -> None:
        if len(self.texts) >= MAX_TEXT_CHUNKS:
            self.trouble(f"only the first {MAX_TEXT_CHUNKS} texts were read")
        elif len(text) > self.text_left:
            self.trouble(f"only the first {MAX_TEXT_TOTAL} characters of text were read")
        else:
            self.text_left -= len(text)
            self.texts.append((keyword, text))


def read_blocks(media: Media) -> Blocks:
    """Raises ``NotApplicable`` for kinds of media whose metadata is not read, ``PixelsUnreadable`` for a
    container that cannot be walked at all."""
    blocks = Blocks()
    match media.media_type:
        case "image/jpeg":
            _jpeg(media.data, blocks)
        case "image/png":
            _png(media.data, blocks)
        case "image/webp":
            _webp(media.data, blocks)
        case "image/tiff":
            _tiff(media.data, blocks)
        case other if other in _SEARCHED:
            _search(media.data, blocks)
        case other:
            raise NotApplicable(f"metadata of {other} is not read")
    return blocks


def _jpeg(data: bytes, blocks: Blocks) -> None:
    jpeg = parse_jpeg(data)
    left = MAX_PARTS
    for trouble in jpeg.troubles:
        blocks.trouble(trouble)
    for segment in jpeg.segments:
        payload = segment.payload
        if segment.marker == 0xE1 and payload.startswith(b"Exif\0\0"):
            _set_exif(payload[6:], blocks)
        elif segment.marker == 0xE1 and payload.startswith(_XMP_HEADER):
            blocks.add_xmp(payload[len(_XMP_HEADER) :])
        elif segment.marker == 0xED and payload.startswith(b"Photoshop 3.0\0"):
            left = _photoshop(payload[14:], left, blocks)
        elif segment.marker == 0xFE:
            blocks.add_text("Comment", _utf8(payload))


def _set_exif(raw: bytes, blocks: Blocks) -> None:
    if blocks.exif is not None:
        blocks.trouble("a second EXIF block was not read")
        return
    blocks.exif = parse_exif(raw)
    if blocks.exif.malformed:
        blocks.trouble("the EXIF block is malformed; what could be read was read")


def _photoshop(raw: bytes, left: int, blocks: Blocks) -> int:
    """Image resource blocks (Photoshop file format, 1-10); resource 0x0404 is IPTC-IIM. Returns how many more
    may be looked at."""
    at = 0
    while at + 12 <= len(raw) and raw[at : at + 4] == b"8BIM":
        if not left:
            blocks.trouble(f"only the first {MAX_PARTS} Photoshop resources were read")
            return 0
        left -= 1
        (number,) = struct.unpack_from(">H", raw, at + 4)
        name = raw[at + 6] + 1
        at += 6 + name + name % 2
        if at + 4 > len(raw):
            break
        (size,) = struct.unpack_from(">I", raw, at)
        if number == 0x0404:
            _iptc(raw[at + 4 : at + 4 + size], blocks)
        at += 4 + size + size % 2
    return left


def _iptc(raw: bytes, blocks: Blocks) -> None:
    """IPTC-IIM 4.2, chapter 1.5: 1C, record, dataset, length, value. Extended lengths end the reading."""
    at = 0
    while at + 5 <= len(raw) and raw[at] == 0x1C and len(blocks.iptc) < MAX_IPTC_DATASETS:
        record, dataset, size = struct.unpack_from(">BBH", raw, at + 1)
        if size & 0x8000:
            break
        blocks.iptc.append((record, dataset, _utf8(raw[at + 5 : at + 5 + size])))
        at += 5 + size


def _png(data: bytes, blocks: Blocks) -> None:
    left = MAX_INFLATED_TOTAL
    try:
        for kind, start, end in png_chunks(data):
            if kind == b"eXIf":
                _set_exif(data[start:end], blocks)
            elif kind in (b"tEXt", b"zTXt", b"iTXt"):
                left -= _png_text(kind, data[start:end], left, blocks)
    except NotApplicable as e:
        blocks.trouble(f"{e.detail}, of which no more were read")


def _png_text(kind: bytes, payload: bytes, left: int, blocks: Blocks) -> int:
    """Add one text chunk; returns the bytes that inflating it produced."""
    keyword, separator, rest = payload.partition(b"\0")
    if not separator or not 0 < len(keyword) < 80:
        blocks.trouble("a PNG text chunk is malformed")
        return 0
    compressed = kind == b"zTXt"
    body = rest[1:] if compressed else rest
    if kind == b"iTXt":
        if len(rest) < 2 or rest.count(b"\0", 2) < 2:
            blocks.trouble("a PNG text chunk is malformed")
            return 0
        compressed = rest[0] == 1
        body = rest[2:].split(b"\0", 2)[2]
    produced = 0
    if compressed:
        if left <= 0:
            blocks.trouble(f"only the first {MAX_INFLATED_TOTAL} bytes of compressed text were read")
            return 0
        inflated = _inflate(body, min(MAX_INFLATED_BYTES, left), blocks)
        if inflated is None:
            return 0
        body, produced = inflated, len(inflated)
    name = keyword.decode("latin-1")
    if name == "XML:com.adobe.xmp":
        blocks.add_xmp(body)
    else:
        text = _utf8(body) if kind == b"iTXt" else body[:MAX_INFLATED_BYTES].decode("latin-1")
        blocks.add_text(name, text)
    return produced


def _inflate(body: bytes, limit: int, blocks: Blocks) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(body, limit)
    except zlib.error:
        blocks.trouble("a compressed PNG text chunk does not inflate")
        return None
    if inflater.unconsumed_tail:
        blocks.trouble(f"a compressed PNG text chunk was read only up to {limit} bytes")
    return out


def _webp(data: bytes, blocks: Blocks) -> None:
    try:
        for kind, start, end in webp_chunks(data):
            if kind == b"EXIF":
                # Some writers keep the JPEG prefix, which the container specification does not ask for.
                _set_exif(data[start:end].removeprefix(b"Exif\0\0"), blocks)
            elif kind == b"XMP ":
                blocks.add_xmp(data[start:end])
    except NotApplicable as e:
        blocks.trouble(f"{e.detail}, of which no more were read")


def _tiff(data: bytes, blocks: Blocks) -> None:
    _set_exif(data, blocks)
    if blocks.exif is None:
        return
    packet = blocks.exif.blob(exif.XMP_PACKET)
    if packet:
        blocks.add_xmp(packet)
    iptc = blocks.exif.blob(exif.IPTC_NAA)
    if iptc:
        _iptc(iptc, blocks)


def _search(data: bytes, blocks: Blocks) -> None:
    """Containers that are not walked here: the first packet of each kind, wherever it stands."""
    window = data[:_SEARCHED_BYTES]
    if len(data) > _SEARCHED_BYTES:
        blocks.trouble(f"only the first {_SEARCHED_BYTES} bytes were searched for metadata")
    packet = xmp_packet(window)
    if packet:
        blocks.add_xmp(packet)
    starts = [at for order in (b"II*\0", b"MM\0*") if (at := window.find(b"Exif\0\0" + order)) != -1]
    if starts:
        at = min(starts) + 6
        _set_exif(window[at : at + exif.MAX_BLOB], blocks)


def xmp_packet(data: bytes) -> bytes | None:
    """The first XMP packet that opens and closes within the limit. Every byte is passed over a fixed number
    of times: for each closing, the last opening before it is the one that fits if any does."""
    at = data.find(_XMP_OPENS)
    while at != -1:
        closes = data.find(_XMP_CLOSES, at)
        if closes == -1:
            return None
        end = data.find(b">", closes, closes + _CLOSING_BYTES)
        opens = at if closes - at <= MAX_XMP_BYTES else data.rfind(_XMP_OPENS, at, closes)
        if end != -1 and closes - opens <= MAX_XMP_BYTES:
            return data[opens : end + 1]
        at = data.find(_XMP_OPENS, closes)
    return None


def _utf8(raw: bytes) -> str:
    return raw[:MAX_INFLATED_BYTES].decode("utf-8", "replace")
