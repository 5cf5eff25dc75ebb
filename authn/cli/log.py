"""``assay log``: this home's transparency log, and the witnesses that are to see it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.log_resume import resume
from authn.cli.monitor import monitor
from authn.cli.out import hand_over, say
from authn.cli.target import Kind, refuse_other
from authn.core.config import Settings, load_settings
from authn.core.homes import require_authorities

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from authn.tlog.log.log import Log


@click.group()
def log() -> None:
    """Show and check this home's log; have witnesses sign it; watch other people's."""


log.add_command(monitor)
log.add_command(resume)


@log.command()
@click.pass_obj
def show(config_file: str | None) -> None:
    """Print the newest checkpoint with its cosignatures; on stderr the log's key and state."""
    with closing(_log(load_settings(config_file))) as opened:
        hand_over(opened.checkpoint())
        say(f"key: {opened.verifier}", err=True)
        say(f"state: {opened.halted or 'signing'}", err=True)


@log.command()
@click.pass_obj
def check(config_file: str | None) -> None:
    """Derive the whole log again from what is stored; exit code 4 where something contradicts itself."""
    from authn.store.engine import open_engine
    from authn.tlog.log.check import check_log

    settings = load_settings(config_file)
    require_authorities(settings)
    engine = open_engine(settings.database)
    with closing(_log(settings, engine)) as opened:
        found = check_log(engine, opened.verifier)
    say(
        f"{found.origin}: {found.size} entries, root {found.root.hex()},"
        f" {found.checkpoints} checkpoints, {found.openings} salts: all in order"
    )


@log.command()
@click.argument("index", type=click.IntRange(0))
@click.option("--cose", is_flag=True, help="COSE (RFC 9942), which has no place for the salt or witnesses.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; default: standard output.")
@click.pass_obj
def receipt(config_file: str | None, index: int, cose: bool, out: Path | None) -> None:
    """Print the receipt of entry INDEX of this home's log, under the newest witnessed checkpoint.

    A receipt holds the salt: it tells whoever has the record, or guesses it, what the entry is about.
    """
    from authn.core.instants import utc_now
    from signer.core.durable import write_durably

    if out is not None:
        refuse_other(out, Kind.RECEIPT)
    with closing(_log(load_settings(config_file))) as opened:
        content = opened.cose_receipt(index, utc_now()) if cose else opened.receipt(index).text().encode()
    if out is None:
        hand_over(content)
        return
    try:
        write_durably(out, content, mode=0o644)
    except OSError as e:
        raise click.UsageError(f"{out} cannot be written: {e.strerror}") from e


@log.command()
@click.argument("index", type=click.IntRange(0))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def forget(config_file: str | None, index: int, yes: bool) -> None:
    """Destroy the salt and the record of entry INDEX of this home's log, for good.

    What was kept of a capture so that it can be found again goes too. What stays is a leaf that nobody can
    connect with anything, in a tree that is what it was. There is no receipt of it from now on; one that
    somebody holds already keeps what it says.
    """
    from authn.store.engine import open_engine
    from authn.store.pictures import SignedPictures
    from authn.tlog.log.reader import LogReader, destroy_salt

    settings = load_settings(config_file)
    require_authorities(settings)
    engine = open_engine(settings.database)
    kind = LogReader(engine).opening(index).kind.value
    if not yes and not click.confirm(f"Destroy what entry {index} ({kind}) is about?", err=True):
        say("nothing was destroyed", err=True)
        return
    SignedPictures(engine).forget_entry(index)
    destroy_salt(engine, index)
    say(f"entry {index} is about nothing any more")


@log.command()
@click.option(
    "--policy",
    "policy_file",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="C2SP tlog-policy file: the witnesses, their addresses, and how many are enough.",
)
@click.pass_context
def gather(context: click.Context, policy_file: Path) -> None:
    """Show the newest checkpoint to the policy's witnesses and keep their cosignatures.

    Exit code 1 when too few of them signed; run it again, for example every minute. A witness that has signed
    a larger log, or another history, halts the log (exit code 4): file log.halted beside the log's key says
    why, and nothing more is signed until that was understood and the file removed.
    """
    from authn.core.errors import SplitView
    from authn.store.engine import open_engine
    from authn.tlog.format.policy import read_policy
    from authn.tlog.log.feeder import evidence, feed

    settings = load_settings(context.obj)
    policy = read_policy(policy_file)
    require_authorities(settings)
    engine = open_engine(settings.database)
    with closing(_log(settings, engine)) as opened:
        reader = opened.reader
        note = reader.head().note
        try:
            collected = feed(note, reader.consistency, policy, newest=lambda: reader.head().size)
        except SplitView as e:
            opened.halt(e.detail, evidence(note, e))
            raise
        for cosigned in collected.cosigned:
            opened.add_cosignature(collected.size, cosigned.witness, cosigned.line)
            say(f"{cosigned.witness} has signed size {collected.size}")
    for sentence in collected.missing:
        say(f"missing: {sentence}", err=True)
    if not collected.enough:
        context.exit(1)


def _log(settings: Settings, engine: Engine | None = None) -> Log:
    """Raises ``Unavailable`` where no service lives."""
    from authn.service.wiring import open_transparency_log

    require_authorities(settings)
    return open_transparency_log(settings, engine)
