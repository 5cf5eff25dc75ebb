"""The log's tables: what one transaction of the sequencer does, and what readers ask for.

``Storage`` and ``Transaction`` are small so that a double can fail before or after each of their steps; what
they guarantee is written on them. SQLite and PostgreSQL do it with the same statements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from authn.core.errors import DatabaseUnusable, LogInconsistent, NotFound
from authn.store.engine import reading, writing
from authn.store.schema import (
    captures,
    log_checkpoint,
    log_cosignature,
    log_entry,
    log_opening,
    log_queue,
    log_state,
    log_tile,
)
from authn.tlog.format.entry import EntryKind, LogEntry, parse_leaf
from authn.tlog.format.merkle import NodeHash
from authn.tlog.format.proof import Proof, consistency_proof, inclusion_proof
from authn.tlog.format.tiles import TileMissing, TileReader

MAX_COSIGNATURES = 10_000

# names of witnesses to whether they are enough
Enough = Callable[[Collection[str]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """The newest state. ``note`` is the signed checkpoint that says so."""

    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry at its place."""

    index: int
    leaf_hash: bytes
    entry: LogEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """An entry that waits in the database since the transaction that caused it."""

    id: int
    entry: LogEntry


class Transaction(Protocol):
    """Nothing that is done here can be seen by anybody, or survives, before ``commit`` is called.

    ``head`` comes first; from then on no other transaction gets past its own ``head``.
    """

    def head(self) -> TreeHead | None: ...
    def tile(self, level: int, index: int) -> bytes: ...
    def indices(self, leaf_hashes: Sequence[bytes]) -> Mapping[bytes, int]: ...
    def add_entries(self, rows: Sequence[Row]) -> None: ...
    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None: ...
    def advance(self, old: TreeHead | None, new: TreeHead) -> bool: ...
    def unqueue(self, ids: Sequence[int]) -> None: ...

    def commit(self) -> None:
        """Durable when it returns. When it raises, nobody knows."""


class Storage(Protocol):
    """Transactions of one writer; leaving one without ``commit`` undoes it. Raises ``Unavailable``."""

    def transaction(self) -> AbstractContextManager[Transaction]: ...
    def queued(self, limit: int) -> tuple[Queued, ...]: ...
    def close(self) -> None: ...


