"""Opening the database, SQLite or PostgreSQL: durable, migrated by one process while the others wait.

SQLite: WAL with synchronous FULL; with NORMAL a power cut loses transactions that were already acknowledged.
Every transaction that writes starts with BEGIN IMMEDIATE, because SQLite cannot upgrade a read
transaction once another process has written. PostgreSQL: its own defaults, which are durable.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, unique
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Table,
    create_engine,
    event,
    func,
    select,
    tuple_,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from authn.core.errors import DatabaseUnusable, SystemLacking

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

BUSY_TIMEOUT_S = 20
# secure_delete: a report that was deleted leaves no readable bytes in the file.
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "secure_delete=ON",
)
CONNECT_TIMEOUT_S = 10
Also = Callable[[Connection], None]  # what is to be done in a transaction of somebody else's
HEAD = "0130"  # the newest migration; a test compares it with the scripts


def open_engine(url: str, *, kept: int = 0) -> Engine:
    """An engine on a database of the newest schema. Raises ``Unavailable``: no file, no space, too new.

    Up to ``kept`` connections stay open between transactions: opening one costs more than most of these. With
    none, an engine may cross a fork.
    """
    engine = connect_as_it_is(url, kept=kept)
    _migrate(engine)
    return engine


def connect_as_it_is(url: str, *, kept: int = 0) -> Engine:
    """An engine on a database of whatever schema, or none; nothing is migrated. ``kept`` as in
    ``open_engine``. Raises ``Unavailable``."""
    pool: dict[str, Any] = {"poolclass": NullPool}
    if kept:
        pool = {"poolclass": QueuePool, "pool_size": kept, "max_overflow": -1, "pool_use_lifo": True}
    return _sqlite(url, pool) if make_url(url).get_backend_name() == "sqlite" else _postgresql(url, pool)


def schema_of(engine: Engine) -> str | None:
    """The newest migration that was applied; None for a database without any. Raises ``Unavailable``."""
    with reading(engine) as connection:
        return _revision(connection)


def is_known(schema: str) -> bool:
    """Whether this version has the migration, so that it can take the database further."""
    return schema in _known_revisions()


def _sqlite(url: str, pool: dict[str, Any]) -> Engine:
    _make_private_file(url)
    engine = create_engine(url, **pool, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    path = Path(make_url(url).database or "")
    event.listen(engine, "connect", partial(_note_file, path))
    event.listen(engine, "checkout", partial(_same_file, path))
    return engine


def _note_file(path: Path, _connection: object, record: Any) -> None:
    record.info["file"] = _identity(path)


def _same_file(path: Path, _connection: object, record: Any, _proxy: object) -> None:
    """A connection that was kept would go on in a file that was moved away or replaced. Raises what makes the
    pool open another one."""
    if record.info.get("file") != _identity(path):
        raise DisconnectionError("the database is another file now")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _postgresql(url: str, pool: dict[str, Any]) -> Engine:
    kept = {} if pool["poolclass"] is NullPool else {"pool_pre_ping": True}
    try:
        return create_engine(url, **pool, **kept, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    except ModuleNotFoundError as e:
        raise SystemLacking("PostgreSQL needs a driver: pip install 'assay[postgresql]'") from e


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One snapshot. Raises ``Unavailable`` when the database cannot be used."""
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as e:
        raise _unusable(e) from e


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may write: all of it or nothing. Raises ``Unavailable``."""
    try:
        with engine.connect() as connection:
            connection.execution_options(assay_writes=True)
            with connection.begin():
                yield connection
    except SQLAlchemyError as e:
        raise _unusable(e) from e


@unique
class Turn(IntEnum):
    """What one transaction at a time may do. The numbers are those of PostgreSQL's advisory locks."""

    MIGRATING = 8318
    PUBLISHING = 8319  # a revocation list
    NEWS = 8320  # of the log, at a start
    NOTING = 8321  # a decision about access
    QUEUEING = 8322  # what is counted before it is added, and claimed of a lane


def alone(connection: Connection, turn: Turn) -> None:
    """Until the transaction ends, no other that writes gets the same ``turn``; on SQLite none writes."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(int(turn))))


def rows_of(
    table: Table, over: ColumnElement[bool], *, at_once: int | None = None, wait: bool = False
) -> ColumnElement[bool]:
    """A condition for a statement that changes many rows: those for which ``over`` holds, ``at_once`` of them
    at most. PostgreSQL locks them first and leaves out those that another transaction has locked. With
    ``wait`` they are waited for, in the order of their keys, which are texts, so that two such statements
    never wait for each other. SQLite has one writer, and leaves none out."""
    key = table.primary_key.columns
    chosen = select(*key).where(over).limit(at_once)
    if wait:  # by no index, or SQLite would walk through the whole table along the key's
        chosen = chosen.order_by(*(column.concat("") for column in key))
    return tuple_(*key).in_(chosen.with_for_update(skip_locked=not wait).correlate(None))


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that may say what happens ``on_conflict``, which SQL leaves to each database."""
    return upserting(connection.dialect.name, table)


def upserting(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """As ``upsert``, for a statement that is made once."""
    if dialect == "postgresql":  # loaded where it is used: it costs a fifth of all SQLAlchemy
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def paged(
    read: Callable[[Select[Any]], Sequence[Row[Any]]],
    query: Select[Any],
    key: Column[int],
    *,
    after: int = -1,
    size: int,
) -> Iterator[Row[Any]]:
    """The rows of ``query`` behind ``after`` in the order of ``key``, one of its columns, read ``size`` at a
    time; ends where nothing more is there."""
    while rows := read(query.where(key > after).order_by(key).limit(size)):
        yield from rows
        after = getattr(rows[-1], key.name)


def _unusable(e: SQLAlchemyError) -> DatabaseUnusable:
    return DatabaseUnusable(f"the database cannot be used ({type(e).__name__})")


def _make_private_file(url: str) -> None:
    """SQLite gives its -wal and -shm files the mode of the database, so that one has to be right."""
    path = Path(make_url(url).database or "")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as e:
        raise DatabaseUnusable(f"the database file {path} cannot be opened: {e.strerror}") from e


def _on_connect(connection: Any, _record: object) -> None:
    # pysqlite would begin transactions by its own rules; _on_begin does it instead.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        _set(connection, pragma)


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Patiently: SQLite does not wait where several connections turn a new database to WAL at once, but says
    at once that it is locked (https://sqlite.org/wal.html, section 9)."""
    end = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _on_begin(connection: Connection) -> None:
    """Straight to the driver: SQLAlchemy's way to run a text costs more than most of our statements."""
    writes = connection.get_execution_options().get("assay_writes", False)
    text = "BEGIN IMMEDIATE" if writes else "BEGIN"
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute(text).close()
    except sqlite3.Error as e:
        raise OperationalError(text, None, e) from e


def _migrate(engine: Engine) -> None:
    with reading(engine) as connection:
        if _revision(connection) == HEAD:
            return
    with writing(engine) as connection:  # whoever waited here finds the work done
        alone(connection, Turn.MIGRATING)
        found = _revision(connection)
        if found is not None and not is_known(found):
            raise DatabaseUnusable(f"the database has schema {found}, made by a newer version than this one")
        if found != HEAD:
            _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _known_revisions() -> set[str]:
    """Numbers are ranges that parts of the program own, so a higher one is not always a later one."""
    steps = files("authn.store.migrations.versions").iterdir()
    return {step.name[:4] for step in steps if step.name[:4].isdigit()}


def _upgrade(connection: Connection) -> None:
    # Imported here: a database that is up to date, which is nearly always, does without Alembic.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "authn.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
