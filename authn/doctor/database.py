"""Whether the database can be used by this version, without making or changing one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from authn.core.errors import Unavailable
from authn.doctor.check import Check, State, ok, problem

SUBJECT = "database"


def check_database(url: str) -> Iterator[Check]:
    """One check."""
    from authn.store.engine import HEAD, connect_as_it_is, is_known, schema_of

    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():
        yield ok(SUBJECT, f"{file} will be made when it is first needed")
        return
    try:
        engine = connect_as_it_is(url)
        schema = schema_of(engine)
        engine.dispose()
    except Unavailable as e:
        yield problem(SUBJECT, e.detail, "See docs/operating.md, 'PostgreSQL' and 'Backups'.")
        return
    if schema is None:
        yield ok(SUBJECT, "it answers and is empty; tables are made when they are first needed")
    elif not is_known(schema):
        yield problem(
            SUBJECT,
            f"it has schema {schema}, made by a newer version than this one, which does not touch it",
            "Install that version again, or restore a backup from before (docs/operating.md, 'Upgrading').",
        )
    elif schema != HEAD:
        yield Check(
            subject=SUBJECT,
            state=State.NOTE,
            says=f"it has schema {schema}; the next start takes it to {HEAD}, and there is no way back",
            mend="Make a backup first: assay backup FOLDER --passphrase-file FILE",
        )
    else:
        yield ok(SUBJECT, f"it answers and has schema {schema}, the newest")
