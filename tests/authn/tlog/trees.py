"""A grown tree with all its subtrees and the root at every size."""

from __future__ import annotations

from collections.abc import Iterable

from authn.tlog.format.merkle import Frontier, leaf_hash


class Grown:
    def __init__(self, leaves: Iterable[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        frontier = Frontier()
        self.roots = [frontier.root()]
        for leaf in leaves:
            frontier.append(leaf_hash(leaf), self._keep)
            self.roots.append(frontier.root())

    def _keep(self, level: int, index: int, hash_: bytes) -> None:
        assert (level, index) not in self.nodes
        self.nodes[level, index] = hash_

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]
