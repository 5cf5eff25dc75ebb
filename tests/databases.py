"""The databases that storage is tested on: fixtures, to be imported where they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, inspect

from authn.store import engine as store
from authn.store.engine import open_engine
from tests.doubles import postgres


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """One server for the session; it takes about five seconds to make."""
    with postgres.server() as first:
        yield first


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, of each kind in turn. Nothing is left of it: hundreds of them are gigabytes."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'assay.db'}"
    else:
        first = request.getfixturevalue("postgresql")
        yield (made := postgres.new_database(first))
        postgres.drop_database(first, made)


@pytest.fixture
def engine(database_url: str) -> Engine:
    return open_engine(database_url)


Statement = tuple[str, Any]  # with what was given to it


@pytest.fixture(scope="session", autouse=True)
def migrated_once() -> Iterator[None]:
    """From nothing to the newest schema Alembic goes once for each kind of database, then what it executed is
    executed again: it took two thirds of the time of every test with a home. A database that holds anything,
    and every other process, goes the whole way."""
    steps: dict[str, list[Statement]] = {}
    upgrade = store._upgrade

    def recorded(connection: Connection) -> list[Statement]:
        done: list[Statement] = []

        def note(_c: object, _cursor: object, text: str, given: Any, *_rest: object) -> None:
            if not text.lstrip().upper().startswith(("SELECT", "PRAGMA")):
                done.append((text, given))

        event.listen(connection, "before_cursor_execute", note)
        upgrade(connection)
        event.remove(connection, "before_cursor_execute", note)
        return done

    def upgraded(connection: Connection) -> None:
        kind = connection.dialect.name
        if inspect(connection).get_table_names():
            upgrade(connection)
        elif kind not in steps:
            steps[kind] = recorded(connection)
        else:
            for text, given in steps[kind]:
                connection.exec_driver_sql(text, given or None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_upgrade", upgraded)
        yield
