"""Where the sequencer writes: the log's tables, by transactions of which one at a time moves the head.

``Storage`` and ``Transaction`` are small so that a double can fail before or after each of their steps; what
they guarantee is written on them. SQLite and PostgreSQL do it with the same statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, Insert, bindparam, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from authn.core.errors import DatabaseUnusable
from authn.store.engine import upserting
from authn.store.schema import (
    log_checkpoint,
    log_entry,
    log_opening,
    log_queue,
    log_state,
    log_tile,
)
from authn.tlog.format.entry import LogEntry
from authn.tlog.log.queue import Queued, queued

# Made once: every batch runs them, and putting a statement together costs as much as running it.
_HEAD = select(log_state.c.origin, log_state.c.size, log_state.c.root, log_state.c.note)
_HEAD_LOCKED = _HEAD.with_for_update()
_TILE = select(log_tile.c.hashes).where(
    log_tile.c.level == bindparam("of_level"), log_tile.c.idx == bindparam("at")
)
_INDICES = select(log_entry.c.leaf_hash, log_entry.c.idx).where(
    log_entry.c.leaf_hash.in_(bindparam("leaves", expanding=True))
)
_ADD_ENTRY, _ADD_OPENING, _ADD_CHECKPOINT = insert(log_entry), insert(log_opening), insert(log_checkpoint)
_MOVE = (
    update(log_state)
    .where(log_state.c.size == bindparam("old_size"), log_state.c.root == bindparam("old_root"))
    .values({name: bindparam(name) for name in ("origin", "size", "root", "note")})
)


@cache
def _put_tile(dialect: str) -> Insert:
    statement = upserting(dialect, log_tile)
    return statement.on_conflict_do_update(
        index_elements=["level", "idx"], set_={"hashes": statement.excluded.hashes}
    )


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
        return head_of(self._connection, lock=True)

    def tile(self, level: int, index: int) -> bytes:
        """Nothing where there is no tile."""
        return tile_of(self._connection, level, index)

    def indices(self, leaf_hashes: Sequence[bytes]) -> Mapping[bytes, int]:
        """Which of these leaves the log has, and where."""
        found = self._connection.execute(_INDICES, {"leaves": list(leaf_hashes)})
        return {bytes(hash_): index for hash_, index in found}

    def add_entries(self, rows: Sequence[Row]) -> None:
        """Leaves and, beside them, what they commit to."""
        self._connection.execute(
            _ADD_ENTRY,
            [{"idx": r.index, "leaf_hash": r.leaf_hash, "leaf": r.entry.leaf} for r in rows],
        )
        self._connection.execute(_ADD_OPENING, [_opening(r.index, r.entry) for r in rows])

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """New tiles, and stored ones that have grown."""
        self._connection.execute(
            _put_tile(self._connection.dialect.name),
            [{"level": lv, "idx": i, "hashes": h} for (lv, i), h in tiles.items()],
        )

    def advance(self, old: TreeHead | None, new: TreeHead) -> bool:
        """From one state to the next, and only from that one; false when it is not the state any more."""
        values = {"origin": new.origin, "size": new.size, "root": new.root, "note": new.note}
        if old is None:
            self._connection.execute(insert(log_state).values(id=1, **values))
        else:
            was = {"old_size": old.size, "old_root": old.root}
            if self._connection.execute(_MOVE, {**values, **was}).rowcount != 1:
                return False
        self._connection.execute(_ADD_CHECKPOINT, {"size": new.size, "root": new.root, "note": new.note})
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
        """See ``authn.tlog.log.queue``."""
        return queued(self._engine, limit)

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


def head_of(connection: Connection, *, lock: bool = False) -> TreeHead | None:
    """The newest state; with ``lock``, until the transaction ends nobody else's."""
    row = connection.execute(_HEAD_LOCKED if lock else _HEAD).one_or_none()
    return (
        None
        if row is None
        else TreeHead(origin=row.origin, size=row.size, root=bytes(row.root), note=row.note)
    )


def tile_of(connection: Connection, level: int, index: int) -> bytes:
    """As much as there is of a tile; nothing where there is none."""
    return bytes(connection.execute(_TILE, {"of_level": level, "at": index}).scalar() or b"")


def _opening(index: int, entry: LogEntry) -> dict[str, object]:
    return {"idx": index, "kind": str(entry.kind), "salt": entry.salt, "record": entry.record}
