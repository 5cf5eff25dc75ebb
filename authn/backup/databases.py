"""A database out of the one that is in use, and into an empty one.

SQLite by its own online backup: one moment of it, while others go on writing. PostgreSQL by ``pg_dump`` and
``pg_restore`` of the machine, which has to have them; passwords go by the environment, never by an argument.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from authn.core.errors import DatabaseUnusable, HomeUnfit, SystemLacking
from authn.store.engine import BUSY_TIMEOUT_S, connect_as_it_is

PARTS = {"sqlite": "database.sqlite", "postgresql": "database.pgdump"}
SCHEMA = "SELECT version_num FROM alembic_version"


def kind_of(url: str) -> str:
    """sqlite or postgresql."""
    return make_url(url).get_backend_name()


def copy_out(url: str, target: Path) -> None:
    """Into a new file. Raises ``Unavailable``."""
    if kind_of(url) == "sqlite":
        _copy_sqlite(Path(make_url(url).database or ""), target)
    else:
        _run("pg_dump", make_url(url), "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def copy_in(dump: Path, url: str) -> None:
    """Into a PostgreSQL database that is empty (``require_empty``). Raises ``Unavailable``."""
    _run(
        "pg_restore", make_url(url), "--no-owner", "--no-privileges", "--single-transaction",
        "--exit-on-error", str(dump), into=True,
    )  # fmt: skip


def require_empty(url: str) -> None:
    """Raises ``HomeUnfit`` for a database with anything in it, ``Unavailable`` for one that is away."""
    if kind_of(url) == "sqlite":
        if (path := Path(make_url(url).database or "")).exists():
            raise HomeUnfit(f"the database {path} is there already; nothing is restored over it")
        return
    engine = connect_as_it_is(url)
    try:
        tables = inspect(engine).get_table_names()
    except SQLAlchemyError as e:
        raise DatabaseUnusable(f"the database cannot be used ({type(e).__name__})") from e
    finally:
        engine.dispose()
    if tables:
        raise HomeUnfit(f"the database has tables already ({min(tables)}); nothing is restored over them")


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.exists():
        raise HomeUnfit(f"there is no database {source}")
    try:
        with (
            closing(sqlite3.connect(source, timeout=BUSY_TIMEOUT_S)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, not three
    except sqlite3.Error as e:
        raise DatabaseUnusable(f"the database {source} cannot be copied: {e}") from e


def _run(program: str, url: URL, *arguments: str, into: bool = False) -> None:
    """Raises ``Unavailable`` with the first line of what the program says."""
    found = shutil.which(program)
    if found is None:
        raise SystemLacking(f"{program} is not installed: apt-get install -y postgresql-client")
    public = URL.create(
        "postgresql", username=url.username, host=url.host, port=url.port, database=url.database,
        query=url.query,
    ).render_as_string(hide_password=False)  # fmt: skip
    where = ("--dbname", public) if into else (public,)
    secret = {"PGPASSWORD": url.password} if url.password else {}
    done = subprocess.run(
        [found, *arguments[:-1], *where, arguments[-1]],
        env={**os.environ, **secret}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        raise DatabaseUnusable(f"{program}: {said}")
