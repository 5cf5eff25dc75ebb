"""HEIF files written anew with another table of items, as other makers lay them out."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    number: int
    kind: bytes
    content: bytes


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def boxes_of(data: bytes, at: int = 0, end: int | None = None) -> list[tuple[bytes, bytes]]:
    """Kinds and contents; boxes of a long length are not met in small files."""
    found = []
    end = len(data) if end is None else end
    while at < end:
        length, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind, data[at + 8 : at + length]))
        at += length
    return found


def items_of(data: bytes) -> list[Item]:
    """The items of a file as libheif writes it: ``iloc`` of version 0 or 1, with or without ``idat``."""
    meta = dict(boxes_of(dict(boxes_of(data))[b"meta"], 4))
    kinds = {}
    for _, entry in boxes_of(meta[b"iinf"], 6):
        kinds[struct.unpack_from(">H", entry, 4)[0]] = entry[8:12]
    table = meta[b"iloc"]
    version, sizes = table[0], struct.unpack_from(">H", table, 4)[0]
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    at, items = 8, []
    for _ in range(struct.unpack_from(">H", table, 6)[0]):
        number = struct.unpack_from(">H", table, at)[0]
        method = struct.unpack_from(">H", table, at + 2)[0] if version else 0
        at += 6 if version else 4
        start = int.from_bytes(table[at : at + base], "big")
        at += base
        content = b""
        count = struct.unpack_from(">H", table, at)[0]
        at += 2
        for _ in range(count):
            at += index if version else 0
            where = start + int.from_bytes(table[at : at + offset], "big")
            size = int.from_bytes(table[at + offset : at + offset + length], "big")
            at += offset + length
            content += (meta[b"idat"] if method == 1 else data)[where : where + size]
        items.append(Item(number=number, kind=kinds[number], content=content))
    return items


def rebuilt_heif(
    data: bytes,
    *,
    version: int = 1,
    offset_size: int = 4,
    length_size: int = 4,
    base_size: int = 0,
    index_size: int = 0,
    base: int | None = None,
    idat: tuple[bytes, ...] = (),
    split: bool = False,
    meta_last: bool = False,
    mdat_length: str = "short",
) -> bytes:
    """The same items under another table. ``base``: None for the start of ``mdat``, -1 for each item's own
    start; ``idat``: kinds of items that lie there; ``split``: every item in two extents;
    ``mdat_length``: short, wide (64 bits) or open (to the end of the file)."""
    if not version and idat:
        raise ValueError("version 0 of iloc knows the file only")
    items = items_of(data)
    top = boxes_of(data)
    ftyp, meta = box(b"ftyp", dict(top)[b"ftyp"]), dict(top)[b"meta"]
    inside = [i for i in items if i.kind in idat]
    outside = [i for i in items if i.kind not in idat]
    mdat = box(b"mdat", *(i.content for i in outside))
    if mdat_length == "wide":
        mdat = struct.pack(">I4sQ", 1, b"mdat", len(mdat) + 8) + mdat[8:]
    elif mdat_length == "open":
        mdat = bytes(4) + mdat[4:]
    header = 16 if mdat_length == "wide" else 8

    def table(mdat_body: int) -> bytes:
        wide = "I" if version == 2 else "H"
        out = bytes([version, 0, 0, 0]) + bytes([offset_size << 4 | length_size, base_size << 4 | index_size])
        out += struct.pack(f">{wide}", len(items))
        place = {True: 0, False: mdat_body}
        for item in (*inside, *outside):
            here = item in inside
            start, place[here] = place[here], place[here] + len(item.content)
            origin = 0 if not base_size else (0 if here else mdat_body) if base is None else base
            origin = start if origin == -1 else origin
            cut = len(item.content) // 2 if split and len(item.content) > 1 else len(item.content)
            extents = [(start, cut), (start + cut, len(item.content) - cut)] if split else [(start, cut)]
            out += struct.pack(f">{wide}", item.number)
            out += struct.pack(">H", int(here)) if version else b""
            out += bytes(2) + origin.to_bytes(base_size, "big") + struct.pack(">H", len(extents))
            for where, size in extents:
                out += bytes(index_size) if version else b""
                out += (where - origin).to_bytes(offset_size, "big") + size.to_bytes(length_size, "big")
        return out

    def whole_meta(mdat_body: int) -> bytes:
        kept = [box(k, v) for k, v in boxes_of(meta, 4) if k not in (b"iloc", b"idat")]
        held = [box(b"idat", *(i.content for i in inside))] if inside else []
        return box(b"meta", meta[:4], *kept, box(b"iloc", table(mdat_body)), *held)

    if meta_last:
        return ftyp + mdat + whole_meta(len(ftyp) + header)
    size = len(whole_meta(0 if base != -1 else 1 << 20))
    return ftyp + whole_meta(len(ftyp) + size + header) + mdat
