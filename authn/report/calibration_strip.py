"""Where a score lies among those of known pictures: counts that came with the model, and nothing invented.

A model without such counts gets no strip. Pictures that no generator made lie above the line, generated ones
below it, each as a share of its own number, so that neither looks larger for having been counted more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from authn.report.cards import Document
from authn.report.language import count, number, t
from detector.core.errors import ModelUnavailable
from detector.models.histogram import Scores, open_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """SVG paths in a box of 100 by 40; ``dot``: this file, ``low``, ``high``: its band over re-encodings.
    ``above`` and ``below`` are the heights of the bars, 0 to 1, of real and of generated pictures."""

    above: tuple[float, ...]
    below: tuple[float, ...]
    photos: str
    generated: str
    dot: float
    low: float | None
    high: float | None
    first: str
    last: str
    score: str
    alt: str
    caption: str


def histogram_of(detector: Document) -> Histogram | None:
    """None where there is no score, or nothing was counted with the very weights that gave it."""
    raw = detector["raw"]
    if detector["kind"] != "learned" or raw is None or not math.isfinite(raw):
        return None
    try:
        scores = open_scores(detector["id"])
    except ModelUnavailable:
        return None
    if scores.weights_sha256 != detector["model_sha256"]:
        return None
    return _drawn(scores, detector, raw)


def _drawn(scores: Scores, detector: Document, raw: float) -> Histogram:
    kind = (detector.get("read_as") or {}).get("kind")
    known = scores.real.get(kind or "", ())
    kind, real = (kind, known) if kind and sum(known) else ("any", scores.all_real())
    first, last = scores.low, scores.low + scores.step * len(real)

    def at(value: float) -> float:
        return round(100 * (min(last, max(first, value)) - first) / (last - first), 2)

    band = detector["stability"]
    kinds = t(f"hist.kinds.{kind}")
    return Histogram(
        above=_heights(real),
        below=_heights(scores.generated),
        photos=_bars(_heights(real), up=True),
        generated=_bars(_heights(scores.generated), up=False),
        dot=at(raw),
        low=None if band is None else at(min(band["min"], raw)),
        high=None if band is None else at(max(band["max"], raw)),
        first=number(first),
        last=number(last),
        score=number(raw),
        alt=t(
            "hist.alt",
            photos=count(sum(real)),
            kinds=kinds,
            generated=count(sum(scores.generated)),
            higher_photos=_higher(scores, real, raw),
            higher_generated=_higher(scores, scores.generated, raw),
        ),
        caption=t("hist.caption", above=t(f"hist.above.{kind}")),
    )


def _heights(counts: tuple[int, ...]) -> tuple[float, ...]:
    highest = max(counts, default=0) or 1
    return tuple(round(n / highest, 4) for n in counts)


def _bars(heights: tuple[float, ...], *, up: bool) -> str:
    wide, sign = 100 / max(len(heights), 1), "-" if up else ""
    return "".join(
        f"M{i * wide:.2f} 20v{sign}{18 * n:.2f}h{wide:.2f}V20z" for i, n in enumerate(heights) if n
    )


def _higher(scores: Scores, counts: tuple[int, ...], raw: float) -> str:
    """Per cent of them in the bin of this score or above: whole pictures, as they were counted."""
    at = min(len(counts) - 1, max(0, math.floor((raw - scores.low) / scores.step)))
    share = 100 * sum(counts[at:]) / max(1, sum(counts))
    return number(share, ".0f") if share >= 10 else number(share, ".1f")
