"""One clock for all who share a database: leases are taken and judged by it, whichever host asks.

Hosts that share one PostgreSQL may have clocks apart, and a host that is ahead would take the others' leases
for ended. SQLite has no clock but that of its one host.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select

from authn.core.errors import Unavailable
from authn.core.instants import utc_now
from authn.store.engine import reading

ASK_EVERY_S = 60.0


class DatabaseClock:
    """Called, it gives the time: on PostgreSQL that of the server, asked for now and then and counted on from
    there, so that it does not follow a host's clock that is set; the host's own while none was told."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shared = engine.dialect.name == "postgresql"
        self._asking = threading.Lock()
        self._told: tuple[datetime, float] | None = None  # the server's time, and ours that it belongs to

    def __call__(self) -> datetime:
        """Never fails: where the server does not answer it is counted on."""
        if not self._shared:
            return utc_now()
        told = self._told
        if (told is None or time.monotonic() - told[1] > ASK_EVERY_S) and self._asking.acquire(
            blocking=False
        ):
            try:
                told = self._told = self._asked() or told
            finally:
                self._asking.release()
        if told is None:
            return utc_now()
        return told[0] + timedelta(seconds=time.monotonic() - told[1])

    def _asked(self) -> tuple[datetime, float] | None:
        try:
            with reading(self._engine) as connection:
                before = time.monotonic()
                now = connection.execute(select(func.clock_timestamp())).scalar_one()
                return now, (before + time.monotonic()) / 2
        except Unavailable:
            return None
