"""C2SP tlog-tiles: paths, tiles of 256 hashes, bundles of 256 entries, and subtrees read out of tiles.

A tile of level L holds, from left to right, the roots of complete subtrees of 256**L leaves. It only ever
gets longer, so that a full one never changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from authn.tlog.format.merkle import HASH_BYTES, node_hash

WIDTH = 256
LEVEL_BITS = 8
MAX_LEVEL = 5  # 256**6 leaves are more than a log ever has
MAX_ENTRY_BYTES = 65535
KEPT_TILES = 64  # of which subtrees are kept: some 50 kB each
PATH = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

TileBytes = Callable[[int, int], bytes]


class TileMissing(Exception):
    """A subtree was asked for that the tiles do not hold: they are behind the tree, or damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePath:
    """``width`` is 256 for a full tile."""

    index: int
    width: int = WIDTH


def tile_path(index: int, width: int = WIDTH) -> str:
    """The part of a URL after the level: groups of three digits, all but the last with an x before."""
    text = f"{index % 1000:03d}"
    while index := index // 1000:
        text = f"x{index % 1000:03d}/{text}"
    return text if width == WIDTH else f"{text}.p/{width}"


def parse_tile_path(text: str) -> TilePath | None:
    """None for anything that ``tile_path`` would not have written."""
    match = PATH.fullmatch(text)
    if match is None:
        return None
    groups, last, width = match.groups()
    found = TilePath(
        index=int(re.sub(r"[x/]", "", groups) + last), width=WIDTH if width is None else int(width)
    )
    return found if tile_path(found.index, found.width) == text else None


def tile_width(size: int, level: int, index: int) -> int:
    """How many hashes the tile has in a tree of this size; 0 when there is none."""
    return max(0, min(WIDTH, (size >> LEVEL_BITS * level) - index * WIDTH))


def entry_bundle(leaves: Iterable[bytes]) -> bytes:
    """Leaves with their lengths before them (uint16). Raises ``ValueError`` for a leaf that is too long."""
    parts = []
    for leaf in leaves:
        if len(leaf) > MAX_ENTRY_BYTES:
            raise ValueError("a leaf has at most 65,535 bytes")
        parts += [len(leaf).to_bytes(2, "big"), leaf]
    return b"".join(parts)


def parse_entry_bundle(bundle: bytes) -> tuple[bytes, ...]:
    """Raises ``ValueError`` for a bundle that ends within an entry."""
    leaves, at = [], 0
    while at < len(bundle):
        start = at + 2
        end = start + int.from_bytes(bundle[at:start], "big")
        if end > len(bundle) or start > len(bundle):
            raise ValueError("the bundle ends within an entry")
        leaves.append(bundle[start:end])
        at = end
    return tuple(leaves)


class Subtrees:
    """What was computed out of tiles, for readers that come later: it holds of a tile that begins with the
    very bytes that it was computed of, and of no other. To be used by one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], tuple[bytes, dict[tuple[int, int], bytes]]] = {}

    def of(self, key: tuple[int, int], tile: bytes) -> dict[tuple[int, int], bytes]:
        """Of this tile, and room for more. ``key``: its level and index."""
        before, nodes = self._kept.pop(key, (tile, {}))
        if not tile.startswith(before):
            nodes = {}
        self._kept[key] = tile, nodes
        if len(self._kept) > KEPT_TILES:
            del self._kept[next(iter(self._kept))]
        return nodes


class TileReader:
    """Hashes of complete subtrees out of tiles; what was read or computed once is kept."""

    def __init__(self, tile: TileBytes, subtrees: Subtrees | None = None) -> None:
        self._tile = tile
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._subtrees = subtrees or Subtrees()
        self._nodes: dict[tuple[int, int], dict[tuple[int, int], bytes]] = {}

    def node(self, level: int, index: int) -> bytes:
        """Raises ``TileMissing``."""
        above, within = divmod(level, LEVEL_BITS)
        if not within:
            return self._stored(above, index)
        key = above, index >> LEVEL_BITS - within
        nodes = self._nodes.get(key)
        if nodes is None:
            nodes = self._nodes[key] = self._subtrees.of(key, self.tile(*key))
        found = nodes.get((within, index))
        if found is None:
            below = level - 1
            found = node_hash(self.node(below, 2 * index), self.node(below, 2 * index + 1))
            nodes[within, index] = found
        return found

    def tile(self, level: int, index: int) -> bytes:
        """What is stored of a tile; nothing where there is none."""
        key = (level, index)
        if key not in self._tiles:
            self._tiles[key] = self._tile(level, index)
        return self._tiles[key]

    def _stored(self, level: int, index: int) -> bytes:
        at = index % WIDTH * HASH_BYTES
        found = self.tile(level, index // WIDTH)[at : at + HASH_BYTES]
        if len(found) != HASH_BYTES:
            raise TileMissing(f"tile {level}/{index // WIDTH} has no hash {index % WIDTH}")
        return found


class TileWriter:
    """Collects the hashes that a growing tree emits; ``tiles`` are the ones to store, as they are then."""

    def __init__(self, reader: TileReader) -> None:
        self._reader = reader
        self._grown: dict[tuple[int, int], bytearray] = {}

    def emit(self, level: int, index: int, hash_: bytes) -> None:
        """See ``merkle.Frontier.append``. Raises ``TileMissing`` when the stored tile has another length."""
        if level % LEVEL_BITS:
            return
        key = (level // LEVEL_BITS, index // WIDTH)
        tile = self._grown.get(key)
        if tile is None:
            tile = self._grown[key] = bytearray(self._reader.tile(*key))
        if len(tile) != index % WIDTH * HASH_BYTES:
            raise TileMissing(f"tile {key[0]}/{key[1]} is not as long as the tree says")
        tile += hash_

    def tiles(self) -> dict[tuple[int, int], bytes]:
        """Level and index to content."""
        return {key: bytes(tile) for key, tile in self._grown.items()}
