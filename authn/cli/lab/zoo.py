"""The commands of ``assay lab`` about generators: fit one, draw from it, look at it, judge it, export it."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.lab.auto import auto
from authn.cli.lab.options import FILE, FOLDER, data_of, data_options, run_argument, seed_option
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.cli.target import refuse_taken
from authn.core.errors import BadRequest

_device = click.option(
    "--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]),
    help="auto takes a GPU where there is one.",
)  # fmt: skip
_other = click.option(
    "--other", metavar="DIR|cifar10|mnist", help="The second source, which cyclegan translates to and from."
)
_label = click.option("--class", "label", type=click.IntRange(0), help="Draw this class only, from 0.")


@click.command()
def families() -> None:
    """List the families of generators and what leaves their traces."""
    from detector.generators import FAMILIES

    rows = [("family", "upsampler", "normaliser", "loss", "paper", "what it is")]
    rows += [
        (name, r.spec.upsampler or "-", r.spec.normaliser, r.spec.loss or "-", r.spec.paper or "-", r.about)
        for name, r in sorted(FAMILIES.items())
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    for row in rows:
        head = "  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=False))
        say(f"{head}  {row[-1]}")


@click.command()
@click.argument("family")
@data_options(required=True)
@_other
@click.option("--out", "run", type=FOLDER, required=True, help="Run folder; run again to go on.")
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


COMMANDS = (families, fit, sample, sheet, quality, export, auto)
