"""A drawing of places that overlap: even cells, each as the place whose middle is nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from authn.core.overlay import Layer, cells_of
from detector.pixels.decode import Pixels

MOST_CELLS = 60  # along a side


def layer_of_places(
    values: NDArray[np.floating], pixels: Pixels, *, first: float, between: float, scale: tuple[float, float]
) -> Layer:
    """``values`` (rows, columns of places), whose middles lie ``first`` pixels from the upper left corner and
    ``between`` pixels from one to the next; NaN stays open. ``scale``: the ends of the drawing."""
    height, width = int(pixels.shape[0]), int(pixels.shape[1])
    down, across = (min(n, MOST_CELLS) for n in values.shape)
    rows = _nearest(down, height, first, between, values.shape[0])
    columns = _nearest(across, width, first, between, values.shape[1])
    drawn = [[float(values[y, x]) for x in columns] for y in rows]
    return Layer(width=width, height=height, columns=across, rows=down, cells=cells_of(drawn, *scale))


def _nearest(cells: int, pixels: int, first: float, between: float, places: int) -> Sequence[int]:
    middles = (np.arange(cells) + 0.5) * pixels / cells
    nearest = np.clip(np.rint((middles - first) / between), 0, places - 1)
    return [int(i) for i in nearest]
