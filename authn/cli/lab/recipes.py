"""The commands of ``assay lab`` that make a detector, or learn what a recipe is worth. The service never
trains."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.lab.options import (
    FILE,
    FOLDER,
    RUNS_FOLDER,
    corpus_option,
    data_options,
    device_option,
    model_option,
    out_option,
    seed_option,
)
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.cli.target import refuse_taken
from authn.core.errors import BadRequest
from authn.core.extras import need


@click.command()
@click.option("--data", type=FOLDER, required=True, help="Any folder of photos (JPEG, PNG, WebP).")
@click.option("--out", "run", type=FOLDER, help="Run folder, default: runs/NAME-lab; run again to go on.")
@click.option(
    "--minutes", default=30.0, show_default=True, type=click.FloatRange(1, 100_000),
    help="CPU minutes for all of it on one core, judging and evaluating included; too few are refused.",
)  # fmt: skip
@seed_option
@click.option(
    "--side", default="32", show_default=True, type=click.Choice(["16", "32", "64"]),
    help="Pixels of the side of what generators make.",
)  # fmt: skip
@click.option(
    "--family",
    "families",
    multiple=True,
    help="Only this family; repeatable. Else all but those of heritage.",
)  # fmt: skip
@click.option(
    "--fakes", type=FOLDER,
    help="Generated pictures, a sub-folder for each generator: a detector of whole pictures is made too.",
)  # fmt: skip
@device_option("Where generators are fitted; auto takes a GPU where there is one.")
@click.pass_obj
def auto(
    config_file: str | None, data: Path, run: Path | None, minutes: float, seed: int, side: str,
    families: tuple[str, ...], fakes: Path | None, device: str,
) -> None:  # fmt: skip
    """Index photos, fit the zoo, train a detector on it, calibrate, evaluate, write cards and plots.

    Every stage that is finished is kept; after an interruption the same command goes on. With --fakes heads
    on the image encoder are fitted on whole photos and fakes too, where that is installed.
    """
    need("detect", "lab")
    from authn.core.config import load_settings
    from authn.examine.detectors import encoder_of
    from detector.lab.folder.run import FolderOptions
    from detector.lab.recipe import run_folder

    options = FolderOptions(minutes=minutes, seed=seed, side=int(side), families=families, device=device)
    with Progress() as report:
        text = run_folder(
            data, run or RUNS_FOLDER / f"{data.absolute().name}-lab", options, report, fakes=fakes,
            encoder=encoder_of(load_settings(config_file)),
        )  # fmt: skip
    say_block(text)


@click.command()
@corpus_option
@click.option("--out", type=FOLDER, required=True, help="Run folder; run again to resume.")
@model_option("traces-1")
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", default=24, show_default=True, type=click.IntRange(1, 500))
@click.option(
    "--steps", default=200, show_default=True, type=click.IntRange(1, 10000), help="Steps per epoch."
)
@click.option(
    "--upscalers", type=FOLDER, help="Folder with the ncnn files of Real-ESRGAN, for more kinds of fakes."
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
    need("detect", "lab")
    from detector.lab.recipe import run_corpus
    from detector.lab.steps.training_set import TrainingOptions

    options = TrainingOptions(seed=seed, epochs=epochs, steps_per_epoch=steps)
    card = run_corpus(
        data, out, model_id=model_id, options=options, upscalers=upscalers, zoo_seconds=zoo_seconds,
        report=Progress(),
    )  # fmt: skip
    say(f"{card.model_id} {card.weights_sha256} in {out}")


@click.command()
@data_options(required=True)
@click.option("--zoo", type=FOLDER, required=True, help="Folder of fitted generators, one folder each.")
@out_option
@click.option("--fakes", default=3000, show_default=True, type=click.IntRange(16), help="Per family.")
@click.option("--steps", default=3000, show_default=True, type=click.IntRange(1), help="Per detector.")
@click.option("--side", default=32, show_default=True, type=click.IntRange(16, 256))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def lofo(
    data: str, corpus: Path | None, zoo: Path, run: Path, fakes: int, steps: int, side: int, seed: int
) -> None:
    """Leave each family of generators out once; print what is found of it."""
    need("detect", "lab")
    from detector.lab.left_out_run import run_left_out
    from detector.lab.steps.left_out import cautions, rows_text

    with Progress() as report:
        rows = run_left_out(
            data, corpus, zoo, run, fakes=fakes, steps=steps, side=side, seed=seed, report=report
        )  # fmt: skip
    say_block(rows_text(rows, cautions(rows, steps=steps, fakes=fakes)))


@click.command()
@click.option(
    "--pictures", "folder", type=FOLDER, required=True, help="Where lab corpus bring has put the pictures."
)
@click.option("--manifest", type=FILE, help="Another manifest than the one that ships.")
@click.option(
    "--later", "after", type=FILE,
    help="Manifest of pictures that came later: they vouch for answers, and neither teach nor test.",
)  # fmt: skip
@click.option(
    "--encoder", type=FILE, help="The image encoder, clip_encoder.int8.onnx; default: that of the service."
)
@out_option
@model_option("semantic-3")
@click.pass_obj
def semantic(
    config_file: str | None, folder: Path, manifest: Path | None, after: Path | None, encoder: Path | None,
    run: Path, model_id: str,
) -> None:  # fmt: skip
    """Fit the heads of the whole-picture detector on the pictures of a manifest, test, calibrate.

    What the encoder said of a picture is kept; after an interruption the same command goes on.
    """
    need("detect", "lab")
    from authn.core.config import load_settings
    from authn.examine.detectors import encoder_of
    from detector.data.manifest import read_manifest, shipped_manifest
    from detector.lab.semantic import run_semantic
    from detector.models.semantic import open_encoder

    found = encoder or encoder_of(load_settings(config_file))
    if found is None:
        raise BadRequest("no image encoder is installed here; name one with --encoder")
    rows = read_manifest(manifest) if manifest else shipped_manifest()
    later = read_manifest(after) if after else ()
    with Progress() as report:
        card = run_semantic(
            rows, folder, open_encoder(found), run, model_id=model_id, report=report, later=later
        )
    say(f"{card.model_id} {card.weights_sha256} in {run}")


@click.command()
@click.option(
    "--manifest", "manifests", type=FILE, required=True, multiple=True,
    help="Manifest of a corpus (CSV, or packed by xz); repeatable.",
)  # fmt: skip
@click.option(
    "--pictures", type=FOLDER, required=True, multiple=True,
    help="Folder with real/ and fake/ as `lab corpus bring` leaves them; repeatable.",
)  # fmt: skip
@click.option("--autoencoder", type=FOLDER, required=True, help="Folder with the two files of TAEF2.")
@click.option(
    "--backbone", type=FILE, help="Weights of a trace network to put a new last layer on; none is trained."
)
@click.option("--start", type=FILE, help="Weights of a trace network that training goes on from.")
@click.option(
    "--seen", multiple=True,
    help="Family of generators, or source, that these weights learned from; repeatable.",
)  # fmt: skip
@click.option(
    "--closed", is_flag=True,
    help="Stop at first.csv, the test sources unopened, to compare it with another run by lab compare.",
)  # fmt: skip
@click.option(
    "--upscalers", type=FOLDER,
    help="Folder with upscalers as ncnn (NAME.param, NAME.bin) or ONNX files (NAME.onnx).",
)  # fmt: skip
@out_option
@model_option("traces-2")
@seed_option
@click.option("--epochs", default=24, show_default=True, type=click.IntRange(1, 500))
@click.option(
    "--steps", default=200, show_default=True, type=click.IntRange(1, 10000), help="Steps per epoch."
)
def traces(
    manifests: tuple[Path, ...], pictures: tuple[Path, ...], autoencoder: Path, upscalers: Path | None,
    backbone: Path | None, start: Path | None, seen: tuple[str, ...], closed: bool, run: Path, model_id: str,
    seed: int, epochs: int, steps: int,
) -> None:  # fmt: skip
    """Train the trace detector on the pictures of a manifest, test, calibrate.

    A backbone learns from aligned pairs, a last layer from whole pictures. Every score in left-out.csv is of
    a layer that saw neither the picture's source nor its generator; test.csv is of the test sources, by a
    layer that saw none of them.
    """
    need("detect", "lab")
    if backbone and start:
        raise BadRequest("name either --backbone, which stays as it is, or --start, which is trained on")
    from detector.lab.traces.run import Origin, Places, first_scores, options_for, run_traces

    networks = sorted(p for p in upscalers.iterdir() if p.suffix in (".param", ".onnx")) if upscalers else ()
    places = Places(
        manifests=manifests, folders=pictures, taef2=autoencoder, run=run, upscalers=tuple(networks)
    )  # fmt: skip
    origin = Origin(weights=backbone or start, unchanged=backbone is not None, seen=seen)
    options = options_for(seed, epochs, steps, start)
    with Progress() as report:
        if closed:
            table = first_scores(places, options, report, origin=origin).table
            say(f"{len(table)} scores in {run / 'first.csv'}; the test sources were not opened")
            return
        card = run_traces(places, options, report, model_id=model_id, origin=origin)
    say(f"{card.model_id} {card.weights_sha256} in {run}")


@click.command()
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@click.option("--out", type=FILE, required=True, help="The card of the joint detector, a new JSON file.")
def join(first: Path, second: Path, out: Path) -> None:
    """Join two learned detectors that ship: one ratio of both, from the tables left-out.csv of their runs.

    FIRST is the run folder of the one that tells kinds apart, as `lab semantic` leaves it, SECOND that of
    `lab traces`. Refused where the joint one would vouch for fewer kinds than one of them alone.
    """
    need("detect", "lab")
    from detector.core.files import write_whole
    from detector.lab.steps.joint_fit import join_tables, side_of_run
    from detector.models.joint import dump_joint
    from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL

    refuse_taken(out)
    card = join_tables(side_of_run(first, SEMANTIC_MODEL), side_of_run(second, DEFAULT_MODEL))
    write_whole(out, dump_joint(card).encode())
    say(f"{card.model_id} in {out}")


@click.command()
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
def compare(before: Path, after: Path) -> None:
    """Say what one detector gained over another: two score tables of the same pictures.

    BEFORE and AFTER are first.csv of `lab traces --closed`. Areas by family and view, each with a 95 %
    interval of the difference, over pictures that both tables hold.
    """
    need("detect", "lab")
    from detector.lab.steps.scores import read_scores
    from detector.lab.traces.compare import compare as compared
    from detector.lab.traces.compare import comparison_page

    say_block(comparison_page(compared(read_scores(before), read_scores(after))))


RECIPES = (auto, train, lofo, semantic, traces, compare, join)
