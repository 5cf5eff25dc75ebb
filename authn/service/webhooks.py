"""Telling others that an examination has ended, as Standard Webhooks has it (standardwebhooks.com).

Each notice is a job of its own, written in the transaction that ends the examination, so that none is lost
and none is sent for what was undone. One notice at a time goes to each receiver; one that fails leaves its
receiver alone for a while with all its notices, so that a receiver that hangs costs the others nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from authn.core.errors import (
    AuthnError,
    FileUnusable,
    JobExpired,
    Unreachable,
    WebhookRefused,
    WebhookUnknown,
)
from authn.core.instants import instant
from authn.core.outward import Network, checked, post
from authn.core.plain import Json
from authn.jobs.table import Job, Jobs, State, insert_jobs, new_job
from authn.store.engine import Turn, alone, reading, rows_of, writing
from authn.store.schema import jobs, webhooks
from signer.core.durable import create_durably

KIND = "webhook"
MOST_OF_ONE = 10
TIMEOUT_S = 10.0
KEPT = timedelta(days=3)
# After each attempt, as Standard Webhooks recommends.
PAUSES_S = (5, 300, 1800, 7200, 18000, 36000, 50400)
ATTEMPTS = len(PAUSES_S) + 1
MAX_QUIET_S = 600
OVERDUE_AT_ONCE = 1000
GONE = 410
KEY_FILE = "webhook-key"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Who is told. ``failures``: how many attempts failed since the last that did not; ``quiet_until``: it is
    left alone till then."""

    id: str
    owner: str
    url: str
    created_at: datetime
    failures: int
    quiet_until: datetime | None


