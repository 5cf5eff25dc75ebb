"""A calibrated likelihood ratio in words: its number, its calibration, and a verbal equivalent.

Used only where a ratio carries its calibration. The word is for the cautious end of the interval, so that a
wide interval can never sound strong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authn.core.evidence import Question
from authn.report.language import count, number, t
from authn.report.wording import QUESTION_TITLES

# ENFSI guideline for evaluative reporting (2015), table of verbal equivalents; the bounds are log10.
_VERBAL = (
    (4.0, "very_strong"),
    (3.0, "strong"),
    (2.0, "moderately_strong"),
    (1.0, "moderate"),
    (0.301, "weak"),
)


def verbal_support(low: float, high: float) -> str | None:
    """The verbal equivalent of the cautious end of a log10 interval; None where that is less than twice."""
    if low <= 0 <= high:
        return None
    cautious = min(abs(low), abs(high))
    return next((t(f"verbal.{word}") for bound, word in _VERBAL if cautious >= bound), None)


def ratio_sentence(question: Question, log10: float, low: float, high: float, items: int) -> str:
    """A calibrated likelihood ratio in words, with its number and the size of its calibration."""
    word = verbal_support(low, high)
    way = "more" if log10 >= 0 else "less"
    seen = t(f"ratio.{way}", times=_times(abs(log10)), kind=QUESTION_TITLES[question])
    if word is None:
        why = t("ratio.either" if low <= 0 <= high else "ratio.small")
        return t("ratio.nothing", seen=seen, why=why, items=count(items))
    return t(f"ratio.{way}.support", seen=seen, word=word, items=count(items))


def stability_sentence(variants: int, flips: int) -> str:
    """What happened to the answer when the same picture was encoded again."""
    if flips:
        return t("stability.flipped", flips=flips, variants=variants)
    return t("stability.same", variants=variants)


def band_sentence(detector: Mapping[str, Any]) -> str:
    """The range of the score over re-encodings. Where the ratio is given the condition of the file, it takes
    no answer back; in a report of a detector without guarantees it did."""
    s = detector["stability"]
    if detector.get("read_as") is None:
        return stability_sentence(s["variants"], s["flips"])
    low, high = number(s["min"]), number(s["max"])
    key = "band.once" if s["variants"] == 1 else "band.several"
    said = t(key, variants=s["variants"], low=low, high=high)
    return t("band.other", said=said, flips=s["flips"]) if s["flips"] else t("band.same", said=said)


def _times(log10: float) -> str:
    value = 10 ** min(log10, 9.0)
    return number(value, ".1f") if value < 10 else count(int(float(f"{value:.2g}")))
