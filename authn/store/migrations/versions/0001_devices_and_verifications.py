"""Devices with their certificates, and stored verifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out, not imported from the schema: that module moves on, this step must not.
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Three tables; names of constraints as in ``authn.store.schema``."""
    op.create_table(
        "devices",
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("spki_sha256", sa.String(64), nullable=False),
        sa.Column("enrolled_at", INSTANT, nullable=False),
        sa.Column("assurance_level", sa.Integer, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.Column("invalid_since", INSTANT),
        sa.Column("revocation_reason", sa.Text),
        sa.PrimaryKeyConstraint("device_id", name="pk_devices"),
        sa.UniqueConstraint("name", name="uq_devices_name"),
        sa.UniqueConstraint("spki_sha256", name="uq_devices_spki_sha256"),
    )
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("not_before", INSTANT, nullable=False),
        sa.Column("not_after", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_certificates"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_certificates_device_id"),
    )
    op.create_index("ix_certificates_device_id", "certificates", ["device_id"])
    op.create_table(
        "verifications",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("subject_sha256", sa.String(64), nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("preview_jpeg", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_verifications"),
    )
    op.create_index("ix_verifications_expires_at", "verifications", ["expires_at"])


def downgrade() -> None:
    """Restore a backup instead: dropping tables would drop revocations."""
    raise NotImplementedError("restore a backup instead")
