"""``assay capture``: a frame from a camera, signed before it reaches the disk; or several, as one set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import ec

from authn.cli.capturing import CaptureSession, open_session, print_stamping, stamp_waiting
from authn.cli.out import say
from authn.core.media import MediaLimits, unparsed_file
from signer.burst import sign_burst
from signer.camera import take_frame
from signer.capture import sign_frame
from signer.claim import MOST_IN_BURST
from signer.keys import open_key

BETWEEN_S = 0.7  # to move the camera in


@click.command()
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="A new JPEG file; with --burst a new folder.",
)
@click.option(
    "--burst",
    type=click.IntRange(2, MOST_IN_BURST),
    metavar="N",
    help="Take N frames while you move the camera sideways, and sign them as one set. With PHOTOS that a "
    "camera took, N of them are signed in copies.",
)
@click.option(
    "--device-index", default=0, show_default=True, type=click.IntRange(0, 255), help="Which camera."
)
@click.option("--device", "device_name", help="Which enrolled device signs; needed where there are several.")
@click.option("--no-stamp", is_flag=True, help="Leave the time-stamp for later (`assay stamp`).")
@click.pass_context
def capture(
    ctx: click.Context,
    /,
    photos: tuple[Path, ...],
    out: Path,
    burst: int | None,
    device_index: int,
    device_name: str | None,
    no_stamp: bool,
) -> None:
    """Take a frame from a camera, sign it and write it to a new file; with --burst several, as one set.

    What a set shows is told by `assay burst`, and here at once: a screen or a print moves as one flat thing.
    """
    if photos and burst != len(photos):
        raise click.UsageError(f"{len(photos)} photos are named: say --burst {len(photos)}")
    session = open_session(ctx.obj, device_name)
    key = open_key(session.identity.key_uri)
    if burst is None:
        done = sign_frame(take_frame(device_index), out, session.identity, spool=session.spool, key=key)
        say(f"signed {done.path} (no. {done.counter} of this device)")
    else:
        _sign_set(list(_frames(photos, burst, device_index)), out, session, key)
    if not no_stamp:
        print_stamping(stamp_waiting(session))


def _frames(photos: tuple[Path, ...], count: int, device_index: int) -> Iterator[bytes]:
    """Raises ``CameraError``, and ``MediaError`` for a photo that cannot be read."""
    for photo in photos:
        yield unparsed_file(photo, MediaLimits()).data
    for i in range(0 if photos else count):
        if i:
            time.sleep(BETWEEN_S)
        say(f"photo {i + 1} of {count}")
        yield take_frame(device_index)


def _sign_set(
    frames: list[bytes], folder: Path, session: CaptureSession, key: ec.EllipticCurvePrivateKey
) -> None:
    from authn.cli.burst import look_at, say_motion  # decoders, which no other capture needs
    from authn.core.errors import AuthnError

    signed = sign_burst(frames, folder, session.identity, spool=session.spool, key=key)
    for one in signed:
        say(f"signed {one.path} (no. {one.counter} of this device)")
    try:
        say_motion(look_at(tuple(one.path for one in signed), session.settings))
    except AuthnError as e:
        say(f"how the photos move was not looked at: {e.detail}")
