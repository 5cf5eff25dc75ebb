"""``assay lab semi``: MNIST with a few labels, by a generator and two views of every picture."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.out import say_block
from authn.cli.progress import Progress

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option(
    "--corpus", type=_FOLDER, required=True, envvar="ASSAY_DATA", show_envvar=True,
    help="Folder that holds mnist.",
)  # fmt: skip
@click.option("--out", "run", type=_FOLDER, required=True, help="Run folder; run again to go on.")
@click.option(
    "--labels", default=100, show_default=True, type=click.IntRange(1), help="How many, in equal shares."
)
@click.option("--steps", type=click.IntRange(1), help="Per draw; repeatable to the last bit. [default: 6000]")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="CPU seconds per draw, instead.")
@click.option("--draws", default=1, show_default=True, type=click.IntRange(1, 100), help="Draws of labels.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the first draw.")
def semi(
    corpus: Path, run: Path, labels: int, steps: int | None, seconds: float | None, draws: int, seed: int
) -> None:
    """Learn the digits from a few labels; print the test error of each draw."""
    from detector.zoo.fitting.budget import Budget
    from detector.zoo.semi.run import FULL_STEPS, result_text, semi_run

    if steps is None and seconds is None:
        steps = FULL_STEPS
    with Progress() as report:
        result = semi_run(
            corpus, run, Budget(steps=steps, cpu_seconds=seconds), labels=labels, draws=draws, seed=seed,
            report=report,
        )  # fmt: skip
    say_block(result_text(result))
