"""Whose clock leases go by."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from authn.core.instants import utc_now
from authn.jobs.table import Jobs, new_job
from authn.store.clock import DatabaseClock
from authn.store.engine import connect_as_it_is, open_engine
from tests.databases import postgresql
from tests.doubles.postgres import new_database

__all__ = ["postgresql"]
LEASE = timedelta(minutes=30)


def an_hour_ahead() -> datetime:
    return utc_now() + timedelta(hours=1)


def test_a_host_whose_clock_is_ahead_takes_no_lease_for_ended(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(new_database(postgresql))
    jobs, mine = Jobs(engine), DatabaseClock(engine)
    jobs.add([new_job("k", "{}", mine(), timedelta(hours=9))], most=9, most_bytes=9)
    assert jobs.claim("k", mine(), LEASE) is not None
    monkeypatch.setattr("authn.store.clock.utc_now", an_hour_ahead)
    assert jobs.claim("k", DatabaseClock(engine)(), LEASE) is None
    assert jobs.claim("k", an_hour_ahead(), LEASE) is not None, "this shows nothing"


def test_a_server_that_does_not_answer_leaves_the_time_that_it_told(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(new_database(postgresql))
    clock = DatabaseClock(engine)
    first = clock()
    monkeypatch.setattr("authn.store.clock.ASK_EVERY_S", 0.0)
    monkeypatch.setattr(clock, "_engine", connect_as_it_is("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    monkeypatch.setattr("authn.store.clock.utc_now", an_hour_ahead)
    assert clock._asked() is None
    assert first <= clock() < first + LEASE


def test_sqlite_has_the_clock_of_its_host(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authn.store.clock.utc_now", lambda: datetime.max)
    assert DatabaseClock(open_engine(f"sqlite:///{tmp_path}/assay.db"))() == datetime.max
