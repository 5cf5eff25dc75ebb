"""Where a drawing over a picture is low."""

from __future__ import annotations

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
