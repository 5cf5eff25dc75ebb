"""Room for a manifest store in ISO media files (ISO/IEC 14496-12): HEIF, AVIF, MP4, MOV, M4A.

A store stands in a ``uuid`` box behind ``ftyp``, so everything behind it moves, and every offset from the
start of the file has to move along. The engine does that itself, but reads ``iloc`` wrongly (extent indices
with the size of base offsets; a base offset of 0 moved together with its extents) and gives up on items that
lie inside ``meta``. So the box is put there beforehand, in the size that the store will have, and the offsets
are moved here; the engine then finds its box, fills it, and moves nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from signer.core.errors import UnreadableMedia, UnsupportedMedia
from signer.core.isoboxes import Box, boxes, children, end_of_head

_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_HEAD = _UUID + b"\0\0\0\0" + b"manifest\0" + bytes(8)  # version and flags, purpose, no further boxes
_WALKED = frozenset(
    (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"moof", b"traf", b"mfra", b"udta", b"meta")
)
# Boxes whose offsets cannot be found or not be moved: whoever signs such a file breaks it in silence.
_UNMOVABLE = {
    b"cmov": "its header is compressed, and with it the positions of its samples",
    b"gps ": "it holds a table of positions that only its maker's software reads (gps)",
}
_NO_ROOM = "the file cannot be signed without harm: a position in it has no room to grow"
_MAX_DEPTH = 12
Mover = Callable[[bytearray, Box, int, int], None]


def make_room(data: bytes, store_size: int) -> bytes:
    """The same file with an empty manifest box for a store of that size, all offsets moved.

    Raises ``UnreadableMedia`` for a broken structure, ``UnsupportedMedia`` for offsets that cannot be moved.
    """
    try:
        return _make_room(data, store_size)
    except (struct.error, IndexError, ValueError) as e:
        raise UnreadableMedia(f"the tables of positions in the file are damaged: {e}") from e


def _make_room(data: bytes, store_size: int) -> bytes:
    size = 8 + len(_HEAD) + store_size
    at = end_of_head(data)
    moved = bytearray(data)
    for box in _leaves(data, 0, len(data), 0):
        mover = _MOVERS.get(box.kind)
        if mover is not None:
            mover(moved, box, at, size)
    moved[at:at] = struct.pack(">I4s", size, b"uuid") + _HEAD + bytes(store_size)
    return bytes(moved)


def _leaves(data: bytes, start: int, end: int, depth: int, inside: bytes = b"") -> Iterator[Box]:
    if depth > _MAX_DEPTH:
        raise UnreadableMedia("the boxes of the file are nested too deeply")
    for box in boxes(data, start, end):
        if inside == b"moov" and box.kind in _UNMOVABLE:
            raise UnsupportedMedia(f"the file cannot be signed without harm: {_UNMOVABLE[box.kind]}")
        if box.kind == b"udta" and data.find(b"iloc", box.body, box.end) == -1:
            continue  # what a maker keeps there need not be boxes
        if box.kind in _WALKED:
            body = children(data, box)
            yield from _leaves(data, body, box.end, depth + 1, box.kind)
        elif box.kind != b"saio" or inside == b"stbl":  # in a fragment it counts from the fragment
            yield box


def _move(moved: bytearray, at: int, width: int, insertion: int, shift: int) -> None:
    value = int.from_bytes(moved[at : at + width], "big")
    if value < insertion:
        return
    if (value + shift) >> (8 * width):
        raise UnsupportedMedia(_NO_ROOM)
    moved[at : at + width] = (value + shift).to_bytes(width, "big")


def _move_table(width: int, *, skip: int = 0) -> Mover:
    """A count, then offsets; ``skip`` bytes stand before the count."""

    def move(moved: bytearray, box: Box, insertion: int, shift: int) -> None:
        at = box.body + 4 + skip
        (count,) = struct.unpack(">I", moved[at : at + 4])
        if at + 4 + count * width > box.end:
            raise ValueError("a table is longer than its box")
        table = moved[at + 4 : at + 4 + count * width]
        letter = "I" if width == 4 else "Q"
        values = struct.unpack(f">{count}{letter}", table)
        new = [value + shift if value >= insertion else value for value in values]
        if max(new, default=0) >> (8 * width):
            raise UnsupportedMedia(_NO_ROOM)
        moved[at + 4 : at + 4 + count * width] = struct.pack(f">{count}{letter}", *new)

    return move


def _move_auxiliary(moved: bytearray, box: Box, insertion: int, shift: int) -> None:
    """``saio``: version 1 has offsets of 64 bits; a flag tells of a type before the count."""
    width = 8 if moved[box.body] else 4
    _move_table(width, skip=8 if moved[box.body + 3] & 1 else 0)(moved, box, insertion, shift)


def _move_fragment(moved: bytearray, box: Box, insertion: int, shift: int) -> None:
    """``tfhd``: a base offset stands there where the first flag says so."""
    if moved[box.body + 3] & 1:
        _move(moved, box.body + 8, 8, insertion, shift)


def _move_random_access(moved: bytearray, box: Box, insertion: int, shift: int) -> None:
    """``tfra``: entries of a time, the offset of a ``moof`` and three numbers of given widths."""
    width = 8 if moved[box.body] == 1 else 4
    (sizes, count) = struct.unpack(">II", moved[box.body + 8 : box.body + 16])
    entry = 2 * width + sum((sizes >> bits & 3) + 1 for bits in (0, 2, 4))
    if box.body + 16 + count * entry > box.end:
        raise ValueError("a table is longer than its box")
    for at in range(box.body + 16, box.body + 16 + count * entry, entry):
        _move(moved, at + width, width, insertion, shift)


def _move_items(moved: bytearray, box: Box, insertion: int, shift: int) -> None:
    """``iloc``: only what lies in this file by its position (construction method 0) moves; by the base
    offset where there is one, else by every extent's own."""
    version = moved[box.body]
    sizes = struct.unpack(">H", moved[box.body + 4 : box.body + 6])[0]
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    if version > 2 or {offset_size, length_size, base_size, index_size} - {0, 4, 8}:
        raise ValueError("an iloc box of an unknown form")
    wide = 4 if version == 2 else 2
    at = box.body + 6
    count = int.from_bytes(moved[at : at + wide], "big")
    at += wide
    for _ in range(count):
        at += wide
        method = 0
        if version:
            method = moved[at + 1] & 15
            at += 2
        external = moved[at : at + 2] != b"\0\0"
        base_at, at = at + 2, at + 2 + base_size
        (extents,) = struct.unpack(">H", moved[at : at + 2])
        at += 2
        extent_size = index_size + offset_size + length_size
        if at + extents * extent_size > box.end:
            raise ValueError("an iloc box is shorter than its items")
        if method == 0 and not external:
            base = int.from_bytes(moved[base_at : base_at + base_size], "big")
            offsets = range(at + index_size, at + index_size + extents * extent_size, extent_size or 1)
            _move_item(moved, base_at, base_size, base, offsets, offset_size, insertion, shift)
        at += extents * extent_size


