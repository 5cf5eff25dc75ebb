"""How a picture is shown to a detector: as it is, or after encodings that its name decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.data.corpus import Item, pictures
from detector.lab.steps.training_set import codec_class
from detector.pixels.augment import CodecDraw, Encoding, codec_match, draw_codec, encode, resize, through
from detector.pixels.decode import Pixels

VIEWS = ("as_stored", "matched", "jpeg75", "half")
HANDED_ON = {"jpeg75": 75, "half": 90, "laundered": 90}  # and the JPEG quality
LAUNDERED_SIDE = 256  # pixels of the shorter side; a smaller picture keeps its size
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
    """One of ``VIEWS``, or of those that ``file_of`` makes."""
    if view == "matched":
        return matched(picture, name, 0)
    if view == "as_stored":
        return picture
    return through(*_handed_on(picture, view))


def file_of(picture: Pixels, view: str) -> tuple[bytes, str]:
    """A file as platforms hand a picture on, one of ``HANDED_ON``, and its media type."""
    small, encoding = _handed_on(picture, view)
    return encode(small, encoding), encoding.media_type


def _handed_on(picture: Pixels, view: str) -> tuple[Pixels, Encoding]:
    scale = {"half": 0.5, "laundered": min(1.0, LAUNDERED_SIDE / min(picture.shape[:2]))}.get(view, 1.0)
    return resize(picture, scale, "area"), Encoding(media_type="image/jpeg", quality=HANDED_ON[view])


def codec_of(view: str, name: str) -> str:
    """The last lossy encoding that a view applies, one of ``CODEC_NAMES``."""
    if view == "matched":
        return CODEC_NAMES[codec_class(draw_of(name, 0))]
    return {"jpeg75": CODEC_NAMES[3], "half": CODEC_NAMES[2], "laundered": CODEC_NAMES[2]}.get(
        view, CODEC_NAMES[0]
    )
