"""``assay receipt refresh``: the same entry under a checkpoint that witnesses have signed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.given import given_logs, log_options, read_receipt
from authn.cli.out import say
from authn.core.config import load_settings
from authn.core.errors import FileUnusable, ReceiptRefused, Unavailable

if TYPE_CHECKING:
    from authn.provenance.logs import LogTrust
    from authn.tlog.format.receipt import Inclusion, Receipt, VerifiedReceipt
    from authn.tlog.monitor.remote import RemoteLog


@click.command()
@click.argument("receipts", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RECEIPT...")
@click.option("--log", "url", required=True, help="The log, such as https://assay.example.org/log.")
@log_options
@click.pass_context
def refresh(
    ctx: click.Context,
    receipts: tuple[Path, ...],
    url: str,
    log_keys: tuple[str, ...],
    witness_keys: tuple[str, ...],
    quorum: int,
    log_policy: Path | None,
) -> None:
    """Fetch newer proofs for RECEIPTs, whose checkpoints witnesses have signed since.

    A receipt that comes with an upload is seldom witnessed yet. It is replaced only by one of the same entry
    that verifies, and where witnesses are named, only by one that enough of them have signed. The salt stays
    here.

    Exits 0 when every receipt was renewed or is good already; 1 when one was refused, or too few witnesses
    have signed yet; 4 when the log cannot be reached.
    """
    from authn.tlog.monitor.remote import RemoteLog

    trust = given_logs(load_settings(ctx.obj), log_keys, witness_keys, quorum, log_policy)
    if not trust.logs:
        raise click.UsageError("name the key of the log: --log-key or --log-policy")
    code = 0
    for path in receipts:
        try:
            code = max(code, _one(path, RemoteLog(url), trust))
        except (ReceiptRefused, Unavailable) as e:
            say(f"not renewed: {path}: {e.detail} [{e.code}]", err=True)
            code = max(code, e.exit_code)
    ctx.exit(code)


def _one(path: Path, log: RemoteLog, trust: LogTrust) -> int:
    """Raises ``ReceiptRefused``, ``Unavailable``."""
    from authn.tlog.format.receipt import parse_receipt
    from signer.core.durable import write_durably

    held = parse_receipt(read_receipt(path, path) or "")
    leaf, inclusion = log.leaf(held.index), log.inclusion(held.index)
    before, after = _verified(held, leaf, trust), _verified(inclusion, leaf, trust)
    new = held.under(inclusion)
    if trust.witnesses and not trust.enough(after.witnessed_by):
        enough = trust.enough(before.witnessed_by)
        said = "it is witnessed already" if enough else "too few witnesses have signed yet"
        say(f"not renewed: {path}: {said}", err=True)
        return 0 if enough else 1
    if after.size < before.size and not (trust.witnesses and not trust.enough(before.witnessed_by)):
        raise ReceiptRefused("the log shows an older checkpoint than the receipt's")
    try:
        write_durably(path, new.text().encode(), mode=0o644)
    except OSError as e:
        raise FileUnusable(f"it cannot be written: {e.strerror}") from e
    say(f"renewed {path}: {after.size} entries, {_witnesses(after)}")
    return 0


def _verified(proof: Receipt | Inclusion, leaf: bytes, trust: LogTrust) -> VerifiedReceipt:
    """By one of the logs of the list. That both the old and the new one prove this leaf at this place makes
    the new one a receipt of what the old one was about."""
    from authn.tlog.format.receipt import verify_receipt

    refused = ReceiptRefused("the receipt is of no log in your list")
    for key in trust.logs:
        try:
            return verify_receipt(proof, leaf, key, trust.witnesses)
        except ReceiptRefused as e:
            refused = e
    raise refused


def _witnesses(verified: VerifiedReceipt) -> str:
    if not verified.witnessed_by:
        return "unwitnessed by anybody in your list"
    return f"seen by {', '.join(verified.witnessed_by)}"
