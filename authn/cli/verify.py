"""``assay verify``: the report on files, without a running service or a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authn.cli.beside import with_manifest
from authn.cli.fail_on import FailOn, exit_code
from authn.cli.forms import CRJSON, JSON, TEXT, form_options, refuse_unwritten, say_report
from authn.cli.given import Given, beside_options, read_receipt, trust_options
from authn.cli.out import say, say_json
from authn.cli.papers import Papers, paper_options
from authn.cli.under_policy import calibration_option, policy_option, with_policy
from authn.core.config import load_settings
from authn.core.errors import AuthnError, ExaminationFailed, MediaError, UnsupportedMedia
from authn.core.media import Media, MediaLimits, unparsed_file
from authn.core.report import refusal_json

if TYPE_CHECKING:
    from authn.examine.pool import ExaminerPool
    from authn.examine.request import Examined


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@form_options
@paper_options
@trust_options
@policy_option
@calibration_option
@click.option(
    "--fail-on",
    type=FailOn(),
    default="refuted",
    show_default=True,
    help=FailOn.HELP,
)
@beside_options("the one FILE")
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
    form: str,
    as_json: bool,
    rubrics: bool,
    page: Path | None,
    pdf: Path | None,
    language: str,
    original: Path | None,
    fail_on: frozenset[str],
    receipt_file: Path | None,
    manifest_file: Path | None,
    bundle_file: Path | None,
    policy: str | None,
    calibration: Path | None,
    **options: Any,
) -> None:
    """Report the cryptographic and the heuristic evidence on each FILE, side by side.

    Exits 0; 1 where --fail-on applies, or what --policy asks for; 3 where a file cannot be examined; 4 where
    nothing can run.
    """
    from authn.examine.pooling import registry_when_asked, start_ahead

    start_ahead()
    settings, given = with_policy(load_settings(ctx.obj), policy), Given(**options)
    papers = Papers(page=page, pdf=pdf, language=language, original=original)
    form = JSON if as_json else form
    if calibration is not None:
        settings = replace(settings, calibration=(calibration.absolute(),))
    if bundle_file is not None:
        if given != Given() or receipt_file or manifest_file or papers or policy or len(files) > 1:
            raise click.UsageError(
                "a bundle brings its own roots, time, policy and sources; give at most one FILE"
            )
        from authn.cli.repeating import repeat_bundle

        ctx.exit(repeat_bundle(settings, bundle_file, files[0] if files else None, as_json=form == JSON))
    if not files or ((receipt_file or manifest_file or papers) and len(files) > 1):
        raise click.UsageError(
            "give FILE..., and with --receipt, --manifest, --html or --pdf exactly one FILE"
        )
    papers.refuse_others()
    limits = MediaLimits(max_bytes=settings.max_media_bytes)
    code = 0
    with given.confined(settings, registry_when_asked(settings)) as examiner:
        for file in files:
            media = partial(_opened, file, limits, manifest_file)
            receipt = partial(read_receipt, file, receipt_file)
            original_of = partial(papers.read_original, limits)
            examine = partial(
                _examined, examiner, media, given.as_of, receipt, original_of, preview=bool(papers)
            )
            examine = partial(examine, crjson=rubrics or form == CRJSON)
            code = max(code, _one(file, examine, fail_on, papers, form))
    ctx.exit(code)


def _examined(
    examiner: ExaminerPool,
    opened: Callable[[], Media],
    as_of: datetime | None,
    receipt: Callable[[], str | None],
    original: Callable[[], Media | None],
    *,
    preview: bool,
    crjson: bool,
) -> Examined:
    return examiner.examine(
        opened(),
        as_of=as_of,
        preview=preview,
        receipt=receipt(),
        original=original(),
        crjson=crjson,
    )


def _opened(file: Path, limits: MediaLimits, manifest: Path | None) -> Media:
    return with_manifest(unparsed_file(file, limits), file, manifest)


def _one(
    file: Path,
    examine: Callable[[], Examined],
    fail_on: frozenset[str],
    papers: Papers,
    form: str,
) -> int:
    """What cannot be read, or stops its examiner, costs this file and not the next."""
    try:
        examined = examine()
        if form == CRJSON:
            refuse_unwritten(examined)
    except (MediaError, ExaminationFailed) as e:
        _refuse(file, e, as_json=form != TEXT)
        return e.exit_code
    if papers:
        papers.write(examined)
    say_report(examined, form, papers.language)
    return exit_code(examined.report, fail_on)


def _refuse(file: Path, error: AuthnError, *, as_json: bool) -> None:
    if as_json:
        say_json(refusal_json(file.name, error.code, error.detail))
    from authn.audit.inputs import BUNDLE_NAME

    bundled = isinstance(error, UnsupportedMedia) and file.name.endswith(BUNDLE_NAME)
    hint = "; assay verify --bundle repeats the report of an evidence bundle" if bundled else ""
    say(f"assay: {error.detail}{hint} [{error.code}]", err=True)
