"""``assay recover``: which photos that were signed in this home's service a file looks like."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.out import say, say_json
from authn.core.config import load_settings
from authn.core.errors import ExaminationFailed, MediaError, SettingsError
from authn.core.homes import require_authorities
from authn.core.likeness import Looks, Viewer
from authn.core.media import MediaLimits, unparsed_file
from authn.core.report import RECOVERY, recovered_json

if TYPE_CHECKING:
    from authn.examine.pool import ExaminerPool
    from authn.recovery.lookup import Recovery


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line.")
@click.pass_context
def recover(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Say which photos that were signed here each FILE looks like; in the home of a service that keeps them.

    What looks alike proves nothing about FILE. Exits 0 where something looks like each FILE; 1 where nothing
    does; 3 where a file cannot be read or compared; 4 where nothing can run.
    """
    from authn.devices.registry import Registry
    from authn.examine.pooling import service_pool
    from authn.service.recovering import open_recovery
    from authn.service.wiring import open_transparency_log
    from authn.store.engine import open_engine

    settings = load_settings(ctx.obj)
    require_authorities(settings)
    engine = open_engine(settings.database)
    limits = MediaLimits(max_bytes=settings.max_media_bytes)
    code = 0
    with closing(open_transparency_log(settings, engine)) as log:
        recovery = open_recovery(settings, engine, log)
        if recovery is None:
            raise SettingsError("recovery is off here: nothing is kept that captures could be found again by")
        with closing(recovery), service_pool(settings, Registry(engine), False) as pool:
            for file in files:
                code = max(code, _one(file, limits, pool, recovery, as_json=as_json))
    ctx.exit(code)


def _one(file: Path, limits: MediaLimits, pool: ExaminerPool, recovery: Recovery, *, as_json: bool) -> int:
    try:
        media = unparsed_file(file, limits)
        looks = pool.examine(media, looks=True).looks or Looks()
    except (MediaError, ExaminationFailed) as e:
        say(f"assay: {e.detail} [{e.code}]", err=True)
        return e.exit_code
    why_not = looks.nothing_to_compare
    found = recovery.look_up(looks, Viewer(), but=media.sha256)
    if as_json:
        unknown = {"not_examined": [{"what": RECOVERY, "why": why_not}]} if why_not else {}
        say_json({"name": file.name, "recovered": [recovered_json(f) for f in found], **unknown})
    for f in () if as_json else found:
        how = f"{f.label}; {f.distance} of {f.bits} bits differ, {f.turn}; entry {f.log_index} of the log"
        say(f"{file}: {f.text} ({how})")
    if not found and not as_json:
        say(f"{file}: {why_not or 'it looks like no photo that was signed here'}")
    return 3 if why_not else 0 if found else 1
