"""Deleting what has been kept long enough, also while nobody asks for anything.

One process at a time of those that share a home does it. Two at once, on two machines, harm nothing: a row
can be deleted once. It goes in small transactions, so that no writer waits for a great one, and what another
transaction has in its hands is left for the next time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, Table, delete

from authn.core.errors import FileUnusable, Unavailable
from authn.store.engine import rows_of, writing
from authn.store.schema import (
    batches,
    enrolment_challenges,
    idempotency_keys,
    rate_buckets,
    request_nonces,
    verifications,
)
from signer.core.locks import lock_file

LOCK_FILE = "sweep.lock"  # in the home
EVERY_S = 600.0
AT_ONCE = 500
# Table, the column that says until when, and how long after that a row goes.
KEPT: tuple[tuple[Table, str, timedelta], ...] = (
    (verifications, "expires_at", timedelta()),
    (request_nonces, "expires_at", timedelta()),
    (enrolment_challenges, "expires_at", timedelta(days=1)),
    (batches, "expires_at", timedelta()),
    (idempotency_keys, "expires_at", timedelta()),
    (rate_buckets, "filled_at", timedelta(hours=1)),
)

_log = logging.getLogger(__name__)


def sweep(engine: Engine, now: datetime) -> int:
    """Delete what has expired; returns how many rows. Raises ``Unavailable``; some may be gone then."""
    return sum(_swept(engine, table, table.c[until] <= now - after) for table, until, after in KEPT)


def _swept(engine: Engine, table: Table, over: ColumnElement[bool]) -> int:
    gone = 0
    while True:
        with writing(engine) as connection:
            some = connection.execute(delete(table).where(rows_of(table, over, at_once=AT_ONCE))).rowcount
        gone += some
        if some < AT_ONCE:
            return gone


class Sweeper:
    """``start`` it after a fork, ``close`` it before the engine goes."""

    def __init__(
        self, engine: Engine, home: Path, clock: Callable[[], datetime], every_s: float = EVERY_S
    ) -> None:
        self._engine, self._home, self._clock, self._every_s = engine, home, clock, every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Again changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="assay-sweeper", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Waits for the transaction that runs."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def turn(self) -> int:
        """One sweep, where nobody else is at it; returns how many rows went. Raises ``Unavailable``."""
        path = self._home / LOCK_FILE
        try:
            held = lock_file(path, wait=False)
        except BlockingIOError:
            return 0
        except OSError as e:
            raise FileUnusable(f"{path} cannot be locked: {e.strerror}") from e
        with held:
            return sweep(self._engine, self._clock())

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                if gone := self.turn():
                    _log.info("%d rows were deleted that had been kept long enough", gone)
            except Unavailable as e:
                _log.warning("what has expired cannot be deleted now: %s", e.detail)
