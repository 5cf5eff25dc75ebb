"""The commands of ``assay lab`` about a detector that is there: measure it again, read its card, put it into
a checkout, look where it sees something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.lab.options import FILE, FOLDER, RUNS_FOLDER, model_option
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.cli.target import refuse_taken
from authn.core.errors import BadRequest
from authn.core.extras import need
from authn.core.media import media_of

if TYPE_CHECKING:
    from detector.models.card import ModelCard


@click.command()
@click.option("--data", type=FOLDER, help="Corpus folder with INDEX.csv, whose test split is measured on.")
@click.option(
    "--folder", "folders", type=(FOLDER, FOLDER), metavar="REAL FAKE",
    help="Two folders of your own, of real and of generated pictures; their sub-folders are the sources.",
)  # fmt: skip
@click.option(
    "--out", type=FOLDER,
    help="Folder for scores, plots and tables; run again to go on. Default with --folder: runs/REAL-FAKE.",
)  # fmt: skip
@click.option(
    "--views", default="stored,laundered", show_default=True, metavar="LIST",
    help="With --folder: how pictures are shown, of stored, laundered, jpeg75, half.",
)  # fmt: skip
@click.option(
    "--model", "models", multiple=True,
    help="Detector id; default: traces-2, with --folder all that are installed. With --folder repeatable.",
)  # fmt: skip
@click.pass_context
def evaluate(
    ctx: click.Context, data: Path | None, folders: tuple[Path, Path] | None, out: Path | None, views: str,
    models: tuple[str, ...],
) -> None:  # fmt: skip
    """Measure detectors: a packaged one again on the test split of a corpus, whose card is printed, or all
    that are installed on two folders of anybody's pictures.

    With --folder trial.md and its plots are written (AUC, recall, Cllr, coverage and error, per sub-folder
    and view, with intervals), and its first half is printed. What was scored is kept after an interruption.
    """
    need("detect", "lab")
    if (data is None) is (folders is None):
        raise BadRequest("name either --data CORPUS or --folder REAL FAKE")
    if folders is not None:
        say_block(_tried(*folders, out, views, models, ctx.obj))
        return
    if data is None or out is None or len(models) > 1:
        raise BadRequest("with --data name --out, and one --model at most")
    from detector.lab.recipe import evaluate_again
    from detector.models.card import dump_card
    from detector.models.inference import open_detector
    from detector.models.registry import DEFAULT_MODEL

    out.mkdir(parents=True, exist_ok=True)
    card = evaluate_again(open_detector(*models or (DEFAULT_MODEL,)), data, out, report=Progress())
    say_block(dump_card(card))


def _tried(
    real: Path, fake: Path, out: Path | None, views: str, models: tuple[str, ...], config_file: str | None
) -> str:
    from authn.core.config import load_settings
    from authn.examine.detectors import encoder_of
    from detector.lab.trial.detectors import open_installed
    from detector.lab.trial.run import PAGE, run_trial
    from detector.models.joint import open_joint

    detectors, absent = open_installed(models, encoder_of(load_settings(config_file)))
    folder = out or RUNS_FOLDER / f"{real.absolute().name}-{fake.absolute().name}"
    with Progress() as report:
        text = run_trial(
            real, fake, folder, detectors, absent, views=[v.strip() for v in views.split(",")],
            joint=open_joint(), report=report,
        )  # fmt: skip
    return f"{text}\nEvery sub-folder and the plots: {folder / PAGE}"


@click.command()
@model_option()
@click.option("--run", type=FOLDER, help="Use the card of a run folder instead of the packaged one.")
def card(model_id: str, run: Path | None) -> None:
    """Print the card of a detector as Markdown."""
    from detector.lab.steps.card_text import card_markdown
    from detector.models.card import open_card
    from detector.models.registry import JOINT_MODEL

    if run is None:
        say_block(_joint_page() if model_id == JOINT_MODEL else card_markdown(open_card(model_id)))
        return
    path = run / f"{model_id}.json"
    if not path.is_file():
        raise BadRequest(f"{run} holds no card of {model_id}; train first")
    say_block(card_markdown(_card_at(path)))


def _joint_page() -> str:
    from detector.lab.steps.card_judged import joint_markdown
    from detector.models.joint import open_joint
    from detector.models.registry import JOINT_MODEL

    if (joint := open_joint()) is None:
        raise BadRequest(f"no {JOINT_MODEL} is shipped here: the detectors answer for themselves")
    return joint_markdown(joint.card)


def _card_at(path: Path) -> ModelCard:
    from detector.models.card import parse_card

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as e:
        raise BadRequest(f"{path} is no text, so it is no card") from e
    return parse_card(text)


@click.command()
@click.option("--run", type=FOLDER, required=True, help="A finished run folder.")
@click.option("--to", "folder", type=FOLDER, required=True, help="The weights_files folder of a checkout.")
@click.option("--left-out", type=FOLDER, help="A finished run of lab lofo, whose rows go into the card.")
@model_option()
def adopt(run: Path, folder: Path, left_out: Path | None, model_id: str) -> None:
    """Copy card and weights of a finished run into a checkout, after comparing their digests."""
    from dataclasses import replace

    from detector.core.files import write_whole
    from detector.lab.steps.left_out import card_rows
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


@click.command()
@click.argument("photo", type=FILE)
@click.option("--out", type=FILE, required=True, help="A new PNG file.")
@model_option()
def heatmap(photo: Path, out: Path, model_id: str) -> None:
    """Draw the score of every square of a PHOTO over it. A place to look at, no measure of its own."""
    need("detect", "lab")
    from detector.lab.steps.plots import plot_heatmap
    from detector.models.inference import HEAT_SIDE, open_detector
    from detector.pixels.decode import decode

    if out.suffix.lower() != ".png":
        raise BadRequest("--out names a .png file")
    refuse_taken(out)
    try:
        data = photo.read_bytes()
    except OSError as e:
        raise BadRequest(f"{photo} cannot be read: {e.strerror}") from e
    pixels = decode(data, media_of(data, photo.name).media_type)
    heat = open_detector(model_id).heatmap(pixels)
    plot_heatmap(pixels, heat, out, side=HEAT_SIDE)
    say(out)


@click.command()
@click.argument("table", type=FILE)
@click.option("--to", "folder", type=FOLDER, required=True, help="The weights_files folder of a checkout.")
@model_option()
def histogram(table: Path, folder: Path, model_id: str) -> None:
    """Count the scores of a score TABLE beside a detector's weights: reports draw a score among them.

    The table is that of sources and generators that were left out (left-out.csv of a run).
    """
    from detector.core.files import write_whole
    from detector.lab.steps.histogram import histogram_of
    from detector.models.card import open_card
    from detector.models.histogram import dump_scores

    if not folder.is_dir():
        raise BadRequest(f"{folder} is no folder; name the weights_files folder of a checkout")
    scores = histogram_of(table, model_id, open_card(model_id).weights_sha256)
    path = folder / f"{model_id}.scores.json"
    write_whole(path, dump_scores(scores).encode())
    say(path)


@click.command()
@click.argument("table", type=FILE)
@click.option(
    "--kind-limit", type=click.FloatRange(0, 1), default=0.4, show_default=True,
    help="From which probability on a kind of content is known; 0 for a detector that tells none apart.",
)  # fmt: skip
@click.option("--view", default="laundered", show_default=True, help="The view that is counted in.")
@click.option(
    "--rounds", default=0, show_default=True, type=click.IntRange(0, 1000),
    help="Draws of sources for an interval; about a second each for 30,000 rows.",
)  # fmt: skip
def points(table: Path, kind_limit: float, view: str, rounds: int) -> None:
    """Say which sources of real pictures hold the points of a detector up: a score TABLE (left-out.csv).

    Points are set again without every source of 50 pictures, and what is counted is how many generated
    pictures then get "supports". A gain that is smaller than the interval over sources is none.
    """
    need("detect", "lab")
    from detector.lab.steps.holding import holding_page, what_holds
    from detector.lab.steps.scores import read_scores

    with Progress() as report:
        found = what_holds(
            read_scores(table), kind_limit or None, view=view, rounds=rounds, report=report
        )  # fmt: skip
    say_block(holding_page(found))


DETECTORS = (evaluate, card, adopt, heatmap, histogram, points)
