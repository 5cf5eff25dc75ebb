"""``assay watch``: a hot folder, for a camera on a cable or a phone that synchronises."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import ec

from authn.cli.capturing import (
    CaptureSession,
    make_out_folder,
    open_session,
    print_stamping,
    sign_one,
    stamp_waiting,
)
from authn.cli.out import say
from signer.core.errors import AlreadySigned, SignerError, SpoolError
from signer.keys import open_key
from signer.watch import DEFAULT_INTERVAL_S, DEFAULT_SETTLE_S, HotFolder
from signer.watch import watch as watch_folder

EXIT_REFUSED = 3
STAMP_RETRY_S = 60.0


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--device", "device_name", help="Which enrolled device signs; needed where there are several.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the signed files into this folder and leave the photos as they are.",
)
@click.option("--once", is_flag=True, help="Sign what is there as soon as it is complete, then end.")
@click.option(
    "--interval", "interval_s", default=DEFAULT_INTERVAL_S, show_default=True,
    type=click.FloatRange(0.05, 3600), help="Seconds between two looks.",
)  # fmt: skip
@click.option(
    "--settle", "settle_s", default=DEFAULT_SETTLE_S, show_default=True,
    type=click.FloatRange(0.05, 3600), help="Seconds without a change after which a file counts as complete.",
)  # fmt: skip
@click.option("--no-stamp", is_flag=True, help="Leave the time-stamps for later (`assay stamp`).")
@click.pass_context
def watch(
    ctx: click.Context,
    folder: Path,
    device_name: str | None,
    out: Path | None,
    once: bool,
    interval_s: float,
    settle_s: float,
    no_stamp: bool,
) -> None:
    """Sign what arrives in FOLDER as soon as a file is complete, until Ctrl-C.

    Hidden and unfinished files (.part, .tmp, ...) and sub-folders are left alone, and so is what is signed
    already. A file that is refused is reported once and tried again when it changes.
    """
    if out is not None and out.resolve() == folder.resolve():
        raise click.UsageError("--out must be another folder than the watched one")
    session = open_session(ctx.obj, device_name)
    make_out_folder(out)
    desk = _Desk(session=session, key=open_key(session.identity.key_uri), out=out, stamping=not no_stamp)
    say(f"watching {folder} as {session.identity.name}; Ctrl-C ends it", err=True)
    watch_folder(HotFolder(folder, settle_s), desk.handle, idle=desk.idle, once=once, interval_s=interval_s)
    if desk.refused:
        ctx.exit(EXIT_REFUSED)


@dataclass(slots=True, kw_only=True)
class _Desk:
    session: CaptureSession
    key: ec.EllipticCurvePrivateKey
    out: Path | None
    stamping: bool
    clock: Callable[[], float] = field(default=time.monotonic)
    refused: int = 0
    _next_stamping_s: float = 0.0

    def handle(self, path: Path) -> bool:
        """Whether the photo itself was rewritten."""
        target = None if self.out is None else self.out / path.name
        if target is not None and os.path.lexists(target):  # done by an earlier run
            return False
        done = sign_one(path, self.session, self.key, target)
        if isinstance(done, AlreadySigned):
            return False
        if isinstance(done, SignerError):
            self.refused += 1
            say(f"not signed: {path}: {done.detail} [{done.code}]", err=True)
            return False
        say(f"signed {done.path} (no. {done.counter} of this device)")
        return target is None

    def idle(self) -> None:
        """Stamp what waits; while the authority is away, only now and then."""
        if not self.stamping or self.clock() < self._next_stamping_s:
            return
        try:
            run = stamp_waiting(self.session)
        except SpoolError as e:  # signing goes on; a damaged entry is for a person to look at
            say(f"not stamped: {e.detail} [{e.code}]", err=True)
            self._next_stamping_s = self.clock() + STAMP_RETRY_S
            return
        for entry in run.stamped:
            say(f"stamped {entry.path}")
        print_stamping(run)
        if run.waiting:
            self._next_stamping_s = self.clock() + STAMP_RETRY_S
