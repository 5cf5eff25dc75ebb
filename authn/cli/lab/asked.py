"""``assay lab translate`` and ``likelihood``: what a fitted generator makes of pictures, and how likely it
finds them."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.lab.options import FILE, data_of, data_options, run_argument, seed_option
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.cli.target import refuse_taken
from authn.core.errors import BadRequest

_GIVEN = "DIR|FILE.npz|cifar10|mnist"


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
    """Make pictures of one source look like those of the other, by a cyclegan fitted with --other."""
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


ASKED = (translate, likelihood)
