"""From a score table to the counts that a report draws a score among (``detector.models.histogram``)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from detector.core.errors import CorpusError
from detector.core.files import read_file
from detector.lab.steps.scores import STORED, ScoreRow, read_scores
from detector.models.histogram import Scores

STEP = 0.5


def histogram_of(table: Path, model_id: str, weights_sha256: str, view: str = STORED) -> Scores:
    """Counts of one view of a table. Raises ``CorpusError`` for a table without pictures of both kinds."""
    rows = [r for r in read_scores(table) if r.view == view]
    if len({r.fake for r in rows}) != 2:
        raise CorpusError(f"{table.name} has no real or no generated pictures in the view {view}")
    low = STEP * math.floor(min(r.logit for r in rows) / STEP)
    bins = math.floor((max(r.logit for r in rows) - low) / STEP) + 1
    kinds = sorted({r.kind.value if r.kind else "" for r in rows if not r.fake})
    return Scores(
        model_id=model_id,
        weights_sha256=weights_sha256,
        table_sha256=hashlib.sha256(read_file(table, table.name)).hexdigest(),
        view=view,
        low=low,
        step=STEP,
        real={
            k: _counted([r for r in rows if not r.fake and (r.kind.value if r.kind else "") == k], low, bins)
            for k in kinds
        },
        generated=_counted([r for r in rows if r.fake], low, bins),
    )


def _counted(rows: Sequence[ScoreRow], low: float, bins: int) -> tuple[int, ...]:
    counts = [0] * bins
    for r in rows:
        counts[math.floor((r.logit - low) / STEP)] += 1
    return tuple(counts)