def _move_item(
    moved: bytearray,
    base_at: int,
    base_size: int,
    base: int,
    offsets: range,
    offset_size: int,
    insertion: int,
    shift: int,
) -> None:
    if not base_size:
        for at in offsets:
            _move(moved, at, offset_size, insertion, shift)
        return
    starts = [base + int.from_bytes(moved[at : at + offset_size], "big") for at in offsets]
    if not starts or min(starts) < insertion:
        return
    if (base + shift) >> (8 * base_size):
        raise UnsupportedMedia(_NO_ROOM)
    moved[base_at : base_at + base_size] = (base + shift).to_bytes(base_size, "big")


def _refuse_elsewhere(moved: bytearray, box: Box, insertion: int, shift: int) -> None:
    """``dref``: samples that lie in another file are placed by offsets into that one."""
    for reference in boxes(moved, box.body + 8, box.end):
        if not moved[reference.body + 3] & 1:
            raise UnsupportedMedia("the file cannot be signed without harm: its samples lie in another file")


_MOVERS: dict[bytes, Mover] = {
    b"stco": _move_table(4),
    b"co64": _move_table(8),
    b"saio": _move_auxiliary,
    b"tfhd": _move_fragment,
    b"tfra": _move_random_access,
    b"iloc": _move_items,
    b"dref": _refuse_elsewhere,
}
