"""Pixels as a viewer shows them: turned and mirrored as their EXIF says."""

from __future__ import annotations

import numpy as np

from detector.pixels.decode import Pixels, decode
from detector.pixels.exif import ORIENTATION, exif_of
from detector.pixels.jpeg import parse_jpeg

_QUARTERS = ((3, 2), (4, 2), (5, 1), (6, 3), (7, 3), (8, 1))  # EXIF orientation, quarter turns to the left


def decode_upright(data: bytes, media_type: str) -> Pixels:
    """As ``decode``, then turned as the EXIF of a JPEG says; a lying face would not be found."""
    pixels = decode(data, media_type)
    tags = exif_of(parse_jpeg(data)) if media_type == "image/jpeg" else None
    return upright(pixels, (tags.number(ORIENTATION) if tags else None) or 1)


def upright(pixels: Pixels, orientation: float) -> Pixels:
    """Turned and mirrored as the EXIF tag Orientation (1 to 8) says; other values change nothing."""
    if orientation in (2, 4, 5, 7):
        pixels = pixels[:, ::-1]
    quarters = next((n for o, n in _QUARTERS if o == orientation), 0)
    turned: Pixels = np.ascontiguousarray(np.rot90(pixels, quarters))
    return turned
