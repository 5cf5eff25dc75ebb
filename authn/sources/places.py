"""What sources have in common that point to a place of a picture: their evidence, and their drawing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from authn.core.evidence import Finding, HeuristicEvidence, HeuristicOutcome, Question
from authn.core.media import Media
from authn.core.overlay import Layer, Line, cells_of
from authn.sources.pictures import Pictures
from detector.core.errors import NotApplicable
from detector.pixels.decode import Pixels
from detector.pixels.jpeg import Table, luminance_table

MOST_CELLS = 60  # along a side


class OfPixels:
    """A source that looks at the pixels that all sources share."""

    reads_pixels = True

    def __init__(self, pictures: Pictures | None = None) -> None:
        self._pictures = pictures or Pictures()


def luminance_of(media: Media) -> Table:
    """The luminance table of a JPEG. Raises ``NotApplicable`` where there is none to go by."""
    if media.media_type != "image/jpeg":
        raise NotApplicable(f"{media.media_type} is stored in no JPEG squares")
    table = luminance_table(media.data)
    if table is None or min(table) == 0:
        raise NotApplicable("the JPEG has no quantisation table to go by")
    return table


def points(evidence: Sequence[HeuristicEvidence]) -> bool:
    """Whether any of it points to an edit."""
    return any(e.outcome is HeuristicOutcome.SUPPORTS for e in evidence)


def edited(
    detector: str,
    version: str,
    outcome: HeuristicOutcome,
    reason: str,
    *,
    raw: float | None = None,
    findings: tuple[Finding, ...] | None = None,
) -> HeuristicEvidence:
    """Of a signal, towards the question whether it was edited; ``findings`` is None where nothing was looked
    at: there it does not apply."""
    return HeuristicEvidence(
        detector=detector,
        version=version,
        question=Question.EDITED,
        kind="signal",
        outcome=outcome,
        reason=reason,
        applicable=findings is not None,
        raw=raw,
        findings=findings or (),
    )


def where_looked(share: float) -> str:
    """For the end of a sentence: of a picture beyond a bound, that only its upper ``share`` was looked at."""
    return "" if share == 1 else f", in the upper {share:.0%} of the picture, and no more was looked at"


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


def layer_of_mask(mask: NDArray[np.bool_], reduced: float, most: int, lines: Sequence[Line] = ()) -> Layer:
    """Even cells, at most ``most`` along a side, each with its share that is in ``mask`` (height, width),
    of a picture a side of which was ``reduced`` by that factor; ``lines`` in pixels of the picture itself."""
    height, width = mask.shape
    rows, columns = min(height // 2, most), min(width // 2, most)
    y, x = np.arange(rows) * height // rows, np.arange(columns) * width // columns
    covered = np.add.reduceat(np.add.reduceat(mask.astype(np.float64), y, axis=0), x, axis=1)
    shares = covered / (height / rows * width / columns)
    return Layer(
        width=round(width / reduced),
        height=round(height / reduced),
        columns=columns,
        rows=rows,
        cells=cells_of(shares.tolist(), 0.0, 1.0),
        lines=tuple(lines),
    )


def _nearest(cells: int, pixels: int, first: float, between: float, places: int) -> Sequence[int]:
    middles = (np.arange(cells) + 0.5) * pixels / cells
    nearest = np.clip(np.rint((middles - first) / between), 0, places - 1)
    return [int(i) for i in nearest]
