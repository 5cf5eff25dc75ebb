"""What a run remembers of its plan and rows besides the files themselves, so that none is held in memory.

Everything in it can be made again from ``plan.jsonl`` and ``results.jsonl``, and is where it does not fit.
It answers: is this name taken, is its row there, have these bytes been looked at, which rows come first.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authn.audit.names import key_of
from authn.core.errors import AuditError

INDEX_FILE = "index.sqlite"
VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS inputs (key BLOB PRIMARY KEY, n INTEGER NOT NULL, at INTEGER, size INTEGER,
  digest BLOB, twin BLOB, urgency INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS twins ON inputs (twin) WHERE twin IS NOT NULL;
CREATE TABLE IF NOT EXISTS places (key BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS thumbnails (sha256 BLOB PRIMARY KEY, at INTEGER, size INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A row and where it lies. ``twin`` stands for the bytes that it is about and the type that their name
    claims; ``urgency`` is smaller for what a person should see sooner."""

    name: str
    at: int
    size: int
    digest: bytes
    twin: bytes | None
    urgency: int


class Index:
    """One writer. Thread-safe. Raises ``AuditError`` where another audit holds it or the disk fails."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX_FILE
        self._lock = threading.RLock()
        try:
            self._db = self._opened()
        except sqlite3.OperationalError as e:
            raise self._error(e) from e
        except sqlite3.DatabaseError:  # not a database, or a broken one: it is made again
            self._remove()
            self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=0)
        try:
            db.executescript(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                "PRAGMA cache_size=-65536; PRAGMA temp_store=FILE;"
            )
            db.executescript(_TABLES)
            db.execute("INSERT OR IGNORE INTO facts VALUES ('version', ?)", (VERSION,))
            (version,) = db.execute("SELECT value FROM facts WHERE name = 'version'").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        if version != VERSION:
            db.close()
            raise sqlite3.DatabaseError("written by another version")
        return db

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def _error(self, e: sqlite3.Error) -> AuditError:
        if getattr(e, "sqlite_errorname", "") in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            return AuditError(f"another audit is writing to {self._path.parent}")
        return AuditError(f"{self._path} cannot be used: {e}")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, contextlib.ExitStack() as undo:
            try:
                self._db.execute("BEGIN")
                undo.callback(self._roll_back)
                yield self._db
                self._db.execute("COMMIT")
                undo.pop_all()
            except sqlite3.Error as e:
                raise self._error(e) from e

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # what failed has told why
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def planning(self) -> Iterator[Planning]:
        """Forget everything, and take in a plan; nothing of it is kept where the block ends with an error."""
        with self._transaction() as db:
            for table in ("inputs", "places"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 our own words
            db.execute("DELETE FROM facts WHERE name <> 'version'")
            yield Planning(db)

    def add(self, rows: Iterable[Placed], *, end: int, counts: str) -> None:
        """Rows that are on the disk, what they count, and where the file of rows ends with them."""
        with self._transaction() as db:
            for row in rows:
                changed = db.execute(
                    "UPDATE inputs SET at=?, size=?, digest=?, twin=?, urgency=? WHERE key=?",
                    (row.at, row.size, row.digest, row.twin, row.urgency, key_of(row.name)),
                )
                if not changed.rowcount:
                    raise AuditError(
                        f"{row.name!r} has a row and is not on the plan; was one of them edited?"
                    )
            self._put(db, "end", end)
            self._put(db, "counts", counts)

    def forget_rows(self) -> None:
        """The plan stays."""
        with self._transaction() as db:
            db.execute("UPDATE inputs SET at=NULL, size=NULL, digest=NULL, twin=NULL, urgency=NULL")
            db.execute("DELETE FROM facts WHERE name IN ('end', 'counts')")

    def compare(self, found: Iterable[tuple[str, int]]) -> tuple[int, int, int]:
        """How many of these places are new, how many of another size, how many of the plan's are missing."""
        with self._transaction() as db:
            db.execute("CREATE TEMP TABLE found (key BLOB PRIMARY KEY, size INTEGER) WITHOUT ROWID")
            rows = ((key_of(ref), size) for ref, size in found)
            db.executemany("INSERT OR REPLACE INTO found VALUES (?, ?)", rows)
            both = "FROM found JOIN places USING (key)"
            queries = (
                "SELECT count(*) FROM found WHERE key NOT IN (SELECT key FROM places)",
                f"SELECT count(*) {both} WHERE places.size IS NOT NULL AND places.size <> found.size",
                "SELECT count(*) FROM places WHERE key NOT IN (SELECT key FROM found)",
            )
            added, changed, gone = (int(db.execute(q).fetchone()[0]) for q in queries)
            db.execute("DROP TABLE found")
        return added, changed, gone

    def keep_thumbnails(self, found: Iterable[tuple[str, int, int]]) -> None:
        """SHA-256 of the file in hex, place and length of its small picture."""
        with self._transaction() as db:
            rows = ((bytes.fromhex(sha256), at, size) for sha256, at, size in found)
            db.executemany("INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?)", rows)

    def thumbnail(self, sha256: str) -> tuple[int, int] | None:
        """Place and length."""
        found = self._one("SELECT at, size FROM thumbnails WHERE sha256 = ?", bytes.fromhex(sha256))
        return None if found is None else (int(str(found[0])), int(str(found[1])))

    def keep(self, name: str, value: str | int) -> None:
        with self._transaction() as db:
            self._put(db, name, value)

    def _put(self, db: sqlite3.Connection, name: str, value: str | int) -> None:
        db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _one(self, query: str, *values: object) -> tuple[object, ...] | None:
        with self._lock:
            try:
                found: tuple[object, ...] | None = self._db.execute(query, values).fetchone()
            except sqlite3.Error as e:
                raise self._error(e) from e
        return found

    def fact(self, name: str) -> str | int | None:
        found = self._one("SELECT value FROM facts WHERE name = ?", name)
        return None if found is None or not isinstance(found[0], str | int) else found[0]

    def has_row(self, name: str) -> bool:
        return self._one("SELECT 1 FROM inputs WHERE key = ? AND at IS NOT NULL", key_of(name)) is not None

    def digest(self, name: str) -> bytes | None:
        """Of the row of this name."""
        found = self._one("SELECT digest FROM inputs WHERE key = ?", key_of(name))
        return None if found is None or not isinstance(found[0], bytes) else found[0]

    def twin(self, twin: bytes) -> tuple[int, int] | None:
        """Place and length of some row about the same bytes."""
        found = self._one("SELECT at, size FROM inputs WHERE twin = ? LIMIT 1", twin)
        return None if found is None else (int(str(found[0])), int(str(found[1])))

    def count(self, *, below_urgency: int | None = None) -> int:
        """Rows that are there."""
        most = 1 << 30 if below_urgency is None else below_urgency
        found = self._one("SELECT count(*) FROM inputs WHERE at IS NOT NULL AND urgency < ?", most)
        return int(str(found[0])) if found else 0

    def digests(self) -> Iterator[bytes]:
        """Of all rows, the smallest first."""
        for (digest,) in self._many("SELECT digest FROM inputs WHERE at IS NOT NULL ORDER BY digest"):
            yield digest

    def by_urgency(self, *, first: int = 0, below: int = 1 << 30) -> Iterator[tuple[int, int]]:
        """Place and length of every row from this urgency on, what presses first, then as planned."""
        yield from self._many(
            "SELECT at, size FROM inputs WHERE at IS NOT NULL AND urgency >= ? AND urgency < ? "
            "ORDER BY urgency, n", first, below
        )  # fmt: skip

    def _many(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """A thousand at a time: others may ask meanwhile."""
        with self._lock:
            cursor = self._db.execute(query, values)
        while True:
            with self._lock:
                rows = cursor.fetchmany(1000)
            if not rows:
                return
            yield from rows


class Planning:
    """An index that takes in a plan."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._count = 0

    def claim(self, name: str) -> bool:
        """Whether the name was free; now it is taken."""
        done = self._db.execute(
            "INSERT OR IGNORE INTO inputs (key, n) VALUES (?, ?)", (key_of(name), self._count)
        )
        self._count += done.rowcount
        return bool(done.rowcount)

    def place(self, ref: str, size: int | None) -> None:
        """Where an entry lies; without a size, only whether it is there can be compared."""
        self._db.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (key_of(ref), size))

    def finish(self, plan: str, entries: int) -> None:
        """``plan`` says which file of entries was taken in."""
        for fact in (("plan", plan), ("entries", entries)):
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", fact)
