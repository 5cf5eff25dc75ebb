"""What signed photos look like, by a perceptual hash each, and their manifests; both by the setting alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0100"
down_revision = "0090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Captures that were taken in before have no hash: their pixels were not kept."""
    position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "picture_hashes",
        sa.Column("id", position, primary_key=True),
        sa.Column("record_sha256", sa.String(64), nullable=False),
        sa.Column("subject_sha256", sa.String(64), nullable=False),
        sa.Column("manifest_id", sa.Text, nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("pdq", sa.LargeBinary, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True)),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("record_sha256", name="uq_picture_hashes_record_sha256"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_picture_hashes_device_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_picture_hashes_manifest_id", "picture_hashes", ["manifest_id"])
    op.create_table(
        "picture_manifests",
        sa.Column("record_sha256", sa.String(64), primary_key=True),
        sa.Column("store", sa.LargeBinary, nullable=False),
    )
    op.create_table("picture_hashes_gone", sa.Column("id", position, primary_key=True, autoincrement=False))


def downgrade() -> None:
    """Nothing can be recovered any more."""
    op.drop_table("picture_hashes_gone")
    op.drop_table("picture_manifests")
    op.drop_table("picture_hashes")
