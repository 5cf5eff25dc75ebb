"""Where a learned detector's score comes from, kept beside the preview of a report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Reports from before have none, and their pages say so."""
    with op.batch_alter_table("verifications") as table:
        table.add_column(sa.Column("maps", sa.Text))


def downgrade() -> None:
    """They are drawn from the media, which are not kept, and nothing depends on them."""
    with op.batch_alter_table("verifications") as table:
        table.drop_column("maps")
