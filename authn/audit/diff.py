"""Two audits compared, name by name: what came, went or changed, in the files and in what is said of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from authn.audit.names import key_of
from authn.audit.results import Row

NEW, GONE, BYTES, SAID = "new", "gone", "bytes", "said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``kind``: ``new`` and ``gone`` inputs, other ``bytes`` under the same name, or the same bytes of which
    something else is ``said``. ``changes``: (what, before, now)."""

    name: str
    kind: str
    changes: tuple[tuple[str, str, str], ...] = ()


def differences(old: Iterable[Row], new: Iterable[Row]) -> Iterator[Difference]:
    """In the order of the new audit, what is gone last. Each is read once; the old one lies on disk then."""
    with closing(sqlite3.connect("", isolation_level=None)) as db:
        db.execute(
            "CREATE TABLE old (key BLOB PRIMARY KEY, name TEXT, said TEXT, seen INTEGER) WITHOUT ROWID"
        )
        db.execute("BEGIN")
        db.executemany("INSERT OR IGNORE INTO old VALUES (?, ?, ?, 0)", map(_kept, old))
        for row in new:
            key, name, now, _ = (*_kept(row), 0)
            found = db.execute("SELECT said FROM old WHERE key = ?", (key,)).fetchone()
            if found is None:
                yield Difference(name=name, kind=NEW)
                continue
            db.execute("UPDATE old SET seen = 1 WHERE key = ?", (key,))
            if found[0] != now:
                yield _changed(name, json.loads(found[0]), json.loads(now))
        for (name,) in db.execute("SELECT name FROM old WHERE NOT seen ORDER BY name"):
            yield Difference(name=name, kind=GONE)


def _changed(name: str, before: dict[str, str], now: dict[str, str]) -> Difference:
    keys = [k for k in (*before, *(k for k in now if k not in before)) if before.get(k) != now.get(k)]
    changes = tuple((k, before.get(k, ""), now.get(k, "")) for k in keys if k != "sha256")
    return Difference(name=name, kind=BYTES if "sha256" in keys else SAID, changes=changes)


def _kept(row: Row) -> tuple[bytes, str, str]:
    name = row["subject"]["name"]
    return key_of(name), name, json.dumps(said_of(row))


def said_of(row: Row) -> dict[str, str]:
    """What a row says that somebody would compare: neither scores nor times."""
    if "error" in row:
        return {"report": f"none: {row['error']['code']}"}
    said = {"report": "yes", "sha256": row["subject"]["sha256"]}
    said |= {axis: evidence["outcome"] for axis, evidence in row["cryptographic"]["axes"].items()}
    said["contradictions"] = str(len(row["contradictions"]))
    for d in row["heuristic"]["detectors"]:
        said[f"{d['id']} ({d['question']})"] = d["outcome"]
    return said
