"""``assay feedback``: what turned out to be true of a file that was reported on."""

from __future__ import annotations

import json
from pathlib import Path

import click

from authn.cli.out import say
from authn.core.config import load_settings
from authn.core.errors import BadRequest
from authn.core.instants import utc_now

MAX_REPORT_BYTES = 64 * 1024 * 1024


@click.command()
@click.argument("report", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--truth",
    type=click.Choice(("real", "generated", "other")),
    required=True,
    help="What the file is; other: neither, or not known.",
)
@click.pass_obj
def feedback(config_file: str | None, report: Path, truth: str) -> None:  # fmt: skip
    """Keep what turned out to be true of the file that REPORT (of assay verify --json) is about.

    The home keeps digest, scores and truth, and no picture; lines are added and never changed. `assay
    calibrate --feedback` counts them.
    """
    from authn.home.feedback import Truth, append, case_of

    try:
        with report.open("rb") as f:
            document = json.loads(f.read(MAX_REPORT_BYTES))
    except OSError as e:
        raise BadRequest(f"{report} cannot be read: {e.strerror}") from e
    except (ValueError, RecursionError) as e:
        raise BadRequest(f"{report} is not one report in JSON") from e
    case = case_of(document, Truth(truth), utc_now())
    path = append(load_settings(config_file).home, case)
    say(f"{case.sha256} is kept as {truth}, with {len(case.scores)} scores, in {path}")
