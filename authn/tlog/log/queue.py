"""What waits to be logged: entries that were queued in the transaction that caused them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, insert, select

from authn.store.engine import reading
from authn.store.schema import log_queue
from authn.tlog.format.entry import EntryKind, LogEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """An entry that waits in the database since the transaction that caused it."""

    id: int
    entry: LogEntry


def enqueue(connection: Connection, entry: LogEntry) -> None:
    """Let an entry be logged if, and only if, this transaction is committed; soon after."""
    values = {"kind": str(entry.kind), "salt": entry.salt, "record": entry.record}
    connection.execute(insert(log_queue).values(values))


def queued(engine: Engine, limit: int) -> tuple[Queued, ...]:
    """The oldest that wait. Raises ``Unavailable``."""
    query = select(log_queue).order_by(log_queue.c.id).limit(limit)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return tuple(
        Queued(id=r.id, entry=LogEntry(kind=EntryKind(r.kind), record=bytes(r.record), salt=bytes(r.salt)))
        for r in rows
    )
