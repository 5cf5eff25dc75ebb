"""The answer that a report gives where several detectors look: the joint one, from what its parts made of
each picture. Nothing is scored again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from detector.lab.trial.scoring import ABSTAINED, UNREADABLE, Scored, Scores
from detector.models.condition import Condition
from detector.models.joint import Joint
from detector.models.kinds import Kind

_LN10 = math.log(10)


def with_joint(
    joint: Joint | None, detectors: Sequence[Scores], scored: Sequence[Scored]
) -> tuple[Scored, ...]:
    """``scored``, and after the detectors of each picture and view the joint answer, where one was fitted on
    exactly these. Where a part has no ratio the other answers alone, as in a report: its answer and its
    ratio stand there, and the natural logarithm of that as the score."""
    models = [(d.card.model_id, d.card.weights_sha256) for d in detectors]
    if joint is None or not joint.card.fits(models):
        return tuple(scored)
    out: list[Scored] = []
    for first in range(0, len(scored), len(detectors)):
        parts = scored[first : first + len(detectors)]
        out += [*parts, _answer(joint, parts)]
    return tuple(out)


def _answer(joint: Joint, parts: Sequence[Scored]) -> Scored:
    own = replace(parts[0], detector=joint.card.model_id, card_sha256=joint.sha256, distance=None)
    ratios = dict(_ratios(parts))
    able = [p for p in parts if p.detector in ratios]
    if not able:
        unreadable = all(p.answer == UNREADABLE for p in parts)
        return replace(own, answer=UNREADABLE if unreadable else ABSTAINED, logit=None, log10_ratio=None)
    kind = next((p.kind for p in able if p.kind is not None), None)
    if len(able) < len(parts):
        alone = able[0]
        return replace(
            own, answer=alone.answer, reason=f"{alone.detector} answers alone: {alone.reason}", kind=kind,
            logit=ratios[alone.detector] * _LN10, log10_ratio=ratios[alone.detector],
        )  # fmt: skip
    decided = joint.card.decide(ratios, Kind(kind) if kind else None, _condition(able[0]))
    return replace(
        own, answer=decided.answer.value, reason=decided.reason or "the ratios of its parts, read together",
        kind=kind, logit=joint.card.score(ratios),
        log10_ratio=None if decided.ratio is None else decided.ratio.log10,
    )  # fmt: skip


def _ratios(parts: Sequence[Scored]) -> Iterator[tuple[str, float]]:
    for part in parts:
        if part.log10_ratio is not None:
            yield part.detector, part.log10_ratio


def _condition(part: Scored) -> Condition:
    assert part.side is not None  # it has a ratio, so it was decoded
    return Condition(side=part.side, quality=part.quality, media_type=part.media_type)
