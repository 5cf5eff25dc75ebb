"""Where a picture does not go with the colour filter of the sensor that took the rest. Question: *edited*.

Runs on request. Most pictures have no traces of one, and get no answer. Where a picture has them and a
place has them the other way round, it points to it: what is there was moved by an odd number of pixels, or
came from another photo. Several frames that a camera puts together do that too. A place without traces says
nothing.
It is never against, since every second paste goes with the filter by chance.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome
from authn.core.media import Media
from authn.core.overlay import Layer, Overlay
from authn.sources.places import OfPixels, edited, layer_of_places, points, where_looked
from detector.core.errors import NotApplicable
from detector.forensics.colour_filter import BLOCK, PLACE, ColourFilter, examine_filter
from detector.models.reference import MEDIA_TYPE, reference_photo
from detector.pixels.decode import Pixels, decode, open_cv2

NAME, VERSION = "colour_filter", "1"
OTHER = -0.3  # of a place: from here down it points to an edit (docs/cards/colour_filter.md)
LOW, HIGH = -0.6, 0.6  # the ends of the drawing
BETWEEN_PIXELS = BLOCK * PLACE // 2  # from the middle of a place to the next
_evidence = partial(edited, NAME, VERSION)


class ColourFilterSource(OfPixels):
    """Implements ``HeuristicSource`` and ``HasOverlays``."""

    name = NAME

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``."""
        try:
            found = examine_filter(self._pictures.of(media))
        except NotApplicable as e:
            return (_evidence(HeuristicOutcome.ABSTAIN, e.detail),)
        outcome, reason = _said(found)
        return (_evidence(outcome, reason, raw=found.least, findings=(_finding(found),)),)

    def overlays(self, media: Media, found: tuple[HeuristicEvidence, ...]) -> tuple[Overlay, ...]:
        """Where the filter lies otherwise, over an answer that points to it. Raises as ``examine``."""
        if not points(found):
            return ()
        pixels = self._pictures.of(media)
        return (
            Overlay(
                detector=self.name,
                title="Where the colour filter of a sensor lies otherwise",
                low="at the other pixels",
                high="as in the rest",
                says="In low places green was measured at those pixels where it was made up in the rest.",
                normal="A photo with such traces lies in the upper half everywhere, or in the middle, where "
                "the traces are lost; smooth and burnt-out places are left open.",
                own=_layer(examine_filter(pixels), pixels),
                reference=_reference(),
            ),
        )


def _said(found: ColourFilter) -> tuple[HeuristicOutcome, str]:
    least = found.least
    if not found.seen:
        return HeuristicOutcome.ABSTAIN, (
            "no traces of a sensor's colour filter are left in the picture as a whole: resizing and saving "
            "as JPEG remove them, and most cameras leave none"
        )
    if least is not None and least <= OTHER and not found.alone:
        return HeuristicOutcome.INCONCLUSIVE, (
            "the picture has traces of a sensor's colour filter, and a place has them at the other pixels, "
            "and so may the places across the middle: correcting a lens moves them alike, so nothing follows"
        )
    if least is not None and least <= OTHER:
        return HeuristicOutcome.SUPPORTS, (
            "the picture has traces of a sensor's colour filter, and a place has them at the other pixels "
            f"({least:.2f}; from {OTHER:g} down this points to it): it was moved by an odd number of pixels, "
            "or came from another photo. What corrects a lens or puts several frames together does that too"
        )
    return HeuristicOutcome.INCONCLUSIVE, (
        "the picture has traces of a sensor's colour filter, and no place has them the other way round; "
        "every second paste goes with them by chance, so nothing follows"
    )


def _finding(found: ColourFilter) -> Finding:
    facts: Facts = (
        ("log_ratio", round(found.median, 3)),
        ("agreeing_share", round(found.agreeing, 3)),
        ("green_at_corner", found.corner if found.seen else None),
        ("least_place", None if found.least is None else round(found.least, 3)),
        ("blocks", found.blocks),
        ("looked_at_share", round(found.looked, 3)),
    )
    said = "are to be seen" if found.seen else "are not to be seen"
    return Finding(
        code="assay.colour_filter.green",
        outcome=Outcome.ESTABLISHED if found.seen else Outcome.ABSENT,
        detail=f"traces of a sensor's colour filter {said}: {found.agreeing:.0%} of {found.blocks:,} blocks "
        f"agree{where_looked(found.looked)}",
        facts=facts,
    )


def _layer(found: ColourFilter, pixels: Pixels) -> Layer:
    return layer_of_places(
        found.places, pixels, first=BETWEEN_PIXELS, between=BETWEEN_PIXELS, scale=(LOW, HIGH)
    )


@cache
def _reference() -> Layer:
    """The reference photo, seen through a filter and interpolated: itself was reduced and has no traces."""
    cv2, photo = open_cv2(), decode(reference_photo(), MEDIA_TYPE)
    seen = photo[:, :, 1].copy()
    seen[::2, ::2], seen[1::2, 1::2] = photo[::2, ::2, 0], photo[1::2, 1::2, 2]
    whole = np.asarray(cv2.cvtColor(seen, cv2.COLOR_BayerRGGB2RGB))
    return _layer(examine_filter(whole), whole)
