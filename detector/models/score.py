"""What a detector says about one picture, as frozen values. A ratio names its calibration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """Towards the detector's own question."""

    SUPPORTS = "supports"
    AGAINST = "against"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """log10 of P(score | generated) / P(score | camera), capped by the size of its calibration set."""

    log10: float
    low: float
    high: float
    calibration_id: str
    calibration_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityRange:
    """Logits of the same picture under re-encodings; ``flips`` crossed the operating point that the picture
    itself was beyond, or reached one that it was not."""

    variants: int
    low: float
    high: float
    flips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``logit`` is the mean log-odds of "generated" over ``crops`` views, uncalibrated; ``distance`` says how
    far they lie from the calibration pictures, in deviations per feature."""

    model_id: str
    model_sha256: str
    logit: float
    ratio: Ratio
    stability: StabilityRange | None  # None where there was no answer to lose
    crops: int
    answer: Answer
    reason: str  # one sentence: why this answer
    distance: float = 0.0
