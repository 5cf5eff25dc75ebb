"""Challenges of enrolments, and what vouched for a device's key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two new tables, and two columns on devices: those from before are at level 0, unattested."""
    op.create_table(
        "enrolment_challenges",
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("bound_to", sa.String(64), nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("challenge", name="pk_enrolment_challenges"),
    )
    op.create_index("ix_enrolment_challenges_expires_at", "enrolment_challenges", ["expires_at"])
    op.create_table(
        "attestations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("spki_sha256", sa.String(64), nullable=False),
        sa.Column("fmt", sa.String(32), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("examined_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attestations"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_attestations_device_id"),
    )
    op.create_index("ix_attestations_device_id", "attestations", ["device_id"])
    op.add_column("devices", sa.Column("attestation_fmt", sa.String(32)))
    op.add_column("devices", sa.Column("attested_at", INSTANT))


def downgrade() -> None:
    """Restore a backup instead: dropping tables would make used challenges usable again."""
    raise NotImplementedError("restore a backup instead")
