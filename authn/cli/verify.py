"""``assay verify``: the report on files, without a running service or a database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from authn.cli.repeating import repeat_bundle
from authn.config import Settings, load_settings
from authn.errors import AuthnError, MediaError, UnreadableMedia
from authn.evidence import Axis, Outcome
from authn.examine import Examiner
from authn.media import MediaLimits, open_media
from authn.report.model import Report, refusal_json, report_json
from authn.report.text import render_text
from authn.tlog.receipt import MAX_RECEIPT_CHARACTERS, RECEIPT_SUFFIX

FAIL_ON = ("never", "refuted", "contradiction")


class Instant(click.ParamType[datetime]):
    """RFC 3339, with an offset: a time without one would mean another instant on another machine."""

    name = "RFC3339"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is not an RFC 3339 time such as 2026-11-24T12:00:00Z", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value} names no offset from UTC; end it with Z", param, ctx)
        return instant.astimezone(UTC)


def trust_options(command: Callable[..., None]) -> Callable[..., None]:
    """What ``verify`` and ``bundle`` have in common."""
    for option in (
        click.option("--no-heuristics", is_flag=True, help="Cryptographic evidence only; loads no model."),
        click.option("--as-of", type=Instant(), help="Judge as of this time instead of now."),
        click.option("--crl", "crls", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
                     help="Revocation list (PEM or DER) of the signer's issuer. May be repeated."),
        click.option("--tsa-roots", multiple=True, type=click.Path(path_type=Path), metavar="PEM",
                     help="Roots for time-stamp authorities, in place of the configured ones; repeatable."),
        click.option("--signer-roots", multiple=True, type=click.Path(path_type=Path), metavar="PEM",
                     help="Roots for signers, in place of the configured ones; repeatable."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line.")
@trust_options
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    default="refuted",
    show_default=True,
    help="Exit 1 when an axis is refuted, or (contradiction) also when evidence contradicts.",
)
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path),
    metavar="RECEIPT",
    help="Receipt of a log about the one FILE; FILE.tlog-proof is taken by itself.",
)
@click.option(
    "--log-key",
    "log_keys",
    multiple=True,
    metavar="VKEY",
    help="Key of a log whose receipts count, beside this home's own; repeatable.",
)
@click.option(
    "--bundle",
    "bundle_file",
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="Repeat the report of an evidence bundle; FILE only where the bundle leaves the media out.",
)
@click.pass_context
def verify(
    ctx: click.Context,
    files: tuple[Path, ...],
    as_json: bool,
    signer_roots: tuple[Path, ...],
    tsa_roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    as_of: datetime | None,
    no_heuristics: bool,
    fail_on: str,
    receipt_file: Path | None,
    log_keys: tuple[str, ...],
    bundle_file: Path | None,
) -> None:
    """Report the cryptographic and the heuristic evidence on each FILE, side by side.

    Exits 0; 1 where --fail-on applies; 3 where a file cannot be examined; 4 where nothing can run.
    """  # fmt: skip
    settings = load_settings(ctx.obj)
    if bundle_file is not None:
        given = (signer_roots, tsa_roots, crls, as_of, no_heuristics, receipt_file, log_keys)
        if any(given) or len(files) > 1:
            raise click.UsageError("a bundle brings its own roots, time and sources; give at most one FILE")
        ctx.exit(repeat_bundle(settings, bundle_file, files[0] if files else None, as_json=as_json))
    if not files or (receipt_file is not None and len(files) > 1):
        raise click.UsageError("give FILE..., and with --receipt exactly one FILE")
    heuristics = not no_heuristics
    examiner = _examiner(settings, signer_roots, tsa_roots, crls, log_keys, heuristics=heuristics)
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    code = 0
    for file in files:
        receipt = _receipt(file, receipt_file)
        code = max(code, _one(file, examiner, limits, as_of, receipt, fail_on, as_json=as_json))
    ctx.exit(code)


def _one(
    file: Path,
    examiner: Examiner,
    limits: MediaLimits,
    as_of: datetime | None,
    receipt: str | None,
    fail_on: str,
    *,
    as_json: bool,
) -> int:
    try:
        report = examiner.examine(open_media(file, limits), as_of=as_of, receipt=receipt)
    except MediaError as e:
        _refuse(file, e, as_json=as_json)
        return e.exit_code
    if as_json:
        click.echo(json.dumps(report_json(report), ensure_ascii=False))
    else:
        click.echo(render_text(report), nl=False)
    return 1 if _fails(report, fail_on) else 0


def _receipt(file: Path, given: Path | None) -> str | None:
    """The text of the receipt that was named, or that lies beside the file as `assay upload` leaves it."""
    path = given or file.with_name(file.name + RECEIPT_SUFFIX)
    if given is None and not path.is_file():
        return None
    try:
        return path.read_bytes()[:MAX_RECEIPT_CHARACTERS].decode("utf-8", "replace")
    except OSError as e:
        raise UnreadableMedia(f"the receipt {path} cannot be read: {e.strerror}") from e


def _refuse(file: Path, error: AuthnError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(refusal_json(file.name, error.code, error.detail), ensure_ascii=False))
    click.echo(f"assay: {error.detail} [{error.code}]", err=True)


def _fails(report: Report, fail_on: str) -> bool:
    refuted = any(report.cryptographic.axis(a).outcome is Outcome.REFUTED for a in Axis)
    return {
        "never": False,
        "refuted": refuted,
        "contradiction": refuted or bool(report.contradictions),
    }[fail_on]


def _examiner(
    settings: Settings,
    signer_roots: tuple[Path, ...],
    tsa_roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    log_keys: tuple[str, ...],
    *,
    heuristics: bool,
) -> Examiner:
    from authn.wiring import open_examiner, registry_if_any

    return open_examiner(
        settings,
        signer_roots=signer_roots or None,
        tsa_roots=tsa_roots or None,
        crls=crls,
        registry=registry_if_any(settings),
        log_keys=log_keys,
        heuristics=heuristics and settings.heuristics,
    )
