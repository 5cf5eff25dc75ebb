"""What the traces of JPEG have in common: the cosines of its squares of 8 x 8 pixels, its brightness, and
which squares are clipped."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from detector.pixels.decode import Pixels, open_cv2

Grid = NDArray[np.float32]


@cache
def cosines() -> Grid:
    """The DCT of eight values (T.81, A.3.3) as a matrix."""
    n = np.arange(8)
    rows = [np.cos((2 * n + 1) * k * np.pi / 16) * np.sqrt((1 if k == 0 else 2) / 8) for k in range(8)]
    return np.array(rows, np.float32)


def brightness(pixels: Pixels) -> NDArray[np.uint8]:
    """Y of JFIF, rounded: (height, width)."""
    cv2 = open_cv2()
    luminance: NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)[:, :, 0]
    return luminance


def coefficients(luminance: NDArray[np.uint8], frequencies: tuple[tuple[int, int], ...]) -> list[Grid]:
    """Of each frequency (row, column), (rows, columns) of squares."""
    rows, columns = luminance.shape[0] // 8, luminance.shape[1] // 8
    cut = luminance[: 8 * rows, : 8 * columns].astype(np.float32).reshape(rows, 8, columns, 8)
    down = {v: np.tensordot(cut, cosines()[v], axes=(1, 0)) for v in {row for row, _ in frequencies}}
    return [down[row] @ cosines()[column] for row, column in frequencies]


def clipped(pixels: Pixels, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Squares with a pixel at either end of a channel: there the coefficients are not what was stored."""
    rows, columns = shape
    cut = pixels[: 8 * rows, : 8 * columns]
    at_end = ((cut == 0) | (cut == 255)).any(axis=2)
    squares: NDArray[np.bool_] = at_end.reshape(rows, 8, columns, 8).any(axis=(1, 3))
    return squares


def over_places(values: Grid, side: int) -> Grid:
    """Sums over places of ``side`` squares that overlap by half; those at the right and lower edge may be cut
    off by it."""
    cv2, half = open_cv2(), side // 2
    sums = cv2.boxFilter(values, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    places: Grid = sums[half::half, half::half]
    return places


def bounded(pixels: Pixels, most: int) -> int:
    """Rows of pixels, whole squares of them, that make no more than ``most`` squares."""
    down, across = int(pixels.shape[0]) // 8, max(1, int(pixels.shape[1]) // 8)
    return 8 * max(1, min(down, most // across))
