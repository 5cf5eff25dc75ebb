"""On PostgreSQL, where many write at once: whoever tidies up waits for no row that another one holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, Table, func, insert, select, update
from sqlalchemy.engine import make_url

from authn.devices.registry import Registry
from authn.jobs.table import Jobs, State, insert_jobs, new_job
from authn.service.access.rates import Rates
from authn.service.access.requests import DeviceRequests
from authn.service.enrolment.challenges import Challenges
from authn.service.repeats import Held, Repeats
from authn.service.sweeping import sweep
from authn.service.webhooks import KIND, Webhooks
from authn.store.engine import open_engine, reading, writing
from authn.store.schema import (
    batches,
    enrolment_challenges,
    idempotency_keys,
    jobs,
    rate_buckets,
    request_nonces,
    verifications,
    webhooks,
)
from authn.store.verifications import Verifications
from tests.databases import postgresql
from tests.doubles.postgres import new_database

__all__ = ["postgresql"]

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=9)
GONE = NOW - timedelta(hours=3)
ROWS: dict[Table, dict[str, object]] = {
    batches: {"id": "b", "total": 1, "created_at": LONG_AGO, "expires_at": GONE},
    enrolment_challenges: {"challenge": "c", "bound_to": "", "state": b"", "expires_at": LONG_AGO},
    idempotency_keys: {"caller": "a", "key": "k", "fingerprint": "1", "expires_at": GONE},
    jobs: {
        **asdict(new_job("verification", "{}", LONG_AGO, timedelta(days=1), id_="j")),
        "state": State.DONE,
    },
    rate_buckets: {"caller": "a", "tokens": 1.0, "filled_at": GONE},
    request_nonces: {"device_id": "d", "nonce": "n", "expires_at": GONE},
    verifications: {
        "id": "v", "created_at": LONG_AGO, "expires_at": GONE, "subject_sha256": "0" * 64, "report": "{}",
    },
}  # fmt: skip


def begins(engine: Engine) -> None:
    with closing(Repeats(engine, 600, lambda: NOW)) as repeats:
        assert isinstance(repeats.begin("a", "another", "1"), Held)


def keeps_a_report(engine: Engine) -> None:
    Verifications(engine, keep_days=1).save(
        id_="new", subject_sha256="0" * 64, report="{}", preview_jpeg=None, now=NOW
    )


TIDYING: dict[str, Callable[[Engine], object]] = {
    "a key": begins,
    "a report": keeps_a_report,
    "a request that counts": lambda engine: Rates(engine, 60).take("b", NOW),
    "a signed request": lambda engine: DeviceRequests(engine, Registry(engine)).use("d", "new", NOW, 0),
    "a challenge": lambda engine: Challenges(engine).issue("token", NOW),
    "jobs that are over": lambda engine: Jobs(engine).purge(NOW),
    "the sweep": lambda engine: sweep(engine, NOW),
}


@pytest.fixture(scope="module")
def databases(postgresql: str) -> tuple[Engine, Engine]:
    """One database twice: for whoever holds rows, and for one who is told when it would wait for them."""
    address = new_database(postgresql)
    impatient = make_url(address).update_query_dict({"options": "-c lock_timeout=200"})
    other = open_engine(address)
    with writing(other) as connection:
        for table, row in ROWS.items():
            connection.execute(insert(table).values(row))
    return other, open_engine(impatient.render_as_string(hide_password=False))


def held(connection: Connection) -> None:
    for table in ROWS:
        key = [column == ROWS[table][column.name] for column in table.primary_key.columns]
        assert connection.execute(select(table).where(*key).with_for_update()).first() is not None


@pytest.mark.parametrize("act", TIDYING.values(), ids=TIDYING)
def test_what_has_expired_and_is_in_another_s_hands_is_left_for_later(
    databases: tuple[Engine, Engine], act: Callable[[Engine], object]
) -> None:
    """Two that delete the same rows in two orders, or one that renews leases meanwhile, ended as a deadlock,
    which a client saw as 503."""
    other, impatient = databases
    with writing(other) as connection:
        held(connection)
        act(impatient)
        held(connection)


def test_it_goes_when_nobody_holds_it_any_more(postgresql: str) -> None:
    engine = open_engine(new_database(postgresql))
    with writing(engine) as connection:
        for table, row in ROWS.items():
            connection.execute(insert(table).values(row))
    assert (Jobs(engine).purge(NOW), sweep(engine, NOW)) == (1, len(ROWS) - 1)
    with reading(engine) as connection:
        left = [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in ROWS]
    assert left == [0] * len(ROWS)


def test_a_webhook_can_be_deleted_while_one_of_its_notices_ends(databases: tuple[Engine, Engine]) -> None:
    """Whoever ends a notice has its row and wants the webhook's; whoever deletes a webhook wants both."""
    other, impatient = databases
    row = {"id": "w", "owner": "o", "url": "https://example.org/", "created_at": NOW, "failures": 1}
    with writing(other) as connection:
        connection.execute(insert(webhooks).values(row))
        insert_jobs(
            connection, [new_job(KIND, "{}", NOW, timedelta(days=1), id_=id_, lane="w") for id_ in "12"]
        )
    with writing(other) as connection:
        connection.execute(update(jobs).where(jobs.c.id == "1").values(state=State.DONE))
        Webhooks(impatient, Jobs(impatient), b"", (), lambda: NOW).delete("w", "o")
        connection.execute(update(webhooks).where(webhooks.c.id == "w").values(failures=0))
    with reading(other) as connection:
        assert connection.execute(select(jobs.c.id).where(jobs.c.lane == "w")).scalars().all() == ["1"]
        assert connection.execute(select(webhooks.c.id)).first() is None
