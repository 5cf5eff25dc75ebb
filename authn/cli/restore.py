"""``assay restore``: a home out of a backup."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.backup import passphrase_option, read_passphrase
from authn.cli.out import say
from authn.core.config import load_settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@passphrase_option
@click.pass_obj
def restore(config_file: str | None, file: Path, passphrase_file: Path | None) -> None:
    """Restore the backup FILE into this home and its database, which both have to be empty.

    All of it is restored or nothing; a PostgreSQL database whose log does not hold stays filled and has to be
    made anew. The log signs nothing until `assay log resume` was told what its key
    signed last: from a backup alone nobody can know.
    """
    from authn.backup.restoring import restore as run
    from authn.core.instants import utc_now

    settings = load_settings(config_file)
    restored = run(file, settings, read_passphrase(passphrase_file), utc_now())
    contents, log = restored.contents, restored.log
    if log is not None:
        say(f"{settings.home}: log {log.origin} at {log.size} entries, of {contents.made_at}")
    for name in contents.left_out:
        say(f"not in the backup, bring it back yourself: {settings.home / name}", err=True)
    say("the log is halted: run `assay log resume` (docs/operating.md, 'Restoring')", err=True)
