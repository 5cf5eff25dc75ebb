"""Answers of learned detectors under a calibration on the reader's own pictures, which each of them names.

The score stays as it was; the answer is "supports" beyond the calibration's point, and undecided below it.
Nothing is said against, and the shipped ratio, which was fitted on other pictures, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome
from detector.models.score import Answer, Guarantee

if TYPE_CHECKING:  # it loads NumPy
    from detector.models.own_pictures import OwnCalibration, OwnPoint

BEYOND = "its score lies beyond the point of your calibration {name} ({sha256}), of {real:,} real pictures"
BELOW = "its score is not beyond the point of your calibration {name} ({sha256}); that speaks for nothing"


def under_own(
    guesses: Sequence[HeuristicEvidence], calibration: OwnCalibration
) -> tuple[HeuristicEvidence, ...]:
    """The same evidence; that of detectors with a point for exactly their weights answers by it."""
    return tuple(_answered(g, calibration) for g in guesses)


def _answered(guess: HeuristicEvidence, calibration: OwnCalibration) -> HeuristicEvidence:
    point = calibration.point(guess.detector, guess.model_sha256)
    if point is None or guess.raw is None or not guess.applicable:
        return guess
    beyond = guess.raw > point.logit
    reason = (BEYOND if beyond else BELOW).format(
        name=calibration.name, sha256=calibration.sha256[:12], real=point.real
    )
    return replace(
        guess,
        outcome=HeuristicOutcome.SUPPORTS if beyond else HeuristicOutcome.INCONCLUSIVE,
        reason=reason,
        llr=None,
        guarantee=_vouched(point) if beyond else None,
    )


def _vouched(point: OwnPoint) -> Guarantee:
    return Guarantee(
        answer=Answer.SUPPORTS,
        kind=None,
        bound=point.goal,
        sure=point.sure,
        pictures=point.real,
        sources=1,
    )
