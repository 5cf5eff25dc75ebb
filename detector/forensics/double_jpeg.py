"""Whether a JPEG was a JPEG before, on the same grid, and where it was not.

Compressing twice leaves a comb in the histograms of the DCT coefficients (Lin et al. 2009; Bianchi and Piva
2012): values that the first quantisation did not produce are rare. For each frequency the histogram that one
compression gives is estimated from the same picture cut by half a square, which has no grid of its own; the
one that two give, by quantising that one first with each step that comes into question. Squares whose values
the comb forbids were compressed once: pasted, painted over, or brought off the grid.

Bounded: of a larger picture the upper ``MAX_SQUARES`` are looked at. The coefficients are computed from the
pixels that everybody shares, and rounding them may be off by one where the last quantisation was fine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.forensics.squares import Grid, bounded, brightness, clipped, coefficients, over_places
from detector.pixels.decode import Pixels
from detector.pixels.jpeg import Table

FREQUENCIES = ((0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1))  # (row, column)
FIRST_STEPS = range(2, 25)
LEAST_SQUARES = 500  # unclipped: of fewer a histogram says little
MAX_SQUARES = 200_000  # 12.8 megapixels
TWICE = 0.5  # nats a square, over all frequencies, from which the picture was compressed twice
LEAST_GAIN = 0.004  # nats a square of one frequency: with less it has no part in the map
CELL = 12  # squares: the side of what is looked at as one place
LEAST_TEXTURE = 100  # coefficients that are not 0 in a place
_SPAN = 48  # values of a histogram to either side
_SAMPLES = 6_000
_NOISE = 0.5  # grey levels of rounding between the two compressions, as a coefficient has it
_SHARES = (0.6, 0.85, 0.97)  # of the picture that was compressed twice
_CLIP = 3.0  # nats that one coefficient may count at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Comb:
    """One frequency: the step of the file, the first one that fits best (0: none), and by how many nats a
    square two compressions explain the histogram better than one."""

    row: int
    column: int
    step: int
    first_step: int
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleJpeg:
    """``gain`` is the sum over frequencies. ``places`` (rows, columns of ``CELL``-wide places, overlapping by
    half) is how far each fits two compressions better than one, in nats over the root of its coefficients
    that are not 0; NaN where it is too smooth, or was not looked at. ``looked`` is the share of the picture
    that was, from above, and ``clipped`` the share of squares left out of that."""

    combs: tuple[Comb, ...]
    gain: float
    places: Grid
    looked: float
    clipped: float

    @property
    def twice(self) -> bool:
        return self.gain >= TWICE

    @property
    def least(self) -> float | None:
        """Of the place that fits least; None where all are too smooth."""
        return float(np.nanmin(self.places)) if np.isfinite(self.places).any() else None


def examine_double(pixels: Pixels, table: Table) -> DoubleJpeg | None:
    """Of (height, width, 3) pixels and the luminance table that they were stored with; None where fewer than
    ``LEAST_SQUARES`` squares are free of clipped pixels."""
    height = int(pixels.shape[0])
    pixels = pixels[: bounded(pixels, MAX_SQUARES)]
    luminance = brightness(pixels)
    squares = coefficients(luminance, FREQUENCIES)
    free = ~clipped(pixels, squares[0].shape)
    count = int(free.sum())
    between = coefficients(luminance[4:-4, 4:-4], FREQUENCIES) if count >= LEAST_SQUARES else []
    if not between or between[0].size < LEAST_SQUARES:
        return None
    fit = np.zeros(free.shape, np.float32)
    texture = np.zeros(free.shape, np.float32)
    combs = []
    for i, (row, column) in enumerate(FREQUENCIES):
        step = table[8 * row + column]
        values = np.clip(np.rint(squares[i] / step), -_SPAN, _SPAN).astype(np.int32)
        first, gain, ratio = _fitted(values[free], between[i], step)
        combs.append(Comb(row=row, column=column, step=step, first_step=first, gain=gain))
        if gain >= LEAST_GAIN:
            logs = np.clip(np.log(ratio), -_CLIP, _CLIP)
            logs[_SPAN] = 0  # of what is 0 both compressions give about as much
            fit += np.where(free, logs[values + _SPAN], 0).astype(np.float32)
            texture += free & (values != 0)
    below = ((0, height // 8 - free.shape[0]), (0, 0))
    return DoubleJpeg(
        combs=tuple(combs),
        gain=sum(c.gain for c in combs),
        places=_places(np.pad(fit, below), np.pad(texture, below)),
        looked=free.shape[0] / (height // 8),
        clipped=1 - count / free.size,
    )


def _fitted(values: NDArray[np.int32], between: Grid, step: int) -> tuple[int, float, NDArray[np.float64]]:
    """The first step that explains the values best, its gain, and how much likelier it makes each value."""
    seen = np.bincount(values + _SPAN, minlength=2 * _SPAN + 1)
    every = between.ravel()[:: max(1, between.size // _SAMPLES)][:_SAMPLES]
    noise = np.random.default_rng(0).normal(0, _NOISE, every.size)  # the same each time
    samples, noise = np.concatenate([every, -every]), np.concatenate([noise, noise])
    once = _histogram(samples, step)
    best: tuple[int, float, NDArray[np.float64]] = (0, 0.0, np.ones_like(once))
    for first in FIRST_STEPS:
        if first == step:
            continue
        ratio = _histogram(np.rint(samples / first) * first + noise, step) / once
        for share in _SHARES:
            gain = float(seen @ np.log(share * ratio + 1 - share)) / len(values)
            if gain > best[1]:
                best = (first, gain, ratio)
    return best


def _histogram(samples: NDArray[np.floating], step: int) -> NDArray[np.float64]:
    """Shares of the quantised values, none of them 0."""
    values = np.clip(np.rint(samples / step), -_SPAN, _SPAN).astype(np.int32)
    counts = (
        np.bincount(values + _SPAN, minlength=2 * _SPAN + 1) + 0.5 + 0.002 * len(samples) / (2 * _SPAN + 1)
    )
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _places(fit: Grid, texture: Grid) -> Grid:
    fits, textures = over_places(fit, CELL), over_places(texture, CELL)
    with np.errstate(invalid="ignore", divide="ignore"):
        places: Grid = np.where(textures >= LEAST_TEXTURE, fits / np.sqrt(textures), np.nan)
    return places.astype(np.float32)
