"""Shows new checkpoints to the witnesses of a policy, from a thread of the service, and keeps what they sign.

One process of those that share a home does it, the one that holds the lock; when it ends another takes over.
A witness that cannot be reached is asked again later and later, up to a quarter of an hour. One that has
signed a larger log, or another history, halts the log (``Log.halt``). A checkpoint that stays the newest is
shown again every ten minutes: the time in a cosignature is what bounds captures from below.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Event, Thread

from authn.core.errors import AuthnError, FileUnusable, SplitView
from authn.tlog.format.policy import PolicyWitness, WitnessPolicy
from authn.tlog.log.feeder import Exchange, NoCosignature, ask, evidence, exchange_capped
from authn.tlog.log.log import Log
from authn.tlog.log.storage import TreeHead
from signer.core.locks import lock_file

LOCK_FILE = "log.publisher.lock"  # beside the log's key
SHOW_AGAIN_S = 600.0
MAX_WAIT_S = 900.0

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Standing:
    """Of one witness: what it signed last and when, and when it is asked again after failures."""

    size: int = -1
    signed_s: float = 0.0
    failures: int = 0
    ask_from_s: float = 0.0
    why: str = ""


class Publisher:
    """``start`` it after a fork. ``exchange`` and ``clock`` (monotonic seconds) are for tests."""

    def __init__(
        self,
        log: Log,
        policy: WitnessPolicy,
        lock_file: Path,
        *,
        interval_s: float,
        exchange: Exchange = exchange_capped,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._policy = policy
        self._lock_file = lock_file
        self._lock: FileIO | None = None
        self._interval_s = interval_s
        self._exchange = exchange
        self._clock = clock
        self._standing = {w.label: _Standing() for w in policy.witnesses if w.url}
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin with a first round at once."""
        self._thread = Thread(target=self._run, name="assay-publisher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits for a witness that is being asked, at most as long as an answer may take."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def publish(self) -> None:
        """One round: ask each witness whose turn it is. Raises ``Unavailable`` for a database that cannot be
        used, ``SplitView`` after the log was halted."""
        if self._log.halted or not self._is_publisher():
            return
        head = self._log.reader.head()
        for witness in self._policy.witnesses:
            if self._stop.is_set():
                return
            standing = self._standing.get(witness.label)
            if standing is not None and self._is_due(standing, head.size):
                self._show(witness, standing, head)

    def _run(self) -> None:
        while True:
            try:
                self.publish()
            except AuthnError as e:
                _log.warning("the log is not witnessed now: %s", e.detail)
            if self._stop.wait(self._interval_s):
                return

    def _is_due(self, standing: _Standing, size: int) -> bool:
        now = self._clock()
        if standing.failures:
            return now >= standing.ask_from_s
        return standing.size != size or now - standing.signed_s >= SHOW_AGAIN_S

    def _show(self, witness: PolicyWitness, standing: _Standing, head: TreeHead) -> None:
        reader = self._log.reader
        try:
            cosigned = ask(witness, head.note, reader.consistency, lambda: reader.head().size, self._exchange)
        except NoCosignature as e:
            self._failed(witness, standing, str(e))
        except SplitView as e:
            self._log.halt(e.detail, evidence(head.note, e))
            raise
        else:
            self._log.add_cosignature(head.size, cosigned.witness, cosigned.line)
            if standing.failures:
                _log.warning("the witness %s signs again", witness.label)
            standing.size, standing.signed_s, standing.failures = head.size, self._clock(), 0

    def _failed(self, witness: PolicyWitness, standing: _Standing, why: str) -> None:
        """Said once for as long as it stays the same."""
        if not standing.failures or why != standing.why:
            _log.warning("no signature from the witness %s: %s", witness.label, why)
        wait_s = min(MAX_WAIT_S, self._interval_s * 2.0 ** min(standing.failures, 16))
        standing.failures, standing.why = standing.failures + 1, why
        standing.ask_from_s = self._clock() + wait_s

    def _is_publisher(self) -> bool:
        if self._lock is not None:
            return True
        try:
            self._lock = lock_file(self._lock_file, wait=False)
        except BlockingIOError:
            return False
        except OSError as e:
            raise FileUnusable(f"{self._lock_file} cannot be opened: {e.strerror}") from e
        return True
