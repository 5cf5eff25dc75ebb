"""Where a place of a JPEG was compressed before at another quality than the rest: a ghost.

After Farid (*Exposing digital forgeries from JPEG ghosts*, 2009): what was once compressed at some quality
changes little when it is compressed at that quality again. The change is computed on the coefficients
themselves, of eight low frequencies and for each quality of the standard tables, and compared with that of
the same picture cut by half a square and compressed once, which has no ghost: the logarithm of their ratio is
near 0 where there is none. A place whose ratio lies far below that of most others, at one quality, was
compressed at that quality, and most of the rest was not.

Bounded as ``double_jpeg`` is. It sees squares that lie on those of the file alone: what was pasted at random
lies on them once in 64 times (``jpeg_grid`` sees the others).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.forensics.double_jpeg import CELL, FREQUENCIES, LEAST_SQUARES, LEAST_TEXTURE, MAX_SQUARES
from detector.forensics.squares import Grid, bounded, brightness, clipped, coefficients, over_places
from detector.pixels.decode import Pixels
from detector.pixels.jpeg import Table
from detector.pixels.quantisation import standard_table

QUALITIES = range(40, 98)
LEAST_FREQUENCIES = 4  # coarser at the quality than in the file: with fewer it would leave no ghost
LEAST_PLACES = 12
_FLOOR = 0.02  # squared shares of a step: less than that is rounding
_SPREAD = 0.08  # the least spread that places of one picture are thought to have, in logarithms


@dataclass(frozen=True, slots=True, kw_only=True)
class Ghosts:
    """``places`` (rows, columns of places ``CELL`` squares wide, overlapping by half) is how far each lies
    below the others at the ``quality`` at which one lies lowest, in spreads of them; NaN where it is too
    smooth or was not looked at. ``whole`` is the median of the logarithms at that quality, ``looked`` the
    share of the picture that was looked at, from above."""

    quality: int
    places: Grid
    whole: float
    looked: float

    @property
    def least(self) -> float:
        return float(np.nanmin(self.places))


def examine_ghosts(pixels: Pixels, table: Table) -> Ghosts | None:
    """Of (height, width, 3) pixels and the luminance table that they were stored with; None where too little
    of it has texture, or where no quality is coarse enough beside the table."""
    height = int(pixels.shape[0])
    upper = pixels[: bounded(pixels, MAX_SQUARES)]
    luminance = brightness(upper)
    if min(luminance.shape) < 8 * CELL + 8:
        return None
    squares, between = coefficients(luminance, FREQUENCIES), coefficients(luminance[4:-4, 4:-4], FREQUENCIES)
    free = ~clipped(upper, squares[0].shape)
    if int(free.sum()) < LEAST_SQUARES:
        return None
    changes = _Changes(squares, between, free, table)
    enough = changes.texture >= LEAST_TEXTURE
    if int(enough.sum()) < LEAST_PLACES:
        return None
    best: tuple[float, int, Grid, float] | None = None
    for quality in QUALITIES:
        logs = changes.at(quality)
        if logs is None:
            continue
        middle = float(np.median(logs[enough]))
        spread = 1.4826 * float(np.median(np.abs(logs[enough] - middle)))
        apart = np.where(enough, (logs - middle) / max(spread, _SPREAD), np.nan).astype(np.float32)
        least = float(np.nanmin(apart))
        if best is None or least < best[0]:
            best = (least, quality, apart, middle)
    if best is None:
        return None
    return Ghosts(quality=best[1], places=best[2], whole=best[3], looked=free.shape[0] / (height // 8))


class _Changes:
    """How much places change at each step of each frequency, and would have after one compression."""

    def __init__(
        self, squares: list[Grid], between: list[Grid], free: NDArray[np.bool_], table: Table
    ) -> None:
        self._steps = [table[8 * row + column] for row, column in FREQUENCIES]
        self._seen = [np.rint(s / b) * b for s, b in zip(squares, self._steps, strict=True)]
        self._once = [np.rint(s / b) * b for s, b in zip(between, self._steps, strict=True)]
        self._free = free
        self._known: dict[tuple[int, int], tuple[Grid, Grid]] = {}
        self.texture = over_places(sum((free & (s != 0)).astype(np.float32) for s in self._seen), CELL)

    def at(self, quality: int) -> Grid | None:
        """Logarithms of the ratio of both, of each place."""
        table = standard_table(quality)
        first = [table[8 * row + column] for row, column in FREQUENCIES]
        coarser = [i for i, (a, b) in enumerate(zip(first, self._steps, strict=True)) if a > b]
        if len(coarser) < LEAST_FREQUENCIES:
            return None
        parts = [self._changed(i, first[i]) for i in coarser]
        seen, once = (sum((p[n] for p in parts), np.float32(0)) + _FLOOR for n in (0, 1))
        logs: Grid = np.log(seen / once).astype(np.float32)
        return logs

    def _changed(self, frequency: int, step: int) -> tuple[Grid, Grid]:
        key = (frequency, step)
        if key not in self._known:
            self._known[key] = (
                self._mean(self._seen[frequency], step), self._mean(self._once[frequency], step)
            )  # fmt: skip
        return self._known[key]

    def _mean(self, values: Grid, step: int) -> Grid:
        shares = values / step
        squared = (shares - np.rint(shares)) ** 2
        kept = np.zeros(self._free.shape, np.float32)
        kept[: squared.shape[0], : squared.shape[1]] = squared
        return over_places(np.where(self._free, kept, 0), CELL) / np.float32(CELL * CELL)
