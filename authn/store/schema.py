"""The tables, as SQLAlchemy 2 Core, at their newest; migrations take an older database here.

Times are UTC, always with their zone on the Python side. A test compares these tables with what the
migrations make.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """A point in time. SQLite keeps no zone, so UTC goes in and UTC comes out; a naive value is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is not a point in time")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


devices = Table(
    "devices",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("spki_sha256", String(64), nullable=False, unique=True),
    Column("enrolled_at", Instant, nullable=False),
    Column("assurance_level", Integer, nullable=False),
    Column("revoked_at", Instant),
    Column("invalid_since", Instant),
    Column("revocation_reason", Text),
)

certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("device_id", String(64), ForeignKey("devices.device_id"), nullable=False, index=True),
    Column("der", LargeBinary, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("not_after", Instant, nullable=False),
)

verifications = Table(
    "verifications",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("subject_sha256", String(64), nullable=False),
    Column("report", Text, nullable=False),
    Column("preview_jpeg", LargeBinary),
    Index("ix_verifications_expires_at", "expires_at"),
)
