"""Whether learned detectors agree, where several answer one question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from authn.core.evidence import HeuristicEvidence, HeuristicOutcome

_OPPOSED = (HeuristicOutcome.SUPPORTS, HeuristicOutcome.AGAINST)


def settled(guesses: Sequence[HeuristicEvidence]) -> tuple[HeuristicEvidence, ...]:
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
        )
        if g.kind == "learned" and g.outcome in _OPPOSED
        else g
        for g in guesses
    )
