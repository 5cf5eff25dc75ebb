"""How many requests a caller may make: token buckets in the database, where all processes count together."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Engine, delete, select

from authn.core.errors import Allowance, TooManyRequests
from authn.store.engine import rows_of, upsert, writing
from authn.store.schema import rate_buckets

PERIOD = timedelta(minutes=1)


class Rates:
    """A bucket holds what one minute allows, and fills at that speed. Not limited with ``per_minute`` 0."""

    def __init__(self, engine: Engine, per_minute: int) -> None:
        self._engine = engine
        self._per_minute = per_minute

    def take(self, caller: str, now: datetime) -> Allowance | None:
        """One request of this caller, and what it may do after that; None where nothing is limited. Raises
        ``TooManyRequests``, and ``Unavailable`` without a database."""
        if not self._per_minute:
            return None
        with writing(self._engine) as connection:
            # A bucket that nobody used for a minute is full, and full is what a new one is too.
            unused = rows_of(rate_buckets, rate_buckets.c.filled_at < now - PERIOD)
            connection.execute(delete(rate_buckets).where(unused))
            full = {"caller": caller, "tokens": float(self._per_minute), "filled_at": now}
            mine = rate_buckets.c.caller == caller
            row = None
            while row is None:  # PostgreSQL: who has just deleted a full one may have been before us
                connection.execute(upsert(connection, rate_buckets).values(full).on_conflict_do_nothing())
                found = connection.execute(select(rate_buckets).where(mine).with_for_update())
                row = found.mappings().first()
            passed = max(timedelta(0), now - row["filled_at"]) / PERIOD
            tokens = min(row["tokens"] + passed * self._per_minute, self._per_minute)
            if tokens < 1:
                raise TooManyRequests(
                    f"more than {self._per_minute} requests in a minute; wait a little",
                    allowance=self._allowance(0, 1 - tokens),
                )
            connection.execute(rate_buckets.update().where(mine).values(tokens=tokens - 1, filled_at=now))
        return self._allowance(int(tokens - 1), self._per_minute - tokens + 1)

    def _allowance(self, left: int, lacking: float) -> Allowance:
        seconds = ceil(lacking / self._per_minute * PERIOD.total_seconds())
        return Allowance(quota=self._per_minute, left=left, seconds=max(1, seconds))
