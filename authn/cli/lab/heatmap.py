"""``assay lab heatmap``: where in a photo the trace detector sees something."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.out import say
from authn.cli.target import refuse_taken
from authn.core.errors import BadRequest
from authn.core.media import media_of


@click.command()
@click.argument("photo", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new PNG file.")
@click.option("--model", "model_id", default="traces-1", show_default=True, help="Detector id.")
def heatmap(photo: Path, out: Path, model_id: str) -> None:
    """Draw the score of every square of a PHOTO over it. A place to look at, no measure of its own."""
    from detector.lab.plots import plot_heatmap
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
