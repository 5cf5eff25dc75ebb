"""Proofs of inclusion and of consistency (RFC 9162 section 2.1): made from subtrees, judged without them.

Judging is total: whatever the input, the answer is yes or no. Stricter than the reference implementation of
transparency-dev in one point: a hash has 32 bytes, also where two roots are merely compared.
"""

from __future__ import annotations

from collections.abc import Sequence

from authn.tlog.format.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE, NodeHash, node_hash

MAX_HASHES = 63

Proof = tuple[bytes, ...]


Known = dict[tuple[int, int], bytes]


def inclusion_proof(node: NodeHash, index: int, size: int, known: Known | None = None) -> Proof:
    """The audit path of a leaf, lowest first. ``node`` is asked for complete subtrees only. ``known``: hashes
    that other proofs in the same tree have needed, and room for this one's.

    Raises ``ValueError`` for a leaf that a tree of this size does not have.
    """
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in a tree of this size")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(range_hash(node, middle, high, known))
            high = middle
        else:
            path.append(range_hash(node, low, middle, known))
            low = middle
    return tuple(reversed(path))


def consistency_proof(node: NodeHash, old: int, new: int) -> Proof:
    """Why the tree of size ``new`` begins with the tree of size ``old``. Raises ``ValueError``."""
    if not 0 <= old <= new:
        raise ValueError("the older tree is larger than the newer one")
    if old in (0, new):
        return ()
    path: list[bytes] = []
    low, high = 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(range_hash(node, middle, high))
            high = middle
        else:
            path.append(range_hash(node, low, middle))
            low = middle
    if low:  # the old tree is no complete subtree by itself, so its last part has to be given
        path.append(range_hash(node, low, high))
    return tuple(reversed(path))


def range_hash(node: NodeHash, low: int, high: int, known: Known | None = None) -> bytes:
    """The hash over leaves ``low`` to ``high``; ``low`` has to be where such a subtree can begin."""
    size = high - low
    if size & (size - 1) == 0:
        return node(size.bit_length() - 1, low // size)
    if known is not None and (low, high) in known:
        return known[low, high]
    middle = low + _split(size)
    found = node_hash(range_hash(node, low, middle, known), range_hash(node, middle, high, known))
    if known is not None:
        known[low, high] = found
    return found


def proves_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 section 2.1.3.2."""
    if not (0 <= index < size < MAX_SIZE and _are_hashes((leaf_hash, root), proof)):
        return False
    at, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            at, last = _skip_lone(at, last)
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def proves_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """RFC 9162 section 2.1.4.2. Everything is consistent with the empty tree, by an empty proof."""
    if not (0 <= old <= new < MAX_SIZE and _are_hashes((old_root, new_root), proof)):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = (old_root, *proof) if old & (old - 1) == 0 else tuple(proof)
    return bool(proof) and _both_roots(old - 1, new - 1, path) == (old_root, new_root)


def _both_roots(at: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            at, last = _skip_lone(at, last)
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return (old, new) if last == 0 else None


def _skip_lone(at: int, last: int) -> tuple[int, int]:
    """Climb past levels where the last node has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _are_hashes(some: Sequence[bytes], proof: Sequence[bytes]) -> bool:
    return len(proof) <= MAX_HASHES and all(len(h) == HASH_BYTES for h in (*some, *proof))
