"""Alembic scripts, shipped with the package and run by ``authn.store.engine`` only."""
