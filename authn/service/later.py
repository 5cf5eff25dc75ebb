"""Builds what outlives a request: jobs, batches, webhooks, repeats, and the threads that do the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from authn.core.config import Settings
from authn.core.media import MediaLimits
from authn.core.outward import parse_networks
from authn.core.plain import Json
from authn.jobs.runner import Pace, Runner
from authn.jobs.spool import Spool
from authn.jobs.table import Job, Jobs
from authn.service.batches import Batches, batch_is_done
from authn.service.deferred import Deferred, Terms
from authn.service.examinations import Examinations
from authn.service.repeats import Repeats
from authn.service.webhooks import ATTEMPTS, Webhooks, open_webhook_key
from authn.store.verifications import Verifications

JOBS_FOLDER = "jobs"
WEBHOOK_LEASE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """``runners`` are not started."""

    deferred: Deferred
    batches: Batches
    webhooks: Webhooks
    repeats: Repeats
    runners: tuple[Runner, ...]


def open_later(
    settings: Settings,
    engine: Engine,
    examinations: Examinations,
    verifications: Verifications,
    clock: Callable[[], datetime],
) -> Later:
    """Raises ``Unavailable``."""
    jobs = Jobs(engine)
    networks = parse_networks(settings.webhook_networks)
    webhooks = Webhooks(engine, jobs, open_webhook_key(settings.home), networks, clock)
    hears = (_Teller(webhooks, settings.public_url.rstrip("/")),)
    spool = Spool(settings.home / JOBS_FOLDER)
    deferred = Deferred(jobs, spool, examinations, verifications, _terms(settings), clock, hears)
    lease_s, threads = settings.job_lease_seconds, settings.job_workers
    examining = Runner(
        jobs, deferred, Pace(threads=threads, lease_s=lease_s, attempts=settings.job_attempts), clock
    )
    pace = Pace(threads=settings.webhook_workers, lease_s=WEBHOOK_LEASE_S, attempts=ATTEMPTS)
    deferred.on_new = examining.wake
    return Later(
        deferred=deferred,
        batches=Batches(engine, deferred, verifications, clock),
        webhooks=webhooks,
        repeats=Repeats(engine, lease_s, clock),
        runners=(examining, Runner(jobs, webhooks, pace, clock)),
    )


def _terms(settings: Settings) -> Terms:
    return Terms(
        most=settings.jobs_waiting,
        most_bytes=settings.jobs_bytes,
        keep=timedelta(hours=settings.job_hours),
        limits=MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels),
    )


@dataclass(frozen=True, slots=True)
class _Teller:
    """Notices about the end of jobs. ``base``: the service's address, empty where it does not know it."""

    webhooks: Webhooks
    base: str

    def __call__(self, connection: Connection, job: Job, problem: Json) -> None:
        where = f"{self.base}/v1/verifications/{job.id}"
        data: dict[str, Json] = {
            "id": job.id,
            "job": f"{self.base}/v1/jobs/{job.id}",
            "batch_id": job.batch_id,
            "verification": where if problem is None else None,
            "problem": problem,
        }
        event = "verification.done" if problem is None else "verification.not_examined"
        self.webhooks.tell(connection, job.owner, event, data)
        if job.batch_id is not None and batch_is_done(connection, job.batch_id):
            batch = f"{self.base}/v1/batches/{job.batch_id}"
            self.webhooks.tell(connection, job.owner, "batch.done", {"id": job.batch_id, "batch": batch})
