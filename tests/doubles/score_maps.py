"""A map as the shipped detector makes one, in numbers that a test can count."""

from __future__ import annotations

from dataclasses import replace

from authn.core.evidence import HeuristicOutcome
from authn.core.report import Report
from authn.core.score_map import Reference, ScoreMap
from detector.models.score_map import Spot
from tests.doubles.reports import LEARNED, contradicting_report

POINT = 1.5


def score_map(*, columns: int = 4, rows: int = 3, strong: int = 2, weak: int = 3) -> ScoreMap:
    """A grid of squares: the first ``strong`` ones large discs, then ``weak`` small ones, the rest dashes."""
    logits = [2.5] * strong + [0.5] * weak + [-1.0] * (rows * columns - strong - weak)
    places = [(128 * x, 128 * y) for y in range(rows) for x in range(columns)]
    return ScoreMap(
        detector=LEARNED.detector,
        model_sha256=LEARNED.model_sha256 or "",
        width=128 * columns,
        height=128 * rows,
        point=POINT,
        smooth=1,
        windows=(Spot(x=0, y=0, side=256, logit=3.0), Spot(x=256, y=0, side=256, logit=2.0)),
        squares=tuple(
            Spot(x=x, y=y, side=128, logit=logit) for (x, y), logit in zip(places, logits, strict=True)
        ),
    )


def reference(*, strong: int = 1) -> Reference:
    """What is kept beside it: the shipped photo with so many large discs."""
    made = score_map(columns=6, rows=3, strong=strong, weak=2)
    return Reference(
        width=made.width, height=made.height, smooth=0, windows=made.windows, squares=made.squares
    )


def learned_report(outcome: HeuristicOutcome = HeuristicOutcome.SUPPORTS) -> Report:
    """The sample with a contradiction; its learned detector answers ``outcome``."""
    base = contradicting_report()
    guesses = tuple(replace(h, outcome=outcome) if h.kind == "learned" else h for h in base.heuristic)
    return replace(base, heuristic=guesses)
