"""Regions of photos at native resolution, and mosaics of small pictures that are as large as a region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.pixels.augment import resize
from detector.pixels.decode import Pixels
from detector.pixels.preprocess import MIN_TEXTURE, texture_of

REGION_SIDE = 256

Pictures = NDArray[np.uint8]  # (n, side, side, 3)
Make = Callable[[Pixels], Pixels]  # a fake of the same content as a region


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """Small pictures of one family, uint8 (n, side, side, 3), and the real ones that stand beside them: those
    they were made from, or others of the same photos."""

    family: str
    fake: Pictures
    real: Pictures


def sizes_of(pixels: Pixels, rng: np.random.Generator) -> list[Pixels]:
    """The picture, and smaller ones of it that still hold a region: shrinking removes its JPEG history."""
    out = [pixels]
    for scale in (0.5, 0.33, 0.25, 0.18):
        exact = scale * float(rng.uniform(0.85, 1.15))
        kernel = str(rng.choice(["area", "cubic", "lanczos", "linear"]))
        if min(pixels.shape[:2]) * exact >= REGION_SIDE + 44:
            out.append(resize(pixels, exact, kernel))
    return out


def halve(pixels: Pixels) -> Pixels:
    """Half the size, or as near to it as leaves a region."""
    return resize(pixels, max(0.5, (REGION_SIDE + 0.5) / min(pixels.shape[:2])), "area")


def random_regions(pixels: Pixels, count: int, rng: np.random.Generator) -> list[Pixels]:
    """Up to ``count`` regions with texture, at random places; none from a picture that is too small."""
    height, width = pixels.shape[:2]
    if min(height, width) < REGION_SIDE:
        return []
    out: list[Pixels] = []
    for _ in range(3 * count):
        y, x = rng.integers(height - REGION_SIDE + 1), rng.integers(width - REGION_SIDE + 1)
        region = pixels[y : y + REGION_SIDE, x : x + REGION_SIDE]
        if texture_of(region) >= MIN_TEXTURE:
            out.append(np.ascontiguousarray(region))
        if len(out) == count:
            break
    return out


def mosaics(tiles: Pictures) -> list[Pixels]:
    """As many whole mosaics as the tiles fill, row by row in the order they come in."""
    side = tiles.shape[1]
    across = REGION_SIDE // side
    count = len(tiles) // across**2
    grid = tiles[: count * across**2].reshape(count, across, across, side, side, 3)
    joined = grid.transpose(0, 1, 3, 2, 4, 5).reshape(count, across * side, across * side, 3)
    return list(np.ascontiguousarray(joined))
