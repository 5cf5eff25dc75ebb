"""Reports that were given out, kept until they expire. Whoever knows an id may read and delete it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from authn.core.errors import NotFound
from authn.store.engine import Also, reading, rows_of, writing
from authn.store.schema import jobs, verifications


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVerification:
    """``report`` is the report's JSON text exactly as it was answered; ``maps`` are those of
    ``authn.core.score_map``, None where the report is from before there were any; ``owner`` is who asked for
    it (``Principal.name``), None for strangers."""

    id: str
    created_at: datetime
    expires_at: datetime
    subject_sha256: str
    report: str
    preview_jpeg: bytes | None = None
    maps: str | None = None
    owner: str | None = None


# Made once: every verification runs them.
_COLUMNS = tuple(f.name for f in fields(StoredVerification))
_EXPIRED = verifications.c.expires_at <= bindparam("now")
_DROP_EXPIRED = delete(verifications).where(rows_of(verifications, _EXPIRED))
_KEEP = insert(verifications)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A report without its content."""

    id: str
    created_at: datetime
    expires_at: datetime
    subject_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """In a list: behind this report."""

    created_at: datetime
    id: str


class Verifications:
    """The store of reports. Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine, keep_days: int) -> None:
        self._engine = engine
        self._keep = timedelta(days=keep_days)

    def save(
        self,
        *,
        id_: str,
        subject_sha256: str,
        report: str,
        preview_jpeg: bytes | None,
        maps: str | None = None,
        owner: str | None = None,
        now: datetime,
    ) -> StoredVerification:
        """Keep a report, and drop those that have expired by now."""
        stored = StoredVerification(
            id=id_,
            created_at=now,
            expires_at=self.kept_until(now),
            subject_sha256=subject_sha256,
            report=report,
            preview_jpeg=preview_jpeg,
            maps=maps,
            owner=owner,
        )
        self.keep(stored)
        return stored

    def keep(self, stored: StoredVerification, also: Also | None = None) -> None:
        """As ``save``, for one that is made already; ``also`` first, in the same transaction."""
        with writing(self._engine) as connection:
            if also is not None:
                also(connection)
            self.insert(connection, stored)

    def insert(self, connection: Connection, stored: StoredVerification) -> None:
        """As ``keep``, in a transaction of somebody else's."""
        connection.execute(_DROP_EXPIRED, {"now": stored.created_at})
        connection.execute(_KEEP, {name: getattr(stored, name) for name in _COLUMNS})

    def kept_until(self, now: datetime) -> datetime:
        """When what is kept now expires."""
        return now + self._keep

    def get(self, id_: str, now: datetime) -> StoredVerification:
        """Raises ``NotFound`` for an id that was never given out, was deleted, or has expired."""
        query = select(verifications).where(verifications.c.id == id_, verifications.c.expires_at > now)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFound("there is no such verification; it may have expired or been deleted")
        return StoredVerification(**row)

    def owned(self, owner: str, now: datetime, after: Place | None, most: int) -> tuple[Listed, ...]:
        """Those of one owner, the newest first, beginning behind ``after``."""
        v = verifications.c
        query = (
            select(v.id, v.created_at, v.expires_at, v.subject_sha256)
            .where(v.owner == owner, v.expires_at > now)
            .order_by(v.created_at.desc(), v.id.desc())
            .limit(most)
        )
        if after is not None:
            older = v.created_at < after.created_at
            query = query.where(older | ((v.created_at == after.created_at) & (v.id < after.id)))
        with reading(self._engine) as connection:
            return tuple(Listed(**row) for row in connection.execute(query).mappings())

    def delete(self, id_: str) -> None:
        """And the row of the job that it came of. Raises ``NotFound``."""
        with writing(self._engine) as connection:
            gone = connection.execute(delete(verifications).where(verifications.c.id == id_)).rowcount
            if gone:
                connection.execute(delete(jobs).where(jobs.c.id == id_))
        if not gone:
            raise NotFound("there is no such verification; it may have expired or been deleted")

    def purge(self, now: datetime) -> int:
        """Delete what has expired; returns how many."""
        with writing(self._engine) as connection:
            return connection.execute(_DROP_EXPIRED, {"now": now}).rowcount
