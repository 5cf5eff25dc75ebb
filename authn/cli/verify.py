"""``assay verify``: the report on files, without a running service or a database."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from authn.cli.given import Given, read_receipt, trust_options
from authn.cli.repeating import repeat_bundle
from authn.config import load_settings
from authn.errors import AuthnError, MediaError
from authn.evidence import Axis, Outcome
from authn.examine import Examiner
from authn.media import MediaLimits, open_media
from authn.report.model import Report, refusal_json, report_json
from authn.report.text import render_text

FAIL_ON = ("never", "refuted", "contradiction")


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
    "--bundle",
    "bundle_file",
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="Repeat the report of an evidence bundle; FILE only where the bundle leaves the media out.",
)
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    files: tuple[Path, ...],
    as_json: bool,
    fail_on: str,
    receipt_file: Path | None,
    bundle_file: Path | None,
    **options: Any,
) -> None:
    """Report the cryptographic and the heuristic evidence on each FILE, side by side.

    Exits 0; 1 where --fail-on applies; 3 where a file cannot be examined; 4 where nothing can run.
    """
    settings, given = load_settings(ctx.obj), Given(**options)
    if bundle_file is not None:
        if given != Given() or receipt_file or len(files) > 1:
            raise click.UsageError("a bundle brings its own roots, time and sources; give at most one FILE")
        ctx.exit(repeat_bundle(settings, bundle_file, files[0] if files else None, as_json=as_json))
    if not files or (receipt_file is not None and len(files) > 1):
        raise click.UsageError("give FILE..., and with --receipt exactly one FILE")
    examiner = given.examiner(settings)
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    code = 0
    for file in files:
        receipt = read_receipt(file, receipt_file)
        code = max(code, _one(file, examiner, limits, given.as_of, receipt, fail_on, as_json=as_json))
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
        click.echo(json.dumps(report_json(report)))
    else:
        click.echo(render_text(report), nl=False)
    return 1 if _fails(report, fail_on) else 0


def _refuse(file: Path, error: AuthnError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(refusal_json(file.name, error.code, error.detail)))
    click.echo(f"assay: {error.detail} [{error.code}]", err=True)


def _fails(report: Report, fail_on: str) -> bool:
    refuted = any(report.cryptographic.axis(a).outcome is Outcome.REFUTED for a in Axis)
    return {
        "never": False,
        "refuted": refuted,
        "contradiction": refuted or bool(report.contradictions),
    }[fail_on]
