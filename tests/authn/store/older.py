"""Databases as older versions left them, with a row in every table that they had."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    insert,
    select,
)
from sqlalchemy.pool import NullPool

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def config_of_migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", "authn.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def revisions() -> list[str]:
    """All of them, oldest first."""
    walked = ScriptDirectory.from_config(config_of_migrations()).walk_revisions()
    return [step.revision for step in walked][::-1]


def database_of(revision: str, url: str) -> Engine:
    """A new database as the version with this migration made it; empty."""
    engine = create_engine(url, poolclass=NullPool)
    config = config_of_migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def filled(engine: Engine) -> dict[str, dict[str, Any]]:
    """One row in every table but the log's, which triggers and ``check_log`` guard; what each holds then."""
    tables = reflected(engine)
    with engine.begin() as connection:
        for table in tables:
            connection.execute(insert(table).values({c.name: _value(c) for c in table.columns}))
    return contents(engine, tables)


def reflected(engine: Engine) -> list[Table]:
    """The tables in an order in which rows can be added."""
    metadata = MetaData()
    metadata.reflect(engine)
    names = [t for t in metadata.sorted_tables if not t.name.startswith("log_")]
    return [t for t in names if t.name != "alembic_version"]


def contents(engine: Engine, tables: list[Table]) -> dict[str, dict[str, Any]]:
    """Table to its only row, with the columns that ``tables`` know."""
    with engine.connect() as connection:
        return {t.name: dict(connection.execute(select(t)).mappings().one()) for t in tables}


def _value(column: Column[Any]) -> Any:
    if isinstance(column.type, DateTime):
        return NOW
    if isinstance(column.type, LargeBinary):
        return b"\x01\x02"
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, Float):
        return 1.5
    if isinstance(column.type, Integer):
        return 7
    return "a"
