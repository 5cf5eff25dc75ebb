"""Public invisible marks that generators leave by themselves. Question: *synthetic*.

It points to a generator only where the bits of a payload that a known program writes are there, in a number
that chance and photos do not reach (docs/cards/watermarks.md). Anybody can put the same mark into any photo,
and saving a picture as JPEG mostly destroys it: so its absence says nothing, and it is never "no sign of it".
"""

from __future__ import annotations

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import Media
from authn.sources.pictures import Pictures
from detector.core.errors import NotApplicable
from detector.forensics.watermarks import PAYLOADS, Match, matches

VERSION = "1"


class WatermarkSource:
    """Implements ``HeuristicSource``."""

    name = "watermark"
    reads_pixels = True

    def __init__(self, pictures: Pictures | None = None) -> None:
        self._pictures = pictures or Pictures()

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            best = matches(self._pictures.of(media))[0]
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail, applicable=False),)
        if best.found:
            return (_evidence(HeuristicOutcome.SUPPORTS, _found(best), (_finding(best),)),)
        return (_evidence(HeuristicOutcome.ABSTAIN, _NOT_FOUND, (_finding(best),)),)


_NOT_FOUND = (
    f"none of {len(PAYLOADS)} known invisible marks is there; saving as JPEG destroys most of them, and most "
    "generators leave none that anybody can read"
)


def _found(match: Match) -> str:
    return (
        f"the invisible mark that {match.payload.program} puts into its pictures is there: "
        f"{match.agreeing} of {len(match.payload.bits)} bits of {match.payload.name} agree, "
        f"{match.needed} would do; anybody can put the same mark into any picture"
    )


def _finding(match: Match) -> Finding:
    facts: Facts = (
        ("payload", match.payload.name),
        ("program", match.payload.program),
        ("published", match.payload.published),
        ("carrier", match.carrier.value),
        ("read_as", match.reading.value),
        ("bits", len(match.payload.bits)),
        ("bits_agreeing", match.agreeing),
        ("bits_needed", match.needed),
        ("log10_by_chance", round(match.log10_by_chance, 2)),
        ("payloads_known", len(PAYLOADS)),
    )
    nearest = "is there" if match.found else "is nearest, and not there"
    return Finding(
        code="assay.watermark.payload",
        outcome=Outcome.ESTABLISHED if match.found else Outcome.ABSENT,
        detail=f"{match.payload.name} ({match.carrier}) {nearest}: {match.agreeing} of "
        f"{len(match.payload.bits)} bits agree",
        facts=facts,
    )


def _evidence(
    outcome: HeuristicOutcome, reason: str, findings: tuple[Finding, ...] = (), *, applicable: bool = True
) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector="watermark",
        version=VERSION,
        kind="signal",
        question=Question.SYNTHETIC,
        outcome=outcome,
        reason=reason,
        applicable=applicable,
        findings=findings,
    )
