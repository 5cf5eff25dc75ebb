"""Pixels as a viewer shows them: turned and mirrored as their EXIF says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.pixels.decode import Pixels, decode
from detector.pixels.orientation import orientation_of

Grid = NDArray[np.float64]

_QUARTERS = ((3, 2), (4, 2), (5, 1), (6, 3), (7, 3), (8, 1))  # EXIF orientation, quarter turns to the left


def decode_upright(data: bytes, media_type: str) -> Pixels:
    """As ``decode``, then turned as its EXIF says; a lying face would not be found."""
    return upright(decode(data, media_type), orientation_of(data, media_type))


def upright(pixels: Pixels, orientation: float) -> Pixels:
    """Turned and mirrored as the EXIF tag Orientation (1 to 8) says; else they are not copied."""
    if orientation in (2, 4, 5, 7):
        pixels = pixels[:, ::-1]
    quarters = next((n for o, n in _QUARTERS if o == orientation), 0)
    turned: Pixels = np.ascontiguousarray(np.rot90(pixels, quarters))
    return turned


def turned_back(grid: Grid, orientation: float) -> Grid:
    """What was found (rows, columns) on ``upright`` pixels, as it lies on those that were not turned."""
    quarters = next((n for o, n in _QUARTERS if o == orientation), 0)
    back = np.rot90(grid, -quarters)
    if orientation in (2, 4, 5, 7):
        back = back[:, ::-1]
    return np.ascontiguousarray(back)
