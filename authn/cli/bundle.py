"""``assay bundle``: everything that is needed to repeat a report years later, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from authn.cli.beside import with_manifest
from authn.cli.given import Given, beside_options, read_receipt, trust_options, with_forensics
from authn.cli.out import say
from authn.cli.target import create
from authn.cli.under_policy import policy_option, with_policy
from authn.core.config import Settings, load_settings
from authn.core.media import Media, MediaLimits, unparsed_file


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; default: FILE.assay.zip.")
@click.option("--without-media", is_flag=True, help="Leave the media out; their digest is in it.")
@beside_options("FILE")
@trust_options
@policy_option
@click.pass_context
def bundle(
    ctx: click.Context,
    /,
    file: Path,
    out: Path | None,
    without_media: bool,
    receipt_file: Path | None,
    manifest_file: Path | None,
    policy: str | None,
    **options: Any,
) -> None:
    """Examine FILE and write an evidence bundle: media, roots, device record, policy, time and report.

    `assay verify --bundle` repeats the report from it. An existing file is not overwritten.
    """
    settings, given = with_policy(load_settings(ctx.obj), policy), Given(**options)
    settings = with_forensics(settings, given.forensics, no_heuristics=given.no_heuristics)
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    media = with_manifest(unparsed_file(file, limits), file, manifest_file)
    data = _bundle(settings, given, media, read_receipt(file, receipt_file), with_media=not without_media)
    target = out or file.with_name(file.name + ".assay.zip")
    create(target, data)
    say(str(target))


def _bundle(
    settings: Settings, given: Given, media: Media, receipt: str | None, *, with_media: bool
) -> bytes:
    from authn.examine.bundle import Basis, device_of, write_bundle
    from authn.examine.pooling import registry_if_any
    from authn.policies.shelf import open_policy

    registry = registry_if_any(settings)
    basis = Basis(
        roots=given.roots(settings),
        policy=open_policy(settings.policy),
        logs=given.logs(settings),
        receipt=receipt,
        devices=None if registry is None else device_of(media, registry),
        heuristics=given.heuristics(settings),
        forensics=settings.forensics and given.heuristics(settings),
    )
    with given.confined(settings, registry) as examiner:
        report = examiner.examine(media, as_of=given.as_of, receipt=receipt).report
    return write_bundle(media, report, basis, with_media=with_media)
