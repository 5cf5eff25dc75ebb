"""``assay backup``: the home of a service as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.out import say
from authn.core.config import load_settings
from authn.core.errors import BadRequest

if TYPE_CHECKING:
    from authn.backup.restoring import Restored

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File whose first line encrypts the keys; 16 characters or more.",
)


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@passphrase_option
@click.option("--without-keys", is_flag=True, help="Leave every key out; the file says which.")
@click.option("--check", is_flag=True, help="Read the backup TARGET instead of writing one.")
@click.pass_obj
def backup(
    config_file: str | None, target: Path, passphrase_file: Path | None, without_keys: bool, check: bool
) -> None:
    """Write a backup of this home into the folder or the new file TARGET; the service may run.

    In it: the database at one moment with registry, log and reports, certificates, settings, and the keys,
    encrypted. Not in it: keys of devices, which must be enrolled anew. Only the keys are encrypted. The file
    is there when it is whole.
    """
    from authn.backup.restoring import check_backup
    from authn.backup.writing import target_of, write_backup
    from authn.core.instants import utc_now

    passphrase = read_passphrase(passphrase_file)
    if check:
        _tell_checked(check_backup(target, passphrase), opened=passphrase is not None)
        return
    if (passphrase is None) != without_keys:
        raise click.UsageError(
            "choose one: --passphrase-file FILE encrypts the keys, --without-keys leaves them out"
        )
    now = utc_now()
    path = target_of(target, now)
    contents = write_backup(load_settings(config_file), path, passphrase, now)
    for name in contents.left_out:
        say(f"left out: {name}", err=True)
    keys = "keys encrypted" if contents.seal else "WITHOUT keys"
    say(f"{path}: {contents.database}, log {contents.log_origin} at {contents.log_size} entries, {keys}")


def read_passphrase(file: Path | None) -> bytes | None:
    """Raises ``BadRequest``."""
    from authn.backup.sealing import parse_passphrase

    if file is None:
        return None
    try:
        return parse_passphrase(file.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as e:
        raise BadRequest(f"the passphrase file {file} cannot be read: {e.strerror}") from e


def _tell_checked(found: Restored, *, opened: bool) -> None:
    contents = found.contents
    say(f"made        {contents.made_at}, by version {contents.version}, schema {contents.schema}")
    if found.log is None:
        say(f"database    {contents.database}: every byte is as it was written; restoring derives the log")
    else:
        say(
            f"database    {contents.database}; log {found.log.origin}, {found.log.size} entries: all in order"
        )
    if contents.seal is None:
        say(f"keys        left out ({len(contents.left_out)} files)")
    else:
        say("keys        encrypted; they open" if opened else "keys        encrypted; not tried")
