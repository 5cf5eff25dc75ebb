"""Who may ask: keys of machines, what signed requests were seen, how many requests were made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0020"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Three new tables."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_table(
        "request_nonces",
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("device_id", "nonce", name="pk_request_nonces"),
    )
    op.create_index("ix_request_nonces_expires_at", "request_nonces", ["expires_at"])
    op.create_table(
        "rate_buckets",
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("tokens", sa.Float, nullable=False),
        sa.Column("filled_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("caller", name="pk_rate_buckets"),
    )
    op.create_index("ix_rate_buckets_filled_at", "rate_buckets", ["filled_at"])


def downgrade() -> None:
    """Restore a backup instead: dropping tables would make used requests usable again."""
    raise NotImplementedError("restore a backup instead")
