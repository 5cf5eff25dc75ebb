"""A request that may be sent twice (Idempotency-Key): the second time gets the answer of the first.

A key belongs to one caller and one content. Only answers of success are kept, so that whatever failed may be
tried again; of a report only its address is, so that a report that was deleted is not kept here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select, update

from authn.core.errors import RepeatDiffers, RepeatInFlight
from authn.store.engine import upsert, writing
from authn.store.schema import idempotency_keys as table

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """``body``: None where the answer is what now lies at ``Location``."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class Repeats:
    """``patience``: after that time a request that was never answered may be sent again. Every method raises
    ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine, patience: timedelta) -> None:
        self._engine, self._patience = engine, patience

    def begin(self, caller: str, key: str, fingerprint: str, now: datetime) -> Answered | None:
        """None: it is the first, and the caller ends it by ``keep`` or ``release``. Raises ``RepeatInFlight``
        and, where the key was used for something else, ``RepeatDiffers``."""
        mine = (table.c.caller == caller, table.c.key == key)
        new = {"caller": caller, "key": key, "fingerprint": fingerprint, "expires_at": now + self._patience}
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.expires_at <= now))
            first = upsert(connection, table).values(new).on_conflict_do_nothing().returning(table.c.key)
            if connection.execute(first).first() is not None:
                return None
            row = connection.execute(select(table).where(*mine)).mappings().one()
        if row["fingerprint"] != fingerprint:
            raise RepeatDiffers("this Idempotency-Key came with another request before; make a new one")
        if row["status"] is None:
            raise RepeatInFlight("the first request with this Idempotency-Key is not answered yet")
        return Answered(status=row["status"], headers=json.loads(row["headers"]), body=row["body"])

    def keep(self, caller: str, key: str, answered: Answered, now: datetime) -> None:
        """For a day."""
        values = {
            "status": answered.status,
            "headers": json.dumps(dict(answered.headers)),
            "body": answered.body,
            "expires_at": now + KEPT,
        }
        with writing(self._engine) as connection:
            mine = (table.c.caller == caller, table.c.key == key)
            connection.execute(update(table).where(*mine).values(values))

    def release(self, caller: str, key: str) -> None:
        """It was answered with an error, and may be sent again."""
        with writing(self._engine) as connection:
            mine = (table.c.caller == caller, table.c.key == key, table.c.status.is_(None))
            connection.execute(delete(table).where(*mine))
