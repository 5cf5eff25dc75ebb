"""The tables, as SQLAlchemy 2 Core, at their newest; migrations take an older database here.

Times are UTC, always with their zone on the Python side. A test compares these tables with what the
migrations make.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
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
    Column("attestation_fmt", String(32)),
    Column("attested_at", Instant),
)

# What devices are asked when they enrol (authn.service.enrolment.challenges); each is answered once.
enrolment_challenges = Table(
    "enrolment_challenges",
    metadata,
    Column("challenge", String(64), primary_key=True),
    Column("bound_to", String(64), nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("ix_enrolment_challenges_expires_at", "expires_at"),
)

# The evidence as it was sent, and what was read in it. Rows are added, never changed.
attestations = Table(
    "attestations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", String(64), ForeignKey("devices.device_id"), nullable=False, index=True),
    Column("spki_sha256", String(64), nullable=False),
    Column("fmt", String(32), nullable=False),
    Column("level", Integer, nullable=False),
    Column("challenge", String(64), nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("facts", Text, nullable=False),
    Column("examined_at", Instant, nullable=False),
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

# A row with a serial revokes that certificate alone. Rows are added, never changed.
revocations = Table(
    "revocations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", String(64), ForeignKey("devices.device_id"), nullable=False, index=True),
    Column("serial", String(40), ForeignKey("certificates.serial")),
    Column("revoked_at", Instant, nullable=False),
    Column("invalid_since", Instant, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("reason", Text, nullable=False),
)

crls = Table(
    "crls",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("issuer_sha256", String(64), nullable=False),
    Column("last_revocation", Integer, nullable=False),
    Column("this_update", Instant, nullable=False),
    Column("next_update", Instant, nullable=False),
    Column("der", LargeBinary, nullable=False),
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
    Column("maps", Text),
    Column("owner", String(128)),
    Index("ix_verifications_expires_at", "expires_at"),
    Index("ix_verifications_owner", "owner", "created_at", "id"),
)

# Work that outlives a request (authn.jobs.table). ``due_at``: when somebody may take it up.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("owner", String(128)),
    Column("batch_id", String(64)),
    Column("lane", String(64)),
    Column("state", String(16), nullable=False),
    Column("task", Text, nullable=False),
    Column("problem", Text),
    Column("bytes", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("expires_at", Instant, nullable=False),
    Column("leased_by", String(64)),
    Index("ix_jobs_due_at", "kind", "state", "due_at"),
    Index("ix_jobs_expires_at", "state", "expires_at"),
    Index("ix_jobs_batch_id", "batch_id", "created_at", "id"),
    Index("ix_jobs_lane", "lane"),
)

# Many files that were sent in one request (authn.service.batches).
batches = Table(
    "batches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(128)),
    Column("total", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_batches_expires_at", "expires_at"),
)

# What was answered to a request with a key of the client's own (authn.service.repeats).
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", String(128), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("leased_by", String(64)),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", LargeBinary),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)

# Who is told when a job ends (authn.service.webhooks); the secret is derived, so that it is not here.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(128), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("quiet_until", Instant),
)

# Keys of machines (authn.service.access.keys): of the secret only its hash.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("used_at", Instant),
)

# Decisions about access (authn.service.access.journal): each row's hash is over the one before and its own.
access_log = Table(
    "access_log",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
)

# What devices signed a request with; nothing may be used twice while the request would be accepted.
request_nonces = Table(
    "request_nonces",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    Column("expires_at", Instant, nullable=False),
    Index("ix_request_nonces_expires_at", "expires_at"),
)

rate_buckets = Table(
    "rate_buckets",
    metadata,
    Column("caller", String(128), primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("filled_at", Instant, nullable=False),
    Index("ix_rate_buckets_filled_at", "filled_at"),
)

# SQLite keeps the row itself under the key only where the column is called INTEGER.
_Position = BigInteger().with_variant(Integer(), "sqlite")

# The tree of the transparency log (authn.tlog.log.storage). Triggers keep it from being rewritten.
log_state = Table(
    "log_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    CheckConstraint("id = 1", name="ck_log_state_single"),
)

log_entry = Table(
    "log_entry",
    metadata,
    Column("idx", _Position, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False, unique=True),
    Column("leaf", LargeBinary, nullable=False),
)

log_tile = Table(
    "log_tile",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

log_checkpoint = Table(
    "log_checkpoint",
    metadata,
    Column("size", _Position, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
)

log_cosignature = Table(
    "log_cosignature",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(255), primary_key=True),
    Column("line", Text, nullable=False),
)

# What a leaf commits to. A row may be deleted; from then on nobody can tell what its leaf was about.
log_opening = Table(
    "log_opening",
    metadata,
    Column("idx", _Position, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

# Written in the transaction of what is to be logged, taken out in the one that logs it.
log_queue = Table(
    "log_queue",
    metadata,
    Column("id", _Position, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

# Captures that were taken in (authn.store.captures); the salt is that of their entry in the log.
captures = Table(
    "captures",
    metadata,
    Column("record_sha256", String(64), primary_key=True),
    Column("claim_sha256", String(64), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("device_id", String(64), ForeignKey("devices.device_id"), nullable=False),
    Column("counter", BigInteger),
    Column("taken_at", Instant, nullable=False),
    Column("idx", _Position),
    Index("ix_captures_device_id_counter", "device_id", "counter"),
    Index("ix_captures_idx", "idx"),
)

# Numbers that more than one capture of a device came with, whether or not those are still there: where to
# look, so that nobody has to look at all captures of a device.
repeated_counters = Table(
    "repeated_counters",
    metadata,
    Column("device_id", String(64), ForeignKey("devices.device_id"), primary_key=True),
    Column("counter", BigInteger, primary_key=True, autoincrement=False),
)

# What signed photos look like (authn.store.pictures), where the setting asks for it. A number is never given
# twice: whoever holds hashes in memory tells by the number which are new.
picture_hashes = Table(
    "picture_hashes",
    metadata,
    Column("id", _Position, primary_key=True),
    Column("record_sha256", String(64), nullable=False, unique=True),
    Column("subject_sha256", String(64), nullable=False),
    Column("manifest_id", Text, nullable=False, index=True),
    Column("device_id", String(64), ForeignKey("devices.device_id"), nullable=False),
    Column("pdq", LargeBinary, nullable=False),
    Column("inner", LargeBinary),
    Column("quality", Integer, nullable=False),
    Column("signed_at", Instant),
    Column("taken_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# Their manifest stores, where the setting asks for these too.
picture_manifests = Table(
    "picture_manifests",
    metadata,
    Column("record_sha256", String(64), primary_key=True),
    Column("store", LargeBinary, nullable=False),
)

# Numbers of hashes that were deleted, for those who hold hashes in memory.
picture_hashes_gone = Table(
    "picture_hashes_gone",
    metadata,
    Column("id", _Position, primary_key=True, autoincrement=False),
)

# What the log was last told at a start (authn.service.start_entries).
log_start_entries = Table(
    "log_announced",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("record_sha256", String(64), nullable=False),
)
