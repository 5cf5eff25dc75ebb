"""A request that may be sent twice (Idempotency-Key): the second time gets the answer of the first.

A key belongs to one caller and one content. Only answers of success are kept, so that whatever failed may be
tried again; of a report only its address is, so that a report that was deleted is not kept here.

While a request is at work its process holds the key by a lease and renews it, however long that takes. A
process that was killed renews nothing: one lease later the same request may be sent again. What a process
still says that has lost its lease, because it stood still for longer, its token refuses: the answer of who
came after it stays, and what it has found out is neither kept nor answered: ``still_mine`` says so in the
transaction that would keep it.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, select, update

from authn.core.errors import RepeatDiffers, RepeatInFlight, Unavailable
from authn.store.engine import upsert, writing
from authn.store.schema import idempotency_keys as table

KEPT = timedelta(hours=24)
RENEWALS = 3  # in the time of one lease
CLOSE_TIMEOUT_S = 5.0  # a database that is away answers a renewal late, or never
TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """``body``: None where the answer is what now lies at ``Location``."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A key that this process works on, under ``token``."""

    caller: str
    key: str
    fingerprint: str
    token: str


class Repeats:
    """``lease_s``: so long after its process was killed a request may be sent again. ``close`` ends the
    thread that renews leases, which the first key starts. Every other method raises ``Unavailable`` when the
    database cannot be used."""

    def __init__(self, engine: Engine, lease_s: float, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock
        self._lease, self._pause_s = timedelta(seconds=lease_s), lease_s / RENEWALS
        self._held: dict[str, Held] = {}  # by token
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._renewing: threading.Thread | None = None

    def begin(self, caller: str, key: str, fingerprint: str) -> Answered | Held:
        """``Held``: it is the first, and the caller ends it by ``keep`` or ``release``. Raises
        ``RepeatInFlight`` and, where the key was used for something else, ``RepeatDiffers``."""
        self._keep_renewing()  # first: what this process cannot renew it does not take
        token = secrets.token_hex(TOKEN_BYTES)
        held, now = Held(caller=caller, key=key, fingerprint=fingerprint, token=token), self._clock()
        row, is_first = None, False
        with writing(self._engine) as connection:
            # This key alone: whoever deletes rows of others while it waits for one may be waited for by them.
            connection.execute(delete(table).where(*_named(held), table.c.expires_at <= now))
            while row is None and not is_first:  # PostgreSQL: whoever was in the way may be gone by now
                is_first = _added(connection, held, {"expires_at": now + self._lease})
                if not is_first:
                    row = connection.execute(select(table).where(*_named(held))).mappings().first()
        if row is None:
            with self._lock:
                self._held[held.token] = held
            return held
        if row["fingerprint"] != fingerprint:
            raise RepeatDiffers("this Idempotency-Key came with another request before; make a new one")
        if row["status"] is None:
            raise RepeatInFlight("the first request with this Idempotency-Key is not answered yet")
        return Answered(status=row["status"], headers=json.loads(row["headers"]), body=row["body"])

    def still_mine(self, held: Held, connection: Connection) -> None:
        """In the transaction that keeps what came of the request, which then is the last moment at which
        another may have it: until this one ends nobody can take the key. One that nobody took after the lease
        had ended is taken again. Raises ``RepeatInFlight`` where somebody did."""
        until = {"expires_at": self._clock() + self._lease}
        renewed = connection.execute(update(table).where(*_of(held)).values(until)).rowcount
        if not renewed and not _added(connection, held, until):
            raise RepeatInFlight(
                "this service stood still for long, and another request with this Idempotency-Key is at work"
            )

    def keep(self, held: Held, answered: Answered) -> bool:
        """For a day. False, and nothing kept, where the lease ended and the key is another's."""
        values = {
            "status": answered.status,
            "headers": json.dumps(dict(answered.headers)),
            "body": answered.body,
            "expires_at": self._clock() + KEPT,
            "leased_by": None,
        }
        with self._ending(held), writing(self._engine) as connection:
            kept = bool(connection.execute(update(table).where(*_of(held)).values(values)).rowcount)
            return kept or _added(connection, held, values)

    def release(self, held: Held) -> None:
        """It was answered with an error, and may be sent again."""
        with self._ending(held), writing(self._engine) as connection:
            connection.execute(delete(table).where(*_of(held)))

    def close(self) -> None:
        """Renew nothing more; wait a little for a renewal that is under way."""
        self._closing.set()
        if self._renewing is not None:
            self._renewing.join(CLOSE_TIMEOUT_S)

    @contextmanager
    def _ending(self, held: Held) -> Iterator[None]:
        """Whatever comes of it, this process no longer renews."""
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(held.token, None)

    def _keep_renewing(self) -> None:
        """Start the thread where there is none: at first, after a fork, after a defect that ended it."""
        with self._lock:
            if self._renewing is None or not self._renewing.is_alive():
                thread = threading.Thread(target=self._renew, name="assay-repeats", daemon=True)
                thread.start()
                self._renewing = thread

    def _renew(self) -> None:
        while not self._closing.wait(self._pause_s):
            with self._lock:
                held = tuple(self._held.values())
            if held:
                with suppress(Unavailable), writing(self._engine) as connection:  # the next renewal may do
                    until = {"expires_at": self._clock() + self._lease}
                    for one in held:  # by the primary key: answers of a whole day lie between them
                        connection.execute(update(table).where(*_of(one)).values(until))


def _named(held: Held) -> tuple[ColumnElement[bool], ...]:
    return table.c.caller == held.caller, table.c.key == held.key


def _of(held: Held) -> tuple[ColumnElement[bool], ...]:
    return *_named(held), table.c.leased_by == held.token


def _added(connection: Connection, held: Held, values: Mapping[str, Any]) -> bool:
    """The row of this key, with these values in place of its own; False where there is one."""
    row = {
        "caller": held.caller,
        "key": held.key,
        "fingerprint": held.fingerprint,
        "leased_by": held.token,
        **values,
    }
    added = upsert(connection, table).values(row).on_conflict_do_nothing().returning(table.c.key)
    return connection.execute(added).first() is not None
