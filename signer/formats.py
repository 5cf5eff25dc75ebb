"""What kind of media the bytes are, and whether they are all there: before anything is signed.

Only containers in which the time-stamp can be stapled afterwards are signed (signer/proof/container.py). The
bytes decide, never the name, with one exception: camera raw formats look like TIFF, and rewriting them would
break the maker's notes, which hold absolute offsets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import PurePath

from signer.core.errors import UnreadableMedia, UnsupportedMedia
from signer.core.sniff import sniff

_RAW_SUFFIXES = frozenset(
    (".3fr", ".arw", ".cr2", ".dcr", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".nef", ".nrw", ".pef", ".raw",
     ".sr2", ".srf", ".srw")
)  # fmt: skip
_TIFF_NUMBERS = {3: ("H", 2), 4: ("I", 4), 13: ("I", 4)}  # SHORT, LONG, IFD
_TIFF_OFFSETS_COUNTS = ((273, 279), (324, 325))  # strips, tiles
_SUB_IFDS = 330
_TIFF_PLACES = frozenset((273, 279, 324, 325, _SUB_IFDS))
_MAX_IFD_ENTRIES = 500_000  # of all directories together; a page has about 20, the engine reads 2,000 pages
_MAX_IFD_VALUES = 1_000_000


def media_type_of(data: bytes, name: str) -> str:
    """Raises ``UnsupportedMedia`` for a kind that is not signed, ``UnreadableMedia`` for a truncated file."""
    media_type = sniff(data)
    if media_type is None:
        raise UnsupportedMedia(
            f"{name} is none of the kinds that are signed: JPEG, PNG, WebP, TIFF, HEIC, AVIF, MP4, MOV, M4A, "
            "WAV, AVI"
        )
    if _is_raw(data, media_type, name):
        raise UnsupportedMedia(f"{name} is a camera's raw file; rewriting it would damage the maker's notes")
    try:
        whole = _COMPLETE[media_type](data)
    except (struct.error, IndexError):
        whole = False
    if not whole:
        raise UnreadableMedia(f"{name} is truncated or damaged: {media_type} data ends too early")
    return media_type


def _is_raw(data: bytes, media_type: str, name: str) -> bool:
    if media_type == "image/tiff":
        return PurePath(name).suffix.lower() in _RAW_SUFFIXES or data[8:10] == b"CR"
    return data[4:12] == b"ftypcrx "  # Canon's CR3 looks like a film


def _jpeg_is_whole(data: bytes) -> bool:
    """An end-of-image marker behind the first start of scan. One before it belongs to a thumbnail, and what
    lies behind it (a second picture, a short film) is the maker's business."""
    at = 2
    while data[at + 1] != 0xDA:
        if data[at] != 0xFF:
            return False
        if data[at + 1] == 0xFF:  # fill byte
            at += 1
        elif data[at + 1] == 0x01 or 0xD0 <= data[at + 1] <= 0xD8:  # markers without a length
            at += 2
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return data.endswith(b"\xff\xd9") or data.find(b"\xff\xd9", at) != -1


def _png_is_whole(data: bytes) -> bool:
    return b"IEND\xaeB`\x82" in data[-64:] or data.rfind(b"IEND\xaeB`\x82") != -1


def _riff_is_whole(data: bytes) -> bool:
    return 8 + int(struct.unpack("<I", data[4:8])[0]) <= len(data)


def _bmff_is_whole(data: bytes) -> bool:
    at = 0
    while at < len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        if length == 1:
            length = struct.unpack(">Q", data[at + 8 : at + 16])[0]
        elif length == 0:  # reaches to the end of the file
            length = len(data) - at
        if length < 8:
            return False
        at += length
    return at == len(data)


def _tiff_is_whole(data: bytes) -> bool:
    """Every directory, and every strip and tile that one names, lies inside the file."""
    order = "<" if data[:2] == b"II" else ">"
    pending, seen, left = [struct.unpack(order + "I", data[4:8])[0]], set(), _MAX_IFD_ENTRIES
    while pending:
        at = pending.pop()
        if at == 0 or at in seen:
            continue
        seen.add(at)
        tags, following, entries = _tiff_directory(data, at, order)
        left -= entries
        if left < 0:
            raise UnsupportedMedia(f"its directories hold more than {_MAX_IFD_ENTRIES} entries")
        pending += [following, *tags.get(_SUB_IFDS, ())]
        for offsets, counts in _TIFF_OFFSETS_COUNTS:
            pairs = zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False)
            if any(start + count > len(data) for start, count in pairs):
                return False
    return True


def _tiff_directory(data: bytes, at: int, order: str) -> tuple[dict[int, tuple[int, ...]], int, int]:
    """The numbers under the tags that place data, the next directory's offset, and the count of entries.
    Raises ``struct.error`` where they reach beyond the file."""
    (entries,) = struct.unpack(order + "H", data[at : at + 2])
    tags: dict[int, tuple[int, ...]] = {}
    for base in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack(order + "HHI", data[base : base + 8])
        if tag not in _TIFF_PLACES or kind not in _TIFF_NUMBERS or count > _MAX_IFD_VALUES:
            continue
        letter, size = _TIFF_NUMBERS[kind]
        start = base + 8 if size * count <= 4 else struct.unpack(order + "I", data[base + 8 : base + 12])[0]
        tags[tag] = struct.unpack(f"{order}{count}{letter}", data[start : start + size * count])
    end = at + 2 + 12 * entries
    return tags, struct.unpack(order + "I", data[end : end + 4])[0], entries


_COMPLETE: dict[str, Callable[[bytes], bool]] = {
    "image/jpeg": _jpeg_is_whole,
    "image/png": _png_is_whole,
    "image/webp": _riff_is_whole,
    "audio/wav": _riff_is_whole,
    "video/x-msvideo": _riff_is_whole,
    "image/tiff": _tiff_is_whole,
    "image/avif": _bmff_is_whole,
    "image/heic": _bmff_is_whole,
    "video/mp4": _bmff_is_whole,
    "video/quicktime": _bmff_is_whole,
    "audio/mp4": _bmff_is_whole,
}
