"""What several commands of ``assay lab`` take: a run folder, real pictures, chance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from detector.zoo.sources.data import Data

RUNS_FOLDER = Path("runs")
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
run_argument = click.argument("run", type=FOLDER)
seed_option = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides all chance."
)
corpus_option = click.option("--data", type=FOLDER, required=True, help="Corpus folder with INDEX.csv.")
out_option = click.option("--out", "run", type=FOLDER, required=True, help="Run folder; run again to go on.")


def model_option(default: str = "traces-2") -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--model", "model_id", default=default, show_default=True, help="Detector id.")


def device_option(help_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]),
        help=help_text,
    )  # fmt: skip


def data_options(
    *, required: bool, metavar: str = "DIR|cifar10|mnist",
    help_text: str = "Real pictures: any folder of photos, or a named set.",
) -> Callable[[Callable[..., None]], Callable[..., None]]:  # fmt: skip
    """Where the real pictures are."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        command = click.option(
            "--corpus", type=FOLDER, envvar="ASSAY_DATA", show_envvar=True,
            help="Folder that holds cifar10 and mnist.",
        )(command)  # fmt: skip
        return click.option("--data", required=required, metavar=metavar, help=help_text)(command)

    return add


def data_of(name: str, corpus: Path | None, other: str | None = None) -> Data:
    from detector.zoo.sources.data import Data

    return Data(name=name, corpus=corpus, other=other)
