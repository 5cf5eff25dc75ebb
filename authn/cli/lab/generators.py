"""The commands of ``assay lab`` about generators: fit one, draw from it, look at it, judge it, export it, ask
it; and learn digits from a few labels beside one."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.lab.options import (
    FILE,
    FOLDER,
    data_of,
    data_options,
    device_option,
    out_option,
    run_argument,
    seed_option,
)
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.cli.target import refuse_taken
from authn.core.errors import BadRequest
from authn.core.extras import need

_device = device_option("auto takes a GPU where there is one.")
_other = click.option(
    "--other",
    metavar="DIR|cifar10|mnist",
    help="The second source, which cyclegan and unit translate to and from.",
)
_GIVEN = "DIR|FILE.npz|cifar10|mnist"
_label = click.option("--class", "label", type=click.IntRange(0), help="Draw this class only, from 0.")


@click.command()
def families() -> None:
    """List the families of generators and what leaves their traces.

    Those of heritage earn a detector nothing, by what was measured, and lab auto leaves them out unless they
    are named; all else works with them too.
    """
    from detector.generators import FAMILIES

    rows = [("family", "upsampler", "normaliser", "loss", "paper", "what it is")]
    rows += [
        (
            name, r.spec.upsampler or "-", r.spec.normaliser, r.spec.loss or "-", r.spec.paper or "-",
            f"{r.about} (heritage: {r.heritage})" if r.heritage else r.about,
        )
        for name, r in sorted(FAMILIES.items())
    ]  # fmt: skip
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    for row in rows:
        head = "  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=False))
        say(f"{head}  {row[-1]}")


@click.command()
@click.argument("family")
@data_options(required=True)
@_other
@out_option
@click.option("--steps", type=click.IntRange(1), help="End after so many steps; repeatable to the last bit.")
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True),
    help="End after so many CPU seconds (on a GPU: seconds by the clock). Without either: 300.",
)  # fmt: skip
@seed_option
@click.option(
    "--side", type=click.IntRange(8, 256), help="Pixels of a picture's side; default: the recipe's."
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE",
    help="A setting of the family's own; repeatable.",
)  # fmt: skip
@click.option(
    "--labels-kept", default=1.0, show_default=True, type=click.FloatRange(0, 1, min_open=True),
    help="Hide all but this part of each class's labels; for biggan with few_labels=true.",
)  # fmt: skip
@_device
def fit(
    family: str, data: str, corpus: Path | None, other: str | None, run: Path, steps: int | None,
    seconds: float | None, seed: int, side: int | None, settings: tuple[str, ...], labels_kept: float,
    device: str,
) -> None:  # fmt: skip
    """Fit a FAMILY of generators on real pictures; plots and logs lie beside the weights."""
    need("detect", "lab")
    from detector.generators.family import UNLEARNED
    from detector.zoo.fitting.budget import budget_of
    from detector.zoo.fitting.device import choose_device
    from detector.zoo.runs import Wanted, fit_run

    chosen = choose_device(device)
    if steps is None and seconds is None:
        seconds = 300.0
    with Progress() as report:
        card = fit_run(
            Wanted(family=family, side=side, settings=settings, labels_kept=labels_kept),
            data_of(data, corpus, other), run, budget_of(steps, seconds, chosen), seed=seed, device=chosen,
            report=report,
        )  # fmt: skip
    say(f"{card.spec.family} {card.weights_sha256} after {card.steps} steps in {run}")
    if card.spec.family in UNLEARNED:
        say(
            f"{card.spec.family} learns nothing from a set: the fit changed no weight, and more steps change "
            "none; it is fitted to each picture anew when one is passed through it"
        )


@click.command()
@run_argument
@click.option("--count", default=64, show_default=True, type=click.IntRange(1, 1_000_000))
@seed_option
@_label
@click.option("--out", type=FILE, required=True, help="File (.npz) with the array images, uint8.")
def sample(run: Path, count: int, seed: int, label: int | None, out: Path) -> None:
    """Draw pictures from a fitted generator; the same seed draws the same pictures."""
    from detector.zoo.export import save_pictures
    from detector.zoo.making import sample_run
    from detector.zoo.runs import about_run
    from detector.zoo.store import open_family

    if out.suffix != ".npz":
        raise BadRequest("--out names a .npz file; lab export writes PNG files")
    fitted = open_family(run)
    with Progress() as report:
        images = sample_run(fitted, count, seed, label=label, report=report)
    digest = save_pictures(images, out, about={**about_run(fitted), "seed": seed})
    say(f"{digest} {count} pictures in {out}")


@click.command()
@run_argument
@click.option("--out", type=FILE, help="A new PNG file; default: sheet.png in the run.")
@click.option("--columns", default=12, show_default=True, type=click.IntRange(1, 100))
@click.option("--rows", default=6, show_default=True, type=click.IntRange(1, 100))
@seed_option
@_label
def sheet(run: Path, out: Path | None, columns: int, rows: int, seed: int, label: int | None) -> None:
    """Draw one picture that shows many samples."""
    from detector.zoo.making import gives_back, sample_run
    from detector.zoo.sheet import write_sheet
    from detector.zoo.store import open_family

    if out is not None:
        refuse_taken(out)
    path, fitted = out or run / "sheet.png", open_family(run)
    if gives_back(fitted):
        raise BadRequest(
            f"{fitted.spec.family} gives pictures back; what it draws of its own is noise. Its sheet, "
            "originals beside what it made of them, was left by lab fit"
        )
    with Progress() as report:
        images = sample_run(fitted, columns * rows, seed, label=label, report=report)
    write_sheet(images, path, columns=columns)
    say(path)


@click.command()
@run_argument
@data_options(required=True)
@_other
@click.option("--count", default=1000, show_default=True, type=click.IntRange(20, 100_000), help="Samples.")
@seed_option
@click.option("--accept-bias", is_flag=True, help="Give FD below 10,000 pictures too, marked as biased.")
@_device
def quality(
    run: Path, data: str, corpus: Path | None, other: str | None, count: int, seed: int, accept_bias: bool,
    device: str,
) -> None:  # fmt: skip
    """Judge a generator against the pictures it was fitted on and held-out ones. No number here is FID."""
    need("detect", "lab")
    from detector.zoo.fitting.device import choose_device
    from detector.zoo.judging.assess import quality_text
    from detector.zoo.runs import assess_run

    with Progress() as report:
        found = assess_run(
            run, data_of(data, corpus, other), count=count, seed=seed, accept_bias=accept_bias,
            device=choose_device(device), report=report,
        )  # fmt: skip
    say_block(quality_text(found))


@click.command()
@run_argument
@click.option(
    "--to", "folder", type=FOLDER, required=True, help="New folder: generated/, and real/ with --data."
)
@click.option("--count", default=10_000, show_default=True, type=click.IntRange(1, 1_000_000))
@seed_option
@data_options(required=False)
def export(run: Path, folder: Path, count: int, seed: int, data: str | None, corpus: Path | None) -> None:
    """Write PNG files and a manifest, so that tools outside can compute FID and the like."""
    from detector.zoo.runs import export_run

    with Progress() as report:
        written = export_run(
            run, folder, count=count, seed=seed, data=None if data is None else data_of(data, corpus),
            report=report,
        )  # fmt: skip
    for path, digest in written:
        say(f"{digest} {path}")


@click.command()
@run_argument
@data_options(
    required=True,
    metavar=_GIVEN,
    help_text="Pictures to translate: tiles of a folder of photos, or the array images of a file as it is.",
)
@click.option(
    "--to", type=click.IntRange(0, 1), required=True,
    help="0: make them look like --data of the fit; 1: like its --other.",
)  # fmt: skip
@click.option(
    "--count", default=64, show_default=True, type=click.IntRange(1, 1_000_000), help="At most so many."
)
@seed_option
@click.option("--out", type=FILE, required=True, help="File (.npz); a sheet (.png) is written beside it.")
def translate(run: Path, data: str, corpus: Path | None, to: int, count: int, seed: int, out: Path) -> None:
    """Make pictures of one source look like those of the other, by a cyclegan or unit fitted with --other."""
    from detector.zoo.translating import translate_run

    if out.suffix != ".npz":
        raise BadRequest("--out names a .npz file")
    if not out.exists():  # what was made before is its own
        refuse_taken(out.with_suffix(".png"))
    with Progress() as report:
        digest, made = translate_run(
            run, data_of(data, corpus), out, to=to, count=count, seed=seed, report=report
        )  # fmt: skip
    say(f"{digest} {made} pictures in {out}")
    say(out.with_suffix(".png"))


@click.command()
@run_argument
@data_options(
    required=True,
    metavar=_GIVEN,
    help_text="The test part of a set, held-out photos of a folder, or the array images of a file as it is.",
)
@click.option(
    "--count", default=1000, show_default=True, type=click.IntRange(1, 1_000_000), help="At most so many."
)
@seed_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def likelihood(run: Path, data: str, corpus: Path | None, count: int, seed: int, as_json: bool) -> None:
    """Bits per colour value that a generator with a likelihood needs, beside those of uniform noise.

    pixelcnn: exact. realnvp: a bound from above (an exact density, asked with noise of one step). vae: a
    bound from above (16 weighted draws). dbm: an estimate (of black and white, where a guess takes 1 bit).
    The other families have none. Numbers of two families are not comparable.
    """
    from detector.zoo.likelihood import likelihood_json, likelihood_run, likelihood_text

    with Progress() as report:
        found = likelihood_run(run, data_of(data, corpus), count=count, seed=seed, report=report)
    say_block(likelihood_json(found) if as_json else likelihood_text(found))


@click.command()
@click.option(
    "--corpus", type=FOLDER, required=True, envvar="ASSAY_DATA", show_envvar=True,
    help="Folder that holds mnist.",
)  # fmt: skip
@out_option
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
    need("detect", "lab")
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


@click.command()
@data_options(
    required=True,
    help_text="Labelled pictures: a named set, or a folder whose sub-folders or labels.csv name the classes.",
)
@out_option
@click.option(
    "--labels", "each", default=20, show_default=True, type=click.IntRange(2),
    help="Real pictures of each class, for generators and classifier alike.",
)  # fmt: skip
@click.option(
    "--families", "names", default="vae,dcgan,biggan,flowmatch", show_default=True, metavar="A,B,...",
    help="Which generators; two or more.",
)  # fmt: skip
@click.option(
    "--samples", "count", default=1000, show_default=True, type=click.IntRange(20, 100_000),
    help="Pictures that a family draws and that the union holds; fewer where drawing is slow.",
)  # fmt: skip
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(2, 100), help="Repetitions.")
@click.option(
    "--minutes", default=25.0, show_default=True, type=click.FloatRange(0, min_open=True),
    help="CPU minutes for all of it.",
)  # fmt: skip
@click.option(
    "--steps", type=(click.IntRange(1), click.IntRange(1)), metavar="FIT CLASSIFIER",
    help="Of every fit and of every classifier, in place of minutes; repeatable to the last bit.",
)  # fmt: skip
@click.option("--side", type=click.IntRange(8, 64), help="Pixels of a side. Default: 28 for mnist, else 32.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="The first one.")
def union(
    data: str, corpus: Path | None, run: Path, each: int, names: str, count: int, seeds: int, minutes: float,
    steps: tuple[int, int] | None, side: int | None, seed: int,
) -> None:  # fmt: skip
    """Fit generators on few labelled pictures; does a classifier gain by all that they draw?"""
    need("detect", "lab")
    from detector.zoo.union.page import write_union
    from detector.zoo.union.run import Wanted, union_run

    wanted = Wanted(
        families=tuple(n.strip() for n in names.split(",")), each=each, count=count, seeds=seeds, seed=seed,
        side=side or (28 if data == "mnist" else 32), steps=steps,
        cpu_seconds=None if steps else 60 * minutes,
    )  # fmt: skip
    with Progress() as report:
        result = union_run(wanted, data_of(data, corpus), run, report=report)
        text = write_union(result, run)
    say_block(text)


GENERATORS = (families, fit, sample, sheet, quality, export, translate, likelihood, semi, union)
