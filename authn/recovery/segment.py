"""Many hashes in one memory-mapped file, and which of them lie near another: multi-index hashing.

Of two hashes of 256 bits that differ in at most ``RADIUS`` = 31 of them, at least one of the 16 pieces of 16
bits differs in at most one (the pigeonhole principle). So for each piece the file lists the hashes by the
value of that piece, 17 of 65,536 values are looked up, and only what is found there is compared whole: every
near hash is found, none by chance alone is missed (Norouzi, Punjani, Fleet: "Fast exact search in Hamming
space with multi-index hashing", 2014). docs/recovery.md says what it costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authn.core.errors import FileUnusable
from signer.core.durable import rewritten_durably

RADIUS = 31
WORDS = 4  # of 64 bits
PIECES = 16
VALUES = 1 << 16
_MAGIC = b"assay-hashes-1\0\0"
_HEADER = 32  # magic, number of hashes, highest number
_PROBES = np.concatenate([np.zeros(1, np.uint16), np.left_shift(1, np.arange(16)).astype(np.uint16)])

Words = NDArray[np.uint64]  # n x WORDS
Ids = NDArray[np.int64]


def words_of(hashes: Iterable[bytes]) -> Words:
    """Hashes of 32 bytes as rows of words."""
    return np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, WORDS)


def distances(one: Words, other: Words) -> NDArray[np.uint16]:
    """In how many bits each row differs from the row beside it, or from the one row."""
    return np.asarray(np.bitwise_count(one ^ other).sum(axis=1, dtype=np.uint16))


class Segment:
    """A file of hashes, opened; ``highest`` is the largest number in it."""

    def __init__(self, path: Path) -> None:
        """Raises ``FileUnusable``."""
        try:
            whole = np.memmap(path, np.uint8, "r+")
        except (OSError, ValueError) as e:
            raise FileUnusable(f"{path} cannot be read: {e}") from e
        if len(whole) < _HEADER or bytes(whole[:16]) != _MAGIC:
            raise FileUnusable(f"{path} is no file of hashes")
        count, self.highest = (int(v) for v in whole[16:_HEADER].view(np.uint64))
        parts = _parts(count)
        if len(whole) != _HEADER + sum(parts):
            raise FileUnusable(f"{path} is not whole")
        bounds = np.cumsum((_HEADER, *parts))
        raw = [whole[a:b] for a, b in pairwise(bounds)]
        self.ids: Ids = raw[0].view(np.int64)
        self._words: Words = raw[1].view(np.uint64).reshape(count, WORDS)
        self._order = raw[2].view(np.uint32).reshape(PIECES, count)
        self._starts = raw[3].view(np.uint32).reshape(PIECES, VALUES + 1)

    def near(
        self, query: Words, *, pieces: int = PIECES, radius: int = RADIUS
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
        """Of every pair of a row of ``query`` and a hash that lie near: row, number of the hash, distance.
        With fewer ``pieces`` the first ones alone are asked, and pairs that differ in each are missed."""
        rows, places = self._candidates(query, pieces)
        found = distances(self._words[places], query[rows])
        near = found <= radius
        pairs, first = np.unique(np.stack((rows[near], places[near])), axis=1, return_index=True)
        return pairs[0], self.ids[pairs[1]], found[near][first]

    def blank(self, ids: Ids) -> None:
        """Overwrite the hashes of these numbers in the file: what was deleted leaves nothing to compare."""
        at = np.searchsorted(self.ids, ids)
        at = at[(at < len(self.ids))]
        self._words[at[np.isin(self.ids[at], ids)]] = 0

    def _candidates(self, query: Words, asked: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        values = query.view(np.uint16).reshape(len(query), PIECES, 1)[:, :asked] ^ _PROBES
        piece = np.arange(asked)[None, :, None]
        begin = self._starts[piece, values].astype(np.int64).ravel()
        end = self._starts[piece, values.astype(np.int64) + 1].astype(np.int64).ravel()
        lengths = end - begin
        which = np.repeat(np.arange(len(lengths)), lengths)
        behind = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        of_piece = which // len(_PROBES) % asked
        places = self._order[of_piece, begin[which] + behind].astype(np.int64)
        return which // (asked * len(_PROBES)), places


def write_segment(path: Path, ids: Ids, words: Words) -> None:
    """``ids`` ascend. Raises ``OSError``; then what was there stays."""
    order = np.empty((PIECES, len(ids)), np.uint32)
    starts = np.zeros((PIECES, VALUES + 1), np.uint32)
    pieces = np.ascontiguousarray(words).view(np.uint16).reshape(len(ids), PIECES)
    for piece in range(PIECES):
        values = np.ascontiguousarray(pieces[:, piece])
        order[piece] = np.argsort(values, kind="stable")
        starts[piece, 1:] = np.cumsum(np.bincount(values, minlength=VALUES))
    highest = int(ids[-1]) if len(ids) else 0
    with rewritten_durably(path) as file:
        file.write(_MAGIC + np.array([len(ids), highest], np.uint64).tobytes())
        for part in (ids, np.ascontiguousarray(words), order, starts):
            file.write(part.data)


def _parts(count: int) -> tuple[int, int, int, int]:
    """Bytes of numbers, hashes, order and starts."""
    return 8 * count, 8 * WORDS * count, 4 * PIECES * count, 4 * PIECES * (VALUES + 1)
