"""The table of jobs, which all processes of a service share.

A job is done by one worker at a time, under a lease that a heartbeat extends. ``due_at`` is when somebody may
take it up: at once, after a pause, or when the lease of whoever has it ends, so that a worker that was killed
costs one lease and nobody has to notice its death. What it would still write after that its token refuses.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, exists, func, insert, select, update

from authn.core.errors import JobUnknown, QueueFull
from authn.store.engine import Also, Turn, alone, reading, rows_of, writing
from authn.store.schema import jobs

TOKEN_BYTES = 16
ID_BYTES = 16  # whoever knows the id of a job that nobody owns may read it, so it must not be guessable


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


OPEN = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row. ``owner``: who asked (``Principal.name``), None for strangers; ``lane``: of jobs of one lane
    one runs at a time; ``task`` and ``problem`` are JSON objects; ``bytes``: what it keeps on disk;
    ``attempts``: how often it was begun; ``leased_by``: the token of whoever has it."""

    id: str
    kind: str
    owner: str | None
    batch_id: str | None
    lane: str | None
    state: str
    task: str
    problem: str | None
    bytes: int
    attempts: int
    created_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    leased_by: str | None

    @property
    def open(self) -> bool:
        return self.state in OPEN


def new_job(
    kind: str,
    task: str,
    now: datetime,
    keep: timedelta,
    *,
    id_: str | None = None,
    owner: str | None = None,
    batch_id: str | None = None,
    lane: str | None = None,
    size_bytes: int = 0,
) -> Job:
    """A job that may be taken up at once; ``keep``: after that time it is given up."""
    return Job(
        id=id_ or secrets.token_hex(ID_BYTES),
        kind=kind,
        owner=owner,
        batch_id=batch_id,
        lane=lane,
        state=State.QUEUED,
        task=task,
        problem=None,
        bytes=size_bytes,
        attempts=0,
        created_at=now,
        due_at=now,
        started_at=None,
        finished_at=None,
        expires_at=now + keep,
        leased_by=None,
    )


def insert_jobs(connection: Connection, new: Sequence[Job]) -> None:
    """In a transaction of somebody else's."""
    if new:
        connection.execute(insert(jobs), [asdict(job) for job in new])


