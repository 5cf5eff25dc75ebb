"""Work that outlives a request: jobs, batches, answers that may be asked for twice, who is told of an end.

Reports get the one who asked for them; older ones belong to nobody, and stand in no list.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0080"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Four new tables, one new column."""
    op.add_column("verifications", sa.Column("owner", sa.String(128)))
    op.create_index("ix_verifications_owner", "verifications", ["owner", "created_at", "id"])
    _jobs()
    op.create_table(
        "batches",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(128)),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_expires_at", "batches", ["expires_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.Text),
        sa.Column("body", sa.LargeBinary),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("quiet_until", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_owner", "webhooks", ["owner"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(128)),
        sa.Column("batch_id", sa.String(64)),
        sa.Column("lane", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("leased_by", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_due_at", "jobs", ["kind", "state", "due_at"])
    op.create_index("ix_jobs_expires_at", "jobs", ["state", "expires_at"])
    op.create_index("ix_jobs_batch_id", "jobs", ["batch_id", "created_at", "id"])
    op.create_index("ix_jobs_lane", "jobs", ["lane"])


def downgrade() -> None:
    """Restore a backup instead: what was accepted and is not done yet would be forgotten."""
    raise NotImplementedError("restore a backup instead")
