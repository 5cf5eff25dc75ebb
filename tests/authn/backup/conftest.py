from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from authn.backup.databases import kind_of
from authn.core.config import Settings, load_settings
from authn.service.wiring import check_services, open_transparency_log
from authn.store.engine import connect_as_it_is
from authn.tlog.format.receipt import Receipt
from tests.databases import postgresql
from tests.doubles.logs import entry
from tests.doubles.postgres import new_database, programs

__all__ = ["postgresql"]

PASSPHRASE = b"correct horse battery staple"


class Place:
    """A home on a database of one kind, and empty ones to restore into."""

    def __init__(self, folder: Path, server: str | None) -> None:
        self.folder, self._server, self._count = folder, server, 0

    def home(self, **given: object) -> Settings:
        """The settings of a home that is yet to be made."""
        self._count += 1
        url = "" if self._server is None else new_database(self._server)
        return load_settings(
            environ={}, home=self.folder / f"home{self._count}", database_url=url, heuristics=False, **given
        )

    def service(self, entries: int = 3) -> Settings:
        settings = self.home()
        check_services(settings)
        appended(settings, *range(entries))
        return settings


def appended(settings: Settings, *numbers: int) -> tuple[Receipt, ...]:
    with closing(open_transparency_log(settings)) as log:
        return tuple(log.append((entry(number),))[0] for number in numbers)


def with_programs(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the server's own version: ``pg_dump`` refuses a newer server."""
    engine = connect_as_it_is(url)
    with engine.connect() as connection:
        version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    monkeypatch.setenv("PATH", f"{programs(version // 10000)}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(tmp_path, None)
        return
    server = request.getfixturevalue("postgresql")
    with_programs(server, monkeypatch)
    yield Place(tmp_path, server)
    assert kind_of(server) == "postgresql"


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place(tmp_path, None)
