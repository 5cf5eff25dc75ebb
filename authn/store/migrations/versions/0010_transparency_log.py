"""The transparency log, with triggers that keep it from being rewritten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("log_entry", "log_checkpoint")
# What an update must not do: the tree shrinks or stands still, a tile loses or changes a hash.
GROWS = {
    "log_state": "NEW.size <= OLD.size OR NEW.origin <> OLD.origin",
    "log_tile": "substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes",
}


def upgrade() -> None:
    """Seven tables; names of constraints as in ``authn.store.schema``."""
    _tree()
    _around_it()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _tree() -> None:
    op.create_table(
        "log_state",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_state"),
        sa.CheckConstraint("id = 1", name="ck_log_state_single"),
    )
    op.create_table(
        "log_entry",
        sa.Column("idx", _big(), nullable=False, autoincrement=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("idx", name="pk_log_entry"),
        sa.UniqueConstraint("leaf_hash", name="uq_log_entry_leaf_hash"),
    )
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("idx", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "idx", name="pk_log_tile"),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("size", _big(), nullable=False, autoincrement=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_log_checkpoint"),
    )


def _around_it() -> None:
    op.create_table(
        "log_cosignature",
        sa.Column("size", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("witness", sa.String(255), nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name="pk_log_cosignature"),
    )
    op.create_table(
        "log_opening",
        sa.Column("idx", _big(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("idx", name="pk_log_opening"),
    )
    op.create_table(
        "log_queue",
        sa.Column("id", _big(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_queue"),
    )


def _big() -> sa.types.TypeEngine[int]:
    # SQLite keeps the row itself under the key only where the column is called INTEGER.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _guard_sqlite() -> None:
    abort = "BEGIN SELECT RAISE(ABORT, 'append-only'); END"
    for table in APPEND_ONLY:
        op.execute(f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {abort}")
    for table in (*APPEND_ONLY, *GROWS):
        op.execute(f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {abort}")
    for table, wrong in GROWS.items():
        op.execute(f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} WHEN {wrong} {abort}")


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION log_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'append-only'; END $$"
    )
    run = "EXECUTE FUNCTION log_append_only()"
    for table in APPEND_ONLY:
        op.execute(f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} FOR EACH ROW {run}")
    for table in (*APPEND_ONLY, *GROWS):
        op.execute(f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} FOR EACH ROW {run}")
        op.execute(f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}")
    for table, wrong in GROWS.items():
        op.execute(
            f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({wrong}) {run}"
        )


def downgrade() -> None:
    """Restore a backup instead; but read docs/formats/log.md before restoring a log."""
    raise NotImplementedError("restore a backup instead")
