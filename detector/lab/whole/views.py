"""The views of a picture that heads are fitted and judged on: one law for both classes, drawn from the
picture's own digest.

Whatever a collector stored his pictures as (size, codec, quality) goes through the same draws, so that none
of it is a label. A view can be made again from the file and its digest alone.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from detector.models.condition import JPEG, Condition
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, open_cv2
from detector.pixels.preprocess import quarter

LAUNDERED_SIDE = 256
LAUNDERED = Encoding(media_type="image/jpeg", quality=90)
_LEAST_SIDE = 224  # what the encoder reads


class View(StrEnum):
    """``LAUNDERED``: the shorter side 256 pixels, JPEG 90. ``RESIZED``: 224 to 640 pixels, one encoding.
    ``STORED``: as the file is."""

    LAUNDERED = "laundered"
    RESIZED = "resized"
    STORED = "stored"


_NUMBERS = {View.LAUNDERED: 0, View.RESIZED: 1, View.STORED: 3}


def view_of(pixels: Pixels, view: View, sha256: str) -> Pixels:
    """The view of a picture, RGB; ``sha256`` of the file seeds its draw."""
    if view is View.STORED:
        return pixels
    if view is View.LAUNDERED:
        return through(shorter_side(pixels, LAUNDERED_SIDE), LAUNDERED)
    rng = np.random.default_rng(int(sha256[:8], 16) * 7 + _NUMBERS[view])
    seen = _resized(pixels, rng)
    return np.ascontiguousarray(seen[:, ::-1]) if rng.random() < 0.5 else seen


def quarter_of(sheet: Pixels, view: View) -> Pixels:
    """Of a sheet of four pictures, one; each view sees another."""
    return quarter(sheet, _NUMBERS[view])


def shorter_side(pixels: Pixels, side: int) -> Pixels:
    """Scaled so that the shorter side has ``side`` pixels: by area when that is fewer, else cubic."""
    cv2 = open_cv2()
    height, width = pixels.shape[:2]
    scale = side / min(height, width)
    kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    out: Pixels = cv2.resize(pixels, size, interpolation=kernel)
    return out


def condition_of_view(side: int, view: View, sha256: str) -> Condition:
    """Of the laundered or resized view of a picture whose shorter side has ``side`` pixels."""
    if view is View.LAUNDERED:
        return Condition(side=LAUNDERED_SIDE, quality=LAUNDERED.quality, media_type=LAUNDERED.media_type)
    rng = np.random.default_rng(int(sha256[:8], 16) * 7 + _NUMBERS[view])
    small = _drawn_side(side, rng)
    encoding = _encoding(rng)
    quality = encoding.quality if encoding.media_type == JPEG else None
    return Condition(side=small, quality=quality, media_type=encoding.media_type)


def _resized(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    small = shorter_side(pixels, _drawn_side(min(pixels.shape[:2]), rng))
    return through(small, _encoding(rng))


def _drawn_side(side: int, rng: np.random.Generator) -> int:
    return min(int(rng.integers(_LEAST_SIDE, 641)), max(_LEAST_SIDE, side))


def _encoding(rng: np.random.Generator) -> Encoding:
    media_type = "image/jpeg" if rng.random() < 0.6 else "image/webp"
    return Encoding(media_type=media_type, quality=int(rng.integers(60, 96)))
