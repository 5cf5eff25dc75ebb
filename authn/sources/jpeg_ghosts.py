"""Where a JPEG was compressed before at another quality than the rest. Question: *edited*.

It points to it where a place bears the trace of an earlier compression that most of the picture does not
bear: it was put back, or put in, after having been saved apart. Montages and layouts are made like that too.
It is never against, since most edits leave no such place.
"""

from __future__ import annotations

from functools import cache, partial

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.core.overlay import Layer, Overlay
from authn.sources.places import OfPixels, edited, layer_of_places, luminance_of, points, where_looked
from detector.core.errors import NotApplicable
from detector.forensics.double_jpeg import CELL
from detector.forensics.jpeg_ghosts import Ghosts, examine_ghosts
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.decode import Pixels, decode
from detector.pixels.jpeg import luminance_table

NAME, VERSION = "jpeg_ghosts", "1"
GHOST = -15.0  # of a place: from here down it points to an edit (docs/cards/jpeg_ghosts.md)
LOW, HIGH = -30.0, 10.0  # the ends of the drawing
BETWEEN_PIXELS = 8 * CELL // 2  # from the middle of a place to the next
_evidence = partial(edited, NAME, VERSION)


class JpegGhostsSource(OfPixels):
    """Implements ``HeuristicSource`` and ``HasOverlays``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            found = examine_ghosts(self._pictures.of(media), luminance_of(media))
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        if found is None:
            why = "the picture is too small, too smooth or too coarsely compressed for ghosts to be seen"
            return (_evidence(HeuristicOutcome.ABSTAIN, why),)
        outcome, reason = _said(found)
        return (_evidence(outcome, reason, raw=found.least, findings=(_finding(found),)),)

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """Where the ghost lies, over an answer that points to it. Raises as ``examine``."""
        pixels = self._pictures.of(media) if points(found) else None
        again = None if pixels is None else examine_ghosts(pixels, luminance_of(media))
        if pixels is None or again is None:
            return ()
        return (
            Overlay(
                detector=self.name,
                title="Where the picture was compressed at another quality before",
                low="30 spreads below",
                high="10 above",
                says="Low places change less than the others at the quality that is named.",
                normal="The places of a photo lie at two thirds of the scale and above; smooth and burnt-out "
                "places are left open.",
                own=_layer(again, pixels),
                reference=_reference(),
            ),
        )


def _said(found: Ghosts) -> tuple[HeuristicOutcome, str]:
    if found.least <= GHOST:
        return HeuristicOutcome.SUPPORTS, (
            f"a place was compressed at quality {found.quality} before, and most of the picture was not "
            f"({found.least:.1f} spreads; from {GHOST:g} down this points to it), as where it was saved "
            "apart and put in or back. Montages and layouts are made like that too"
        )
    return HeuristicOutcome.INCONCLUSIVE, (
        "no place bears the trace of an earlier compression that the rest does not bear; most edits leave "
        "none, so nothing follows"
    )


def _finding(found: Ghosts) -> Finding:
    facts: Facts = (
        ("quality", found.quality),
        ("least_place", round(found.least, 2)),
        ("whole_log_ratio", round(found.whole, 3)),
        ("looked_at_share", round(found.looked, 3)),
    )
    return Finding(
        code="assay.jpeg_ghosts.place",
        outcome=Outcome.ESTABLISHED if found.least <= GHOST else Outcome.ABSENT,
        detail=f"the place that differs most does so at quality {found.quality}, by {-found.least:.1f} "
        f"spreads of all places{where_looked(found.looked)}",
        facts=facts,
    )


def _layer(found: Ghosts, pixels: Pixels) -> Layer:
    return layer_of_places(
        found.places, pixels, first=BETWEEN_PIXELS, between=BETWEEN_PIXELS, scale=(LOW, HIGH)
    )


@cache
def _reference() -> Layer | None:
    """The reference photo as it is stored."""
    photo, table = decode(reference_photo(), MEDIA_TYPE), luminance_table(reference_photo())
    found = None if table is None else examine_ghosts(photo, table)
    return None if found is None else _layer(found, photo)
