"""The threads of one process that do the jobs of one kind.

Every process of a service has some; the table says who does what. A heartbeat extends the leases of what is
being done here, and starts a thread anew that a defect has ended: then the lease of its job ends, and the
job's attempts are counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from authn.core.errors import AuthnError, InputLost, JobAbandoned, Unavailable
from authn.jobs.table import Job, Jobs

SWEEP_EVERY = timedelta(minutes=1)


class Work(Protocol):
    """What is to be done with jobs of one kind."""

    @property
    def kind(self) -> str: ...
    def run(self, job: Job) -> None:
        """Do it and write that it is done. ``Unavailable`` is tried again, other ``AuthnError`` are not."""

    def give_up(self, job: Job, why: AuthnError) -> None:
        """Write that it will not be done."""

    def pause(self, attempts: int) -> timedelta:
        """Before the next attempt."""

    def sweep(self) -> None:
        """Whatever is to be tidied now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """``poll_s``: how often the table is looked at for what other processes have put there."""

    threads: int
    lease_s: float
    attempts: int
    poll_s: float = 1.0


class Runner:
    """``start`` begins it, ``close`` ends it."""

    def __init__(self, jobs: Jobs, work: Work, pace: Pace, clock: Callable[[], datetime]) -> None:
        self._jobs, self._work, self._pace, self._clock = jobs, work, pace, clock
        self._lease = timedelta(seconds=pace.lease_s)
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._held: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []
        self._tending: threading.Thread | None = None

    def start(self) -> None:
        """Again changes nothing."""
        if self._tending is None:
            self._threads = [self._started() for _ in range(self._pace.threads)]
            self._tending = threading.Thread(target=self._tend, name="assay-heartbeat", daemon=True)
            self._tending.start()

    def wake(self) -> None:
        """Something was put into the table just now."""
        self._wake.set()

    def close(self, patience_s: float = 5.0) -> None:
        """Begin nothing more, wait a little for what is being done, and give the rest back to the others."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(patience_s / max(1, len(self._threads)))
        with self._lock:
            left = tuple(self._held.values())
        for job in left:
            with suppress(Unavailable):  # then its lease ends
                self._jobs.release(job, self._clock())
        if self._tending is not None:
            self._tending.join()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._loop, name=f"assay-{self._work.kind}", daemon=True)
        thread.start()
        return thread

    def _loop(self) -> None:
        while not self._stopping.is_set():
            job = None
            with suppress(Unavailable):  # without a database nothing can be begun
                job = self._jobs.claim(self._work.kind, self._clock(), self._lease)
            if job is None:
                self._wake.wait(self._pace.poll_s)
                self._wake.clear()
            else:
                self._do(job)

    def _do(self, job: Job) -> None:
        with self._lock:
            self._held[job.id] = job
        try:
            if job.attempts > self._pace.attempts:
                ended = f"the process that worked on it ended {job.attempts - 1} times before it was done"
                raise JobAbandoned(ended)
            self._work.run(job)
        except AuthnError as e:
            with suppress(Unavailable):  # then its lease ends
                self._after(job, e)
        finally:
            with self._lock:
                self._held.pop(job.id, None)

    def _after(self, job: Job, e: AuthnError) -> None:
        final = not isinstance(e, Unavailable) or isinstance(e, JobAbandoned | InputLost)
        if not final and self._stopping.is_set():
            self._jobs.release(job, self._clock())
        elif not final and job.attempts < self._pace.attempts:
            self._jobs.postpone(job, self._clock() + self._work.pause(job.attempts))
        else:
            self._work.give_up(job, e)

    def _tend(self) -> None:
        swept = None
        while not self._stopping.wait(self._pace.lease_s / 3):
            self._threads = [t if t.is_alive() else self._started() for t in self._threads]
            with self._lock:
                held = tuple(self._held.values())
            with suppress(Unavailable):
                for job in held:
                    self._jobs.extend(job, self._clock() + self._lease)
            if swept is None or self._clock() - swept >= SWEEP_EVERY:
                swept = self._clock()
                with suppress(Unavailable):
                    self._work.sweep()