class Jobs:
    """Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, new: Sequence[Job], *, most: int, most_bytes: int, also: Also | None = None) -> None:
        """All of one kind, or none. Raises ``QueueFull`` where so many of the kind are open, or keep so many
        bytes, that these would be more than ``most`` or ``most_bytes``."""
        query = select(func.count(), func.coalesce(func.sum(jobs.c.bytes), 0)).where(
            jobs.c.kind == new[0].kind, jobs.c.state.in_(OPEN)
        )
        with writing(self._engine) as connection:
            alone(connection, Turn.QUEUEING)
            count, held = connection.execute(query).one()
            if count + len(new) > most:
                raise QueueFull(f"{count} jobs wait already, and {most} may; try again later")
            if held + sum(job.bytes for job in new) > most_bytes:
                raise QueueFull(f"jobs keep {held} bytes already, and {most_bytes} may be; try again later")
            insert_jobs(connection, new)
            if also is not None:
                also(connection)

    def claim(self, kind: str, now: datetime, lease: timedelta) -> Job | None:
        """The next job that is due, now the caller's until ``now + lease``. Single ones come before those of
        a batch, and of a lane none comes while another of it runs."""
        query = _due(kind, now).limit(1)
        with reading(self._engine) as connection:  # mostly nothing is due
            if connection.execute(query).first() is None:
                return None
        with writing(self._engine) as connection:
            alone(connection, Turn.QUEUEING)
            row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
            if row is None:
                return None
            mine: dict[str, Any] = {
                "state": State.RUNNING,
                "leased_by": secrets.token_hex(TOKEN_BYTES),
                "due_at": now + lease,
                "attempts": row["attempts"] + 1,
                "started_at": row["started_at"] or now,
            }
            connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(mine))
        return Job(**{**row, **mine})

    def extend(self, job: Job, until: datetime) -> bool:
        """The heartbeat. False where the lease has ended and somebody else has the job, or it was deleted."""
        return self._change(job, {"due_at": until})

    def finish(self, job: Job, now: datetime, keep_until: datetime, also: Also | None = None) -> bool:
        """It is done; ``also`` writes what came of it. False, and nothing written, as for ``extend``."""
        return self._end(job, State.DONE, None, now, keep_until, also)

    def fail(
        self, job: Job, problem: str, now: datetime, keep_until: datetime, also: Also | None = None
    ) -> bool:
        """It is given up for this reason. As ``finish``."""
        return self._end(job, State.FAILED, problem, now, keep_until, also)

    def postpone(self, job: Job, due_at: datetime) -> bool:
        """Somebody is to try again, not before then."""
        return self._change(job, {"state": State.QUEUED, "leased_by": None, "due_at": due_at})

    def release(self, job: Job, now: datetime) -> bool:
        """Whoever has it stops, which is not the job's fault: the attempt does not count."""
        back = {"state": State.QUEUED, "leased_by": None, "due_at": now, "attempts": job.attempts - 1}
        return self._change(job, back)

    def get(self, id_: str, kind: str, owner: str | None) -> Job:
        """Raises ``JobUnknown``, also for a job of somebody else's: that it exists is nobody's business."""
        query = select(jobs).where(jobs.c.id == id_, jobs.c.kind == kind)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None or row["owner"] not in (None, owner):
            raise JobUnknown("there is no such job; it may have expired or been deleted")
        return Job(**row)

    def before(self, job: Job) -> int:
        """How many jobs of the kind wait and are older."""
        older = (
            jobs.c.kind == job.kind,
            jobs.c.state == State.QUEUED,
            jobs.c.created_at < job.created_at,
            *((jobs.c.batch_id.is_(None),) if job.batch_id is None else ()),
        )
        with reading(self._engine) as connection:
            return int(connection.execute(select(func.count()).where(*older)).scalar_one())

    def delete(self, job: Job) -> None:
        """From now on whoever does it can write nothing any more. Raises ``JobUnknown``."""
        with writing(self._engine) as connection:
            if not connection.execute(delete(jobs).where(jobs.c.id == job.id)).rowcount:
                raise JobUnknown("there is no such job; it may have expired or been deleted")

    def overdue(self, kind: str, now: datetime, most: int) -> tuple[Job, ...]:
        """Jobs that nobody had time for until they expired, now the caller's to give up."""
        expired = (jobs.c.kind == kind, jobs.c.state == State.QUEUED, jobs.c.expires_at <= now)
        token = {"state": State.RUNNING, "leased_by": secrets.token_hex(TOKEN_BYTES)}
        with reading(self._engine) as connection:
            if connection.execute(select(jobs.c.id).where(*expired).limit(1)).first() is None:
                return ()
        with writing(self._engine) as connection:
            query = select(jobs).where(*expired).limit(most).with_for_update(skip_locked=True)
            rows = connection.execute(query).mappings().all()
            taken = [row["id"] for row in rows]
            connection.execute(update(jobs).where(jobs.c.id.in_(taken)).values(token))
        return tuple(Job(**{**row, **token}) for row in rows)

    def purge(self, now: datetime) -> int:
        """Delete finished jobs that nobody may ask about any more; returns how many."""
        done = jobs.c.state.not_in(OPEN) & (jobs.c.expires_at <= now)
        with reading(self._engine) as connection:
            if connection.execute(select(jobs.c.id).where(done).limit(1)).first() is None:
                return 0
        with writing(self._engine) as connection:
            return connection.execute(delete(jobs).where(rows_of(jobs, done))).rowcount

    def open_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Which of these are open."""
        query = select(jobs.c.id).where(jobs.c.id.in_(ids), jobs.c.state.in_(OPEN))
        with reading(self._engine) as connection:
            return frozenset(connection.execute(query).scalars())

    def _change(self, job: Job, values: Mapping[str, Any]) -> bool:
        with writing(self._engine) as connection:
            return bool(connection.execute(update(jobs).where(*_mine(job)).values(values)).rowcount)

    def _end(
        self,
        job: Job,
        state: State,
        problem: str | None,
        now: datetime,
        keep_until: datetime,
        also: Also | None,
    ) -> bool:
        ended = {
            "state": state,
            "problem": problem,
            "finished_at": now,
            "expires_at": keep_until,
            "leased_by": None,
            "bytes": 0,
        }
        with writing(self._engine) as connection:
            if not connection.execute(update(jobs).where(*_mine(job)).values(ended)).rowcount:
                return False
            if also is not None:
                also(connection)
        return True


def _mine(job: Job) -> tuple[ColumnElement[bool], ...]:
    return jobs.c.id == job.id, jobs.c.leased_by == job.leased_by


def _due(kind: str, now: datetime) -> Select[Any]:
    other = jobs.alias()
    lane_is_taken = exists().where(
        other.c.lane == jobs.c.lane, other.c.state == State.RUNNING, other.c.due_at > now
    )
    return (
        select(jobs)
        .where(jobs.c.kind == kind, jobs.c.state.in_(OPEN), jobs.c.due_at <= now, ~lane_is_taken)
        .order_by(jobs.c.batch_id.is_not(None), jobs.c.due_at, jobs.c.created_at)
    )
