"""``assay lab``: fit generators (``lab_zoo``), train, evaluate and document detectors. A workshop for people
with the corpus; the service never trains. Progress goes to stderr, results to stdout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.lab.asked import ASKED
from authn.cli.lab.eyes import EYES
from authn.cli.lab.group import LabGroup
from authn.cli.lab.heatmap import heatmap
from authn.cli.lab.left_out import lofo
from authn.cli.lab.semantic import semantic
from authn.cli.lab.semi import semi
from authn.cli.lab.zoo import COMMANDS
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.core.errors import BadRequest

if TYPE_CHECKING:
    from detector.models.card import ModelCard

_FOLDER = click.Path(path_type=Path, file_okay=False)
_data = click.option("--data", type=_FOLDER, required=True, help="Corpus folder with INDEX.csv.")
_model = click.option("--model", "model_id", default="traces-1", show_default=True, help="Detector id.")


@click.group(cls=LabGroup)
def lab() -> None:
    """Fit generators; train, evaluate and document detectors."""


for _command in (*COMMANDS, *ASKED, *EYES, heatmap, lofo, semantic, semi):
    lab.add_command(_command)


@lab.command()
@_data
@click.option("--out", type=_FOLDER, required=True, help="Run folder; run again to resume.")
@_model
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", default=24, show_default=True, type=click.IntRange(1, 500))
@click.option(
    "--steps", default=200, show_default=True, type=click.IntRange(1, 10000), help="Steps per epoch."
)
@click.option(
    "--upscalers", type=_FOLDER, help="Folder with the ncnn files of Real-ESRGAN, for more kinds of fakes."
)
@click.option(
    "--zoo-seconds", default=0.0, show_default=True, type=click.FloatRange(0),
    help="CPU seconds for each family of the zoo, whose samples are trained on too; 0: no zoo.",
)  # fmt: skip
def train(
    data: Path, out: Path, model_id: str, seed: int, epochs: int, steps: int, upscalers: Path | None,
    zoo_seconds: float,
) -> None:  # fmt: skip
    """Train on the sets whose licence allows it, calibrate, evaluate, plot."""
    from detector.lab.recipe import run_corpus
    from detector.lab.training import TrainingOptions

    options = TrainingOptions(seed=seed, epochs=epochs, steps_per_epoch=steps)
    card = run_corpus(
        data, out, model_id=model_id, options=options, upscalers=upscalers, zoo_seconds=zoo_seconds,
        report=Progress(),
    )  # fmt: skip
    say(f"{card.model_id} {card.weights_sha256} in {out}")


@lab.command()
@_data
@click.option("--out", type=_FOLDER, required=True, help="Folder for scores, plots and the new card.")
@_model
def evaluate(data: Path, out: Path, model_id: str) -> None:
    """Measure a packaged detector again on the test split and print its card."""
    from detector.lab.recipe import evaluate_again
    from detector.models.card import dump_card
    from detector.models.inference import open_detector

    out.mkdir(parents=True, exist_ok=True)
    card = evaluate_again(open_detector(model_id), data, out, report=Progress())
    say_block(dump_card(card))


@lab.command()
@_model
@click.option("--run", type=_FOLDER, help="Use the card of a run folder instead of the packaged one.")
def card(model_id: str, run: Path | None) -> None:
    """Print the card of a detector as Markdown."""
    from detector.lab.card_text import card_markdown
    from detector.models.card import open_card

    if run is None:
        say_block(card_markdown(open_card(model_id)))
        return
    path = run / f"{model_id}.json"
    if not path.is_file():
        raise BadRequest(f"{run} holds no card of {model_id}; train first")
    say_block(card_markdown(_card_at(path)))


def _card_at(path: Path) -> ModelCard:
    from detector.models.card import parse_card

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise BadRequest(f"{path} is no text, so it is no card") from e
    return parse_card(text)


@lab.command()
@click.option("--run", type=_FOLDER, required=True, help="A finished run folder.")
@click.option("--to", "folder", type=_FOLDER, required=True, help="The weights_files folder of a checkout.")
@click.option("--left-out", type=_FOLDER, help="A finished run of lab lofo, whose rows go into the card.")
@_model
def adopt(run: Path, folder: Path, left_out: Path | None, model_id: str) -> None:
    """Copy card and weights of a finished run into a checkout, after comparing their digests."""
    from dataclasses import replace

    from detector.core.files import write_whole
    from detector.lab.left_out import card_rows
    from detector.models.card import dump_card
    from detector.models.weights import checked_bytes

    names = (f"{model_id}.json", f"{model_id}.safetensors")
    if not all((run / n).is_file() for n in names):
        raise BadRequest(f"{run} is not a finished run of {model_id}")
    if not folder.is_dir():
        raise BadRequest(f"{folder} is no folder; name the weights_files folder of a checkout")
    card = _card_at(run / names[0])
    weights = checked_bytes(card, run / names[1])
    if left_out is not None:
        card = replace(card, left_out=card_rows(left_out))
    write_whole(folder / names[1], weights)
    write_whole(folder / names[0], dump_card(card).encode())
    for name in names:
        say(folder / name)


@lab.command()
@_data
def cameras(data: Path) -> None:
    """Print the table of cameras' quantisation tables, measured on the corpus."""
    from detector.forensics.camera_measure import measure_cameras

    say_block(measure_cameras(data))
