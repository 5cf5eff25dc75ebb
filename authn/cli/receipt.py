"""``assay receipt``: what a receipt of a log proves about a file, without the log and without a service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.given import given_logs, log_options, read_log_keys, read_receipt
from authn.cli.out import hand_over, say, say_json
from authn.cli.refresh import refresh
from authn.core.config import Settings, load_settings
from authn.core.errors import FileUnusable, ReceiptRefused, UnreadableMedia
from authn.core.evidence import AxisEvidence, Outcome
from authn.tlog.format.receipt import parse_receipt
from authn.tlog.format.text import RECEIPT_SUFFIX
from signer.device import LOG_KEY_FILE

if TYPE_CHECKING:
    from authn.provenance.logs import LogTrust
    from authn.tlog.format.entry import EntryKind, Value
    from authn.tlog.format.note import Verifier

MAX_RECORD_BYTES = 1 << 20


@click.group()
def receipt() -> None:
    """Check, show and renew receipts of a log."""


receipt.add_command(refresh)


@receipt.command()
@click.argument("receipt_file", type=click.Path(path_type=Path), metavar="RECEIPT")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@log_options
@click.pass_context
def verify(
    ctx: click.Context,
    receipt_file: Path,
    file: Path | None,
    as_json: bool,
    log_keys: tuple[str, ...],
    witness_keys: tuple[str, ...],
    quorum: int,
    log_policy: Path | None,
) -> None:
    """Check that RECEIPT proves FILE to be an entry of a log whose key you have.

    Without --log-key and --log-policy the logs count that this home knows; where it knows none, the key in a
    file log.vkey beside RECEIPT, which is said.

    FILE is the signed photo; without it, the file beside RECEIPT that has its name without .tlog-proof. For
    entries that are no captures, FILE is the record in JSON. Whoever names witnesses asks for them.

    Exits 0; 1 where the receipt does not prove it, or too few witnesses have signed; 3 where a file cannot be
    read; 4 where a key cannot be read.
    """
    settings = load_settings(ctx.obj)
    trust = given_logs(settings, log_keys, witness_keys, quorum, log_policy)
    if not trust.logs:
        trust = replace(trust, logs=_keys_beside(receipt_file))
    text, about = _text(receipt_file), file or _beside(receipt_file)
    axis = _examined(settings, text, about, trust)
    _show(receipt_file, about, axis, as_json=as_json)
    asked = bool(trust.witnesses) and (trust.policy is None or bool(trust.policy.quorum))
    unmet = asked and any(f.code == "assay.log.unwitnessed" for f in axis.findings)
    ctx.exit(0 if axis.outcome is Outcome.ESTABLISHED and not unmet else 1)


@receipt.command()
@log_options
@click.pass_obj
def page(
    config_file: str | None,
    log_keys: tuple[str, ...],
    witness_keys: tuple[str, ...],
    quorum: int,
    log_policy: Path | None,
) -> None:
    """Print one HTML page that checks receipts in any browser, offline, with these keys.

    Without options it has the key of this home's log, if there is one. Keep it with photos and receipts.
    """
    from authn.report.receipt_page import render_receipt_page
    from authn.tlog.format.policy import policy_text

    trust = given_logs(load_settings(config_file), log_keys, witness_keys, quorum, log_policy)
    keys = "".join(f"{key}\n" for key in (*trust.logs, *trust.witnesses))
    if trust.policy is not None:
        keys = policy_text(trust.policy)
    hand_over(render_receipt_page(keys, quorum))


@receipt.command()
@click.argument("receipt_file", type=click.Path(path_type=Path), metavar="RECEIPT")
def show(receipt_file: Path) -> None:
    """Print what RECEIPT says, checking nothing of it but its form."""
    from authn.core.visible import visible
    from authn.tlog.format.checkpoint import parse as parse_checkpoint
    from authn.tlog.format.note import parse as parse_note

    try:
        parsed = parse_receipt(_text(receipt_file))
        note = parse_note(parsed.note)
        checkpoint = parse_checkpoint(note.text)
    except ReceiptRefused as e:  # nothing was checked, so nothing was found
        raise UnreadableMedia(f"{receipt_file.name} cannot be read as a receipt: {e.detail}") from e
    say(f"kind:     {visible(parsed.kind, 80)}")
    say(f"entry:    {parsed.index} of {checkpoint.size} in the log {visible(checkpoint.origin, 120)}")
    say(f"root:     {checkpoint.root.hex()}")
    for signature in note.signatures:
        say(f"signed:   {visible(signature.name, 120)} (key {signature.key_id.hex()})")
    say("Nothing of this was checked; `assay receipt verify` does.", err=True)


def _examined(settings: Settings, text: str, about: Path, trust: LogTrust) -> AxisEvidence:
    from authn.core.media import MediaLimits, open_media
    from authn.provenance.logs import log_axis, record_axis
    from authn.provenance.own import read_own
    from authn.tlog.format.entry import EntryKind

    kind = _kind(text)
    if kind is None or kind is EntryKind.RECEIPT:
        limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
        return log_axis(read_own(open_media(about, limits)), text, trust)
    return record_axis(_record(about), text, trust, kind)


def _keys_beside(receipt_file: Path) -> tuple[Verifier, ...]:
    """The key in ``log.vkey`` beside the receipt, where nothing else names one. Raises a usage error."""
    path = receipt_file.with_name(LOG_KEY_FILE)
    if not path.is_file():
        raise click.UsageError("name the key of the log: --log-key or --log-policy")
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as e:
        raise FileUnusable(f"the key {path} cannot be read: {e.strerror}") from e
    keys = read_log_keys((text,))
    say(f"by the key in {path}, {text}", err=True)
    say("Whoever gave you both can have made both: compare it with the key that the log publishes.", err=True)
    return keys


def _kind(text: str) -> EntryKind | None:
    """None for what is no receipt, or is of a kind that is not known here: the axis says so."""
    from authn.tlog.format.entry import EntryKind

    try:
        return EntryKind(parse_receipt(text).kind)
    except (ReceiptRefused, ValueError):
        return None


def _record(file: Path) -> Mapping[str, Value]:
    from authn.tlog.format.entry import canonical

    try:
        with file.open("rb") as f:
            record = json.loads(f.read(MAX_RECORD_BYTES))
        canonical(record)
    except OSError as e:
        raise UnreadableMedia(f"{file.name} cannot be read: {e.strerror}") from e
    except (ValueError, RecursionError) as e:
        raise UnreadableMedia(f"{file.name} is no record in JSON") from e
    if not isinstance(record, dict):
        raise UnreadableMedia(f"{file.name} is no record in JSON")
    return record


def _text(file: Path) -> str:
    return read_receipt(file, file) or ""


def _beside(file: Path) -> Path:
    if not file.name.endswith(RECEIPT_SUFFIX):
        raise click.UsageError("name the FILE that the receipt is about")
    return file.with_name(file.name.removesuffix(RECEIPT_SUFFIX))


def _show(receipt_file: Path, about: Path, axis: AxisEvidence, *, as_json: bool) -> None:
    from authn.core.report import axis_json
    from authn.core.visible import visible
    from authn.report.receipt_wording import RECEIPT_IS_ABOUT
    from authn.report.wording import BADGES, axis_words

    if as_json:
        say_json({"file": about.name, "receipt": receipt_file.name, **axis_json(axis)})
        return
    words = axis_words(axis.axis, axis.outcome, [f.code for f in axis.findings])
    say(f"{visible(about.name, 120)}: {words.answer} [{BADGES[axis.outcome]}]")
    for finding in axis.findings:
        say(f"  {visible(finding.detail, 400)} [{finding.code}]")
    say(f"Does not prove: {words.not_proven}")
    say(RECEIPT_IS_ABOUT)
