"""What a copy of this log elsewhere has more of it: taken over when it is signed by the log's own key.

The leaves come back, what they commit to does not: of those entries no new receipt can be made here, and
those that were given out stay good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sqlalchemy import Engine, insert

from authn.core.errors import LogInconsistent, NoteError, NotFound
from authn.store.engine import writing
from authn.store.schema import log_entry
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.checkpoint import parse as parse_checkpoint
from authn.tlog.format.merkle import Frontier, frontier_nodes, leaf_hash
from authn.tlog.format.note import Verifier, signature_line, verify
from authn.tlog.format.tiles import WIDTH, TileReader, TileWriter
from authn.tlog.log.reader import LogReader
from authn.tlog.log.storage import SqlTransaction, TreeHead


class Mirror(Protocol):
    """``authn.tlog.monitor.remote.RemoteLog``, as far as it is used here."""

    def checkpoint(self) -> str: ...
    def leaves(self, index: int, width: int) -> tuple[bytes, ...]: ...


def take_from(mirror: Mirror, engine: Engine, key: Verifier) -> int:
    """Grow this log to the size of the copy; returns by how much.

    Raises ``LogInconsistent`` where the copy is no continuation of this log, ``Unavailable``; then nothing
    was changed. May raise ``WronglyServed`` of the copy.
    """
    said, note = _signed(mirror, key)
    reader = LogReader(engine)
    head = reader.head()
    if said.origin != head.origin:
        raise LogInconsistent(f"the copy is of the log {said.origin}, and this one is {head.origin}")
    if said.size <= head.size:
        if reader.root_at(said.size) != said.root:
            raise LogInconsistent(f"the copy has another history than this log up to {said.size}")
        return 0
    with writing(engine) as connection:
        transaction = SqlTransaction(connection)
        old = transaction.head()
        if old is None:
            raise NotFound("there is no log yet")
        tiles = TileReader(transaction.tile)
        frontier = Frontier(old.size, tuple(tiles.node(*node) for node in frontier_nodes(old.size)))
        writer = TileWriter(tiles)
        for leaves in _bundles(mirror, old.size, said.size):
            rows = []
            for leaf in leaves:
                hash_ = leaf_hash(leaf)
                rows.append({"idx": frontier.size, "leaf_hash": hash_, "leaf": leaf})
                frontier.append(hash_, writer.emit)
            connection.execute(insert(log_entry), rows)
        if frontier.root() != said.root:
            raise LogInconsistent("the copy does not continue this log: its entries have another root")
        transaction.put_tiles(writer.tiles())
        transaction.advance(old, TreeHead(origin=said.origin, size=said.size, root=said.root, note=note))
    return said.size - head.size


def _signed(mirror: Mirror, key: Verifier) -> tuple[Checkpoint, str]:
    """What the copy says, and its note with the log's own signature alone."""
    try:
        found = verify(mirror.checkpoint(), (key,))
        return parse_checkpoint(found.text), f"{found.text}\n{''.join(map(signature_line, found.signatures))}"
    except NoteError as e:
        raise LogInconsistent(f"the copy has no checkpoint that this log's key signed: {e.detail}") from e


def _bundles(mirror: Mirror, start: int, end: int) -> Iterator[tuple[bytes, ...]]:
    """The leaves from ``start`` up to ``end``, as the bundles have them."""
    for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
        leaves = mirror.leaves(index, min(WIDTH, end - index * WIDTH))
        yield leaves[max(0, start - index * WIDTH) :]
