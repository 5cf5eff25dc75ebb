"""``assay stamp``: the second, retryable step after signing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from authn.cli.capturing import CaptureSession, open_session, print_stamping, stamp_waiting
from authn.cli.out import say
from signer.core.errors import SignerError
from signer.formats import media_type_of
from signer.mediafile import read_media_file
from signer.spool import new_entry
from signer.staple import has_token

EXIT_REFUSED, EXIT_CANNOT_RUN = 3, 4


@click.command()
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path), metavar="[PHOTO]...")
@click.option("--device", "device_name", help="Whose captures; needed where several devices are enrolled.")
@click.pass_context
def stamp(ctx: click.Context, photos: tuple[Path, ...], device_name: str | None) -> None:
    """Fetch the time-stamps that signed captures still wait for.

    Name photos that are signed but were moved since, and they are stamped where they lie now. Exit code 0
    when nothing waits any more, 4 when something still does, 3 when something cannot be stamped.
    """
    session = open_session(ctx.obj, device_name)
    refused = [photo for photo in photos if not _add(photo, session)]
    run = stamp_waiting(session)
    for entry in run.stamped:
        say(f"stamped {entry.path}")
    print_stamping(run)
    if not (photos or run.stamped or run.waiting or run.aside):
        say("nothing waits for a time-stamp", err=True)
    kept, damaged = len(session.spool.aside()), len(session.spool.damaged())
    if kept or damaged:
        folder = session.spool.folder / "aside"
        say(f"kept aside in {folder}: {kept} captures, {damaged} damaged entries", err=True)
    if refused or run.aside:
        ctx.exit(EXIT_REFUSED)
    if run.waiting:
        ctx.exit(EXIT_CANNOT_RUN)


def _add(photo: Path, session: CaptureSession) -> bool:
    try:
        file = read_media_file(photo)
        media_type = media_type_of(file.data, photo.name)
        if has_token(file.data, media_type):
            say(f"has a time-stamp already: {photo}", err=True)
            return True
        entry = new_entry(
            path=photo,
            media_type=media_type,
            signed=file.data,
            device_id=session.identity.device_id,
            now=datetime.now(UTC),
        )
    except SignerError as e:
        say(f"not stamped: {photo}: {e.detail} [{e.code}]", err=True)
        return False
    session.spool.add(entry)
    return True
