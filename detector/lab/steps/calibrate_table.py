"""From a score table to the parts of a card: the line, the guarantees, what was measured."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from detector.lab.steps.certify import certify
from detector.lab.steps.judge_table import judged_views, seen_of
from detector.lab.steps.score_fit import fit_given, table_of
from detector.lab.steps.scores import ScoreRow
from detector.models.calibration import Calibration
from detector.models.card import Judged, ModelCard, OperatingPoint
from detector.models.given import REFERENCE_SIDE
from detector.models.guarantees import MIN_LOG10_RATIO, Guarantees, covers
from detector.models.kinds import Kind

NEVER = 9999.0  # a logit that no picture has, and that a map of scores may still name


@dataclass(frozen=True, slots=True, kw_only=True)
class CardParts:
    """What a score table decides of a card."""

    calibration: Calibration
    operating_point: OperatingPoint
    guarantees: Guarantees
    judged: tuple[Judged, ...]

    def into(self, card: ModelCard) -> ModelCard:
        """The card with these parts."""
        return replace(
            card, calibration=self.calibration, operating_point=self.operating_point,
            guarantees=self.guarantees, judged=self.judged,
        )  # fmt: skip


def calibrate_table(
    rows: Sequence[ScoreRow], kind_limit: float | None, *, faces: Collection[str] | None = None,
    given_kind: bool = True, rounds: int = 100, seed: int = 0,
) -> CardParts:  # fmt: skip
    """``kind_limit``: the probability below which the predicted kind is unknown, None for a detector
    without a content head. Without ``given_kind`` kinds choose points and gate answers, and the ratio is
    not given them. ``rounds`` resamples of sources and generators give the interval of the line.
    Deterministic. Raises ``CalibrationError`` for too few pictures, or a score that ranks the wrong way."""
    table = table_of(rows, kind_limit)
    seen = seen_of(table, kind_limit, given_kind=given_kind)
    given = table if given_kind else table.blind()
    calibration = replace(fit_given(given, rounds=rounds, seed=seed), unknown=seen.unknown)
    guarantees = certify(table, seen.line, kind_limit)
    return CardParts(
        calibration=calibration, guarantees=guarantees, judged=judged_views(seen, faces),
        operating_point=point_of_reference(calibration, guarantees),
    )  # fmt: skip


def point_of_reference(calibration: Calibration, guarantees: Guarantees) -> OperatingPoint:
    """Where the guarantees lie for a photo in the condition of reference, as logits."""
    kind = None if guarantees.kind_limit is None else Kind.PHOTO
    certified = next((c for c in guarantees.supports if c.kind is kind), None)
    earned = next((e for e in guarantees.against if e.kind is kind and covers(e, REFERENCE_SIDE)), None)
    supports = certified.log10_ratio if certified else None
    return OperatingPoint(
        supports_logit=NEVER if supports is None else _logit(calibration, supports),
        against_logit=-NEVER if earned is None else _logit(calibration, earned.log10_ratio),
        min_log10_ratio=MIN_LOG10_RATIO,
        calibration_false_positives=certified.false / certified.pictures if certified and supports else 0.0,
    )  # fmt: skip


def _logit(line: Calibration, log10_ratio: float) -> float:
    return (log10_ratio * math.log(10) - line.intercept) / line.slope
