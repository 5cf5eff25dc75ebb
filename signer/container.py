"""Where a C2PA manifest store lies inside a media file (C2PA 2.x section 11.3, "Embedding manifests").

The store's bytes are the concatenation of some spans of the file. Reading gives them; replacing puts other
bytes of the same length in their place and repairs checksums. Nothing else of the file is touched.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from signer.errors import ManifestMalformed, UnsupportedMedia
from signer.jumbf import Span, is_store

_MAX_IFDS = 64
_BMFF_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_TIFF_TAG = 0xCD41


def read_manifest(data: bytes, media_type: str) -> bytes | None:
    """The manifest store, or None where the file embeds none.

    Raises ``ManifestMalformed`` for two stores or a broken container, ``UnsupportedMedia`` for a kind of
    container that is not read here.
    """
    spans = manifest_spans(data, media_type)
    return b"".join(s.of(data) for s in spans) if spans else None


def replace_manifest(data: bytes, media_type: str, manifest: bytes) -> bytes:
    """The same file with another store of exactly the same length. Raises as ``read_manifest``."""
    spans = manifest_spans(data, media_type)
    if sum(s.end - s.start for s in spans) != len(manifest):
        raise ManifestMalformed("the new manifest store has another length")
    out = bytearray(data)
    at = 0
    for span in spans:
        size = span.end - span.start
        out[span.start : span.end] = manifest[at : at + size]
        at += size
    if media_type == "image/png":
        _repair_png_checksum(out, spans[0])
    return bytes(out)


def manifest_spans(data: bytes, media_type: str) -> tuple[Span, ...]:
    """Spans of the file that hold the store, in order; empty without one. Raises as ``read_manifest``."""
    finder = _FINDERS.get(media_type)
    if finder is None:
        raise UnsupportedMedia(f"manifests inside {media_type} are not located here")
    try:
        return finder(data)
    except (struct.error, IndexError) as e:
        raise ManifestMalformed(f"the {media_type} structure is broken") from e


def supports(media_type: str) -> bool:
    return media_type in _FINDERS


def _only(candidates: list[tuple[Span, ...]]) -> tuple[Span, ...]:
    """Two stores would let two readers look at different ones."""
    if len(candidates) > 1:
        raise ManifestMalformed("the file embeds more than one manifest store")
    return candidates[0] if candidates else ()


def _jpeg(data: bytes) -> tuple[Span, ...]:
    """APP11 segments "JP": one JUMBF box split over segments, each repeating the 8-byte box header
    (ISO/IEC 19566-5 Annex D)."""
    pieces: dict[int, list[tuple[int, Span]]] = {}
    for marker, body in _jpeg_segments(data):
        if marker != 0xEB or data[body.start : body.start + 2] != b"JP" or body.end - body.start < 16:
            continue
        instance, sequence = struct.unpack(">HI", data[body.start + 2 : body.start + 8])
        pieces.setdefault(instance, []).append((sequence, Span(start=body.start + 8, end=body.end)))
    candidates = []
    for parts in pieces.values():
        parts.sort(key=lambda part: part[0])
        if [sequence for sequence, _ in parts] != list(range(parts[0][0], parts[0][0] + len(parts))):
            raise ManifestMalformed("APP11 segments of a manifest store are missing or doubled")
        first, rest = parts[0][1], parts[1:]
        header = 16 if data[first.start : first.start + 4] == b"\0\0\0\1" else 8
        spans = (first, *(Span(start=s.start + header, end=s.end) for _, s in rest))
        if is_store(first.of(data)):
            candidates.append(spans)
    return _only(candidates)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, Span]]:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if length < 2:
            return
        end = min(at + 2 + length, len(data))
        yield marker, Span(start=at + 4, end=end)
        at += 2 + length


def _png(data: bytes) -> tuple[Span, ...]:
    candidates: list[tuple[Span, ...]] = []
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if kind == b"caBX":
            candidates.append((Span(start=at + 8, end=end),))
        if kind == b"IEND":
            break
        at = end + 4
    return _only(candidates)


def _repair_png_checksum(out: bytearray, span: Span) -> None:
    checksum = zlib.crc32(out[span.start - 4 : span.end])
    out[span.end : span.end + 4] = struct.pack(">I", checksum)


def _riff(data: bytes) -> tuple[Span, ...]:
    candidates: list[tuple[Span, ...]] = []
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[at : at + 8])
        if kind == b"C2PA" and at + 8 + length <= len(data):
            candidates.append((Span(start=at + 8, end=at + 8 + length),))
        at += 8 + length + (length & 1)
    return _only(candidates)


def _tiff(data: bytes) -> tuple[Span, ...]:
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] in (b"+\0", b"\0+"):
        raise UnsupportedMedia("manifests inside BigTIFF are not located here")
    if data[2:4] not in (b"*\0", b"\0*"):
        raise ManifestMalformed("the file is no TIFF")
    candidates: list[tuple[Span, ...]] = []
    (at,) = struct.unpack(order + "I", data[4:8])
    for _ in range(_MAX_IFDS):
        if at == 0:
            return _only(candidates)
        (entries,) = struct.unpack(order + "H", data[at : at + 2])
        for i in range(entries):
            base = at + 2 + 12 * i
            tag, kind, count, value = struct.unpack(order + "HHII", data[base : base + 12])
            if tag == _TIFF_TAG and kind in (1, 7) and count > 4 and value + count <= len(data):
                candidates.append((Span(start=value, end=value + count),))
        end = at + 2 + 12 * entries
        (at,) = struct.unpack(order + "I", data[end : end + 4])
    raise ManifestMalformed("the TIFF file has too many sub-files")


def _bmff(data: bytes) -> tuple[Span, ...]:
    """Top-level ``uuid`` box: version and flags, purpose, for "manifest" an 8-byte offset, then the store."""
    candidates: list[tuple[Span, ...]] = []
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        header = 8
        if length == 1:
            (length,) = struct.unpack(">Q", data[at + 8 : at + 16])
            header = 16
        elif length == 0:
            length = len(data) - at
        if length < header:
            break
        body, end = at + header, min(at + length, len(data))
        if kind == b"uuid" and data[body : body + 16] == _BMFF_UUID:
            candidates.extend(_bmff_store(data, body + 20, end))
        at += length
    return _only(candidates)


def _bmff_store(data: bytes, purpose_at: int, end: int) -> list[tuple[Span, ...]]:
    zero = data.find(b"\0", purpose_at, min(end, purpose_at + 64))
    if zero == -1 or data[purpose_at:zero] != b"manifest":
        return []
    start = zero + 1 + 8
    (length,) = struct.unpack(">I", data[start : start + 4])  # the box may be padded behind the store
    return [(Span(start=start, end=min(start + length, end)),)]


_FINDERS: dict[str, Callable[[bytes], tuple[Span, ...]]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _riff,
    "audio/wav": _riff,
    "video/x-msvideo": _riff,
    "image/tiff": _tiff,
    "image/heic": _bmff,
    "image/heif": _bmff,
    "image/avif": _bmff,
    "video/mp4": _bmff,
    "video/quicktime": _bmff,
    "audio/mp4": _bmff,
}
