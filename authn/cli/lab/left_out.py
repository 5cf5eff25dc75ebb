"""``assay lab lofo``: a detector is trained without each family in turn, and tested on that one."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.lab.options import data_options
from authn.cli.out import say_block
from authn.cli.progress import Progress

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@data_options(required=True)
@click.option("--zoo", type=_FOLDER, required=True, help="Folder of fitted generators, one folder each.")
@click.option("--out", "run", type=_FOLDER, required=True, help="Run folder; run again to go on.")
@click.option("--fakes", default=3000, show_default=True, type=click.IntRange(16), help="Per family.")
@click.option("--steps", default=3000, show_default=True, type=click.IntRange(1), help="Per detector.")
@click.option("--side", default=32, show_default=True, type=click.IntRange(16, 256))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def lofo(
    data: str, corpus: Path | None, zoo: Path, run: Path, fakes: int, steps: int, side: int, seed: int
) -> None:
    """Leave each family of generators out once; print what is found of it."""
    from detector.lab.left_out import cautions, rows_text
    from detector.lab.left_out_run import run_left_out

    with Progress() as report:
        rows = run_left_out(
            data, corpus, zoo, run, fakes=fakes, steps=steps, side=side, seed=seed, report=report
        )  # fmt: skip
    say_block(rows_text(rows, cautions(rows, steps=steps, fakes=fakes)))
