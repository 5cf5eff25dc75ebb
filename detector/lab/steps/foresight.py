"""Whether the sources of a kind foretell the next one.

A point keeps every source that set it at the goal. Whether it would have kept one that did not set it, too,
is seen where that source is left out. A kind in which a source of ``SOURCE_PICTURES`` passes the goal by more
than one picture then gets no "supports" (docs/decisions/0042): the sources at hand are too unlike each other.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from detector.lab.steps.certify import SOURCE_PICTURES
from detector.lab.steps.judge_table import Seen
from detector.models.guarantees import GOAL
from detector.models.kinds import Kind
from detector.models.score import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Unforeseen:
    """``false`` of the ``pictures`` of a source that are of the kind get "supports" in a view, by points that
    were set without that source."""

    kind: Kind | None
    source: str
    view: str
    pictures: int
    false: int


def unforeseen(seen: Seen) -> tuple[Unforeseen, ...]:
    """Real pictures count where they are of a kind, and where nobody said, where they are taken for it."""
    sizes: Counter[tuple[Kind | None, str, str]] = Counter()
    false: Counter[tuple[Kind | None, str, str]] = Counter()
    for row, kind, answer in zip(seen.table.rows, seen.table.groups, seen.answers, strict=True):
        if not row.fake:
            key = (row.kind or kind, row.source, row.view)
            sizes[key] += 1
            false[key] += int(answer == Answer.SUPPORTS)
    return tuple(
        Unforeseen(kind=kind, source=source, view=view, pictures=n, false=false[kind, source, view])
        for (kind, source, view), n in sizes.items()
        if n >= SOURCE_PICTURES and false[kind, source, view] > math.floor(GOAL * n) + 1
    )
