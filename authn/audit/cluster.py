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
RECENT_TWINS = 256


class Hand:
    """Lives in a worker of the cluster: reads and examines batches, one after the other."""

    def __init__(self, job: Job) -> None:
        job.opens().close()  # a machine that does not see the source has no rows to give
        self._reader, self._desk = Reader(job), Desk(job)
        self._recent: dict[bytes, Made] = {}

    def ready(self) -> bool:
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
    hands = _hands(ray, job)
    waiting: dict[Any, Any] = {}
    rest = iter(entries)
    idle = [hand for hand in hands for _ in range(BATCHES_PER_WORKER)]
    while True:
        while idle and (batch := list(itertools.islice(rest, ENTRIES_PER_BATCH))):
            hand = idle.pop()
            waiting[hand.looked_at.remote(batch)] = hand
        if not waiting:
            return
        (done,), _ = ray.wait(list(waiting), num_returns=1)
        idle.append(waiting.pop(done))
        yield ray.get(done)


def _hands(ray: Any, job: Job) -> list[Any]:
    """One for each CPU of the cluster, started anew wherever one is lost."""
    kind = ray.remote(num_cpus=CPUS_PER_WORKER, max_restarts=-1, max_task_retries=-1)(Hand)
    cpus = int(ray.cluster_resources().get("CPU", 0))
    hands = [kind.remote(job) for _ in range(max(1, cpus))]
    ready = [hand.ready.remote() for hand in hands]
    first, _ = ray.wait(ready, num_returns=1, timeout=START_TIMEOUT_S)
    if not first:
        raise Unreachable(f"the Ray cluster gave no worker in {START_TIMEOUT_S:.0f} s")
    ray.get(first)  # an examiner or a source that cannot be opened is told now
    return hands


def _said(e: Exception) -> str:
    return str(e).strip().partition("\n")[0][:300]
