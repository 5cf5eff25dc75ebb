"""``assay lab semantic``: fit and measure the head of the optional second branch."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.out import say
from authn.cli.progress import Progress

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--data", type=_FOLDER, required=True, help="Corpus folder with INDEX.csv.")
@click.option(
    "--encoder", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="The image encoder, clip_encoder.int8.onnx.",
)  # fmt: skip
@click.option("--out", type=_FOLDER, required=True, help="Run folder; run again to go on.")
@click.option("--model", "model_id", default="semantic-2", show_default=True, help="Detector id.")
def semantic(data: Path, encoder: Path, out: Path, model_id: str) -> None:
    """Fit the linear head on a frozen image encoder, calibrate, evaluate."""
    from detector.lab.semantic import run_semantic

    with Progress() as report:
        card = run_semantic(data, encoder, out, model_id=model_id, report=report)
    say(f"{card.model_id} {card.weights_sha256} in {out}")
