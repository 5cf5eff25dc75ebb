"""A learned detector as an evidence source. Question: *synthetic*.

Its words come from the detector's own answer and calibration; nothing is scored, scaled or combined here. A
picture that the detector does not apply to is an abstention, a picture that does not decode or a model that
is missing is raised and becomes "not examined".
"""

from __future__ import annotations

from authn.evidence import HeuristicEvidence, HeuristicOutcome, LikelihoodRatio, Question, Stability
from authn.media import Media
from detector.errors import NotApplicable
from detector.infer import Detector, open_detector
from detector.registry import DEFAULT_MODEL
from detector.score import Answer, Score

VERSION = "1"

_OUTCOMES = {
    Answer.SUPPORTS: HeuristicOutcome.SUPPORTS,
    Answer.AGAINST: HeuristicOutcome.AGAINST,
    Answer.INCONCLUSIVE: HeuristicOutcome.INCONCLUSIVE,
}


class LearnedSource:
    """Implements ``HeuristicSource``. The model is loaded when the first picture is examined, and kept."""

    def __init__(self, model_id: str = DEFAULT_MODEL) -> None:
        self._model_id = model_id or DEFAULT_MODEL
        self._detector: Detector | None = None

    @property
    def name(self) -> str:
        return self._model_id

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``ModelUnavailable`` and ``PixelsUnreadable``."""
        if self._detector is None:
            self._detector = open_detector(self._model_id)
        try:
            score = self._detector.score(media.data, media.media_type)
        except NotApplicable as e:
            return (self._abstention(self._detector, e.detail),)
        return (_evidence(score),)

    def _abstention(self, detector: Detector, reason: str) -> HeuristicEvidence:
        return HeuristicEvidence(
            detector=self._model_id,
            version=VERSION,
            kind="learned",
            question=Question.SYNTHETIC,
            outcome=HeuristicOutcome.ABSTAIN,
            reason=reason,
            applicable=False,
            model_sha256=detector.card.weights_sha256,
        )


def _evidence(score: Score) -> HeuristicEvidence:
    r, s = score.ratio, score.stability
    return HeuristicEvidence(
        detector=score.model_id,
        version=VERSION,
        kind="learned",
        question=Question.SYNTHETIC,
        outcome=_OUTCOMES[score.answer],
        reason=score.reason,
        raw=score.logit,
        llr=LikelihoodRatio(
            log10=r.log10,
            low=r.low,
            high=r.high,
            calibration_id=r.calibration_id,
            calibration_items=r.calibration_items,
        ),
        stability=Stability(variants=s.variants, low=s.low, high=s.high, flips=s.flips),
        model_sha256=score.model_sha256,
    )
