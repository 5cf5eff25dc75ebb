"""Many files that were sent in one request: one job each, one place to ask about all of them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, delete, func, insert, or_, select

from authn.core.errors import AuthnError, BatchUnknown
from authn.core.media import Media
from authn.core.plain import Json
from authn.jobs.table import ID_BYTES, OPEN, Job, State, new_job
from authn.service.deferred import KIND, Deferred
from authn.service.examinations import Asked
from authn.store.engine import Also, reading, rows_of, writing
from authn.store.schema import batches, jobs, verifications
from authn.store.verifications import Verifications

ROWS_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file of a batch that is not examined, and why."""

    name: str
    why: AuthnError


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """``total``: so many files it had."""

    id: str
    owner: str | None
    total: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one file: ``report`` is JSON text, None where there is none (yet)."""

    job: Job
    report: str | None

    @property
    def name(self) -> str:
        return str(json.loads(self.job.task)["name"])


class Batches:
    """Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(
        self,
        engine: Engine,
        deferred: Deferred,
        store: Verifications,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine, self._deferred, self._store, self._clock = engine, deferred, store, clock

    def accept(self, files: Iterable[Media | Refused], asked: Asked, first: Also | None = None) -> Batch:
        """All of them are on the disk and in the table when it returns, or none is; ``first`` is called in
        the transaction that does it. Raises as ``Deferred.accept``, and what the two raise."""
        now, id_ = self._clock(), secrets.token_hex(ID_BYTES)
        accepted: list[Job] = []
        refused: list[Job] = []
        whole = False
        try:
            for file in files:
                if isinstance(file, Refused):
                    refused.append(self._refused(file, asked, id_, now))
                else:
                    accepted.append(self._deferred.prepared(file, asked, batch_id=id_))
            whole = True
        finally:
            if not whole:
                self._deferred.abandon(accepted)
        batch = Batch(
            id=id_,
            owner=asked.owner,
            total=len(accepted) + len(refused),
            created_at=now,
            expires_at=self._store.kept_until(now),
        )

        def also(connection: Connection) -> None:
            if first is not None:
                first(connection)
            connection.execute(delete(batches).where(rows_of(batches, batches.c.expires_at <= now)))
            connection.execute(insert(batches).values(asdict(batch)))

        self._deferred.accept_all((*accepted, *refused), also)
        return batch

    def find(self, id_: str, owner: str | None) -> Batch:
        """Raises ``BatchUnknown``, also for somebody else's."""
        query = select(batches).where(batches.c.id == id_, batches.c.expires_at > self._clock())
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None or row["owner"] not in (None, owner):
            raise BatchUnknown("there is no such batch; it may have expired or been deleted")
        return Batch(**row)

    def counts(self, batch: Batch) -> Mapping[State, int]:
        """How many of its jobs are where; those that were deleted are nowhere."""
        query = select(jobs.c.state, func.count()).where(jobs.c.batch_id == batch.id).group_by(jobs.c.state)
        with reading(self._engine) as connection:
            found = {State(state): count for state, count in connection.execute(query)}
        return {state: found.get(state, 0) for state in State}

    def results(self, batch: Batch) -> Iterator[Result]:
        """What became of each file, in the order of acceptance; read piece by piece."""
        last: Job | None = None
        while True:
            query = (
                select(jobs, verifications.c.report)
                .outerjoin(verifications, verifications.c.id == jobs.c.id)
                .where(jobs.c.batch_id == batch.id)
                .order_by(jobs.c.created_at, jobs.c.id)
                .limit(ROWS_AT_ONCE)
            )
            if last is not None:
                behind = and_(jobs.c.created_at == last.created_at, jobs.c.id > last.id)
                query = query.where(or_(jobs.c.created_at > last.created_at, behind))
            with reading(self._engine) as connection:
                rows = connection.execute(query).mappings().all()
            for row in rows:
                found = dict(row)
                report = found.pop("report")
                last = Job(**found)
                yield Result(job=last, report=report)
            if len(rows) < ROWS_AT_ONCE:
                return

    def delete(self, id_: str, owner: str | None) -> None:
        """With the jobs that are not done yet, and their uploads; reports stay. Raises ``BatchUnknown``."""
        batch = self.find(id_, owner)
        query = select(jobs.c.id).where(jobs.c.batch_id == batch.id)
        with writing(self._engine) as connection:
            ids = connection.execute(query).scalars().all()
            of_it = rows_of(jobs, jobs.c.batch_id == batch.id, wait=True)
            connection.execute(delete(jobs).where(of_it))
            connection.execute(delete(batches).where(batches.c.id == batch.id))
        self._deferred.forget(ids)

    def _refused(self, file: Refused, asked: Asked, batch_id: str, now: datetime) -> Job:
        problem: dict[str, Json] = {
            "code": file.why.code,
            "status": file.why.http_status,
            "detail": file.why.detail,
        }
        task = json.dumps({"name": file.name})
        job = new_job(
            KIND, task, now, self._store.kept_until(now) - now, owner=asked.owner, batch_id=batch_id
        )
        return replace(job, state=State.FAILED, problem=json.dumps(problem), finished_at=now)


def batch_is_done(connection: Connection, batch_id: str) -> bool:
    """In the transaction that ends a job: whether it was the last. One such transaction at a time is let in,
    so that of two last ones one knows it."""
    connection.execute(select(batches.c.id).where(batches.c.id == batch_id).with_for_update())
    left = select(func.count()).where(jobs.c.batch_id == batch_id, jobs.c.state.in_(OPEN))
    return connection.execute(left).scalar_one() == 0
