"""What changed in a source since its audit was planned, and taking it in.

A run answers one question about the inputs of its plan. Files that came later are not part of it, which must
be said. When they are taken in, a report of an unchanged file is kept under the name that it was made for; it
says itself as of when it judges. Unchanged is what has the size and the mark that it had (``Entry.mark``).
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from authn.audit.entry import Entry
from authn.audit.names import key_of
from authn.audit.plan import FILE_MODE
from authn.audit.results import RESULTS_FILE, read_rows, row_line
from authn.core.errors import AuditError
from signer.core.durable import rewritten_durably


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Files of a folder that the plan does not have, has with another size, or that are gone."""

    added: int
    changed: int
    gone: int

    def sentence(self) -> str:
        """Empty where nothing is known to have changed."""
        parts = (
            (self.added, "new file is", "new files are", "not part of this audit"),
            (self.changed, "file has", "files have", "another size than when it was planned"),
            (self.gone, "file is", "files are", "gone"),
        )
        said = [f"{n} {one if n == 1 else many} {what}" for n, one, many, what in parts if n]
        return f"{', '.join(said)}; --refresh takes that in" if said else ""


def keep_rows(folder: Path, old: Iterable[Entry], new: Iterable[Entry]) -> int:
    """Drop the rows of inputs that are not the same any more, whole or not at all; how many stay.

    Raises ``AuditError`` where another audit is writing or the disk fails; then every row is as it was.
    """
    path = folder / RESULTS_FILE
    if not path.exists():
        return 0
    try:
        with (
            path.open("ab") as held,
            rewritten_durably(path, mode=FILE_MODE) as f,
            closing(_unchanged(old, new)) as unchanged,
        ):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept = 0
            for row in read_rows(path):
                key = key_of(row["subject"]["name"])
                if unchanged.execute("SELECT 1 FROM same WHERE key = ?", (key,)).fetchone():
                    f.write(f"{row_line(row)}\n".encode())
                    kept += 1
    except BlockingIOError as e:
        raise AuditError(f"another audit is writing to {path}") from e
    except (OSError, sqlite3.Error) as e:
        raise AuditError(f"{path} cannot be written: {getattr(e, 'strerror', None) or e}") from e
    return kept


def _unchanged(old: Iterable[Entry], new: Iterable[Entry]) -> sqlite3.Connection:
    """A table ``same`` of the names that are the same input in both; on disk, for there may be millions."""
    db = sqlite3.connect("", isolation_level=None)
    db.execute("CREATE TABLE old (key BLOB PRIMARY KEY, is_as BLOB) WITHOUT ROWID")
    db.execute("CREATE TABLE same (key BLOB PRIMARY KEY) WITHOUT ROWID")
    db.execute("BEGIN")
    db.executemany("INSERT OR REPLACE INTO old VALUES (?, ?)", _keyed(old))
    db.executemany("INSERT OR IGNORE INTO same SELECT key FROM old WHERE key = ? AND is_as = ?", _keyed(new))
    db.execute("COMMIT")
    return db


def _keyed(entries: Iterable[Entry]) -> Iterator[tuple[bytes, bytes]]:
    return ((key_of(e.name), key_of(_as_it_is(e))) for e in entries)


def _as_it_is(entry: Entry) -> str:
    skipped = None if entry.skipped is None else [entry.skipped.code, entry.skipped.detail]
    return json.dumps([entry.size, entry.mark, skipped])
