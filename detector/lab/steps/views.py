"""How a picture is shown to a detector: as it is, or after encodings that its name decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.data.corpus import Item, pictures
from detector.lab.steps.training_set import codec_class
from detector.pixels.augment import CodecDraw, Encoding, codec_match, draw_codec, resize, through
from detector.pixels.decode import Pixels

VIEWS = ("as_stored", "matched", "jpeg75", "half")
CODEC_NAMES = ("none", "JPEG 91 to 98", "JPEG 81 to 90", "JPEG 71 to 80", "JPEG 60 to 70", "WebP")


def named_pictures(root: Path, item: Item) -> Iterator[tuple[str, Pixels]]:
    for n, picture in enumerate(pictures(root, item)):
        yield f"{item.path}#{n}", picture


def matched(picture: Pixels, name: str, draw: int) -> Pixels:
    """The picture after ``codec_match`` with a draw that its name decides, real and fake alike."""
    return codec_match(picture, draw_of(name, draw))


def draw_of(name: str, draw: int) -> CodecDraw:
    seed = int.from_bytes(hashlib.sha256(f"{name} {draw}".encode()).digest()[:8], "big")
    return draw_codec(np.random.default_rng(seed))


def view_of(picture: Pixels, name: str, view: str) -> Pixels:
    """One of ``VIEWS``."""
    if view == "matched":
        return matched(picture, name, 0)
    if view == "jpeg75":
        return through(picture, Encoding(media_type="image/jpeg", quality=75))
    if view == "half":
        return through(resize(picture, 0.5, "area"), Encoding(media_type="image/jpeg", quality=90))
    return picture


def codec_of(view: str, name: str) -> str:
    """The last lossy encoding that a view applies, one of ``CODEC_NAMES``."""
    if view == "matched":
        return CODEC_NAMES[codec_class(draw_of(name, 0))]
    return {"jpeg75": CODEC_NAMES[3], "half": CODEC_NAMES[2]}.get(view, CODEC_NAMES[0])
