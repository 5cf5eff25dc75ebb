"""Revocations as rows that are never changed, of devices and of single certificates; published lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Devices that were revoked before keep their reason; of its kind nothing is known."""
    op.create_table(
        "revocations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(40)),
        sa.Column("revoked_at", INSTANT, nullable=False),
        sa.Column("invalid_since", INSTANT, nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_revocations_device_id"),
        sa.ForeignKeyConstraint(["serial"], ["certificates.serial"], name="fk_revocations_serial"),
    )
    op.create_index("ix_revocations_device_id", "revocations", ["device_id"])
    op.create_table(
        "crls",
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("issuer_sha256", sa.String(64), nullable=False),
        sa.Column("last_revocation", sa.Integer, nullable=False),
        sa.Column("this_update", INSTANT, nullable=False),
        sa.Column("next_update", INSTANT, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_crls"),
    )
    op.execute(
        "INSERT INTO revocations (device_id, revoked_at, invalid_since, cause, reason) "
        "SELECT device_id, revoked_at, coalesce(invalid_since, revoked_at), 'unspecified', "
        "coalesce(revocation_reason, '') FROM devices WHERE revoked_at IS NOT NULL"
    )


def downgrade() -> None:
    """Restore a backup instead: dropping tables would drop revocations."""
    raise NotImplementedError("restore a backup instead")
