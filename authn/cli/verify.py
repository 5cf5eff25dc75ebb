"""``assay verify``: the report on files, without a running service or a database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from authn.cli.beside import with_manifest
from authn.cli.fail_on import CONTRADICTION, FailOn
from authn.cli.given import Given, read_receipt, trust_options
from authn.cli.out import say, say_block, say_json
from authn.cli.repeating import repeat_bundle
from authn.config import load_settings
from authn.errors import AuthnError, BadRequest, ExaminationFailed, MediaError
from authn.examine import Examiner
from authn.media import Media, MediaLimits, open_media
from authn.report.model import Report, refusal_json, report_json
from authn.report.text import render_text


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="Also write the report of the one FILE as one HTML page, with a small picture of it.",
)
@trust_options
@click.option(
    "--fail-on",
    type=FailOn(),
    default="refuted",
    show_default=True,
    help=FailOn.HELP,
)
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path),
    metavar="RECEIPT",
    help="Receipt of a log about the one FILE; FILE.tlog-proof is taken by itself.",
)
@click.option(
    "--manifest",
    "manifest_file",
    type=click.Path(path_type=Path),
    metavar="STORE",
    help="Manifest store of the one FILE, kept outside it; FILE's name with .c2pa is taken by itself.",
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
    page: Path | None,
    fail_on: frozenset[str],
    receipt_file: Path | None,
    manifest_file: Path | None,
    bundle_file: Path | None,
    **options: Any,
) -> None:
    """Report the cryptographic and the heuristic evidence on each FILE, side by side.

    Exits 0; 1 where --fail-on applies; 3 where a file cannot be examined; 4 where nothing can run.
    """
    settings, given = load_settings(ctx.obj), Given(**options)
    if bundle_file is not None:
        if given != Given() or receipt_file or manifest_file or page or len(files) > 1:
            raise click.UsageError("a bundle brings its own roots, time and sources; give at most one FILE")
        ctx.exit(repeat_bundle(settings, bundle_file, files[0] if files else None, as_json=as_json))
    if not files or ((receipt_file or manifest_file or page) and len(files) > 1):
        raise click.UsageError("give FILE..., and with --receipt, --manifest or --html exactly one FILE")
    examiner = given.examiner(settings)
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    code = 0
    for file in files:
        shown = partial(_show, page=page, as_json=as_json)
        receipt = partial(read_receipt, file, receipt_file)
        opened = partial(_opened, file, limits, manifest_file)
        code = max(code, _one(file, examiner, opened, given.as_of, receipt, fail_on, shown, as_json=as_json))
    ctx.exit(code)


def _one(
    file: Path,
    examiner: Examiner,
    opened: Callable[[], Media],
    as_of: datetime | None,
    receipt: Callable[[], str | None],
    fail_on: frozenset[str],
    show: Callable[[Examiner, Media, Report], None],
    *,
    as_json: bool,
) -> int:
    """What cannot be read, or stops its examiner, costs this file and not the next."""
    try:
        media = opened()
        report = examiner.examine(media, as_of=as_of, receipt=receipt())
    except (MediaError, ExaminationFailed) as e:
        _refuse(file, e, as_json=as_json)
        return e.exit_code
    show(examiner, media, report)
    return 1 if _fails(report, fail_on) else 0


def _opened(file: Path, limits: MediaLimits, manifest: Path | None) -> Media:
    return with_manifest(open_media(file, limits), file, manifest)


def _show(examiner: Examiner, media: Media, report: Report, *, page: Path | None, as_json: bool) -> None:
    if page is not None:
        _write_page(page, examiner, media, report)
    if as_json:
        say_json(report_json(report))
    else:
        say_block(render_text(report))


def _write_page(page: Path, examiner: Examiner, media: Media, report: Report) -> None:
    from authn.illustrate import illustrate
    from authn.report.html import render_report
    from authn.score_map import maps_text
    from signer.durable import write_durably

    shown = illustrate(examiner, media, report)
    text = render_report(report_json(report), shown.preview_jpeg, maps=maps_text(shown.maps))
    try:
        write_durably(page, text.encode(), mode=0o644)
    except OSError as e:
        raise BadRequest(f"{page} cannot be written: {e.strerror}") from e


def _refuse(file: Path, error: AuthnError, *, as_json: bool) -> None:
    if as_json:
        say_json(refusal_json(file.name, error.code, error.detail))
    say(f"assay: {error.detail} [{error.code}]", err=True)


def _fails(report: Report, fail_on: frozenset[str]) -> bool:
    found: set[str] = {a.outcome.value for a in report.cryptographic.axes}
    return bool(fail_on & (found | ({CONTRADICTION} if report.contradictions else set())))
