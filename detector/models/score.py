"""What a detector says about one picture, as frozen values. A ratio names its calibration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from detector.models.condition import Condition
from detector.models.kinds import Kind


class Answer(StrEnum):
    """Towards the detector's own question."""

    SUPPORTS = "supports"
    AGAINST = "against"
    INCONCLUSIVE = "inconclusive"
    ABSTAIN = "abstain"  # nothing vouches for an answer: an unknown kind, another domain, too few measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """log10 of P(score | generated) / P(score | camera), capped by the size of its calibration set."""

    log10: float
    low: float
    high: float
    calibration_id: str
    calibration_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """What vouches for an answer, measured on pictures of sources and generators that were left out.

    ``supports``: at most ``bound`` of the real pictures of the kind get this answer. ``against``: generated
    pictures of the kind and size get it at most ``bound`` times as often as real ones. ``sure`` is the
    level of the bound, ``pictures`` and ``sources`` are the real ones that were counted, ``generated`` the
    others. The kind is None for pictures whose kind is not known; a detector that does not tell kinds apart
    knows none."""

    answer: Answer
    kind: Kind | None
    bound: float
    sure: float
    pictures: int
    sources: int
    generated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityRange:
    """The band: lowest and highest logit of the same picture under re-encodings, itself among them. ``flips``
    of the ``variants`` would get another answer than the file as it is stored; it takes no answer back."""

    variants: int
    low: float
    high: float
    flips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``logit`` is the mean log-odds of "generated" over ``crops`` views, uncalibrated; ``distance`` says how
    far they lie from the calibration pictures, in deviations per feature. ``kind`` is what the content head
    takes the picture for, None where it does not know or there is none; ``condition`` is what the ratio was
    given, None for a card without guarantees."""

    model_id: str
    model_sha256: str
    logit: float
    ratio: Ratio | None  # None where its calibration does not hold
    stability: StabilityRange | None  # None where nothing was pointed to, or nobody asked
    crops: int
    answer: Answer
    reason: str  # one sentence: why this answer
    distance: float = 0.0
    kind: Kind | None = None
    condition: Condition | None = None
    guarantee: Guarantee | None = None
