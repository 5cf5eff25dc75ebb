"""``assay calibrate``: what each detector is worth on one's own pictures, and a calibration from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.out import say
from authn.cli.progress import Progress
from authn.cli.target import create
from authn.core.config import load_settings
from authn.core.errors import BadRequest
from authn.core.extras import need

if TYPE_CHECKING:
    from detector.lab.trial.own_pictures import Told, Worth

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("real", type=FOLDER, metavar="FOLDER_REAL")
@click.argument("fake", type=FOLDER, metavar="FOLDER_FAKE")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default="own.calibration.json",
    show_default=True,
    metavar="FILE",
    help="Where the calibration goes; none is overwritten.",
)
@click.option("--model", "models", multiple=True, metavar="ID", help="Only this detector; repeatable.")
@click.option("--feedback", is_flag=True, help="Count what assay feedback kept; the calibration says so.")
@click.pass_obj
def calibrate(
    config_file: str | None, real: Path, fake: Path, out: Path, models: tuple[str, ...], feedback: bool
) -> None:  # fmt: skip
    """Say, with intervals, what each detector is worth on your own pictures, and write a calibration.

    FOLDER_REAL holds photos, FOLDER_FAKE pictures that generators made; sub-folders are sources. A point is
    written only where it can be vouched for: at most 2 in 100 real pictures like yours lie beyond it, 95 %
    sure, which takes 149. Later reports use and name it with `assay verify --calibration FILE` or the setting
    calibration. Interrupted, it goes on where it was.
    """
    need("detect", "lab")
    from authn.examine.detectors import encoder_of
    from detector.lab.trial.detectors import open_installed
    from detector.lab.trial.own_pictures import calibrate as measure

    if out.exists():
        raise BadRequest(f"{out} exists already; name another file with --out")
    detectors, absent = open_installed(models, encoder_of(load_settings(config_file)))
    kept = out.with_name(out.name + ".scores")
    kept.mkdir(parents=True, exist_ok=True)
    with Progress() as report:
        found, data = measure(
            real, fake, kept, detectors, told=_told(config_file) if feedback else (), report=report
        )
    for one in found:
        _say(one)
    for missing in absent:
        say(f"{missing.model_id}: not measured, {missing.why}")
    if data is None:
        raise BadRequest("no detector has a point that can be vouched for; nothing was written")
    create(out, data)
    say(f"{out}: use it with assay verify --calibration {out}")


def _told(config_file: str | None) -> tuple[Told, ...]:
    from authn.home.feedback import Truth, cases
    from detector.lab.trial.own_pictures import Told

    return tuple(
        Told(
            sha256=case.sha256,
            fake=case.truth is Truth.GENERATED,
            model_id=score.model_id,
            weights_sha256=score.weights_sha256,
            logit=score.logit,
        )
        for case in cases(load_settings(config_file).home)
        if case.truth is not Truth.OTHER
        for score in case.scores
    )


def _say(one: Worth) -> None:
    if one.auc is not None:
        a = one.auc
        say(f"{one.model_id}: AUC {a.value:.3f} [{a.low:.3f}, {a.high:.3f}], n = {a.n}")
    if one.point is None:
        say(f"  no point: {one.why}")
        return
    p = one.point
    say(
        f"  beyond score {p.logit:.3f}: at most {p.goal:.0%} of real pictures like these, {p.sure:.0%} sure "
        f"(measured {p.false} of {p.real}, bound {p.bound:.4f})"
    )
    share, low, high = p.found / p.generated, p.found_low, p.found_high
    say(f"  finds {p.found} of {p.generated} generated ({share:.1%}; {low:.1%} to {high:.1%})")
