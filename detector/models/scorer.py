"""How a detector comes to its answer: the one procedure, whatever a picture is read with.

Views, their reading, what kind of picture it is and in which condition its file: given these the calibration
makes a ratio of the score, and the guarantees of the card say whether there is an answer and what vouches for
it. What holds of the file as stored is said of the file as stored: a band over encodings that any platform
applies stands beside it and takes nothing back.

A card without guarantees answers by its operating point, and there an answer that does not survive those
encodings is taken back, because its rates were measured so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detector.models.card import ModelCard, OperatingPoint
from detector.models.condition import Condition, condition_of
from detector.models.guarantees import MIN_LOG10_RATIO, Decided, decide
from detector.models.kinds import Kind
from detector.models.score import Answer, Ratio, Score, StabilityRange
from detector.pixels.decode import MAX_PIXELS, Pixels, decode
from detector.pixels.orientation import orientation_of
from detector.pixels.upright import upright

Views = NDArray[np.uint8]  # (n, height, width, 3): the parts of a picture that one reading is the mean of

TOO_SMALL = "nothing points to it, but the generators of so small pictures are those that it cannot see"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a detector says of some views: the log-odds of "generated", and how far from the calibration
    pictures they lie, in deviations per feature. ``kind`` is what the picture is most like, with its
    probability, for a detector that tells kinds apart."""

    logit: float
    distance: float
    kind: Kind | None = None
    kind_probability: float | None = None


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
    upright: ClassVar[bool] = False  # whether it looks at a picture as people see it, or as it is stored

    @abstractmethod
    def views(self, pixels: Pixels) -> Views:
        """What of a picture is read. Raises ``NotApplicable``."""

    @abstractmethod
    def read(self, views: Views) -> Reading:
        """Raises ``NotApplicable``."""

    @abstractmethod
    def variants(self, views: Views) -> Sequence[Views]:
        """The same views as platforms would hand them on."""

    def score(
        self, data: bytes, media_type: str, *, max_pixels: int = MAX_PIXELS, band: bool = True
    ) -> Score:
        """The score of an encoded picture of ``media_type`` (JPEG, PNG, WebP). Without ``band`` the picture
        is not read again as platforms would hand it on.

        Raises ``NotApplicable`` for one that the detector does not apply to or with more than ``max_pixels``,
        and ``PixelsUnreadable``; never a score for a picture that it could not see."""
        pixels = self.turned(decode(data, media_type, max_pixels=max_pixels), data, media_type)
        side = min(pixels.shape[:2])
        return self.score_pixels(pixels, condition_of(data, media_type, side=side), band=band)

    def turned(self, pixels: Pixels, data: bytes, media_type: str) -> Pixels:
        """What ``decode`` made of a file, as this detector looks at it."""
        return upright(pixels, orientation_of(data, media_type)) if self.upright else pixels

    def ratio(self, data: bytes, media_type: str) -> Ratio:
        """The likelihood ratio alone, whatever vouches for an answer. Raises as ``score``."""
        pixels = self.turned(decode(data, media_type), data, media_type)
        reading = self.read(self.views(pixels))
        condition = condition_of(data, media_type, side=min(pixels.shape[:2]))
        return self.card.calibration.ratio(reading.logit, self._kind(reading), condition)

    def raw(self, pixels: Pixels) -> float:
        """The logit before calibration. Raises ``NotApplicable``."""
        return self.read(self.views(pixels)).logit

    def score_pixels(self, pixels: Pixels, condition: Condition | None = None, *, band: bool = True) -> Score:
        """As ``score``, for pixels that are already decoded and ``turned``; without a ``condition`` they
        count as a file without loss. Raises ``NotApplicable``."""
        condition = condition or Condition(side=min(pixels.shape[:2]), quality=None, media_type="image/png")
        views = self.views(pixels)
        reading = self.read(views)
        if self.card.guarantees is None:
            return self._by_point(views, reading, condition)
        decided = self._decided(reading, condition)
        stability = None
        if band and (decided.ratio is not None and decided.ratio.log10 >= MIN_LOG10_RATIO):
            stability = self._band(views, reading, condition, decided.answer)
        return self._score(views, reading, condition, decided, stability)

    def _kind(self, reading: Reading) -> Kind | None:
        guarantees = self.card.guarantees
        return guarantees.known(reading.kind, reading.kind_probability) if guarantees else None

    def _decided(self, reading: Reading, condition: Condition) -> Decided:
        card = self.card
        assert card.guarantees is not None
        if card.domain_limit is not None and reading.distance > card.domain_limit:
            return Decided(answer=Answer.ABSTAIN, ratio=None, reason=self.words.outside)
        return decide(card.calibration, card.guarantees, reading.logit, self._kind(reading), condition)

    def _band(
        self, views: Views, reading: Reading, condition: Condition, answer: Answer
    ) -> StabilityRange | None:
        """The copies are judged in the condition of the file: how the answer would move if that stayed."""
        others = [self.read(variant) for variant in self.variants(views)]
        if not others:
            return None
        logits = [reading.logit, *(o.logit for o in others)]
        flips = sum(self._decided(o, condition).answer is not answer for o in others)
        return StabilityRange(variants=len(others), low=min(logits), high=max(logits), flips=flips)

    def _by_point(self, views: Views, reading: Reading, condition: Condition) -> Score:
        """As a card without guarantees was measured."""
        card, point = self.card, self.card.operating_point
        ratio = card.calibration.ratio(reading.logit, None, condition)
        answer = answer_of(reading.logit, ratio, point)
        reason, stability = self.words.reasons[answer], None
        if answer is Answer.AGAINST and condition.side < point.against_min_side:
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
        decided = Decided(answer=answer, ratio=ratio, reason=reason)
        return self._score(views, reading, condition, decided, stability)

    def _score(
        self, views: Views, reading: Reading, condition: Condition, decided: Decided,
        stability: StabilityRange | None,
    ) -> Score:  # fmt: skip
        return Score(
            model_id=self.card.model_id, model_sha256=self.card.weights_sha256, logit=reading.logit,
            ratio=decided.ratio, stability=stability, crops=len(views), answer=decided.answer,
            reason=decided.reason or self.words.reasons[decided.answer], distance=reading.distance,
            kind=self._kind(reading), condition=condition if self.card.guarantees else None,
            guarantee=decided.guarantee,
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
