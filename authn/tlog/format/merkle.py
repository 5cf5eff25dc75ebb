"""The Merkle tree of RFC 6962 section 2.1 (the same as RFC 9162's) over SHA-256.

Pure. A tree is known by its frontier, the roots of the complete subtrees that its size has one bits for; that
is all that appending needs.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

HASH_BYTES = 32
MAX_SIZE = 1 << 63
EMPTY_ROOT = sha256(b"").digest()

# (level, index) of a complete subtree of 2**level leaves -> its hash
Node = tuple[int, int]
NodeHash = Callable[[int, int], bytes]
Emit = Callable[[int, int, bytes], None]


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's bytes (domain 0)."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (domain 1)."""
    return sha256(b"\1" + left + right).digest()


def frontier_nodes(size: int) -> tuple[Node, ...]:
    """The complete subtrees that make up a tree of this size, largest first."""
    nodes, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            nodes.append((level, start >> level))
            start += 1 << level
    return tuple(nodes)


class Frontier:
    """A tree that can only grow. ``hashes`` belong to ``frontier_nodes(size)``; ``ValueError`` otherwise."""

    def __init__(self, size: int = 0, hashes: tuple[bytes, ...] = ()) -> None:
        if len(hashes) != size.bit_count() or any(len(h) != HASH_BYTES for h in hashes):
            raise ValueError("these are not the hashes of a tree of this size")
        self.size = size
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Of ``frontier_nodes(size)``."""
        return tuple(self._hashes)

    def append(self, hash_: bytes, emit: Emit | None = None) -> None:
        """Add a leaf by its hash; ``emit`` hears of every subtree that this completes, smallest first."""
        level, index = 0, self.size
        self._hashes.append(hash_)
        if emit is not None:
            emit(level, index, hash_)
        while index & 1:
            right, left = self._hashes.pop(), self._hashes.pop()
            level, index = level + 1, index >> 1
            self._hashes.append(node_hash(left, right))
            if emit is not None:
                emit(level, index, self._hashes[-1])
        self.size += 1

    def root(self) -> bytes:
        """The tree's hash; of the empty tree, the hash of nothing."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root