class Webhooks:
    """Receivers of notices, and ``authn.jobs.runner.Work`` that sends them. Every method raises
    ``Unavailable`` when the database cannot be used."""

    kind = KIND

    def __init__(
        self,
        engine: Engine,
        jobs: Jobs,
        key: bytes,
        networks: Sequence[Network],
        clock: Callable[[], datetime],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._engine, self._jobs, self._clock = engine, jobs, clock
        self._key, self._networks, self._timeout_s = key, tuple(networks), timeout_s

    def create(self, owner: str, url: str) -> Webhook:
        """Raises ``WebhookRefused``: an address that may not be reached, or more than ten of one owner."""
        try:
            checked(url, self._networks)
        except Unreachable as e:
            raise WebhookRefused(e.detail) from e
        made = Webhook(
            id=secrets.token_hex(16),
            owner=owner,
            url=url,
            created_at=self._clock(),
            failures=0,
            quiet_until=None,
        )
        values = {name: getattr(made, name) for name in made.__dataclass_fields__}
        with writing(self._engine) as connection:
            alone(connection, Turn.QUEUEING)
            mine = select(func.count()).where(webhooks.c.owner == owner)
            if connection.execute(mine).scalar_one() >= MOST_OF_ONE:
                raise WebhookRefused(f"there are {MOST_OF_ONE} already; delete one first")
            connection.execute(insert(webhooks).values(values))
        return made

    def secret(self, webhook: Webhook) -> str:
        """What its notices are signed with: derived, so that the database does not hold it."""
        return f"whsec_{base64.b64encode(self._secret(webhook.id)).decode()}"

    def of(self, owner: str) -> tuple[Webhook, ...]:
        """Those of one owner, oldest first."""
        query = select(webhooks).where(webhooks.c.owner == owner).order_by(webhooks.c.created_at)
        with reading(self._engine) as connection:
            return tuple(Webhook(**row) for row in connection.execute(query).mappings())

    def find(self, id_: str, owner: str) -> Webhook:
        """Raises ``WebhookUnknown``."""
        found = next((w for w in self.of(owner) if w.id == id_), None)
        if found is None:
            raise WebhookUnknown("there is no such webhook")
        return found

    def delete(self, id_: str, owner: str) -> None:
        """With the notices that wait for it. Raises ``WebhookUnknown``."""
        found = self.find(id_, owner)
        with writing(self._engine) as connection:
            self._forget(connection, found.id)

    def test(self, id_: str, owner: str) -> None:
        """Send a notice that means nothing. Raises ``WebhookUnknown``."""
        found = self.find(id_, owner)
        with writing(self._engine) as connection:
            self._queue(connection, (found,), "webhook.test", {})

    def tell(self, connection: Connection, owner: str | None, event: str, data: dict[str, Json]) -> None:
        """Queue a notice for each receiver of this owner, in a transaction of somebody else's."""
        if owner is None:
            return
        query = select(webhooks).where(webhooks.c.owner == owner)
        found = tuple(Webhook(**row) for row in connection.execute(query).mappings())
        self._queue(connection, found, event, data)

    def run(self, job: Job) -> None:
        """As ``authn.jobs.runner.Work``."""
        with reading(self._engine) as connection:
            row = connection.execute(select(webhooks).where(webhooks.c.id == job.lane)).mappings().first()
        if row is None:
            raise WebhookUnknown("the webhook was deleted")
        webhook = Webhook(**row)
        try:
            status = self._sent(webhook, job)
        except Unreachable:
            self._leave_alone(webhook)
            raise
        if status == GONE:
            with writing(self._engine) as connection:
                self._forget(connection, webhook.id)
        elif not 200 <= status < 300:
            self._leave_alone(webhook)
            raise Unreachable(f"the receiver answered {status}")
        else:
            self._jobs.finish(job, self._clock(), self._clock() + KEPT, also=self._healthy(webhook))

    def give_up(self, job: Job, why: AuthnError) -> None:
        """As ``authn.jobs.runner.Work``."""
        problem = json.dumps({"code": why.code, "status": why.http_status, "detail": why.detail})
        self._jobs.fail(job, problem, self._clock(), self._clock() + KEPT)

    def pause(self, attempts: int) -> timedelta:
        """As ``authn.jobs.runner.Work``."""
        return timedelta(seconds=PAUSES_S[min(attempts, len(PAUSES_S)) - 1])

    def sweep(self) -> None:
        """As ``authn.jobs.runner.Work``."""
        for job in self._jobs.overdue(KIND, self._clock(), OVERDUE_AT_ONCE):
            self.give_up(job, JobExpired("it could not be sent as long as it may wait"))

    def _sent(self, webhook: Webhook, job: Job) -> int:
        target = checked(webhook.url, self._networks)
        body = job.task.encode()
        sent_at = str(int(self._clock().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Assay-Webhooks",
            "webhook-id": job.id,
            "webhook-timestamp": sent_at,
            "webhook-signature": signature(self._secret(webhook.id), job.id, sent_at, body),
        }
        return post(target, body, headers, self._timeout_s)

    def _queue(
        self, connection: Connection, receivers: Sequence[Webhook], event: str, data: dict[str, Json]
    ) -> None:
        now = self._clock()
        body = json.dumps({"type": event, "timestamp": instant(now), "data": data})
        new = [new_job(KIND, body, now, KEPT, owner=w.owner, lane=w.id) for w in receivers]
        insert_jobs(connection, new)
        for webhook in receivers:
            if webhook.quiet_until is not None and webhook.quiet_until > now:
                _hold_back(connection, webhook.id, webhook.quiet_until)

    def _leave_alone(self, webhook: Webhook) -> None:
        failures = webhook.failures + 1
        until = self._clock() + timedelta(seconds=min(5 * 2 ** min(failures - 1, 20), MAX_QUIET_S))
        with writing(self._engine) as connection:
            values = {"failures": failures, "quiet_until": until}
            connection.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(values))
            _hold_back(connection, webhook.id, until)

    def _healthy(self, webhook: Webhook) -> Callable[[Connection], None]:
        def also(connection: Connection) -> None:
            if webhook.failures:
                values = {"failures": 0, "quiet_until": None}
                connection.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(values))
                waiting = (jobs.c.lane == webhook.id) & (jobs.c.state == State.QUEUED)
                these = rows_of(jobs, waiting & (jobs.c.attempts == 0), wait=True)
                connection.execute(update(jobs).where(these).values(due_at=self._clock()))

        return also

    def _forget(self, connection: Connection, id_: str) -> None:
        connection.execute(delete(webhooks).where(webhooks.c.id == id_))
        # One that is being sent ends by itself, and whoever ends it wants the row of the webhook.
        connection.execute(delete(jobs).where(rows_of(jobs, (jobs.c.lane == id_) & (jobs.c.kind == KIND))))

    def _secret(self, id_: str) -> bytes:
        return hmac.digest(self._key, f"assay webhook {id_}".encode(), "sha256")


def signature(secret: bytes, id_: str, sent_at: str, body: bytes) -> str:
    """As Standard Webhooks has it, version 1."""
    signed = f"{id_}.{sent_at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def open_webhook_key(home: Path) -> bytes:
    """The secret that those of webhooks are derived from, which is made if there is none (mode 0600). Raises
    ``Unavailable``."""
    path = home / KEY_FILE
    try:
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # another process was first; its key is the one
                create_durably(path, secrets.token_hex(KEY_BYTES).encode() + b"\n")
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as e:
        raise FileUnusable(f"the key of webhooks {path} cannot be read or made") from e
    if len(key) < KEY_BYTES:
        raise FileUnusable(f"the key of webhooks in {path} is shorter than {KEY_BYTES} bytes")
    return key


def _hold_back(connection: Connection, lane: str, until: datetime) -> None:
    waiting = (jobs.c.lane == lane) & (jobs.c.state == State.QUEUED) & (jobs.c.due_at < until)
    connection.execute(update(jobs).where(rows_of(jobs, waiting, wait=True)).values(due_at=until))
