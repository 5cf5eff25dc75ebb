"""Who holds an Idempotency-Key, and for how long: on both databases, by processes that are really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, Table, delete, event, insert, select

from authn.core.errors import RepeatDiffers, RepeatInFlight
from authn.core.instants import utc_now
from authn.service.access.rates import Rates
from authn.service.repeats import KEPT, Answered, Held, Repeats
from authn.store.captures import Capture, TakenCaptures
from authn.store.engine import open_engine, reading, writing
from authn.store.schema import captures, devices, rate_buckets
from authn.store.schema import idempotency_keys as table
from tests.conftest import ROOT
from tests.databases import database_url, postgresql
from tests.doubles.postgres import new_database
from tests.waiting import PATIENCE_S, until

__all__ = ["database_url", "postgresql"]
LEASE_S = 0.9
ANSWERED = Answered(status=202, headers={"Location": "/x"}, body=b"{}")


def held(repeats: Repeats, fingerprint: str = "1") -> Held:
    mine = repeats.begin("a", "k", fingerprint)
    assert isinstance(mine, Held)
    return mine


def repeats_at(database_url: str, clock: Callable[[], datetime], lease_s: float = LEASE_S) -> Repeats:
    return Repeats(open_engine(database_url), lease_s, clock)


def test_an_answer_is_kept_for_a_day_and_is_that_request_s_alone(database_url: str) -> None:
    now = [datetime.fromisoformat("2026-11-30T12:00:00Z")]
    repeats = repeats_at(database_url, lambda: now[0], lease_s=600)
    with closing(repeats):
        first = held(repeats)
        assert repeats.keep(first, ANSWERED)
        assert repeats.begin("a", "k", "1") == ANSWERED
        with pytest.raises(RepeatDiffers):
            repeats.begin("a", "k", "2")
        repeats.release(first)  # what was answered stays
        assert repeats.begin("a", "k", "1") == ANSWERED
        now[0] += KEPT
        repeats.release(held(repeats, "2"))
        held(repeats, "3")


def test_who_lost_its_lease_overwrites_nothing(database_url: str) -> None:
    now = [datetime.fromisoformat("2026-11-30T12:00:00Z")]
    repeats = repeats_at(database_url, lambda: now[0], lease_s=600)
    with closing(repeats):
        stood_still = held(repeats)
        now[0] += timedelta(seconds=600)
        second = held(repeats)
        assert not repeats.keep(stood_still, Answered(status=200))
        repeats.release(stood_still)
        with pytest.raises(RepeatInFlight):
            repeats.begin("a", "k", "1")
        assert repeats.keep(second, ANSWERED)
        assert repeats.begin("a", "k", "1") == ANSWERED


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_lease_is_renewed_in_a_fork_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'assay.db'}"
    with closing(repeats_at(url, utc_now)) as repeats:
        repeats.release(held(repeats))
        child = os.fork()
        if child == 0:  # the thread of its parent is not in it
            code = 1
            try:
                held(repeats)
                code = 0 if is_renewed(url) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0


def test_closing_does_not_wait_for_a_database_that_answers_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authn.service.repeats.CLOSE_TIMEOUT_S", 0.1)
    engine = open_engine(f"sqlite:///{tmp_path / 'assay.db'}")
    begun, ended = renewals(engine)
    repeats = Repeats(engine, 0.03, utc_now)
    held(repeats)
    with writing(engine) as connection:
        connection.execute(select(table))
        until(lambda: len(begun) > len(ended))  # it waits for this transaction
        repeats.close()
        assert repeats._renewing is not None
        assert repeats._renewing.is_alive(), "no renewal waited, so this shows nothing"
    repeats._renewing.join(PATIENCE_S)


def renewals(engine: Engine) -> tuple[list[int], list[int]]:
    """Grow when a renewal is about to ask for its turn, and when it is about to give it back."""
    begun: list[int] = []
    ended: list[int] = []

    def note(kept: list[int]) -> None:
        if threading.current_thread().name == "assay-repeats":
            kept.append(1)

    event.listen(engine, "checkout", lambda _connection, _record, _proxy: note(begun))
    event.listen(engine, "commit", lambda _connection: note(ended))
    return begun, ended


@contextmanager
def holder(database_url: str) -> Iterator[int]:
    """The process of somebody who works on the request."""
    command = [sys.executable, "-m", "tests.doubles.key_holder", database_url, str(LEASE_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process.pid
        finally:
            process.kill()


def test_a_process_that_works_for_long_keeps_its_key_and_one_that_was_killed_frees_it(
    database_url: str,
) -> None:
    with closing(repeats_at(database_url, utc_now)) as repeats, holder(database_url) as pid:
        assert is_renewed(database_url)
        os.kill(pid, signal.SIGKILL)
        until(lambda: is_free(repeats), "nobody may send the request again")


def is_renewed(database_url: str) -> bool:
    """Whether the only lease there ends later after a while. Nobody else may take the key meanwhile, however
    slow the machine is: this asks for none."""
    engine, deadline = open_engine(database_url), time.monotonic() + PATIENCE_S
    first = ends(engine)
    while ends(engine) <= first:
        if time.monotonic() > deadline:
            return False
        time.sleep(LEASE_S / 10)
    return True


def ends(engine: Engine) -> datetime:
    with reading(engine) as connection:
        return connection.execute(select(table.c.expires_at)).scalar_one()


def is_free(repeats: Repeats) -> bool:
    try:
        return isinstance(repeats.begin("a", "k", "1"), Held)
    except RepeatInFlight:
        return False


def deletes_before_reading(engine: Engine, other: Engine, table: Table) -> list[str]:
    """Another process deletes what is in the table just before this one reads it, once; empty until then."""
    done: list[str] = []

    def delete_first(_c: object, _cursor: object, text: str, *_rest: object) -> None:
        if text.startswith("SELECT") and f"FROM {table.name}" in text and not done:
            done.append(text)
            with writing(other) as connection:
                connection.execute(delete(table))

    event.listen(engine, "before_cursor_execute", delete_first)
    return done


def test_a_row_that_goes_between_two_looks_at_it_is_no_failure(postgresql: str) -> None:
    """PostgreSQL lets others write between the statements of a transaction; SQLite does not."""
    engine, other = (open_engine(url) for url in [new_database(postgresql)] * 2)
    now = utc_now()
    with writing(other) as connection:
        enrolled = {"name": "a", "spki_sha256": "1", "enrolled_at": now, "assurance_level": 0}
        connection.execute(insert(devices).values(device_id="d", **enrolled))
    capture = Capture(record_sha256="r", claim_sha256="c", device_id="d", counter=1)
    rates, taken = Rates(engine, 60), TakenCaptures(engine)
    with closing(Repeats(engine, 600, utc_now)) as repeats:
        held(repeats)
        done = [deletes_before_reading(engine, other, table)]
        held(repeats)
    rates.take("a", now)
    done.append(deletes_before_reading(engine, other, rate_buckets))
    assert rates.take("a", now) is not None
    taken.remember(capture, b"first", now)
    done.append(deletes_before_reading(engine, other, captures))
    assert taken.remember(capture, b"second", now).salt == b"second"
    assert all(done), "nothing was deleted in between, so this shows nothing"
