"""An audit on many machines: workers of a Ray cluster that is there (``assay[ray]``), the same results file.

Scheduling, retries and lost machines are Ray's task. A batch whose worker is lost is done again by another
one; rows are written here, by the one writer, so nothing is written twice. Every machine must see the source
under the same name, which is asked when its worker starts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from authn.audit.entry import Entry
from authn.audit.ledger import Ledger
from authn.audit.looking import Desk, Job, Made, Reader, renamed, twin_of
from authn.audit.run import Rows
from authn.core.errors import AuthnError, Unreachable
from authn.core.extras import need
from authn.core.media import Media

ENTRIES_PER_BATCH = 50  # a call costs a millisecond
BATCHES_PER_WORKER = 2  # one in work, one on its way
CPUS_PER_WORKER = 0.9  # below one, so that what Ray itself runs is never starved
START_TIMEOUT_S = 240.0
MAX_LOSSES = 64  # of workers, with what they had in hand; a file ends none
RECENT_TWINS = 256


class Hand:
    """Lives in a worker of the cluster: reads and examines batches, one after the other."""

    def __init__(self, job: Job) -> None:
        self._job, self._reader, self._desk = job, Reader(job), Desk(job)
        self._recent: dict[bytes, Made] = {}

    def ready(self) -> bool:
        """Raises ``AuditError`` on a machine that does not see the source: it has no rows to give."""
        self._job.opens().close()
        return True

    def looked_at(self, entries: list[Entry]) -> list[Made]:
        return [self._one(e) for e in entries]

    def _one(self, entry: Entry) -> Made:
        media = self._reader.media(entry)
        return media if isinstance(media, Made) else self._look(media)

    def _look(self, media: Media) -> Made:
        """Equal bytes are looked at once by each worker."""
        twin = twin_of(media)
        if (known := self._recent.get(twin)) is not None:
            return Made(row=renamed(known.row, media.name), twin=twin)
        made = self._desk.look(media)
        if made.twin is not None:
            self._recent[twin] = replace(made, thumbnail_jpeg=None)
            while len(self._recent) > RECENT_TWINS:
                del self._recent[next(iter(self._recent))]
        return made


def examined_on_cluster(job: Job, entries: Iterable[Entry], _ledger: Ledger) -> Rows:
    """An ``Engine`` (``authn.audit.run``) on the Ray cluster that ``RAY_ADDRESS`` or this machine names.

    Raises ``Unreachable`` where there is none, or it gives no worker; errors of the source as they are.
    """
    need("ray")
    import ray
    from ray.exceptions import RayError

    rest = iter(entries)
    first = list(itertools.islice(rest, 1))
    if not first:
        return
    try:
        ray.init(address="auto", log_to_driver=False, logging_level="ERROR", namespace="assay")
    except (ConnectionError, RayError, ValueError) as e:
        raise Unreachable(f"no Ray cluster answers (ray start --head): {_said(e)}") from e
    try:
        yield from _batches(ray, job, itertools.chain(first, rest))
    except RayError as e:
        cause = getattr(e, "cause", None)
        if isinstance(cause, AuthnError):
            raise cause from e
        raise Unreachable(f"the Ray cluster ended the work: {_said(e)}") from e
    finally:
        ray.shutdown()


def _batches(ray: Any, job: Job, entries: Iterable[Entry]) -> Rows:
    crew = _Crew(ray, job)
    rest = iter(entries)
    while True:
        while crew.idle:
            batch = crew.lost_batch() or list(itertools.islice(rest, ENTRIES_PER_BATCH))
            if not batch:
                break
            crew.give(batch)
        if crew.waits_for_nothing:
            return
        if (made := crew.next()) is not None:
            yield made


class _Crew:
    """Workers that are there, those that start, and what each has in hand.

    What a worker had that is lost goes to others: no new one is waited for, since the processors that are
    left may all be taken.
    """

    def __init__(self, ray: Any, job: Job) -> None:
        self._ray = ray
        self._kind = ray.remote(num_cpus=CPUS_PER_WORKER)(Hand)
        self._job = job
        cpus = int(ray.cluster_resources().get("CPU", 0))
        self._starting: dict[Any, Any] = {}
        self._working: dict[Any, tuple[Any, list[Entry]]] = {}
        self._lost: list[list[Entry]] = []
        self._losses = 0
        self.idle: list[Any] = []
        for _ in range(max(1, cpus)):
            self._start()

    def _start(self) -> None:
        hand = self._kind.remote(self._job)
        self._starting[hand.ready.remote()] = hand

    @property
    def waits_for_nothing(self) -> bool:
        return not self._working and not self._lost and bool(self.idle)

    def lost_batch(self) -> list[Entry] | None:
        return self._lost.pop() if self._lost else None

    def give(self, batch: list[Entry]) -> None:
        hand = self.idle.pop()
        self._working[hand.looked_at.remote(batch)] = (hand, batch)

    def next(self) -> list[Made] | None:
        """Wait for something to happen; rows, if it was that. Raises ``Unreachable`` where nobody works and
        nobody comes."""
        limit_s = None if self._working else START_TIMEOUT_S
        done, _ = self._ray.wait([*self._starting, *self._working], num_returns=1, timeout=limit_s)
        if not done:
            raise Unreachable(f"the Ray cluster gave no worker in {START_TIMEOUT_S:.0f} s")
        (ref,) = done
        if ref in self._starting:
            self._started(ref)
            return None
        hand, batch = self._working.pop(ref)
        made: list[Made] | None = self._got(ref)
        if made is None:
            self._lost.append(batch)
            self.idle = [h for h in self.idle if h is not hand]
            self._replace_the_last()
        else:
            self.idle.append(hand)
        return made

    def _started(self, ref: Any) -> None:
        hand = self._starting.pop(ref)
        if self._got(ref) is None:
            self._replace_the_last()
        else:
            self.idle += [hand] * BATCHES_PER_WORKER

    def _got(self, ref: Any) -> Any:
        """None where the worker is lost. Raises what it raised."""
        from ray.exceptions import RayActorError

        try:
            return self._ray.get(ref)
        except RayActorError as e:
            self._losses += 1
            if self._losses > MAX_LOSSES:
                raise Unreachable(f"the Ray cluster lost {self._losses} workers: {_said(e)}") from e
            return None

    def _replace_the_last(self) -> None:
        if not self._starting and not self._working and not self.idle:
            self._start()


def _said(e: Exception) -> str:
    return str(e).strip().partition("\n")[0][:300]
