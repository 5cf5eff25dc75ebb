"""The tree as RFC 6962 section 2.1 writes it down: recursive, slow, and nothing of ours in it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), root(leaves[k:])]
    return [*path(m - k, leaves[k:]), root(leaves[:k])]


def consistency(m: int, leaves: Sequence[bytes], complete: bool = True) -> list[bytes]:
    if m == len(leaves):
        return [] if complete else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*consistency(m, leaves[:k], complete), root(leaves[k:])]
    return [*consistency(m - k, leaves[k:], False), root(leaves[:k])]


def split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k
