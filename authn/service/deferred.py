"""Examinations that outlive their request: accepted, kept on disk, done by whichever process has time.

What is kept until then is the upload (``authn.jobs.spool``) and what was asked about it; both go when the job
ends. The report lies where every other report does, under the job's own id.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from threading import Condition, Semaphore
from typing import Protocol

from sqlalchemy import Connection

from authn.core.errors import AuthnError, InputLost, JobExpired
from authn.core.instants import instant, utc_of
from authn.core.likeness import Viewer
from authn.core.media import Media, MediaLimits, unparsed, with_sidecar
from authn.core.plain import Json
from authn.jobs.spool import Spool
from authn.jobs.table import Job, Jobs, new_job
from authn.service.examinations import Asked, Examinations
from authn.store.engine import Also
from authn.store.verifications import Verifications

KIND = "verification"
OVERDUE_AT_ONCE = 100
LOOK_EVERY_S = 0.2
MAX_WAITING = 2  # of one process: each holds a thread that takes uploads


class Hears(Protocol):
    """Is told, inside the transaction that ends a job, what became of it."""

    def __call__(self, connection: Connection, job: Job, problem: Json) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How much may wait, and for how long."""

    most: int
    most_bytes: int
    keep: timedelta
    limits: MediaLimits


class Deferred:
    """``authn.jobs.runner.Work`` for examinations, and what a request may do with them."""

    kind = KIND

    def __init__(
        self,
        jobs: Jobs,
        spool: Spool,
        examinations: Examinations,
        verifications: Verifications,
        terms: Terms,
        clock: Callable[[], datetime],
        hears: Sequence[Hears] = (),
    ) -> None:
        self._jobs, self._spool, self._clock = jobs, spool, clock
        self._examinations, self._verifications = examinations, verifications
        self._terms, self._hears = terms, tuple(hears)
        self._ended = Condition()
        self._waiting = Semaphore(MAX_WAITING)
        self.on_new: Callable[[], None] = lambda: None

    def accept(self, media: Media, asked: Asked, *, also: Also | None = None) -> Job:
        """On the disk and in the table when it returns; ``also`` is called in the transaction that does it.
        Raises ``QueueFull``, ``SpoolFull``, ``Unavailable``, and what ``also`` raises; then nothing of it is
        kept."""
        job = self.prepared(media, asked)
        self.accept_all((job,), also)
        return job

    def prepared(self, media: Media, asked: Asked, *, batch_id: str | None = None) -> Job:
        """The upload is on the disk, and the job is not in the table yet. Raises as ``accept``."""
        task = {
            "name": media.name,
            "claimed_type": media.claimed_type,
            "sha256": media.sha256,
            "sidecar_sha256": None if media.sidecar is None else hashlib.sha256(media.sidecar).hexdigest(),
            "as_of": None if asked.as_of is None else instant(asked.as_of),
            "heuristics": asked.heuristics,
            "forensics": asked.forensics,
            "preview": asked.preview,
            "viewer": None if asked.viewer is None else asdict(asked.viewer),
        }
        size = len(media.data) + len(media.sidecar or b"")
        job = new_job(
            KIND,
            json.dumps(task),
            self._clock(),
            self._terms.keep,
            owner=asked.owner,
            batch_id=batch_id,
            size_bytes=size,
        )
        self._spool.keep(job.id, media.data, media.sidecar)
        return job

    def accept_all(self, jobs: Sequence[Job], also: Also | None = None) -> None:
        """All that were ``prepared``, or none. Raises as ``accept``."""
        try:
            self._jobs.add(jobs, most=self._terms.most, most_bytes=self._terms.most_bytes, also=also)
        except AuthnError:
            self.abandon(jobs)
            raise
        self.on_new()

    def abandon(self, jobs: Sequence[Job]) -> None:
        """They were ``prepared``, and nothing came of it."""
        for job in jobs:
            self._spool.drop(job.id)

    def find(self, id_: str, owner: str | None) -> Job:
        """Raises ``JobUnknown``."""
        return self._jobs.get(id_, KIND, owner)

    def before(self, job: Job) -> int:
        """How many wait before it."""
        return self._jobs.before(job)

    def wait(self, job: Job, seconds: float) -> Job:
        """The job when it has ended, or as it is after so many seconds; at once where others wait already."""
        if not self._waiting.acquire(blocking=False):
            return job
        try:
            end = time.monotonic() + seconds
            while (now := self.find(job.id, job.owner)).open and (left := end - time.monotonic()) > 0:
                with self._ended:
                    self._ended.wait(min(LOOK_EVERY_S, left))
        finally:
            self._waiting.release()
        return now

    def delete(self, id_: str, owner: str | None) -> None:
        """Whoever works on it can write nothing any more, and its upload goes. A report that there is stays.
        Raises ``JobUnknown``."""
        job = self.find(id_, owner)
        self._jobs.delete(job)
        self._spool.drop(job.id)

    def forget(self, ids: Sequence[str]) -> None:
        """Their rows are gone, and now their uploads go."""
        for id_ in ids:
            self._spool.drop(id_)

    def run(self, job: Job) -> None:
        """As ``authn.jobs.runner.Work``."""
        task = json.loads(job.task)
        if "sidecar_sha256" not in task:  # nothing would say whether what lay beside the file is still there
            raise InputLost(
                "an older version of this service took it in, and had not examined it; send it again"
            )
        data, sidecar = self._spool.load(job.id, task["sha256"], task["sidecar_sha256"])
        media = unparsed(data, task["name"], self._terms.limits)
        media = replace(media, claimed_type=task["claimed_type"])
        if sidecar is not None:
            media = with_sidecar(media, sidecar, "manifest")
        asked = Asked(
            as_of=None if task["as_of"] is None else utc_of(task["as_of"]),
            heuristics=task["heuristics"],
            forensics=task["forensics"],
            preview=task["preview"],
            owner=job.owner,
            viewer=None if task["viewer"] is None else Viewer(**task["viewer"]),
        )
        stored = self._examinations.examined(media, asked, id_=job.id)

        def also(connection: Connection) -> None:
            self._verifications.insert(connection, stored)
            self._tell(connection, job, None)

        if self._jobs.finish(job, self._clock(), stored.expires_at, also):
            self._gone(job)

    def give_up(self, job: Job, why: AuthnError) -> None:
        """As ``authn.jobs.runner.Work``."""
        now = self._clock()
        problem: Json = {"code": why.code, "status": why.http_status, "detail": why.detail}

        def also(connection: Connection) -> None:
            self._tell(connection, job, problem)

        keep_until = self._verifications.kept_until(now)
        if self._jobs.fail(job, json.dumps(problem), now, keep_until, also):
            self._gone(job)

    def pause(self, attempts: int) -> timedelta:
        """As ``authn.jobs.runner.Work``: 2, 4, 8 ... seconds, a minute at most."""
        return timedelta(seconds=min(2**attempts, 60))

    def sweep(self) -> None:
        """As ``authn.jobs.runner.Work``."""
        now = self._clock()
        for job in self._jobs.overdue(KIND, now, OVERDUE_AT_ONCE):
            self.give_up(job, JobExpired("nobody had time for it as long as it may wait"))
        self._jobs.purge(now)
        self._spool.sweep(self._still_needed)

    def _still_needed(self, ids: Collection[str]) -> Collection[str]:
        return self._jobs.open_ids(tuple(ids))

    def _tell(self, connection: Connection, job: Job, problem: Json) -> None:
        for hear in self._hears:
            hear(connection, job, problem)

    def _gone(self, job: Job) -> None:
        self._spool.drop(job.id)
        with self._ended:
            self._ended.notify_all()
