"""Where in a picture a score comes from: the windows it is the mean of, and squares asked one by one.

A window's logit is part of the score. A square's is not: it is what the same network says of a smaller piece,
which nobody calibrated. It is good for pointing at a place and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.core.errors import NotApplicable

SQUARE_SIDE = 128
# Bounds the time: as many squares as these cost about twice what the answer itself did.
MAX_SQUARES = 144
MIN_SQUARES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A square of ``side`` pixels from (x, y), and the log-odds of "generated" that the network gives it."""

    x: int
    y: int
    side: int
    logit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMap:
    """In the pixels of the decoder, before any orientation. The score is the mean of ``windows``.

    ``smooth`` squares hold too little texture to be asked about and are not among ``squares``;
    ``supports_logit`` is the score from which the detector answers.
    """

    width: int
    height: int
    windows: tuple[Spot, ...]
    squares: tuple[Spot, ...]
    smooth: int
    supports_logit: float


def grid_of(height: int, width: int) -> list[tuple[int, int]]:
    """(y, x) of up to ``MAX_SQUARES`` squares, spread evenly from edge to edge and never overlapping. Raises
    ``NotApplicable`` where there is room for fewer than ``MIN_SQUARES``."""
    from detector.pixels.preprocess import (
        even_grid,  # NumPy, which whoever only passes a map on does not need
    )

    rows, columns = height // SQUARE_SIDE, width // SQUARE_SIDE
    if rows * columns < MIN_SQUARES:
        raise NotApplicable(
            f"{width} x {height} pixels have room for fewer than {MIN_SQUARES} squares of {SQUARE_SIDE}, "
            "too few to say where"
        )
    return even_grid(height, width, SQUARE_SIDE, MAX_SQUARES)
