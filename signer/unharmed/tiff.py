"""A TIFF (TIFF 6.0): every page of the chain and every directory below it, tag by tag, strip by strip.

Positions are followed, not compared: a strip may stand elsewhere, its bytes must be the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from signer.unharmed.parts import Part

_MANIFEST = 0xCD41
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_LETTERS = {3: "H", 4: "I", 13: "I"}
# tag of positions: tag of lengths; strips, tiles, the old kind of JPEG, free space
_PLACED = {273: 279, 324: 325, 513: 514, 288: 289}
_DIRECTORIES = {330: "sub-picture", 34665: "EXIF", 34853: "GPS", 40965: "interoperability"}
_NAMES = {273: "strip", 324: "tile", 513: "JPEG", 288: "free space"}
_MAX_ENTRIES = 500_000
_MAX_DEPTH = 8
_MAX_OVERLAP = 16  # how often the strips of all pages together may cover the file
_MAX_POSITIONS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    tag: int
    kind: int
    count: int
    start: int
    end: int


def parts(data: bytes) -> list[Part]:
    """Raises ``ValueError`` where something lies beyond the end of the file."""
    return _Walk(data).parts()


class _Walk:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        self._seen: dict[int, int] = {}
        self._left = _MAX_ENTRIES
        self._bytes_left = _MAX_OVERLAP * len(data)
        # Each takes two bytes of the file at least, unless tables of positions lie upon each other.
        self._positions_left = min(_MAX_POSITIONS, len(data))

    def parts(self) -> list[Part]:
        found = [Part(name="the header", start=0, end=4)]
        (at,) = struct.unpack_from(self._order + "I", self._data, 4)
        page = 0
        while at:
            page += 1
            at = self._directory(at, f"page {page}", found)
        return found

    def _directory(self, at: int, name: str, found: list[Part], depth: int = 0) -> int:
        """Adds its parts; the position of the next one. Pages may share a directory, and a chain may be a
        ring."""
        if depth > _MAX_DEPTH:
            raise ValueError("its directories are nested too deeply")
        new = at not in self._seen
        found.append(Part(name=name, said=self._seen.setdefault(at, len(self._seen))))
        if not new:
            return 0
        entries, following = self._entries(at)
        for tag, entry in entries.items():
            lengths = entries.get(_PLACED.get(tag, -1))
            if lengths is not None and {entry.kind, lengths.kind} <= _LETTERS.keys():
                found += self._placed(name, entry, lengths)
            elif tag in _DIRECTORIES and entry.kind in _LETTERS:
                for i, below in enumerate(self._numbers(entry)):
                    self._directory(below, f"{name}, {_DIRECTORIES[tag]} {i + 1}", found, depth + 1)
            elif tag != _MANIFEST:
                said = (entry.kind, entry.count)
                found.append(Part(name=f"{name}, tag {tag}", start=entry.start, end=entry.end, said=said))
        found.append(Part(name=f"the end of {name}"))
        return following

    def _entries(self, at: int) -> tuple[dict[int, _Entry], int]:
        (count,) = struct.unpack_from(self._order + "H", self._data, at)
        self._left -= count
        if self._left < 0:
            raise ValueError("its directories hold too many entries")
        entries = {}
        for base in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, number, place = struct.unpack_from(self._order + "HHII", self._data, base)
            size = _SIZES.get(kind, 0) * number
            start = base + 8 if size <= 4 else place
            if start + size > len(self._data):
                raise ValueError(f"tag {tag} lies beyond the end")
            end = start + (size if kind in _SIZES else 4)
            entries[tag] = _Entry(tag=tag, kind=kind, count=number, start=start, end=end)
        (following,) = struct.unpack_from(self._order + "I", self._data, at + 2 + 12 * count)
        return entries, following

    def _placed(self, name: str, places: _Entry, lengths: _Entry) -> Iterator[Part]:
        for i, (start, length) in enumerate(zip(self._numbers(places), self._numbers(lengths), strict=False)):
            end = max(start, min(start + length, len(self._data)))
            self._bytes_left -= end - start
            if self._bytes_left < 0:
                raise ValueError("its strips lie upon each other")
            yield Part(name=f"{name}, {_NAMES[places.tag]} {i + 1}", start=start, end=end)

    def _numbers(self, entry: _Entry) -> tuple[int, ...]:
        self._positions_left -= entry.count
        if self._positions_left < 0:
            raise ValueError("its tables of positions lie upon each other, or are too many")
        form = f"{self._order}{entry.count}{_LETTERS[entry.kind]}"
        return struct.unpack_from(form, self._data, entry.start)
