"""What has been kept long enough goes, once, however many processes look after it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, event, func, insert, select, update

from authn.service import sweeping
from authn.service.sweeping import Sweeper, sweep
from authn.store.engine import open_engine, reading, rows_of, writing
from authn.store.schema import rate_buckets, request_nonces, verifications
from authn.store.verifications import Verifications
from signer.core.locks import lock_file
from tests.databases import database_url, engine, postgresql

__all__ = ["database_url", "engine", "postgresql"]

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def filled(engine: Engine, reports: int) -> None:
    store = Verifications(engine, keep_days=1)
    with writing(engine) as connection:
        connection.execute(
            insert(request_nonces),
            [{"device_id": "d", "nonce": str(n), "expires_at": NOW + timedelta(hours=n)} for n in range(4)],
        )
        connection.execute(
            insert(rate_buckets).values(caller="a", tokens=1.0, filled_at=NOW - timedelta(hours=3))
        )
    for number in range(reports):
        store.save(
            id_=str(number), subject_sha256="0" * 64, report="{}", preview_jpeg=None,
            now=NOW - timedelta(hours=20 + number),
        )  # fmt: skip


def left(engine: Engine) -> tuple[int, int, int]:
    with reading(engine) as connection:
        tables = (verifications, request_nonces, rate_buckets)
        a, b, c = (connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables)
    return a, b, c


def test_expired_rows_go_and_others_stay(engine: Engine) -> None:
    filled(engine, 10)  # kept a day each: six are over
    assert sweep(engine, NOW) == 6 + 1 + 1
    assert left(engine) == (4, 3, 0)
    assert sweep(engine, NOW) == 0


def test_what_is_renewed_between_the_look_and_the_deletion_stays(engine: Engine) -> None:
    filled(engine, 0)
    renewal = update(rate_buckets).values(filled_at=NOW)

    def before(connection: Connection, cursor: object, statement: str, *more: object) -> None:
        if "DELETE FROM rate_buckets" in statement:
            connection.execute(renewal)

    event.listen(engine, "before_cursor_execute", before)
    assert sweep(engine, NOW) == 1
    assert left(engine)[2] == 1


def test_many_sweeping_at_once_delete_each_row_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE", 3)
    filled(engine, 12)
    gone: list[int] = []
    threads = [threading.Thread(target=lambda: gone.append(sweep(engine, NOW))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(gone) == 8 + 1 + 1
    assert left(engine) == (4, 3, 0)


def test_of_several_processes_of_a_home_one_at_a_time_sweeps(engine: Engine, tmp_path: Path) -> None:
    filled(engine, 10)
    sweeper = Sweeper(engine, tmp_path, lambda: NOW, every_s=0.01)
    with lock_file(tmp_path / sweeping.LOCK_FILE):
        assert sweeper.turn() == 0
    assert sweeper.turn() == 8
    sweeper.start()
    sweeper.close()


@pytest.mark.parametrize("wait", [False, True])
def test_no_statement_that_deletes_what_has_expired_walks_through_a_whole_table(
    tmp_path: Path, wait: bool
) -> None:
    """Every verification runs one, in a table of all reports."""
    engine = open_engine(f"sqlite:///{tmp_path / 'assay.db'}")
    for table, until, _ in sweeping.KEPT:
        statement = delete(table).where(rows_of(table, table.c[until] < NOW, at_once=500, wait=wait))
        with reading(engine) as connection:
            text = f"EXPLAIN QUERY PLAN {statement.compile(engine)}"
            plan = connection.exec_driver_sql(text, ("2026",) * text.count("?")).all()
        assert not [row for row in plan if str(row[-1]).startswith("SCAN")], table.name
