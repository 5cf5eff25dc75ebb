"""The end of a log: its tree written as files that anybody can serve, its tables empty for another one.

A log that has ended signs nothing more, and its receipts stay good for whoever holds its key and a copy of
its tree. The tables refuse to lose anything (triggers of migration 0010), so emptying them is one transaction
that puts the triggers back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, delete, text, update

from authn.core.errors import FileUnusable
from authn.store.engine import writing
from authn.store.schema import (
    captures,
    log_checkpoint,
    log_cosignature,
    log_entry,
    log_opening,
    log_start_entries,
    log_state,
    log_tile,
)
from authn.tlog.format.tiles import MAX_LEVEL, WIDTH, entry_bundle, tile_path, tile_width
from authn.tlog.log.reader import LogReader
from signer.core.durable import write_durably

TABLES: Sequence[Table] = (log_cosignature, log_checkpoint, log_opening, log_tile, log_entry, log_state)


def write_tree(reader: LogReader, folder: Path) -> int:
    """The newest checkpoint and everything below it as C2SP tlog-tiles; returns the size.

    Raises ``NotFound`` where there is no log, ``Unavailable``.
    """
    size = reader.head().size
    try:
        for level in range(MAX_LEVEL + 1):
            index = 0
            while width := tile_width(size, level, index):
                _put(folder / "tile" / str(level) / tile_path(index, width), reader.tile(level, index))
                if level == 0:
                    leaves = reader.leaves(index * WIDTH, index * WIDTH + width)
                    _put(folder / "tile" / "entries" / tile_path(index, width), entry_bundle(leaves))
                index += 1
        _put(folder / "checkpoint", reader.note(size).encode())
    except OSError as e:
        raise FileUnusable(f"{folder} cannot be written: {e.strerror or e}") from e
    return size


def empty_tables(engine: Engine) -> None:
    """Forget the tree, in one transaction; what waits to be logged stays, for the next log. Raises
    ``Unavailable``."""
    with writing(engine) as connection, _unguarded(connection):
        for table in TABLES:
            connection.execute(delete(table))
        connection.execute(delete(log_start_entries))  # the next log is told everything again
        connection.execute(update(captures).values(idx=None))


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, content, mode=0o644)


@contextmanager
def _unguarded(connection: Connection) -> Iterator[None]:
    """Without the triggers that keep the tables; with them again at the end."""
    names = [table.name for table in TABLES]
    if connection.dialect.name == "postgresql":
        for name in names:
            connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
        yield
        for name in names:
            connection.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER USER"))
        return
    query = text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
    guards = [row for row in connection.execute(query) if row.tbl_name in names]
    for guard in guards:
        connection.execute(text(f"DROP TRIGGER {guard.name}"))
    yield
    for guard in guards:
        connection.execute(text(guard.sql))
