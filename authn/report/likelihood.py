"""A calibrated likelihood ratio in words: its number, its calibration, and a verbal equivalent.

Used only where a ratio carries its calibration. The word is for the cautious end of the interval, so that a
wide interval can never sound strong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authn.core.evidence import Question
from authn.report.wording import QUESTION_TITLES

# ENFSI guideline for evaluative reporting (2015), table of verbal equivalents; the bounds are log10.
_VERBAL = (
    (4.0, "very strong"),
    (3.0, "strong"),
    (2.0, "moderately strong"),
    (1.0, "moderate"),
    (0.301, "weak"),
)


def verbal_support(low: float, high: float) -> str | None:
    """The verbal equivalent of the cautious end of a log10 interval; None where that is less than twice."""
    if low <= 0 <= high:
        return None
    cautious = min(abs(low), abs(high))
    return next((word for bound, word in _VERBAL if cautious >= bound), None)


def ratio_sentence(question: Question, log10: float, low: float, high: float, items: int) -> str:
    """A calibrated likelihood ratio in words, with its number and the size of its calibration."""
    times = _times(abs(log10))
    word = verbal_support(low, high)
    which = "more" if log10 >= 0 else "less"
    on = f"on pictures {QUESTION_TITLES[question]} than on others"
    said = f"A score like this is about {times} times {which} often seen {on}"
    if word is None:
        why = "the interval allows either" if low <= 0 <= high else "its cautious end is below twice"
        return f"{said}; {why}, so it supports nothing (calibrated on {items} pictures)."
    if log10 >= 0:
        return f"{said}: {word} support (calibrated on {items} pictures)."
    return f"{said}: {word} against it, and it raises trust in nothing (calibrated on {items} pictures)."


def stability_sentence(variants: int, flips: int) -> str:
    """What happened to the answer when the same picture was encoded again."""
    if flips:
        return f"The answer flipped in {flips} of {variants} re-encodings of the same picture."
    return f"The answer stayed the same in {variants} re-encodings of the same picture."


def band_sentence(detector: Mapping[str, Any]) -> str:
    """The range of the score over re-encodings. Where the ratio is given the condition of the file, it takes
    no answer back; in a report of a detector without guarantees it did."""
    s = detector["stability"]
    if detector.get("read_as") is None:
        return stability_sentence(s["variants"], s["flips"])
    ways = "" if s["variants"] == 1 else f" in {s['variants']} ways"
    said = f"Encoded again{ways} its score lies from {s['min']:.3g} to {s['max']:.3g}"
    if s["flips"]:
        return f"{said}; {s['flips']} of these copies would get another answer than the file as it is."
    return f"{said}; all of these copies would get the same answer."


def _times(log10: float) -> str:
    value = 10 ** min(log10, 9.0)
    return f"{value:.1f}" if value < 10 else f"{float(f'{value:.2g}'):,.0f}"