class SqlTransaction:
    """See ``Transaction``. Lets ``SQLAlchemyError`` through to ``SqlStorage``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> TreeHead | None:
        """On SQLite the lock is the transaction's own (BEGIN IMMEDIATE)."""
        return _head(self._connection, lock=True)

    def tile(self, level: int, index: int) -> bytes:
        """Nothing where there is no tile."""
        return _tile(self._connection, level, index)

    def indices(self, leaf_hashes: Sequence[bytes]) -> Mapping[bytes, int]:
        """Which of these leaves the log has, and where."""
        query = select(log_entry.c.leaf_hash, log_entry.c.idx).where(log_entry.c.leaf_hash.in_(leaf_hashes))
        return {bytes(hash_): index for hash_, index in self._connection.execute(query)}

    def add_entries(self, rows: Sequence[Row]) -> None:
        """Leaves and, beside them, what they commit to."""
        self._connection.execute(
            insert(log_entry),
            [{"idx": r.index, "leaf_hash": r.leaf_hash, "leaf": r.entry.leaf} for r in rows],
        )
        self._connection.execute(insert(log_opening), [_opening(r.index, r.entry) for r in rows])

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """New tiles, and stored ones that have grown."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(log_tile)
        statement = statement.on_conflict_do_update(
            index_elements=["level", "idx"], set_={"hashes": statement.excluded.hashes}
        )
        self._connection.execute(
            statement, [{"level": lv, "idx": i, "hashes": h} for (lv, i), h in tiles.items()]
        )

    def advance(self, old: TreeHead | None, new: TreeHead) -> bool:
        """From one state to the next, and only from that one; false when it is not the state any more."""
        values = {"origin": new.origin, "size": new.size, "root": new.root, "note": new.note}
        if old is None:
            self._connection.execute(insert(log_state).values(id=1, **values))
        else:
            was = (log_state.c.size == old.size) & (log_state.c.root == old.root)
            if self._connection.execute(update(log_state).where(was).values(values)).rowcount != 1:
                return False
        self._connection.execute(insert(log_checkpoint).values(size=new.size, root=new.root, note=new.note))
        return True

    def unqueue(self, ids: Sequence[int]) -> None:
        """What was queued is logged now."""
        self._connection.execute(delete(log_queue).where(log_queue.c.id.in_(ids)))

    def commit(self) -> None:
        """See ``Transaction.commit``."""
        self._connection.commit()


class SqlStorage:
    """See ``Storage``. Keeps one connection: the last one to an SQLite file syncs all of it at its closing.

    To be used by one thread at a time, and not across a fork.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """After an error of the database the connection is given up, whatever state it was in."""
        clean = False
        try:
            connection = self._connected()
            yield SqlTransaction(connection)
            connection.rollback()  # what was committed is not touched by this
            clean = True
        except SQLAlchemyError as e:
            raise DatabaseUnusable(f"the log's database cannot be used ({type(e).__name__})") from e
        finally:
            if not clean:
                self.close()

    def queued(self, limit: int) -> tuple[Queued, ...]:
        """The oldest that wait."""
        query = select(log_queue).order_by(log_queue.c.id).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return tuple(
            Queued(
                id=r.id, entry=LogEntry(kind=EntryKind(r.kind), record=bytes(r.record), salt=bytes(r.salt))
            )
            for r in rows
        )

    def close(self) -> None:
        """What was not committed is gone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # a server that is gone cannot be told good-bye
                connection.invalidate()
            connection.close()

    def _connected(self) -> Connection:
        """An open file stays usable after it was removed or replaced; what is written to it is lost."""
        if self._connection is not None and (self._file != self._file_now() or not self._lives()):
            self.close()
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(assay_writes=True)
            self._file = self._file_now()
        return self._connection

    def _lives(self) -> bool:
        """Whether the server still knows this connection: it may have been started again meanwhile."""
        if self._connection is None or self._engine.dialect.name == "sqlite":
            return True
        try:
            self._connection.execute(select(1))
        except SQLAlchemyError:
            return False
        return True

    def _file_now(self) -> tuple[int, int] | None:
        if self._engine.dialect.name != "sqlite":
            return None
        try:
            found = Path(self._engine.url.database or "").stat()
        except OSError as e:
            raise DatabaseUnusable(f"the log's database file is not there: {e.strerror}") from e
        return found.st_dev, found.st_ino


class LogReader:
    """What the log shows to everybody. Every method raises ``Unavailable``."""

    def __init__(self, engine: Engine, before_showing: Callable[[TreeHead], None] = lambda _: None) -> None:
        """``before_showing`` is told of each head before anybody sees it."""
        self._engine = engine
        self._before_showing = before_showing

    def head(self) -> TreeHead:
        """The newest state. Raises ``NotFound`` where no log was ever started."""
        with reading(self._engine) as connection:
            head = _head(connection)
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
            return _tile(connection, level, index)

    def leaves(self, start: int, end: int) -> tuple[bytes, ...]:
        """The leaves from ``start`` up to but not including ``end``."""
        query = select(log_entry.c.leaf).where(log_entry.c.idx >= start, log_entry.c.idx < end)
        with reading(self._engine) as connection:
            return tuple(map(bytes, connection.execute(query.order_by(log_entry.c.idx)).scalars()))

    def opening(self, index: int) -> LogEntry:
        """What a leaf commits to. Raises ``NotFound``, also where the salt was destroyed."""
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
        return self._proof(lambda node: inclusion_proof(node, index, size))

    def consistency(self, old: int, new: int) -> Proof:
        """Raises ``ValueError`` as ``consistency_proof``, ``LogInconsistent`` where a tile is missing."""
        return self._proof(lambda node: consistency_proof(node, old, new))

    def _proof(self, prove: Callable[[NodeHash], Proof]) -> Proof:
        with reading(self._engine) as connection:
            reader = TileReader(lambda level, index: _tile(connection, level, index))
            try:
                return prove(reader.node)
            except TileMissing as e:
                raise LogInconsistent(f"no proof can be made: {e}") from e


def enqueue(connection: Connection, entry: LogEntry) -> None:
    """Let an entry be logged if, and only if, this transaction is committed; soon after."""
    values = {"kind": str(entry.kind), "salt": entry.salt, "record": entry.record}
    connection.execute(insert(log_queue).values(values))


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


def _head(connection: Connection, *, lock: bool = False) -> TreeHead | None:
    query = select(log_state.c.origin, log_state.c.size, log_state.c.root, log_state.c.note)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return (
        None
        if row is None
        else TreeHead(origin=row.origin, size=row.size, root=bytes(row.root), note=row.note)
    )


def _tile(connection: Connection, level: int, index: int) -> bytes:
    query = select(log_tile.c.hashes).where(log_tile.c.level == level, log_tile.c.idx == index)
    return bytes(connection.execute(query).scalar() or b"")


def _opening(index: int, entry: LogEntry) -> dict[str, object]:
    return {"idx": index, "kind": str(entry.kind), "salt": entry.salt, "record": entry.record}
