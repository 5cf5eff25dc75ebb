"""The database: durable, private, migrated once however many processes open it."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, Table, create_engine, insert, select
from sqlalchemy.exc import StatementError

from authn.core.errors import NotFound, Unavailable
from authn.devices.registry import Registry
from authn.store.engine import HEAD, _set, open_engine, reading, writing
from authn.store.schema import certificates, metadata, verifications
from authn.store.verifications import Verifications

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'assay.db'}"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(url(tmp_path))


def save(store: Verifications, id_: str, now: datetime = NOW) -> None:
    store.save(id_=id_, subject_sha256="00" * 32, report='{"a":1}', preview_jpeg=b"\xff\xd8", now=now)


def test_migrations_make_exactly_the_tables_of_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_the_one_the_engine_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", "authn.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_devices_of_an_older_database_keep_everything_and_are_unattested(tmp_path: Path) -> None:
    old = create_engine(url(tmp_path))
    config = Config()
    config.set_main_option("script_location", "authn.store:migrations")
    config.set_main_option("path_separator", "os")
    row = {"device_id": "d", "name": "camera", "spki_sha256": "00" * 32, "enrolled_at": NOW}
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0030")
        table = Table("devices", MetaData(), autoload_with=connection)
        connection.execute(table.insert().values(**row, assurance_level=0))
    (device,) = Registry(open_engine(url(tmp_path))).list()
    assert {name: getattr(device, name) for name in row} == row
    assert (device.assurance_level, device.attestation_fmt, device.attested_at) == (0, None, None)


def test_reports_of_an_older_database_are_kept_and_have_no_maps(tmp_path: Path) -> None:
    old = create_engine(url(tmp_path))
    config = Config()
    config.set_main_option("script_location", "authn.store:migrations")
    config.set_main_option("path_separator", "os")
    row = {"id": "a", "created_at": NOW, "subject_sha256": "00" * 32, "report": "{}", "preview_jpeg": b"\xff"}
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0060")
        table = Table("verifications", MetaData(), autoload_with=connection)
        connection.execute(table.insert().values(**row, expires_at=NOW + timedelta(days=1)))
    store = Verifications(open_engine(url(tmp_path)), keep_days=1)
    found = store.get("a", NOW)
    assert (found.report, found.preview_jpeg, found.maps) == ("{}", b"\xff", None)
    kept = store.save(id_="b", subject_sha256="", report="{}", preview_jpeg=None, maps="[]", now=NOW)
    assert store.get("b", NOW) == kept


def test_what_was_acknowledged_survives_a_power_cut_as_far_as_sqlite_can_promise(engine: Engine) -> None:
    with engine.connect() as connection:
        found = {
            p: connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous")
        }
        assert found == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL


def test_a_certificate_without_its_device_is_refused_by_the_database(engine: Engine) -> None:
    row = {"serial": "1", "device_id": "nobody", "der": b"", "not_before": NOW, "not_after": NOW}
    with pytest.raises(Unavailable, match="IntegrityError"), writing(engine) as connection:
        connection.execute(insert(certificates).values(**row))


def test_an_exception_inside_a_transaction_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        values = {"id": "a", "created_at": NOW, "expires_at": NOW, "subject_sha256": "0", "report": ""}
        connection.execute(insert(verifications).values(**values))
        raise ZeroDivisionError
    with reading(engine) as connection:
        assert connection.execute(select(verifications)).all() == []


def test_the_database_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    open_engine(url(tmp_path / "new"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "assay.db").stat().st_mode) == 0o600


def test_times_come_back_in_utc_whatever_zone_they_went_in_with(engine: Engine) -> None:
    store = Verifications(engine, keep_days=1)
    save(store, "a", NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))
    found = store.get("a", NOW)
    assert found.created_at == NOW
    assert found.created_at.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(engine: Engine) -> None:
    with pytest.raises(Unavailable) as refused:
        Verifications(engine, keep_days=1).get("a", datetime(2026, 1, 1))
    assert isinstance(refused.value.__cause__, StatementError)


def test_a_report_comes_back_byte_for_byte(engine: Engine) -> None:
    store = Verifications(engine, keep_days=1)
    text = '{"hostile":"\\ud800 \\u0000 \u202e"}'
    store.save(id_="a", subject_sha256="00" * 32, report=text, preview_jpeg=None, now=NOW)
    assert store.get("a", NOW).report == text
    assert store.get("a", NOW).preview_jpeg is None


def test_an_expired_report_is_gone_at_once_and_its_row_soon(engine: Engine) -> None:
    store = Verifications(engine, keep_days=30)
    save(store, "old")
    later = NOW + timedelta(days=30)
    with pytest.raises(NotFound):
        store.get("old", later)
    save(store, "new", later)
    with reading(engine) as connection:
        assert connection.execute(select(verifications.c.id)).scalars().all() == ["new"]


def test_purging_counts_what_it_deletes(engine: Engine) -> None:
    store = Verifications(engine, keep_days=1)
    save(store, "a")
    save(store, "b", NOW + timedelta(hours=1))
    assert store.purge(NOW + timedelta(days=1)) == 1
    assert store.get("b", NOW).id == "b"


def test_deleting_twice_is_not_found_the_second_time(engine: Engine) -> None:
    store = Verifications(engine, keep_days=1)
    save(store, "a")
    store.delete("a")
    with pytest.raises(NotFound):
        store.delete("a")


def test_a_deleted_report_leaves_no_readable_bytes_in_the_file(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path))
    store = Verifications(engine, keep_days=1)
    secret = "the name of a source"
    store.save(id_="a", subject_sha256="00" * 32, report=secret, preview_jpeg=None, now=NOW)
    store.delete("a")  # the last connection closes, which empties the write-ahead log into the file
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    open_engine(url(tmp_path))
    with sqlite3.connect(tmp_path / "assay.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
    connection.close()
    with pytest.raises(Unavailable, match="newer version"):
        open_engine(url(tmp_path))


def test_a_file_that_is_no_database_is_named_as_unusable(tmp_path: Path) -> None:
    (tmp_path / "assay.db").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(Unavailable, match="cannot be used"):
        open_engine(url(tmp_path))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be opened"):
        open_engine(url(tmp_path / "file"))


def _open(address: str) -> str:
    with open_engine(address).connect() as connection:
        return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())


def test_processes_that_open_a_new_database_at_once_all_find_it_migrated(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(_open, [url(tmp_path)] * 8) == [HEAD] * 8


def test_a_new_database_that_another_process_just_turns_is_asked_again(tmp_path: Path) -> None:
    """SQLite answers at once that it is locked, whatever time-out a connection has."""
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    asking = sqlite3.connect(path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        asking.execute("PRAGMA journal_mode=WAL")
    ends = threading.Timer(0.2, other.execute, ("ROLLBACK",))
    ends.start()
    _set(asking, "journal_mode=WAL")
    assert asking.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    ends.join()
    asking.close()
    other.close()


def test_kept_connections_are_used_again_and_leave_nothing_open_between_transactions(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path), kept=2)
    with reading(engine) as connection:
        first = connection.connection.dbapi_connection
    with reading(engine) as connection:
        assert connection.connection.dbapi_connection is first
    with writing(engine) as connection, open_engine(url(tmp_path)).connect() as other:
        assert other.exec_driver_sql("SELECT count(*) FROM devices").scalar_one() == 0
        assert connection.connection.dbapi_connection is first
    engine.dispose()


def test_a_database_that_was_replaced_is_not_read_from_a_kept_connection(tmp_path: Path) -> None:
    there, other = tmp_path / "there", tmp_path / "other"
    kept, elsewhere = open_engine(url(there), kept=2), open_engine(url(other))
    save(Verifications(kept, 1), "old")
    save(Verifications(elsewhere, 1), "new")
    kept.dispose()
    with reading(kept) as connection:
        assert connection.exec_driver_sql("SELECT id FROM verifications").scalars().all() == ["old"]
    (other / "assay.db").replace(there / "assay.db")
    for name in ("assay.db-wal", "assay.db-shm"):
        (there / name).unlink(missing_ok=True)
    with reading(kept) as connection:
        assert connection.exec_driver_sql("SELECT id FROM verifications").scalars().all() == ["new"]
    kept.dispose()
