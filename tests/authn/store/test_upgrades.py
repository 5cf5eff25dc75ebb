"""A database of every older version becomes the newest with all that it held, SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from authn.core.errors import DatabaseUnusable
from authn.doctor.check import State
from authn.doctor.database import check_database
from authn.store.engine import HEAD, open_engine, schema_of
from authn.store.schema import metadata
from tests.authn.store.older import contents, database_of, filled, reflected, revisions
from tests.databases import database_url, postgresql
from tests.doubles.postgres import new_database

__all__ = ["database_url", "postgresql"]


@pytest.mark.parametrize("revision", revisions()[:-1])
def test_every_older_database_keeps_its_rows_and_becomes_the_newest(revision: str, database_url: str) -> None:
    old = database_of(revision, database_url)
    tables, before = reflected(old), filled(old)
    engine = open_engine(database_url)
    assert schema_of(engine) == HEAD
    assert contents(engine, tables) == before
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_newer_database_is_refused_and_left_as_it_is(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusable, match="made by a newer version"):
        open_engine(database_url)
    assert schema_of(engine) == "9999"
    (check,) = check_database(database_url)
    assert check.state is State.PROBLEM
    assert "newer version" in check.says


@pytest.mark.parametrize("revision", [revisions()[0], HEAD])
def test_doctor_says_which_schema_a_database_has_and_changes_nothing(
    revision: str, database_url: str
) -> None:
    engine = database_of(revision, database_url)
    (check,) = check_database(database_url)
    assert check.state is (State.OK if revision == HEAD else State.NOTE)
    assert revision in check.says
    assert ("backup" in check.mend) == (revision != HEAD)
    assert schema_of(engine) == revision


def test_doctor_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    (check,) = check_database(f"sqlite:///{tmp_path / 'absent.db'}")
    assert check.state is State.OK
    assert not (tmp_path / "absent.db").exists()


def test_doctor_says_that_a_database_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "none.db").write_bytes(b"this is no database" * 100)
    (check,) = check_database(f"sqlite:///{tmp_path / 'none.db'}")
    assert check.state is State.PROBLEM
    (check,) = check_database("postgresql+psycopg://nobody@127.0.0.1:9/none")
    assert check.state is State.PROBLEM


# What the schema of a database is, as far as it can be asked.
DEFINED = {
    "sqlite": ["SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"],
    "postgresql": [
        """SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
           FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
           WHERE NOT tgisinternal ORDER BY 1, 2""",
        """SELECT proname, pg_get_functiondef(oid) FROM pg_proc
           WHERE pronamespace = 'public'::regnamespace ORDER BY 1""",
    ],
}


def test_the_short_way_of_these_tests_makes_the_database_that_the_migrations_make(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """See ``migrated_once``; the second one takes it whatever was opened before."""
    lite = database_url.startswith("sqlite")
    urls = [database_url]
    for n in range(2):
        server = "" if lite else request.getfixturevalue("postgresql")
        urls.append(f"sqlite:///{tmp_path / f'{n}.db'}" if lite else new_database(server))
    found = []
    for engine in (database_of(HEAD, urls[0]), open_engine(urls[1]), open_engine(urls[2])):
        assert schema_of(engine) == HEAD
        with engine.connect() as connection:
            queries = DEFINED[connection.dialect.name]
            rows = [[tuple(r) for r in connection.execute(text(query))] for query in queries]
            found.append([*rows, {n: _all(connection, n) for n in inspect(connection).get_table_names()}])
    assert len(found[0][0]) > 20
    assert found[0] == found[1] == found[2]


def _all(connection: Connection, table: str) -> list[tuple[object, ...]]:
    return sorted(map(tuple, connection.execute(text(f'SELECT * FROM "{table}"'))), key=repr)
