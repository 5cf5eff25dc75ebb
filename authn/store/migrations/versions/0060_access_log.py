"""Decisions about access, which are only ever added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0050"
branch_labels = None
depends_on = None

TABLE = "access_log"


def upgrade() -> None:
    """One table; triggers refuse to change it. They stop mistakes, the chain shows the rest."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        TABLE,
        sa.Column("seq", big, nullable=False, autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_access_log"),
    )
    if op.get_bind().dialect.name == "sqlite":
        abort = "BEGIN SELECT RAISE(ABORT, 'append-only'); END"
        op.execute(f"CREATE TRIGGER {TABLE}_update BEFORE UPDATE ON {TABLE} {abort}")
        op.execute(f"CREATE TRIGGER {TABLE}_delete BEFORE DELETE ON {TABLE} {abort}")
        return
    run = "EXECUTE FUNCTION log_append_only()"  # of migration 0010
    op.execute(f"CREATE TRIGGER {TABLE}_update BEFORE UPDATE ON {TABLE} FOR EACH ROW {run}")
    op.execute(f"CREATE TRIGGER {TABLE}_delete BEFORE DELETE ON {TABLE} FOR EACH ROW {run}")
    op.execute(f"CREATE TRIGGER {TABLE}_truncate BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT {run}")


def downgrade() -> None:
    """Restore a backup instead: dropping the table would drop what it is for."""
    raise NotImplementedError("restore a backup instead")
