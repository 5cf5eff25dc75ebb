"""The fault table of the log. After each fault the whole log is derived again from what is stored.

What may happen to the entries of the batch that met the fault is in the table; those that were acknowledged
before are always there, and appending the same entries after a restart puts each in the log exactly once.
The log reads no clock, so that a clock that steps back is no fault to it.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from authn.core.errors import LogHalted, Unavailable
from authn.store.engine import open_engine, writing
from authn.tlog.format.receipt import verify_receipt
from authn.tlog.log.check import check_log
from authn.tlog.log.queue import enqueue
from authn.tlog.log.sequencer import Sequencer
from authn.tlog.log.storage import SqlStorage
from tests.doubles.logs import KEY, ORIGIN, STEPS, FaultyStorage, entry, open_log, signing


class Crash(BaseException):
    """Nothing that anybody catches, as an interrupt or the end of memory."""


# step, after it -> (is the batch stored, does the log halt); anything before the commit is undone
TABLE = {(step, after): (False, False) for step in STEPS for after in (False, True)}
TABLE["commit", False] = (False, True)
TABLE["commit", True] = (True, True)


@pytest.mark.parametrize("kind", [Unavailable, Crash])
@pytest.mark.parametrize(("step", "after"), TABLE, ids=lambda v: str(v))
def test_a_fault_at_each_step(engine: Engine, step: str, after: bool, kind: type[BaseException]) -> None:
    stored, halts = TABLE[step, after]
    armed: list[bool] = []

    def fault() -> None:
        if armed:
            armed.clear()
            raise kind("fault")

    before = entry(1)
    log = Sequencer(FaultyStorage(engine, step, after, fault), ORIGIN, signing(KEY))
    log.start()
    (acknowledged,) = log.append((before,))
    with writing(engine) as connection:
        enqueue(connection, entry(2))
    armed.append(True)
    expected = LogHalted if halts and kind is Unavailable else kind
    with pytest.raises(expected):
        log.append_queued()
    assert check_log(engine, KEY.verifier).size == 1 + stored
    assert verify_receipt(acknowledged, before.leaf, KEY.verifier).index == 0
    assert (log.halted is not None) == halts
    if halts:
        with pytest.raises(LogHalted):
            log.append((entry(3),))
        log.close()
        log = open_log(engine)
    log.append_queued()
    assert log.append((before,))[0].index == 0
    assert check_log(engine, KEY.verifier).size == 2


def test_those_who_wait_in_line_are_told_of_an_interrupt(engine: Engine) -> None:
    def fault() -> None:
        raise Crash

    open_log(engine).close()
    log = Sequencer(FaultyStorage(engine, "commit", False, fault), ORIGIN, signing(KEY))
    with pytest.raises(Crash):
        log.append((entry(1),))
    with pytest.raises(LogHalted):
        log.append((entry(2),))


def test_a_full_disk_refuses_the_batch_and_room_lets_it_in(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'assay.db'}"
    open_log(open_engine(url)).close()
    engine, pages = open_engine(url), [200]
    event.listen(engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count = {pages[0]}").close())
    log = open_log(engine)
    done = 0
    with pytest.raises(Unavailable) as refused:
        for _ in range(100):
            log.append(tuple(entry(i) for i in range(100)))
            done += 100
    assert not isinstance(refused.value, LogHalted)
    assert check_log(engine, KEY.verifier).size == done > 0
    pages[0] = 100_000
    log.append(tuple(entry(i) for i in range(100)))
    assert check_log(engine, KEY.verifier).size == done + 100


def _append_with_small_files(url: str, limit: int) -> int:
    """Every file of this process may only grow to the limit; returns how many entries were acknowledged."""
    log, done = open_log(open_engine(url)), 0
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        for _ in range(200):
            log.append(tuple(entry(i) for i in range(40)))
            done += 40
    except Unavailable:
        return done
    raise AssertionError("the limit was never met")


@pytest.mark.parametrize("limit", [300_000, 500_001, 1_000_000])
def test_a_write_that_the_system_refuses_loses_nothing(tmp_path: Path, limit: int) -> None:
    url = f"sqlite:///{tmp_path / 'assay.db'}"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        done = pool.apply(_append_with_small_files, (url, limit))
    size = check_log(open_engine(url), KEY.verifier).size
    assert size - done in (0, 40), "acknowledged, or the batch whose commit nobody heard the end of"
    assert done > 0


def test_a_connection_that_the_server_ended_is_made_anew(postgresql: str) -> None:
    from tests.doubles.postgres import new_database

    engine = open_engine(new_database(postgresql))
    log = open_log(engine)
    log.append((entry(1),))
    with open_engine(postgresql).connect() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": engine.url.database},
        )
    assert log.append((entry(2),))[0].index == 1, "nothing was being committed, so there is no doubt"
    assert check_log(engine, KEY.verifier).size == 2


def test_a_database_that_goes_away_during_the_commit_halts_the_log(postgresql: str) -> None:
    from tests.doubles.postgres import new_database

    engine = open_engine(new_database(postgresql))
    other = open_engine(postgresql)
    open_log(engine).close()

    def fault() -> None:
        with other.connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                {"name": engine.url.database},
            )

    log = Sequencer(FaultyStorage(engine, "commit", False, fault), ORIGIN, signing(KEY))
    with pytest.raises(LogHalted, match="did not return"):
        log.append((entry(1),))
    assert check_log(engine, KEY.verifier).size == 0


def test_an_older_copy_in_place_of_the_database_is_noticed(tmp_path: Path) -> None:
    """A restored backup: from there on the log would sign a second history."""
    file, backup = tmp_path / "assay.db", tmp_path / "backup"
    engine = open_engine(f"sqlite:///{file}")
    log = open_log(engine)
    log.append((entry(1),))
    log.close()  # the last connection, so that the file is whole
    backup.write_bytes(file.read_bytes())
    log.append((entry(2),))
    backup.replace(file)
    for rest in tmp_path.glob("assay.db-*"):
        rest.unlink()
    for _ in range(2):
        with pytest.raises(LogHalted, match="smaller than it was"):
            log.append((entry(3),))
    assert check_log(engine, KEY.verifier).size == 1


def test_nothing_is_acknowledged_into_a_file_that_was_removed(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'assay.db'}")
    log = open_log(engine)
    for file in tmp_path.iterdir():
        file.unlink()
    for _ in range(2):
        with pytest.raises(Unavailable):
            log.append((entry(1),))


def test_a_log_whose_tables_are_gone_answers_with_a_typed_error(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'assay.db'}")
    log = open_log(engine)
    log.close()
    for file in tmp_path.iterdir():
        os.truncate(file, 0)
    with pytest.raises(Unavailable):
        log.append((entry(1),))
    with pytest.raises(Unavailable):
        SqlStorage(engine).queued(1)
