"""Which squares of a picture are pointed at, and a score taken apart into them."""

from __future__ import annotations

from detector.core.errors import NotApplicable
from detector.core.metrics import Array
from detector.models.score_map import ScoreMap, Spot
from detector.pixels.preprocess import even_grid

SQUARE_SIDE = 128
# Bounds the time: as many squares as these cost about twice what the answer itself did.
MAX_SQUARES = 144
MIN_SQUARES = 4


def grid_of(height: int, width: int) -> list[tuple[int, int]]:
    """(y, x) of up to ``MAX_SQUARES`` squares, spread evenly from edge to edge and never overlapping. Raises
    ``NotApplicable`` where there is room for fewer than ``MIN_SQUARES``."""
    rows, columns = height // SQUARE_SIDE, width // SQUARE_SIDE
    if rows * columns < MIN_SQUARES:
        raise NotApplicable(
            f"{width} x {height} pixels have room for fewer than {MIN_SQUARES} squares of {SQUARE_SIDE}, "
            "too few to say where"
        )
    return even_grid(height, width, SQUARE_SIDE, MAX_SQUARES)


def parts_map(logits: Array, height: int, width: int, supports_logit: float) -> ScoreMap:
    """The map of a detector that sees the middle square of a picture as rows and columns of patches.

    ``logits`` (n, n) are what ``ScoreMap`` asks of parts: what the score would be if every patch were like
    that one. The picture has at least n pixels on the shorter side."""
    n, side = len(logits), min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    edges = [round(k * side / n) for k in range(n)]
    squares = tuple(
        Spot(x=left + x, y=top + y, side=side // n, logit=float(logits[i, j]))
        for i, y in enumerate(edges)
        for j, x in enumerate(edges)
    )
    seen = Spot(x=left, y=top, side=side, logit=float(logits.mean()))
    return ScoreMap(
        width=width, height=height, windows=(seen,), squares=squares, smooth=0,
        supports_logit=supports_logit, parts=True,
    )  # fmt: skip
