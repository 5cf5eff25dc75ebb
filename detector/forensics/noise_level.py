"""How much noise each cell of a picture has, beside what cells as bright and as detailed have in it.

After Immerkaer (*Fast noise variance estimation*, 1996), and for noise as a function of brightness Liu et al.
(*Noise estimation from a single image*, 2006): a mask that lets no plane and no edge along an axis through,
and the median of what is left, in small cells. Its logarithm is explained by the brightness of a cell and by
how much coarser detail it has, robustly and for all cells of the picture at once: its own curve.

A sensor gives a picture one curve, and little else does: cameras smooth a sky more than a face, lenses blur
what is out of focus, and JPEG takes the noise of calm cells away. So it is drawn as a view, and no answer is
made of it (``tests/bench/noise_level.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.logistic import solve_ridge
from detector.forensics.squares import Grid, brightness
from detector.pixels.decode import Pixels, open_cv2

CELL = 16  # pixels
LEAST_CELLS = 150  # free ones: with fewer the median stands for the curve
_FLOOR = 0.25  # levels, added before the logarithm: less is what rounding makes
_MASK = ((1, -2, 1), (-2, 4, -2), (1, -2, 1))
_TO_DEVIATION = 1 / (6 * 0.6745)  # of a deviation of 1 the mask makes 6, and a median of sizes .6745
_DARK, _BURNT, _MOST_CLIPPED = 4, 251, 0.05  # levels, and the share of such pixels that a cell may have
_ROUNDS, _FAR = 8, 1.5  # of the fit, and the deviations from which a cell counts for less
_LEAST_PENALTY = 1e-4  # of what no cell differs in
_COARSE = 1.5  # pixels of blur, after which most of what is left is detail and no noise
_OF_NOISE = 0.13  # levels a pixel that white noise of one level leaves in slopes after it
_LEAST_SLOPE = 0.3  # levels a pixel


def noise_left(pixels: Pixels) -> Grid:
    """Of (height, width, 3) pixels the natural logarithm of the noise of each cell by what the curve gives,
    (rows, columns) of ``CELL`` pixels; NaN where black or burnt-out pixels are. Cells at the right and lower
    edge that are not whole are left out."""
    cv2 = open_cv2()
    grey = brightness(pixels)
    rows, columns = grey.shape[0] // CELL, grey.shape[1] // CELL
    grey = np.ascontiguousarray(grey[: rows * CELL, : columns * CELL])
    if grey.size == 0:
        return np.zeros((rows, columns), np.float32)
    values = grey.astype(np.float32)
    sizes = np.abs(cv2.filter2D(values, -1, np.array(_MASK, np.float32)))
    noise = np.median(_in_cells(sizes), axis=2) * _TO_DEVIATION
    clipped = _in_cells(((grey < _DARK) | (grey > _BURNT)).astype(np.float32)).mean(axis=2)
    calm = cv2.GaussianBlur(values, (0, 0), _COARSE)
    across, down = (cv2.Sobel(calm, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    slopes = _in_cells(cv2.magnitude(across, down)).mean(axis=2) - _OF_NOISE * noise
    terms = _terms(_in_cells(values).mean(axis=2) / 128 - 1, np.log(np.maximum(slopes, 0) + _LEAST_SLOPE))
    left: Grid = np.full((rows, columns), np.nan, np.float32)
    free = clipped <= _MOST_CLIPPED
    if free.any():
        left[free] = _off_the_curve(terms[free], np.log(noise[free] + _FLOOR))
    return left


def _in_cells(values: NDArray[Any]) -> NDArray[Any]:
    """(rows, columns, pixels of a cell)."""
    rows, columns = values.shape[0] // CELL, values.shape[1] // CELL
    cut = values.reshape(rows, CELL, columns, CELL).swapaxes(1, 2)
    return cut.reshape(rows, columns, CELL * CELL)


def _terms(light: Grid, slopes: Grid) -> NDArray[np.float64]:
    """What the curve is made of: (rows, columns, terms)."""
    one = np.ones_like(light)
    powers = [one, light, light**2, light**3, slopes, slopes**2, slopes**3, light * slopes]
    return np.stack(powers, axis=-1).astype(np.float64)


def _off_the_curve(terms: NDArray[np.float64], logs: NDArray[np.floating]) -> NDArray[np.float64]:
    if len(logs) < LEAST_CELLS:
        return np.asarray(logs - np.median(logs), np.float64)
    weights, penalty = np.ones(len(logs)), np.full(terms.shape[1], _LEAST_PENALTY)
    off: NDArray[np.float64] = np.zeros(len(logs))
    for _ in range(_ROUNDS):
        weighted = terms.T * weights
        off = np.asarray(logs - terms @ solve_ridge(weighted @ terms, weighted @ logs, penalty), np.float64)
        spread = max(1.4826 * float(np.median(np.abs(off))), 1e-3)
        weights = 1 / np.maximum(1, (off / (_FAR * spread)) ** 2)
    return off
