"""Whether a picture was enlarged or reduced, and by how much. Question: *edited*.

It is said, and nothing follows: nearly every picture on the web was resized. So it never points to an edit,
and is never against. What it is good for is beside a claim of the signer, or a size that the metadata give.
"""

from __future__ import annotations

from functools import partial

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.sources.places import OfPixels, edited
from detector.core.errors import NotApplicable
from detector.forensics.resampling import RESIZED, Resampling, examine_resampling
from detector.pixels.jpeg import luminance_table

NAME, VERSION = "resampling", "1"
COARSE = 18.0  # mean step of a luminance table from which nothing of it is left: quality 84
_evidence = partial(edited, NAME, VERSION)


class ResamplingSource(OfPixels):
    """Implements ``HeuristicSource``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        table = luminance_table(media.data) if media.media_type == "image/jpeg" else None
        if table is not None and sum(table) > COARSE * len(table):
            why = "the JPEG is compressed too hard for traces of resizing to be left"
            return (_evidence(HeuristicOutcome.ABSTAIN, why),)
        try:
            found = examine_resampling(self._pictures.of(media))
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        findings = (_finding(found),)
        return (
            _evidence(HeuristicOutcome.INCONCLUSIVE, _said(found), raw=found.strength, findings=findings),
        )


def _said(found: Resampling) -> str:
    if found.resized:
        factor = "" if found.factor is None else f", about {found.factor:.2f} times if it was a JPEG before"
        return (
            f"the picture was resized{factor} ({found.strength:.1f} medians; from {RESIZED:g} on it is said"
            "): cameras, programs and websites do that all the time, so nothing follows"
        )
    return "no trace of resizing is to be seen; saving as JPEG and doubling leave none, so nothing follows"


def _finding(found: Resampling) -> Finding:
    facts: Facts = (
        ("factor", found.factor),
        ("strength_medians", round(found.strength, 2)),
        ("cycles_a_pixel", round(found.frequency, 4)),
        ("looked_at_share", round(found.looked, 3)),
    )
    return Finding(
        code="assay.resampling.period",
        outcome=Outcome.ESTABLISHED if found.resized else Outcome.ABSENT,
        detail=f"the plainest period that rows and columns share has {found.strength:.1f} medians",
        facts=facts,
    )
