"""Which captures were taken in: each once, and the numbers that their devices gave them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was logged before is in the log alone; sent again, it is logged once more and then known."""
    position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "captures",
        sa.Column("record_sha256", sa.String(64), primary_key=True),
        sa.Column("claim_sha256", sa.String(64), nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("counter", sa.BigInteger),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idx", position),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_captures_device_id"),
    )
    op.create_index("ix_captures_device_id_counter", "captures", ["device_id", "counter"])
    op.create_index("ix_captures_idx", "captures", ["idx"])


def downgrade() -> None:
    """The log keeps what it has; captures that are sent again are logged again."""
    op.drop_table("captures")
