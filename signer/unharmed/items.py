"""The items of a HEIF or AVIF file (ISO/IEC 23008-12): pictures, alpha, depth, thumbnails, EXIF, XMP.

``iloc`` says where each lies: in the file, in ``idat`` beside it, or in another item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from signer.core.isoboxes import Box, boxes
from signer.unharmed.parts import Part

_TYPES = {b"Exif": "EXIF", b"mime": "XMP or other text"}
_MAX_EXTENTS = 200_000  # an extent of no fields takes no bytes: the table's length is no bound
_ROLES = {b"thmb": "thumbnail", b"auxl": "alpha, depth or other auxiliary picture"}


def item_parts(data: bytes, iloc: Box, beside: Iterable[Box], place: Callable[[int], int]) -> Iterator[Part]:
    """One part for each item. Raises ``ValueError`` for a form of ``iloc`` that is not known."""
    names = _names(data, beside)
    reader = _Fields(data, iloc)
    for item, method, external, extents in reader.items():
        if method or external:
            where: object = (method, external, extents)
        else:
            where = tuple((index, place(at), place(at + size), size) for index, at, size in extents)
        yield Part(name=names.get(item, f"item {item}"), said=(item, where))
    yield Part(name="the end of the table of items", start=reader.at, end=iloc.end)


class _Fields:
    """Reads the table from the front; ``at`` is where it stands."""

    def __init__(self, data: bytes, iloc: Box) -> None:
        self._data, self._end = data, iloc.end
        self.at = iloc.body
        self._version = self._take(1)
        self._take(3)
        sizes = self._take(2)
        self._offset, self._length = sizes >> 12, sizes >> 8 & 15
        self._base, self._index = sizes >> 4 & 15, sizes & 15 if self._version else 0
        if self._version > 2 or {self._offset, self._length, self._base, self._index} - {0, 4, 8}:
            raise ValueError("its table of items has an unknown form")

    def items(self) -> Iterator[tuple[int, int, int, tuple[tuple[int, int, int], ...]]]:
        """Id, construction method, data reference and extents (index, position, length) of each."""
        wide = 4 if self._version == 2 else 2
        left = _MAX_EXTENTS
        for _ in range(self._take(wide)):
            item = self._take(wide)
            method = self._take(2) & 15 if self._version else 0
            external = self._take(2)
            base = self._take(self._base)
            extents = []
            count = self._take(2)
            left -= count
            if left < 0:
                raise ValueError("its table of items names too many places")
            for _ in range(count):
                index, offset, length = map(self._take, (self._index, self._offset, self._length))
                extents.append((index, base + offset, length))
            yield item, method, external, tuple(extents)

    def _take(self, size: int) -> int:
        end = self.at + size
        if end > self._end:
            raise ValueError("its table of items ends too early")
        value = int.from_bytes(self._data[self.at : end], "big")
        self.at = end
        return value


def _names(data: bytes, beside: Iterable[Box]) -> dict[int, str]:
    """What a person would call each item, as far as the boxes beside ``iloc`` say."""
    names: dict[int, str] = {}
    for box in beside:
        if box.kind == b"iinf":
            wide = 4 if data[box.body] else 2
            for entry in boxes(data, box.body + 4 + wide, box.end):
                item, kind = _entry(data, entry)
                names[item] = f"item {item} ({_TYPES.get(kind, kind.decode('latin-1'))})"
        elif box.kind == b"iref":
            wide = 4 if data[box.body] else 2
            for reference in boxes(data, box.body + 4, box.end):
                item = int.from_bytes(data[reference.body : reference.body + wide], "big")
                if reference.kind in _ROLES:
                    names[item] = f"item {item} ({_ROLES[reference.kind]})"
    return names


def _entry(data: bytes, entry: Box) -> tuple[int, bytes]:
    wide = 4 if data[entry.body] == 3 else 2
    at = entry.body + 4 + wide
    item = int.from_bytes(data[entry.body + 4 : at], "big")
    return item, data[at + 2 : at + 6] if data[entry.body] >= 2 else b"item"
