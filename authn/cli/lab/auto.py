"""``assay lab auto``: from any folder of photos to generators, a detector, cards and plots."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.out import say_block
from authn.cli.progress import Progress

RUNS_FOLDER = Path("runs")
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--data", type=_FOLDER, required=True, help="Any folder of photos (JPEG, PNG, WebP).")
@click.option("--out", "run", type=_FOLDER, help="Run folder, default: runs/NAME-lab; run again to go on.")
@click.option(
    "--minutes", default=30.0, show_default=True, type=click.FloatRange(1, 100_000),
    help="About how long all of it may take on one free core; judging and evaluating add some minutes.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides all chance.")
@click.option(
    "--side", default="32", show_default=True, type=click.Choice(["16", "32", "64"]),
    help="Pixels of the side of what generators make.",
)  # fmt: skip
@click.option("--family", "families", multiple=True, help="Only this family; repeatable. Else all.")
@click.option(
    "--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where generators are fitted; auto takes a GPU where there is one.",
)  # fmt: skip
def auto(
    data: Path, run: Path | None, minutes: float, seed: int, side: str, families: tuple[str, ...], device: str
) -> None:
    """Index photos, fit the zoo, train a detector on it, calibrate, evaluate, write cards and plots.

    Every stage that is finished is kept; after an interruption the same command goes on.
    """
    from detector.lab.folder.run import FolderOptions
    from detector.lab.recipe import run_folder

    options = FolderOptions(minutes=minutes, seed=seed, side=int(side), families=families, device=device)
    with Progress() as report:
        text = run_folder(data, run or RUNS_FOLDER / f"{data.absolute().name}-lab", options, report)
    say_block(text)
