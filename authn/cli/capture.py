"""``assay capture``: a frame from a camera, signed before it reaches the disk."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.capturing import open_session, print_stamping, stamp_waiting
from authn.cli.out import say
from signer.camera import take_frame
from signer.capture import sign_frame
from signer.keys import open_key


@click.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A new JPEG file."
)
@click.option(
    "--device-index", default=0, show_default=True, type=click.IntRange(0, 255), help="Which camera."
)
@click.option("--device", "device_name", help="Which enrolled device signs; needed where there are several.")
@click.option("--no-stamp", is_flag=True, help="Leave the time-stamp for later (`assay stamp`).")
@click.pass_context
def capture(
    ctx: click.Context, out: Path, device_index: int, device_name: str | None, no_stamp: bool
) -> None:
    """Take a frame from a camera, sign it and write it to a new file."""
    session = open_session(ctx.obj, device_name)
    key = open_key(session.identity.key_uri)
    done = sign_frame(take_frame(device_index), out, session.identity, spool=session.spool, key=key)
    say(f"signed {done.path} (no. {done.counter} of this device)")
    if not no_stamp:
        print_stamping(stamp_waiting(session))
