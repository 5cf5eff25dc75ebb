"""Whether a picture was enlarged or reduced: the period that interpolation leaves.

After Popescu and Farid (2005) and, for a fixed predictor, Kirchner (*Fast and reliable resampling detection
by spectral analysis of fixed linear predictor residue*, 2008). Interpolated pixels follow from their
neighbours better than others, at a period that the factor gives. How well each follows is averaged along
rows and columns of overlapping tiles; its spectra, in medians of the frequencies around, are averaged over
tiles. A frequency counts as far as *both* directions have it: patterns in a scene mostly have it in one.

Most pictures were JPEGs before, and the period of their squares is changed with them: the factor is the one
whose comb, at multiples of an eighth of its inverse, stands out most. Frequencies at multiples of 1/8 are
left out, as squares of the last JPEG and the filter of a sensor leave those. So doubling is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.forensics.squares import Grid, brightness
from detector.pixels.decode import Pixels, open_cv2

TILE, STEP = 256, 128
LEAST_SIDE = 512
MAX_PIXELS = 4_000_000  # looked at, from the upper left corner
RESIZED = 4.0  # medians, averaged over tiles, from which a picture was resized
TELLING = 20.0  # medians from which the factor is told
_MOST = 30.0  # medians that one tile may count
_AROUND = 10  # frequencies to either side that a median is taken of
_LEAST_BIN, _MOST_BIN, _OFF = 12, 125, 2
_FALL = 2.0  # grey levels by which a pixel that follows no more is off
_FACTORS = (*np.arange(0.5, 0.97, 0.01), *np.arange(1.04, 2.6, 0.01))
_LEAST_TEETH = 3  # of a comb that count
_PREDICTOR = ((-0.25, 0.5, -0.25), (0.5, 0.0, 0.5), (-0.25, 0.5, -0.25))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """``strength`` in medians, at the ``frequency`` (cycles a pixel) that both directions have most, and the
    ``factor`` whose comb fits best, None below ``TELLING``; ``tiles`` (rows, columns) is the strength of each
    tile there, and ``looked`` the share of the picture that was looked at."""

    strength: float
    frequency: float
    factor: float | None
    tiles: Grid
    looked: float

    @property
    def resized(self) -> bool:
        return self.strength >= RESIZED


def examine_resampling(pixels: Pixels) -> Resampling:
    """Of (height, width, 3) pixels. Raises ``NotApplicable`` for less than ``LEAST_SIDE`` on a side, and for
    a picture without texture."""
    height, width = int(pixels.shape[0]), int(pixels.shape[1])
    if min(height, width) < LEAST_SIDE:
        raise NotApplicable(f"{width} x {height} pixels: traces of resizing need {LEAST_SIDE} on each side")
    rows = min(height, max(LEAST_SIDE, MAX_PIXELS // width))
    columns = min(width, MAX_PIXELS // LEAST_SIDE)
    cv2 = open_cv2()
    values = brightness(pixels[:rows, :columns]).astype(np.float32)
    off = np.abs(values - cv2.filter2D(values, -1, np.array(_PREDICTOR, np.float32)))
    if float((off > 0).mean()) < 0.1:
        raise NotApplicable(
            "the picture is too flat, or too strictly drawn, for traces of resizing to be seen"
        )
    powers = _powers(np.exp(-off / _FALL))
    both = np.where(_counted(), np.minimum(powers, _MOST).mean(axis=(0, 1)).min(axis=0), 0.0)
    at = int(both.argmax())
    return Resampling(
        strength=float(both[at]),
        frequency=at / TILE,
        factor=_factor(both) if both[at] >= TELLING else None,
        tiles=powers[:, :, :, at].min(axis=2).astype(np.float32),
        looked=rows * columns / (height * width),
    )


def _counted() -> NDArray[np.bool_]:
    bins = np.arange(TILE // 2 + 1)
    eighths = TILE // 8
    off = np.abs((bins + eighths // 2) % eighths - eighths // 2) > _OFF
    counted: NDArray[np.bool_] = (bins >= _LEAST_BIN) & (bins <= _MOST_BIN) & off
    return counted


def _factor(both: NDArray[np.float64]) -> float:
    logs = np.log(np.maximum(both, 1))
    near = np.maximum(logs, np.maximum(np.roll(logs, 1), np.roll(logs, -1)))
    counted, best = _counted(), (0.0, 1.0)
    for factor in _FACTORS:
        comb = np.arange(1, 9) / (8 * factor)
        bins = np.unique(np.rint(np.abs(comb - np.rint(comb)) * TILE).astype(int))
        bins = bins[counted[bins]]
        if len(bins) >= _LEAST_TEETH:
            best = max(best, (float(near[bins].sum() / np.sqrt(len(bins))), float(factor)))
    return round(best[1], 2)


def _powers(follows: Grid) -> NDArray[np.float64]:
    """(rows, columns of tiles, direction, frequency), in medians of the frequencies around."""
    tops = range(0, follows.shape[0] - TILE + 1, STEP)
    lefts = range(0, follows.shape[1] - TILE + 1, STEP)
    window = np.hanning(TILE)
    spectra = np.empty((len(tops), len(lefts), 2, TILE // 2 + 1))
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            tile = follows[top : top + TILE, left : left + TILE]
            for axis in (0, 1):
                means = tile.mean(axis=axis)
                spectra[i, j, axis] = np.abs(np.fft.rfft((means - means.mean()) * window)) ** 2
    spectra += 1e-12
    padded = np.pad(spectra, ((0, 0), (0, 0), (0, 0), (_AROUND, _AROUND)), mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1, axis=3)
    powers: NDArray[np.float64] = spectra / np.median(around, axis=4)
    return powers
