"""Where a drawing over a picture is low or high."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from authn.core.overlay import UNMEASURED, Layer


def low_within(layer: Layer, least: int, box: tuple[int, int, int, int], margin: int) -> bool:
    """Whether some cells are at most ``least``, and all those lie in the box (left, top, right, bottom)."""
    left, top, right, bottom = box
    low = [i for i, c in enumerate(layer.cells) if c != UNMEASURED and int(c) <= least]
    across, down = layer.width / layer.columns, layer.height / layer.rows
    middles = [((i % layer.columns + 0.5) * across, (i // layer.columns + 0.5) * down) for i in low]
    return bool(low) and all(
        left - margin < x < right + margin and top - margin < y < bottom + margin for x, y in middles
    )


def nowhere_below(layer: Layer | None, least: int) -> bool:
    """Whether there is a drawing, and all its cells that are not open are at least ``least``."""
    return layer is not None and all(c == UNMEASURED or int(c) >= least for c in layer.cells)


def high_around(layer: Layer, places: Sequence[tuple[float, float]], reach: float) -> bool:
    """Whether cells in the upper half of the scale lie around every one of these (x, y), and around no other
    place."""
    across, down = layer.width / layer.columns, layer.height / layer.rows
    high = [i for i, c in enumerate(layer.cells) if c in "6789"]
    middles = [((i % layer.columns + 0.5) * across, (i // layer.columns + 0.5) * down) for i in high]
    near = [[hypot(x - a, y - b) < reach for x, y in middles] for a, b in places]
    return all(any(of) for of in near) and all(any(of) for of in zip(*near, strict=True))
