"""What the log was last told about things that change seldom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table. It begins empty: the next start of the service says everything once."""
    op.create_table(
        "log_announced",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("record_sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_log_announced"),
    )


def downgrade() -> None:
    """Restore a backup instead; but read docs/formats/log.md before restoring a log."""
    raise NotImplementedError("restore a backup instead")
