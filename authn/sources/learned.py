"""A learned detector as an evidence source. Question: *synthetic*.

Its words come from the detector's own answer and calibration; nothing is scored, scaled or combined here. A
picture that the detector does not apply to is an abstention, a picture that does not decode or a model that
is missing is raised and becomes "not examined".
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question
from authn.core.media import Media
from authn.core.score_map import Reference, ScoreMap
from authn.sources.pictures import Pictures
from detector.core.errors import ModelUnavailable, NotApplicable
from detector.models import score_map
from detector.models.card import ModelCard
from detector.models.condition import Condition, condition_of
from detector.models.inference import open_detector
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from detector.models.score import Answer, Score
from detector.pixels.decode import Pixels

VERSION = "1"

_OUTCOMES = {
    Answer.SUPPORTS: HeuristicOutcome.SUPPORTS,
    Answer.AGAINST: HeuristicOutcome.AGAINST,
    Answer.INCONCLUSIVE: HeuristicOutcome.INCONCLUSIVE,
    Answer.ABSTAIN: HeuristicOutcome.ABSTAIN,
}


class Scorer(Protocol):
    """A loaded detector."""

    @property
    def card(self) -> ModelCard: ...
    def turned(self, pixels: Pixels, data: bytes, media_type: str) -> Pixels: ...
    def score_pixels(self, pixels: Pixels, condition: Condition, *, band: bool = True) -> Score: ...


@runtime_checkable
class _Placed(Protocol):
    """A detector whose score is made of places."""

    def score_map(self, data: bytes, media_type: str) -> score_map.ScoreMap: ...


class LearnedSource:
    """A ``HeuristicSource`` that ``HasScoreMap``. The model is loaded at the first picture, and kept;
    ``pictures`` are shared with whoever else looks at pixels. Without ``band`` no picture is read again as
    platforms would hand it on: that takes most of the time of those that are pointed to."""

    reads_pixels = True

    def __init__(
        self, model_id: str = DEFAULT_MODEL, pictures: Pictures | None = None, *, band: bool = True
    ) -> None:
        self.name = model_id or DEFAULT_MODEL
        self._pictures = pictures or Pictures()
        self._band = band
        self._detector: Scorer | None = None
        self._lacking: str | None = None
        self._reference: Reference | None = None

    def _open(self) -> Scorer:
        return open_detector(self.name)

    def _opened(self) -> Scorer:
        if self._lacking is not None:  # a file of the right length is not compared anew for every picture
            raise ModelUnavailable(self._lacking)
        if self._detector is None:
            try:
                self._detector = self._open()
            except ModelUnavailable as e:
                self._lacking = e.detail
                raise
        return self._detector

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``ModelUnavailable`` and ``PixelsUnreadable``."""
        detector = self._opened()
        try:
            pixels = detector.turned(self._pictures.of(media), media.data, media.media_type)
            condition = condition_of(media.data, media.media_type, side=min(pixels.shape[:2]))
            score = detector.score_pixels(pixels, condition, band=self._band)
        except NotApplicable as e:
            return (self._abstention(detector, e.detail),)
        return (_evidence(score),)

    def score_map(self, media: Media) -> ScoreMap:
        """Raises as ``examine``, and ``NotApplicable`` where there is nothing to tell apart."""
        detector = self._opened()
        if not isinstance(detector, _Placed):
            raise NotApplicable(f"{self.name} looks at the picture as a whole, not at places in it")
        found = detector.score_map(media.data, media.media_type)
        return ScoreMap(
            detector=self.name,
            model_sha256=detector.card.weights_sha256,
            width=found.width,
            height=found.height,
            point=found.supports_logit,
            smooth=found.smooth,
            windows=found.windows,
            squares=found.squares,
            parts=found.parts,
            reference=self._reference_map(detector),
        )

    def _reference_map(self, detector: _Placed) -> Reference:
        """Made once: the same photo and detector give the same map."""
        if self._reference is None:
            found = detector.score_map(reference_photo(), MEDIA_TYPE)
            self._reference = Reference(
                width=found.width,
                height=found.height,
                smooth=found.smooth,
                windows=found.windows,
                squares=found.squares,
            )
        return self._reference

    def _abstention(self, detector: Scorer, reason: str) -> HeuristicEvidence:
        return HeuristicEvidence(
            detector=self.name,
            version=VERSION,
            kind="learned",
            question=Question.SYNTHETIC,
            outcome=HeuristicOutcome.ABSTAIN,
            reason=reason,
            applicable=False,
            model_sha256=detector.card.weights_sha256,
        )


class SemanticSource(LearnedSource):
    """The optional second branch: the head that is shipped on an image encoder that is not."""

    def __init__(
        self,
        encoder: Path,
        model_id: str = SEMANTIC_MODEL,
        pictures: Pictures | None = None,
        *,
        band: bool = True,
    ) -> None:
        super().__init__(model_id, pictures, band=band)
        self._encoder = encoder

    def _open(self) -> Scorer:
        from detector.models.semantic import open_semantic

        return open_semantic(self.name, self._encoder)


def _evidence(score: Score) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector=score.model_id,
        version=VERSION,
        kind="learned",
        question=Question.SYNTHETIC,
        outcome=_OUTCOMES[score.answer],
        reason=score.reason,
        raw=score.logit,
        llr=score.ratio,
        stability=score.stability,
        model_sha256=score.model_sha256,
        content=score.kind,
        condition=score.condition,
        guarantee=score.guarantee,
    )
