"""The commands of ``assay lab`` about signals: what two eyes show and what that is worth, the table of
cameras, the weights for photos of screens, and for places that differ."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.lab.options import FILE, FOLDER, corpus_option
from authn.cli.out import say, say_block
from authn.cli.progress import Progress
from authn.cli.target import refuse_taken

_models = click.option(
    "--models", type=FOLDER, required=True, help="Folder of the face models (setting face_models)."
)


@click.command()
@click.argument("photo", type=FILE)
@_models
@click.option("--to", "out", type=FILE, help="New PNG to draw the eyes to.")
def eyes(photo: Path, models: Path, out: Path | None) -> None:
    """Compare the eyes of each face of a photo, and draw what was measured."""
    from authn.core.media import open_media
    from detector.core.files import write_whole
    from detector.forensics.faces import open_faces
    from detector.forensics.symmetry import examine_faces
    from detector.forensics.symmetry_overlay import draw, png_of
    from detector.pixels.upright import decode_upright

    if out is not None:
        refuse_taken(out)
    media = open_media(photo)
    pixels = decode_upright(media.data, media.media_type)
    found = examine_faces(pixels, open_faces((models,)))
    if not found:
        say("no face is large enough")
        return
    for n, face in enumerate(found, 1):
        why = "; ".join(u.value for u in face.unfit) or f"irises differ by {face.colour:.1f} in a*b*"
        say(f"face {n}, {face.face.width:.0f} pixels wide: {why}")
    if out is not None:
        write_whole(out, png_of([draw(pixels, face) for face in found]))


@click.command("eyes-card")
@corpus_option
@_models
def eyes_card(data: Path, models: Path) -> None:
    """Measure the comparison of eyes on the corpus; print the tables of its card as Markdown."""
    from detector.forensics.faces import open_faces
    from detector.forensics.symmetry_measure import measure_symmetry, symmetry_tables

    say_block(symmetry_tables(measure_symmetry(data, open_faces((models,)))))


@click.command()
@corpus_option
def cameras(data: Path) -> None:
    """Print the table of cameras' quantisation tables, measured on the corpus."""
    from detector.forensics.camera_measure import measure_cameras

    say_block(measure_cameras(data))


@click.command()
@click.argument("authors", type=FOLDER)
@click.argument("corpus", type=FOLDER)
@click.option("--numbers", type=FILE, required=True, help="Keeps what was measured; run again to go on.")
@click.option("--to", "out", type=FILE, required=True, help="New file for the weights.")
def recapture(authors: Path, corpus: Path, numbers: Path, out: Path) -> None:
    """Fit the detector of photos of screens and prints.

    AUTHORS holds a folder for each person who took some, with screen and scene in it; CORPUS is what `assay
    lab corpus bring` filled. On half of both, by name, everything is chosen; the rest is for reporting.
    """
    from safetensors.numpy import save

    from detector.core.files import write_whole
    from detector.lab.recapture.fitting import fit_recapture
    from detector.lab.recapture.gathering import gather, read_lines

    refuse_taken(out)
    with Progress() as report:
        gather(authors, corpus, numbers, report)
    model = fit_recapture(read_lines(numbers))
    write_whole(out, save(model.tensors()))
    say(f"from {model.point:.3f} on it is said")


@click.command()
@click.argument("corpus", type=FOLDER)
@click.option("--weights", type=FOLDER, required=True, help="Folder of TAEF2, which reconstructs regions.")
@click.option("--kept", type=FOLDER, required=True, help="Keeps what was measured; run again to go on.")
@click.option("--to", "out", type=FILE, required=True, help="New file for the head.")
def splicing(corpus: Path, weights: Path, kept: Path, out: Path) -> None:
    """Fit the head of the view "differs" on composites of the corpus's photos.

    CORPUS is what `assay lab corpus bring` filled. On half of its sources, by name, the head is fitted; the
    rest is for reporting.
    """
    from safetensors.numpy import save

    from detector.core.files import write_whole
    from detector.forensics.splicing import BACKBONE
    from detector.generators.aligned.autoencoders import Taef2
    from detector.lab.splicing.fitting import fit_head, read_kept
    from detector.lab.splicing.gathering import gather
    from detector.models.card import open_card
    from detector.models.registry import model_files
    from detector.models.weights import network_at

    refuse_taken(out)
    card = open_card(BACKBONE)
    network = network_at(card, model_files(BACKBONE)[1])
    with Progress() as report:
        gather(corpus, kept, network, Taef2(weights).reconstruct, report)
    head = fit_head(read_kept(kept), card.weights_sha256)
    write_whole(out, save(head.tensors()))
    say(f"{head.directions.shape[1]} directions of {head.directions.shape[0]} features")


FORENSICS = (eyes, eyes_card, cameras, recapture, splicing)
