"""``assay sign``: photos become captures of an enrolled device."""

from __future__ import annotations

import json
from pathlib import Path

import click

from authn.cli.capturing import make_out_folder, open_session, print_stamping, sign_one, stamp_waiting
from authn.cli.out import say, say_json
from signer.capture import SignedCapture
from signer.core.errors import InputRefused, SignerError
from signer.keys import open_key
from signer.spool import StampRun

EXIT_REFUSED, EXIT_CANNOT_RUN = 3, 4

Result = SignedCapture | SignerError


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

    A file that carries a manifest already is refused. Signing needs no network; a time-stamp that cannot be
    had now waits in the spool, and the exit code stays 0.
    """
    session = open_session(ctx.obj, device_name)
    key = open_key(session.identity.key_uri)
    make_out_folder(out)
    results: list[tuple[Path, Result]] = []
    run = StampRun()
    try:
        for photo in photos:
            target = None if out is None else out / photo.name
            results.append((photo, sign_one(photo, session, key, target)))
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
    stamped = any(entry.id == result.entry.id for entry in run.stamped)
    if not as_json:
        time = "time-stamped" if stamped else "waits for its time-stamp"
        say(f"signed {result.path} (no. {result.counter} of this device; {time})")
        return
    say(
        json.dumps(
            {
                "photo": str(photo),
                "signed": str(result.path),
                "media_type": result.media_type,
                "device_id": result.device_id,
                "counter": result.counter,
                "time_stamp": "stapled" if stamped else "waiting",
            }
        )
    )
