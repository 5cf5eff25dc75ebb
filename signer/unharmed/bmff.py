"""HEIF, AVIF, MP4, MOV, M4A (ISO/IEC 14496-12, 23008-12): every box, and whatever tables point at.

The bytes of all boxes are compared but those of tables that hold positions in the file. Of these it is
compared what they point at: everything behind ``ftyp`` keeps its distance from the end of the file, so an
item, a chunk of samples or a fragment is the same bytes where its distance is the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from signer.core.isoboxes import Box, boxes, children, end_of_head
from signer.unharmed.items import item_parts
from signer.unharmed.parts import Part

_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_CONTAINERS = {
    b"": (b"moov", b"moof", b"mfra", b"meta"),
    b"moov": (b"trak", b"udta", b"meta"),
    b"trak": (b"mdia", b"udta", b"meta"),
    b"mdia": (b"minf",),
    b"minf": (b"stbl",),
    b"moof": (b"traf", b"meta"),
    b"traf": (b"meta",),
    b"udta": (b"meta",),
}
_NAMES = {b"mdat": "the coded pictures or samples (mdat)"}

Places = Callable[[int], int]


def parts(data: bytes) -> Iterator[Part]:
    """Raises ``ValueError`` where a box or a table reaches beyond its place."""
    head = end_of_head(data)

    def place(position: int) -> int:
        """As distance from the end of the file, so negative; within ``ftyp`` as it is."""
        return position if position < head else position - len(data) - 1

    return _parts(data, 0, len(data), (), place)


def _parts(data: bytes, start: int, end: int, path: tuple[bytes, ...], place: Places) -> Iterator[Part]:
    inside = path[-1] if path else b""
    last = start
    for box in boxes(data, start, end):
        last = box.end
        if not path and box.kind == b"uuid" and data.startswith(_UUID, box.body):
            continue
        here = (*path, box.kind)
        if box.kind in _CONTAINERS.get(inside, ()) and not _free_form(data, box):
            first = children(data, box)
            yield Part(name=f"the box {_path(here)}", start=box.body, end=first)
            yield from _parts(data, first, box.end, here, place)
        elif box.kind == b"iloc" and inside == b"meta":
            yield from item_parts(data, box, boxes(data, start, end), place)
        else:
            yield _leaf(data, box, here, place)
    if last != end:
        yield Part(name=f"the end of the box {_path(path)}", start=last, end=end)


def _leaf(data: bytes, box: Box, path: tuple[bytes, ...], place: Places) -> Part:
    inside = path[-2] if len(path) > 1 else b""
    name = _NAMES.get(box.kind, f"the box {_path(path)}")
    table = _TABLES.get((inside, box.kind))
    if table is None:
        return Part(name=name, start=box.start, end=box.end)
    return Part(name=f"the samples that {name} names", said=table(data, box, place))


def _free_form(data: bytes, box: Box) -> bool:
    """What a maker keeps in ``udta`` need not be boxes; only a table of items in it would matter."""
    return box.kind == b"udta" and data.find(b"iloc", box.body, box.end) == -1


def _path(path: tuple[bytes, ...]) -> str:
    return "/".join(kind.decode("latin-1") for kind in path) or "file"


def _offsets(letter: str, skip: int = 0) -> Callable[[bytes, Box, Places], object]:
    def read(data: bytes, box: Box, place: Places) -> object:
        at = box.body + 4 + skip
        (count,) = struct.unpack_from(">I", data, at)
        size = struct.calcsize(f">{count}{letter}")
        if at + 4 + size > box.end:
            raise ValueError("a table is longer than its box")
        values = struct.unpack_from(f">{count}{letter}", data, at + 4)
        return data[box.body : at], tuple(map(place, values)), data[at + 4 + size : box.end]

    return read


def _auxiliary(data: bytes, box: Box, place: Places) -> object:
    return _offsets("Q" if data[box.body] else "I", 8 if data[box.body + 3] & 1 else 0)(data, box, place)


def _fragment(data: bytes, box: Box, place: Places) -> object:
    if not data[box.body + 3] & 1:
        return data[box.body : box.end]
    (base,) = struct.unpack_from(">Q", data, box.body + 8)
    return data[box.body : box.body + 8], place(base), data[box.body + 16 : box.end]


def _random_access(data: bytes, box: Box, place: Places) -> object:
    letter = "Q" if data[box.body] == 1 else "I"
    sizes, count = struct.unpack_from(">II", data, box.body + 8)
    rest = (sizes >> 4 & 3) + (sizes >> 2 & 3) + (sizes & 3) + 3
    form = struct.Struct(f">2{letter}{rest}s")
    table = data[box.body + 16 : box.body + 16 + count * form.size]
    entries = tuple((time, place(at), numbers) for time, at, numbers in form.iter_unpack(table))
    return data[box.body : box.body + 16], entries, data[box.body + 16 + len(table) : box.end]


_TABLES: dict[tuple[bytes, bytes], Callable[[bytes, Box, Places], object]] = {
    (b"stbl", b"stco"): _offsets("I"),
    (b"stbl", b"co64"): _offsets("Q"),
    (b"stbl", b"saio"): _auxiliary,
    (b"traf", b"tfhd"): _fragment,
    (b"mfra", b"tfra"): _random_access,
}
