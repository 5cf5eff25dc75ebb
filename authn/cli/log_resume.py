"""``assay log resume``: how a restored log goes on."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.out import say
from authn.core.config import load_settings
from authn.core.homes import require_authorities


@click.command()
@click.option(
    "--newest",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The newest checkpoint that anybody holds, or log.signed of the old home.",
)
@click.option("--from", "copy", help="Take what is missing from a copy of the log: a folder or an address.")
@click.option("--new-log", "name", help="Close this log for ever and begin another under this name.")
@click.pass_obj
def resume(config_file: str | None, newest: Path | None, copy: str | None, name: str | None) -> None:
    """Let a restored log sign again, or begin another in its place. Stop the service before.

    A log that signs less than its key has signed contradicts its own receipts. So say what was signed last,
    by --newest, by --from, or by the witnesses of witness_policy, which are asked in any case; where nobody
    knows, take --new-log. Exit code 4 where this log is behind what it is shown.
    """
    from authn.backup.copies import open_copy
    from authn.backup.resuming import begin_another
    from authn.backup.resuming import resume as run

    settings = load_settings(config_file)
    require_authorities(settings)
    if name is not None:
        if newest is not None or copy is not None:
            raise click.UsageError("--new-log goes on with nothing; name it alone")
        folder = begin_another(settings, name)
        say(f"the old log is closed, its tree and its keys are in {folder}")
        key = settings.home / "pki" / "log.vkey"
        say(f"the log {name} begins; give devices, readers and witnesses its key: {key}")
        return
    found = run(settings, newest=newest, mirror=None if copy is None else open_copy(copy))
    more = f", {found.taken} of them from the copy" if found.taken else ""
    say(f"{found.origin} goes on at {found.size} entries{more}; told by {', '.join(found.told_by)}")
    if found.still:
        say(f"it stays halted for what was so before the backup: {found.still}", err=True)
