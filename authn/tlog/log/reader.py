"""What the log shows: heads, checkpoints with cosignatures, tiles, leaves, and what they commit to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import groupby
from typing import TypeVar

from sqlalchemy import Engine, delete, insert, select

from authn.core.errors import LogInconsistent, NotFound
from authn.store.engine import reading, writing
from authn.store.schema import captures, log_checkpoint, log_cosignature, log_entry, log_opening
from authn.tlog.format.entry import EntryKind, LogEntry, parse_leaf
from authn.tlog.format.merkle import MAX_SIZE, Frontier, NodeHash, frontier_nodes
from authn.tlog.format.proof import Proof, consistency_proof, inclusion_proof
from authn.tlog.format.tiles import TileMissing, TileReader
from authn.tlog.log.storage import TreeHead, head_of, tile_of

MAX_COSIGNATURES = 10_000

Derived = TypeVar("Derived")

# names of witnesses to whether they are enough
Enough = Callable[[Collection[str]], bool]


class LogReader:
    """What the log shows to everybody. Every method raises ``Unavailable``."""

    def __init__(self, engine: Engine, before_showing: Callable[[TreeHead], None] = lambda _: None) -> None:
        """``before_showing`` is told of each head before anybody sees it."""
        self._engine = engine
        self._before_showing = before_showing

    def head(self) -> TreeHead:
        """The newest state. Raises ``NotFound`` where no log was ever started."""
        with reading(self._engine) as connection:
            head = head_of(connection)
        if head is None:
            raise NotFound("there is no log yet")
        self._before_showing(head)
        return head

    def note(self, size: int) -> str:
        """The checkpoint of a size, with the cosignatures that came for it. Raises ``NotFound``."""
        query = select(log_checkpoint.c.note).where(log_checkpoint.c.size == size)
        lines = select(log_cosignature.c.line).where(log_cosignature.c.size == size)
        with reading(self._engine) as connection:
            note = connection.execute(query).scalar()
            if note is None:
                raise NotFound("the log never signed a checkpoint of that size")
            return str(note) + "".join(
                connection.execute(lines.order_by(log_cosignature.c.witness)).scalars()
            )

    def witnessed_size(self, enough: Enough) -> int | None:
        """The newest size that enough witnesses have signed; None when there is none among the newest
        ``MAX_COSIGNATURES`` signatures."""
        query = select(log_cosignature.c.size, log_cosignature.c.witness)
        query = query.order_by(log_cosignature.c.size.desc()).limit(MAX_COSIGNATURES)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        for size, of_it in groupby(rows, key=lambda row: int(row.size)):
            if enough({row.witness for row in of_it}):
                return size
        return None

    def tile(self, level: int, index: int) -> bytes:
        """As much as there is of a tile; nothing where there is none."""
        with reading(self._engine) as connection:
            return tile_of(connection, level, index)

    def leaves(self, start: int, end: int) -> tuple[bytes, ...]:
        """The leaves from ``start`` up to but not including ``end``."""
        query = select(log_entry.c.leaf).where(log_entry.c.idx >= start, log_entry.c.idx < end)
        with reading(self._engine) as connection:
            return tuple(map(bytes, connection.execute(query.order_by(log_entry.c.idx)).scalars()))

    def opening(self, index: int) -> LogEntry:
        """What a leaf commits to. Raises ``NotFound``, also where the salt was destroyed."""
        if not 0 <= index < MAX_SIZE:  # no database holds such a number
            raise NotFound("there is no such entry")
        query = select(log_opening, log_entry.c.leaf).join(log_entry, log_entry.c.idx == log_opening.c.idx)
        with reading(self._engine) as connection:
            row = connection.execute(query.where(log_opening.c.idx == index)).one_or_none()
        if row is None:
            raise NotFound("there is no such entry, or its salt was destroyed")
        try:
            version = parse_leaf(bytes(row.leaf)).version
        except ValueError as e:
            raise LogInconsistent(f"entry {index} is no leaf of this log") from e
        return LogEntry(
            kind=EntryKind(row.kind), record=bytes(row.record), salt=bytes(row.salt), version=version
        )

    def inclusion(self, index: int, size: int) -> Proof:
        """Raises ``ValueError`` as ``inclusion_proof``, ``LogInconsistent`` where a tile is missing."""
        return self._derived(lambda node: inclusion_proof(node, index, size))

    def consistency(self, old: int, new: int) -> Proof:
        """Raises ``ValueError`` as ``consistency_proof``, ``LogInconsistent`` where a tile is missing."""
        return self._derived(lambda node: consistency_proof(node, old, new))

    def root_at(self, size: int) -> bytes:
        """The root that the tree had at a size it has reached. Raises ``LogInconsistent`` as above."""
        nodes = frontier_nodes(size)
        return self._derived(lambda node: Frontier(size, tuple(node(*place) for place in nodes)).root())

    def _derived(self, derive: Callable[[NodeHash], Derived]) -> Derived:
        with reading(self._engine) as connection:
            reader = TileReader(lambda level, index: tile_of(connection, level, index))
            try:
                return derive(reader.node)
            except TileMissing as e:
                raise LogInconsistent(f"the log's tiles are behind its head: {e}") from e


def destroy_salt(engine: Engine, index: int) -> None:
    """From now on nobody can tell what this leaf is about. Raises ``NotFound``, ``Unavailable``."""
    with writing(engine) as connection:
        connection.execute(delete(captures).where(captures.c.idx == index))
        if not connection.execute(delete(log_opening).where(log_opening.c.idx == index)).rowcount:
            raise NotFound("there is no such entry, or its salt was destroyed")


def add_cosignature(engine: Engine, size: int, witness: str, line: str) -> None:
    """Keep a witness's signature line for a checkpoint; a newer one of the same witness replaces it."""
    of_it = (log_cosignature.c.size == size) & (log_cosignature.c.witness == witness)
    with writing(engine) as connection:
        connection.execute(delete(log_cosignature).where(of_it))
        connection.execute(insert(log_cosignature).values(size=size, witness=witness, line=line))
