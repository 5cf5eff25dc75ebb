"""Who works on a request with a key of the client's own, so that its lease can be renewed and not stolen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0120"
down_revision = "0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is at work when this runs is renewed by nobody, and ends as it did."""
    op.add_column("idempotency_keys", sa.Column("leased_by", sa.String(64)))


def downgrade() -> None:
    """A lease that is held ends when it would have been renewed."""
    op.drop_column("idempotency_keys", "leased_by")
