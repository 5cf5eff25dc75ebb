"""Whether green was measured at every second pixel and made up at the others, and where at the other ones.

Most sensors see one colour at each pixel, green at every second one, as the white squares of a chessboard
lie; the rest is interpolated. After Popescu and Farid (*Exposing digital forgeries in color filter array
interpolated images*, 2005) and Ferrara et al. (*Image forgery localization via fine-grained analysis of CFA
artifacts*, 2012): made-up pixels follow from their four neighbours better than measured ones. The logarithm
of the ratio of both errors, in blocks, has one sign all over a photo as the camera made it. A place of the
other sign came from elsewhere, or was moved by an odd number of pixels.

Resizing, coarse compression and smoothing take the traces away, and many cameras leave none: so a place
without them says nothing, and most pictures have none at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.forensics.squares import Grid, bounded, over_places
from detector.pixels.decode import Pixels, open_cv2

BLOCK, PLACE = 16, 6  # pixels; blocks a side of a place, half overlapping
MAX_SQUARES = 200_000  # of 8 x 8: 12.8 megapixels
LEAST_BLOCKS = 150
SEEN = 0.2  # the median of the logarithms from which on the picture has traces
AGREEING = 0.85  # and the share of blocks with its sign
_LEAST_ERROR = 0.5  # levels squared, in the mean of a block: of calmer ones nothing is left
_ROUNDING = 0.5 / (BLOCK * BLOCK / 2)  # levels squared, added to both
_CLIP = 2.0  # of one block's logarithm
_ENDS = (3, 252)
_NEIGHBOURS = ((0, 0.25, 0), (0.25, 0, 0.25), (0, 0.25, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourFilter:
    """``corner``: whether green was measured at the upper left pixel, as far as it can be told, or beside it.
    ``median`` of the logarithms of blocks, not below 0, and the share of blocks ``agreeing`` with its sign.
    ``places`` (rows, columns of ``PLACE`` blocks): the mean of the logarithms, positive as the median is; NaN
    where half of the blocks or more are too calm, or clipped. ``blocks`` were asked; ``looked`` is the share
    of the picture that was looked at, from above."""

    corner: bool
    median: float
    agreeing: float
    places: Grid
    blocks: int
    looked: float

    @property
    def seen(self) -> bool:
        return self.median >= SEEN and self.agreeing >= AGREEING

    @property
    def least(self) -> float | None:
        """Of the place that goes with the rest least; None where there is none."""
        return float(np.nanmin(self.places)) if np.isfinite(self.places).any() else None

    @property
    def alone(self) -> bool:
        """Whether the places across the picture's middle from that one go with the rest, as far as any can be
        told. What corrects a lens moves all of them by as many pixels."""
        if self.least is None:
            return False
        down, across = np.unravel_index(int(np.nanargmin(self.places)), self.places.shape)
        flipped = [self.places[:, ::-1]]
        if self.looked == 1:
            flipped += [self.places[::-1], self.places[::-1, ::-1]]
        known = [float(f[down, across]) for f in flipped if np.isfinite(f[down, across])]
        return bool(known) and min(known) >= SEEN


def examine_filter(pixels: Pixels) -> ColourFilter:
    """Of (height, width, 3) pixels, RGB, as stored. Raises ``NotApplicable`` where fewer than
    ``LEAST_BLOCKS`` blocks have detail or noise and no clipped pixel."""
    cv2, height = open_cv2(), int(pixels.shape[0])
    rows, columns = bounded(pixels, MAX_SQUARES) // BLOCK, int(pixels.shape[1]) // BLOCK
    if rows * columns < LEAST_BLOCKS:
        raise NotApplicable(f"fewer than {LEAST_BLOCKS} blocks of {BLOCK} x {BLOCK} pixels")
    green = np.ascontiguousarray(pixels[: rows * BLOCK, : columns * BLOCK, 1])
    values = green.astype(np.float32)
    off = values - cv2.filter2D(values, -1, np.array(_NEIGHBOURS, np.float32))
    off *= off
    white, black = (_in_blocks(off[::2, a::2] + off[1::2, 1 - a :: 2], rows, columns) / 2 for a in (0, 1))
    clipped = ((green < _ENDS[0]) | (green > _ENDS[1])).astype(np.float32)
    asked = (_in_blocks(clipped, rows, columns) == 0) & (white + black > 2 * _LEAST_ERROR)
    if int(asked.sum()) < LEAST_BLOCKS:
        raise NotApplicable(f"fewer than {LEAST_BLOCKS} blocks have detail or noise and no clipped pixel")
    logs = np.log((white + _ROUNDING) / (black + _ROUNDING))
    median = float(np.median(logs[asked]))
    logs = logs if median >= 0 else -logs
    return ColourFilter(
        corner=median >= 0,
        median=abs(median),
        agreeing=float((logs[asked] > 0).mean()),
        places=_places(logs, asked),
        blocks=int(asked.sum()),
        looked=rows * BLOCK / (height // BLOCK * BLOCK),
    )


def _in_blocks(values: Grid, rows: int, columns: int) -> Grid:
    """The mean of each block."""
    means: Grid = open_cv2().resize(values, (columns, rows), interpolation=open_cv2().INTER_AREA)
    return means


def _places(logs: Grid, asked: NDArray[np.bool_]) -> Grid:
    sums = over_places(np.where(asked, np.clip(logs, -_CLIP, _CLIP), 0).astype(np.float32), PLACE)
    counts = over_places(asked.astype(np.float32), PLACE)
    enough = counts > PLACE * PLACE / 2
    places: Grid = np.where(enough, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
    return places
