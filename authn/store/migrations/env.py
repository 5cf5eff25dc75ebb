"""Runs inside the transaction that ``authn.store.engine`` has opened; it never connects by itself."""

from __future__ import annotations

from alembic import context

from authn.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
