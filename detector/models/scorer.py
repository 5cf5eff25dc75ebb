"""How a detector comes to its answer: the one procedure, whatever a picture is read with.

The first reading gives the ratio and the side of the operating point. Three things can only take an answer
back: a picture too small to be spoken against, one outside of the domain of the calibration, and an answer
that does not survive encodings that any platform applies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detector.models.card import ModelCard, OperatingPoint
from detector.models.score import Answer, Ratio, Score, StabilityRange
from detector.pixels.decode import MAX_PIXELS, Pixels, decode

Views = NDArray[np.uint8]  # (n, height, width, 3): the parts of a picture that one reading is the mean of

TOO_SMALL = "nothing points to it, but the generators of so small pictures are those that it cannot see"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a detector says of some views: the log-odds of "generated", and how far from the calibration
    pictures they lie, in deviations per feature."""

    logit: float
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The sentences of a detector; ``unstable`` is a template for ``flips`` of ``variants``."""

    reasons: Mapping[Answer, str]
    outside: str
    unstable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer(ABC):
    """A detector with its card. A kind of detector says what it looks at and how it reads that."""

    card: ModelCard
    words: ClassVar[Words]

    @abstractmethod
    def views(self, pixels: Pixels) -> Views:
        """What of a picture is read. Raises ``NotApplicable``."""

    @abstractmethod
    def read(self, views: Views) -> Reading:
        """Raises ``NotApplicable``."""

    @abstractmethod
    def variants(self, views: Views) -> Sequence[Views]:
        """The same views as platforms would hand them on."""

    def score(self, data: bytes, media_type: str, *, max_pixels: int = MAX_PIXELS) -> Score:
        """The score of an encoded picture of ``media_type`` (JPEG, PNG, WebP).

        Raises ``NotApplicable`` for one that the detector does not apply to or with more than ``max_pixels``,
        and ``PixelsUnreadable``; never a score for a picture that it could not see."""
        return self.score_pixels(decode(data, media_type, max_pixels=max_pixels))

    def ratio(self, data: bytes, media_type: str) -> Ratio:
        """The likelihood ratio alone, without the re-encodings that an answer has to survive. Raises as
        ``score``."""
        return self.card.calibration.ratio(self.raw(decode(data, media_type)))

    def raw(self, pixels: Pixels) -> float:
        """The logit before calibration. Raises ``NotApplicable``."""
        return self.read(self.views(pixels)).logit

    def score_pixels(self, pixels: Pixels) -> Score:
        """As ``score``, for pixels that are already decoded. Raises ``NotApplicable``."""
        card, point = self.card, self.card.operating_point
        views = self.views(pixels)
        reading = self.read(views)
        ratio = card.calibration.ratio(reading.logit)
        answer = answer_of(reading.logit, ratio, point)
        reason, stability = self.words.reasons[answer], None
        if answer is Answer.AGAINST and min(pixels.shape[:2]) < point.against_min_side:
            answer, reason = Answer.INCONCLUSIVE, TOO_SMALL
        if card.domain_limit is not None and reading.distance > card.domain_limit:
            answer, reason = Answer.INCONCLUSIVE, self.words.outside
        if answer is not Answer.INCONCLUSIVE:
            # Only an answer has something to lose; most pictures get none and need no second look.
            others = [self.read(variant).logit for variant in self.variants(views)]
            stability = stability_of(reading.logit, others, point)
            if stability.flips:
                answer = Answer.INCONCLUSIVE
                reason = self.words.unstable.format(flips=stability.flips, variants=stability.variants)
        return Score(
            model_id=card.model_id, model_sha256=card.weights_sha256, logit=reading.logit, ratio=ratio,
            stability=stability, crops=len(views), answer=answer, reason=reason, distance=reading.distance,
        )  # fmt: skip


def answer_of(logit: float, ratio: Ratio, point: OperatingPoint) -> Answer:
    """The side of the operating point, where the ratio is strong enough for it."""
    side = _side(logit, point)
    strong = ratio.log10 if side is Answer.SUPPORTS else -ratio.log10
    return side if strong >= point.min_log10_ratio else Answer.INCONCLUSIVE


def stability_of(logit: float, others: Sequence[float], point: OperatingPoint) -> StabilityRange:
    """How the logits of re-encoded copies lie around that of the picture."""
    return StabilityRange(
        variants=len(others),
        low=min(logit, *others),
        high=max(logit, *others),
        flips=sum(_side(x, point) is not _side(logit, point) for x in others),
    )


def _side(logit: float, point: OperatingPoint) -> Answer:
    if logit >= point.supports_logit:
        return Answer.SUPPORTS
    return Answer.AGAINST if logit <= point.against_logit else Answer.INCONCLUSIVE
