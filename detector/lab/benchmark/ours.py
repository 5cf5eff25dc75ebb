"""The detectors of this house as a benchmark asks them: bytes in, score, ratio and answer out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.lab.benchmark.said import Opinion, Outcome, Said, Unit, failed
from detector.lab.benchmark.views import Shown
from detector.lab.trial.scoring import Scores, card_digest
from detector.models.condition import condition_of
from detector.models.score import Answer
from detector.pixels.decode import decode

_LN10 = 2.302585092994046
_OPINIONS = {Answer.SUPPORTS: Opinion.GENERATED, Answer.AGAINST: Opinion.REAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """``score`` is the raw logit, ``llr`` the ratio that a report prints."""

    detector: Scores
    unit: Unit = Unit.LOG_ODDS

    @property
    def name(self) -> str:
        return self.detector.card.model_id

    @property
    def what(self) -> str:
        return f"of this house, weights {self.detector.card.weights_sha256[:16]}"

    @property
    def identity(self) -> str:
        return hashlib.sha256(f"own\0{card_digest(self.detector.card)}".encode()).hexdigest()

    def ask(self, shown: Shown, path: Path) -> Said:
        try:
            pixels = decode(shown.data, shown.media_type)
            condition = condition_of(shown.data, shown.media_type, side=min(pixels.shape[:2]))
            turned = self.detector.turned(pixels, shown.data, shown.media_type)
            score = self.detector.score_pixels(turned, condition, band=False)
        except NotApplicable as e:
            return Said(outcome=Outcome.ABSTAINED, reason=e.detail)
        except PixelsUnreadable as e:
            return failed(e.detail)
        return Said(
            outcome=Outcome.SCORED, score=score.logit,
            llr=None if score.ratio is None else score.ratio.log10 * _LN10,
            opinion=_OPINIONS.get(score.answer, Opinion.NONE), reason=score.reason,
        )  # fmt: skip

    def close(self) -> None:
        pass
