"""Which crops of a picture are looked at, at native resolution; the same for training, evaluation, service.

Resizing would destroy the traces that the network looks for, so a picture is never resized here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import NotApplicable
from detector.pixels.decode import Pixels, open_cv2

MIN_SIDE = 128
CROP_SIDE = 256
MAX_CROPS = 5
MIN_TEXTURE = 0.6  # mean absolute Laplacian in grey levels; below it a crop is flat and holds no trace
_MAX_CANDIDATES = 64


def crops_of(pixels: Pixels, *, max_crops: int = MAX_CROPS) -> NDArray[np.uint8]:
    """Up to ``max_crops`` square crops (n, side, side, 3), spread from the richest texture to the poorest
    that is not flat. Raises ``NotApplicable`` for pictures that are too small, monochrome or flat
    everywhere."""
    side, places = windows_of(pixels, max_crops=max_crops)
    crops = np.stack([pixels[y : y + side, x : x + side] for y, x in places])
    if _monochrome(crops):
        raise NotApplicable("the picture is monochrome; the detector was calibrated on colour")
    return crops


def windows_of(pixels: Pixels, *, max_crops: int = MAX_CROPS) -> tuple[int, list[tuple[int, int]]]:
    """Side and corners (y, x) of what ``crops_of`` cuts. Raises ``NotApplicable`` for pictures that are too
    small or flat everywhere."""
    height, width = pixels.shape[:2]
    side = min(height, width, CROP_SIDE)
    if side < MIN_SIDE:
        raise NotApplicable(f"{width} x {height} pixels; the shorter side must have {MIN_SIDE}")
    places = even_grid(height, width, side, _MAX_CANDIDATES)
    texture = np.array([texture_of(pixels[y : y + side, x : x + side]) for y, x in places])
    usable = np.flatnonzero(texture >= MIN_TEXTURE)
    if usable.size == 0:
        raise NotApplicable("the picture is flat: no crop of it holds enough texture")
    ranked = usable[np.argsort(-texture[usable], kind="stable")]
    even = np.linspace(0, len(ranked) - 1, max_crops).round().astype(int)
    picked = ranked[sorted(set(even.tolist()))]  # np.unique would load a library that nothing else needs
    return side, [places[i] for i in picked]


def texture_of(pixels: Pixels) -> float:
    """Mean absolute Laplacian of the green channel."""
    cv2 = open_cv2()
    edges = cv2.Laplacian(cv2.extractChannel(pixels, 1), cv2.CV_16S)
    return float(cv2.norm(edges, cv2.NORM_L1) / edges.size)


def even_grid(height: int, width: int, side: int, most: int) -> list[tuple[int, int]]:
    """(y, x) of up to ``most`` squares, spread evenly from edge to edge, never overlapping; one stands in the
    middle. ``side`` is at most the shorter side of the picture."""
    rows, columns = height // side, width // side
    while rows * columns > most:
        rows, columns = max(1, rows - (rows >= columns)), max(1, columns - (columns > rows))
    ys, xs = _spread(height - side, rows), _spread(width - side, columns)
    return [(y, x) for y in ys for x in xs]


def _spread(room: int, count: int) -> list[int]:
    return [int(v) for v in np.linspace(0, room, count)] if count > 1 else [room // 2]


def _monochrome(crops: NDArray[np.uint8]) -> bool:
    red, green, blue = (
        crops[..., c] for c in range(3)
    )  # a reduction over so short an axis takes ten times as long
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return bool((spread > 6).mean() < 0.01)


def quarter(sheet: Pixels, which: int) -> Pixels:
    """Of a sheet of four independent pictures, two by two, the one numbered 0 to 3 from the upper left."""
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 2
    y, x = which // 2 * height, which % 2 * width
    return np.ascontiguousarray(sheet[y : y + height, x : x + width])
