"""Who was let in where, and who was not: rows that each commit to all before them.

Whoever noted the newest hash elsewhere can tell later whether a row was changed, put in or left out; cutting
off rows behind that hash leaves no trace in the chain itself. No secret and no address is recorded. Requests
of which nobody says who makes them are not: in an open service there is nothing to decide about them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, Select, insert, select
from sqlalchemy import Row as Found

from authn.core.errors import JournalBroken
from authn.service.access import Principal
from authn.store.engine import Turn, alone, paged, reading, writing
from authn.store.schema import access_log

GRANTED = "granted"
START = hashlib.sha256(b"assay.access/log/v1").hexdigest()
# Whoever guesses credentials must not fill the disk: of refusals of nobody known, one row in this time.
STRANGERS_EVERY = timedelta(minutes=1)
PAGE = 1000

# Made once: every request of somebody known runs them.
_HEAD = select(access_log.c.seq, access_log.c.sha256).order_by(access_log.c.seq.desc()).limit(1)
_ADD = insert(access_log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``who`` is ``kind:id`` or empty; ``outcome`` is ``granted`` or the code of the refusal."""

    at: str
    who: str
    route: str
    method: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    seq: int
    decision: Decision
    sha256: str


class Journal:
    """Safe to be shared by threads. Every method raises ``Unavailable``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._strangers: dict[tuple[str, str], datetime] = {}
        self._lock = Lock()

    def note(self, principal: Principal | None, route: str, method: str, outcome: str, now: datetime) -> None:
        """Durable on return; until then the request must not go on."""
        if principal is None and not self._first_of_its_kind(route, outcome, now):
            return
        who = f"{principal.kind}:{principal.id}" if principal else ""
        at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        decision = Decision(at=at, who=who, route=route, method=method, outcome=outcome)
        record = json.dumps(asdict(decision), sort_keys=True, separators=(",", ":"))
        with writing(self._engine) as connection:
            seq, head = _head(connection)
            row = {"seq": seq + 1, "record": record, "sha256": _link(head, record)}
            connection.execute(_ADD, row)

    def verify(self) -> Iterator[Row]:
        """All rows from the first, each checked against those before it. Raises ``JournalBroken``."""
        seq, head = 0, START
        for found in paged(self._read, select(access_log), access_log.c.seq, after=seq, size=PAGE):
            if found.seq != seq + 1 or found.sha256 != _link(head, found.record):
                raise JournalBroken(f"row {found.seq} of the access log does not continue row {seq}")
            seq, head = found.seq, found.sha256
            yield Row(seq=seq, decision=_decision(found.record, seq), sha256=head)

    def _read(self, query: Select[Any]) -> Sequence[Found[Any]]:
        with reading(self._engine) as connection:
            return connection.execute(query).all()

    def _first_of_its_kind(self, route: str, outcome: str, now: datetime) -> bool:
        with self._lock:
            last = self._strangers.get((route, outcome))
            if last is not None and abs(now - last) < STRANGERS_EVERY:
                return False
            self._strangers[route, outcome] = now
            return True


def _head(connection: Connection) -> tuple[int, str]:
    alone(connection, Turn.NOTING)
    found = connection.execute(_HEAD).one_or_none()
    return (0, START) if found is None else (found.seq, found.sha256)


def _link(head: str, record: str) -> str:
    return hashlib.sha256(f"{head}\n{record}".encode()).hexdigest()


def _decision(record: str, seq: int) -> Decision:
    try:
        return Decision(**json.loads(record))
    except (ValueError, TypeError) as e:
        raise JournalBroken(f"row {seq} of the access log is no decision") from e
