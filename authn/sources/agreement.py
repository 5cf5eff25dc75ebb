"""One answer for one question, where several learned detectors look.

Where a joint detector was fitted on exactly those that apply, it answers and they are its parts: their
ratios stay to be seen, and none of them has an answer of its own. Where one of them does not apply, the
other answers alone and says so. Where none was fitted, each answers for itself, and opposite answers cancel
each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome
from detector.models.score import Answer

if TYPE_CHECKING:  # both load NumPy, which an installation that looks at no pixels does not have
    from detector.models.guarantees import Decided
    from detector.models.joint import Joint

VERSION = "1"

_OPPOSED = (HeuristicOutcome.SUPPORTS, HeuristicOutcome.AGAINST)
_REASONS = {
    Answer.SUPPORTS: "{names}, read together, look more like those of generated pictures than of real ones",
    Answer.AGAINST: "{names}, read together, look like those of real pictures; so can those of a fake",
}


def answered(guesses: Sequence[HeuristicEvidence], joint: Joint | None) -> tuple[HeuristicEvidence, ...]:
    """The same evidence, with the joint answer behind its parts where there is one."""
    if joint is None:
        return _uncontradicted(guesses)
    names = [p.model_id for p in joint.card.parts]
    found = [g for g in guesses if g.kind == "learned" and g.detector in names]
    able = [g for g in found if g.applicable and g.llr is not None]
    given = [g for g in able if g.condition is not None]
    if joint.card.fits([(g.detector, g.model_sha256) for g in given]):
        answer = _joined(joint, able)
        parts = tuple(_part(g, joint.card.model_id) if g in able else g for g in guesses)
        last = max(i for i, g in enumerate(guesses) if g in able)
        return (*parts[: last + 1], answer, *parts[last + 1 :])
    if len(able) == 1 and len(found) > 1:
        other = next(g for g in found if g not in able)
        said = f"{able[0].reason}; {other.detector} has no ratio for this picture, so it answers alone"
        return tuple(replace(g, reason=said) if g is able[0] else g for g in guesses)
    return _uncontradicted(guesses)


def _joined(joint: Joint, parts: Sequence[HeuristicEvidence]) -> HeuristicEvidence:
    card = joint.card
    ratios = {g.detector: g.llr.log10 for g in parts if g.llr is not None}
    content = next((g.content for g in parts if g.content is not None), None)
    condition = next(g.condition for g in parts if g.condition is not None)
    decided = card.decide(ratios, content, condition)
    return HeuristicEvidence(
        detector=card.model_id,
        version=VERSION,
        kind="learned",
        question=parts[0].question,
        outcome=HeuristicOutcome(decided.answer.value),
        reason=_reason(decided, [g.detector for g in parts]),
        raw=card.score(ratios),
        llr=decided.ratio,
        model_sha256=joint.sha256,
        content=content,
        condition=condition,
        guarantee=decided.guarantee,
    )


def _reason(decided: Decided, names: Sequence[str]) -> str:
    if decided.reason is not None:
        return decided.reason
    return _REASONS[decided.answer].format(names="the ratios of " + " and ".join(names))


def _part(guess: HeuristicEvidence, joint: str) -> HeuristicEvidence:
    """Without an answer of its own: only its ratio speaks, in the joint one."""
    return replace(
        guess,
        outcome=HeuristicOutcome.INCONCLUSIVE,
        reason=f"one of the readings that {joint} joins; the answer is there",
        guarantee=None,
        part_of=joint,
    )


def _uncontradicted(guesses: Sequence[HeuristicEvidence]) -> tuple[HeuristicEvidence, ...]:
    """Where learned detectors answer one question in opposite ways, none of them has an answer."""
    learned = {g.detector: g.outcome for g in guesses if g.kind == "learned"}
    if not set(_OPPOSED) <= set(learned.values()):
        return tuple(guesses)
    named = " and ".join(sorted(d for d, o in learned.items() if o in _OPPOSED))
    return tuple(
        replace(
            g,
            outcome=HeuristicOutcome.INCONCLUSIVE,
            reason=f"{named} answer the same question in opposite ways, so neither has an answer",
            guarantee=None,
        )
        if g.kind == "learned" and g.outcome in _OPPOSED
        else g
        for g in guesses
    )
