"""A database of every older version becomes the newest with all that it held, SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from authn.core.errors import DatabaseUnusable
from authn.doctor.check import State
from authn.doctor.database import check_database
from authn.store.engine import HEAD, open_engine, schema_of
from authn.store.schema import metadata
from tests.authn.store.older import contents, database_of, filled, reflected, revisions
from tests.databases import database_url, postgresql

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
