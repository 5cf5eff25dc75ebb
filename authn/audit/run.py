"""Examine everything on a plan: confined workers side by side, one writer, one row per input.

Decides what becomes of a file that ends or stalls its worker: it costs its own row, never the run. Equal
bytes under the same claimed type are examined once and give a row per name. Nothing here prints or exits.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Self

from authn.audit.entry import Entry
from authn.audit.ledger import Ledger
from authn.audit.looking import Desk, Job, Made, Reader, refused, renamed, twin_of
from authn.audit.results import Row
from authn.core.media import Media

WAITING_PER_READER = 3

Rows = Generator[list[Made], None, None]
Engine = Callable[[Job, Iterable[Entry], Ledger], Rows]


def run(
    job: Job,
    entries: Iterable[Entry],
    ledger: Ledger,
    *,
    done: Callable[[int], None] = lambda rows: None,
    engine: Engine | None = None,
) -> None:
    """Write every row that the ledger still lacks; ``done`` hears how many rows each step brought.

    Raises ``Unavailable`` when no examiner can be built or the source does not answer, ``AuditError`` when
    rows cannot be kept. What was written stays; the next call goes on.
    """
    done(ledger.rows)
    lacking = (e for e in entries if not ledger.has_row(e.name))
    to_examine = _without_skipped(lacking, ledger, done)
    try:
        with closing((engine or examined_here)(job, to_examine, ledger)) as examined:
            for made in examined:
                ledger.add(made)
                done(len(made))
    finally:
        ledger.settle()


def _without_skipped(
    entries: Iterable[Entry], ledger: Ledger, done: Callable[[int], None]
) -> Iterator[Entry]:
    """Those to examine; rows of the others are written on the way."""
    for entry in entries:
        if entry.skipped is None:
            yield entry
            continue
        ledger.add([Made(row=refused(entry.name, entry.skipped.code, entry.skipped.detail))])
        done(1)


def examined_here(job: Job, entries: Iterable[Entry], ledger: Ledger) -> Rows:
    """By processes of this machine. Rows as soon as they are there."""
    first = list(itertools.islice(entries, job.jobs))  # no more workers than there is work
    if not first:
        return
    with _Hall(job, ledger, len(first)) as hall:
        waiting: set[Future[Made]] = set()
        for entry in itertools.chain(first, entries):
            waiting.add(hall.submit(entry))
            if len(waiting) >= hall.readers * WAITING_PER_READER:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from _whole(finished)
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from _whole(finished)


def _whole(finished: set[Future[Made]]) -> Iterator[list[Made]]:
    """What was made, then the first error: what is finished is never lost to what is not."""
    failed = [f for f in finished if f.exception() is not None]
    yield [f.result() for f in finished if f not in failed]
    for f in failed:
        f.result()


class _Hall:
    """Readers and desks of one machine: a reader fetches an input, then waits for a desk that is free."""

    def __init__(self, job: Job, ledger: Ledger, workers: int) -> None:
        self.readers = workers * job.readers_per_worker
        self._desks = [Desk(job) for _ in range(workers)]
        self._readers = [Reader(job) for _ in range(self.readers)]
        self._idle: queue.SimpleQueue[Desk] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        for desk in self._desks:
            self._idle.put(desk)
        for reader in self._readers:
            self._free.put(reader)
        self._twins = Twins(ledger)
        self._pool = ThreadPoolExecutor(self.readers, thread_name_prefix="assay-audit")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is not None:
            # Interrupted, or out of disk: end the calls in progress, so that no thread is waited for.
            for desk in self._desks:
                desk.abandon()
        self._pool.shutdown(cancel_futures=True)
        for desk in self._desks:
            desk.close()
        for reader in self._readers:
            reader.close()

    def submit(self, entry: Entry) -> Future[Made]:
        return self._pool.submit(self._looked_at, entry)

    def _looked_at(self, entry: Entry) -> Made:
        reader = self._free.get()
        try:
            media = reader.media(entry)
        finally:
            self._free.put(reader)
        return media if isinstance(media, Made) else self._twins.row(media, self._look)

    def _look(self, media: Media) -> Made:
        desk = self._idle.get()
        try:
            return desk.look(media)
        finally:
            self._idle.put(desk)


class Twins:
    """Equal bytes are looked at once: who comes while they are, waits; who comes later, finds their row."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._in_flight: dict[bytes, threading.Event] = {}
        self._recent: dict[bytes, Made] = {}

    def row(self, media: Media, look: Callable[[Media], Made]) -> Made:
        twin = twin_of(media)
        while True:
            with self._lock:
                known, busy = self._known(twin), self._in_flight.get(twin)
                if known is None and busy is None:
                    self._in_flight[twin] = threading.Event()
            if known is not None:
                return Made(row=renamed(known, media.name), twin=twin)
            if busy is None:
                return self._first(media, twin, look)
            busy.wait()

    def _known(self, twin: bytes) -> Row | None:
        made = self._recent.get(twin)
        return made.row if made is not None else self._ledger.twin(twin)

    def _first(self, media: Media, twin: bytes, look: Callable[[Media], Made]) -> Made:
        try:
            made = look(media)
            if made.twin is not None:
                with self._lock:
                    self._recent[twin] = made
                    while len(self._recent) > 256:
                        del self._recent[next(iter(self._recent))]
            return made
        finally:
            with self._lock:
                self._in_flight.pop(twin).set()
