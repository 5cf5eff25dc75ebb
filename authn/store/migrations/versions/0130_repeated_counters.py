"""Numbers that several captures of a device bear: where to look, instead of at all its captures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0130"
down_revision = "0120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Those of captures that are there already are found once."""
    op.create_table(
        "repeated_counters",
        sa.Column("device_id", sa.String(64), primary_key=True),
        sa.Column("counter", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_repeated_counters_device_id"),
    )
    op.execute(
        "INSERT INTO repeated_counters (device_id, counter) SELECT device_id, counter FROM captures "
        "WHERE counter IS NOT NULL GROUP BY device_id, counter HAVING count(DISTINCT claim_sha256) > 1"
    )


def downgrade() -> None:
    """They are found among the captures again."""
    op.drop_table("repeated_counters")
