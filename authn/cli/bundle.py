"""``assay bundle``: everything that is needed to repeat a report years later, in one file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from authn.cli.verify import trust_options
from authn.config import load_settings
from authn.media import MediaLimits, open_media


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; default: FILE.assay.zip.")
@click.option("--without-media", is_flag=True, help="Leave the media out; their digest is in it.")
@trust_options
@click.pass_context
def bundle(
    ctx: click.Context,
    file: Path,
    out: Path | None,
    without_media: bool,
    signer_roots: tuple[Path, ...],
    tsa_roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    as_of: datetime | None,
    no_heuristics: bool,
) -> None:
    """Examine FILE and write an evidence bundle: media, roots, device record, policy, time and report.

    `assay verify --bundle` repeats the report from it. An existing file is not overwritten.
    """
    from authn.bundle import device_of, write_bundle
    from authn.report.conclude import default_policy
    from authn.wiring import examiner_over, open_roots, registry_if_any
    from signer.durable import write_new

    settings = load_settings(ctx.obj)
    media = open_media(file, MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels))
    roots = open_roots(settings, signer_roots=signer_roots or None, tsa_roots=tsa_roots or None, crls=crls)
    registry, policy = registry_if_any(settings), default_policy()
    heuristics = settings.heuristics and not no_heuristics
    examiner = examiner_over(settings, roots=roots, policy=policy, registry=registry, heuristics=heuristics)
    report = examiner.examine(media, as_of=as_of)
    data = write_bundle(
        media,
        report,
        roots=roots,
        policy=policy,
        device=device_of(media, registry),
        registry_asked=registry is not None,
        heuristics=heuristics,
        with_media=not without_media,
    )
    target = out or file.with_name(file.name + ".assay.zip")
    try:
        write_new(target, data)
    except FileExistsError as e:
        raise click.UsageError(f"{target} exists already") from e
    except OSError as e:
        raise click.UsageError(f"{target} cannot be written: {e.strerror}") from e
    click.echo(str(target))
