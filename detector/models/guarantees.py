"""What a detector may answer, and what vouches for it: operating points with bounds that hold for so many
pictures as were measured, and no answer where none holds (docs/decisions/0028).

``supports`` is certified kind by kind: the smallest ratio from which on, at the level ``sure``, at most a
share ``goal`` of the real pictures of that kind get the answer. ``against`` is earned kind by kind and size
by size: generated pictures get it at most ``MOST_AGAINST`` times as often as real ones. What was not
measured on enough pictures is not answered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from detector.models.calibration import Calibration
from detector.models.condition import Condition
from detector.models.kinds import Kind
from detector.models.score import Answer, Guarantee, Ratio

GOAL = 0.02
SURE = 0.95
MOST_AGAINST = 1 / 3
MIN_LOG10_RATIO = 0.5  # a ratio of about three: below it the words would be stronger than the evidence

INCONCLUSIVE = "pictures of both kinds have such scores: no answer is vouched for there"
UNKNOWN_KIND = "too few pictures whose kind is not known ({pictures}) were measured to vouch for any answer"
NOT_MEASURED = "no {kind} was among the pictures that answers are vouched for with"
TOO_FEW = "too few pictures of this kind ({kind}, n = {pictures}) were measured to vouch for any answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """From which log10 ratio on the answer is "supports" for a picture that is taken for the kind; None
    where no bound holds. Counted over real pictures that are of the kind, whatever they are taken for:
    ``false`` of ``pictures`` from ``sources`` are beyond their points, in the view with the highest bound.
    ``bound`` takes every picture for itself, ``by_source`` takes those of a source for alike (None below 20
    sources); neither is above ``goal``. The kind None are pictures whose kind the content head does not
    know, or all where there is none. ``log10_ratio`` is that of the line, before mix and cap."""

    kind: Kind | None
    goal: float
    sure: float
    log10_ratio: float | None
    pictures: int
    sources: int
    false: int
    bound: float | None
    by_source: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """Up to which log10 ratio (of the line) the answer is "against", for a kind and shorter sides from
    ``min_side`` to below ``max_side`` pixels. ``bound``: upper bound of the share of generated pictures over
    that of real ones; ``worst``: the same share, measured, of the generator that gets it most often."""

    kind: Kind | None
    min_side: int
    max_side: int | None
    log10_ratio: float
    bound: float
    worst: float
    sure: float
    pictures: int
    sources: int
    generated: int
    generators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantees:
    """``kind_limit`` is the probability below which the content head's kind is unknown; None for a detector
    without one, whose guarantees have the kind None and hold for every kind that was measured."""

    kind_limit: float | None
    supports: tuple[Certified, ...]
    against: tuple[Earned, ...]

    def known(self, kind: Kind | None, probability: float | None) -> Kind | None:
        """The kind, where it is probable enough."""
        if self.kind_limit is None or probability is None or probability < self.kind_limit:
            return None
        return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """``reason`` is None where the detector has words of its own for the answer."""

    answer: Answer
    ratio: Ratio | None
    guarantee: Guarantee | None = None
    reason: str | None = None


def decide(
    calibration: Calibration, guarantees: Guarantees, logit: float, kind: Kind | None, condition: Condition
) -> Decided:
    """The answer to a score, and what vouches for it; ``kind`` is None where it is unknown. What nothing
    vouches for gets no answer."""
    if guarantees.kind_limit is None:
        kind = None
    ratio = calibration.ratio(logit, kind, condition)
    certified = next((c for c in guarantees.supports if c.kind is kind), None)
    if certified is None or certified.log10_ratio is None:
        pictures = certified.pictures if certified else 0
        found = UNKNOWN_KIND if kind is None else NOT_MEASURED if not pictures else TOO_FEW
        reason = found.format(kind=kind.value if kind else "", pictures=pictures)
        return Decided(answer=Answer.ABSTAIN, ratio=ratio, reason=reason)
    line = calibration.line(logit, kind, condition)[0] / math.log(10)
    if line >= certified.log10_ratio and ratio.log10 >= MIN_LOG10_RATIO:
        return Decided(answer=Answer.SUPPORTS, ratio=ratio, guarantee=_vouched(certified))
    earned = next((e for e in guarantees.against if e.kind is kind and covers(e, condition.side)), None)
    if earned is not None and line <= earned.log10_ratio and ratio.log10 <= -MIN_LOG10_RATIO:
        return Decided(answer=Answer.AGAINST, ratio=ratio, guarantee=_owed(earned))
    return Decided(answer=Answer.INCONCLUSIVE, ratio=ratio, reason=INCONCLUSIVE)


def covers(earned: Earned, side: int) -> bool:
    return earned.min_side <= side and (earned.max_side is None or side < earned.max_side)


def _vouched(c: Certified) -> Guarantee:
    return Guarantee(
        answer=Answer.SUPPORTS, kind=c.kind, bound=c.goal, sure=c.sure, pictures=c.pictures, sources=c.sources
    )


def _owed(e: Earned) -> Guarantee:
    return Guarantee(
        answer=Answer.AGAINST, kind=e.kind, bound=MOST_AGAINST, sure=e.sure, pictures=e.pictures,
        sources=e.sources, generated=e.generated,
    )  # fmt: skip
