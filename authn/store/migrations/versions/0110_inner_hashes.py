"""What the inside of a signed photo looks like, by which a crop of it is found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0110"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Captures that were taken in before have none: their pixels were not kept."""
    op.add_column("picture_hashes", sa.Column("inner", sa.LargeBinary))


def downgrade() -> None:
    """No crop is found any more."""
    op.drop_column("picture_hashes", "inner")
