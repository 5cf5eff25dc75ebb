"""The databases that storage is tested on: fixtures, to be imported where they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from authn.store.engine import open_engine
from tests.doubles import postgres


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """One server for the session; it takes about five seconds to make."""
    with postgres.server() as first:
        yield first


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'assay.db'}"
    return postgres.new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def engine(database_url: str) -> Engine:
    return open_engine(database_url)
