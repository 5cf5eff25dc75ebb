"""``assay sign``: photos become captures of an enrolled device."""

from __future__ import annotations

import json
from pathlib import Path

import click

from authn.cli.capturing import (
    make_out_folder,
    open_session,
    print_stamping,
    sign_one,
    signed_earlier,
    stamp_waiting,
)
from authn.cli.out import say, say_json
from signer.capture import SignedBefore, SignedCapture
from signer.core.errors import InputRefused, SignerError
from signer.keys import open_key
from signer.spool import StampRun

EXIT_REFUSED, EXIT_CANNOT_RUN = 3, 4

Result = SignedCapture | SignedBefore | SignerError


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option("--device", "device_name", help="Which enrolled device signs; needed where there are several.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the signed files into this folder instead of replacing the photos.",
)
@click.option("--no-stamp", is_flag=True, help="Leave the time-stamp for later (`assay stamp`).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per photo and line.")
@click.pass_context
def sign(
    ctx: click.Context,
    photos: tuple[Path, ...],
    device_name: str | None,
    out: Path | None,
    no_stamp: bool,
    as_json: bool,
) -> None:
    """Sign photos as captures of an enrolled device, then fetch their time-stamps.

    A file that carries a manifest already is refused. One that this device signed before, and that nobody has
    changed since, is named and left as it is: run again after an interruption, the command goes on where it
    stopped. Signing needs no network; a time-stamp that cannot be had now waits in the spool, and the exit
    code stays 0.
    """
    session = open_session(ctx.obj, device_name)
    key = open_key(session.identity.key_uri)
    make_out_folder(out)
    results: list[tuple[Path, Result]] = []
    run = StampRun()
    try:
        for photo in photos:
            target = None if out is None else out / photo.name
            result: Result = sign_one(photo, session, key, target)
            if isinstance(result, InputRefused):
                result = signed_earlier(photo, session, target) or result
            results.append((photo, result))
        run = run if no_stamp else stamp_waiting(session)
    finally:  # what was done is said, whatever ends the rest
        for photo, result in results:
            _print(photo, result, run, as_json)
    print_stamping(run)
    failures = [result for _, result in results if isinstance(result, SignerError)]
    if failures:
        refused = all(isinstance(failure, InputRefused) for failure in failures)
        ctx.exit(EXIT_REFUSED if refused else EXIT_CANNOT_RUN)


def _print(photo: Path, result: Result, run: StampRun, as_json: bool) -> None:
    if isinstance(result, SignerError):
        if as_json:
            error = {"code": result.code, "detail": result.detail}
            say_json({"photo": str(photo), "error": error})
        say(f"not signed: {photo}: {result.detail} [{result.code}]", err=True)
        return
    before = result if isinstance(result, SignedBefore) else None
    counter = None if isinstance(result, SignedBefore) else result.counter
    stamped = any(entry.path == str(result.path.absolute()) for entry in run.stamped)
    stamped = stamped or (before is not None and before.stamped)
    if not as_json:
        time = "time-stamped" if stamped else "waits for its time-stamp"
        which = f"no. {counter} of this device" if before is None else "by this device before"
        say(f"{'signed' if before is None else 'already signed'} {result.path} ({which}; {time})")
        return
    say(
        json.dumps(
            {
                "photo": str(photo),
                "signed": str(result.path),
                "media_type": result.media_type,
                "device_id": result.device_id,
                "counter": counter,
                "time_stamp": "stapled" if stamped else "waiting",
                "already": before is not None,
            }
        )
    )
